/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HL_COMPAT_EXAM_H
#define HL_COMPAT_EXAM_H

#include "compat/lesson.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Rows that no fit saw, in memory, to be judged on: queries first, then the gallery.
 *
 * Of images, the first half of the rows are queries and the second half is the gallery, in
 * their order. Where that leaves most labels without an item of theirs, because rows lie
 * sorted by label, every second row is a query instead (`is_dealt`). Text is never in the
 * gallery: all of it is queries; of text alone, halves are made as of images. The queries
 * whose whole ranking is taken come first: up to 2,500 images, then up to 2,500 texts.
 *
 * Immutable once loaded, any thread. */
struct hl_exam {
    size_t n_rows, n_queries; /* the gallery is rows n_queries … n_rows - 1 */
    size_t n_ranked;          /* the first so many queries are ranked whole */
    size_t dim_from, dim_to;
    float *from, *to;    /* of length 1; `to` or `from` NULL: not there */
    int32_t *labels;     /* NULL: none is known; below 0: that row's is not */
    uint8_t *modalities; /* enum hl_modality each */
    bool is_dealt;
};

enum { HL_EXAM_RANKED = 2500 };

/* Loads a lesson's rows; of more than `max_rows`, so many chosen by `seed`. HL_INVALID
 * below 4 rows. */
enum hl_code hl_exam_load(const struct hl_lesson *lesson, size_t max_rows, uint64_t seed,
                          struct hl_exam **ret_exam, struct hl_err *err);
void hl_exam_free(struct hl_exam *exam); /* NULL is accepted */

#endif
