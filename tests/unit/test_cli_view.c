/* SPDX-License-Identifier: Apache-2.0 */
/* How a rollout looks on a terminal and in a log, and the values that replies give. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "server/cli_json.h"
#include "server/cli_view.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { MEMORY = 1 << 20 };

struct fixture {
    struct hl_arena *arena;
    struct hl_buf buf, screen;
    struct hl_rollout_view view;
};

static int set_up(void **state)
{
    static struct fixture fixture;

    fixture = (struct fixture){.arena = hl_arena_new(MEMORY)};
    assert_non_null(fixture.arena);
    hl_buf_init(&fixture.buf, MEMORY);
    hl_buf_init(&fixture.screen, MEMORY);
    fixture.view = (struct hl_rollout_view){.collection = "photos", .arena = fixture.arena};
    *state = &fixture;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;

    hl_buf_done(&f->buf);
    hl_buf_done(&f->screen);
    hl_arena_free(f->arena);
    return 0;
}

static struct hl_span span(const char *json)
{
    return (struct hl_span){json, strlen(json)};
}

static const char canary[] =
    "{\"number\":3,\"step\":7,\"stage\":\"canary\",\"percent\":5.0,\"from\":\"@default\","
    "\"to\":\"v2\",\"changed_at\":\"2026-01-02T03:04:05.678Z\",\"changed_by\":\"ops\","
    "\"comparison\":{\"shadow\":null,\"canary\":{\"compared\":400,\"dropped\":3,"
    "\"overlap10\":{\"value\":0.875,\"low\":0.8,\"high\":0.9,\"of\":400},"
    "\"lost_tops\":{\"value\":0.01,\"low\":0.004,\"high\":0.0254,\"of\":400},"
    "\"negative_flips\":{\"value\":0.04,\"low\":0.02,\"high\":0.08,\"of\":200},"
    "\"positive_flips\":null,\"negative_flips_served\":2,"
    "\"slower\":{\"value\":0.5,\"low\":0.4,\"high\":0.6,\"of\":400},\"errors_to\":null,"
    "\"latency\":{\"from\":{\"p50_s\":0.0005,\"p99_s\":0.002},\"to\":null}},"
    "\"guards\":{\"flips\":{\"armed\":true,\"breached\":false,\"budget\":0.01,"
    "\"bound\":-0.02,\"baseline\":{\"of\":\"gate\",\"n\":101,\"mean\":0.0297}},"
    "\"disagreement\":{\"armed\":true,\"breached\":true,\"budget\":0.1,\"bound\":0.25,"
    "\"baseline\":null},"
    "\"slower\":{\"armed\":false,\"why_not\":\"too few\"},\"errors\":null}},"
    "\"next\":[{\"method\":\"POST\",\"path\":\"/a\"},{\"method\":\"PUT\",\"path\":\"/"
    "b\"}]}";

static const char events[] =
    "[{\"at\":\"2026-01-02T03:00:00.000Z\",\"what\":\"note\",\"by\":null,"
    "\"stage_before\":\"none\",\"stage_after\":\"none\",\"forced\":false,\"why\":null},"
    "{\"at\":\"2026-01-02T03:00:01.000Z\",\"what\":\"start\",\"by\":\"ops\","
    "\"stage_before\":\"none\",\"stage_after\":\"shadow\",\"forced\":false,\"why\":null},"
    "{\"at\":\"2026-01-02T03:04:05.678Z\",\"what\":\"advance\",\"by\":\"ops\","
    "\"stage_before\":\"shadow\",\"stage_after\":\"canary\",\"forced\":true,"
    "\"why\":\"it is time\"}]";

static void a_canary_is_shown_with_all_its_figures(void **state)
{
    static const char wanted[] =
        "photos     @default -> v2   rollout 3, step 7\n"
        "stage      canary 5 %   since 2026-01-02T03:04:05.678Z by ops\n"
        "compared   400 queries, 3 dropped   lost top hits 1.00 % [0.40, 2.54] of 400\n"
        "differ     12.50 % of the first 10\n"
        "flips      4.00 % [2.00, 8.00] of 200 judged   baseline 2.97 % of 101 (gate)\n"
        "           positive -   seen by callers 2\n"
        "latency    @default 0.50 ms (99th 2.00 ms), v2 - (99th -)\n"
        "slower     50.00 % [40.00, 60.00] of 400   errors -\n"
        "guard      flips        armed   at least -2.00 %, budget 1.00 %\n"
        "           disagreement BREACHED   at least 25.00 %, budget 10.00 %\n"
        "           slower       not armed: too few\n"
        "           errors       -\n"
        "events     03:04:05  advance to canary (forced) by ops: it is time\n"
        "           03:00:01  start to shadow by ops\n"
        "           03:00:00  note\n"
        "next       POST /a\n"
        "           PUT /b\n";
    struct fixture *f = *state;

    f->view.rollout = span(canary);
    f->view.events = span(events);
    hl_view_print(&f->view, &f->buf);
    assert_string_equal(f->buf.data, wanted);
}

static void a_line_says_the_same_in_short(void **state)
{
    struct fixture *f = *state;

    f->view.rollout = span(canary);
    hl_view_print_line(&f->view, &f->buf);
    assert_string_equal(f->buf.data,
                        "photos @default -> v2: canary 5 %, step 7, compared 400, differ "
                        "12.50 %, flips 4.00 % [2.00, 8.00] of 200");
}

static void without_a_rollout_it_says_so(void **state)
{
    static const char none[] = "{\"number\":0,\"stage\":\"none\",\"comparison\":null,"
                               "\"next\":[{\"method\":\"PUT\",\"path\":\"/rollout\"}]}";
    struct fixture *f = *state;

    f->view.rollout = span(none);
    hl_view_print(&f->view, &f->buf);
    assert_string_equal(f->buf.data,
                        "photos     no rollout yet\nnext       PUT /rollout\n");
    hl_buf_clear(&f->buf, 0);
    hl_view_print_line(&f->view, &f->buf);
    assert_string_equal(f->buf.data, "photos no rollout yet");
}

static void the_last_five_events_are_shown_newest_first(void **state)
{
    struct fixture *f = *state;
    char many[2000] = "[", wanted[512] = "";
    size_t len = 1, wanted_len = 0;

    for (int i = 0; i < 9; i++)
        len += (size_t)snprintf(many + len, sizeof many - len,
                                "%s{\"at\":\"2026-01-02T03:00:0%d.0Z\",\"what\":\"n%d\"}",
                                i > 0 ? "," : "", i, i);
    (void)snprintf(many + len, sizeof many - len, "]");
    for (int i = 8; i > 3; i--)
        wanted_len +=
            (size_t)snprintf(wanted + wanted_len, sizeof wanted - wanted_len,
                             "%-11s03:00:0%d  n%d\n", i == 8 ? "events" : "", i, i);
    f->view.rollout = span("{\"number\":0}");
    f->view.events = span(many);
    hl_view_print(&f->view, &f->buf);
    assert_string_equal(f->buf.data + strlen("photos     no rollout yet\n"), wanted);
}

static void place(struct fixture *f, const char *lines, size_t rows, size_t columns)
{
    hl_buf_clear(&f->buf, 0);
    hl_buf_clear(&f->screen, 0);
    hl_buf_add_text(&f->buf, lines);
    hl_view_place(&f->buf, rows, columns, &f->screen);
}

static void a_screen_is_drawn_from_its_corner_and_cut_to_its_size(void **state)
{
    struct fixture *f = *state;

    place(f, "abc\nde\n", 24, 80);
    assert_string_equal(f->screen.data, "\033[Habc\033[K\nde\033[K\n\033[J");
    place(f, "abc\nde\nf\n", 3, 2);
    assert_string_equal(f->screen.data, "\033[Hab\033[K\nde\033[K\n\033[J");
    place(f, "äöü\n", 24, 2);
    assert_string_equal(f->screen.data, "\033[Häö\033[K\n\033[J");
}

/* ---- values ---- */

static void what_is_not_there_is_as_good_as_null(void **state)
{
    static const char json[] = "{\"a\":{\"b\":\"t\\u0065xt\",\"n\":1.5,\"yes\":true,"
                               "\"null\":null},\"list\":[1,2]}";
    static const char *const missing[] = {"a.c", "a.null", "a.b.c", "list.b", "c"};
    struct fixture *f = *state;
    const struct hl_span whole = span(json);

    assert_string_equal(hl_cli_text(&whole, "a.b", f->arena), "text");
    assert_true(hl_cli_number(&whole, "a.n", f->arena) == 1.5);
    assert_true(hl_cli_is_true(&whole, "a.yes", f->arena));
    assert_false(hl_cli_is_true(&whole, "a.b", f->arena));
    assert_null(hl_cli_text(&whole, "a.n", f->arena));
    assert_true(isnan(hl_cli_number(&whole, "a.b", f->arena)));
    for (size_t i = 0; i < sizeof missing / sizeof missing[0]; i++) {
        assert_null(hl_cli_text(&whole, missing[i], f->arena));
        assert_true(isnan(hl_cli_number(&whole, missing[i], f->arena)));
    }
}

static void items_come_one_after_the_other(void **state)
{
    struct fixture *f = *state;
    const struct hl_span list = span("[10, {\"a\":1}, \"x\"]"), broken = span("[1,");
    static const char *const wanted[] = {"10", "{\"a\":1}", "\"x\""};
    struct hl_span item;
    size_t at = 0;

    for (size_t i = 0; i < 3; i++) {
        assert_true(hl_cli_next(&list, &at, f->arena, &item));
        assert_int_equal(item.len, strlen(wanted[i]));
        assert_memory_equal(item.data, wanted[i], item.len);
    }
    assert_false(hl_cli_next(&list, &at, f->arena, &item));
    at = 1;
    assert_false(hl_cli_next(&broken, &at, f->arena, &item));
}

static void flags_become_members_behind_what_is_there(void **state)
{
    static const struct hl_cli_member members[] = {
        {"name", 0, true}, {"size", 1, false}, {"gone", 2, true}, {"yes", 3, false}};
    static const struct hl_tool_words words = {.values = {"a\"b", "7", NULL, ""}};
    struct fixture *f = *state;

    hl_buf_add_text(&f->buf, "{");
    hl_cli_print_members(&words, members, 4, &f->buf);
    assert_string_equal(f->buf.data, "{\"name\":\"a\\\"b\",\"size\":7,\"yes\":true");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_canary_is_shown_with_all_its_figures),
        TEST(a_line_says_the_same_in_short),
        TEST(without_a_rollout_it_says_so),
        TEST(the_last_five_events_are_shown_newest_first),
        TEST(a_screen_is_drawn_from_its_corner_and_cut_to_its_size),
        TEST(what_is_not_there_is_as_good_as_null),
        TEST(items_come_one_after_the_other),
        TEST(flags_become_members_behind_what_is_there),
    };

    return cmocka_run_group_tests_name("cli_view", tests, NULL, NULL);
}
