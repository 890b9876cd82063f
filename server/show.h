/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HL_SERVER_SHOW_H
#define HL_SERVER_SHOW_H

#include "index/layout.h"
#include "index/store.h"
#include "proto/arena.h"
#include "proto/buf.h"
#include "proto/select.h"
#include "server/way.h"

/* How points look in replies. Prints into a buffer, which remembers what it could not take.
 * One thread. */

/* A number, or a UUID between quotes. */
void hl_show_id(struct hl_buf *buf, const struct hl_id *id);

/* The name of a space, between quotes, as paths write it; of none that of the unnamed one.
 */
void hl_show_model(struct hl_buf *buf, const struct hl_space *space);

/* The bridges of a way, a list. */
void hl_show_hops(struct hl_buf *buf, const struct hl_layout *layout,
                  const struct hl_hop *hops, size_t n);

/* What of a point is wanted, and whose names its vectors have. */
struct hl_show {
    const struct hl_layout *layout;
    const struct hl_payload_select *with_payload;
    const struct hl_vector_select *with_vector;
    struct hl_arena *scratch; /* emptied at each point */
};

/* Whether anything is wanted that only the store knows. */
bool hl_show_reads(const struct hl_payload_select *with_payload,
                   const struct hl_vector_select *with_vector);

/* HL_UNKNOWN_VECTOR when a vector is wanted that the layout has not. */
enum hl_code hl_show_check(const struct hl_layout *layout,
                           const struct hl_vector_select *with_vector, struct hl_err *err);

/* `,"payload":…` and `,"vector":…`, each when it is wanted, of a point that `reader` gave.
 * A point's one unnamed vector is printed bare, others by their names. */
enum hl_code hl_show_content(const struct hl_show *show, struct hl_reader *reader,
                             const struct hl_store_point *point, struct hl_buf *buf,
                             struct hl_err *err);

#endif
