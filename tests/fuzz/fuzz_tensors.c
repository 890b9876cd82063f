/* SPDX-License-Identifier: Apache-2.0 */
/* What is read is the same when written and read again: names, types, shapes, metadata and
 * every number. */

#include "proto/tensors.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { MAX_HEADER = 1 << 16 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool claim)
{
    if (!claim)
        abort();
}

/* All numbers of a tensor, in an array that the caller frees; NULL when one does not fit.
 */
static void *read_all(const struct hl_tensors *tensors, const struct hl_tensor *tensor,
                      size_t *ret_n, size_t *ret_size)
{
    bool is_real = hl_dtype_is_real(tensor->type);
    size_t n = (size_t)(tensor->end - tensor->begin) / hl_dtype_size(tensor->type);
    size_t n_rows = n ? (size_t)hl_tensor_n_rows(tensor) : 0;
    size_t size = is_real ? sizeof(float) : sizeof(int64_t);
    void *values = calloc(n + 1, size);
    enum hl_code code;
    struct hl_err err;

    require(values != NULL);
    require(n == n_rows * hl_tensor_row_size(tensor));
    code = is_real ? hl_tensors_floats(tensors, tensor, 0, n_rows, values, &err)
                   : hl_tensors_i64(tensors, tensor, 0, n_rows, values, &err);
    *ret_n = n;
    *ret_size = size;
    if (code == HL_OK)
        return values;
    require(code == HL_BAD_FILE);
    free(values);
    return NULL;
}

static bool write_all(const struct hl_tensors *tensors, struct hl_tensors_writer *writer)
{
    struct hl_err err;
    bool is_written = true;

    for (size_t i = 0; i < hl_tensors_count(tensors) && is_written; i++) {
        const struct hl_tensor *tensor = hl_tensors_at(tensors, i);
        size_t n, size;
        void *values = read_all(tensors, tensor, &n, &size);
        enum hl_code code = HL_OK;

        is_written = values != NULL;
        if (is_written)
            code = hl_dtype_is_real(tensor->type)
                       ? hl_tensors_writer_add_floats(writer, values, n, &err)
                       : hl_tensors_writer_add_i64(writer, values, n, &err);
        require(code == HL_OK);
        free(values);
    }
    if (!is_written) {
        hl_tensors_writer_abandon(writer);
        return false;
    }
    require(hl_tensors_writer_commit(writer, &err) == HL_OK);
    return true;
}

static void check_equal(const struct hl_tensors *a, const struct hl_tensors *b)
{
    require(hl_tensors_count(a) == hl_tensors_count(b));
    require(hl_tensors_n_metadata(a) == hl_tensors_n_metadata(b));
    for (size_t i = 0; i < hl_tensors_n_metadata(a); i++) {
        const struct hl_metadata *pair = hl_tensors_metadata_at(a, i);

        require(strcmp(hl_tensors_metadata(b, pair->key), pair->value) == 0);
    }
    for (size_t i = 0; i < hl_tensors_count(a); i++) {
        const struct hl_tensor *one = hl_tensors_at(a, i);
        const struct hl_tensor *other = hl_tensors_find(b, one->name);
        size_t n_one, n_other, size;
        void *from_one, *from_other;

        require(other && one->type == other->type && one->n_dims == other->n_dims);
        require(memcmp(one->shape, other->shape, one->n_dims * sizeof *one->shape) == 0);
        from_one = read_all(a, one, &n_one, &size);
        from_other = read_all(b, other, &n_other, &size);
        require(from_one && from_other && n_one == n_other);
        require(memcmp(from_one, from_other, n_one * size) == 0);
        free(from_one);
        free(from_other);
    }
}

static void check_again(const struct hl_tensors *tensors)
{
    size_t n = hl_tensors_count(tensors), n_pairs = hl_tensors_n_metadata(tensors);
    struct hl_tensors_plan plan = {n ? hl_tensors_at(tensors, 0) : NULL, n,
                                   n_pairs ? hl_tensors_metadata_at(tensors, 0) : NULL,
                                   n_pairs};
    struct hl_tensors_writer *writer;
    struct hl_tensors *again;
    struct hl_source source;
    struct hl_file *file;
    struct hl_err err;
    char path[64];

    snprintf(path, sizeof path, "%s/heirloom_fuzz_tensors.%ld",
             access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp", (long)getpid());
    require(hl_tensors_writer_open(path, &plan, &writer, &err) == HL_OK);
    if (!write_all(tensors, writer))
        return;
    require(hl_file_open(path, HL_FILE_READ, &file, &err) == HL_OK);
    require(hl_source_of_file(file, &source, &err) == HL_OK);
    /* Escapes may make a header longer than it came, six bytes for one. */
    require(hl_tensors_new(&source, (size_t)8 * MAX_HEADER, &again, &err) == HL_OK);
    check_equal(tensors, again);
    hl_tensors_free(again);
    hl_file_close(file);
    (void)unlink(path);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct hl_memory memory = {.bytes = data, .size = size};
    struct hl_source source = hl_source_of_memory(&memory, "input");
    struct hl_tensors *tensors;
    struct hl_err err;

    if (hl_tensors_new(&source, MAX_HEADER, &tensors, &err) != HL_OK) {
        require((err.code == HL_BAD_FILE || err.code == HL_TOO_LARGE) && *err.msg);
        return 0;
    }
    check_again(tensors);
    hl_tensors_free(tensors);
    return 0;
}
