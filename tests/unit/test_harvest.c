/* SPDX-License-Identifier: Apache-2.0 */
/* What an export makes of a server's points, and what an import makes of that. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "proto/alloc.h"
#include "proto/fail.h"
#include "proto/file.h"
#include "server/feed.h"
#include "server/harvest.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define UUID "\"00112233-4455-6677-8899-aabbccddeeff\""

struct fixture {
    char folder[40];
    char path[96];
    struct hl_buf text;
    struct hl_err err;
};

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);

    *state = f;
    snprintf(f->folder, sizeof f->folder, "/tmp/heirloom-harvest-XXXXXX");
    hl_buf_init(&f->text, 1 << 20);
    return mkdtemp(f->folder) ? 0 : -1;
}

static int tear_down(void **state)
{
    static const char *const names[] = {"points.ndjson",   "out.npy",  "out.npy.ids",
                                        "out.safetensors", "payloads", "points.ndjson.new"};
    struct fixture *f = *state;

    hl_failpoint_disarm();
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        snprintf(f->path, sizeof f->path, "%s/%s", f->folder, names[i]);
        unlink(f->path);
    }
    assert_int_equal(rmdir(f->folder), 0);
    hl_buf_done(&f->text);
    free(f);
    return 0;
}

static const char *in(struct fixture *f, const char *name)
{
    snprintf(f->path, sizeof f->path, "%s/%s", f->folder, name);
    return f->path;
}

static void write_file(struct fixture *f, const char *name, const char *text)
{
    FILE *file = fopen(in(f, name), "w");

    assert_true(fputs(text, file) >= 0);
    fclose(file);
}

static void assert_file(struct fixture *f, const char *name, const char *wanted)
{
    struct hl_buf text;

    hl_buf_init(&text, 1 << 20);
    assert_int_equal(hl_file_load(in(f, name), &text, &f->err), HL_OK);
    assert_string_equal(text.data, wanted);
    hl_buf_done(&text);
}

/* All points of a feed, one behind the other. */
static enum hl_code feed_all(struct fixture *f, const struct hl_feed_options *options,
                             uint64_t skip)
{
    struct hl_feed *feed = NULL;
    bool has = true;
    enum hl_code code = hl_feed_open(options, &feed, &f->err);

    hl_buf_clear(&f->text, 0);
    if (code == HL_OK)
        code = hl_feed_skip(feed, skip, &f->err);
    while (code == HL_OK && has) {
        code = hl_feed_next(feed, &f->text, &has, &f->err);
        if (code == HL_OK && has)
            hl_buf_add_char(&f->text, '\n');
    }
    hl_feed_close(feed);
    return code;
}

static const char points[] =
    "{\"id\":1,\"payload\":{\"a\":1},\"vector\":{\"\":[1.0,2.0],\"v2\":[0.5]}}\n"
    "{\"id\":2,\"payload\":null,\"vector\":{\"v2\":[0.25]}}\n"
    "{\"id\":7,\"vector\":[3.0,-4.0]}\n";

static void lines_of_points_are_fed_as_they_are(void **state)
{
    struct fixture *f = *state;

    write_file(f, "points.ndjson", points);
    assert_int_equal(
        feed_all(f, &(struct hl_feed_options){.path = in(f, "points.ndjson")}, 0), HL_OK);
    assert_string_equal(f->text.data, points);
    assert_int_equal(
        feed_all(f, &(struct hl_feed_options){.path = in(f, "points.ndjson")}, 2), HL_OK);
    assert_string_equal(f->text.data, "{\"id\":7,\"vector\":[3.0,-4.0]}\n");
}

static void a_line_that_is_no_object_is_named(void **state)
{
    struct fixture *f = *state;

    write_file(f, "points.ndjson", "{\"id\":1}\n\n[1]\n");
    assert_int_equal(
        feed_all(f, &(struct hl_feed_options){.path = in(f, "points.ndjson")}, 0),
        HL_BAD_FILE);
    assert_non_null(strstr(f->err.msg, "points.ndjson\", line 3: it holds no object"));
    write_file(f, "points.ndjson", "{\"id\":1} x\n");
    assert_int_equal(
        feed_all(f, &(struct hl_feed_options){.path = in(f, "points.ndjson")}, 0),
        HL_BAD_FILE);
    assert_non_null(strstr(f->err.msg, "line 1: "));
}

static void vectors_go_to_npy_and_come_back_with_their_ids(void **state)
{
    struct fixture *f = *state;
    char lines[96], ids[96];

    write_file(f, "points.ndjson",
               "{\"id\":1,\"vector\":[1.0,2.0]}\n{\"id\":" UUID ",\"vector\":[3.0,4.0]}\n");
    snprintf(lines, sizeof lines, "%s", f->path);
    assert_int_equal(hl_harvest_vectors(lines, in(f, "out.npy"), "", &f->err), HL_OK);
    assert_file(f, "out.npy.ids", "1\n" UUID "\n");
    snprintf(ids, sizeof ids, "%s", in(f, "out.npy.ids"));
    assert_int_equal(feed_all(f,
                              &(struct hl_feed_options){
                                  .path = in(f, "out.npy"), .vector = "", .ids = ids},
                              0),
                     HL_OK);
    assert_string_equal(f->text.data, "{\"id\":1,\"vector\":\"AACAPwAAAEA=\"}\n"
                                      "{\"id\":" UUID ",\"vector\":\"AABAQAAAgEA=\"}\n");
    assert_int_equal(feed_all(f,
                              &(struct hl_feed_options){
                                  .path = in(f, "out.npy"), .vector = "v", .first_id = 40},
                              1),
                     HL_OK);
    assert_string_equal(f->text.data, "{\"id\":41,\"vector\":{\"v\":\"AABAQAAAgEA=\"}}\n");
}

static void payloads_stand_beside_rows_one_each(void **state)
{
    struct fixture *f = *state;
    char lines[96], payloads[96];

    write_file(f, "points.ndjson",
               "{\"id\":1,\"vector\":[1.0]}\n{\"id\":2,\"vector\":[2.0]}\n");
    snprintf(lines, sizeof lines, "%s", f->path);
    assert_int_equal(hl_harvest_vectors(lines, in(f, "out.npy"), "", &f->err), HL_OK);
    write_file(f, "payloads", "{\"a\":1}\n");
    snprintf(payloads, sizeof payloads, "%s", f->path);
    assert_int_equal(feed_all(f,
                              &(struct hl_feed_options){.path = in(f, "out.npy"),
                                                        .vector = "",
                                                        .payloads = payloads},
                              0),
                     HL_BAD_FILE);
    assert_non_null(strstr(f->err.msg, "has 1 lines"));
    assert_non_null(strstr(f->text.data, "{\"id\":0,\"vector\":\"AACAPw==\","
                                         "\"payload\":{\"a\":1}}\n"));
}

static void named_vectors_go_to_safetensors_and_come_back(void **state)
{
    struct fixture *f = *state;
    char lines[96];

    write_file(f, "points.ndjson", points);
    snprintf(lines, sizeof lines, "%s", f->path);
    assert_int_equal(hl_harvest_vectors(lines, in(f, "out.safetensors"), "v2", &f->err),
                     HL_OK);
    assert_int_equal(
        feed_all(f, &(struct hl_feed_options){.path = in(f, "out.safetensors")}, 0), HL_OK);
    assert_string_equal(f->text.data, "{\"id\":1,\"vector\":{\"v2\":\"AAAAPw==\"}}\n"
                                      "{\"id\":2,\"vector\":{\"v2\":\"AACAPg==\"}}\n");
    assert_int_equal(hl_harvest_vectors(lines, in(f, "out.safetensors"), "", &f->err),
                     HL_OK);
    assert_int_equal(
        feed_all(f, &(struct hl_feed_options){.path = in(f, "out.safetensors")}, 1), HL_OK);
    assert_string_equal(f->text.data, "{\"id\":7,\"vector\":\"AABAQAAAgMA=\"}\n");
}

static void what_a_file_cannot_hold_is_refused_with_the_way_out(void **state)
{
    struct fixture *f = *state;
    char lines[96];

    write_file(f, "points.ndjson", "{\"id\":" UUID ",\"vector\":[1.0]}\n");
    snprintf(lines, sizeof lines, "%s", f->path);
    assert_int_equal(hl_harvest_vectors(lines, in(f, "out.safetensors"), "", &f->err),
                     HL_INVALID);
    assert_non_null(strstr(f->err.msg, "export to .npy or NDJSON"));
    assert_int_equal(hl_harvest_vectors(lines, in(f, "out.npy"), "v9", &f->err),
                     HL_NOT_FOUND);
    assert_string_equal(f->err.msg, "no point has a vector \"v9\"");
    write_file(f, "points.ndjson",
               "{\"id\":1,\"vector\":{\"s\":{\"indices\":[1],\"values\":[0.5]}}}\n");
    assert_int_equal(hl_harvest_vectors(lines, in(f, "out.npy"), "s", &f->err), HL_INVALID);
    assert_non_null(strstr(f->err.msg, "sparse"));
}

static void what_was_written_by_halves_is_cut_off(void **state)
{
    struct fixture *f = *state;
    struct hl_id last;
    uint64_t n = 9;

    assert_int_equal(hl_harvest_salvage(in(f, "points.ndjson"), &n, &last, &f->err), HL_OK);
    assert_int_equal(n, 0);
    write_file(f, "points.ndjson", "{\"id\":1}\n{\"id\":5,\"a\":[]}\n{\"id\":6,\"a\":[1,");
    assert_int_equal(hl_harvest_salvage(in(f, "points.ndjson"), &n, &last, &f->err), HL_OK);
    assert_int_equal(n, 2);
    assert_int_equal(hl_id_value(&last), 5);
    assert_file(f, "points.ndjson", "{\"id\":1}\n{\"id\":5,\"a\":[]}\n");
}

static void a_page_is_cut_into_lines(void **state)
{
    static const char reply[] =
        "{\"result\":{\"points\":[{\"id\":3,\"payload\":{}},{\"id\":4}],"
        "\"next_page_offset\":9},\"status\":\"ok\",\"time\":0.1}";
    struct fixture *f = *state;
    const struct hl_span span = {reply, sizeof reply - 1};
    const struct hl_id three = hl_id_number(3);
    struct hl_harvest_page page = {.lines = &f->text};

    assert_int_equal(hl_harvest_page(&span, &page, &f->err), HL_OK);
    assert_string_equal(f->text.data, "{\"id\":3,\"payload\":{}}\n{\"id\":4}\n");
    assert_true(page.has_next);
    assert_int_equal(page.n, 2);
    assert_int_equal(hl_id_value(&page.next), 9);
    page.last = &three;
    hl_buf_clear(&f->text, 0);
    assert_int_equal(hl_harvest_page(&span, &page, &f->err), HL_OK);
    assert_string_equal(f->text.data, "{\"id\":4}\n");
}

static void whatever_fails_leaves_nothing_behind(void **state)
{
    static const char *const points_of_failure[] = {"alloc", "file.read", "file.write",
                                                    "file.sync", "file.rename"};
    struct fixture *f = *state;
    char lines[96];

    write_file(f, "points.ndjson", points);
    snprintf(lines, sizeof lines, "%s", f->path);
    for (size_t i = 0; i < sizeof points_of_failure / sizeof *points_of_failure; i++) {
        enum hl_code code = HL_INTERNAL;
        int n_failed = 0;

        for (int n = 1; code != HL_OK; n++) {
            char rule[64];

            snprintf(rule, sizeof rule, "%s=%d:fail", points_of_failure[i], n);
            assert_int_equal(hl_failpoint_arm(rule, &f->err), HL_OK);
            code = hl_harvest_vectors(lines, in(f, "out.npy"), "v2", &f->err);
            hl_failpoint_disarm();
            n_failed += code != HL_OK;
            assert_int_not_equal(access(in(f, "out.npy.new"), F_OK), 0);
            assert_int_not_equal(access(in(f, "out.npy.ids.new"), F_OK), 0);
        }
        assert_true(n_failed > 0);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(lines_of_points_are_fed_as_they_are),
        TEST(a_line_that_is_no_object_is_named),
        TEST(vectors_go_to_npy_and_come_back_with_their_ids),
        TEST(payloads_stand_beside_rows_one_each),
        TEST(named_vectors_go_to_safetensors_and_come_back),
        TEST(what_a_file_cannot_hold_is_refused_with_the_way_out),
        TEST(what_was_written_by_halves_is_cut_off),
        TEST(a_page_is_cut_into_lines),
        TEST(whatever_fails_leaves_nothing_behind),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
