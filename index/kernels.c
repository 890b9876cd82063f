/* SPDX-License-Identifier: Apache-2.0 */
#include "index/kernels.h"

#include "index/faiss_gap.h"

#include <math.h>
#include <stdbool.h>
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

static inline float sum_quad(quad lanes)
{
    return (lanes[0] + lanes[2]) + (lanes[1] + lanes[3]);
}

static inline float sum_quads(const quad sums[4])
{
    return sum_quad((sums[0] + sums[1]) + (sums[2] + sums[3]));
}

static float l2_portable(const float *x, const float *y, size_t dim)
{
    quad sums[4] = {{0}, {0}, {0}, {0}};
    float rest = 0;
    size_t i = 0;

    for (; i + 4 * N_LANES <= dim; i += 4 * N_LANES)
        for (size_t j = 0; j < 4; j++) {
            const quad gap =
                load_quad(x + i + j * N_LANES) - load_quad(y + i + j * N_LANES);

            sums[j] += gap * gap;
        }
    for (; i + N_LANES <= dim; i += N_LANES) {
        const quad gap = load_quad(x + i) - load_quad(y + i);

        sums[0] += gap * gap;
    }
    for (; i < dim; i++)
        rest += (x[i] - y[i]) * (x[i] - y[i]);
    return sum_quads(sums) + rest;
}

static float dot_portable(const float *x, const float *y, size_t dim)
{
    quad sums[4] = {{0}, {0}, {0}, {0}};
    float rest = 0;
    size_t i = 0;

    for (; i + 4 * N_LANES <= dim; i += 4 * N_LANES)
        for (size_t j = 0; j < 4; j++)
            sums[j] += load_quad(x + i + j * N_LANES) * load_quad(y + i + j * N_LANES);
    for (; i + N_LANES <= dim; i += N_LANES)
        sums[0] += load_quad(x + i) * load_quad(y + i);
    for (; i < dim; i++)
        rest += x[i] * y[i];
    return sum_quads(sums) + rest;
}

static float norm_portable(const float *x, size_t dim)
{
    return dot_portable(x, x, dim);
}

static inline quad load_codes(const uint8_t *codes)
{
    return (quad){codes[0], codes[1], codes[2], codes[3]};
}

static float code_l2_portable(const float *x, const float *scale, const uint8_t *codes,
                              size_t dim)
{
    quad sums[4] = {{0}, {0}, {0}, {0}};
    float rest = 0;
    size_t i = 0;

    for (; i + N_LANES <= dim; i += N_LANES) {
        const quad gap = load_quad(x + i) - load_quad(scale + i) * load_codes(codes + i);

        sums[i / N_LANES % 4] += gap * gap;
    }
    for (; i < dim; i++) {
        const float gap = x[i] - scale[i] * (float)codes[i];

        rest += gap * gap;
    }
    return sum_quads(sums) + rest;
}

static float code_dot_portable(const float *x, const uint8_t *codes, size_t dim)
{
    quad sums[4] = {{0}, {0}, {0}, {0}};
    float rest = 0;
    size_t i = 0;

    for (; i + N_LANES <= dim; i += N_LANES)
        sums[i / N_LANES % 4] += load_quad(x + i) * load_codes(codes + i);
    for (; i < dim; i++)
        rest += x[i] * (float)codes[i];
    return sum_quads(sums) + rest;
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
};

static bool always(void)
{
    return true;
}

/* The compiler's runtime asks the processor and also whether the kernel saves the
 * registers. */
static bool has_avx512(void)
{
#ifdef __x86_64__
    return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
           __builtin_cpu_supports("avx512vl");
#else
    return false;
#endif
}

static bool has_avx2(void)
{
#ifdef __x86_64__
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
#else
    return false;
#endif
}

#ifdef __x86_64__
#define IF_X86(table) &(table)
#else
#define IF_X86(table) NULL
#endif

/* The best first; "auto" takes the first that can run. */
static const struct {
    const char *name;
    const struct hl_kernels *table;
    bool (*can_run)(void);
} choices[] = {
    {"avx512", IF_X86(hl_kernels_avx512), has_avx512},
    {"avx2", IF_X86(hl_kernels_avx2), has_avx2},
    {"portable", &hl_kernels_portable, always},
    {"shipped", &hl_gap_kernels_shipped, always},
};

enum hl_code hl_kernels_find(const char *name, const struct hl_kernels **ret_kernels,
                             struct hl_err *err)
{
    const bool is_auto = strcmp(name, "auto") == 0;

    for (size_t i = 0; i < sizeof choices / sizeof *choices; i++) {
        if (!is_auto && strcmp(name, choices[i].name) != 0)
            continue;
        if (choices[i].can_run()) {
            *ret_kernels = choices[i].table;
            return HL_OK;
        }
        if (!is_auto)
            return hl_fail(err, HL_INVALID, "this processor cannot run the kernels \"%s\"",
                           name);
    }
    return hl_fail(err, HL_INVALID,
                   "kernels \"%s\" are unknown, wanted auto, avx512, avx2, portable or "
                   "shipped",
                   name);
}
