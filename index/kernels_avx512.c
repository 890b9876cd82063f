/* SPDX-License-Identifier: Apache-2.0 */
#include "index/kernels.h"

#include <immintrin.h>
#include <math.h>

/* Marked function by function, as in kernels_avx2.c. A row's end is read under a mask,
 * which reads nothing beyond it. */
#define AVX512 __attribute__((target("avx512f,avx512bw,avx512vl,avx512vnni")))

#define N_LANES ((size_t)16)

AVX512 static inline __mmask16 mask_of(size_t n)
{
    return (__mmask16)((1U << n) - 1);
}

AVX512 static inline float sum_sums(__m512 a, __m512 b, __m512 c, __m512 d)
{
    return _mm512_reduce_add_ps(_mm512_add_ps(_mm512_add_ps(a, b), _mm512_add_ps(c, d)));
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
    __m512 a = _mm512_setzero_ps(), b = a, c = a, d = a;
    size_t i = 0;

    for (; i + 4 * N_LANES <= dim; i += 4 * N_LANES) {
        a = add_square(a, x + i, y + i);
        b = add_square(b, x + i + N_LANES, y + i + N_LANES);
        c = add_square(c, x + i + 2 * N_LANES, y + i + 2 * N_LANES);
        d = add_square(d, x + i + 3 * N_LANES, y + i + 3 * N_LANES);
    }
    for (; i + N_LANES <= dim; i += N_LANES)
        a = add_square(a, x + i, y + i);
    if (i < dim) {
        const __mmask16 mask = mask_of(dim - i);
        const __m512 gap = _mm512_sub_ps(_mm512_maskz_loadu_ps(mask, x + i),
                                         _mm512_maskz_loadu_ps(mask, y + i));

        b = _mm512_fmadd_ps(gap, gap, b);
    }
    return sum_sums(a, b, c, d);
}

AVX512 static float dot_avx512(const float *x, const float *y, size_t dim)
{
    __m512 a = _mm512_setzero_ps(), b = a, c = a, d = a;
    size_t i = 0;

    for (; i + 4 * N_LANES <= dim; i += 4 * N_LANES) {
        a = add_product(a, x + i, y + i);
        b = add_product(b, x + i + N_LANES, y + i + N_LANES);
        c = add_product(c, x + i + 2 * N_LANES, y + i + 2 * N_LANES);
        d = add_product(d, x + i + 3 * N_LANES, y + i + 3 * N_LANES);
    }
    for (; i + N_LANES <= dim; i += N_LANES)
        a = add_product(a, x + i, y + i);
    if (i < dim) {
        const __mmask16 mask = mask_of(dim - i);

        b = _mm512_fmadd_ps(_mm512_maskz_loadu_ps(mask, x + i),
                            _mm512_maskz_loadu_ps(mask, y + i), b);
    }
    return sum_sums(a, b, c, d);
}

AVX512 static float norm_avx512(const float *x, size_t dim)
{
    return dot_avx512(x, x, dim);
}

AVX512 static inline __m512 load_codes(__mmask16 mask, const uint8_t *codes)
{
    return _mm512_cvtepi32_ps(_mm512_cvtepu8_epi32(_mm_maskz_loadu_epi8(mask, codes)));
}

AVX512 static inline __m512 add_code_square(__m512 sum, __mmask16 mask, const float *x,
                                            const float *scale, const uint8_t *codes)
{
    const __m512 gap =
        _mm512_fnmadd_ps(_mm512_maskz_loadu_ps(mask, scale), load_codes(mask, codes),
                         _mm512_maskz_loadu_ps(mask, x));

    return _mm512_fmadd_ps(gap, gap, sum);
}

AVX512 static inline __m512 add_code_product(__m512 sum, __mmask16 mask, const float *x,
                                             const uint8_t *codes)
{
    return _mm512_fmadd_ps(_mm512_maskz_loadu_ps(mask, x), load_codes(mask, codes), sum);
}

AVX512 static float code_l2_avx512(const float *x, const float *scale, const uint8_t *codes,
                                   size_t dim)
{
    const __mmask16 all = mask_of(N_LANES);
    __m512 a = _mm512_setzero_ps(), b = a, c = a;
    size_t i = 0;

    for (; i + 2 * N_LANES <= dim; i += 2 * N_LANES) {
        a = add_code_square(a, all, x + i, scale + i, codes + i);
        b = add_code_square(b, all, x + i + N_LANES, scale + i + N_LANES,
                            codes + i + N_LANES);
    }
    for (; i < dim; i += N_LANES)
        c = add_code_square(c, mask_of(dim - i < N_LANES ? dim - i : N_LANES), x + i,
                            scale + i, codes + i);
    return sum_sums(a, b, c, _mm512_setzero_ps());
}

AVX512 static float code_dot_avx512(const float *x, const uint8_t *codes, size_t dim)
{
    const __mmask16 all = mask_of(N_LANES);
    __m512 a = _mm512_setzero_ps(), b = a, c = a;
    size_t i = 0;

    for (; i + 2 * N_LANES <= dim; i += 2 * N_LANES) {
        a = add_code_product(a, all, x + i, codes + i);
        b = add_code_product(b, all, x + i + N_LANES, codes + i + N_LANES);
    }
    for (; i < dim; i += N_LANES)
        c = add_code_product(c, mask_of(dim - i < N_LANES ? dim - i : N_LANES), x + i,
                             codes + i);
    return sum_sums(a, b, c, _mm512_setzero_ps());
}

/* vpdpbusd multiplies unsigned by signed bytes and adds four products at once, in 32 bits.
 * `flip` is taken out of the bits of each byte of x: the highest bit makes x[i] + 128 of a
 * signed x[i]. */
AVX512 static inline int32_t flipped_dot(const uint8_t *x, const int8_t *y, size_t size,
                                         __m512i flip)
{
    __m512i sums[2] = {_mm512_setzero_si512(), _mm512_setzero_si512()};
    size_t i = 0;

    for (; i + 128 <= size; i += 128) {
        sums[0] =
            _mm512_dpbusd_epi32(sums[0], _mm512_xor_si512(_mm512_loadu_si512(x + i), flip),
                                _mm512_loadu_si512(y + i));
        sums[1] = _mm512_dpbusd_epi32(
            sums[1], _mm512_xor_si512(_mm512_loadu_si512(x + i + 64), flip),
            _mm512_loadu_si512(y + i + 64));
    }
    for (; i < size; i += 64) {
        const size_t n = size - i;
        const __mmask64 mask = n < 64 ? (UINT64_C(1) << n) - 1 : ~UINT64_C(0);

        sums[0] = _mm512_dpbusd_epi32(
            sums[0], _mm512_xor_si512(_mm512_maskz_loadu_epi8(mask, x + i), flip),
            _mm512_maskz_loadu_epi8(mask, y + i));
    }
    return _mm512_reduce_add_epi32(_mm512_add_epi32(sums[0], sums[1]));
}

AVX512 static int32_t bytes_dot_avx512(const uint8_t *x, const int8_t *y, size_t size)
{
    return flipped_dot(x, y, size, _mm512_setzero_si512());
}

AVX512 static int32_t shifted_dot_avx512(const int8_t *x, const int8_t *y, size_t size)
{
    return flipped_dot((const uint8_t *)x, y, size, _mm512_set1_epi8(INT8_MIN));
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
    .bytes_dot = bytes_dot_avx512,
    .shifted_dot = shifted_dot_avx512,
};
