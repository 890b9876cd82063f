/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HL_INDEX_EXAMINE_H
#define HL_INDEX_EXAMINE_H

#include "proto/deadline.h"
#include "proto/err.h"

#include <stdbool.h>
#include <stdint.h>

/* A look at a collection's folder that nobody serves: everything in it is read. One thread;
 * nothing is changed but that a log left by a crash is read back, as any opening does. */

/* Told about each file: `err` is NULL when it is sound. What `is_derived` is made again by
 * the next start and costs time alone. */
struct hl_examined {
    const char *path;
    uint64_t n_rows; /* points of a database, rows of a segment */
    bool is_derived;
    const struct hl_err *err;
};
typedef void hl_examined_fn(void *self, const struct hl_examined *examined);

/* HL_OK when all files could be looked at, whatever was found in them. */
enum hl_code hl_examine_folder(const char *folder, const struct hl_deadline *deadline,
                               hl_examined_fn *each, void *self, struct hl_err *err);

#endif
