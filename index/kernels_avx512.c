/* SPDX-License-Identifier: Apache-2.0 */
#include "index/kernels.h"

#include "index/tile.h"

#include <immintrin.h>
#include <math.h>
#include <string.h>

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

/* The sums of four registers' lanes, side by side. */
AVX512 static inline __m128i sum_four(__m512i a, __m512i b, __m512i c, __m512i d)
{
    const __m512i ab =
        _mm512_add_epi32(_mm512_unpacklo_epi32(a, b), _mm512_unpackhi_epi32(a, b));
    const __m512i cd =
        _mm512_add_epi32(_mm512_unpacklo_epi32(c, d), _mm512_unpackhi_epi32(c, d));
    const __m512i all =
        _mm512_add_epi32(_mm512_unpacklo_epi64(ab, cd), _mm512_unpackhi_epi64(ab, cd));
    const __m256i half =
        _mm256_add_epi32(_mm512_castsi512_si256(all), _mm512_extracti64x4_epi64(all, 1));

    return _mm_add_epi32(_mm256_castsi256_si128(half), _mm256_extracti128_si256(half, 1));
}

/* Rows that are read one after the other are fetched so many bytes before, which is in time
 * for what memory takes; beyond the last of them in vain. */
enum { FETCHED_AHEAD = 2048 };

/* Four rows at a time: bytes of x are loaded once for them, and one addition across lanes
 * serves all four. */
AVX512 static void bytes_dots_avx512(const uint8_t *x, const int8_t *rows, size_t stride,
                                     size_t n_rows, size_t size, int32_t *ret)
{
    size_t row = 0;

    for (; row + 4 <= n_rows; row += 4) {
        const int8_t *y = rows + row * stride;
        __m512i a = _mm512_setzero_si512(), b = a, c = a, d = a;

        for (size_t i = 0; i < size; i += 64) {
            const size_t n = size - i;
            const __mmask64 mask = n < 64 ? (UINT64_C(1) << n) - 1 : ~UINT64_C(0);
            const __m512i bytes = _mm512_maskz_loadu_epi8(mask, x + i);

            for (size_t ahead = 0; ahead < 4; ahead++)
                __builtin_prefetch(y + ahead * stride + i + FETCHED_AHEAD);
            a = _mm512_dpbusd_epi32(a, bytes, _mm512_maskz_loadu_epi8(mask, y + i));
            b = _mm512_dpbusd_epi32(b, bytes,
                                    _mm512_maskz_loadu_epi8(mask, y + stride + i));
            c = _mm512_dpbusd_epi32(c, bytes,
                                    _mm512_maskz_loadu_epi8(mask, y + 2 * stride + i));
            d = _mm512_dpbusd_epi32(d, bytes,
                                    _mm512_maskz_loadu_epi8(mask, y + 3 * stride + i));
        }
        _mm_storeu_si128((__m128i *)(void *)(ret + row), sum_four(a, b, c, d));
    }
    for (; row < n_rows; row++)
        ret[row] = bytes_dot_avx512(x, rows + row * stride, size);
}

AVX512 static int32_t shifted_dot_avx512(const int8_t *x, const int8_t *y, size_t size)
{
    return flipped_dot((const uint8_t *)x, y, size, _mm512_set1_epi8(INT8_MIN));
}

/* ---- tiles ---- */

enum { TILE_ROWS = 6, TILE_GROUPS = 4, LONE_ROWS = 12, WORD = 4, SHIFT = 128 };

/* The product of a row's word with that of 16 queries. Told to the compiler as it is: of
 * the intrinsic gcc 12 keeps every sum in memory too, which takes 2.5 times as long. */
AVX512 static inline void add_words(__m512i *sums, __m512i queries, __m512i word)
{
    __asm__("vpdpbusd %2, %1, %0" : "+v"(*sums) : "v"(queries), "v"(word));
}

AVX512 static inline __m512i load_word(const struct hl_sketch *sketch, size_t word)
{
    int32_t bytes;

    memcpy(&bytes, sketch->bytes + word * WORD, sizeof bytes);
    return _mm512_set1_epi32(bytes);
}

static inline const struct hl_sketch *sketch_at(const unsigned char *sketches,
                                                size_t stride, size_t row)
{
    return (const struct hl_sketch *)(const void *)(sketches + row * stride);
}

/* What is left of a product when the queries' shift is taken away. */
AVX512 static inline __m512i first_sums(const struct hl_sketch *sketch)
{
    return _mm512_set1_epi32(-SHIFT * sketch->sum);
}

/* Which of the queries of some groups, from the one of query `at` on, a row stays for. */
AVX512 static inline uint64_t test_sums(const struct hl_tile *tile, size_t at,
                                        const struct hl_sketch *sketch, const __m512i *sums,
                                        size_t n_groups)
{
    const __m512 scale = _mm512_set1_ps(sketch->scale);
    const __m512 residual = _mm512_set1_ps(hl_tile_residual(sketch));
    const __m512 size = _mm512_set1_ps(hl_tile_size(tile, sketch));
    uint64_t may = 0;

#pragma GCC unroll 4
    for (size_t group = 0; group < n_groups; group++, at += HL_TILE_LANES) {
        __m512 reach = _mm512_mul_ps(_mm512_cvtepi32_ps(sums[group]), scale);

        reach = _mm512_fmadd_ps(_mm512_loadu_ps(tile->per_residual + at), residual, reach);
        reach = _mm512_fmadd_ps(_mm512_loadu_ps(tile->per_size + at), size, reach);
        may |= (uint64_t)_mm512_cmp_ps_mask(reach, _mm512_loadu_ps(tile->least + at),
                                            _CMP_NLT_UQ)
               << at;
    }
    return may;
}

/* All of 64 queries: 24 sums, and four loads of queries serve six rows. The next rows are
 * fetched meanwhile, beyond the last of them in vain: so many streams at once are more than
 * the processor follows by itself. */
AVX512 static void tile_wide(const struct hl_tile *tile, const unsigned char *sketches,
                             size_t stride, uint64_t *ret_may)
{
    const size_t ahead = TILE_ROWS * stride / tile->n_words;
    __m512i sums[TILE_ROWS][TILE_GROUPS];

#pragma GCC unroll 6
    for (size_t row = 0; row < TILE_ROWS; row++)
#pragma GCC unroll 4
        for (size_t group = 0; group < TILE_GROUPS; group++)
            sums[row][group] = first_sums(sketch_at(sketches, stride, row));
    for (size_t word = 0; word < tile->n_words; word++) {
        const uint8_t *from = tile->bytes + word * HL_TILE_QUERIES * WORD;
        __m512i queries[TILE_GROUPS];

        __builtin_prefetch(sketches + FETCHED_AHEAD + word * ahead);

#pragma GCC unroll 4
        for (size_t group = 0; group < TILE_GROUPS; group++)
            queries[group] = _mm512_loadu_si512(from + group * HL_TILE_LANES * WORD);
#pragma GCC unroll 6
        for (size_t row = 0; row < TILE_ROWS; row++) {
            const __m512i bytes = load_word(sketch_at(sketches, stride, row), word);

#pragma GCC unroll 4
            for (size_t group = 0; group < TILE_GROUPS; group++)
                add_words(&sums[row][group], queries[group], bytes);
        }
    }
#pragma GCC unroll 6
    for (size_t row = 0; row < TILE_ROWS; row++)
        ret_may[row] =
            test_sums(tile, 0, sketch_at(sketches, stride, row), sums[row], TILE_GROUPS);
}

/* One group of queries and twelve rows, so that no sum waits for itself. */
AVX512 static void tile_group(const struct hl_tile *tile, size_t group,
                              const unsigned char *sketches, size_t stride,
                              uint64_t *ret_may)
{
    const uint8_t *from = tile->bytes + group * HL_TILE_LANES * WORD;
    const size_t ahead = LONE_ROWS * stride / tile->n_words;
    __m512i sums[LONE_ROWS];

#pragma GCC unroll 12
    for (size_t row = 0; row < LONE_ROWS; row++)
        sums[row] = first_sums(sketch_at(sketches, stride, row));
    for (size_t word = 0; word < tile->n_words; word++) {
        const __m512i queries =
            _mm512_loadu_si512(from + word * tile->n_groups * HL_TILE_LANES * WORD);

        __builtin_prefetch(sketches + FETCHED_AHEAD + word * ahead);
#pragma GCC unroll 12
        for (size_t row = 0; row < LONE_ROWS; row++)
            add_words(&sums[row], queries,
                      load_word(sketch_at(sketches, stride, row), word));
    }
#pragma GCC unroll 12
    for (size_t row = 0; row < LONE_ROWS; row++)
        ret_may[row] |= test_sums(tile, group * HL_TILE_LANES,
                                  sketch_at(sketches, stride, row), &sums[row], 1);
}

AVX512 static void tile_long(const struct hl_tile *tile, const unsigned char *sketches,
                             size_t stride, uint64_t *ret_may)
{
    memset(ret_may, 0, LONE_ROWS * sizeof *ret_may);
    for (size_t group = 0; group < tile->n_groups; group++)
        tile_group(tile, group, sketches, stride, ret_may);
}

AVX512 static void tile_lone(const struct hl_tile *tile, const struct hl_sketch *sketch,
                             uint64_t *ret_may)
{
    *ret_may = 0;
    for (size_t group = 0; group < tile->n_groups; group++) {
        const uint8_t *from = tile->bytes + group * HL_TILE_LANES * WORD;
        __m512i sums = first_sums(sketch);

        for (size_t word = 0; word < tile->n_words; word++)
            add_words(
                &sums,
                _mm512_loadu_si512(from + word * tile->n_groups * HL_TILE_LANES * WORD),
                load_word(sketch, word));
        *ret_may |= test_sums(tile, group * HL_TILE_LANES, sketch, &sums, 1);
    }
}

/* The rows that are left over at the end are looked at with those before them once more. */
AVX512 static void tile_avx512(const struct hl_tile *tile, const unsigned char *sketches,
                               size_t stride, size_t n_rows, uint64_t *ret_may)
{
    const bool is_wide = tile->n_groups == TILE_GROUPS;
    const size_t n = is_wide ? TILE_ROWS : LONE_ROWS;

    for (size_t row = 0; row < n_rows && n_rows < n; row++)
        tile_lone(tile, sketch_at(sketches, stride, row), ret_may + row);
    for (size_t row = 0; row < n_rows && n_rows >= n; row += n) {
        const size_t first = row + n <= n_rows ? row : n_rows - n;

        if (is_wide)
            tile_wide(tile, sketches + first * stride, stride, ret_may + first);
        else
            tile_long(tile, sketches + first * stride, stride, ret_may + first);
    }
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
    .bytes_dots = bytes_dots_avx512,
    .shifted_dot = shifted_dot_avx512,
    .tile = tile_avx512,
};
