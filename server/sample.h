/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HL_SERVER_SAMPLE_H
#define HL_SERVER_SAMPLE_H

#include "compat/labels.h"
#include "compat/lesson.h"
#include "index/collection.h"
#include "proto/path.h"

#include <stdbool.h>

/* Points of a gallery as rows to learn from: those that have what is wanted, so many of
 * them, chosen by a seed, as they were at one commit.
 *
 * What is chosen is copied into a safetensors file, because a fit reads its rows a hundred
 * times and for minutes, and a look must end soon. The rest is not copied. Reads the disk;
 * one thread. */
enum { HL_SAMPLE_MODELS = 2 };

struct hl_sample_task {
    struct hl_collection *collection;
    struct {
        uint32_t space;   /* of its vector, which every chosen point has */
        uint32_t dim;     /* likewise */
        const char *name; /* of the tensor */
    } models[HL_SAMPLE_MODELS];
    size_t n_models;
    const struct hl_path *label; /* in the payload: a text or a whole number; NULL: none */
    bool needs_label;            /* else points without one are chosen too, as -1 */
    struct hl_labels *labels;    /* where they are numbered */
    uint64_t limit, seed;
    const char *path; /* of the file */
    const struct hl_errand *errand;
};

/* `*ret_labels` are the classes, hl_free; NULL without a label. HL_INVALID when no point
 * has what is wanted. The same seed, the same points: the same rows. */
enum hl_code hl_sample_take(const struct hl_sample_task *task, uint64_t *ret_n,
                            int32_t **ret_labels, struct hl_err *err);

#endif
