/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/npy.h"

#include "proto/npy_header.h"

#include <inttypes.h>
#include <string.h>

static const unsigned char magic[6] = {0x93, 'N', 'U', 'M', 'P', 'Y'};

/* Where the header's text stands and how long it is. */
static enum hl_code read_preamble(const struct hl_source *source, uint64_t *ret_start,
                                  size_t *ret_len, struct hl_err *err)
{
    unsigned char bytes[12];
    uint32_t len;
    unsigned version;
    enum hl_code code = hl_source_read(source, bytes, 8, 0, err);

    if (code != HL_OK)
        return code;
    if (memcmp(bytes, magic, sizeof magic) != 0)
        return hl_fail(err, HL_BAD_FILE, "\"%s\" is not an .npy file", source->name);
    version = bytes[6];
    if (version < 1 || version > 3 || bytes[7] != 0)
        return hl_fail(err, HL_BAD_FILE,
                       "\"%s\" is .npy version %u.%u, 1.0 to 3.0 can be read", source->name,
                       version, bytes[7]);
    code = hl_source_read(source, bytes + 8, version == 1 ? 2 : 4, 8, err);
    if (code != HL_OK)
        return code;
    len = bytes[8] | (uint32_t)bytes[9] << 8;
    if (version > 1)
        len |= (uint32_t)bytes[10] << 16 | (uint32_t)bytes[11] << 24;
    if (len > HL_NPY_MAX_HEADER)
        return hl_fail(err, HL_BAD_FILE,
                       "\"%s\" has a header of %" PRIu32 " bytes, at most %d can be read",
                       source->name, len, (int)HL_NPY_MAX_HEADER);
    *ret_start = version == 1 ? 10 : 12;
    *ret_len = len;
    return HL_OK;
}

/* The file ends where its last number does. */
static enum hl_code check_size(const struct hl_npy *npy, struct hl_err *err)
{
    const struct hl_source *source = npy->numbers.source;
    uint64_t row_bytes, n_bytes, n_there = source->size - npy->numbers.start;

    if (__builtin_mul_overflow((uint64_t)npy->dim,
                               (uint64_t)hl_dtype_size(npy->numbers.type), &row_bytes) ||
        __builtin_mul_overflow(npy->n_rows, row_bytes, &n_bytes))
        return hl_fail(err, HL_BAD_FILE,
                       "\"%s\" says it holds %" PRIu64 " rows of %zu numbers", source->name,
                       npy->n_rows, npy->dim);
    if (n_bytes != n_there)
        return hl_fail(err, HL_BAD_FILE,
                       "\"%s\" has %" PRIu64 " bytes of numbers, %" PRIu64 " rows of %zu "
                       "%s need %" PRIu64,
                       source->name, n_there, npy->n_rows, npy->dim,
                       hl_dtype_name(npy->numbers.type), n_bytes);
    return HL_OK;
}

enum hl_code hl_npy_init(const struct hl_source *source, struct hl_npy *ret_npy,
                         struct hl_err *err)
{
    char text[HL_NPY_MAX_HEADER];
    struct hl_npy npy = {.numbers.source = source};
    uint64_t start = 0;
    size_t len = 0;
    enum hl_code code = read_preamble(source, &start, &len, err);

    if (code != HL_OK)
        return code;
    code = hl_source_read(source, text, len, start, err);
    if (code != HL_OK)
        return code;
    code = hl_npy_header_parse(text, len, &npy, err);
    if (code != HL_OK) {
        hl_fail_in(err, "\"%s\"", source->name);
        return code;
    }
    npy.numbers.start = start + len;
    code = check_size(&npy, err);
    if (code == HL_OK)
        *ret_npy = npy;
    return code;
}

static enum hl_code check_rows(const struct hl_npy *npy, uint64_t first, size_t n_rows,
                               bool wants_real, struct hl_err *err)
{
    const struct hl_numbers *numbers = &npy->numbers;

    if (hl_dtype_is_real(numbers->type) != wants_real)
        return hl_fail(err, HL_BAD_FILE, "\"%s\" holds %s, %s numbers were wanted",
                       numbers->source->name, hl_dtype_name(numbers->type),
                       wants_real ? "real" : "whole");
    if (first > npy->n_rows || npy->n_rows - first < n_rows)
        return hl_fail(err, HL_BAD_FILE,
                       "\"%s\" has %" PRIu64 " rows, %zu from row %" PRIu64 " were wanted",
                       numbers->source->name, npy->n_rows, n_rows, first);
    return HL_OK;
}

static enum hl_code fail_unfit(const struct hl_npy *npy, uint64_t row, uint64_t column,
                               struct hl_err *err)
{
    return hl_fail(err, HL_BAD_FILE,
                   "\"%s\": row %" PRIu64 ", column %" PRIu64 " is too large for %s",
                   npy->numbers.source->name, row, column,
                   hl_dtype_is_real(npy->numbers.type) ? "a float" : "a 64-bit integer");
}

/* The runs that make up `n_rows` rows: in C order one, in Fortran order one for each
 * column. The products are less than the file's size, or the values could not be in memory.
 */
static size_t count_runs(const struct hl_npy *npy, size_t n_rows)
{
    if (n_rows == 0) /* a file without rows may claim any number of columns */
        return 0;
    return npy->is_fortran ? npy->dim : 1;
}

static struct hl_run run_at(const struct hl_npy *npy, uint64_t first, size_t n_rows,
                            size_t i)
{
    if (npy->is_fortran)
        return (struct hl_run){
            .first = i * npy->n_rows + first, .n = n_rows, .stride = npy->dim};
    return (struct hl_run){.first = first * npy->dim, .n = n_rows * npy->dim, .stride = 1};
}

static enum hl_code check_fit(const struct hl_npy *npy, uint64_t first, size_t column,
                              size_t n_fit, size_t n, struct hl_err *err)
{
    if (n_fit == n)
        return HL_OK;
    if (npy->is_fortran)
        return fail_unfit(npy, first + n_fit, column, err);
    return fail_unfit(npy, first + n_fit / npy->dim, n_fit % npy->dim, err);
}

enum hl_code hl_npy_floats(const struct hl_npy *npy, uint64_t first, size_t n_rows,
                           float *values, struct hl_err *err)
{
    enum hl_code code = check_rows(npy, first, n_rows, true, err);

    if (code != HL_OK)
        return code;
    for (size_t i = 0; i < count_runs(npy, n_rows); i++) {
        struct hl_run run = run_at(npy, first, n_rows, i);
        size_t n_fit = 0;

        code = hl_numbers_floats(&npy->numbers, &run, values + i, &n_fit, err);
        if (code == HL_OK)
            code = check_fit(npy, first, i, n_fit, run.n, err);
        if (code != HL_OK)
            return code;
    }
    return HL_OK;
}

enum hl_code hl_npy_i64(const struct hl_npy *npy, uint64_t first, size_t n_rows,
                        int64_t *values, struct hl_err *err)
{
    enum hl_code code = check_rows(npy, first, n_rows, false, err);

    if (code != HL_OK)
        return code;
    for (size_t i = 0; i < count_runs(npy, n_rows); i++) {
        struct hl_run run = run_at(npy, first, n_rows, i);
        size_t n_fit = 0;

        code = hl_numbers_i64(&npy->numbers, &run, values + i, &n_fit, err);
        if (code == HL_OK)
            code = check_fit(npy, first, i, n_fit, run.n, err);
        if (code != HL_OK)
            return code;
    }
    return HL_OK;
}
