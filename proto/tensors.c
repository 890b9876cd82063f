/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/tensors.h"

#include "proto/alloc.h"
#include "proto/tensors_header.h"

#include <inttypes.h>
#include <string.h>

enum { LENGTH_SIZE = 8, ROOM_PER_BYTE = 24, ROOM = 64 << 10 };

struct hl_tensors {
    const struct hl_source *source;
    struct hl_arena *arena;
    uint64_t data_start;
    struct hl_tensors_header header;
};

static enum hl_code read_header_len(const struct hl_source *source, size_t max_header,
                                    size_t *ret_len, struct hl_err *err)
{
    unsigned char bytes[LENGTH_SIZE];
    uint64_t len = 0;
    enum hl_code code = hl_source_read(source, bytes, sizeof bytes, 0, err);

    if (code != HL_OK)
        return code;
    for (size_t i = 0; i < sizeof bytes; i++)
        len |= (uint64_t)bytes[i] << (8 * i);
    if (len > max_header)
        return hl_fail(err, HL_BAD_FILE,
                       "\"%s\" has a header of %" PRIu64 " bytes, at most %zu are read",
                       source->name, len, max_header);
    *ret_len = (size_t)len;
    return HL_OK;
}

static enum hl_code read_header(struct hl_tensors *tensors, size_t len, struct hl_err *err)
{
    const struct hl_source *source = tensors->source;
    char *text;
    enum hl_code code;

    /* Before the memory is taken: a file of 8 bytes may say anything. */
    if (source->size - LENGTH_SIZE < len)
        return hl_fail(err, HL_BAD_FILE,
                       "\"%s\" has a header of %zu bytes and %" PRIu64 " are there",
                       source->name, len, source->size - LENGTH_SIZE);
    text = hl_arena_alloc(tensors->arena, len);
    if (!text)
        return hl_arena_fail(tensors->arena, err, "the header of \"%s\"", source->name);
    code = hl_source_read(source, text, len, LENGTH_SIZE, err);
    if (code != HL_OK)
        return code;
    tensors->data_start = LENGTH_SIZE + len;
    code = hl_tensors_header_parse(text, len, source->size - tensors->data_start,
                                   tensors->arena, &tensors->header, err);
    if (code != HL_OK)
        hl_fail_in(err, "\"%s\"", source->name);
    return code;
}

enum hl_code hl_tensors_new(const struct hl_source *source, size_t max_header,
                            struct hl_tensors **ret_tensors, struct hl_err *err)
{
    struct hl_tensors *tensors;
    size_t len = 0;
    enum hl_code code = read_header_len(source, max_header, &len, err);

    if (code != HL_OK)
        return code;
    tensors = hl_alloc_zeroed(1, sizeof *tensors);
    if (!tensors)
        return hl_fail(err, HL_NO_MEMORY, "no memory to read \"%s\"", source->name);
    tensors->source = source;
    /* A header byte is worth at most so much in memory: its text, its copy, and arrays that
     * doubled, of records that take dozens of bytes to say. */
    tensors->arena = hl_arena_new(
        len < SIZE_MAX / ROOM_PER_BYTE - ROOM ? len * ROOM_PER_BYTE + ROOM : SIZE_MAX);
    code = tensors->arena
               ? read_header(tensors, len, err)
               : hl_fail(err, HL_NO_MEMORY, "no memory to read \"%s\"", source->name);
    if (code != HL_OK) {
        hl_tensors_free(tensors);
        return code;
    }
    *ret_tensors = tensors;
    return HL_OK;
}

void hl_tensors_free(struct hl_tensors *tensors)
{
    if (!tensors)
        return;
    hl_arena_free(tensors->arena);
    hl_free(tensors);
}

size_t hl_tensors_count(const struct hl_tensors *tensors)
{
    return tensors->header.n_tensors;
}

const struct hl_tensor *hl_tensors_at(const struct hl_tensors *tensors, size_t i)
{
    return &tensors->header.tensors[i];
}

const struct hl_tensor *hl_tensors_find(const struct hl_tensors *tensors, const char *name)
{
    for (size_t i = 0; i < tensors->header.n_tensors; i++) {
        if (strcmp(tensors->header.tensors[i].name, name) == 0)
            return &tensors->header.tensors[i];
    }
    return NULL;
}

size_t hl_tensors_n_metadata(const struct hl_tensors *tensors)
{
    return tensors->header.n_metadata;
}

const struct hl_metadata *hl_tensors_metadata_at(const struct hl_tensors *tensors, size_t i)
{
    return &tensors->header.metadata[i];
}

const char *hl_tensors_metadata(const struct hl_tensors *tensors, const char *key)
{
    for (size_t i = 0; i < tensors->header.n_metadata; i++) {
        if (strcmp(tensors->header.metadata[i].key, key) == 0)
            return tensors->header.metadata[i].value;
    }
    return NULL;
}

uint64_t hl_tensor_n_rows(const struct hl_tensor *tensor)
{
    return tensor->n_dims ? tensor->shape[0] : 1;
}

uint64_t hl_tensor_row_size(const struct hl_tensor *tensor)
{
    uint64_t size = 1;

    /* No overflow: hl_tensor_bytes multiplied the same sizes. */
    for (unsigned i = 1; i < tensor->n_dims; i++)
        size *= tensor->shape[i];
    return size;
}

static enum hl_code check_rows(const struct hl_tensors *tensors,
                               const struct hl_tensor *tensor, uint64_t first,
                               size_t n_rows, bool wants_real, struct hl_err *err)
{
    if (hl_dtype_is_real(tensor->type) != wants_real)
        return hl_fail(err, HL_BAD_FILE,
                       "\"%s\": tensor \"%s\" holds %s, %s numbers were wanted",
                       tensors->source->name, tensor->name, hl_dtype_name(tensor->type),
                       wants_real ? "real" : "whole");
    if (first > hl_tensor_n_rows(tensor) || hl_tensor_n_rows(tensor) - first < n_rows)
        return hl_fail(err, HL_BAD_FILE,
                       "\"%s\": tensor \"%s\" has %" PRIu64 " rows, %zu from row %" PRIu64
                       " were wanted",
                       tensors->source->name, tensor->name, hl_tensor_n_rows(tensor),
                       n_rows, first);
    return HL_OK;
}

static struct hl_numbers numbers_of(const struct hl_tensors *tensors,
                                    const struct hl_tensor *tensor)
{
    return (struct hl_numbers){.source = tensors->source,
                               .start = tensors->data_start + tensor->begin,
                               .type = tensor->type};
}

static enum hl_code fail_unfit(const struct hl_tensors *tensors,
                               const struct hl_tensor *tensor, uint64_t first, size_t n_fit,
                               struct hl_err *err)
{
    uint64_t row_size = hl_tensor_row_size(tensor);

    return hl_fail(
        err, HL_BAD_FILE,
        "\"%s\": tensor \"%s\": row %" PRIu64 ", column %" PRIu64 " is too large for %s",
        tensors->source->name, tensor->name, first + n_fit / row_size, n_fit % row_size,
        hl_dtype_is_real(tensor->type) ? "a float" : "a 64-bit integer");
}

enum hl_code hl_tensors_floats(const struct hl_tensors *tensors,
                               const struct hl_tensor *tensor, uint64_t first,
                               size_t n_rows, float *values, struct hl_err *err)
{
    struct hl_numbers numbers = numbers_of(tensors, tensor);
    uint64_t row_size = hl_tensor_row_size(tensor);
    struct hl_run run = {
        .first = first * row_size, .n = n_rows * (size_t)row_size, .stride = 1};
    size_t n_fit = 0;
    enum hl_code code = check_rows(tensors, tensor, first, n_rows, true, err);

    if (code == HL_OK)
        code = hl_numbers_floats(&numbers, &run, values, &n_fit, err);
    if (code == HL_OK && n_fit < run.n)
        return fail_unfit(tensors, tensor, first, n_fit, err);
    return code;
}

enum hl_code hl_tensors_i64(const struct hl_tensors *tensors,
                            const struct hl_tensor *tensor, uint64_t first, size_t n_rows,
                            int64_t *values, struct hl_err *err)
{
    struct hl_numbers numbers = numbers_of(tensors, tensor);
    uint64_t row_size = hl_tensor_row_size(tensor);
    struct hl_run run = {
        .first = first * row_size, .n = n_rows * (size_t)row_size, .stride = 1};
    size_t n_fit = 0;
    enum hl_code code = check_rows(tensors, tensor, first, n_rows, false, err);

    if (code == HL_OK)
        code = hl_numbers_i64(&numbers, &run, values, &n_fit, err);
    if (code == HL_OK && n_fit < run.n)
        return fail_unfit(tensors, tensor, first, n_fit, err);
    return code;
}
