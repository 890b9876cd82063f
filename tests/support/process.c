/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/process.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { MAX_ENV = 256 };

int64_t hl_now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

void hl_rest(void)
{
    const struct timespec two_ms = {.tv_nsec = 2000000};

    nanosleep(&two_ms, NULL);
}

bool hl_process_init(struct hl_process *process)
{
    *process = (struct hl_process){.status = HL_PROCESS_RUNNING,
                                   .dir = "/tmp/heirloom-test-XXXXXX"};
    return mkdtemp(process->dir) != NULL;
}

void hl_process_path(const struct hl_process *process, const char *name, char *ret_path)
{
    snprintf(ret_path, HL_PROCESS_PATH_SIZE, "%s/%s", process->dir, name);
}

bool hl_process_write(const struct hl_process *process, const char *name, const char *text)
{
    char path[HL_PROCESS_PATH_SIZE];
    FILE *file;
    bool is_written;

    hl_process_path(process, name, path);
    file = fopen(path, "we");
    if (!file)
        return false;
    is_written = fputs(text, file) >= 0;
    return fclose(file) == 0 && is_written;
}

bool hl_process_rename(const struct hl_process *process, const char *from, const char *to)
{
    char old_path[HL_PROCESS_PATH_SIZE];
    char new_path[HL_PROCESS_PATH_SIZE];

    hl_process_path(process, from, old_path);
    hl_process_path(process, to, new_path);
    return rename(old_path, new_path) == 0;
}

static int open_stream(const struct hl_process *process, const char *name)
{
    char path[HL_PROCESS_PATH_SIZE];

    hl_process_path(process, name, path);
    return open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
}

/* Ours without what would configure the server behind the test's back, then the test's. */
static bool fill_env(const char **all, const char *const *env)
{
    size_t n = 0;

    for (char **var = environ; *var; var++) {
        if (strncmp(*var, "HEIRLOOM", 8) == 0 || strncmp(*var, "NOTIFY_SOCKET=", 14) == 0)
            continue;
        if (n + 1 >= MAX_ENV)
            return false;
        all[n++] = *var;
    }
    for (; env && *env; env++) {
        if (n + 1 >= MAX_ENV)
            return false;
        all[n++] = *env;
    }
    all[n] = NULL;
    return true;
}

/* In the child, after fork: only calls that are safe in a signal handler. */
static void become(const char *const *argv, const char *const *env, const int fds[3])
{
    char *const *args;
    char *const *vars;

    prctl(PR_SET_PDEATHSIG, SIGKILL);
    for (int fd = 0; fd < 3; fd++)
        if (dup2(fds[fd], fd) < 0)
            _exit(126);
    /* execve wants pointers that it will not write through and does not say so. */
    memcpy(&args, &argv, sizeof args);
    memcpy(&vars, &env, sizeof vars);
    execve(argv[0], args, vars);
    _exit(127);
}

bool hl_process_start(struct hl_process *process, const char *const *argv,
                      const char *const *env)
{
    const char *all[MAX_ENV];
    int fds[3] = {-1, -1, -1};

    if (process->pid != 0 || !fill_env(all, env))
        return false;
    fds[0] = open("/dev/null", O_RDONLY | O_CLOEXEC);
    fds[1] = open_stream(process, "out");
    fds[2] = open_stream(process, "err");
    if (fds[0] >= 0 && fds[1] >= 0 && fds[2] >= 0) {
        process->status = HL_PROCESS_RUNNING;
        process->pid = fork();
        if (process->pid == 0)
            become(argv, all, fds);
    }
    for (int fd = 0; fd < 3; fd++)
        if (fds[fd] >= 0)
            close(fds[fd]);
    if (process->pid > 0)
        return true;
    process->pid = 0;
    return false;
}

static bool has_ended(struct hl_process *process)
{
    int status;

    if (process->pid == 0)
        return true;
    if (waitpid(process->pid, &status, WNOHANG) != process->pid)
        return false;
    process->status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    process->pid = 0;
    return true;
}

bool hl_process_wait(struct hl_process *process, int64_t limit_ms)
{
    int64_t until = hl_now_ms() + limit_ms;

    while (!has_ended(process)) {
        if (hl_now_ms() > until)
            return false;
        hl_rest();
    }
    return true;
}

bool hl_process_signal(const struct hl_process *process, int signal_number)
{
    return process->pid > 0 && kill(process->pid, signal_number) == 0;
}

char *hl_process_read(const struct hl_process *process, const char *stream)
{
    char path[HL_PROCESS_PATH_SIZE];
    char *text = NULL;
    size_t size = 0;
    FILE *file;
    FILE *copy = open_memstream(&text, &size);
    int c;

    if (!copy)
        abort();
    hl_process_path(process, stream, path);
    file = fopen(path, "re");
    while (file && (c = getc(file)) != EOF)
        putc(c, copy);
    if (file)
        fclose(file);
    if (fclose(copy) != 0)
        abort();
    return text;
}

bool hl_process_await(struct hl_process *process, const char *stream, const char *needle,
                      int64_t limit_ms)
{
    int64_t until = hl_now_ms() + limit_ms;

    for (;;) {
        /* Looked at before the text is read: what it printed last is then in the text. */
        bool is_over = has_ended(process) || hl_now_ms() > until;
        char *text = hl_process_read(process, stream);
        bool is_there = strstr(text, needle) != NULL;

        free(text);
        if (is_there || is_over)
            return is_there;
        hl_rest();
    }
}

static int remove_entry(const char *path, const struct stat *info, int flag,
                        struct FTW *where)
{
    (void)info;
    (void)flag;
    (void)where;
    return remove(path);
}

void hl_process_done(struct hl_process *process)
{
    if (process->pid > 0) {
        kill(process->pid, SIGKILL);
        waitpid(process->pid, NULL, 0);
        process->pid = 0;
    }
    if (process->dir[0] != '\0')
        nftw(process->dir, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
    process->dir[0] = '\0';
}
