/* SPDX-License-Identifier: Apache-2.0 */
#include "index/kernels.h"

#include <immintrin.h>
#include <math.h>

/* Marked function by function, as in kernels_avx2.c. A row's end is read under a mask,
 * which reads nothing beyond it. */
#define AVX512 __attribute__((target("avx512f,avx512bw,avx512vl")))

#define N_LANES ((size_t)16)

AVX512 static inline __mmask16 mask_of(size_t n)
{
    return (__mmask16)((1U << n) - 1);
}

AVX512 static inline float sum_sums(const __m512 sums[4])
{
    return _mm512_reduce_add_ps(
        _mm512_add_ps(_mm512_add_ps(sums[0], sums[1]), _mm512_add_ps(sums[2], sums[3])));
}

AVX512 static inline __m512 add_square(__m512 sum, const float *x, const float *y)
{
    const __m512 gap = _mm512_sub_ps(_mm512_loadu_ps(x), _mm512_loadu_ps(y));

    return _mm512_fmadd_ps(gap, gap, sum);
}

AVX512 static inline __m512 add_product(__m512 sum, const float *x, const float *y)
{
    return _mm512_fmadd_ps(_mm512_loadu_ps(x), _mm512_loadu_ps(y), sum);
}

AVX512 static float l2_avx512(const float *x, const float *y, size_t dim)
{
    __m512 sums[4] = {_mm512_setzero_ps(), _mm512_setzero_ps(), _mm512_setzero_ps(),
                      _mm512_setzero_ps()};
    size_t i = 0;

    for (; i + 4 * N_LANES <= dim; i += 4 * N_LANES) {
        sums[0] = add_square(sums[0], x + i, y + i);
        sums[1] = add_square(sums[1], x + i + N_LANES, y + i + N_LANES);
        sums[2] = add_square(sums[2], x + i + 2 * N_LANES, y + i + 2 * N_LANES);
        sums[3] = add_square(sums[3], x + i + 3 * N_LANES, y + i + 3 * N_LANES);
    }
    for (; i + N_LANES <= dim; i += N_LANES)
        sums[0] = add_square(sums[0], x + i, y + i);
    if (i < dim) {
        const __mmask16 mask = mask_of(dim - i);
        const __m512 gap = _mm512_sub_ps(_mm512_maskz_loadu_ps(mask, x + i),
                                         _mm512_maskz_loadu_ps(mask, y + i));

        sums[1] = _mm512_fmadd_ps(gap, gap, sums[1]);
    }
    return sum_sums(sums);
}

AVX512 static float dot_avx512(const float *x, const float *y, size_t dim)
{
    __m512 sums[4] = {_mm512_setzero_ps(), _mm512_setzero_ps(), _mm512_setzero_ps(),
                      _mm512_setzero_ps()};
    size_t i = 0;

    for (; i + 4 * N_LANES <= dim; i += 4 * N_LANES) {
        sums[0] = add_product(sums[0], x + i, y + i);
        sums[1] = add_product(sums[1], x + i + N_LANES, y + i + N_LANES);
        sums[2] = add_product(sums[2], x + i + 2 * N_LANES, y + i + 2 * N_LANES);
        sums[3] = add_product(sums[3], x + i + 3 * N_LANES, y + i + 3 * N_LANES);
    }
    for (; i + N_LANES <= dim; i += N_LANES)
        sums[0] = add_product(sums[0], x + i, y + i);
    if (i < dim) {
        const __mmask16 mask = mask_of(dim - i);

        sums[1] = _mm512_fmadd_ps(_mm512_maskz_loadu_ps(mask, x + i),
                                  _mm512_maskz_loadu_ps(mask, y + i), sums[1]);
    }
    return sum_sums(sums);
}

AVX512 static float norm_avx512(const float *x, size_t dim)
{
    return dot_avx512(x, x, dim);
}

AVX512 static inline __m512 load_codes(__mmask16 mask, const uint8_t *codes)
{
    return _mm512_cvtepi32_ps(_mm512_cvtepu8_epi32(_mm_maskz_loadu_epi8(mask, codes)));
}

AVX512 static float code_l2_avx512(const float *x, const float *scale, const uint8_t *codes,
                                   size_t dim)
{
    __m512 sums[4] = {_mm512_setzero_ps(), _mm512_setzero_ps(), _mm512_setzero_ps(),
                      _mm512_setzero_ps()};

    for (size_t i = 0; i < dim; i += N_LANES) {
        const __mmask16 mask = mask_of(dim - i < N_LANES ? dim - i : N_LANES);
        const __m512 gap = _mm512_fnmadd_ps(_mm512_maskz_loadu_ps(mask, scale + i),
                                            load_codes(mask, codes + i),
                                            _mm512_maskz_loadu_ps(mask, x + i));

        sums[i / N_LANES % 4] = _mm512_fmadd_ps(gap, gap, sums[i / N_LANES % 4]);
    }
    return sum_sums(sums);
}

AVX512 static float code_dot_avx512(const float *x, const uint8_t *codes, size_t dim)
{
    __m512 sums[4] = {_mm512_setzero_ps(), _mm512_setzero_ps(), _mm512_setzero_ps(),
                      _mm512_setzero_ps()};

    for (size_t i = 0; i < dim; i += N_LANES) {
        const __mmask16 mask = mask_of(dim - i < N_LANES ? dim - i : N_LANES);

        sums[i / N_LANES % 4] =
            _mm512_fmadd_ps(_mm512_maskz_loadu_ps(mask, x + i), load_codes(mask, codes + i),
                            sums[i / N_LANES % 4]);
    }
    return sum_sums(sums);
}

HL_KERNELS_DEFINE_NY(AVX512, avx512)

const struct hl_kernels hl_kernels_avx512 = {
    .name = "avx512",
    .l2 = l2_avx512,
    .dot = dot_avx512,
    .norm = norm_avx512,
    .l2_ny = l2_ny_avx512,
    .dot_ny = dot_ny_avx512,
    .l2_ny_nearest = l2_ny_nearest_avx512,
    .code_l2 = code_l2_avx512,
    .code_dot = code_dot_avx512,
};
