/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "compat/logits.h"

#include <math.h>

static void assert_floats(const float *got, const float *wanted, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (!(fabsf(got[i] - wanted[i]) < 1e-6F))
            fail_msg("number %zu is %f, wanted %f", i, (double)got[i], (double)wanted[i]);
}

static void logits_are_products_moved_and_scaled(void **state)
{
    static const float weight[] = {1, 0, 0, 2, 3, 3}, bias[] = {0, 1, -1};
    static const float vectors[] = {.6F, .8F, 1, 0};
    const struct hl_logits rows = {weight, bias, 3, 2}, plain = {weight, NULL, 3, 2};
    float logits[6];

    (void)state;
    hl_logits_take(&rows, 1, vectors, 2, logits);
    assert_floats(logits, (const float[]){.6F, 2.6F, 3.2F, 1, 1, 2}, 6);
    hl_logits_take(&rows, .5F, vectors, 2, logits);
    assert_floats(logits, (const float[]){.3F, 1.3F, 1.6F, .5F, .5F, 1}, 6);
    hl_logits_take(&plain, 1, vectors, 1, logits);
    assert_floats(logits, (const float[]){.6F, 1.6F, 4.2F}, 3);
}

static void softened_logits_are_probabilities_and_their_sum_is_told(void **state)
{
    float logits[] = {logf(1), logf(2), logf(5)};
    float log_sum = hl_logits_soften(logits, 3);

    (void)state;
    assert_floats(logits, (const float[]){.125F, .25F, .625F}, 3);
    assert_floats(&log_sum, (const float[]){logf(8)}, 1);
}

/* exp(400) is beyond floats. */
static void large_logits_do_not_overflow(void **state)
{
    float logits[] = {400, 400, -400};
    float log_sum = hl_logits_soften(logits, 3);

    (void)state;
    assert_floats(logits, (const float[]){.5F, .5F, 0}, 3);
    assert_true(fabsf(log_sum - 400 - logf(2)) < 1e-4F);
}

static void the_highest_is_the_first_of_equals_with_its_bias(void **state)
{
    static const float logits[] = {1, 3, 3, 2}, bias[] = {0, 0, 0, 2},
                       level[] = {2, 0, 0, 1};

    (void)state;
    assert_int_equal(hl_logits_highest(logits, NULL, 4), 1);
    assert_int_equal(hl_logits_highest(logits, bias, 4), 3);
    assert_int_equal(hl_logits_highest(logits, level, 4), 0);
    assert_int_equal(hl_logits_highest(logits, bias, 1), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(logits_are_products_moved_and_scaled),
        cmocka_unit_test(softened_logits_are_probabilities_and_their_sum_is_told),
        cmocka_unit_test(large_logits_do_not_overflow),
        cmocka_unit_test(the_highest_is_the_first_of_equals_with_its_bias),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
