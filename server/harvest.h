/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HL_SERVER_HARVEST_H
#define HL_SERVER_HARVEST_H

#include "proto/buf.h"
#include "proto/err.h"
#include "proto/id.h"
#include "server/target.h"

#include <stdbool.h>
#include <stddef.h>

/* What is made of the points that a server gave: lines of NDJSON that survive a crash in
 * the middle, and files of vectors made from those lines. One thread. */

/* Keeps the whole lines of `path` and cuts off what was written by halves. *ret_n lines are
 * there (0 when there is no file), the last with this id. */
enum hl_code hl_harvest_salvage(const char *path, uint64_t *ret_n, struct hl_id *ret_last,
                                struct hl_err *err);

/* A page of a scroll: adds each point but one with the id `*last` (NULL: none) as a line to
 * `lines`. *ret_more: another page begins behind the last. */
struct hl_harvest_page {
    const struct hl_id *last;
    struct hl_buf *lines;
    size_t n;          /* lines added */
    struct hl_id next; /* where the next page begins, if there is one */
    bool has_next;
};
enum hl_code hl_harvest_page(const struct hl_span *reply, struct hl_harvest_page *page,
                             struct hl_err *err);

/* The vectors called `vector` of the points in `lines`: `path` ends in .npy (their ids go
 * beside it, an id a line, into PATH.ids) or in .safetensors (ids among the tensors). */
enum hl_code hl_harvest_vectors(const char *lines, const char *path, const char *vector,
                                struct hl_err *err);

#endif
