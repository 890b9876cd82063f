/* SPDX-License-Identifier: Apache-2.0 */
#include "compat/gemv.h"

#include <immintrin.h>

/* As gemv_avx512.c, which says why, with registers of half the size: eight of them are the
 * sums of a panel's column, or of two columns of half a panel. */
#define AVX2 __attribute__((target("avx2,fma")))

#define LANES  ((size_t)8)
#define N_SUMS ((size_t)8)
#define AHEAD  ((size_t)2048)

AVX2 static inline void fetch_ahead(const void *w, size_t n_lines)
{
    for (size_t line = 0; line < n_lines; line++)
        _mm_prefetch((const char *)w + AHEAD + line * 64, _MM_HINT_T0);
}

AVX2 static inline void add_to(float *y, __m256 sum)
{
    _mm256_storeu_ps(y, _mm256_add_ps(_mm256_loadu_ps(y), sum));
}

/* ---- floats ---- */

AVX2 static inline void add_column(const float *w, size_t n, __m256 x, __m256 *sums)
{
    for (size_t i = 0; i < n; i++)
        sums[i] = _mm256_fmadd_ps(_mm256_loadu_ps(w + i * LANES), x, sums[i]);
}

AVX2 static void add_panel_floats(const float *w, size_t n_columns, const float *x,
                                  float *y)
{
    __m256 sums[N_SUMS];

    for (size_t i = 0; i < N_SUMS; i++)
        sums[i] = _mm256_setzero_ps();
    for (size_t column = 0; column < n_columns; column++, w += HL_GEMV_PANEL) {
        fetch_ahead(w, 4);
        add_column(w, N_SUMS, _mm256_set1_ps(x[column]), sums);
    }
    for (size_t i = 0; i < N_SUMS; i++)
        add_to(y + i * LANES, sums[i]);
}

AVX2 static void add_group_floats(const float *w, size_t n_columns, const float *x,
                                  float *y)
{
    __m256 sums[N_SUMS];
    size_t column = 0;

    for (size_t i = 0; i < N_SUMS; i++)
        sums[i] = _mm256_setzero_ps();
    for (; column + 2 <= n_columns; column += 2, w += 2 * (size_t)HL_GEMV_GROUP) {
        fetch_ahead(w, 4);
        add_column(w, N_SUMS / 2, _mm256_set1_ps(x[column]), sums);
        add_column(w + HL_GEMV_GROUP, N_SUMS / 2, _mm256_set1_ps(x[column + 1]),
                   sums + N_SUMS / 2);
    }
    if (column < n_columns)
        add_column(w, N_SUMS / 2, _mm256_set1_ps(x[column]), sums);
    for (size_t i = 0; i < N_SUMS / 2; i++)
        add_to(y + i * LANES, _mm256_add_ps(sums[i], sums[i + N_SUMS / 2]));
}

AVX2 static void floats_avx2(const float *w, size_t n_rows, size_t n_columns,
                             const float *x, float *y)
{
    size_t row = 0;

    for (; row + HL_GEMV_PANEL <= n_rows; row += HL_GEMV_PANEL)
        add_panel_floats(w + row * n_columns, n_columns, x, y + row);
    if (row < n_rows)
        add_group_floats(w + row * n_columns, n_columns, x, y + row);
}

/* ---- bfloats ---- */

/* A column of a group: 16 words, the halves of which are rows i and i + 16. */
AVX2 static inline void add_words(const uint16_t *w, __m256 x, __m256 *sums)
{
    const __m256i high = _mm256_set1_epi32((int)0xFFFF0000U);

    for (size_t i = 0; i < 2; i++) {
        const __m256i words =
            _mm256_loadu_si256((const __m256i_u *)(const void *)(w + i * 2 * LANES));
        const __m256 lower = _mm256_castsi256_ps(_mm256_slli_epi32(words, 16));
        const __m256 upper = _mm256_castsi256_ps(_mm256_and_si256(words, high));

        sums[i] = _mm256_fmadd_ps(lower, x, sums[i]);
        sums[i + 2] = _mm256_fmadd_ps(upper, x, sums[i + 2]);
    }
}

AVX2 static void add_panel_bfloats(const uint16_t *w, size_t n_columns, const float *x,
                                   float *y)
{
    __m256 sums[N_SUMS];

    for (size_t i = 0; i < N_SUMS; i++)
        sums[i] = _mm256_setzero_ps();
    for (size_t column = 0; column < n_columns; column++, w += HL_GEMV_PANEL) {
        fetch_ahead(w, 2);
        add_words(w, _mm256_set1_ps(x[column]), sums);
        add_words(w + HL_GEMV_GROUP, _mm256_set1_ps(x[column]), sums + N_SUMS / 2);
    }
    for (size_t i = 0; i < N_SUMS; i++)
        add_to(y + i * LANES, sums[i]);
}

AVX2 static void add_group_bfloats(const uint16_t *w, size_t n_columns, const float *x,
                                   float *y)
{
    __m256 sums[N_SUMS];
    size_t column = 0;

    for (size_t i = 0; i < N_SUMS; i++)
        sums[i] = _mm256_setzero_ps();
    for (; column + 2 <= n_columns; column += 2, w += 2 * (size_t)HL_GEMV_GROUP) {
        fetch_ahead(w, 2);
        add_words(w, _mm256_set1_ps(x[column]), sums);
        add_words(w + HL_GEMV_GROUP, _mm256_set1_ps(x[column + 1]), sums + N_SUMS / 2);
    }
    if (column < n_columns)
        add_words(w, _mm256_set1_ps(x[column]), sums);
    for (size_t i = 0; i < N_SUMS / 2; i++)
        add_to(y + i * LANES, _mm256_add_ps(sums[i], sums[i + N_SUMS / 2]));
}

AVX2 static void bfloats_avx2(const uint16_t *w, size_t n_rows, size_t n_columns,
                              const float *x, float *y)
{
    size_t row = 0;

    for (; row + HL_GEMV_PANEL <= n_rows; row += HL_GEMV_PANEL)
        add_panel_bfloats(w + row * n_columns, n_columns, x, y + row);
    if (row < n_rows)
        add_group_bfloats(w + row * n_columns, n_columns, x, y + row);
}

const struct hl_gemv hl_gemv_avx2 = {"avx2", floats_avx2, bfloats_avx2};
