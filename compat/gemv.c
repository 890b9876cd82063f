/* SPDX-License-Identifier: Apache-2.0 */
#include "compat/gemv.h"

#include "proto/half.h"
#include "proto/processor.h"

#include <string.h>

/* ---- packing ---- */

size_t hl_gemv_rows(size_t n_rows)
{
    return (n_rows + HL_GEMV_GROUP - 1) / HL_GEMV_GROUP * HL_GEMV_GROUP;
}

/* Where an element of a packed matrix of so many rows lies: in the panel of its row, in the
 * column's run of the panel's height. */
static size_t place_of(size_t n_rows, size_t n_columns, size_t row, size_t column)
{
    size_t first = row / HL_GEMV_PANEL * HL_GEMV_PANEL;
    size_t height = n_rows - first < HL_GEMV_PANEL ? n_rows - first : HL_GEMV_PANEL;

    return first * n_columns + column * height + (row - first);
}

void hl_gemv_pack_floats(const float *rows, size_t n_rows, size_t n_columns, float *packed)
{
    size_t n = hl_gemv_rows(n_rows);

    memset(packed, 0, n * n_columns * sizeof *packed);
    for (size_t row = 0; row < n_rows; row++)
        for (size_t column = 0; column < n_columns; column++)
            packed[place_of(n, n_columns, row, column)] = rows[row * n_columns + column];
}

/* Rows i and i + 16 of a group lie side by side: the two halves of one 32-bit word, which a
 * shift and a mask make floats of, each in the lane where it is wanted. */
void hl_gemv_pack_bfloats(const float *rows, size_t n_rows, size_t n_columns,
                          uint16_t *packed)
{
    size_t n = hl_gemv_rows(n_rows), half = HL_GEMV_GROUP / 2;

    memset(packed, 0, n * n_columns * sizeof *packed);
    for (size_t row = 0; row < n_rows; row++) {
        size_t group = row / HL_GEMV_GROUP * HL_GEMV_GROUP, in_group = row - group;
        size_t slot = group + in_group % half * 2 + in_group / half;

        for (size_t column = 0; column < n_columns; column++)
            hl_bfloat_from_floats(rows + row * n_columns + column, 1,
                                  packed + place_of(n, n_columns, slot, column));
    }
}

/* ---- the portable table ---- */

/* Four floats in the vector type that gcc and clang share: SSE2, NEON, or whatever the
 * floor of the processor family is. Half a panel's sums fill eight of its registers. */
typedef float quad __attribute__((vector_size(16)));
typedef uint32_t words __attribute__((vector_size(16)));

enum { N_LANES = 4, N_SUMS = HL_GEMV_GROUP / N_LANES };

static inline quad load_quad(const float *x)
{
    quad lanes;

    memcpy(&lanes, x, sizeof lanes);
    return lanes;
}

static inline void add_sums(const quad *sums, float *y)
{
    for (size_t i = 0; i < N_SUMS; i++) {
        const quad lanes = load_quad(y + i * N_LANES) + sums[i];

        memcpy(y + i * N_LANES, &lanes, sizeof lanes);
    }
}

/* 32 rows of a panel. */
static void add_floats(const float *w, size_t height, size_t n_columns, const float *x,
                       float *y)
{
    quad sums[N_SUMS] = {{0}};

    for (size_t column = 0; column < n_columns; column++, w += height)
        for (size_t i = 0; i < N_SUMS; i++)
            sums[i] += load_quad(w + i * N_LANES) * x[column];
    add_sums(sums, y);
}

static void add_bfloats(const uint16_t *w, size_t height, size_t n_columns, const float *x,
                        float *y)
{
    quad sums[N_SUMS] = {{0}};

    for (size_t column = 0; column < n_columns; column++, w += height) {
        for (size_t i = 0; i < N_SUMS / 2; i++) {
            words both;

            memcpy(&both, w + i * 2 * N_LANES, sizeof both);
            sums[i] += (quad)(both << 16) * x[column];
            sums[i + N_SUMS / 2] += (quad)(both & 0xFFFF0000U) * x[column];
        }
    }
    add_sums(sums, y);
}

static size_t height_at(size_t n_rows, size_t row)
{
    size_t rest = n_rows - row / HL_GEMV_PANEL * HL_GEMV_PANEL;

    return rest < HL_GEMV_PANEL ? rest : HL_GEMV_PANEL;
}

static void floats_portable(const float *w, size_t n_rows, size_t n_columns, const float *x,
                            float *y)
{
    for (size_t row = 0; row < n_rows; row += HL_GEMV_GROUP)
        add_floats(w + place_of(n_rows, n_columns, row, 0), height_at(n_rows, row),
                   n_columns, x, y + row);
}

static void bfloats_portable(const uint16_t *w, size_t n_rows, size_t n_columns,
                             const float *x, float *y)
{
    for (size_t row = 0; row < n_rows; row += HL_GEMV_GROUP)
        add_bfloats(w + place_of(n_rows, n_columns, row, 0), height_at(n_rows, row),
                    n_columns, x, y + row);
}

const struct hl_gemv hl_gemv_portable = {"portable", floats_portable, bfloats_portable};

/* ---- choosing ---- */

/* The best first. */
static const struct hl_processor_choice choices[] = {
    {"avx512", HL_PROCESSOR_X86(hl_gemv_avx512), HL_PROCESSOR_AVX512},
    {"avx2", HL_PROCESSOR_X86(hl_gemv_avx2), HL_PROCESSOR_AVX2},
    {"portable", &hl_gemv_portable, HL_PROCESSOR_ANY},
};

enum hl_code hl_gemv_find(const char *name, const struct hl_gemv **ret_gemv,
                          struct hl_err *err)
{
    const void *table = NULL;
    enum hl_code code =
        hl_processor_choose(name, choices, sizeof choices / sizeof *choices, &table, err);

    if (code == HL_OK)
        *ret_gemv = table;
    return code;
}
