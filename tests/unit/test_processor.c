/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "proto/processor.h"

#include <stdbool.h>
#include <string.h>

static const int first, second, third;

/* "" when `name` leads to the table, else what was said. */
static const char *choose(const char *name, const struct hl_processor_choice *choices,
                          size_t n, const void *table)
{
    static struct hl_err err;
    const void *chosen = NULL;

    if (hl_processor_choose(name, choices, n, &chosen, &err) != HL_OK) {
        assert_null(chosen);
        assert_int_equal(err.code, HL_INVALID);
        return err.msg;
    }
    return chosen == table ? "" : "another table";
}

static void a_table_goes_by_its_name(void **state)
{
    static const struct hl_processor_choice choices[] = {
        {"one", &first, HL_PROCESSOR_ANY}, {"two", &second, HL_PROCESSOR_ANY}};

    (void)state;
    assert_string_equal(choose("one", choices, 2, &first), "");
    assert_string_equal(choose("two", choices, 2, &second), "");
    assert_string_equal(choose("auto", choices, 2, &first), "");
}

static void a_table_that_was_not_compiled_is_passed_over(void **state)
{
    static const struct hl_processor_choice choices[] = {
        {"missing", NULL, HL_PROCESSOR_ANY},
        {"second", &second, HL_PROCESSOR_ANY},
        {"third", &third, HL_PROCESSOR_ANY}};

    (void)state;
    assert_string_equal(choose("auto", choices, 3, &second), "");
    assert_string_equal(choose("missing", choices, 3, NULL),
                        "this processor cannot run the kernels \"missing\"");
}

/* Whatever this processor is: who can run the more demanding table can run the others. */
static void a_better_processor_runs_what_a_lesser_one_does(void **state)
{
    static const struct hl_processor_choice choices[] = {
        {"vnni", &first, HL_PROCESSOR_VNNI},
        {"avx512", &second, HL_PROCESSOR_AVX512},
        {"avx2", &third, HL_PROCESSOR_AVX2}};
    bool can_run[3];

    (void)state;
    for (size_t i = 0; i < 3; i++) {
        const char *said = choose(choices[i].name, choices, 3, choices[i].table);

        can_run[i] = *said == '\0';
        if (!can_run[i])
            assert_non_null(strstr(said, "this processor cannot run the kernels"));
    }
    assert_true(!can_run[0] || can_run[1]);
    assert_true(!can_run[1] || can_run[2]);
}

static void another_name_is_refused_with_those_that_there_are(void **state)
{
    static const struct hl_processor_choice choices[] = {
        {"one", &first, HL_PROCESSOR_ANY},
        {"two", &second, HL_PROCESSOR_ANY},
        {"three", &third, HL_PROCESSOR_ANY}};

    (void)state;
    assert_string_equal(choose("four", choices, 3, NULL),
                        "kernels \"four\" are unknown, wanted auto, one, two or three");
    assert_string_equal(choose("four", choices, 1, NULL),
                        "kernels \"four\" are unknown, wanted auto or one");
}

/* Names come from the command line. */
static void a_name_of_any_length_is_refused(void **state)
{
    static const struct hl_processor_choice choices[] = {{"one", &first, HL_PROCESSOR_ANY}};
    char name[4096];

    (void)state;
    memset(name, 'a', sizeof name - 1);
    name[sizeof name - 1] = '\0';
    assert_non_null(strstr(choose(name, choices, 1, NULL), "kernels \"aaa"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_table_goes_by_its_name),
        cmocka_unit_test(a_table_that_was_not_compiled_is_passed_over),
        cmocka_unit_test(a_better_processor_runs_what_a_lesser_one_does),
        cmocka_unit_test(another_name_is_refused_with_those_that_there_are),
        cmocka_unit_test(a_name_of_any_length_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
