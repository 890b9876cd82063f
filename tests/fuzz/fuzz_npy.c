/* SPDX-License-Identifier: Apache-2.0 */
/* What is read at once is what is read row by row, and real numbers are the same when
 * written and read again. */

#include "proto/npy.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool claim)
{
    if (!claim)
        abort();
}

static void check_written(const struct hl_npy *npy, const float *values, float *again)
{
    size_t n_rows = (size_t)npy->n_rows;
    struct hl_npy_writer *writer;
    struct hl_source source;
    struct hl_file *file;
    struct hl_npy second;
    struct hl_err err;
    char path[64];

    snprintf(path, sizeof path, "%s/heirloom_fuzz_npy.%ld",
             access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp", (long)getpid());
    require(hl_npy_writer_open(path, HL_DTYPE_F32, n_rows, npy->dim, &writer, &err) ==
            HL_OK);
    require(hl_npy_writer_add(writer, values, n_rows, &err) == HL_OK);
    require(hl_npy_writer_commit(writer, &err) == HL_OK);
    require(hl_file_open(path, HL_FILE_READ, &file, &err) == HL_OK);
    require(hl_source_of_file(file, &source, &err) == HL_OK);
    require(hl_npy_init(&source, &second, &err) == HL_OK);
    require(second.n_rows == npy->n_rows && second.dim == npy->dim && !second.is_flat);
    require(hl_npy_floats(&second, 0, n_rows, again, &err) == HL_OK);
    require(memcmp(values, again, n_rows * npy->dim * sizeof *values) == 0);
    hl_file_close(file);
    (void)unlink(path);
}

static void check_real(const struct hl_npy *npy)
{
    size_t n_rows = (size_t)npy->n_rows, n = n_rows * npy->dim;
    float *values = calloc(n + 1, sizeof *values), *again = calloc(n + 1, sizeof *again);
    struct hl_err err;
    bool is_read, are_rows_read = true;

    require(values && again);
    is_read = hl_npy_floats(npy, 0, n_rows, values, &err) == HL_OK;
    for (size_t row = 0; row < n_rows && are_rows_read; row++)
        are_rows_read = hl_npy_floats(npy, row, 1, again + row * npy->dim, &err) == HL_OK;
    require(is_read == are_rows_read);
    if (is_read) {
        require(memcmp(values, again, n * sizeof *values) == 0);
        check_written(npy, values, again);
    }
    require(hl_npy_floats(npy, 1, n_rows, values, &err) == HL_BAD_FILE);
    free(values);
    free(again);
}

static void check_whole(const struct hl_npy *npy)
{
    size_t n_rows = (size_t)npy->n_rows, n = n_rows * npy->dim;
    int64_t *values = calloc(n + 1, sizeof *values), *again = calloc(n + 1, sizeof *again);
    struct hl_err err;
    bool is_read, are_rows_read = true;

    require(values && again);
    is_read = hl_npy_i64(npy, 0, n_rows, values, &err) == HL_OK;
    for (size_t row = 0; row < n_rows && are_rows_read; row++)
        are_rows_read = hl_npy_i64(npy, row, 1, again + row * npy->dim, &err) == HL_OK;
    require(is_read == are_rows_read);
    require(!is_read || memcmp(values, again, n * sizeof *values) == 0);
    free(values);
    free(again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct hl_memory memory = {.bytes = data, .size = size};
    struct hl_source source = hl_source_of_memory(&memory, "input");
    struct hl_npy npy;
    struct hl_err err;
    float nothing;

    if (hl_npy_init(&source, &npy, &err) != HL_OK)
        require(err.code == HL_BAD_FILE && *err.msg);
    else if (npy.n_rows == 0)
        require(!hl_dtype_is_real(npy.numbers.type) ||
                hl_npy_floats(&npy, 0, 0, &nothing, &err) == HL_OK);
    else if (hl_dtype_is_real(npy.numbers.type))
        check_real(&npy);
    else
        check_whole(&npy);
    return 0;
}
