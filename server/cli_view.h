/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HL_SERVER_CLI_VIEW_H
#define HL_SERVER_CLI_VIEW_H

#include "proto/arena.h"
#include "proto/buf.h"
#include "server/target.h"

/* A rollout for a terminal, out of the replies of a server: pure functions, any thread. */
struct hl_rollout_view {
    const char *collection;
    struct hl_span rollout; /* the result of GET …/rollout; len 0: there is none */
    struct hl_span events;  /* the "events" of GET …/rollout/events; len 0: none */
    struct hl_arena *arena; /* for the work of a call */
};

/* The whole of it, with a line end behind each line: stage, what was compared, flips with
 * their bounds and their baseline, disagreement, latency, the guards, the last events, the
 * calls that are next. */
void hl_view_print(const struct hl_rollout_view *view, struct hl_buf *buf);

/* One line without its end, for logs. */
void hl_view_print_line(const struct hl_rollout_view *view, struct hl_buf *buf);

/* The lines as a terminal of that size shows them from its upper left corner: cut, and with
 * what else stood there wiped out. */
void hl_view_place(const struct hl_buf *lines, size_t rows, size_t columns,
                   struct hl_buf *buf);

#endif
