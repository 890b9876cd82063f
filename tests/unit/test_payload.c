/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "index/payload.h"

#include "tests/unit/reading.h"

static const char city[] =
    "{\"a\":{\"b\":[1,\"x\\u0041\",[2,3],null],\"a\":1,\"a\":2},\"t\":[{\"n\":5},{\"m\":6},"
    "{\"n\":[7]}],\"e\":[],\"d.o\":true}";

static bool print_value(void *self, const struct hl_value *value)
{
    char *out = self;
    size_t len = strlen(out);

    snprintf(out + len, 256 - len, "%s%.*s", len ? " " : "",
             value->kind == HL_TOKEN_ARRAY_BEGIN ? 1 : (int)value->len, value->text);
    return false;
}

/* What the path leads to, side by side. */
static void assert_path(struct reading *r, const char *path_text, const char *wanted)
{
    const struct hl_value *root;
    struct hl_path path;
    char out[256] = "";

    hl_arena_reset(r->arena);
    assert_int_equal(hl_payload_parse(city, strlen(city), r->arena, &root, &r->err), HL_OK);
    assert_int_equal(hl_path_parse(path_text, strlen(path_text), r->arena, &path, &r->err),
                     HL_OK);
    assert_false(hl_payload_each(root, &path, print_value, out));
    assert_string_equal(out, wanted);
}

static void a_path_leads_to_values(void **state)
{
    assert_path(*state, "a.b", "[");
    assert_path(*state, "a.b[]", "1 xA [ null");
    assert_path(*state, "a.b[2]", "[");
    assert_path(*state, "a.b[2][]", "2 3");
    assert_path(*state, "a.b[9]", "");
    assert_path(*state, "t[].n", "5 [");
    assert_path(*state, "t[2].n[0]", "7");
    assert_path(*state, "\"d.o\"", "true");
}

static void names_go_into_objects_alone_and_brackets_into_arrays(void **state)
{
    assert_path(*state, "t.n", "");
    assert_path(*state, "a[]", "");
    assert_path(*state, "a.b.c", "");
    assert_path(*state, "e[]", "");
    assert_path(*state, "nowhere", "");
}

static void of_two_members_of_a_name_the_last_counts(void **state)
{
    assert_path(*state, "a.a", "2");
}

static void no_payload_is_an_empty_one(void **state)
{
    struct reading *r = *state;
    const struct hl_value *root;
    struct hl_path path;

    assert_int_equal(hl_payload_parse(NULL, 0, r->arena, &root, &r->err), HL_OK);
    assert_int_equal(hl_path_parse("a", 1, r->arena, &path, &r->err), HL_OK);
    assert_false(hl_payload_each(root, &path, print_value, NULL));
}

static void what_is_stored_and_no_json_is_damage(void **state)
{
    struct reading *r = *state;
    const struct hl_value *root;

    assert_int_equal(hl_payload_parse("{\"a\":", 5, r->arena, &root, &r->err), HL_DAMAGED);
    assert_non_null(strstr(r->err.msg, "a stored payload"));
}

static void a_payload_too_large_for_its_arena_is_refused(void **state)
{
    struct reading *r = *state;
    struct hl_arena *small = hl_arena_new(64);
    const struct hl_value *root;

    assert_int_equal(hl_payload_parse(city, strlen(city), small, &root, &r->err),
                     HL_TOO_LARGE);
    hl_arena_free(small);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_path_leads_to_values, start_reading,
                                        stop_reading),
        cmocka_unit_test_setup_teardown(
            names_go_into_objects_alone_and_brackets_into_arrays, start_reading,
            stop_reading),
        cmocka_unit_test_setup_teardown(of_two_members_of_a_name_the_last_counts,
                                        start_reading, stop_reading),
        cmocka_unit_test_setup_teardown(no_payload_is_an_empty_one, start_reading,
                                        stop_reading),
        cmocka_unit_test_setup_teardown(what_is_stored_and_no_json_is_damage, start_reading,
                                        stop_reading),
        cmocka_unit_test_setup_teardown(a_payload_too_large_for_its_arena_is_refused,
                                        start_reading, stop_reading),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
