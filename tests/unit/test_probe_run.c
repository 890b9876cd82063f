/* SPDX-License-Identifier: Apache-2.0 */
/* Running probe sets between the models of activating.h, over points of this file's own:
 * point i is at some angle as v1 and at another as v2, and has a class. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "server/probe_run.h"
#include "server/probes.h"
#include "tests/unit/activating.h"
#include "tests/unit/saying.h"

#include <math.h>

enum { V1 = 1, V2, V3, N_POINTS = 40, N_CLASSES = 4, N_PROBES = 300, AT_MOST = 10 };

/* ---- the set ---- */

struct putting {
    struct hl_buf lines;
    uint32_t dim;
    const char *second; /* model */
};

static enum hl_code put(void *self, struct hl_writing *writing, struct hl_err *err)
{
    const struct putting *putting = self;
    const struct hl_probe_model models[] = {{{"v1", 2}, putting->dim, 1},
                                            {{putting->second, 2}, 2, 1}};
    const struct hl_probe_entry entry = {.name = "golden",
                                         .set = {.settings = {3, 2, 0},
                                                 .n_queries = N_PROBES,
                                                 .models = models,
                                                 .n_models = 2},
                                         .text = {putting->lines.data, putting->lines.len},
                                         .by = ""};
    uint64_t version;

    return hl_probes_put(writing, &entry, &version, err);
}

static void put_lines(struct rig *rig, const char *lines)
{
    struct putting putting = {.dim = 2, .second = "v2"};

    hl_buf_init(&putting.lines, 4 << 20);
    hl_buf_add_text(&putting.lines, "{\"k\":3,\"flip_at\":2}\n");
    hl_buf_add_text(&putting.lines, lines);
    assert_int_equal(change(rig, put, &putting), HL_OK);
    hl_buf_done(&putting.lines);
}

/* ---- running it ---- */

struct running {
    struct rig *rig;
    struct hl_collection *collection;
    struct hl_deadline deadline;
    atomic_bool is_cancelled;
    struct hl_probe_task task;
    struct hl_probe_result result;
    double told; /* of progress */
};

static void tell(void *self, const char *phase, double progress)
{
    assert_string_equal(phase, "running");
    ((struct running *)self)->told = progress;
}

static enum hl_code run(struct running *running)
{
    struct rig *rig = running->rig;

    running->collection = collection_of(rig);
    running->deadline = never;
    running->deadline.cancelled = &running->is_cancelled;
    running->task.server = &rig->server;
    running->task.collection = running->collection;
    running->task.set = "golden";
    running->task.by = "ops";
    running->task.why = "a test";
    running->task.errand = (struct hl_errand){&running->deadline, tell, running};
    return hl_probes_run(&running->task, &running->result, &rig->err);
}

static void end_run(struct running *running)
{
    hl_probe_result_done(&running->result);
    hl_collection_unref(running->collection);
}

/* What is kept of runs. */
static void assert_kept(struct rig *rig, const char *words)
{
    struct hl_collection *collection = collection_of(rig);
    struct hl_holdings holdings;
    struct hl_buf buf;

    hl_buf_init(&buf, 4 << 20);
    assert_int_equal(hl_holdings_look(collection, &holdings, &rig->err), HL_OK);
    assert_int_equal(hl_probes_print(&holdings, "golden", 0, true, &buf, &rig->err), HL_OK);
    hl_holdings_close(&holdings);
    hl_collection_unref(collection);
    assert_in(buf.data, words);
    hl_buf_done(&buf);
}

static int begin(void **state)
{
    struct rig *rig;

    if (set_up(state) != 0)
        return -1;
    rig = *state;
    rig->config.limits.request_memory_mb = 16;
    write_ops(rig, "{\"delete\":{\"points\":[1,2,3,4]}}");
    return 0;
}

static void assert_near(double value, double wanted)
{
    assert_true(fabs(value - wanted) < 1e-9);
}

/* ---- a count by hand ---- */

struct world {
    double points[2][N_POINTS]; /* angles, as v1 and as v2 */
    double probes[2][N_PROBES];
};

static double angle_of(unsigned seed)
{
    return (double)(seed * 2654435761U % 100003U) / 100003.0 * 6.283185307179586;
}

static void make_world(struct world *world, struct rig *rig, struct hl_buf *lines)
{
    char text[400];

    for (unsigned i = 0; i < N_POINTS; i++) {
        world->points[0][i] = angle_of(i + 1);
        world->points[1][i] = angle_of(i + 1) + angle_of(i + 500) / 10;
        (void)snprintf(text, sizeof text,
                       "{\"upsert\":{\"points\":[{\"id\":%u,\"payload\":{\"class\":%u},"
                       "\"vector\":{\"v1\":[%.9f,%.9f],\"v2\":[%.9f,%.9f]}}]}}",
                       i + 1, i % N_CLASSES, cos(world->points[0][i]),
                       sin(world->points[0][i]), cos(world->points[1][i]),
                       sin(world->points[1][i]));
        write_ops(rig, text);
    }
    for (unsigned i = 0; i < N_PROBES; i++) {
        world->probes[0][i] = angle_of(i + 1000);
        world->probes[1][i] = angle_of(i + 1000) + angle_of(i + 2000) / 5;
        (void)snprintf(text, sizeof text,
                       "{\"vectors\":{\"v1\":[%.9f,%.9f],\"v2\":[%.9f,%.9f]},"
                       "\"relevant_if\":{\"must\":[{\"key\":\"class\",\"match\":{\"value\":"
                       "%u}}]}%s}\n",
                       cos(world->probes[0][i]), sin(world->probes[0][i]),
                       cos(world->probes[1][i]), sin(world->probes[1][i]), i % N_CLASSES,
                       i % 3 ? "" : ",\"filter\":{\"must_not\":[{\"has_id\":[1,2,3]}]}");
        hl_buf_add_text(lines, text);
    }
}

/* The n best of a query, by brute force. */
static void find_best(const struct world *world, int model, unsigned probe, size_t n,
                      unsigned *best)
{
    bool taken[N_POINTS] = {false};

    for (size_t at = 0; at < n; at++) {
        double high = -2;

        for (unsigned i = probe % 3 ? 0 : 3; i < N_POINTS; i++) {
            const double near = cos(world->points[model][i] - world->probes[model][probe]);

            if (!taken[i] && near > high) {
                high = near;
                best[at] = i;
            }
        }
        taken[best[at]] = true;
    }
}

struct counted {
    uint64_t right[2], negative, positive, lost;
    double recall[2];
};

static struct counted count_by_hand(const struct world *world)
{
    struct counted counted = {.lost = 0};

    for (unsigned p = 0; p < N_PROBES; p++) {
        unsigned best[2][AT_MOST];
        bool right[2], is_lost = true;

        for (int model = 0; model < 2; model++) {
            unsigned n_found = 0;

            find_best(world, model, p, AT_MOST, best[model]);
            for (size_t i = 0; i < 3; i++)
                n_found += best[model][i] % N_CLASSES == p % N_CLASSES;
            right[model] = best[model][0] % N_CLASSES == p % N_CLASSES ||
                           best[model][1] % N_CLASSES == p % N_CLASSES;
            counted.right[model] += right[model];
            counted.recall[model] += n_found / 3.0 / N_PROBES;
        }
        counted.negative += right[0] && !right[1];
        counted.positive += right[1] && !right[0];
        for (size_t i = 0; i < AT_MOST; i++)
            is_lost = is_lost && best[1][i] != best[0][0];
        counted.lost += is_lost;
    }
    return counted;
}

static void the_figures_are_those_of_a_count_by_hand(void **state)
{
    struct running running = {.rig = *state, .task = {.from = V1, .to = V2}};
    const struct hl_probe_result *result = &running.result;
    struct world *world = calloc(1, sizeof *world);
    struct counted counted;
    struct hl_buf lines;
    size_t n_listed = 0;

    assert_non_null(world);
    hl_buf_init(&lines, 4 << 20);
    make_world(world, running.rig, &lines);
    put_lines(running.rig, lines.data);
    hl_buf_done(&lines);
    counted = count_by_hand(world);
    if (run(&running) != HL_OK)
        fail_msg("%s", running.rig->err.msg);
    assert_int_equal(result->n_queries, N_PROBES);
    assert_int_equal(result->n, N_PROBES);
    assert_int_equal(result->n_right_from, counted.right[0]);
    assert_int_equal(result->n_right_to, counted.right[1]);
    assert_int_equal(result->n_negative, counted.negative);
    assert_int_equal(result->n_positive, counted.positive);
    assert_int_equal(result->n_lost_tops, counted.lost);
    assert_true(counted.negative > 5 && counted.positive > 5 && counted.lost > 5);
    assert_near(result->recall_from.value, counted.recall[0]);
    assert_near(result->recall_to.value, counted.recall[1]);
    assert_near(result->negative_flips.value, (double)counted.negative / N_PROBES);
    assert_true(result->negative_flips.low < result->negative_flips.value &&
                result->negative_flips.high > result->negative_flips.value);
    for (const char *at = result->run.data; at && (at = strstr(at, "\"flip\":\"")); at++)
        n_listed++;
    assert_int_equal(n_listed, counted.negative + counted.positive);
    assert_near(running.told, 1.0);
    free(world);
    end_run(&running);
}

/* ---- what is said ---- */

#define AT_0  "\"vectors\":{\"v1\":[1,0],\"v2\":[1,0]}"
#define POINT "{\"upsert\":{\"points\":[{\"id\":%d,\"vector\":{\"v1\":[%s],\"v2\":[%s]}}]}}"

/* As v1 they stand 1 2 3 from 0 degrees on, as v2 3 2 1. */
static void write_row(struct rig *rig)
{
    static const char *const places[] = {"1,0", "2,1", "1,1"};
    char text[200];

    for (int i = 0; i < 3; i++) {
        (void)snprintf(text, sizeof text, POINT, i + 1, places[i], places[2 - i]);
        write_ops(rig, text);
    }
}

static void a_flip_shows_both_lists_what_was_lost_and_what_was_won(void **state)
{
    struct running running = {.rig = *state, .task = {.from = V1, .to = V2, .version = 1}};

    write_row(running.rig);
    put_lines(running.rig, "{" AT_0 ",\"relevant\":[2]}\n"
                           "{\"id\":\"x\"," AT_0 ",\"relevant\":[1]}\n");
    put_lines(running.rig, "{" AT_0 ",\"relevant\":[2]}\n");
    assert_int_equal(run(&running), HL_OK);
    assert_int_equal(running.result.version, 1);
    assert_int_equal(running.result.n_negative, 1);
    assert_in(running.result.run.data,
              "{\"set\":\"golden\",\"version\":1,\"from\":\"v1\",\"to\":"
              "\"v2\",\"at\":\"");
    assert_in(running.result.run.data,
              "\"by\":\"ops\",\"why\":\"a test\",\"k\":3,\"flip_at\":2,"
              "\"queries\":2,\"judged\":2,\"skipped\":0,\"unjudged\":0,"
              "\"missing_ids\":0,\"excluded_ids\":0,");
    assert_in(running.result.run.data,
              "\"unlisted\":0,\"flipped\":[{\"query\":1,\"id\":\"x\",\"flip\":\"negative\","
              "\"relevant\":1,\"lost\":[],\"won\":[],\"from\":[{\"id\":1,\"score\":1.0,"
              "\"relevant\":true},{\"id\":2,\"score\":0.8944");
    assert_in(running.result.run.data,
              "\"to\":[{\"id\":3,\"score\":1.0,\"relevant\":false},"
              "{\"id\":2,");
    assert_kept(running.rig, "\"runs\":[{\"set\":\"golden\",\"version\":1,");
    assert_kept(running.rig, "\"flipped\":[{\"query\":1,\"id\":\"x\"");
    end_run(&running);
}

/* With three points and three hits nothing is lost, so one stands where nobody looks. */
static void lost_and_won_are_relevant_ones_that_one_side_alone_found(void **state)
{
    struct running running = {.rig = *state, .task = {.from = V1, .to = V2}};
    char text[200];

    write_row(running.rig);
    (void)snprintf(text, sizeof text, POINT, 4, "-1,0", "3,1");
    write_ops(running.rig, text);
    (void)snprintf(text, sizeof text, POINT, 5, "-1,1", "4,1");
    write_ops(running.rig, text);
    put_lines(running.rig, "{" AT_0 ",\"relevant\":[1]}\n{" AT_0 ",\"relevant\":[4,5]}\n");
    assert_int_equal(run(&running), HL_OK);
    assert_int_equal(running.result.n_negative, 1);
    assert_int_equal(running.result.n_positive, 1);
    assert_in(running.result.run.data,
              "\"flip\":\"negative\",\"relevant\":1,\"lost\":[1],\"won\":[],");
    assert_in(running.result.run.data,
              "\"flip\":\"positive\",\"relevant\":2,\"lost\":[],\"won\":[5,4],");
    assert_near(running.result.recall_from.value, 0.5);
    assert_near(running.result.recall_to.value, 0.5);
    end_run(&running);
}

static void what_is_missing_left_out_or_cannot_be_judged_is_counted(void **state)
{
    struct running running = {.rig = *state, .task = {.from = V1, .to = V2}};
    const struct hl_probe_result *result = &running.result;

    write_row(running.rig);
    put_lines(running.rig,
              "{" AT_0 ",\"relevant\":[1,98,99]}\n"
              "{" AT_0 ",\"relevant\":[99]}\n"
              "{" AT_0 ",\"relevant\":[2,3],\"filter\":{\"must\":[{\"has_id\":[1,3]}]}}\n"
              "{" AT_0 ",\"relevant\":[2],\"filter\":{\"must\":[{\"has_id\":[1,3]}]}}\n"
              "{\"vectors\":{\"v1\":[1,0]},\"relevant\":[1]}\n"
              "{\"vectors\":{\"v2\":[1,0],\"v3\":[1,0]},\"relevant\":[1]}\n");
    assert_int_equal(run(&running), HL_OK);
    assert_int_equal(result->n_queries, 6);
    assert_int_equal(result->n_skipped, 2);
    assert_int_equal(result->n_unjudged, 2);
    assert_int_equal(result->n, 2);
    assert_int_equal(result->n_missing, 3);
    assert_int_equal(result->n_excluded, 2);
    assert_int_equal(result->n_right_from, 2); /* 1 is first; of 1 and 3, 3 is second */
    assert_int_equal(result->recall_from.of, 2);
    assert_near(result->recall_from.value, 1.0);
    end_run(&running);
}

static void a_set_of_which_nothing_can_be_judged_has_no_figures(void **state)
{
    struct running running = {.rig = *state, .task = {.from = V1, .to = V2}};

    put_lines(running.rig, "{" AT_0 ",\"relevant\":[99]}\n");
    assert_int_equal(run(&running), HL_OK);
    assert_int_equal(running.result.n, 0);
    assert_in(running.result.summary.data,
              "\"recall\":{\"from\":null,\"to\":null},\"right\":{\"from\":null,"
              "\"to\":null},\"negative_flips\":{\"count\":0,\"share\":null}");
    end_run(&running);
}

/* ---- what cannot be run ---- */

static void what_a_set_is_not_for_is_refused(void **state)
{
    static const struct {
        uint32_t to;
        uint64_t version;
        const char *sentence;
    } cases[] = {
        {V3, 0, "version 1 of the probe set \"golden\" has no vectors of \"v3\""},
        {9, 0,
         "Not found: the probe set \"golden\" is to be run with a model that is gone"},
        {V2, 7,
         "Not found: there is no version 7 of the probe set \"golden\", the last 4 are "
         "kept"},
    };
    struct rig *rig = *state;

    put_lines(rig, "{" AT_0 ",\"relevant\":[99]}\n");
    for (size_t i = 0; i < 3; i++) {
        struct running running = {
            .rig = rig,
            .task = {.from = V1, .to = cases[i].to, .version = cases[i].version}};

        assert_int_not_equal(run(&running), HL_OK);
        assert_string_equal(rig->err.msg, cases[i].sentence);
        end_run(&running);
    }
    assert_kept(rig, "\"runs\":[],\"last_run\":null}");
}

static void who_gives_up_gets_nothing_and_nothing_is_kept(void **state)
{
    struct running running = {.rig = *state, .task = {.from = V1, .to = V2}};

    write_row(running.rig);
    put_lines(running.rig, "{" AT_0 ",\"relevant\":[1]}\n");
    atomic_store(&running.is_cancelled, true);
    assert_int_equal(run(&running), HL_CANCELLED);
    assert_kept(running.rig, "\"runs\":[],\"last_run\":null}");
    end_run(&running);
}

static void wherever_memory_runs_out_a_run_is_kept_whole_or_not_at_all(void **state)
{
    struct rig *rig = *state;
    enum hl_code code = HL_NO_MEMORY;

    write_row(rig);
    put_lines(rig,
              "{" AT_0 ",\"relevant\":[1]}\n"
              "{" AT_0 ",\"relevant\":[3],\"filter\":{\"must\":[{\"has_id\":[3]}]}}\n");
    for (int n = 1; code != HL_OK; n++) {
        struct running running = {.rig = rig, .task = {.from = V1, .to = V2}};
        char rule[32];

        assert_true(n < 2000);
        snprintf(rule, sizeof rule, "alloc=%d:fail", n);
        assert_int_equal(hl_failpoint_arm(rule, &rig->err), HL_OK);
        code = run(&running);
        hl_failpoint_disarm();
        assert_true(code == HL_OK || code == HL_NO_MEMORY);
        end_run(&running);
        assert_kept(rig, code == HL_OK ? "\"last_run\":{\"set\":\"golden\""
                                       : "\"runs\":[],\"last_run\":null}");
    }
}

#define PROBED(name) cmocka_unit_test_setup_teardown(name, begin, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        PROBED(the_figures_are_those_of_a_count_by_hand),
        PROBED(a_flip_shows_both_lists_what_was_lost_and_what_was_won),
        PROBED(lost_and_won_are_relevant_ones_that_one_side_alone_found),
        PROBED(what_is_missing_left_out_or_cannot_be_judged_is_counted),
        PROBED(a_set_of_which_nothing_can_be_judged_has_no_figures),
        PROBED(what_a_set_is_not_for_is_refused),
        PROBED(who_gives_up_gets_nothing_and_nothing_is_kept),
        PROBED(wherever_memory_runs_out_a_run_is_kept_whole_or_not_at_all),
    };

    return cmocka_run_group_tests_name("probe_run", tests, NULL, NULL);
}
