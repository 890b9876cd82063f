/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "index/sketch.h"
#include "tests/unit/sketching.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { LARGEST = 1100 };

static struct hl_sketch *sketch_of(const float *values, size_t dim)
{
    struct hl_sketch *sketch = malloc(hl_sketch_stride(dim));

    assert_non_null(sketch);
    memset(sketch, 0x5A, hl_sketch_stride(dim));
    hl_sketch_write(values, dim, sketch);
    return sketch;
}

/* A byte is off by half a step at most, on either side. */
static double bound_of(const float *x, const float *y, size_t dim)
{
    double sum_x = 0, sum_y = 0, largest_x = 0, largest_y = 0;

    for (size_t i = 0; i < dim; i++) {
        sum_x += fabs((double)x[i]);
        sum_y += fabs((double)y[i]);
        largest_x = fmax(largest_x, fabs((double)x[i]));
        largest_y = fmax(largest_y, fabs((double)y[i]));
    }
    return (sum_x * largest_y + sum_y * largest_x) / 254 +
           (double)dim * largest_x * largest_y / (254.0 * 254.0) + 1e-4;
}

static void compare(const struct hl_kernels *kernels, const float *x, const float *y,
                    size_t dim)
{
    struct hl_sketch *sketch = sketch_of(y, dim);
    uint8_t *bytes = malloc(hl_sketch_stride(dim));
    double dot = 0, l2 = 0;
    struct hl_sketch_query query;

    assert_non_null(bytes);
    for (size_t i = 0; i < dim; i++) {
        dot += (double)x[i] * (double)y[i];
        l2 += ((double)x[i] - (double)y[i]) * ((double)x[i] - (double)y[i]);
    }
    hl_sketch_query_init(&query, kernels, HL_METRIC_DOT, x, dim, bytes);
    assert_true(fabs((double)hl_sketch_score(&query, sketch) - dot) <= bound_of(x, y, dim));
    assert_float_equal(hl_sketch_exact(&query, y), (float)dot, 1e-3F);
    hl_sketch_query_init(&query, kernels, HL_METRIC_L2, x, dim, bytes);
    assert_true(fabs((double)hl_sketch_score(&query, sketch) + l2) <=
                2 * bound_of(x, y, dim) + 1e-3);
    assert_float_equal(hl_sketch_exact(&query, y), (float)-l2, 1e-3F);
    free(bytes);
    free(sketch);
}

static void scores_are_within_the_error_of_a_byte(void **state)
{
    float x[LARGEST], y[LARGEST];
    uint64_t seed = 11;
    size_t n_tables = 0;

    (void)state;
    for (size_t i = 0; i < N_TABLES; i++) {
        const struct hl_kernels *kernels = table_of(tables[i]);

        if (!kernels)
            continue;
        n_tables++;
        for (size_t dim = 1; dim <= LARGEST; dim += dim < 140 ? 1 : 61) {
            for (size_t j = 0; j < dim; j++) {
                x[j] = value_at(&seed);
                y[j] = value_at(&seed);
            }
            compare(kernels, x, y, dim);
        }
    }
    assert_true(n_tables >= 2);
}

static void every_table_counts_the_same(void **state)
{
    uint8_t left[LARGEST];
    int8_t lowered[LARGEST], right[LARGEST]; /* the first by 128 */
    uint64_t seed = 5;

    (void)state;
    for (size_t i = 0; i < LARGEST; i++) {
        left[i] = (uint8_t)(255 - (i % 3) * 100);
        lowered[i] = (int8_t)(left[i] - 128);
        right[i] = (int8_t)(value_at(&seed) * 127);
    }
    for (size_t i = 0; i < N_TABLES; i++) {
        const struct hl_kernels *kernels = table_of(tables[i]);

        if (!kernels || !kernels->bytes_dot)
            continue;
        for (size_t start = 0; start < 5; start++)
            for (size_t size = 0; start + size <= LARGEST; size += size < 300 ? 1 : 53) {
                const int32_t sum =
                    hl_kernels_portable.bytes_dot(left + start, right + start, size);

                assert_int_equal(kernels->bytes_dot(left + start, right + start, size),
                                 sum);
                assert_int_equal(kernels->shifted_dot(lowered + start, right + start, size),
                                 sum);
            }
    }
}

/* `rows` has that many sketches. */
static void compare_run(const struct hl_sketch_query *query, const unsigned char *rows,
                        size_t stride, size_t n_rows)
{
    float scores[HL_SKETCH_RUN];

    hl_sketch_scores(query, (const struct hl_sketch *)(const void *)rows, stride, n_rows,
                     scores);
    for (size_t i = 0; i < n_rows; i++) {
        const struct hl_sketch *row =
            (const struct hl_sketch *)(const void *)(rows + i * stride);

        assert_int_equal(bits_of(scores[i]), bits_of(hl_sketch_score(query, row)));
    }
}

static void rows_of_a_run_score_as_each_of_them_does(void **state)
{
    enum { DIM = 260 };
    float values[DIM];
    uint64_t seed = 11;

    (void)state;
    for (size_t dim = 1; dim <= DIM; dim += dim < 20 ? 1 : 24) {
        const size_t stride = hl_sketch_stride(dim);
        unsigned char *rows = malloc(HL_SKETCH_RUN * stride);
        uint8_t bytes[DIM + 32];

        assert_non_null(rows);
        for (size_t row = 0; row <= HL_SKETCH_RUN; row++) {
            for (size_t i = 0; i < dim; i++)
                values[i] = value_at(&seed);
            if (row < HL_SKETCH_RUN)
                hl_sketch_write(values, dim,
                                (struct hl_sketch *)(void *)(rows + row * stride));
        }
        for (size_t i = 0; i < 2 * N_TABLES; i++) {
            const struct hl_kernels *kernels = table_of(tables[i / 2]);
            struct hl_sketch_query query;

            if (!kernels)
                continue;
            hl_sketch_query_init(&query, kernels, i % 2 ? HL_METRIC_L2 : HL_METRIC_DOT,
                                 values, dim, bytes);
            for (size_t n = 0; n <= HL_SKETCH_RUN; n += n < 9 ? 1 : 11)
                compare_run(&query, rows, stride, n);
        }
        free(rows);
    }
}

static void the_largest_rows_do_not_overflow(void **state)
{
    float *x = malloc(HL_SKETCH_MAX_DIM * sizeof *x);

    (void)state;
    assert_non_null(x);
    for (size_t i = 0; i < HL_SKETCH_MAX_DIM; i++)
        x[i] = 1;
    for (size_t i = 0; i < 3; i++) {
        const struct hl_kernels *kernels = table_of(tables[i]);

        if (kernels)
            compare(kernels, x, x, HL_SKETCH_MAX_DIM);
    }
    free(x);
}

static void zeros_and_extremes_make_finite_bytes(void **state)
{
    static const float rows[][4] = {
        {0, 0, 0, 0}, {-0.0F, 1e-38F, 1e-45F, 0}, {3e38F, -3e38F, 1, 0}, {1, -1, 1, -1}};

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct hl_sketch *sketch = sketch_of(rows[i], 4);
        int32_t sum = 0;

        for (size_t at = 0; at < hl_sketch_stride(4) - sizeof *sketch; at++) {
            assert_true(at < 4 || sketch->bytes[at] == 0);
            assert_true(sketch->bytes[at] >= -127);
            sum += sketch->bytes[at];
        }
        assert_int_equal(sketch->sum, sum);
        assert_true(isfinite(sketch->scale));
        free(sketch);
    }
}

static void the_floats_tell_manhattans_distance(void **state)
{
    float x[LARGEST], y[LARGEST];
    uint64_t seed = 3;

    (void)state;
    for (size_t i = 0; i < LARGEST; i++) {
        x[i] = value_at(&seed) * 100;
        y[i] = value_at(&seed);
    }
    for (size_t dim = 1; dim <= LARGEST; dim += dim < 40 ? 1 : 53) {
        uint8_t *bytes = malloc(hl_sketch_stride(dim));
        struct hl_sketch_query query;
        double wanted = 0;

        assert_non_null(bytes);
        for (size_t i = 0; i < dim; i++)
            wanted += fabs((double)x[i] - (double)y[i]);
        hl_sketch_query_init(&query, &hl_kernels_portable, HL_METRIC_L1, x, dim, bytes);
        assert_true(fabs((double)hl_sketch_exact(&query, y) + wanted) <= wanted * 1e-5);
        assert_true(fabsf(hl_sketch_exact(&query, x)) <= 0);
        free(bytes);
    }
}

/* The length of what the bytes leave out, in double precision. */
static double residual_of(const float *values, const struct hl_sketch *sketch, size_t dim)
{
    double sum = 0;

    for (size_t i = 0; i < dim; i++) {
        const double gap = (double)values[i] - (double)sketch->scale * sketch->bytes[i];

        sum += gap * gap;
    }
    return sqrt(sum);
}

static void a_sketch_knows_how_far_it_is_from_its_row(void **state)
{
    float row[LARGEST];
    uint64_t seed = 17;

    (void)state;
    for (size_t dim = 1; dim <= LARGEST; dim += dim < 70 ? 1 : 47) {
        struct hl_sketch *sketch;
        double residual;

        for (size_t i = 0; i < dim; i++)
            row[i] = value_at(&seed);
        sketch = sketch_of(row, dim);
        residual = residual_of(row, sketch, dim);
        assert_true((double)sketch->residual >= residual);
        assert_true((double)sketch->residual <= residual * 1.00001 + 1e-30);
        assert_true(sketch->residual > 0); /* 0 is what older files have */
        free(sketch);
    }
}

static void a_row_that_floats_cannot_measure_says_nothing(void **state)
{
    static const struct {
        float value;
        bool is_known;
    } rows[] = {{0, true},       {1e-8F, true},  {1e8F, true},    {1e-10F, false},
                {1e-40F, false}, {1e10F, false}, {3.4e38F, false}};

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const float values[] = {rows[i].value, 0, 0};
        struct hl_sketch *sketch = sketch_of(values, 3);

        assert_int_equal(sketch->residual > 0, rows[i].is_known);
        free(sketch);
    }
}

/* Each row is a little farther from the query than the one before. */
static void rows_far_from_the_origin_keep_their_order(void **state)
{
    enum { DIM = 256, N_ROWS = 20 };
    float query[DIM], row[DIM], noise[DIM], before = INFINITY;
    uint8_t bytes[DIM + sizeof(struct hl_sketch)];
    struct hl_sketch_query ready;
    uint64_t seed = 7;

    (void)state;
    for (size_t i = 0; i < DIM; i++) {
        query[i] = 50 + value_at(&seed);
        noise[i] = value_at(&seed);
    }
    hl_sketch_query_init(&ready, &hl_kernels_portable, HL_METRIC_L2, query, DIM, bytes);
    for (size_t n = 1; n <= N_ROWS; n++) {
        struct hl_sketch *sketch;
        float score;

        for (size_t i = 0; i < DIM; i++)
            row[i] = query[i] + noise[i] * (float)n * 0.25F;
        sketch = sketch_of(row, DIM);
        score = hl_sketch_score(&ready, sketch);
        assert_true(score <= 0);
        assert_true(score < before);
        before = score;
        free(sketch);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(scores_are_within_the_error_of_a_byte),
        cmocka_unit_test(every_table_counts_the_same),
        cmocka_unit_test(rows_of_a_run_score_as_each_of_them_does),
        cmocka_unit_test(the_largest_rows_do_not_overflow),
        cmocka_unit_test(zeros_and_extremes_make_finite_bytes),
        cmocka_unit_test(a_sketch_knows_how_far_it_is_from_its_row),
        cmocka_unit_test(a_row_that_floats_cannot_measure_says_nothing),
        cmocka_unit_test(rows_far_from_the_origin_keep_their_order),
        cmocka_unit_test(the_floats_tell_manhattans_distance),
    };

    return cmocka_run_group_tests_name("sketch", tests, NULL, NULL);
}
