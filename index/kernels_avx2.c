/* SPDX-License-Identifier: Apache-2.0 */
#include "index/kernels.h"

#include "index/tile.h"

#include <immintrin.h>
#include <math.h>
#include <string.h>

/* Marked function by function and not by a compiler flag, so that nothing else in the
 * program can come to need these instructions. */
#define AVX2 __attribute__((target("avx2,fma")))

#define N_LANES ((size_t)8)

AVX2 static inline float sum_sums(__m256 a, __m256 b, __m256 c, __m256 d)
{
    const __m256 all = _mm256_add_ps(_mm256_add_ps(a, b), _mm256_add_ps(c, d));
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
    __m256 a = _mm256_setzero_ps(), b = a, c = a, d = a;
    float rest = 0;
    size_t i = 0;

    for (; i + 4 * N_LANES <= dim; i += 4 * N_LANES) {
        a = add_square(a, x + i, y + i);
        b = add_square(b, x + i + N_LANES, y + i + N_LANES);
        c = add_square(c, x + i + 2 * N_LANES, y + i + 2 * N_LANES);
        d = add_square(d, x + i + 3 * N_LANES, y + i + 3 * N_LANES);
    }
    for (; i + N_LANES <= dim; i += N_LANES)
        a = add_square(a, x + i, y + i);
    for (; i < dim; i++)
        rest += (x[i] - y[i]) * (x[i] - y[i]);
    return sum_sums(a, b, c, d) + rest;
}

AVX2 static float dot_avx2(const float *x, const float *y, size_t dim)
{
    __m256 a = _mm256_setzero_ps(), b = a, c = a, d = a;
    float rest = 0;
    size_t i = 0;

    for (; i + 4 * N_LANES <= dim; i += 4 * N_LANES) {
        a = add_product(a, x + i, y + i);
        b = add_product(b, x + i + N_LANES, y + i + N_LANES);
        c = add_product(c, x + i + 2 * N_LANES, y + i + 2 * N_LANES);
        d = add_product(d, x + i + 3 * N_LANES, y + i + 3 * N_LANES);
    }
    for (; i + N_LANES <= dim; i += N_LANES)
        a = add_product(a, x + i, y + i);
    for (; i < dim; i++)
        rest += x[i] * y[i];
    return sum_sums(a, b, c, d) + rest;
}

AVX2 static float norm_avx2(const float *x, size_t dim)
{
    return dot_avx2(x, x, dim);
}

AVX2 static inline __m256 load_codes(const uint8_t *codes)
{
    return _mm256_cvtepi32_ps(_mm256_cvtepu8_epi32(_mm_loadl_epi64((const void *)codes)));
}

AVX2 static inline __m256 add_code_square(__m256 sum, const float *x, const float *scale,
                                          const uint8_t *codes)
{
    const __m256 gap =
        _mm256_fnmadd_ps(_mm256_loadu_ps(scale), load_codes(codes), _mm256_loadu_ps(x));

    return _mm256_fmadd_ps(gap, gap, sum);
}

AVX2 static float code_l2_avx2(const float *x, const float *scale, const uint8_t *codes,
                               size_t dim)
{
    __m256 a = _mm256_setzero_ps(), b = a;
    float rest = 0;
    size_t i = 0;

    for (; i + 2 * N_LANES <= dim; i += 2 * N_LANES) {
        a = add_code_square(a, x + i, scale + i, codes + i);
        b = add_code_square(b, x + i + N_LANES, scale + i + N_LANES, codes + i + N_LANES);
    }
    for (; i < dim; i++) {
        const float gap = x[i] - scale[i] * (float)codes[i];

        rest += gap * gap;
    }
    return sum_sums(a, b, _mm256_setzero_ps(), _mm256_setzero_ps()) + rest;
}

AVX2 static float code_dot_avx2(const float *x, const uint8_t *codes, size_t dim)
{
    __m256 a = _mm256_setzero_ps(), b = a;
    float rest = 0;
    size_t i = 0;

    for (; i + 2 * N_LANES <= dim; i += 2 * N_LANES) {
        a = _mm256_fmadd_ps(_mm256_loadu_ps(x + i), load_codes(codes + i), a);
        b = _mm256_fmadd_ps(_mm256_loadu_ps(x + i + N_LANES),
                            load_codes(codes + i + N_LANES), b);
    }
    for (; i < dim; i++)
        rest += x[i] * (float)codes[i];
    return sum_sums(a, b, _mm256_setzero_ps(), _mm256_setzero_ps()) + rest;
}

/* By way of 16 bits: the instruction for bytes would saturate. `flip` is taken out of the
 * bits of each byte of x: the highest bit makes x[i] + 128 of a signed x[i]. */
AVX2 static inline int32_t flipped_dot(const uint8_t *x, const int8_t *y, size_t size,
                                       uint8_t flip)
{
    const __m128i flips = _mm_set1_epi8((char)flip);
    __m256i sums[2] = {_mm256_setzero_si256(), _mm256_setzero_si256()};
    int32_t lanes[8], rest = 0;
    size_t i = 0;

    for (; i + 16 <= size; i += 16) {
        const __m256i left = _mm256_cvtepu8_epi16(
            _mm_xor_si128(_mm_loadu_si128((const __m128i *)(x + i)), flips));
        const __m256i right =
            _mm256_cvtepi8_epi16(_mm_loadu_si128((const __m128i *)(y + i)));

        sums[i / 16 % 2] =
            _mm256_add_epi32(sums[i / 16 % 2], _mm256_madd_epi16(left, right));
    }
    for (; i < size; i++)
        rest += (x[i] ^ flip) * y[i];
    _mm256_storeu_si256((__m256i *)lanes, _mm256_add_epi32(sums[0], sums[1]));
    for (size_t lane = 0; lane < 8; lane++)
        rest += lanes[lane];
    return rest;
}

AVX2 static int32_t bytes_dot_avx2(const uint8_t *x, const int8_t *y, size_t size)
{
    return flipped_dot(x, y, size, 0);
}

AVX2 static int32_t shifted_dot_avx2(const int8_t *x, const int8_t *y, size_t size)
{
    return flipped_dot((const uint8_t *)x, y, size, 0x80);
}

/* ---- tiles ---- */

enum { TILE_ROWS = 4, N_HALVES = 2, WORD = 4, SHIFT = 128 };

/* The products of four bytes each, once more by way of 16 bits: of every word the even
 * bytes and the odd ones. */
AVX2 static inline __m256i add_words(__m256i sums, __m256i queries, __m256i word)
{
    const __m256i even = _mm256_and_si256(queries, _mm256_set1_epi16(0xFF));
    const __m256i odd = _mm256_srli_epi16(queries, 8);

    sums = _mm256_add_epi32(
        sums, _mm256_madd_epi16(even, _mm256_srai_epi16(_mm256_slli_epi16(word, 8), 8)));
    return _mm256_add_epi32(sums, _mm256_madd_epi16(odd, _mm256_srai_epi16(word, 8)));
}

/* Which of 8 queries a row stays for. */
AVX2 static inline uint64_t test_sums(const struct hl_tile *tile, size_t at,
                                      const struct hl_sketch *sketch, __m256i sums)
{
    __m256 reach = _mm256_mul_ps(_mm256_cvtepi32_ps(sums), _mm256_set1_ps(sketch->scale));

    reach = _mm256_fmadd_ps(_mm256_loadu_ps(tile->per_residual + at),
                            _mm256_set1_ps(hl_tile_residual(sketch)), reach);
    reach = _mm256_fmadd_ps(_mm256_loadu_ps(tile->per_size + at),
                            _mm256_set1_ps(hl_tile_size(tile, sketch)), reach);
    return (uint64_t)(unsigned)_mm256_movemask_ps(
               _mm256_cmp_ps(reach, _mm256_loadu_ps(tile->least + at), _CMP_NLT_UQ))
           << at;
}

/* One group of queries, and as many rows as there are registers for. */
AVX2 static inline void tile_group(const struct hl_tile *tile, size_t group,
                                   const struct hl_sketch *const *sketches, size_t n_rows,
                                   uint64_t *ret_may)
{
    const uint8_t *from = tile->bytes + group * HL_TILE_LANES * WORD;
    __m256i sums[TILE_ROWS][N_HALVES];

    for (size_t row = 0; row < n_rows; row++)
        for (size_t half = 0; half < N_HALVES; half++)
            sums[row][half] = _mm256_set1_epi32(-SHIFT * sketches[row]->sum);
    for (size_t word = 0; word < tile->n_words; word++) {
        const __m256i *queries =
            (const __m256i *)(const void *)(from +
                                            word * tile->n_groups * HL_TILE_LANES * WORD);

        for (size_t row = 0; row < n_rows; row++) {
            int32_t bytes;

            memcpy(&bytes, sketches[row]->bytes + word * WORD, sizeof bytes);
            for (size_t half = 0; half < N_HALVES; half++)
                sums[row][half] =
                    add_words(sums[row][half], _mm256_loadu_si256(queries + half),
                              _mm256_set1_epi32(bytes));
        }
    }
    for (size_t row = 0; row < n_rows; row++)
        for (size_t half = 0; half < N_HALVES; half++)
            ret_may[row] |= test_sums(tile, group * HL_TILE_LANES + half * N_LANES,
                                      sketches[row], sums[row][half]);
}

AVX2 static void tile_avx2(const struct hl_tile *tile, const unsigned char *sketches,
                           size_t stride, size_t n_rows, uint64_t *ret_may)
{
    memset(ret_may, 0, n_rows * sizeof *ret_may);
    for (size_t row = 0; row < n_rows; row += TILE_ROWS) {
        const size_t n = n_rows - row < TILE_ROWS ? n_rows - row : TILE_ROWS;
        const struct hl_sketch *rows[TILE_ROWS];

        for (size_t i = 0; i < n; i++)
            rows[i] =
                (const struct hl_sketch *)(const void *)(sketches + (row + i) * stride);
        for (size_t group = 0; group < tile->n_groups; group++) {
            if (n == TILE_ROWS) /* unfolded by the compiler */
                tile_group(tile, group, rows, TILE_ROWS, ret_may + row);
            else
                tile_group(tile, group, rows, n, ret_may + row);
        }
    }
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
    .bytes_dot = bytes_dot_avx2,
    .shifted_dot = shifted_dot_avx2,
    .tile = tile_avx2,
};
