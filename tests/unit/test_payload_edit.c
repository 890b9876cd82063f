/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "index/payload_edit.h"
#include "tests/unit/reading.h"

enum edit { SET, REMOVE, ONLY, BUT };

struct work {
    const struct hl_value *payload;
    const struct hl_value *patch;
    struct hl_path paths[8];
    struct hl_paths keys;
};

static const struct hl_value *parse(struct reading *r, const char *text)
{
    const struct hl_value *root = NULL;
    size_t len = text ? strlen(text) : 0;

    assert_int_equal(hl_payload_parse(text, len, r->arena, &root, &r->err), HL_OK);
    return root;
}

/* `keys`: paths with spaces between them. */
static void prepare(struct reading *r, const char *payload, const char *keys,
                    struct work *work)
{
    hl_arena_reset(r->arena);
    *work = (struct work){.payload = parse(r, payload)};
    while (*keys) {
        size_t len = strcspn(keys, " ");

        assert_int_equal(
            hl_path_parse(keys, len, r->arena, &work->paths[work->keys.n++], &r->err),
            HL_OK);
        keys += len + (keys[len] == ' ');
    }
    work->keys.items = work->paths;
}

static enum hl_code do_edit(enum edit edit, const struct work *work, struct hl_arena *arena,
                            struct hl_buf *buf, struct hl_err *err)
{
    const struct hl_payload_select select = {edit == ONLY ? HL_SELECT_ONLY : HL_SELECT_BUT,
                                             work->keys};

    if (edit == SET)
        return hl_payload_set(work->payload, work->keys.n ? &work->paths[0] : NULL,
                              work->patch, arena, buf, err);
    if (edit == REMOVE)
        return hl_payload_remove(work->payload, &work->keys, arena, buf, err);
    return hl_payload_show(work->payload, &select, arena, buf, err);
}

static void finish(struct reading *r, enum edit edit, const struct work *work,
                   const char *wanted)
{
    struct hl_buf buf;

    hl_buf_init(&buf, 1 << 20);
    assert_int_equal(do_edit(edit, work, r->arena, &buf, &r->err), HL_OK);
    assert_int_equal(hl_buf_check(&buf, "it", &r->err), HL_OK);
    assert_string_equal(buf.data, wanted);
    hl_buf_done(&buf);
}

static void assert_set(struct reading *r, const char *payload, const char *key,
                       const char *patch, const char *wanted)
{
    struct work work;

    prepare(r, payload, key, &work);
    work.patch = parse(r, patch);
    finish(r, SET, &work, wanted);
}

static void assert_part(struct reading *r, enum edit edit, const char *payload,
                        const char *keys, const char *wanted)
{
    struct work work;

    prepare(r, payload, keys, &work);
    finish(r, edit, &work, wanted);
}

static void members_of_a_patch_take_the_place_of_those_of_the_payload(void **state)
{
    assert_set(*state, "{\"a\": 1.50,\"b\":[ 2 ],\"c\":3}", "",
               "{\"b\":{\"x\": 1},\"d\":4}",
               "{\"a\":1.50,\"b\":{\"x\": 1},\"c\":3,\"d\":4}");
    assert_set(*state, NULL, "", "{\"a\":1}", "{\"a\":1}");
    assert_set(*state, "{\"a\":1}", "", "{}", "{\"a\":1}");
    assert_set(*state, "{\"a\":{\"x\":1}}", "", "{\"a\":{\"y\":2}}", "{\"a\":{\"y\":2}}");
    assert_set(*state, "{\"q\\\"\\u00e9\":1}", "", "{\"q\\\"\\u00e9\":\"\\u0041\"}",
               "{\"q\\\"\xc3\xa9\":\"\\u0041\"}");
}

static void a_member_that_a_patch_says_is_null_goes(void **state)
{
    assert_set(*state, "{\"a\":1,\"b\":null}", "", "{\"a\":null,\"c\":null}",
               "{\"b\":null}");
    assert_set(*state, "{\"a\":{\"b\":1,\"c\":2}}", "a", "{\"b\":null}",
               "{\"a\":{\"c\":2}}");
}

static void of_names_that_are_there_twice_the_last_counts(void **state)
{
    assert_set(*state, "{\"a\":1,\"b\":2,\"a\":3}", "", "{\"c\":1,\"c\":2}",
               "{\"b\":2,\"a\":3,\"c\":2}");
    assert_set(*state, "{\"a\":1,\"a\":2}", "", "{\"a\":3,\"a\":4}", "{\"a\":4}");
    assert_set(*state, "{\"a\":1,\"a\":{\"b\":2}}", "a", "{\"c\":3}",
               "{\"a\":{\"b\":2,\"c\":3}}");
}

static void a_key_leads_to_the_object_that_is_patched(void **state)
{
    assert_set(*state, "{\"a\":{\"b\":{\"x\":1}},\"z\":0}", "a.b", "{\"y\":2}",
               "{\"a\":{\"b\":{\"x\":1,\"y\":2}},\"z\":0}");
    assert_set(*state, "{\"a\":[{\"x\":1},{\"x\":2}]}", "a[]", "{\"x\":3}",
               "{\"a\":[{\"x\":3},{\"x\":3}]}");
    assert_set(*state, "{\"a\":[{\"x\":1},{\"x\":2}]}", "a[1].y", "{\"z\":3}",
               "{\"a\":[{\"x\":1},{\"x\":2,\"y\":{\"z\":3}}]}");
}

static void what_is_not_on_the_way_is_made(void **state)
{
    assert_set(*state, NULL, "a.b", "{\"x\":1}", "{\"a\":{\"b\":{\"x\":1}}}");
    assert_set(*state, "{\"a\":5}", "a.b", "{\"x\":1}", "{\"a\":{\"b\":{\"x\":1}}}");
    assert_set(*state, "{\"a\":[1]}", "a", "{\"x\":1}", "{\"a\":{\"x\":1}}");
    assert_set(*state, "{\"a\":5,\"b\":6}", "a[]", "{\"x\":1}", "{\"a\":[],\"b\":6}");
    assert_set(*state, "{}", "a[3].b", "{\"x\":1}", "{\"a\":[]}");
    assert_set(*state, "{\"a\":[1,2]}", "a[2]", "{\"x\":1}", "{\"a\":[1,2]}");
    assert_set(*state, "{\"a\":[1,2]}", "a[0]", "{\"x\":1}", "{\"a\":[{\"x\":1},2]}");
}

static const char tree[] =
    "{\"a\":{\"b\":1, \"c\":[{\"d\":1,\"e\":2},{\"e\":3},7]},\"f\":[4, "
    "5,6],\"g\":\"\\u0041\",\"h.i\":null}";

static void keys_that_are_removed_take_along_what_is_under_them(void **state)
{
    assert_part(*state, REMOVE, tree, "a g", "{\"f\":[4, 5,6],\"h.i\":null}");
    assert_part(*state, REMOVE, tree, "a.c g f \"h.i\"", "{\"a\":{\"b\":1}}");
    assert_part(*state, REMOVE, tree, "a.c[].e f[1] g.x a.b.x nowhere",
                "{\"a\":{\"b\":1,\"c\":[{\"d\":1},{},7]},\"f\":[4,6],\"g\":\"\\u0041\","
                "\"h.i\":null}");
    assert_part(*state, REMOVE, tree, "a f[] g", "{\"f\":[],\"h.i\":null}");
    assert_part(*state, REMOVE, "{\"a\":1,\"a\":2,\"b\":3}", "a a", "{\"b\":3}");
    assert_part(*state, REMOVE, NULL, "a", "{}");
}

static void brackets_for_all_items_and_for_one_are_both_followed(void **state)
{
    assert_part(*state, REMOVE, "{\"a\":[{\"x\":1,\"y\":2,\"z\":3},{\"x\":4,\"y\":5}]}",
                "a[0].z a[].x a[0].x", "{\"a\":[{\"y\":2},{\"y\":5}]}");
    assert_part(*state, ONLY, "{\"a\":[{\"x\":1,\"y\":2,\"z\":3},{\"x\":4,\"y\":5}]}",
                "a[0].z a[].x", "{\"a\":[{\"x\":1,\"z\":3},{\"x\":4}]}");
}

static void what_is_shown_is_the_part_the_paths_lead_to(void **state)
{
    assert_part(*state, ONLY, tree, "a.b g", "{\"a\":{\"b\":1},\"g\":\"\\u0041\"}");
    assert_part(*state, ONLY, tree, "a.c[].d f",
                "{\"a\":{\"c\":[{\"d\":1},{},7]},\"f\":[4, 5,6]}");
    assert_part(*state, ONLY, tree, "a.c.d g.x", "{\"a\":{\"c\":[]},\"g\":\"\\u0041\"}");
    assert_part(*state, ONLY, tree, "f[2] a.x", "{\"a\":{},\"f\":[6]}");
    assert_part(*state, ONLY, tree, "a a.b nowhere",
                "{\"a\":{\"b\":1, \"c\":[{\"d\":1,\"e\":2},{\"e\":3},7]}}");
    assert_part(*state, ONLY, tree, "nowhere", "{}");
    assert_part(*state, BUT, tree, "a.c f[0]",
                "{\"a\":{\"b\":1},\"f\":[5,6],\"g\":\"\\u0041\",\"h.i\":null}");
}

static void all_of_a_payload_is_its_text_and_none_of_it_is_null(void **state)
{
    struct reading *r = *state;
    struct hl_payload_select select = {.kind = HL_SELECT_ALL};
    struct work work;
    struct hl_buf buf;

    hl_buf_init(&buf, 1 << 20);
    prepare(r, tree, "", &work);
    assert_int_equal(hl_payload_show(work.payload, &select, r->arena, &buf, &r->err),
                     HL_OK);
    assert_string_equal(buf.data, tree);
    hl_buf_done(&buf);
    select.kind = HL_SELECT_NONE;
    assert_int_equal(hl_payload_show(work.payload, &select, r->arena, &buf, &r->err),
                     HL_OK);
    assert_string_equal(buf.data, "null");
    hl_buf_done(&buf);
}

/* Under every ceiling of the arena it succeeds or says why not, and it does in the end. */
static void assert_bounded(struct reading *r, enum edit edit, const struct work *work)
{
    enum hl_code code = HL_TOO_LARGE;
    size_t n_refused = 0;

    for (size_t ceiling = 0; ceiling < 1 << 16 && code != HL_OK; ceiling += 64) {
        struct hl_arena *arena = hl_arena_new(ceiling);
        struct hl_buf buf;

        hl_buf_init(&buf, 1 << 20);
        code = do_edit(edit, work, arena, &buf, &r->err);
        assert_true(code == HL_OK || code == HL_TOO_LARGE);
        n_refused += code != HL_OK;
        hl_buf_done(&buf);
        hl_arena_free(arena);
    }
    assert_int_equal(code, HL_OK);
    assert_true(n_refused > 0);
}

static void an_edit_that_has_no_room_says_so(void **state)
{
    struct reading *r = *state;
    struct work work;

    prepare(r, tree, "f[] f[0].x a.c[].d", &work);
    assert_bounded(r, REMOVE, &work);
    assert_bounded(r, ONLY, &work);
    prepare(r, tree, "a.c[]", &work);
    work.patch = parse(r, tree);
    assert_bounded(r, SET, &work);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(members_of_a_patch_take_the_place_of_those_of_the_payload),
        cmocka_unit_test(a_member_that_a_patch_says_is_null_goes),
        cmocka_unit_test(of_names_that_are_there_twice_the_last_counts),
        cmocka_unit_test(a_key_leads_to_the_object_that_is_patched),
        cmocka_unit_test(what_is_not_on_the_way_is_made),
        cmocka_unit_test(keys_that_are_removed_take_along_what_is_under_them),
        cmocka_unit_test(brackets_for_all_items_and_for_one_are_both_followed),
        cmocka_unit_test(what_is_shown_is_the_part_the_paths_lead_to),
        cmocka_unit_test(all_of_a_payload_is_its_text_and_none_of_it_is_null),
        cmocka_unit_test(an_edit_that_has_no_room_says_so),
    };

    return cmocka_run_group_tests(tests, start_reading, stop_reading);
}
