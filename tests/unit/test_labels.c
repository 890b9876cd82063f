/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "compat/labels.h"
#include "proto/fail.h"

#include <stdio.h>
#include <string.h>

static int set_up(void **state)
{
    struct hl_labels *labels;
    struct hl_err err;

    if (hl_labels_new(&labels, &err) != HL_OK)
        return -1;
    *state = labels;
    return 0;
}

static int tear_down(void **state)
{
    hl_failpoint_disarm();
    hl_labels_free(*state);
    hl_labels_free(NULL);
    return 0;
}

static int32_t add(struct hl_labels *labels, const char *name)
{
    int32_t label = -1;
    struct hl_err err;

    assert_int_equal(hl_labels_add(labels, name, strlen(name), &label, &err), HL_OK);
    assert_string_equal(hl_labels_name(labels, label), name);
    return label;
}

static int32_t add_number(struct hl_labels *labels, int64_t name)
{
    int32_t label = -1;
    struct hl_err err;

    assert_int_equal(hl_labels_add_number(labels, name, &label, &err), HL_OK);
    return label;
}

static void classes_are_numbered_as_they_are_met(void **state)
{
    struct hl_labels *labels = *state;

    assert_int_equal(hl_labels_count(labels), 0);
    assert_int_equal(add(labels, "shoe"), 0);
    assert_int_equal(add(labels, ""), 1);
    assert_int_equal(add(labels, "shoes"), 2);
    assert_int_equal(add(labels, "shoe"), 0);
    assert_int_equal(add(labels, ""), 1);
    assert_int_equal(hl_labels_count(labels), 3);
}

static void a_whole_number_is_the_class_of_its_decimals(void **state)
{
    struct hl_labels *labels = *state;

    assert_int_equal(add(labels, "7"), 0);
    assert_int_equal(add_number(labels, 7), 0);
    assert_int_equal(add_number(labels, INT64_MIN), 1);
    assert_int_equal(add(labels, "-9223372036854775808"), 1);
    assert_int_equal(add(labels, "07"), 2);
}

static void a_hundred_thousand_classes_keep_their_numbers(void **state)
{
    struct hl_labels *labels = *state;

    for (int32_t i = 0; i < 100000; i++)
        assert_int_equal(add_number(labels, i * INT64_C(7919)), i);
    for (int32_t i = 0; i < 100000; i++)
        assert_int_equal(add_number(labels, i * INT64_C(7919)), i);
    assert_int_equal(hl_labels_count(labels), 100000);
}

static void a_label_is_not_cut_at_a_zero_byte_but_refused(void **state)
{
    int32_t label = -1;
    struct hl_err err;

    assert_int_equal(hl_labels_add(*state, "a\0b", 3, &label, &err), HL_INVALID);
    assert_string_equal(err.msg, "label \"a\" goes on behind a zero byte");
    assert_int_equal(label, -1);
    assert_int_equal(hl_labels_count(*state), 0);
}

static void without_memory_what_was_there_stays(void **state)
{
    struct hl_labels *labels = *state;
    int32_t label;
    struct hl_err err;

    for (int64_t i = 0; i < 200; i++) {
        enum hl_code code = HL_NO_MEMORY;

        for (unsigned nth = 1; code != HL_OK; nth++) {
            char rule[40];

            snprintf(rule, sizeof rule, "alloc=%u:fail", nth);
            assert_int_equal(hl_failpoint_arm(rule, &err), HL_OK);
            code = hl_labels_add_number(labels, i, &label, &err);
            hl_failpoint_disarm();
            assert_true(code == HL_OK || code == HL_NO_MEMORY);
            assert_true(code != HL_OK || nth > 1);
        }
        assert_int_equal(label, i);
    }
    assert_int_equal(hl_labels_count(labels), 200);
}

#define WITH_LABELS(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_LABELS(classes_are_numbered_as_they_are_met),
        WITH_LABELS(a_whole_number_is_the_class_of_its_decimals),
        WITH_LABELS(a_hundred_thousand_classes_keep_their_numbers),
        WITH_LABELS(a_label_is_not_cut_at_a_zero_byte_but_refused),
        WITH_LABELS(without_memory_what_was_there_stays),
    };

    return cmocka_run_group_tests_name("labels", tests, NULL, NULL);
}
