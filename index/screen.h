/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HL_INDEX_SCREEN_H
#define HL_INDEX_SCREEN_H

#include "index/tile.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A short form of rows, by which most of them are ruled out before their sketches are read:
 * what they are along the few directions in which the rows of one part are longest, as
 * bytes, and the length of what is left. With q = P'b + r and x = P'a + s, q.x is a.b and
 * |r||s| at most, which is little where the directions take most of the length: rows that
 * are embeddings. Where they do not, a screen says so and is not used.
 *
 * Derived, in memory alone, 64 bytes a row (128 of long ones). Made little by little:
 * hl_screen_extend by one thread at a time, while any number read the rows that are
 * counted. */
struct hl_screen;

/* Rows of a part, one behind the other. */
struct hl_screen_rows {
    const struct hl_kernels *kernels;
    enum hl_metric metric; /* not HL_METRIC_L1 */
    size_t dim;
    const float *values;
    size_t n_rows;
};

/* Neither too short for a screen to pay, nor so long that finding its directions would keep
 * the keeper from what is more urgent. */
bool hl_screen_is_worth(const struct hl_screen_rows *rows);

/* Finds the directions from some of the rows: some tens of milliseconds,
 * of the longest rows two tenths of a second. NULL: there is no
 * memory. */
struct hl_screen *hl_screen_new(const struct hl_screen_rows *rows);
void hl_screen_free(struct hl_screen *screen); /* NULL is accepted */

/* What it takes when all rows are in it; and what one of these rows takes at most. */
size_t hl_screen_bytes(const struct hl_screen *screen);
size_t hl_screen_most_bytes(const struct hl_screen_rows *rows);

/* Screens up to n_more rows more. */
void hl_screen_extend(struct hl_screen *screen, const struct hl_screen_rows *rows,
                      size_t n_more);

/* The first so many rows have their short form: sketches of hl_screen_dim floats. */
size_t hl_screen_count(const struct hl_screen *screen);
const unsigned char *hl_screen_sketches(const struct hl_screen *screen);
size_t hl_screen_dim(const struct hl_screen *screen);

/* What a query takes, the caller's: hl_screen_dim floats, and the bytes of a sketch of as
 * many. */
struct hl_screen_room {
    float *values;
    uint8_t *bytes;
};

/* Puts a query into its place in a tile of hl_screen_dim floats. *ret_short borrows the
 * room; its product with a short form is that of the bytes. */
void hl_screen_put(const struct hl_screen *screen, const struct hl_sketch_query *query,
                   const struct hl_screen_room *room, struct hl_tile *tile, size_t which,
                   struct hl_sketch_query *ret_short);

#endif
