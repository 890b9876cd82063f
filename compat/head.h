/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HL_COMPAT_HEAD_H
#define HL_COMPAT_HEAD_H

#include "proto/source.h"
#include "proto/tensors.h"

#include <stdbool.h>
#include <stddef.h>

/* A model's classifier head: a row for each class it knows.
 *
 * Logits of a vector v of length 1 are weight · v + bias. Immutable once made, any thread.
 */
struct hl_head {
    size_t n_rows, dim;
    float *weight;  /* n_rows x dim */
    float *bias;    /* NULL: none */
    char **classes; /* the label of each row, no two alike */
    bool is_learnt; /* fitted here on the model's vectors, not the model's own */
};

/* A zeroed head with `classes` of NULLs, for whoever fills it. */
enum hl_code hl_head_new(size_t n_rows, size_t dim, bool has_bias,
                         struct hl_head **ret_head, struct hl_err *err);
void hl_head_free(struct hl_head *head); /* NULL is accepted */

/* From safetensors: `weight` [classes, size], optional `bias` [classes], metadata
 * `classes`: a JSON list of texts or whole numbers. HL_INVALID or HL_BAD_FILE say what is
 * wrong: no weight, another size than `dim` (0: any), fewer than 2 or more than 100,000
 * rows, classes that are not as many, or come twice, numbers that are not finite, a row of
 * zeros. */
enum hl_code hl_head_load(const struct hl_source *source, size_t dim,
                          struct hl_head **ret_head, struct hl_err *err);
enum hl_code hl_head_save(const struct hl_head *head, const char *path, struct hl_err *err);

double hl_head_mean_norm(const struct hl_head *head); /* of its rows */

#endif
