/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HL_SERVER_CLI_PROGRESS_H
#define HL_SERVER_CLI_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

/* How far a long command is, on standard error: a bar that is redrawn on a terminal, a line
 * every ten seconds elsewhere, so that logs stay short. One thread. */
struct hl_progress {
    const char *what;  /* "import photos.npy" */
    uint64_t total;    /* of points; 0: not known */
    uint64_t begun_at; /* points that were there before */
    int64_t started_us;
    int64_t shown_us;
    bool is_terminal;
    char words[64]; /* that were shown last */
};

/* Of work that is no points: a share of it, and what is being done. On a terminal a bar,
 * elsewhere a line when the words change; to be ended in the same way. */
void hl_progress_share(struct hl_progress *progress, double share, const char *words);
void hl_progress_leave(struct hl_progress *progress);

void hl_progress_init(struct hl_progress *progress, const char *what, uint64_t total,
                      uint64_t begun_at);
void hl_progress_show(struct hl_progress *progress, uint64_t n); /* now and then */
void hl_progress_end(struct hl_progress *progress, uint64_t n); /* always, with a newline */

#endif
