/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/dtype.h"

#include "proto/half.h"

#include <assert.h>
#include <float.h>
#include <math.h>
#include <string.h>

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__,
               "numbers in memory are taken for their bytes in a file");

/* What is read at once: enough to make a system call worth its price, and small enough for
 * the stack of any thread. */
enum { CHUNK = 16 << 10 };

union chunk {
    unsigned char bytes[CHUNK];
    uint16_t u16[CHUNK / 2];
    float f32[CHUNK / 4];
    double f64[CHUNK / 8];
    int8_t i8[CHUNK];
    int16_t i16[CHUNK / 2];
    int32_t i32[CHUNK / 4];
    int64_t i64[CHUNK / 8];
    uint32_t u32[CHUNK / 4];
    uint64_t u64[CHUNK / 8];
};

static const struct {
    const char *name;
    size_t size;
} types[HL_N_DTYPES] = {
    [HL_DTYPE_F16] = {"F16", 2}, [HL_DTYPE_BF16] = {"BF16", 2}, [HL_DTYPE_F32] = {"F32", 4},
    [HL_DTYPE_F64] = {"F64", 8}, [HL_DTYPE_I8] = {"I8", 1},     [HL_DTYPE_I16] = {"I16", 2},
    [HL_DTYPE_I32] = {"I32", 4}, [HL_DTYPE_I64] = {"I64", 8},   [HL_DTYPE_U8] = {"U8", 1},
    [HL_DTYPE_U16] = {"U16", 2}, [HL_DTYPE_U32] = {"U32", 4},   [HL_DTYPE_U64] = {"U64", 8},
};

size_t hl_dtype_size(enum hl_dtype type)
{
    return types[type].size;
}

bool hl_dtype_is_real(enum hl_dtype type)
{
    return type <= HL_DTYPE_F64;
}

const char *hl_dtype_name(enum hl_dtype type)
{
    return types[type].name;
}

bool hl_dtype_find(const char *name, size_t len, enum hl_dtype *ret_type)
{
    for (int type = 0; type < HL_N_DTYPES; type++) {
        if (strlen(types[type].name) == len && memcmp(types[type].name, name, len) == 0) {
            *ret_type = (enum hl_dtype)type;
            return true;
        }
    }
    return false;
}

static void swap_bytes(unsigned char *bytes, size_t size, size_t n)
{
    for (size_t i = 0; i < n; i++, bytes += size) {
        for (size_t low = 0, high = size - 1; low < high; low++, high--) {
            unsigned char byte = bytes[low];

            bytes[low] = bytes[high];
            bytes[high] = byte;
        }
    }
}

/* As many doubles as have a float: all but the finite ones that would become infinite. */
static size_t narrow(const double *from, size_t n, float *values)
{
    /* Halfway from the largest float to the next power of two: rounds to infinity. */
    const double too_large = 0x1.ffffffp127;

    for (size_t i = 0; i < n; i++) {
        if (isfinite(from[i]) && fabs(from[i]) >= too_large)
            return i;
        values[i] = (float)from[i];
    }
    return n;
}

static size_t floats_of(enum hl_dtype type, const union chunk *chunk, size_t n,
                        float *values)
{
    assert(hl_dtype_is_real(type));
    if (type == HL_DTYPE_F64)
        return narrow(chunk->f64, n, values);
    if (type == HL_DTYPE_F16)
        hl_half_to_floats(chunk->u16, n, values);
    else if (type == HL_DTYPE_BF16)
        hl_bfloat_to_floats(chunk->u16, n, values);
    else
        memcpy(values, chunk->f32, n * sizeof *values);
    return n;
}

static int64_t i64_of(enum hl_dtype type, const union chunk *chunk, size_t i)
{
    switch ((int)type) {
    case HL_DTYPE_I8:
        return chunk->i8[i];
    case HL_DTYPE_I16:
        return chunk->i16[i];
    case HL_DTYPE_I32:
        return chunk->i32[i];
    case HL_DTYPE_U8:
        return chunk->bytes[i];
    case HL_DTYPE_U16:
        return chunk->u16[i];
    case HL_DTYPE_U32:
        return chunk->u32[i];
    default: /* 64 bits, looked at by the caller when they have no sign */
        return chunk->i64[i];
    }
}

static size_t i64s_of(enum hl_dtype type, const union chunk *chunk, size_t n,
                      int64_t *values)
{
    assert(!hl_dtype_is_real(type));
    for (size_t i = 0; i < n; i++) {
        if (type == HL_DTYPE_U64 && chunk->u64[i] > INT64_MAX)
            return i;
        values[i] = i64_of(type, chunk, i);
    }
    return n;
}

/* Up to a chunk of neighbours, in this machine's byte order. */
static enum hl_code read_chunk(const struct hl_numbers *numbers, uint64_t first, size_t n,
                               union chunk *chunk, struct hl_err *err)
{
    size_t size = hl_dtype_size(numbers->type);
    uint64_t offset;
    enum hl_code code;

    if (__builtin_mul_overflow(first, (uint64_t)size, &offset) ||
        __builtin_add_overflow(offset, numbers->start, &offset))
        return hl_fail(err, HL_BAD_FILE, "\"%s\" ends too early", numbers->source->name);
    code = hl_source_read(numbers->source, chunk->bytes, n * size, offset, err);
    if (code == HL_OK && numbers->is_big_endian)
        swap_bytes(chunk->bytes, size, n);
    return code;
}

enum hl_code hl_numbers_floats(const struct hl_numbers *numbers, const struct hl_run *run,
                               float *values, size_t *ret_n, struct hl_err *err)
{
    size_t size = hl_dtype_size(numbers->type);
    size_t per_chunk = CHUNK / (size < sizeof(float) ? sizeof(float) : size);
    float narrowed[CHUNK / sizeof(float)];
    union chunk chunk;

    for (size_t done = 0; done < run->n;) {
        size_t n_now = run->n - done < per_chunk ? run->n - done : per_chunk;
        size_t n_fit;
        enum hl_code code = read_chunk(numbers, run->first + done, n_now, &chunk, err);

        if (code != HL_OK)
            return code;
        n_fit = floats_of(numbers->type, &chunk, n_now, narrowed);
        for (size_t i = 0; i < n_fit; i++)
            values[(done + i) * run->stride] = narrowed[i];
        done += n_fit;
        if (n_fit < n_now) {
            *ret_n = done;
            return HL_OK;
        }
    }
    *ret_n = run->n;
    return HL_OK;
}

enum hl_code hl_numbers_i64(const struct hl_numbers *numbers, const struct hl_run *run,
                            int64_t *values, size_t *ret_n, struct hl_err *err)
{
    const size_t per_chunk = CHUNK / sizeof(int64_t);
    int64_t widened[CHUNK / sizeof(int64_t)];
    union chunk chunk;

    for (size_t done = 0; done < run->n;) {
        size_t n_now = run->n - done < per_chunk ? run->n - done : per_chunk;
        size_t n_fit;
        enum hl_code code = read_chunk(numbers, run->first + done, n_now, &chunk, err);

        if (code != HL_OK)
            return code;
        n_fit = i64s_of(numbers->type, &chunk, n_now, widened);
        for (size_t i = 0; i < n_fit; i++)
            values[(done + i) * run->stride] = widened[i];
        done += n_fit;
        if (n_fit < n_now) {
            *ret_n = done;
            return HL_OK;
        }
    }
    *ret_n = run->n;
    return HL_OK;
}

static size_t halves_of_floats(const float *values, size_t n, unsigned char *bytes)
{
    for (size_t i = 0; i < n; i++) {
        uint16_t half;

        hl_half_from_floats(values + i, 1, &half);
        if ((half & 0x7fffU) == 0x7c00U && isfinite(values[i]))
            return i;
        memcpy(bytes + i * sizeof half, &half, sizeof half);
    }
    return n;
}

static size_t bfloats_of_floats(const float *values, size_t n, unsigned char *bytes)
{
    for (size_t i = 0; i < n; i++) {
        uint16_t bfloat;

        hl_bfloat_from_floats(values + i, 1, &bfloat);
        if ((bfloat & 0x7fffU) == 0x7f80U && isfinite(values[i]))
            return i;
        memcpy(bytes + i * sizeof bfloat, &bfloat, sizeof bfloat);
    }
    return n;
}

size_t hl_dtype_of_floats(enum hl_dtype type, const float *values, size_t n,
                          void *ret_bytes)
{
    unsigned char *bytes = ret_bytes;

    assert(hl_dtype_is_real(type));
    if (type == HL_DTYPE_F16)
        return halves_of_floats(values, n, bytes);
    if (type == HL_DTYPE_BF16)
        return bfloats_of_floats(values, n, bytes);
    if (type == HL_DTYPE_F32) {
        memcpy(bytes, values, n * sizeof *values);
        return n;
    }
    for (size_t i = 0; i < n; i++) {
        double wide = (double)values[i];

        memcpy(bytes + i * sizeof wide, &wide, sizeof wide);
    }
    return n;
}

static bool fits(enum hl_dtype type, int64_t value)
{
    size_t n_bits = 8 * hl_dtype_size(type);

    if (type >= HL_DTYPE_U8)
        return value >= 0 && (n_bits == 64 || value >> n_bits == 0);
    return n_bits == 64 ||
           (value >= -((int64_t)1 << (n_bits - 1)) && value < (int64_t)1 << (n_bits - 1));
}

size_t hl_dtype_of_i64(enum hl_dtype type, const int64_t *values, size_t n, void *ret_bytes)
{
    size_t size = hl_dtype_size(type);
    unsigned char *bytes = ret_bytes;

    assert(!hl_dtype_is_real(type));
    for (size_t i = 0; i < n; i++) {
        if (!fits(type, values[i]))
            return i;
        memcpy(bytes + i * size, &values[i], size); /* little-endian: the low bytes first */
    }
    return n;
}
