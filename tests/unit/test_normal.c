/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "index/normal.h"

#include <float.h>
#include <math.h>
#include <string.h>

enum { MOST = 70 };

/* The same values, whatever the dimension. */
static void fill(float *values, size_t dim, float factor)
{
    for (size_t i = 0; i < dim; i++)
        values[i] = factor * (float)((int)(i * 37 % 23) - 11);
    values[0] = factor;
}

static double length_of(const float *values, size_t dim)
{
    double sum = 0;

    for (size_t i = 0; i < dim; i++)
        sum += (double)values[i] * (double)values[i];
    return sqrt(sum);
}

static void a_vector_of_any_size_gets_the_length_1(void **state)
{
    static const float factors[] = {1, 3e-20F, 1e18F, FLT_MAX / 100};
    float in[MOST], out[MOST];

    (void)state;
    for (size_t dim = 1; dim <= MOST; dim++)
        for (size_t i = 0; i < sizeof factors / sizeof *factors; i++) {
            fill(in, dim, factors[i]);
            hl_normalise(in, dim, out);
            assert_true(fabs(length_of(out, dim) - 1) < 1e-6);
            for (size_t j = 0; j < dim; j++)
                assert_true(fabs((double)out[j] - (double)in[j] / length_of(in, dim)) <
                            1e-7);
        }
}

static void what_has_length_1_stays_to_the_bit(void **state)
{
    float once[MOST], twice[MOST];

    (void)state;
    for (size_t dim = 1; dim <= MOST; dim++) {
        fill(once, dim, .7F);
        hl_normalise(once, dim, once);
        hl_normalise(once, dim, twice);
        assert_memory_equal(once, twice, dim * sizeof *once);
    }
}

static void what_has_no_length_stays_zero(void **state)
{
    float values[MOST] = {0, -0.0F};
    const float zeros[MOST] = {0, -0.0F};

    (void)state;
    hl_normalise(values, MOST, values);
    assert_memory_equal(values, zeros, sizeof zeros);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_vector_of_any_size_gets_the_length_1),
        cmocka_unit_test(what_has_length_1_stays_to_the_bit),
        cmocka_unit_test(what_has_no_length_stays_zero),
    };

    return cmocka_run_group_tests_name("normal", tests, NULL, NULL);
}
