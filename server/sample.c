/* SPDX-License-Identifier: Apache-2.0 */
#include "server/sample.h"

#include "index/look.h"
#include "index/payload.h"
#include "index/store.h"
#include "proto/alloc.h"
#include "proto/number.h"
#include "proto/random.h"
#include "proto/tensors.h"

#include <stdlib.h>
#include <string.h>

/* A read transaction ends within a second: so many points are less. */
enum { RENEWED_AFTER = 2000, PAYLOAD_MEMORY = 64 << 20 };

struct sample {
    const struct hl_sample_task *task;
    struct hl_look *look;
    struct hl_reader *reader;
    struct hl_arena *arena; /* of one payload */
    uint32_t *numbers;
    size_t n, room;
    int32_t *labels;
    enum hl_code code;
    struct hl_err err;
};

/* ---- who has what is wanted ---- */

static bool find_row(const struct hl_store_point *point, uint32_t space, uint64_t *ret_row)
{
    for (size_t i = 0; i < point->n_places; i++)
        if (point->places[i].space == space) {
            *ret_row = point->places[i].row;
            return true;
        }
    return false;
}

static bool has_vectors(const struct hl_sample_task *task,
                        const struct hl_store_point *point)
{
    uint64_t row;

    for (size_t i = 0; i < task->n_models; i++)
        if (!find_row(point, task->models[i].space, &row))
            return false;
    return true;
}

static bool take_first(void *self, const struct hl_value *value)
{
    const struct hl_value **found = self;

    if (value->kind != HL_TOKEN_STRING &&
        !(value->kind == HL_TOKEN_NUMBER && hl_number_is_whole(value->text, value->len)))
        return false;
    *found = value;
    return true;
}

/* The first text or whole number there; NULL: none. Good until the next one. */
static enum hl_code find_label(struct sample *sample, const struct hl_store_point *point,
                               const struct hl_value **ret_value, struct hl_err *err)
{
    const struct hl_value *root, *found = NULL;
    enum hl_code code;

    hl_arena_reset(sample->arena);
    code = hl_payload_parse(point->payload.text, point->payload.len, sample->arena, &root,
                            err);
    if (code == HL_OK)
        (void)hl_payload_each(root, sample->task->label, take_first, &found);
    *ret_value = found;
    return code;
}

static bool add_number(struct sample *sample, uint32_t number)
{
    if (sample->n == sample->room) {
        const size_t room = sample->room ? sample->room * 2 : 4096;
        uint32_t *numbers = hl_realloc(sample->numbers, room * sizeof *numbers);

        if (!numbers) {
            sample->code =
                hl_fail(&sample->err, HL_NO_MEMORY, "no memory to choose points");
            return false;
        }
        sample->numbers = numbers;
        sample->room = room;
    }
    sample->numbers[sample->n++] = number;
    return true;
}

static bool look_at(void *self, const struct hl_store_point *point)
{
    struct sample *sample = self;
    const struct hl_value *label = NULL;

    if (!has_vectors(sample->task, point))
        return true;
    if (sample->task->needs_label) {
        sample->code = find_label(sample, point, &label, &sample->err);
        if (sample->code != HL_OK)
            return false;
        if (!label)
            return true;
    }
    return add_number(sample, point->number);
}

static enum hl_code find_all(struct sample *sample, struct hl_err *err)
{
    const struct hl_reader_scan scan = {.order = HL_READ_BY_NUMBER,
                                        .deadline = sample->task->errand->deadline};
    enum hl_code code = hl_reader_scan(sample->reader, &scan, look_at, sample, err);

    if (code == HL_OK && sample->code != HL_OK) {
        *err = sample->err;
        return sample->code;
    }
    if (code == HL_OK && sample->n == 0)
        return hl_fail(err, HL_INVALID,
                       sample->task->needs_label
                           ? "no point has a vector of \"%.200s\" and a text or a whole "
                             "number as its label"
                           : "no point has vectors of both models, \"%.200s\" is one",
                       sample->task->models[0].name);
    return code;
}

/* ---- choosing ---- */

static int compare_numbers(const void *a, const void *b)
{
    const uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

    return x < y ? -1 : x > y;
}

/* The first places of a shuffle, in the order of the file. */
static void choose(struct sample *sample)
{
    struct hl_random random = {sample->task->seed};

    if (sample->n <= sample->task->limit)
        return;
    for (size_t i = 0; i < sample->task->limit; i++) {
        const size_t j = i + (size_t)(hl_random_stride(&random) % (sample->n - i));
        const uint32_t number = sample->numbers[i];

        sample->numbers[i] = sample->numbers[j];
        sample->numbers[j] = number;
    }
    sample->n = (size_t)sample->task->limit;
    qsort(sample->numbers, sample->n, sizeof *sample->numbers, compare_numbers);
}

/* ---- copying ---- */

static enum hl_code rest(struct sample *sample, size_t i, struct hl_err *err)
{
    const struct hl_errand *errand = sample->task->errand;

    if (i % RENEWED_AFTER != 0)
        return HL_OK;
    if (errand->tell)
        errand->tell(errand->self, "sampling points", 0);
    if (hl_deadline_check(errand->deadline, "sampling points", err) != HL_OK)
        return err->code;
    return i > 0 ? hl_reader_renew(sample->reader, err) : HL_OK;
}

static enum hl_code copy_vectors(struct sample *sample, size_t model,
                                 struct hl_tensors_writer *writer, struct hl_err *err)
{
    enum hl_code code = HL_OK;

    for (size_t i = 0; code == HL_OK && i < sample->n; i++) {
        struct hl_store_vector vector;
        struct hl_store_point point;
        uint64_t row = 0;

        code = rest(sample, i, err);
        if (code == HL_OK)
            code = hl_reader_get(sample->reader, sample->numbers[i], &point, err);
        if (code == HL_OK)
            (void)find_row(&point, sample->task->models[model].space, &row);
        if (code == HL_OK)
            code = hl_reader_vector(sample->reader, row, &vector, err);
        if (code == HL_OK)
            code = hl_tensors_writer_add_floats(writer, vector.values, vector.n, err);
    }
    return code;
}

static enum hl_code number_label(struct hl_labels *labels, const struct hl_value *value,
                                 int32_t *ret_class, struct hl_err *err)
{
    int64_t number;

    if (value->kind == HL_TOKEN_NUMBER && hl_number_i64(value->text, value->len, &number))
        return hl_labels_add_number(labels, number, ret_class, err);
    return hl_labels_add(labels, value->text, value->len, ret_class, err);
}

static enum hl_code copy_labels(struct sample *sample, struct hl_err *err)
{
    enum hl_code code = HL_OK;
    size_t n_labelled = 0;

    if (!sample->task->label)
        return HL_OK;
    sample->labels = hl_alloc_zeroed(sample->n, sizeof *sample->labels);
    if (!sample->labels)
        return hl_fail(err, HL_NO_MEMORY, "no memory for %zu labels", sample->n);
    for (size_t i = 0; code == HL_OK && i < sample->n; i++) {
        const struct hl_value *label = NULL;
        struct hl_store_point point;

        code = rest(sample, i, err);
        if (code == HL_OK)
            code = hl_reader_get(sample->reader, sample->numbers[i], &point, err);
        if (code == HL_OK)
            code = find_label(sample, &point, &label, err);
        sample->labels[i] = -1;
        if (code == HL_OK && label)
            code = number_label(sample->task->labels, label, &sample->labels[i], err);
        n_labelled += label != NULL;
    }
    if (code == HL_OK && n_labelled == 0)
        return hl_fail(err, HL_INVALID,
                       "none of %zu points has a text or a whole number as its label",
                       sample->n);
    return code;
}

static enum hl_code write_file(struct sample *sample, struct hl_err *err)
{
    const struct hl_sample_task *task = sample->task;
    struct hl_tensor tensors[HL_SAMPLE_MODELS] = {{.name = NULL}};
    const struct hl_tensors_plan plan = {.tensors = tensors, .n_tensors = task->n_models};
    struct hl_tensors_writer *writer = NULL;
    enum hl_code code;

    for (size_t i = 0; i < task->n_models; i++)
        tensors[i] = (struct hl_tensor){.name = task->models[i].name,
                                        .type = HL_DTYPE_F32,
                                        .n_dims = 2,
                                        .shape = {sample->n, task->models[i].dim}};
    code = hl_tensors_writer_open(task->path, &plan, &writer, err);
    for (size_t i = 0; code == HL_OK && i < task->n_models; i++)
        code = copy_vectors(sample, i, writer, err);
    if (code == HL_OK)
        return hl_tensors_writer_commit(writer, err);
    hl_tensors_writer_abandon(writer);
    return code;
}

static enum hl_code take(struct sample *sample, struct hl_err *err)
{
    const struct hl_look_wish wish = {.n_filters = 0};
    enum hl_code code = hl_look_open(sample->task->collection, &wish, &sample->look, err);

    if (code == HL_OK)
        code = hl_look_reader(sample->look, &sample->reader, err);
    if (code == HL_OK)
        code = find_all(sample, err);
    if (code != HL_OK)
        return code;
    choose(sample);
    code = copy_labels(sample, err);
    return code == HL_OK ? write_file(sample, err) : code;
}

enum hl_code hl_sample_take(const struct hl_sample_task *task, uint64_t *ret_n,
                            int32_t **ret_labels, struct hl_err *err)
{
    struct sample sample = {.task = task, .arena = hl_arena_new(PAYLOAD_MEMORY)};
    enum hl_code code = sample.arena
                            ? take(&sample, err)
                            : hl_fail(err, HL_NO_MEMORY, "no memory to choose points");

    hl_look_close(sample.look);
    hl_arena_free(sample.arena);
    hl_free(sample.numbers);
    if (code != HL_OK) {
        hl_free(sample.labels);
        return code;
    }
    *ret_n = sample.n;
    *ret_labels = sample.labels;
    return HL_OK;
}
