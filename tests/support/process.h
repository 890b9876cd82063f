/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HL_TESTS_SUPPORT_PROCESS_H
#define HL_TESTS_SUPPORT_PROCESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* A program that a test starts, watches and ends.
 *
 * What it prints goes to files in a directory of its own, so that it never waits for the
 * test to read. It dies with the test (PR_SET_PDEATHSIG), is ended by its id alone, and
 * every wait has a limit. One thread. The process struct is the caller's storage. */

enum { HL_PROCESS_DIR_SIZE = 64, HL_PROCESS_RUNNING = -1 };

struct hl_process {
    pid_t pid;                     /* 0 when none runs */
    int status;                    /* exit status, 128 + signal, or HL_PROCESS_RUNNING */
    char dir[HL_PROCESS_DIR_SIZE]; /* removed with all in it by hl_process_done */
};

/* Makes the directory. False: could not, which ends the test. */
bool hl_process_init(struct hl_process *process);

/* Starts `argv` (NULL at the end) with this test's environment, without any HEIRLOOM…
 * variable, plus `env` (NAME=VALUE, NULL at the end, or NULL). May be called again after
 * the process has ended: what it prints is then added to what is there. */
bool hl_process_start(struct hl_process *process, const char *const *argv,
                      const char *const *env);

/* Ends it with SIGKILL if it still runs, and removes the directory. */
void hl_process_done(struct hl_process *process);

/* Whether it ended within the limit; `status` then says how. */
bool hl_process_wait(struct hl_process *process, int64_t limit_ms);

bool hl_process_signal(const struct hl_process *process, int signal_number);

/* All it has printed so far, terminated, freed by the caller. "out" or "err". */
char *hl_process_read(const struct hl_process *process, const char *stream);

/* Waits until `needle` stands in the stream. False: it ended or the limit passed first. */
bool hl_process_await(struct hl_process *process, const char *stream, const char *needle,
                      int64_t limit_ms);

/* Writes a file into the directory; `ret_path` has room for HL_PROCESS_PATH_SIZE bytes. */
enum { HL_PROCESS_PATH_SIZE = 128 };
void hl_process_path(const struct hl_process *process, const char *name, char *ret_path);
bool hl_process_write(const struct hl_process *process, const char *name, const char *text);
bool hl_process_rename(const struct hl_process *process, const char *from, const char *to);

/* Milliseconds of a monotonic clock, and a short rest between two looks at a condition. */
int64_t hl_now_ms(void);
void hl_rest(void);

#endif
