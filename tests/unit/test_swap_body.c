/* SPDX-License-Identifier: Apache-2.0 */
/* The body of a swap: what is kept of it, for whom, and what cannot be meant. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "proto/fail.h"
#include "server/swap.h"

#include <stdio.h>
#include <string.h>

struct fixture {
    struct hl_arena *arena;
    struct hl_swap_order order;
    struct hl_err err;
};

static int set_up(void **state)
{
    static struct fixture fixture;

    fixture.arena = hl_arena_new(1 << 20);
    *state = &fixture;
    return fixture.arena ? 0 : -1;
}

static int tear_down(void **state)
{
    hl_arena_free(((struct fixture *)*state)->arena);
    return 0;
}

static enum hl_code read_it(struct fixture *f, const char *text)
{
    struct hl_tokens tokens;
    struct hl_field root;

    hl_tokens_init(&tokens, text, strlen(text), f->arena);
    root = hl_field_root(&tokens);
    return hl_swap_order_read(&root, &f->order, &f->err);
}

#define WHO  "\"from\":\"@default\",\"to\":\"v2\""
#define DATA "\"data\":{\"dataset\":\"d\"}"

static void little_is_enough(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(read_it(f, "{" WHO "," DATA "}"), HL_OK);
    assert_true(hl_text_is(&f->order.from, "@default"));
    assert_true(hl_text_is(&f->order.to, "v2"));
    assert_true(hl_text_is(&f->order.dataset, "d"));
    assert_int_equal(f->order.stop_at, HL_SWAP_SHADOW);
    assert_false(f->order.makes_model || f->order.is_dry || f->order.is_anew);
    assert_string_equal(f->order.serving.data, "{}");
    assert_string_equal(f->order.wanted.probes, "");
    assert_true(f->order.wanted.gate.criterion);
}

/* However it is spaced and in whatever order: what is kept is one text. */
static void each_part_is_kept_for_whom_it_is_meant(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(
        read_it(f, "{ \"anew\" : true,\"dry_run\":true, \"stop_at\":\"gate\",\"ttl_s\": 3,"
                   "\"gates\":{ \"criterion\": false },\"probes\":\"a b\",\"seed\":7,"
                   "\"fidelity\" :\t0.5,\"kind\":\"ridge\",\n" DATA ",\"rank\":null,"
                   "\"to_model\":{\"size\":8,\"distance\":\"Dot\"}," WHO "}"),
        HL_OK);
    assert_string_equal(f->order.fit.data, "{" DATA ",\"kind\":\"ridge\",\"seed\":7}");
    assert_string_equal(f->order.serving.data, "{\"fidelity\":0.5}");
    assert_string_equal(
        f->order.asked.data,
        "{" WHO ",\"to_model\":{\"size\":8,\"distance\":\"Dot\"}," DATA
        ",\"kind\":\"ridge\",\"seed\":7,\"fidelity\":0.5,\"probes\":\"a b\","
        "\"gates\":{\"criterion\":false},\"ttl_s\":3}");
    assert_string_equal(f->order.gate.data,
                        "{\"criterion\":false,\"min_gain\":null,"
                        "\"max_negative_flips\":null,\"min_self\":null}");
    assert_int_equal(f->order.stop_at, HL_SWAP_GATE);
    assert_true(f->order.is_dry && f->order.is_anew && f->order.makes_model);
    assert_int_equal(f->order.model.size, 8);
    assert_true(hl_text_is(&f->order.model.name, "v2"));
    assert_int_equal(f->order.wanted.ttl_s, 3);
    assert_string_equal(f->order.wanted.probes, "a b");
}

static void strings_keep_their_spaces_and_escapes(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(read_it(f, "{" WHO ",\"data\": {\"dataset\": \" \\\" \\\\\"} }"),
                     HL_OK);
    assert_string_equal(f->order.fit.data, "{\"data\":{\"dataset\":\" \\\" \\\\\"}}");
    assert_true(hl_text_is(&f->order.dataset, " \" \\"));
}

static void what_cannot_be_meant_is_refused(void **state)
{
    static const struct {
        const char *body;
        enum hl_code code;
        const char *words;
    } cases[] = {
        {"{" WHO "}", HL_MALFORMED, "missing field \"data\""},
        {"{\"from\":\"a\"," DATA "}", HL_MALFORMED, "missing field \"to\""},
        {"{" WHO ",\"data\":{}}", HL_INVALID, "data"},
        {"{" WHO "," DATA ",\"x\":1}", HL_MALFORMED, "x: unknown field"},
        {"{" WHO "," DATA ",\"kind\":\"magic\"}", HL_INVALID, "kind"},
        {"{" WHO "," DATA ",\"fidelity\":2}", HL_INVALID, "fidelity"},
        {"{" WHO "," DATA ",\"stop_at\":\"moon\"}", HL_INVALID, "stop_at"},
        {"{" WHO "," DATA ",\"gates\":{\"luck\":1}}", HL_MALFORMED, "luck"},
        {"{" WHO "," DATA ",\"sample\":2}", HL_INVALID, "sample"},
        {"{" WHO "," DATA ",\"probes\":\"\"}", HL_INVALID, "probes"},
        {"{" WHO "," DATA ",\"to_model\":{\"size\":8}}", HL_MALFORMED, "distance"},
        {"{\"from\":\"v1\",\"to\":\"@default\"," DATA
         ",\"to_model\":{\"size\":8,\"distance\":\"Dot\"}}",
         HL_OK, ""},
        {"{" WHO "," WHO "," DATA "}", HL_MALFORMED, "duplicate"},
        {"[]", HL_MALFORMED, "expected an object"},
    };
    struct fixture *f = *state;

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        f->err.msg[0] = '\0';
        assert_int_equal(read_it(f, cases[i].body), cases[i].code);
        if (!strstr(f->err.msg, cases[i].words))
            fail_msg("\"%s\" is not in %s", cases[i].words, f->err.msg);
    }
}

static void without_memory_it_is_an_error(void **state)
{
    struct fixture *f = *state;
    enum hl_code code = HL_NO_MEMORY;
    char rule[32];

    for (int n = 1; code != HL_OK; n++) {
        (void)snprintf(rule, sizeof rule, "alloc=%d:fail", n);
        hl_arena_free(f->arena);
        f->arena = hl_arena_new(1 << 20);
        assert_int_equal(hl_failpoint_arm(rule, &f->err), HL_OK);
        code = read_it(f, "{" WHO "," DATA "}");
        hl_failpoint_disarm();
        assert_true(code == HL_OK || code == HL_NO_MEMORY);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(little_is_enough),
        TEST(each_part_is_kept_for_whom_it_is_meant),
        TEST(strings_keep_their_spaces_and_escapes),
        TEST(what_cannot_be_meant_is_refused),
        TEST(without_memory_it_is_an_error),
    };

    return cmocka_run_group_tests_name("swap_body", tests, NULL, NULL);
}
