/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HL_SERVER_DATASETS_H
#define HL_SERVER_DATASETS_H

#include "compat/rows.h"
#include "index/collection.h"
#include "proto/file.h"
#include "proto/sha256.h"
#include "proto/tensors.h"
#include "server/target.h"

#include <limits.h>
#include <pthread.h>

/* What bridges are learnt from and judged on: safetensors files in datasets/ of a
 * collection's folder, each whole and checked.
 *
 * A file is called NAME@GENERATION-SHA256.safetensors, so that what replaces it appears in
 * one step and says what it is; the highest generation is the dataset, lower ones are what
 * a crash left. They wait for the disk: not on an HTTP thread. */
enum { HL_DATASET_NAME = 100 };

/* The tensors in it: [N, size] by the names of models, @default is the unnamed one's;
 * perhaps `labels` [N], whole numbers, negative where unknown; perhaps `modality` [N], 0
 * for an image and 1 for text. */
struct hl_dataset {
    char name[HL_DATASET_NAME + 1];
    char sha256[HL_SHA256_TEXT_SIZE];
    char path[PATH_MAX];
    uint64_t generation;
    uint64_t n_rows;
    uint64_t size; /* bytes */
    struct hl_file *file;
    struct hl_source source;
    struct hl_tensors *tensors;
    const struct hl_tensor *labels;     /* NULL: none */
    const struct hl_tensor *modalities; /* likewise */
};

/* One lock for all: two that put the same name at once take turns. */
struct hl_datasets {
    pthread_mutex_t lock; /* held while a file takes its place or goes */
};
void hl_datasets_init(struct hl_datasets *datasets);
void hl_datasets_done(struct hl_datasets *datasets);

/* 1 to 100 letters, digits, `.`, `_` and `-`, no dot in front. HL_INVALID. */
enum hl_code hl_dataset_check_name(const struct hl_span *name, struct hl_err *err);

/* HL_NOT_FOUND. It stays readable until it is closed, whatever happens to its name. */
enum hl_code hl_dataset_open(const struct hl_collection *collection,
                             const struct hl_span *name, struct hl_dataset **ret_dataset,
                             struct hl_err *err);
void hl_dataset_close(struct hl_dataset *dataset); /* NULL is accepted */

/* Any such file: name and sum are empty. */
enum hl_code hl_dataset_load(const char *path, struct hl_dataset **ret_dataset,
                             struct hl_err *err);

/* By name. Of one whose file cannot be read only the name and what the file's name says are
 * known, and `why`, which is NULL otherwise. False ends it. */
typedef bool hl_dataset_fn(void *self, const struct hl_dataset *dataset,
                           const struct hl_err *why);
enum hl_code hl_datasets_each(const struct hl_collection *collection, hl_dataset_fn *each,
                              void *self, struct hl_err *err);

/* The file at `path` becomes the dataset, in the place of the one that was; it is checked
 * first: the tensors by the models of `layout`, every number finite, every label whole. On
 * failure the old one is there, or, if only the folder could not be synced, the new one
 * that a crash may yet undo. */
struct hl_dataset_offer {
    const char *path;
    const struct hl_span *name;
    const struct hl_layout *layout;
    const struct hl_deadline *deadline;
};
enum hl_code hl_dataset_put(struct hl_datasets *datasets,
                            const struct hl_collection *collection,
                            const struct hl_dataset_offer *offer, struct hl_err *err);
enum hl_code hl_dataset_delete(struct hl_datasets *datasets,
                               const struct hl_collection *collection,
                               const struct hl_span *name, struct hl_err *err);

/* The tensor of a model; NULL: it has not seen these rows. */
const struct hl_tensor *hl_dataset_model(const struct hl_dataset *dataset,
                                         const char *model);

/* The next that is a model's, from *at on, which it moves; NULL behind the last. */
const struct hl_tensor *hl_dataset_next_model(const struct hl_dataset *dataset, size_t *at);

/* Rows of a tensor for compat/; `view` is the caller's and borrows the dataset. */
struct hl_dataset_view {
    const struct hl_dataset *dataset;
    const struct hl_tensor *tensor;
};
struct hl_rows hl_dataset_rows(const struct hl_dataset_view *view);

#endif
