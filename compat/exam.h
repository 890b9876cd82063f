/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HL_COMPAT_EXAM_H
#define HL_COMPAT_EXAM_H

#include "compat/lesson.h"

#include <stddef.h>
#include <stdint.h>

/* Rows that no fit saw, in memory, to be judged on: the first half are queries, the second
 * half is the gallery.
 *
 * Immutable once loaded, any thread. */
struct hl_exam {
    size_t n_rows, n_queries; /* the gallery is rows n_queries … n_rows - 1 */
    size_t n_ranked; /* queries whose whole ranking is taken: min(n_queries, 2500) */
    size_t dim_from, dim_to;
    float *from, *to; /* of length 1; `to` or `from` NULL: not there */
    int32_t *labels;  /* NULL: unknown */
    uint8_t *modalities;
};

/* Loads a lesson's rows in their order; of more than `max_rows`, so many chosen by `seed`,
 * still in their order. HL_INVALID below 4 rows. */
enum hl_code hl_exam_load(const struct hl_lesson *lesson, size_t max_rows, uint64_t seed,
                          struct hl_exam **ret_exam, struct hl_err *err);
void hl_exam_free(struct hl_exam *exam); /* NULL is accepted */

#endif
