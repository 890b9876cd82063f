/* SPDX-License-Identifier: Apache-2.0 */
#include "index/kernels.h"

#include "index/faiss_gap.h"
#include "index/tile.h"
#include "proto/processor.h"

#include <math.h>
#include <string.h>

/* Four floats in the vector type that gcc and clang share: SSE2, NEON, or whatever the
 * floor of the processor family is. A sum of plain floats would be added up strictly one
 * after the other, which is what makes the shipped kernels slow. */
typedef float quad __attribute__((vector_size(16)));

#define N_LANES ((size_t)4)

static inline quad load_quad(const float *x)
{
    quad lanes;

    memcpy(&lanes, x, sizeof lanes);
    return lanes;
}

static inline float sum_quads(quad a, quad b, quad c, quad d)
{
    const quad all = (a + b) + (c + d);

    return (all[0] + all[2]) + (all[1] + all[3]);
}

static inline quad square_at(const float *x, const float *y)
{
    const quad gap = load_quad(x) - load_quad(y);

    return gap * gap;
}

static inline quad product_at(const float *x, const float *y)
{
    return load_quad(x) * load_quad(y);
}

static float l2_portable(const float *x, const float *y, size_t dim)
{
    quad a = {0}, b = {0}, c = {0}, d = {0};
    float rest = 0;
    size_t i = 0;

    for (; i + 4 * N_LANES <= dim; i += 4 * N_LANES) {
        a += square_at(x + i, y + i);
        b += square_at(x + i + N_LANES, y + i + N_LANES);
        c += square_at(x + i + 2 * N_LANES, y + i + 2 * N_LANES);
        d += square_at(x + i + 3 * N_LANES, y + i + 3 * N_LANES);
    }
    for (; i + N_LANES <= dim; i += N_LANES)
        a += square_at(x + i, y + i);
    for (; i < dim; i++)
        rest += (x[i] - y[i]) * (x[i] - y[i]);
    return sum_quads(a, b, c, d) + rest;
}

static float dot_portable(const float *x, const float *y, size_t dim)
{
    quad a = {0}, b = {0}, c = {0}, d = {0};
    float rest = 0;
    size_t i = 0;

    for (; i + 4 * N_LANES <= dim; i += 4 * N_LANES) {
        a += product_at(x + i, y + i);
        b += product_at(x + i + N_LANES, y + i + N_LANES);
        c += product_at(x + i + 2 * N_LANES, y + i + 2 * N_LANES);
        d += product_at(x + i + 3 * N_LANES, y + i + 3 * N_LANES);
    }
    for (; i + N_LANES <= dim; i += N_LANES)
        a += product_at(x + i, y + i);
    for (; i < dim; i++)
        rest += x[i] * y[i];
    return sum_quads(a, b, c, d) + rest;
}

static float norm_portable(const float *x, size_t dim)
{
    return dot_portable(x, x, dim);
}

static inline quad load_codes(const uint8_t *codes)
{
    return (quad){codes[0], codes[1], codes[2], codes[3]};
}

static inline quad code_square_at(const float *x, const float *scale, const uint8_t *codes)
{
    const quad gap = load_quad(x) - load_quad(scale) * load_codes(codes);

    return gap * gap;
}

static float code_l2_portable(const float *x, const float *scale, const uint8_t *codes,
                              size_t dim)
{
    quad a = {0}, b = {0}, c = {0}, d = {0};
    float rest = 0;
    size_t i = 0;

    for (; i + 4 * N_LANES <= dim; i += 4 * N_LANES) {
        a += code_square_at(x + i, scale + i, codes + i);
        b += code_square_at(x + i + N_LANES, scale + i + N_LANES, codes + i + N_LANES);
        c += code_square_at(x + i + 2 * N_LANES, scale + i + 2 * N_LANES,
                            codes + i + 2 * N_LANES);
        d += code_square_at(x + i + 3 * N_LANES, scale + i + 3 * N_LANES,
                            codes + i + 3 * N_LANES);
    }
    for (; i < dim; i++) {
        const float gap = x[i] - scale[i] * (float)codes[i];

        rest += gap * gap;
    }
    return sum_quads(a, b, c, d) + rest;
}

static float code_dot_portable(const float *x, const uint8_t *codes, size_t dim)
{
    quad a = {0}, b = {0}, c = {0}, d = {0};
    float rest = 0;
    size_t i = 0;

    for (; i + 4 * N_LANES <= dim; i += 4 * N_LANES) {
        a += load_quad(x + i) * load_codes(codes + i);
        b += load_quad(x + i + N_LANES) * load_codes(codes + i + N_LANES);
        c += load_quad(x + i + 2 * N_LANES) * load_codes(codes + i + 2 * N_LANES);
        d += load_quad(x + i + 3 * N_LANES) * load_codes(codes + i + 3 * N_LANES);
    }
    for (; i < dim; i++)
        rest += x[i] * (float)codes[i];
    return sum_quads(a, b, c, d) + rest;
}

static int32_t bytes_dot_portable(const uint8_t *x, const int8_t *y, size_t size)
{
    int32_t sum = 0;

    for (size_t i = 0; i < size; i++)
        sum += x[i] * y[i];
    return sum;
}

static int32_t shifted_dot_portable(const int8_t *x, const int8_t *y, size_t size)
{
    int32_t sum = 0;

    for (size_t i = 0; i < size; i++)
        sum += (x[i] + 128) * y[i];
    return sum;
}

static uint64_t tile_row(const struct hl_tile *tile, const struct hl_sketch *sketch)
{
    const size_t n_lanes = tile->n_groups * HL_TILE_LANES;
    const uint8_t *bytes = tile->bytes;
    int32_t sums[HL_TILE_QUERIES];
    uint64_t may = 0;

    for (size_t lane = 0; lane < n_lanes; lane++)
        sums[lane] = -128 * sketch->sum;
    for (size_t word = 0; word < tile->n_words; word++, bytes += 4 * n_lanes) {
        const int8_t *own = sketch->bytes + 4 * word;

        for (size_t lane = 0; lane < n_lanes; lane++)
            sums[lane] += bytes[4 * lane] * own[0] + bytes[4 * lane + 1] * own[1] +
                          bytes[4 * lane + 2] * own[2] + bytes[4 * lane + 3] * own[3];
    }
    for (size_t lane = 0; lane < n_lanes; lane++)
        may |=
            (uint64_t)(hl_tile_reach(tile, lane, sketch, sums[lane]) >= tile->least[lane])
            << lane;
    return may;
}

static void tile_portable(const struct hl_tile *tile, const unsigned char *sketches,
                          size_t stride, size_t n_rows, uint64_t *ret_may)
{
    for (size_t row = 0; row < n_rows; row++)
        ret_may[row] = tile_row(
            tile, (const struct hl_sketch *)(const void *)(sketches + row * stride));
}

HL_KERNELS_DEFINE_NY(, portable)

const struct hl_kernels hl_kernels_portable = {
    .name = "portable",
    .l2 = l2_portable,
    .dot = dot_portable,
    .norm = norm_portable,
    .l2_ny = l2_ny_portable,
    .dot_ny = dot_ny_portable,
    .l2_ny_nearest = l2_ny_nearest_portable,
    .code_l2 = code_l2_portable,
    .code_dot = code_dot_portable,
    .bytes_dot = bytes_dot_portable,
    .shifted_dot = shifted_dot_portable,
    .tile = tile_portable,
};

/* The best first. */
static const struct hl_processor_choice choices[] = {
    {"avx512", HL_PROCESSOR_X86(hl_kernels_avx512), HL_PROCESSOR_VNNI},
    {"avx2", HL_PROCESSOR_X86(hl_kernels_avx2), HL_PROCESSOR_AVX2},
    {"portable", &hl_kernels_portable, HL_PROCESSOR_ANY},
    {"shipped", &hl_gap_kernels_shipped, HL_PROCESSOR_ANY},
};

enum hl_code hl_kernels_find(const char *name, const struct hl_kernels **ret_kernels,
                             struct hl_err *err)
{
    const void *table = NULL;
    enum hl_code code =
        hl_processor_choose(name, choices, sizeof choices / sizeof *choices, &table, err);

    if (code == HL_OK)
        *ret_kernels = table;
    return code;
}
