/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "proto/aliases.h"

#include "tests/unit/reading.h"

static enum hl_code read_actions(const struct hl_field *field, void *out,
                                 struct hl_err *err)
{
    return hl_alias_actions_read(field, out, err);
}

static void actions_are_read_in_their_order(void **state)
{
    static const struct reading_case accepted = {
        "{\"actions\":[{\"delete_alias\":{\"alias_name\":\"a\"}},"
        "{\"create_alias\":{\"collection_name\":\"c\",\"alias_name\":\"a\"}},"
        "{\"rename_alias\":{\"old_alias_name\":\"a\",\"new_alias_name\":\"b\"}}]}",
        200, NULL};
    struct hl_alias_actions actions;

    assert_reading(*state, &accepted, read_actions, &actions);
    assert_int_equal(actions.n, 3);
    assert_int_equal(actions.items[0].kind, HL_ALIAS_DELETE);
    assert_true(hl_text_is(&actions.items[0].alias, "a"));
    assert_int_equal(actions.items[1].kind, HL_ALIAS_CREATE);
    assert_true(hl_text_is(&actions.items[1].collection, "c"));
    assert_int_equal(actions.items[2].kind, HL_ALIAS_RENAME);
    assert_true(hl_text_is(&actions.items[2].new_alias, "b"));
}

static void what_is_no_action_is_refused(void **state)
{
    static const struct reading_case cases[] = {
        {"{}", 400, "missing field \"actions\""},
        {"{\"actions\":[{}]}", 422,
         "[actions[0]: value an object invalid, must be one action]"},
        {"{\"actions\":[{\"delete_alias\":{\"alias_name\":\"a\"},"
         "\"create_alias\":{\"collection_name\":\"c\",\"alias_name\":\"a\"}}]}",
         422, "[actions[0]: value an object invalid, must be one action]"},
        {"{\"actions\":[{\"create_alias\":{\"alias_name\":\"a\"}}]}", 400,
         "actions[0].create_alias: missing field \"collection_name\""},
        {"{\"actions\":[{\"delete_alias\":{\"alias_name\":\"\"}}]}", 422,
         "[actions[0].delete_alias.alias_name: value \"\" invalid, must be a name]"},
        {"{\"actions\":[{\"delete_alias\":{\"alias_name\":\"a\","
         "\"collection_name\":\"c\"}}]}",
         400, "actions[0].delete_alias.collection_name: unknown field"},
        {"{\"actions\":[{\"swap_alias\":{}}]}", 400,
         "actions[0].swap_alias: unknown field"},
    };
    struct hl_alias_actions actions;

    ASSERT_READINGS(*state, cases, read_actions, &actions);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, start_reading, stop_reading)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(actions_are_read_in_their_order),
        TEST(what_is_no_action_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
