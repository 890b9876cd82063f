/* SPDX-License-Identifier: Apache-2.0 */
/* A migration by its two calls, on a real folder: how far it goes, what it says on the way,
 * and that nothing is lost wherever memory runs out. The wire plays it on real embeddings.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "server/swap_calls.h"
#include "tests/unit/schooling.h"

#include "server/swap.h"

#define MODELS "\"from\":\"@default\",\"to\":\"v2\""
#define FIT    "\"data\":{\"dataset\":\"d\"},\"kind\":\"ridge\""
#define EASY   "\"gates\":{\"criterion\":false}"

static const char easy[] = "{" MODELS "," FIT "," EASY "}";

static enum hl_code post(struct rig *rig, const char *body)
{
    rig->request.key = "ops";
    return ask(rig, hl_swap_call_post, "", "", body);
}

/* What GET answers, good until the next call. */
static const char *get(struct rig *rig)
{
    assert_int_equal(ask(rig, hl_swap_call_get, "", "", ""), HL_OK);
    return rig->reply.body.data;
}

static void assert_says(struct rig *rig, const char *words)
{
    const char *text = get(rig);

    if (!strstr(text, words))
        fail_msg("\"%s\" is not in %s", words, text);
}

static void assert_refused(struct rig *rig, const char *body, enum hl_code code,
                           const char *words)
{
    assert_int_equal(post(rig, body), code);
    if (!strstr(rig->err.msg, words))
        fail_msg("\"%s\" is not in %s", words, rig->err.msg);
}

/* The newest swap; the newest job may be its activation. */
static bool see_swap(void *self, const struct hl_job *job)
{
    return strcmp(job->kind, "swap") != 0 || see(self, job);
}

static struct seen await_swap(struct rig *rig)
{
    const struct timespec pause = {.tv_nsec = 1000000};
    struct seen seen = {0};

    for (int ms = 0; ms < 60000 && strstr(get(rig), "\"state\":\"running\",\"from\""); ms++)
        nanosleep(&pause, NULL);
    assert_int_equal(hl_jobs_each(rig->server.jobs, 0, see_swap, &seen, &rig->err), HL_OK);
    return seen;
}

static struct seen do_it(struct rig *rig, const char *body)
{
    if (post(rig, body) != HL_OK)
        fail_msg("%s", rig->err.msg);
    return await_swap(rig);
}

static void it_goes_as_far_as_it_is_told_and_on_from_there(void **state)
{
    static const char *const steps[] = {"snapshot", "fit", "gate", "activate", "shadow"};
    struct rig *rig = *state;
    char body[256], wanted[64];

    for (size_t i = 0; i < 5; i++) {
        struct seen seen;

        (void)snprintf(body, sizeof body,
                       "{" MODELS "," FIT "," EASY ",\"stop_at\":\"%s\"}", steps[i]);
        seen = do_it(rig, body);
        if (seen.state != HL_JOB_DONE)
            fail_msg("%s", seen.outcome);
        (void)snprintf(wanted, sizeof wanted, "\"stage\":\"%s\",\"state\":\"done\"",
                       steps[i]);
        assert_says(rig, wanted);
        assert_says(rig, "\"by\":\"ops\"");
        assert_says(rig, i == 4 ? "/rollout/advance\"" : "/collections/c/swap\"");
    }
    assert_says(rig, "\"revision\":1}");
    assert_says(rig, "\"rollout\":{\"number\":1,");
}

static void a_gate_that_is_not_met_stops_it_and_says_so_later_too(void **state)
{
    struct rig *rig = *state;
    struct seen seen =
        do_it(rig, "{" MODELS "," FIT ",\"gates\":{\"criterion\":false,\"min_gain\":1}}");

    assert_int_equal(seen.state, HL_JOB_FAILED);
    assert_non_null(strstr(seen.outcome, "\"code\":\"gate_unmet\""));
    assert_says(rig, "\"stage\":\"gate\",\"state\":\"stopped\"");
    assert_says(rig, "\"blocks\":[{\"step\":\"gate\",\"code\":\"gate_unmet\"");
    assert_says(rig, ",\"anew\":true}");
    assert_refused(rig, "{" MODELS ",\"data\":{\"dataset\":\"d\"}}", HL_CONFLICT,
                   "by ops, is not over");
    assert_refused(rig, "{\"from\":\"@default\",\"to\":\"gone\"," FIT "}", HL_NOT_FOUND,
                   "Not existing vector name error: gone");
    assert_int_equal(do_it(rig, easy).state, HL_JOB_DONE);
    assert_says(rig, "\"blocks\":[]");
}

static void while_its_job_waits_the_same_body_is_the_same_job(void **state)
{
    struct rig *rig = *state;

    shut_gate(rig, false);
    assert_int_equal(post(rig, easy), HL_OK);
    assert_int_equal(rig->reply.status, 202);
    assert_non_null(strstr(rig->reply.body.data, "\"id\":2,\"kind\":\"swap\""));
    assert_int_equal(post(rig, easy), HL_OK);
    assert_int_equal(rig->reply.status, 202);
    assert_non_null(strstr(rig->reply.body.data, "\"id\":2,\"kind\":\"swap\""));
    assert_refused(rig, "{" MODELS ",\"data\":{\"dataset\":\"d\"},\"anew\":true}",
                   HL_CONFLICT, "another body is under way as job 2");
    assert_refused(rig, "{" MODELS "," FIT "}", HL_CONFLICT,
                   "another body is under way as job 2");
    assert_refused(rig, "{" MODELS "," FIT "," EASY ",\"stop_at\":\"fit\"}", HL_CONFLICT,
                   "another body is under way as job 2");
    assert_says(rig, "\"state\":\"running\"");
    assert_says(rig, "\"path\":\"/jobs/2\"");
    assert_int_equal(hl_jobs_cancel(rig->server.jobs, 2, &rig->err), HL_OK);
    assert_says(rig, "\"stage\":\"snapshot\",\"state\":\"stopped\"");
    assert_says(rig, "the same body goes on");
}

static void what_is_missing_is_said_with_the_call_that_mends_it(void **state)
{
    static const struct {
        const char *body;
        enum hl_code code;
        const char *words;
    } cases[] = {
        {"{\"from\":\"@default\",\"to\":\"v 3\"," FIT "}", HL_NOT_FOUND,
         "PUT /collections/c/vectors/v%203 "
         "{\"dense\":{\"size\":3,\"distance\":\"Cosine\"}}"},
        {"{\"from\":\"v0\",\"to\":\"v2\"," FIT "}", HL_NOT_FOUND,
         "PUT /collections/c/vectors/v0 {\"dense\":{\"size\":4,"},
        {"{" MODELS ",\"data\":{\"dataset\":\"e\"}}", HL_NOT_FOUND,
         "PUT /collections/c/datasets/e"},
        {"{" MODELS ",\"data\":{\"pairs\":\"points\"}}", HL_INVALID,
         "0 points carry a vector of \"v2\" and one of \"@default\": at least 4"},
        {"{" MODELS "," FIT ",\"probes\":\"golden\"}", HL_NOT_FOUND,
         "PUT /collections/c/probes/golden"},
        {"{" MODELS "," FIT ",\"to_model\":{\"size\":9,\"distance\":\"Cosine\"}}",
         HL_EXISTS, "of another kind"},
    };
    struct rig *rig = *state;

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        assert_refused(rig, cases[i].body, cases[i].code, cases[i].words);
    assert_says(rig, "\"stage\":\"none\",\"state\":\"none\"");
    assert_int_equal(see_newest(rig).n, 0);
}

static void a_dry_run_changes_nothing(void **state)
{
    struct rig *rig = *state;

    assert_int_equal(post(rig, "{\"from\":\"@default\",\"to\":\"v9\"," FIT
                               ",\"to_model\":{\"size\":9,\"distance\":\"Dot\"},"
                               "\"dry_run\":true}"),
                     HL_OK);
    assert_non_null(strstr(rig->reply.body.data, "\"dry_run\":true"));
    assert_says(rig, "\"state\":\"none\"");
    assert_int_equal(see_newest(rig).n, 0);
    assert_refused(rig, "{\"from\":\"@default\",\"to\":\"v9\"," FIT "}", HL_NOT_FOUND,
                   "PUT /collections/c/vectors/v9");
}

static void what_is_recorded_is_read_as_it_was_written(void **state)
{
    static const struct hl_span name = {"c", 1};
    struct rig *rig = *state;
    struct hl_holdings holdings;
    struct hl_swap swap;

    (void)do_it(rig, "{ \"to\" : \"v2\",\"from\":\"@default\" ,\n" FIT
                     ",\"label\":null,\"gates\":{\"min_gain\":1} }");
    assert_int_equal(hl_holdings_open(&rig->server, &name, &holdings, &rig->err), HL_OK);
    assert_int_equal(hl_swap_load(holdings.reader, rig->request.arena, &swap, &rig->err),
                     HL_OK);
    hl_holdings_close(&holdings);
    assert_true(swap.is_there && swap.is_stopped && !swap.is_over);
    assert_int_equal(swap.stopped_at, HL_SWAP_GATE);
    assert_int_equal(swap.why.code, HL_GATE_UNMET);
    assert_int_equal(swap.revision, 1);
    assert_int_equal(swap.stop_at, HL_SWAP_SHADOW);
    assert_string_equal(swap.by, "ops");
    assert_memory_equal(swap.asked.data, "{" MODELS "," FIT ",\"gates\":{\"min_gain\":1}}",
                        swap.asked.len);
    assert_memory_equal(swap.fit.data, "{" FIT "}", swap.fit.len);
}

/* ---- without memory ---- */

static void wherever_memory_runs_out_a_call_leaves_nothing_by_halves(void **state)
{
    struct rig *rig = *state;
    enum hl_code codes[2] = {HL_NO_MEMORY, HL_NO_MEMORY};
    char rule[32];

    shut_gate(rig, false);
    for (int n = 1; codes[0] != HL_OK || codes[1] != HL_OK; n++) {
        const size_t n_before = see_newest(rig).n;

        assert_true(n < 5000);
        (void)snprintf(rule, sizeof rule, "alloc=%d:fail", n);
        assert_int_equal(hl_failpoint_arm(rule, &rig->err), HL_OK);
        codes[0] = post(rig, easy);
        hl_failpoint_disarm();
        assert_true(see_newest(rig).n <= n_before + 1);
        assert_int_equal(hl_failpoint_arm(rule, &rig->err), HL_OK);
        codes[1] = ask(rig, hl_swap_call_get, "", "", "");
        hl_failpoint_disarm();
    }
    open_gate(rig);
    assert_int_equal(await_swap(rig).state, HL_JOB_DONE);
}

/* Each time it goes on where it failed, so the whole of it is done by and by. */
static void wherever_memory_runs_out_the_job_goes_on_behind_what_is_done(void **state)
{
    static const struct hl_span name = {"c", 1}, body = {easy, sizeof easy - 1};
    struct rig *rig = *state;
    const struct hl_swap_task task = {&rig->server, &name, &body, "ops", &never};
    const struct hl_errand errand = {&never, NULL, NULL};
    enum hl_code code = HL_NO_MEMORY;
    char rule[32];

    for (int n = 1; code != HL_OK; n += 1 + n / 16) {
        struct hl_work *work = NULL;
        struct hl_buf result;

        assert_true(n < 1000000);
        hl_buf_init(&result, 1 << 20);
        assert_int_equal(hl_swap_new(&task, &work, &rig->err), HL_OK);
        (void)snprintf(rule, sizeof rule, "alloc=%d:fail", n);
        assert_int_equal(hl_failpoint_arm(rule, &rig->err), HL_OK);
        code = work->run(work, &errand, &result, &rig->err);
        hl_failpoint_disarm();
        work->free(work);
        hl_buf_done(&result);
        (void)get(rig);
    }
    assert_says(rig, "\"stage\":\"shadow\",\"state\":\"done\"");
    assert_says(rig, "\"revision\":1}");
    assert_says(rig, "\"rollout\":{\"number\":1,\"step\":1,");
}

#define RIGGED(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        RIGGED(it_goes_as_far_as_it_is_told_and_on_from_there),
        RIGGED(a_gate_that_is_not_met_stops_it_and_says_so_later_too),
        RIGGED(while_its_job_waits_the_same_body_is_the_same_job),
        RIGGED(what_is_missing_is_said_with_the_call_that_mends_it),
        RIGGED(a_dry_run_changes_nothing),
        RIGGED(what_is_recorded_is_read_as_it_was_written),
        RIGGED(wherever_memory_runs_out_a_call_leaves_nothing_by_halves),
        RIGGED(wherever_memory_runs_out_the_job_goes_on_behind_what_is_done),
    };

    return cmocka_run_group_tests_name("swap", tests, NULL, NULL);
}
