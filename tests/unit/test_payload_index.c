/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "proto/payload_index.h"

#include "tests/unit/reading.h"

static enum hl_code read_index(const struct hl_field *field, void *out, struct hl_err *err)
{
    return hl_payload_index_read(field, out, err);
}

static struct hl_payload_index index_of(struct reading *r, const char *body)
{
    struct reading_case accepted = {body, 200, NULL};
    struct hl_payload_index index;

    assert_reading(r, &accepted, read_index, &index);
    return index;
}

static void an_index_has_a_key_and_a_type(void **state)
{
    for (int type = 0; type < HL_N_INDEX_TYPES; type++) {
        struct hl_payload_index index;
        char body[128];

        snprintf(body, sizeof body, "{\"field_name\":\"a.b[]\",\"field_schema\":\"%s\"}",
                 hl_index_type_name((enum hl_index_type)type));
        index = index_of(*state, body);
        assert_int_equal(index.type, type);
        assert_int_equal(index.key.n_steps, 3);
        assert_null(index.params.text);
    }
}

static void a_type_may_have_flags(void **state)
{
    struct hl_payload_index index =
        index_of(*state, "{\"field_schema\":{\"is_tenant\":true,\"type\":\"keyword\"},"
                         "\"field_name\":\"user\"}");

    assert_int_equal(index.type, HL_INDEX_KEYWORD);
    assert_true(index.is_tenant);
    assert_true(hl_text_is(&index.params, "{\"is_tenant\":true,\"type\":\"keyword\"}"));
    index = index_of(*state, "{\"field_name\":\"n\",\"field_schema\":{\"type\":\"integer\","
                             "\"lookup\":true,\"range\":false,\"is_principal\":true,"
                             "\"on_disk\":true,\"memory\":\"cold\"}}");
    assert_int_equal(index.type, HL_INDEX_INTEGER);
    assert_false(index.is_tenant);
}

static void what_is_no_index_is_refused(void **state)
{
    static const struct reading_case cases[] = {
        {"{\"field_schema\":\"keyword\"}", 400, "missing field \"field_name\""},
        {"{\"field_name\":\"a\"}", 400,
         "Wrong input: the type of an index is not guessed, give field_schema"},
        {"{\"field_name\":\"a\",\"field_schema\":null}", 400,
         "Wrong input: the type of an index is not guessed, give field_schema"},
        {"{\"field_name\":\"a..b\",\"field_schema\":\"bool\"}", 400,
         "field_name: expected a payload key such as a.b[].c, got \"a..b\""},
        {"{\"field_name\":\"a\",\"field_schema\":\"words\"}", 422,
         "[field_schema: value \"words\" invalid, must be one of \"keyword\", \"integer\", "
         "\"float\", \"bool\", \"geo\", \"datetime\", \"uuid\", \"text\"]"},
        {"{\"field_name\":\"a\",\"field_schema\":\"text\"}", 400,
         "an index of type \"text\" is not supported: there is no full-text search"},
        {"{\"field_name\":\"a\",\"field_schema\":{\"type\":\"text\"}}", 400,
         "an index of type \"text\" is not supported: there is no full-text search"},
        {"{\"field_name\":\"a\",\"field_schema\":{}}", 400,
         "field_schema: missing field \"type\""},
        {"{\"field_name\":\"a\",\"field_schema\":{\"is_tenant\":true,\"type\":\"geo\"}}",
         422,
         "[field_schema: value an object invalid, must be an index with flags that its "
         "type has]"},
    };
    struct hl_payload_index index;

    ASSERT_READINGS(*state, cases, read_index, &index);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, start_reading, stop_reading)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(an_index_has_a_key_and_a_type),
        TEST(a_type_may_have_flags),
        TEST(what_is_no_index_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
