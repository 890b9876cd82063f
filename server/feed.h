/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HL_SERVER_FEED_H
#define HL_SERVER_FEED_H

#include "proto/buf.h"
#include "proto/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Points from a file, one by one, printed as a server takes them. One thread.
 *
 *   .npy          one vector a row
 *   .safetensors  one tensor of rows for each named vector ("@default": the unnamed one),
 * and if it has whole numbers called `ids`, these else          NDJSON: one point a line,
 * {"id":…,"vector":…,"payload":…}
 */
struct hl_feed;

struct hl_feed_options {
    const char *path;
    const char *vector; /* the name of an npy file's vectors, "" for the unnamed one */
    const char
        *ids; /* npy of whole numbers, or an id a line; NULL: counted from first_id */
    uint64_t first_id;
    const char *payloads; /* NDJSON, one object for each row; NULL: none */
};

/* HL_BAD_FILE with what is wrong with which file. */
enum hl_code hl_feed_open(const struct hl_feed_options *options, struct hl_feed **ret_feed,
                          struct hl_err *err);
void hl_feed_close(struct hl_feed *feed); /* NULL is accepted */

/* The next point behind what is in `buf`; *ret_has is false, and nothing was printed,
 * behind the last. HL_BAD_FILE. */
enum hl_code hl_feed_next(struct hl_feed *feed, struct hl_buf *buf, bool *ret_has,
                          struct hl_err *err);
enum hl_code hl_feed_skip(struct hl_feed *feed, uint64_t n, struct hl_err *err);

uint64_t hl_feed_count(const struct hl_feed *feed); /* points in all; 0: not known */

/* The vectors it has, for a collection that is to be made: 0 when only the points know. */
size_t hl_feed_n_vectors(const struct hl_feed *feed);
const char *hl_feed_vector(const struct hl_feed *feed, size_t i, size_t *ret_dim);

#endif
