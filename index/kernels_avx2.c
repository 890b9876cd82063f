/* SPDX-License-Identifier: Apache-2.0 */
#include "index/kernels.h"

#include <immintrin.h>
#include <math.h>

/* Marked function by function and not by a compiler flag, so that nothing else in the
 * program can come to need these instructions. */
#define AVX2 __attribute__((target("avx2,fma")))

#define N_LANES ((size_t)8)

AVX2 static inline float sum_sums(const __m256 sums[4])
{
    const __m256 all =
        _mm256_add_ps(_mm256_add_ps(sums[0], sums[1]), _mm256_add_ps(sums[2], sums[3]));
    __m128 half = _mm_add_ps(_mm256_castps256_ps128(all), _mm256_extractf128_ps(all, 1));

    half = _mm_add_ps(half, _mm_movehl_ps(half, half));
    half = _mm_add_ss(half, _mm_movehdup_ps(half));
    return _mm_cvtss_f32(half);
}

AVX2 static inline __m256 add_square(__m256 sum, const float *x, const float *y)
{
    const __m256 gap = _mm256_sub_ps(_mm256_loadu_ps(x), _mm256_loadu_ps(y));

    return _mm256_fmadd_ps(gap, gap, sum);
}

AVX2 static inline __m256 add_product(__m256 sum, const float *x, const float *y)
{
    return _mm256_fmadd_ps(_mm256_loadu_ps(x), _mm256_loadu_ps(y), sum);
}

AVX2 static float l2_avx2(const float *x, const float *y, size_t dim)
{
    __m256 sums[4] = {_mm256_setzero_ps(), _mm256_setzero_ps(), _mm256_setzero_ps(),
                      _mm256_setzero_ps()};
    float rest = 0;
    size_t i = 0;

    for (; i + 4 * N_LANES <= dim; i += 4 * N_LANES) {
        sums[0] = add_square(sums[0], x + i, y + i);
        sums[1] = add_square(sums[1], x + i + N_LANES, y + i + N_LANES);
        sums[2] = add_square(sums[2], x + i + 2 * N_LANES, y + i + 2 * N_LANES);
        sums[3] = add_square(sums[3], x + i + 3 * N_LANES, y + i + 3 * N_LANES);
    }
    for (; i + N_LANES <= dim; i += N_LANES)
        sums[0] = add_square(sums[0], x + i, y + i);
    for (; i < dim; i++)
        rest += (x[i] - y[i]) * (x[i] - y[i]);
    return sum_sums(sums) + rest;
}

AVX2 static float dot_avx2(const float *x, const float *y, size_t dim)
{
    __m256 sums[4] = {_mm256_setzero_ps(), _mm256_setzero_ps(), _mm256_setzero_ps(),
                      _mm256_setzero_ps()};
    float rest = 0;
    size_t i = 0;

    for (; i + 4 * N_LANES <= dim; i += 4 * N_LANES) {
        sums[0] = add_product(sums[0], x + i, y + i);
        sums[1] = add_product(sums[1], x + i + N_LANES, y + i + N_LANES);
        sums[2] = add_product(sums[2], x + i + 2 * N_LANES, y + i + 2 * N_LANES);
        sums[3] = add_product(sums[3], x + i + 3 * N_LANES, y + i + 3 * N_LANES);
    }
    for (; i + N_LANES <= dim; i += N_LANES)
        sums[0] = add_product(sums[0], x + i, y + i);
    for (; i < dim; i++)
        rest += x[i] * y[i];
    return sum_sums(sums) + rest;
}

AVX2 static float norm_avx2(const float *x, size_t dim)
{
    return dot_avx2(x, x, dim);
}

AVX2 static inline __m256 load_codes(const uint8_t *codes)
{
    return _mm256_cvtepi32_ps(_mm256_cvtepu8_epi32(_mm_loadl_epi64((const void *)codes)));
}

AVX2 static float code_l2_avx2(const float *x, const float *scale, const uint8_t *codes,
                               size_t dim)
{
    __m256 sums[4] = {_mm256_setzero_ps(), _mm256_setzero_ps(), _mm256_setzero_ps(),
                      _mm256_setzero_ps()};
    float rest = 0;
    size_t i = 0;

    for (; i + N_LANES <= dim; i += N_LANES) {
        const __m256 gap = _mm256_fnmadd_ps(_mm256_loadu_ps(scale + i),
                                            load_codes(codes + i), _mm256_loadu_ps(x + i));

        sums[i / N_LANES % 4] = _mm256_fmadd_ps(gap, gap, sums[i / N_LANES % 4]);
    }
    for (; i < dim; i++) {
        const float gap = x[i] - scale[i] * (float)codes[i];

        rest += gap * gap;
    }
    return sum_sums(sums) + rest;
}

AVX2 static float code_dot_avx2(const float *x, const uint8_t *codes, size_t dim)
{
    __m256 sums[4] = {_mm256_setzero_ps(), _mm256_setzero_ps(), _mm256_setzero_ps(),
                      _mm256_setzero_ps()};
    float rest = 0;
    size_t i = 0;

    for (; i + N_LANES <= dim; i += N_LANES)
        sums[i / N_LANES % 4] = _mm256_fmadd_ps(
            _mm256_loadu_ps(x + i), load_codes(codes + i), sums[i / N_LANES % 4]);
    for (; i < dim; i++)
        rest += x[i] * (float)codes[i];
    return sum_sums(sums) + rest;
}

HL_KERNELS_DEFINE_NY(AVX2, avx2)

const struct hl_kernels hl_kernels_avx2 = {
    .name = "avx2",
    .l2 = l2_avx2,
    .dot = dot_avx2,
    .norm = norm_avx2,
    .l2_ny = l2_ny_avx2,
    .dot_ny = dot_ny_avx2,
    .l2_ny_nearest = l2_ny_nearest_avx2,
    .code_l2 = code_l2_avx2,
    .code_dot = code_dot_avx2,
};
