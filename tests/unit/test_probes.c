/* SPDX-License-Identifier: Apache-2.0 */
/* Probe sets as records: versions, who needs a model, what is kept of runs. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "proto/fail.h"
#include "server/change.h"
#include "server/probes.h"
#include "tests/unit/looking.h"
#include "tests/unit/saying.h"

static const char lines[] = "{\"k\":3,\"flip_at\":2,\"every_s\":60}\n{}\n";

/* A set has 5 queries, 4 with a vector of `model`. */
struct job {
    const char *name, *model;
    uint32_t dim;
    uint64_t version;
    int n; /* of a run */
};

static enum hl_code put(void *self, struct hl_writing *writing, struct hl_err *err)
{
    struct job *job = self;
    const struct hl_probe_model model = {{job->model, strlen(job->model)}, job->dim, 4};
    const struct hl_probe_entry entry = {
        .name = job->name,
        .set = {.settings = {3, 2, 60}, .n_queries = 5, .models = &model, .n_models = 1},
        .text = {lines, sizeof lines - 1},
        .by = "ops"};

    return hl_probes_put(writing, &entry, &job->version, err);
}

static enum hl_code take_away(void *self, struct hl_writing *writing, struct hl_err *err)
{
    return hl_probes_remove(writing, ((struct job *)self)->name, err);
}

static enum hl_code keep(void *self, struct hl_writing *writing, struct hl_err *err)
{
    const struct job *job = self;
    char run[40], summary[40];
    struct hl_span texts[] = {{run, 0}, {summary, 0}};

    texts[0].len = (size_t)snprintf(run, sizeof run, "{\"whole\":%d}", job->n);
    texts[1].len = (size_t)snprintf(summary, sizeof summary, "{\"run\":%d}", job->n);
    return hl_probes_keep_run(writing, job->name, &texts[0], &texts[1], err);
}

static enum hl_code check_idle(void *self, struct hl_writing *writing, struct hl_err *err)
{
    const struct hl_holdings inside = hl_holdings_inside(writing);

    return hl_probes_check_idle(&inside, ((struct job *)self)->model, err);
}

static enum hl_code change(struct stand *s, struct job *job,
                           enum hl_code (*run)(void *self, struct hl_writing *writing,
                                               struct hl_err *err))
{
    return hl_pending_run_now(s->collection, run, job, &s->err);
}

/* The number of the version that was put, 0 when it was not. */
static uint64_t put_one(struct stand *s, const char *name, const char *model)
{
    struct job job = {.name = name, .model = model, .dim = 2};

    return change(s, &job, put) == HL_OK ? job.version : 0;
}

static enum hl_code do_with(struct stand *s, const char *name,
                            enum hl_code (*run)(void *self, struct hl_writing *writing,
                                                struct hl_err *err))
{
    struct job job = {.name = name, .model = name};

    return change(s, &job, run);
}

static struct hl_holdings open_holdings(struct stand *s)
{
    struct hl_holdings holdings;

    assert_int_equal(hl_holdings_look(s->collection, &holdings, &s->err), HL_OK);
    return holdings;
}

/* What is said of a version, or why nothing is; of all sets without a name. */
static const char *shown(struct stand *s, const char *name, uint64_t version)
{
    struct hl_holdings holdings = open_holdings(s);
    struct hl_buf buf;
    const char *text;
    enum hl_code code;

    hl_buf_init(&buf, 1 << 20);
    code = name ? hl_probes_print(&holdings, name, version, true, &buf, &s->err)
                : hl_probes_print_all(&holdings, &buf, &s->err);
    hl_holdings_close(&holdings);
    text = code == HL_OK ? hl_arena_copy(s->arena, buf.data, buf.len) : s->err.msg;
    hl_buf_done(&buf);
    assert_non_null(text);
    return text;
}

/* ---- the tests ---- */

static void versions_count_up_the_last_four_stay_and_no_number_comes_twice(void **state)
{
    struct stand *s = *state;

    for (uint64_t i = 1; i <= 6; i++)
        assert_int_equal(put_one(s, "golden", "c"), i);
    assert_in(shown(s, "golden", 0), "\"version\":6,\"k\":3,\"flip_at\":2,\"every_s\":60,"
                                     "\"queries\":5,\"models\":[{\"name\":\"c\",\"size\":2,"
                                     "\"queries\":4}],\"created_at\":\"");
    assert_in(shown(s, "golden", 0), "\"versions\":[3,4,5,6]");
    assert_in(shown(s, "golden", 3), "\"version\":3,");
    assert_string_equal(shown(s, "golden", 2),
                        "Not found: there is no version 2 of the probe set \"golden\", the "
                        "last 4 are kept");
    assert_int_equal(do_with(s, "golden", take_away), HL_OK);
    assert_string_equal(shown(s, "golden", 0),
                        "Not found: there is no probe set \"golden\"");
    assert_int_equal(do_with(s, "golden", take_away), HL_NOT_FOUND);
    assert_int_equal(put_one(s, "golden", "c"), 7);
    assert_in(shown(s, "golden", 0), "\"versions\":[7],\"runs\":[],\"last_run\":null}");
}

static void a_set_is_found_with_its_lines_and_its_models(void **state)
{
    struct stand *s = *state;
    struct hl_holdings holdings;
    struct hl_probe_set set;
    struct hl_span text;

    assert_int_equal(put_one(s, "golden", "c"), 1);
    assert_int_equal(put_one(s, "golden", "d"), 2);
    holdings = open_holdings(s);
    assert_int_equal(hl_probes_find(&holdings, "golden", 1, s->arena, &set, &s->err),
                     HL_OK);
    assert_true(hl_text_is(&set.models[0].name, "c"));
    assert_int_equal(hl_probes_find(&holdings, "golden", 0, s->arena, &set, &s->err),
                     HL_OK);
    assert_int_equal(set.version, 2);
    assert_int_equal(set.n_queries, 5);
    assert_int_equal(set.settings.k, 3);
    assert_int_equal(set.settings.flip_at, 2);
    assert_int_equal(set.settings.every_s, 60);
    assert_int_equal(set.n_models, 1);
    assert_true(hl_text_is(&set.models[0].name, "d"));
    assert_int_equal(set.models[0].dim, 2);
    assert_int_equal(set.models[0].n, 4);
    assert_int_equal(hl_probes_text(&holdings, "golden", 2, &text, &s->err), HL_OK);
    assert_int_equal(text.len, sizeof lines - 1);
    assert_memory_equal(text.data, lines, text.len);
    assert_int_equal(hl_probes_text(&holdings, "golden", 3, &text, &s->err), HL_NOT_FOUND);
    hl_holdings_close(&holdings);
}

static void sets_are_listed_by_name_with_their_latest_version(void **state)
{
    struct stand *s = *state;
    const char *text;

    assert_string_equal(shown(s, NULL, 0), "{\"probes\":[]}");
    assert_int_equal(put_one(s, "b", "c"), 1);
    assert_int_equal(put_one(s, "a.b", "c"), 1);
    assert_int_equal(put_one(s, "a", "c"), 1);
    assert_int_equal(put_one(s, "a", "d"), 2);
    text = shown(s, NULL, 0);
    assert_non_null(strstr(text, "{\"probes\":[{\"name\":\"a"));
    assert_in(text, "\"name\":\"a\",\"version\":2");
    assert_in(text, "\"name\":\"a.b\",\"version\":1");
    assert_in(text, "\"name\":\"b\",\"version\":1");
    assert_null(strstr(text, "\"name\":\"a\",\"version\":1"));
    assert_in(shown(s, "a", 0), "\"versions\":[1,2]");
    assert_in(shown(s, "a.b", 0), "\"versions\":[1]");
}

/* Whichever set it is that needs it, the first or the last; only the latest version counts.
 */
static void a_model_is_needed_by_the_latest_version_of_a_set(void **state)
{
    struct stand *s = *state;

    assert_int_equal(do_with(s, "c", check_idle), HL_OK);
    assert_int_equal(put_one(s, "a", "c"), 1);
    assert_int_equal(put_one(s, "b", "d"), 1);
    assert_int_equal(do_with(s, "c", check_idle), HL_CONFLICT);
    assert_string_equal(s->err.msg,
                        "the probe set \"a\" has vectors of \"c\": put it again "
                        "without them or delete it first");
    assert_int_equal(do_with(s, "d", check_idle), HL_CONFLICT);
    assert_int_equal(do_with(s, "e", check_idle), HL_OK);
    assert_int_equal(put_one(s, "a", "e"), 2);
    assert_int_equal(do_with(s, "c", check_idle), HL_OK);
    assert_int_equal(do_with(s, "e", check_idle), HL_CONFLICT);
    assert_int_equal(put_one(s, "b", "e"), 2);
    assert_int_equal(do_with(s, "d", check_idle), HL_OK);
}

static void a_model_that_changed_meanwhile_refuses_the_set(void **state)
{
    struct stand *s = *state;
    struct job other = {.name = "a", .model = "c", .dim = 3};
    struct job gone = {.name = "a", .model = "x", .dim = 2};

    assert_int_equal(change(s, &other, put), HL_CONFLICT);
    assert_string_equal(s->err.msg,
                        "the vector \"c\" was made anew with another size meanwhile");
    assert_int_equal(change(s, &gone, put), HL_CONFLICT);
    assert_string_equal(s->err.msg, "the vector \"x\" was deleted meanwhile");
    assert_string_equal(shown(s, NULL, 0), "{\"probes\":[]}");
}

static void of_runs_the_last_is_whole_and_sixteen_are_summaries(void **state)
{
    struct stand *s = *state;
    struct job job = {.name = "a"};

    assert_int_equal(change(s, &job, keep), HL_OK); /* there is no such set */
    assert_int_equal(put_one(s, "a", "c"), 1);
    assert_in(shown(s, "a", 0), "\"runs\":[],\"last_run\":null}");
    for (job.n = 1; job.n <= 18; job.n++)
        assert_int_equal(change(s, &job, keep), HL_OK);
    assert_in(shown(s, "a", 0),
              "\"runs\":[{\"run\":18},{\"run\":17},{\"run\":16},{\"run\":15},{\"run\":14},"
              "{\"run\":13},{\"run\":12},{\"run\":11},{\"run\":10},{\"run\":9},{\"run\":8},"
              "{\"run\":7},{\"run\":6},{\"run\":5},{\"run\":4},{\"run\":3}],"
              "\"last_run\":{\"whole\":18}}");
    assert_int_equal(do_with(s, "a", take_away), HL_OK);
    assert_int_equal(put_one(s, "a", "c"), 2);
    assert_in(shown(s, "a", 0), "\"runs\":[],\"last_run\":null}");
}

static void names_are_those_of_files(void **state)
{
    static const char *const bad[] = {"", ".a", "a/b", "a b"};
    char longest[65];
    struct stand *s = *state;

    memset(longest, 'a', sizeof longest);
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(
            hl_probes_check_name(&(struct hl_span){bad[i], strlen(bad[i])}, &s->err),
            HL_INVALID);
    longest[64] = '\0';
    assert_int_equal(hl_probes_check_name(&(struct hl_span){longest, 64}, &s->err),
                     HL_INVALID);
    longest[63] = '\0';
    assert_int_equal(hl_probes_check_name(&(struct hl_span){longest, 63}, &s->err), HL_OK);
    assert_int_equal(put_one(s, longest, "c"), 1);
    assert_in(shown(s, longest, 1), "\"versions\":[1]");
}

static void without_memory_a_change_is_there_or_not_at_all(void **state)
{
    static enum hl_code (*const runs[])(void *, struct hl_writing *, struct hl_err *) = {
        put, keep, check_idle, take_away};
    static const char *const after[] = {
        ("\"versions\":[1,2],\"runs\":[{\"run\":1}]"),
        ("\"runs\":[{\"run\":9},{\"run\":1}],\"last_run\":{\"whole\":9}"),
        ("\"version\":2"), ("there is no probe set \"a\"")};
    struct stand *s = *state;
    struct job job = {.name = "a", .model = "c", .dim = 2, .n = 1};

    assert_int_equal(change(s, &job, put), HL_OK);
    assert_int_equal(change(s, &job, keep), HL_OK);
    job.n = 9;
    for (size_t i = 0; i < 4; i++) {
        enum hl_code code = HL_NO_MEMORY;

        for (int n = 1; code != HL_OK && code != HL_CONFLICT; n++) {
            char rule[32];

            assert_true(n < 1000);
            snprintf(rule, sizeof rule, "alloc=%d:fail", n);
            assert_int_equal(hl_failpoint_arm(rule, &s->err), HL_OK);
            code = change(s, &job, runs[i]);
            hl_failpoint_disarm();
            if (code == HL_NO_MEMORY && i != 2)
                assert_null(strstr(shown(s, "a", 0), after[i]));
        }
        assert_int_equal(code, i == 2 ? HL_CONFLICT : HL_OK);
        assert_in(shown(s, "a", 0), after[i]);
    }
}

static void without_memory_nothing_is_found_by_halves(void **state)
{
    struct stand *s = *state;
    enum hl_code code = HL_NO_MEMORY;

    assert_int_equal(put_one(s, "a", "c"), 1);
    for (int n = 1; code != HL_OK; n++) {
        struct hl_holdings holdings = open_holdings(s);
        struct hl_arena *arena = hl_arena_new(1 << 20);
        struct hl_probe_set set = {.n_models = 7};
        char rule[32];

        assert_true(n < 500);
        snprintf(rule, sizeof rule, "alloc=%d:fail", n);
        assert_int_equal(hl_failpoint_arm(rule, &s->err), HL_OK);
        code = hl_probes_find(&holdings, "a", 0, arena, &set, &s->err);
        hl_failpoint_disarm();
        assert_int_equal(set.n_models, code == HL_OK ? 1 : 7);
        hl_holdings_close(&holdings);
        hl_arena_free(arena);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(versions_count_up_the_last_four_stay_and_no_number_comes_twice),
        TEST(a_set_is_found_with_its_lines_and_its_models),
        TEST(sets_are_listed_by_name_with_their_latest_version),
        TEST(a_model_is_needed_by_the_latest_version_of_a_set),
        TEST(a_model_that_changed_meanwhile_refuses_the_set),
        TEST(of_runs_the_last_is_whole_and_sixteen_are_summaries),
        TEST(names_are_those_of_files),
        TEST(without_memory_a_change_is_there_or_not_at_all),
        TEST(without_memory_nothing_is_found_by_halves),
    };

    return cmocka_run_group_tests_name("probes", tests, NULL, NULL);
}
