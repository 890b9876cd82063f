/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "server/bench_print.h"
#include "server/cli_json.h"

#include <math.h>
#include <string.h>

struct fixture {
    struct hl_bench bench;
    struct hl_bench_tally tally;
    struct hl_bench_count sum;
    struct hl_bench_show show;
    struct hl_buf text;
    struct hl_arena *arena;
};

/* A load of 2 seconds: 1000 searches of 1 to 1000 us, and one upsert that failed. */
static void begin(struct fixture *f, double rate)
{
    struct hl_err err;

    *f = (struct fixture){
        .bench = {.url = "http://h",
                  .collection = "photos",
                  .using_name = "v2",
                  .n_connections = 8,
                  .weights = {[HL_BENCH_SEARCH] = 9, [HL_BENCH_UPSERT] = 1},
                  .limit = 10,
                  .seconds = 2,
                  .rate = rate}};
    assert_int_equal(hl_bench_tally_init(&f->tally, &err), HL_OK);
    for (int64_t i = 1; i <= 1000; i++)
        hl_bench_tally_add(&f->tally, HL_BENCH_SEARCH, i * 1000, i * 500);
    f->tally.kinds[HL_BENCH_SEARCH].n_finished = 1000;
    hl_bench_tally_fail(&f->tally, HL_BENCH_UPSERT, 507, "the disk is \"full\"", 1);
    f->tally.cpu_s = .005;
    f->tally.busy = .0025;
    assert_int_equal(hl_bench_tally_sum(&f->tally, &f->sum, &err), HL_OK);
    f->show = (struct hl_bench_show){&f->bench, &f->tally, &f->sum, "gallery", 500, 64};
    hl_buf_init(&f->text, 1 << 20);
    f->arena = hl_arena_new(1 << 20);
    assert_non_null(f->arena);
}

static void end(struct fixture *f)
{
    hl_buf_done(&f->text);
    hl_arena_free(f->arena);
    hl_bench_count_done(&f->sum);
    hl_bench_tally_done(&f->tally);
}

static void assert_says(const struct fixture *f, const char *line, bool is_said)
{
    if ((strstr(f->text.data, line) != NULL) != is_said)
        fail_msg("\"%s\" is%s in\n%s", line, is_said ? " not" : "", f->text.data);
}

static void the_table_has_a_row_for_each_kind_and_one_for_all(void **state)
{
    struct fixture f;

    (void)state;
    begin(&f, 0);
    hl_bench_print_text(&f.show, &f.text);
    assert_says(&f,
                "photos, 8 connections, each asks again when it is answered, json, 500 "
                "queries of 64 (gallery), 2 s after 0 s\n",
                true);
    assert_says(
        &f,
        "\nsearch           1000        0      500.0       500       900       990  "
        "     999      1000       500\n",
        true);
    assert_says(&f, "\nupsert              1        1        0.0         0 ", true);
    assert_says(&f, "\nall              1001        1      500.0       500 ", true);
    assert_says(&f, "\nfailed:\n         1  the disk is \"full\"\n", true);
    assert_says(&f, "5.0 us of its processor for each request, busy 0 %\n", true);
    assert_says(&f, "once sent", false);
    assert_says(&f, "may be the load itself", false);
    end(&f);
}

static void an_open_load_shows_what_was_waited_for_a_connection(void **state)
{
    struct fixture f;

    (void)state;
    begin(&f, 500);
    hl_hist_record(f.tally.late, 7000);
    f.tally.busy = .95;
    f.tally.n_other_failures = 3;
    hl_bench_print_text(&f.show, &f.text);
    assert_says(&f, "500 requests a second (even)", true);
    assert_says(&f,
                " once sent       250       450       495       500       500       250\n",
                true);
    assert_says(&f, ", late by 7 us at p99, 7 us at most", true);
    assert_says(&f, "may be the load itself that was the limit", true);
    assert_says(&f, "         3  in other words\n", true);
    assert_says(&f, "went out late", false);
    hl_hist_record(f.tally.late, 300000);
    hl_buf_clear(&f.text, 1 << 20);
    hl_bench_print_text(&f.show, &f.text);
    assert_says(&f, "Requests went out late through no fault of the server", true);
    end(&f);
}

static void assert_number(struct fixture *f, const char *path, double wanted)
{
    const struct hl_span json = {f->text.data, f->text.len};
    const double number = hl_cli_number(&json, path, f->arena);

    if (!(fabs(number - wanted) <= fabs(wanted) * .001))
        fail_msg("\"%s\" is %g, not %g", path, number, wanted);
}

static void assert_text(struct fixture *f, const char *path, const char *wanted)
{
    const struct hl_span json = {f->text.data, f->text.len};
    const struct hl_span found = hl_cli_find(&json, path, f->arena);

    if (found.len != strlen(wanted) ||
        strncmp(found.len ? found.data : "", wanted, found.len) != 0)
        fail_msg("\"%s\" is not %s in %s", path, wanted, f->text.data);
}

static void programs_read_the_same_under_names_that_stay(void **state)
{
    struct fixture f;

    (void)state;
    begin(&f, 500);
    hl_bench_print_json(&f.show, &f.text);
    assert_number(&f, "seconds", 2);
    assert_number(&f, "requests", 1001);
    assert_number(&f, "failed", 1);
    assert_number(&f, "rate", 500);
    assert_number(&f, "latency_us.p50", 500);
    assert_number(&f, "latency_us.p90", 900);
    assert_number(&f, "latency_us.p99", 990);
    assert_number(&f, "latency_us.p999", 999);
    assert_number(&f, "latency_us.max", 1000);
    assert_number(&f, "latency_us.mean", 500.5);
    assert_number(&f, "service_us.p50", 250);
    assert_number(&f, "kinds.search.requests", 1000);
    assert_number(&f, "kinds.upsert.failed", 1);
    assert_number(&f, "generator.cpu_us", 5);
    assert_text(&f, "generator.was_limit", "false");
    assert_text(&f, "generator.was_late", "false");
    assert_text(&f, "errors",
                "[{\"status\":507,\"n\":1,\"error\":\"the disk is \\\"full\\\"\"}]");
    assert_text(&f, "settings.using", "\"v2\"");
    assert_text(&f, "settings.mix", "{\"search\":9.0,\"upsert\":1.0}");
    assert_text(&f, "settings.arrivals", "\"even\"");
    assert_number(&f, "settings.rate", 500);
    assert_text(&f, "kinds.batch", "");
    end(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_table_has_a_row_for_each_kind_and_one_for_all),
        cmocka_unit_test(an_open_load_shows_what_was_waited_for_a_connection),
        cmocka_unit_test(programs_read_the_same_under_names_that_stay),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
