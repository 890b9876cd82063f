/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "server/cli_remote.h"

#include <string.h>

#define PATH(...)                                                                          \
    (const char *const[]){__VA_ARGS__},                                                    \
        sizeof((const char *const[]){__VA_ARGS__}) / sizeof(char *)

static enum hl_code find(const char *reply, const char *const *path, size_t n,
                         struct hl_span *ret_text)
{
    struct hl_arena *arena = hl_arena_new(1 << 16);
    const struct hl_span body = {reply, strlen(reply)};
    struct hl_err err;
    enum hl_code code;

    assert_non_null(arena);
    code = hl_reply_find(&body, path, n, arena, ret_text, &err);
    hl_arena_free(arena);
    return code;
}

static void assert_finds(const char *reply, const char *const *path, size_t n,
                         const char *wanted)
{
    struct hl_span text = {"?", 1};

    assert_int_equal(find(reply, path, n, &text), HL_OK);
    if (!wanted) {
        assert_null(text.data);
        return;
    }
    assert_int_equal(text.len, strlen(wanted));
    assert_memory_equal(text.data, wanted, text.len);
}

static void a_member_is_found_however_deep_it_is_and_whatever_it_is(void **state)
{
    (void)state;
    assert_finds("{\"result\":{\"count\":17},\"time\":1}", PATH("result", "count"), "17");
    assert_finds("{\"time\":1,\"result\":{\"a\":[{\"count\":1}],\"count\":2}}",
                 PATH("result", "count"), "2");
    assert_finds("{\"a\":{\"b\":{\"c\":\"x\\\"y\"}}}", PATH("a", "b", "c"), "\"x\\\"y\"");
    assert_finds("{\"a\":{\"b\" : {\"c\": [1, 2]} }}", PATH("a", "b"), "{\"c\": [1, 2]}");
    assert_finds("{\"a\":true}", PATH("a"), "true");
}

static void what_is_not_there_is_no_error(void **state)
{
    (void)state;
    assert_finds("{}", PATH("a"), NULL);
    assert_finds("{\"a\":null}", PATH("a", "b"), NULL);
    assert_finds("{\"a\":{\"c\":1}}", PATH("a", "b"), NULL);
    assert_finds("{\"b\":1,\"a\":{}}", PATH("a", "b"), NULL);
}

static void what_is_no_such_reply_is_refused(void **state)
{
    static const char *const broken[] = {"", "<html>", "[]", "{\"a\":17}",
                                         "{\"a\":{\"b\":"};
    struct hl_span text = {"?", 1};

    (void)state;
    for (size_t i = 0; i < sizeof broken / sizeof broken[0]; i++) {
        assert_int_equal(find(broken[i], PATH("a", "b"), &text), HL_BAD_FILE);
        assert_string_equal(text.data, "?");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_member_is_found_however_deep_it_is_and_whatever_it_is),
        cmocka_unit_test(what_is_not_there_is_no_error),
        cmocka_unit_test(what_is_no_such_reply_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
