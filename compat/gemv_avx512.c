/* SPDX-License-Identifier: Apache-2.0 */
#include "compat/gemv.h"

#include <immintrin.h>

/* Marked function by function: the rest of the program is compiled for any x86-64. Eight
 * sums at once hide the latency of an addition: four registers of a panel by two columns,
 * or two by four. */
#define AVX512 __attribute__((target("avx512f")))

#define LANES  ((size_t)16)
#define N_SUMS ((size_t)8)

/* A matrix that is larger than the second cache comes from the third as fast as lines are
 * asked for, and the processor's own foresight asks too late. Beyond the end of a matrix
 * nothing is read: a prefetch does not fault. */
#define AHEAD ((size_t)2048)

AVX512 static inline void fetch_ahead(const void *w)
{
    for (size_t line = 0; line < 8; line++)
        _mm_prefetch((const char *)w + AHEAD + line * 64, _MM_HINT_T0);
}

AVX512 static inline __m512 at(const float *x)
{
    return _mm512_loadu_ps(x);
}

AVX512 static inline void add_to(float *y, __m512 sum)
{
    _mm512_storeu_ps(y, _mm512_add_ps(_mm512_loadu_ps(y), sum));
}

/* ---- floats ---- */

AVX512 static void add_panel_floats(const float *w, size_t n_columns, const float *x,
                                    float *y)
{
    __m512 a = _mm512_setzero_ps(), b = a, c = a, d = a, e = a, f = a, g = a, h = a;
    size_t column = 0;

    for (; column + 2 <= n_columns; column += 2, w += 8 * LANES) {
        fetch_ahead(w);
        const __m512 x0 = _mm512_set1_ps(x[column]), x1 = _mm512_set1_ps(x[column + 1]);

        a = _mm512_fmadd_ps(at(w), x0, a);
        b = _mm512_fmadd_ps(at(w + LANES), x0, b);
        c = _mm512_fmadd_ps(at(w + 2 * LANES), x0, c);
        d = _mm512_fmadd_ps(at(w + 3 * LANES), x0, d);
        e = _mm512_fmadd_ps(at(w + 4 * LANES), x1, e);
        f = _mm512_fmadd_ps(at(w + 5 * LANES), x1, f);
        g = _mm512_fmadd_ps(at(w + 6 * LANES), x1, g);
        h = _mm512_fmadd_ps(at(w + 7 * LANES), x1, h);
    }
    if (column < n_columns) {
        const __m512 x0 = _mm512_set1_ps(x[column]);

        a = _mm512_fmadd_ps(at(w), x0, a);
        b = _mm512_fmadd_ps(at(w + LANES), x0, b);
        c = _mm512_fmadd_ps(at(w + 2 * LANES), x0, c);
        d = _mm512_fmadd_ps(at(w + 3 * LANES), x0, d);
    }
    add_to(y, _mm512_add_ps(a, e));
    add_to(y + LANES, _mm512_add_ps(b, f));
    add_to(y + 2 * LANES, _mm512_add_ps(c, g));
    add_to(y + 3 * LANES, _mm512_add_ps(d, h));
}

AVX512 static void add_group_floats(const float *w, size_t n_columns, const float *x,
                                    float *y)
{
    __m512 a = _mm512_setzero_ps(), b = a, c = a, d = a, e = a, f = a, g = a, h = a;
    size_t column = 0;

    for (; column + 4 <= n_columns; column += 4, w += 8 * LANES) {
        fetch_ahead(w);
        const __m512 x0 = _mm512_set1_ps(x[column]), x1 = _mm512_set1_ps(x[column + 1]);
        const __m512 x2 = _mm512_set1_ps(x[column + 2]), x3 = _mm512_set1_ps(x[column + 3]);

        a = _mm512_fmadd_ps(at(w), x0, a);
        b = _mm512_fmadd_ps(at(w + LANES), x0, b);
        c = _mm512_fmadd_ps(at(w + 2 * LANES), x1, c);
        d = _mm512_fmadd_ps(at(w + 3 * LANES), x1, d);
        e = _mm512_fmadd_ps(at(w + 4 * LANES), x2, e);
        f = _mm512_fmadd_ps(at(w + 5 * LANES), x2, f);
        g = _mm512_fmadd_ps(at(w + 6 * LANES), x3, g);
        h = _mm512_fmadd_ps(at(w + 7 * LANES), x3, h);
    }
    for (; column < n_columns; column++, w += 2 * LANES) {
        const __m512 x0 = _mm512_set1_ps(x[column]);

        a = _mm512_fmadd_ps(at(w), x0, a);
        b = _mm512_fmadd_ps(at(w + LANES), x0, b);
    }
    add_to(y, _mm512_add_ps(_mm512_add_ps(a, c), _mm512_add_ps(e, g)));
    add_to(y + LANES, _mm512_add_ps(_mm512_add_ps(b, d), _mm512_add_ps(f, h)));
}

AVX512 static void floats_avx512(const float *w, size_t n_rows, size_t n_columns,
                                 const float *x, float *y)
{
    size_t row = 0;

    for (; row + HL_GEMV_PANEL <= n_rows; row += HL_GEMV_PANEL)
        add_panel_floats(w + row * n_columns, n_columns, x, y + row);
    if (row < n_rows)
        add_group_floats(w + row * n_columns, n_columns, x, y + row);
}

/* ---- bfloats ---- */

/* The two floats of each word: the lower half moved up, and the upper half alone. */
AVX512 static inline __m512 lower(__m512i words)
{
    return _mm512_castsi512_ps(_mm512_slli_epi32(words, 16));
}

AVX512 static inline __m512 upper(__m512i words)
{
    return _mm512_castsi512_ps(
        _mm512_and_si512(words, _mm512_set1_epi32((int)0xFFFF0000U)));
}

AVX512 static void add_panel_bfloats(const uint16_t *w, size_t n_columns, const float *x,
                                     float *y)
{
    __m512 a = _mm512_setzero_ps(), b = a, c = a, d = a, e = a, f = a, g = a, h = a;
    size_t column = 0;

    for (; column + 2 <= n_columns; column += 2, w += 8 * LANES) {
        fetch_ahead(w);
        const __m512 x0 = _mm512_set1_ps(x[column]), x1 = _mm512_set1_ps(x[column + 1]);
        const __m512i w0 = _mm512_loadu_si512(w), w1 = _mm512_loadu_si512(w + 2 * LANES);
        const __m512i w2 = _mm512_loadu_si512(w + 4 * LANES);
        const __m512i w3 = _mm512_loadu_si512(w + 6 * LANES);

        a = _mm512_fmadd_ps(lower(w0), x0, a);
        b = _mm512_fmadd_ps(upper(w0), x0, b);
        c = _mm512_fmadd_ps(lower(w1), x0, c);
        d = _mm512_fmadd_ps(upper(w1), x0, d);
        e = _mm512_fmadd_ps(lower(w2), x1, e);
        f = _mm512_fmadd_ps(upper(w2), x1, f);
        g = _mm512_fmadd_ps(lower(w3), x1, g);
        h = _mm512_fmadd_ps(upper(w3), x1, h);
    }
    if (column < n_columns) {
        const __m512 x0 = _mm512_set1_ps(x[column]);
        const __m512i w0 = _mm512_loadu_si512(w), w1 = _mm512_loadu_si512(w + 2 * LANES);

        a = _mm512_fmadd_ps(lower(w0), x0, a);
        b = _mm512_fmadd_ps(upper(w0), x0, b);
        c = _mm512_fmadd_ps(lower(w1), x0, c);
        d = _mm512_fmadd_ps(upper(w1), x0, d);
    }
    add_to(y, _mm512_add_ps(a, e));
    add_to(y + LANES, _mm512_add_ps(b, f));
    add_to(y + 2 * LANES, _mm512_add_ps(c, g));
    add_to(y + 3 * LANES, _mm512_add_ps(d, h));
}

AVX512 static void add_group_bfloats(const uint16_t *w, size_t n_columns, const float *x,
                                     float *y)
{
    __m512 sums[N_SUMS] = {_mm512_setzero_ps(), _mm512_setzero_ps(), _mm512_setzero_ps(),
                           _mm512_setzero_ps(), _mm512_setzero_ps(), _mm512_setzero_ps(),
                           _mm512_setzero_ps(), _mm512_setzero_ps()};
    size_t column = 0;

    for (; column + 4 <= n_columns; column += 4) {
        fetch_ahead(w);
        for (size_t i = 0; i < 4; i++, w += 2 * LANES) {
            const __m512 x0 = _mm512_set1_ps(x[column + i]);
            const __m512i w0 = _mm512_loadu_si512(w);

            sums[2 * i] = _mm512_fmadd_ps(lower(w0), x0, sums[2 * i]);
            sums[2 * i + 1] = _mm512_fmadd_ps(upper(w0), x0, sums[2 * i + 1]);
        }
    }
    for (; column < n_columns; column++, w += 2 * LANES) {
        const __m512 x0 = _mm512_set1_ps(x[column]);
        const __m512i w0 = _mm512_loadu_si512(w);

        sums[0] = _mm512_fmadd_ps(lower(w0), x0, sums[0]);
        sums[1] = _mm512_fmadd_ps(upper(w0), x0, sums[1]);
    }
    for (size_t i = 2; i < N_SUMS; i++)
        sums[i % 2] = _mm512_add_ps(sums[i % 2], sums[i]);
    add_to(y, sums[0]);
    add_to(y + LANES, sums[1]);
}

AVX512 static void bfloats_avx512(const uint16_t *w, size_t n_rows, size_t n_columns,
                                  const float *x, float *y)
{
    size_t row = 0;

    for (; row + HL_GEMV_PANEL <= n_rows; row += HL_GEMV_PANEL)
        add_panel_bfloats(w + row * n_columns, n_columns, x, y + row);
    if (row < n_rows)
        add_group_bfloats(w + row * n_columns, n_columns, x, y + row);
}

const struct hl_gemv hl_gemv_avx512 = {"avx512", floats_avx512, bfloats_avx512};
