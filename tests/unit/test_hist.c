/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "proto/fail.h"
#include "proto/hist.h"
#include "proto/random.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

enum { MANY = 20000 };

static struct hl_hist *new_hist(const uint64_t *values, size_t n)
{
    struct hl_hist *hist = hl_hist_new();

    assert_non_null(hist);
    for (size_t i = 0; i < n; i++)
        hl_hist_record(hist, values[i]);
    return hist;
}

#define HIST(...)                                                                          \
    new_hist((const uint64_t[]){__VA_ARGS__},                                              \
             sizeof((const uint64_t[]){__VA_ARGS__}) / sizeof(uint64_t))

static int compare(const void *a, const void *b)
{
    const uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

    return (x > y) - (x < y);
}

/* Of all sizes: as many between 1 and 10 as between 10^11 and 10^12. */
static void fill_values(uint64_t *values, uint64_t seed)
{
    struct hl_random random = {seed};

    for (size_t i = 0; i < MANY; i++)
        values[i] = (uint64_t)exp(hl_random_unit(&random) * log(1e12));
}

static void an_empty_one_has_nothing_to_say(void **state)
{
    struct hl_hist *hist = hl_hist_new();

    (void)state;
    assert_non_null(hist);
    assert_int_equal(hl_hist_count(hist), 0);
    assert_int_equal(hl_hist_max(hist), 0);
    assert_int_equal(hl_hist_at(hist, .99), 0);
    assert_true(hl_hist_mean(hist) == 0);
    hl_hist_free(hist);
    hl_hist_free(NULL);
}

static void small_values_are_exact(void **state)
{
    struct hl_hist *hist = hl_hist_new();

    (void)state;
    for (uint64_t i = 0; i < 2048; i++)
        hl_hist_record(hist, i);
    for (uint64_t i = 1; i <= 2048; i++)
        assert_int_equal(hl_hist_at(hist, (double)i / 2048), i - 1);
    assert_true(hl_hist_mean(hist) == 1023.5);
    hl_hist_free(hist);
}

static void percentiles_are_those_of_the_sorted_values_to_three_digits(void **state)
{
    static uint64_t values[MANY];
    struct hl_hist *hist;

    (void)state;
    fill_values(values, 3);
    hist = new_hist(values, MANY);
    qsort(values, MANY, sizeof *values, compare);
    for (size_t i = 1; i <= MANY; i++) {
        const uint64_t true_value = values[i - 1];
        const uint64_t said = hl_hist_at(hist, (double)i / MANY);

        assert_in_range(said, true_value, true_value + true_value / 1000);
    }
    assert_int_equal(hl_hist_max(hist), values[MANY - 1]);
    assert_int_equal(hl_hist_at(hist, 1), values[MANY - 1]);
    hl_hist_free(hist);
}

static void nine_hundred_and_ninety_nine_of_a_thousand_are_not_a_thousand(void **state)
{
    struct hl_hist *hist = hl_hist_new();

    (void)state;
    for (int i = 0; i < 999; i++)
        hl_hist_record(hist, 7);
    hl_hist_record(hist, 1000000);
    assert_int_equal(hl_hist_at(hist, .999), 7);
    assert_int_equal(hl_hist_at(hist, .9991), 1000000);
    hl_hist_free(hist);
}

static void what_is_longer_than_an_hour_counts_as_an_hour(void **state)
{
    struct hl_hist *hist =
        HIST(HL_HIST_MOST - 1, HL_HIST_MOST, HL_HIST_MOST + 1, UINT64_MAX);

    (void)state;
    assert_int_equal(hl_hist_count(hist), 4);
    assert_int_equal(hl_hist_max(hist), HL_HIST_MOST);
    assert_int_equal(hl_hist_at(hist, 1), HL_HIST_MOST);
    hl_hist_free(hist);
}

static void two_merged_are_one_of_all_values(void **state)
{
    static uint64_t values[MANY];
    struct hl_hist *all, *first, *second;

    (void)state;
    fill_values(values, 5);
    all = new_hist(values, MANY);
    first = new_hist(values, MANY / 3);
    second = new_hist(values + MANY / 3, MANY - MANY / 3);
    hl_hist_merge(first, second);
    assert_int_equal(hl_hist_count(first), MANY);
    assert_int_equal(hl_hist_max(first), hl_hist_max(all));
    assert_true(fabs(hl_hist_mean(first) / hl_hist_mean(all) - 1) < 1e-9);
    for (int i = 0; i <= 1000; i++)
        assert_int_equal(hl_hist_at(first, i / 1000.0), hl_hist_at(all, i / 1000.0));
    hl_hist_free(all);
    hl_hist_free(first);
    hl_hist_free(second);
}

static void assert_has(const struct hl_buf *text, const char *line)
{
    if (!strstr(text->data, line))
        fail_msg("\"%s\" is not in\n%s", line, text->data);
}

static void the_table_is_what_plotters_read(void **state)
{
    struct hl_hist *hist = hl_hist_new();
    struct hl_buf text;

    (void)state;
    for (uint64_t i = 1; i <= 1000; i++)
        hl_hist_record(hist, i);
    hl_buf_init(&text, 1 << 20);
    hl_hist_print(hist, 10, &text);
    assert_int_equal(text.failed, HL_OK);
    assert_has(&text, "       Value     Percentile TotalCount 1/(1-Percentile)\n\n"
                      "       0.100 0.000000000000          1           1.00\n");
    assert_has(&text, "\n      50.000 0.500000000000        500           2.00\n");
    assert_has(&text, "\n      75.000 0.750000000000        750           4.00\n");
    assert_has(&text, "\n     100.000 1.000000000000       1000            inf\n"
                      "#[Mean    =       50.050, StdDeviation   =       28.867]\n"
                      "#[Max     =      100.000, Total count    =         1000]\n");
    hl_buf_done(&text);
    hl_hist_free(hist);
}

static void without_memory_there_is_none(void **state)
{
    struct hl_err err;

    (void)state;
    assert_int_equal(hl_failpoint_arm("alloc=1:fail", &err), HL_OK);
    assert_null(hl_hist_new());
    hl_failpoint_disarm();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_empty_one_has_nothing_to_say),
        cmocka_unit_test(small_values_are_exact),
        cmocka_unit_test(percentiles_are_those_of_the_sorted_values_to_three_digits),
        cmocka_unit_test(nine_hundred_and_ninety_nine_of_a_thousand_are_not_a_thousand),
        cmocka_unit_test(what_is_longer_than_an_hour_counts_as_an_hour),
        cmocka_unit_test(two_merged_are_one_of_all_values),
        cmocka_unit_test(the_table_is_what_plotters_read),
        cmocka_unit_test(without_memory_there_is_none),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
