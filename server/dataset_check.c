/* SPDX-License-Identifier: Apache-2.0 */
#include "server/datasets_part.h"

#include "proto/alloc.h"
#include "proto/model_name.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

/* Rows that are looked at in one piece: a megabyte of floats or so. */
enum { PIECE_NUMBERS = 1 << 18 };

/* One of these two words, and one number a row: a model of that name has rows. */
static bool is_word(const struct hl_tensor *tensor, const char *word)
{
    return tensor->n_dims == 1 && strcmp(tensor->name, word) == 0;
}

static bool is_of_model(const struct hl_tensor *tensor)
{
    return !is_word(tensor, "labels") && !is_word(tensor, "modality");
}

void hl_dataset_note_tensors(struct hl_dataset *dataset)
{
    for (size_t i = 0; i < hl_tensors_count(dataset->tensors); i++) {
        const struct hl_tensor *tensor = hl_tensors_at(dataset->tensors, i);

        if (is_word(tensor, "labels"))
            dataset->labels = tensor;
        else if (is_word(tensor, "modality"))
            dataset->modalities = tensor;
        else
            dataset->n_rows = hl_tensor_n_rows(tensor);
    }
}

const struct hl_tensor *hl_dataset_next_model(const struct hl_dataset *dataset, size_t *at)
{
    while (*at < hl_tensors_count(dataset->tensors)) {
        const struct hl_tensor *tensor = hl_tensors_at(dataset->tensors, (*at)++);

        if (is_of_model(tensor))
            return tensor;
    }
    return NULL;
}

const struct hl_tensor *hl_dataset_model(const struct hl_dataset *dataset,
                                         const char *model)
{
    const struct hl_tensor *tensor =
        hl_tensors_find(dataset->tensors, hl_model_shown(model));

    return tensor && is_of_model(tensor) ? tensor : NULL;
}

static enum hl_code read_rows(const void *self, uint64_t first, size_t n_rows,
                              float *values, struct hl_err *err)
{
    const struct hl_dataset_view *view = self;

    return hl_tensors_floats(view->dataset->tensors, view->tensor, first, n_rows, values,
                             err);
}

struct hl_rows hl_dataset_rows(const struct hl_dataset_view *view)
{
    return (struct hl_rows){.read = read_rows,
                            .self = view,
                            .n_rows = hl_tensor_n_rows(view->tensor),
                            .dim = (size_t)hl_tensor_row_size(view->tensor),
                            .name = view->tensor->name};
}

/* ---- shapes ---- */

static enum hl_code check_model(const struct hl_tensor *tensor,
                                const struct hl_layout *layout, struct hl_err *err)
{
    const char *name = hl_model_meant(tensor->name);
    const struct hl_text text = {name, strlen(name)};
    const struct hl_space *space = hl_layout_find(layout, &text);

    if (!space)
        return hl_fail(err, HL_INVALID,
                       "the tensor \"%.200s\" is no model of the collection, nor labels "
                       "[N] or modality [N]",
                       tensor->name);
    if (space->dim == 0)
        return hl_fail(err, HL_INVALID, "the vector \"%.200s\" is sparse: no bridge has it",
                       tensor->name);
    if (tensor->n_dims != 2 || tensor->shape[1] != space->dim)
        return hl_fail(err, HL_INVALID,
                       "the tensor \"%.200s\" has %u dimensions and rows of %" PRIu64
                       " numbers, [N, %" PRIu32 "] was wanted",
                       tensor->name, tensor->n_dims, hl_tensor_row_size(tensor),
                       space->dim);
    if (tensor->type != HL_DTYPE_F32 && tensor->type != HL_DTYPE_F16 &&
        tensor->type != HL_DTYPE_BF16)
        return hl_fail(err, HL_INVALID,
                       "the tensor \"%.200s\" is %s, F32, F16 or BF16 was wanted",
                       tensor->name, hl_dtype_name(tensor->type));
    return HL_OK;
}

static enum hl_code check_shapes(const struct hl_dataset *dataset,
                                 const struct hl_layout *layout, struct hl_err *err)
{
    size_t at = 0;
    enum hl_code code = HL_OK;

    if (!hl_dataset_next_model(dataset, &at))
        return hl_fail(err, HL_INVALID,
                       "the dataset has no tensor of a model: one [N, size] was wanted, "
                       "named like a model of the collection");
    for (size_t i = 0; code == HL_OK && i < hl_tensors_count(dataset->tensors); i++) {
        const struct hl_tensor *tensor = hl_tensors_at(dataset->tensors, i);

        if (is_of_model(tensor)) {
            code = check_model(tensor, layout, err);
        } else if (hl_dtype_is_real(tensor->type)) {
            code = hl_fail(err, HL_INVALID,
                           "the tensor \"%s\" is %s, whole numbers were wanted",
                           tensor->name, hl_dtype_name(tensor->type));
        }
        if (code == HL_OK && hl_tensor_n_rows(tensor) != dataset->n_rows)
            code = hl_fail(err, HL_INVALID,
                           "the tensor \"%.200s\" has %" PRIu64
                           " rows, another one %" PRIu64 ": all must be of the same rows",
                           tensor->name, hl_tensor_n_rows(tensor), dataset->n_rows);
    }
    if (code != HL_OK)
        return code;
    if (dataset->n_rows == 0)
        return hl_fail(err, HL_INVALID, "the dataset has no rows");
    return HL_OK;
}

/* ---- numbers ---- */

static enum hl_code check_floats(const struct hl_tensor *tensor, const float *values,
                                 uint64_t first, size_t n_rows, struct hl_err *err)
{
    const size_t dim = (size_t)hl_tensor_row_size(tensor);

    for (size_t i = 0; i < n_rows * dim; i++)
        if (!isfinite(values[i]))
            return hl_fail(err, HL_INVALID,
                           "the tensor \"%.200s\" holds what is no number in row %" PRIu64,
                           tensor->name, first + i / dim);
    return HL_OK;
}

static enum hl_code check_vectors(const struct hl_dataset *dataset,
                                  const struct hl_tensor *tensor, float *room,
                                  const struct hl_deadline *deadline, struct hl_err *err)
{
    const uint64_t dim = hl_tensor_row_size(tensor);
    const uint64_t step = dim < PIECE_NUMBERS ? PIECE_NUMBERS / dim : 1;
    enum hl_code code = HL_OK;

    for (uint64_t at = 0; code == HL_OK && at < dataset->n_rows; at += step) {
        const size_t n =
            (size_t)(dataset->n_rows - at < step ? dataset->n_rows - at : step);

        code = hl_deadline_check(deadline, "checking a dataset", err);
        if (code == HL_OK)
            code = hl_tensors_floats(dataset->tensors, tensor, at, n, room, err);
        if (code == HL_OK)
            code = check_floats(tensor, room, at, n, err);
    }
    return code;
}

static enum hl_code check_whole(const struct hl_dataset *dataset,
                                const struct hl_tensor *tensor, int64_t *room,
                                const struct hl_deadline *deadline, struct hl_err *err)
{
    const uint64_t step = PIECE_NUMBERS / 2;
    const bool has_two = tensor == dataset->modalities;
    enum hl_code code = HL_OK;

    for (uint64_t at = 0; code == HL_OK && at < dataset->n_rows; at += step) {
        const size_t n =
            (size_t)(dataset->n_rows - at < step ? dataset->n_rows - at : step);

        code = hl_deadline_check(deadline, "checking a dataset", err);
        if (code == HL_OK)
            code = hl_tensors_i64(dataset->tensors, tensor, at, n, room, err);
        for (size_t i = 0; code == HL_OK && has_two && i < n; i++)
            if (room[i] != 0 && room[i] != 1)
                code = hl_fail(err, HL_INVALID,
                               "modality is %" PRId64 " in row %" PRIu64
                               ", 0 (image) or 1 (text) was wanted",
                               room[i], at + i);
    }
    return code;
}

static enum hl_code check_numbers(const struct hl_dataset *dataset, void *room,
                                  const struct hl_deadline *deadline, struct hl_err *err)
{
    enum hl_code code = HL_OK;

    for (size_t i = 0; code == HL_OK && i < hl_tensors_count(dataset->tensors); i++) {
        const struct hl_tensor *tensor = hl_tensors_at(dataset->tensors, i);

        code = is_of_model(tensor) ? check_vectors(dataset, tensor, room, deadline, err)
                                   : check_whole(dataset, tensor, room, deadline, err);
    }
    return code;
}

enum hl_code hl_dataset_check(const struct hl_dataset *dataset,
                              const struct hl_layout *layout,
                              const struct hl_deadline *deadline, struct hl_err *err)
{
    enum hl_code code = check_shapes(dataset, layout, err);
    float *room;

    if (code != HL_OK)
        return code;
    room = hl_alloc(PIECE_NUMBERS * sizeof *room);
    if (!room)
        return hl_fail(err, HL_NO_MEMORY, "no memory to check a dataset");
    code = check_numbers(dataset, room, deadline, err);
    hl_free(room);
    return code;
}
