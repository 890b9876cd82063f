/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HL_PROTO_DTYPE_H
#define HL_PROTO_DTYPE_H

#include "proto/source.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The kinds of numbers that vector files hold, and their way into ours: real numbers become
 * float32, whole ones int64.
 *
 * Pure functions, any thread; reading is as thread-safe as the source. Bytes are
 * little-endian unless it is said otherwise. */
enum hl_dtype {
    HL_DTYPE_F16,
    HL_DTYPE_BF16,
    HL_DTYPE_F32,
    HL_DTYPE_F64,
    HL_DTYPE_I8,
    HL_DTYPE_I16,
    HL_DTYPE_I32,
    HL_DTYPE_I64,
    HL_DTYPE_U8,
    HL_DTYPE_U16,
    HL_DTYPE_U32,
    HL_DTYPE_U64,
    HL_N_DTYPES
};

size_t hl_dtype_size(enum hl_dtype type);
bool hl_dtype_is_real(enum hl_dtype type);
const char *hl_dtype_name(enum hl_dtype type); /* "F32", as safetensors spell it */
bool hl_dtype_find(const char *name, size_t len, enum hl_dtype *ret_type);

/* Numbers of one kind, one behind another in a source. */
struct hl_numbers {
    const struct hl_source *source;
    uint64_t start; /* offset of the first byte */
    enum hl_dtype type;
    bool is_big_endian;
};

/* `n` neighbours from number `first` on, and where they go: each `stride` places behind the
 * one before. */
struct hl_run {
    uint64_t first;
    size_t n, stride;
};

/* Reads a run of numbers. `*ret_n` is how many came: fewer than the run's when the next one
 * does not fit (a finite F64 beyond the largest float, a U64 beyond the largest int64).
 * Infinity and NaN pass. The type must be real, or whole. Memory is bounded however long
 * the run is. */
enum hl_code hl_numbers_floats(const struct hl_numbers *numbers, const struct hl_run *run,
                               float *values, size_t *ret_n, struct hl_err *err);
enum hl_code hl_numbers_i64(const struct hl_numbers *numbers, const struct hl_run *run,
                            int64_t *values, size_t *ret_n, struct hl_err *err);

/* The way back: little-endian bytes into `ret_bytes`, n * size of them. Returns how many
 * fitted: fewer than `n` when the next one is finite and too large for the type, or a whole
 * number out of its range. */
size_t hl_dtype_of_floats(enum hl_dtype type, const float *values, size_t n,
                          void *ret_bytes);
size_t hl_dtype_of_i64(enum hl_dtype type, const int64_t *values, size_t n,
                       void *ret_bytes);

#endif
