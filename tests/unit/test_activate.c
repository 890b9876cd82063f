/* SPDX-License-Identifier: Apache-2.0 */
/* The jobs that begin and end to serve through bridges, on a real folder: which images
 * there are afterwards, and that nothing is left of those that fail. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "server/express.h"
#include "tests/unit/activating.h"

#include <fcntl.h>
#include <glob.h>
#include <time.h>
#include <unistd.h>

/* ---- the tests ---- */

static void points_get_the_images_they_need_and_lose_them_again(void **state)
{
    struct rig *rig = *state;

    activate(rig, "v2>v1", "{\"revision\":1,\"strategy\":\"backward\"}");
    assert_string_equal(images(rig), "2:1<2@30");
    assert_served(rig, 1, 1, "backward");
    deactivate(rig, "v2>v1");
    assert_string_equal(images(rig), "");
    assert_served(rig, 0, 0, "none");
}

static void another_revision_takes_the_place_of_one_in_a_step(void **state)
{
    struct rig *rig = *state;

    activate(rig, "v2>v1", "{\"revision\":1}");
    activate(rig, "v2>v1", "");
    assert_string_equal(images(rig), "2:1<2@40");
    assert_served(rig, 1, 2, "backward");
}

static void a_chain_has_images_as_long_as_both_bridges_are_active(void **state)
{
    struct rig *rig = *state;

    activate(rig, "v2>v1", "{\"revision\":1}");
    activate(rig, "v3>v2", "");
    assert_string_equal(images(rig), "2:1<2@30 3:1<3@130 3:2<3@100");
    activate(rig, "v3>v1", "");
    assert_string_equal(images(rig), "2:1<2@30 3:2<3@100 3:1<3@10");
    deactivate(rig, "v2>v1");
    assert_string_equal(images(rig), "3:2<3@100 3:1<3@10");
    deactivate(rig, "v3>v1");
    assert_string_equal(images(rig), "3:2<3@100");
}

static void what_is_so_already_is_done_at_once(void **state)
{
    struct rig *rig = *state;
    struct seen first, again;

    first = do_now(rig, true, "v2>v1", "{\"revision\":1,\"fidelity\":0.5}");
    again = do_now(rig, true, "v2>v1", "{\"revision\":1,\"fidelity\":0.5}");
    assert_string_equal(again.outcome, first.outcome);
    again = do_now(rig, false, "v3>v2", "");
    assert_says(&again, "{\"current\":null,\"previous\":null,\"plan\":1,\"warnings\":[]}");
    assert_served(rig, 1, 1, "dual");
}

static void auto_is_what_the_bridge_says_where_it_can_be(void **state)
{
    struct rig *rig = *state;
    struct seen seen = do_now(rig, true, "v2>v1", "{\"revision\":1}");

    assert_says(&seen, "\"strategy\":\"auto\",\"fidelity\":\"auto\",\"serving\":\"dual\"");
    assert_served(rig, 1, 1, "dual");
    seen = do_now(rig, true, "v2>v1", "{\"revision\":2}"); /* without scales */
    assert_says(&seen, "\"serving\":\"backward\"");
    assert_says(&seen, "the bridge carries no scales");
    seen = do_now(rig, true, "v3>v2", "{}"); /* a chain now */
    assert_says(&seen, "\"serving\":\"backward\"");
    assert_says(&seen, "queries that are text were never measured");
}

/* As GET of the bridge says it. */
static void assert_current_says(struct rig *rig, const char *from, const char *to,
                                const char *words)
{
    const struct hl_span ends[] = {{from, 2}, {to, 2}};
    struct hl_collection *collection = collection_of(rig);
    struct hl_holdings holdings;
    struct hl_bridge_pair pair;
    struct hl_buf shown;

    hl_buf_init(&shown, 1 << 16);
    assert_int_equal(hl_holdings_look(collection, &holdings, &rig->err), HL_OK);
    assert_int_equal(hl_bridges_pair_of(&holdings, &ends[0], &ends[1], &pair, &rig->err),
                     HL_OK);
    assert_int_equal(hl_activation_print(&holdings, &pair, &shown, &rig->err), HL_OK);
    hl_buf_add(&shown, "", 1);
    if (!strstr(shown.data, words))
        fail_msg("\"%s\" is not in %s", words, shown.data);
    hl_buf_done(&shown);
    hl_holdings_close(&holdings);
    hl_collection_unref(collection);
}

static void what_becomes_a_chain_says_that_it_is_served_backward(void **state)
{
    static const char dual[] = "\"strategy\":\"dual\",\"fidelity\":\"auto\",\"serving\":"
                               "\"dual\",\"activated_at\":\"";
    static const char backward[] = "\"strategy\":\"dual\",\"fidelity\":\"auto\","
                                   "\"serving\":\"backward\",\"activated_at\":\"";
    struct rig *rig = *state;

    activate(rig, "v3>v2", "{\"strategy\":\"dual\"}");
    assert_current_says(rig, "v3", "v2", dual);
    activate(rig, "v2>v1", "{\"revision\":1,\"strategy\":\"dual\"}");
    assert_current_says(rig, "v3", "v2", backward);
    assert_current_says(rig, "v2", "v1", dual);
    assert_current_says(rig, "v3", "v1", "{\"current\":null,\"previous\":null}");
    deactivate(rig, "v2>v1");
    assert_current_says(rig, "v3", "v2", dual);
}

static void dual_is_refused_where_nothing_was_measured(void **state)
{
    struct rig *rig = *state;

    assert_int_equal(ask(rig, true, "v2>v1", "{\"revision\":2,\"strategy\":\"dual\"}"),
                     HL_INVALID);
    assert_string_equal(rig->err.msg, "revision 2 of the bridge from \"v2\" to \"v1\" "
                                      "carries no scales: \"dual\" cannot merge scores "
                                      "without, \"backward\" can");
    activate(rig, "v2>v1", "{\"revision\":1}");
    assert_int_equal(ask(rig, true, "v3>v2", "{\"strategy\":\"dual\"}"), HL_INVALID);
    assert_string_equal(rig->err.msg,
                        "queries of \"v3\" go on over \"v2\" to another vector, and "
                        "nothing was measured over both bridges: \"dual\" cannot merge "
                        "scores there, \"backward\" can");
    assert_int_equal(ask(rig, true, "v3>v1", "{\"strategy\":\"dual\"}"), HL_OK);
    assert_int_equal(await_newest(rig).state, HL_JOB_DONE);
}

static void another_strategy_needs_no_other_images(void **state)
{
    struct rig *rig = *state;

    activate(rig, "v2>v1", "{\"revision\":1}");
    write_ops(rig, "{\"delete\":{\"points\":[2]}}");
    activate(rig, "v2>v1", "{\"revision\":1,\"strategy\":\"backward\",\"fidelity\":1}");
    assert_served(rig, 1, 2, "backward");
    activate(rig, "v2>v1", "{\"revision\":1,\"strategy\":\"forward\"}");
    assert_served(rig, 1, 3, "auto");
}

static void images_and_plans_are_there_after_a_restart(void **state)
{
    struct rig *rig = *state;

    activate(rig, "v2>v1", "{\"revision\":1}");
    activate(rig, "v3>v2", "");
    open_again(rig);
    assert_served(rig, 3, 2, "dual");
    assert_string_equal(images(rig), "2:1<2@30 3:1<3@130 3:2<3@100");
    write_ops(rig, "{\"upsert\":{\"points\":[{\"id\":5,\"vector\":{\"v3\":[0,1]}}]}},"
                   "{\"delete_vectors\":{\"points\":[4],\"vector\":[\"v1\"]}},"
                   "{\"delete\":{\"points\":[2]}}");
    assert_string_equal(images(rig), "3:1<3@130 3:2<3@100 4:1<2@30 5:1<3@220 5:2<3@190");
}

static enum hl_code drop_v2(void *self, struct hl_writing *writing, struct hl_err *err)
{
    static const struct hl_text v2 = {"v2", 2};

    (void)self;
    return hl_writing_drop_space(writing, &v2, err);
}

static enum hl_code drop_revision(void *self, struct hl_writing *writing,
                                  struct hl_err *err)
{
    static const struct hl_span v2 = {"v2", 2}, v1 = {"v1", 2};
    const struct hl_holdings inside = hl_holdings_inside(writing);
    struct hl_bridge_pair pair;
    enum hl_code code = hl_bridges_pair_of(&inside, &v2, &v1, &pair, err);

    (void)self;
    return code == HL_OK ? hl_bridges_remove(writing, &pair, 1, err) : code;
}

static void what_goes_while_the_job_waits_fails_it_and_leaves_nothing(void **state)
{
    struct rig *rig = *state;
    struct seen seen;

    shut_gate(rig, true);
    assert_int_equal(ask(rig, true, "v2>v1", "{\"revision\":1}"), HL_OK);
    assert_int_equal(change(rig, drop_revision, NULL), HL_OK);
    open_gate(rig);
    seen = await_newest(rig);
    assert_says(&seen, "there is no revision 1 of the bridge");
    shut_gate(rig, true);
    assert_int_equal(ask(rig, true, "v2>v1", ""), HL_OK);
    write_ops(rig, "{\"delete\":{\"points\":[2]}}");
    assert_int_equal(change(rig, drop_v2, NULL), HL_OK);
    open_gate(rig);
    seen = await_newest(rig);
    assert_says(&seen, "the vector \\\"v2\\\" was deleted meanwhile");
    assert_served(rig, 0, 0, "none");
}

static void a_collection_that_goes_while_the_job_waits_fails_it(void **state)
{
    struct rig *rig = *state;
    bool existed = false;

    shut_gate(rig, true);
    assert_int_equal(ask(rig, true, "v2>v1", ""), HL_OK);
    assert_int_equal(
        hl_collections_delete(rig->server.collections, &name, &existed, &rig->err), HL_OK);
    open_gate(rig);
    assert_int_equal(await_newest(rig).state, HL_JOB_FAILED);
}

/* As when a snapshot is recovered over it. */
static void a_collection_that_another_one_replaces_is_said_to_be_replaced(void **state)
{
    const struct hl_collections_filler filler = {fill, NULL};
    struct rig *rig = *state;
    struct seen seen;
    bool existed = false;

    shut_gate(rig, true);
    assert_int_equal(ask(rig, true, "v2>v1", ""), HL_OK);
    assert_int_equal(
        hl_collections_delete(rig->server.collections, &name, &existed, &rig->err), HL_OK);
    assert_int_equal(
        hl_collections_create(rig->server.collections, &name, &filler, &rig->err), HL_OK);
    open_gate(rig);
    seen = await_newest(rig);
    assert_int_equal(seen.state, HL_JOB_FAILED);
    assert_says(&seen,
                "the collection \\\"c\\\" was recovered or made anew meanwhile: what is "
                "active in it is what came with it");
}

/* ---- an index that is behind ---- */

static bool is_behind(struct rig *rig)
{
    struct hl_engine_state engine;

    hl_engine_state(rig->server.engine, &engine);
    return engine.unindexed_bytes > rig->max_unindexed_bytes;
}

/* Takes the place of the folder that the tail of v1 would be sealed into. */
static void keep_from_sealing(struct rig *rig, char path[200])
{
    char pattern[100];
    glob_t found;
    int fd;

    (void)snprintf(pattern, sizeof pattern, "%s/collections/*/segments", rig->folder);
    assert_int_equal(glob(pattern, 0, NULL, &found), 0);
    (void)snprintf(path, 200, "%s/1-1", found.gl_pathv[0]);
    globfree(&found);
    fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    close(fd);
}

static void fill_up_v1(struct rig *rig)
{
    char ops[80];

    for (int i = 100; i < 162; i++) {
        (void)snprintf(ops, sizeof ops,
                       "{\"upsert\":{\"points\":[{\"id\":%d,\"vector\":{\"v1\":[1,0]}}]}}",
                       i);
        write_ops(rig, ops);
    }
}

static bool has_images(struct rig *rig)
{
    struct hl_collection *collection = collection_of(rig);
    struct hl_holdings holdings;
    bool has;

    assert_int_equal(hl_holdings_look(collection, &holdings, &rig->err), HL_OK);
    has = hl_layout_n_all(holdings.layout) > holdings.layout->n_spaces;
    hl_holdings_close(&holdings);
    hl_collection_unref(collection);
    return has;
}

static void await_that(struct rig *rig, bool (*is_so)(struct rig *rig))
{
    const struct timespec pause = {.tv_nsec = 1000000};

    for (int ms = 0; ms < 60000 && !is_so(rig); ms++)
        nanosleep(&pause, NULL);
    assert_true(is_so(rig));
}

/* Upserts are refused while rows wait to be indexed; images are for them to wait too, not
 * to fail. */
static void where_the_index_is_behind_images_wait_for_it(void **state)
{
    struct rig *rig = *state;
    struct seen seen;
    char path[200];

    close_server(rig);
    rig->max_unindexed_bytes = 1;
    open_server(rig);
    keep_from_sealing(rig, path);
    fill_up_v1(rig);
    await_that(rig, is_behind);
    assert_int_equal(ask(rig, true, "v2>v1", "{\"revision\":1}"), HL_OK);
    await_that(rig, has_images);
    assert_int_equal(unlink(path), 0);
    seen = await_newest(rig);
    if (seen.state != HL_JOB_DONE)
        fail_msg("%s", seen.outcome);
    assert_string_equal(images(rig), "2:1<2@30");
}

/* ---- the making of images alone ---- */

static void say_no(void *self, const char *phase, double progress)
{
    (void)phase;
    (void)progress;
    atomic_store((atomic_bool *)self, true);
}

static enum hl_code begin_images(struct rig *rig, struct hl_express *express)
{
    const struct hl_activation wanted = {.revision = 1, .serving = HL_SERVING_BACKWARD};
    struct hl_activations next = {.n = 0};
    struct hl_collection *collection = collection_of(rig);
    struct hl_holdings holdings;
    enum hl_code code;

    *express = (struct hl_express){.n_images = 0};
    assert_int_equal(hl_activations_set(&next, 2, 1, &wanted, &rig->err), HL_OK);
    assert_int_equal(hl_holdings_look(collection, &holdings, &rig->err), HL_OK);
    hl_collection_unref(collection);
    code = hl_express_init(express, &holdings, &next, &rig->err);
    hl_holdings_close(&holdings);
    return code;
}

static void images_that_are_given_up_are_dropped(void **state)
{
    struct rig *rig = *state;
    atomic_bool is_cancelled = false;
    const struct hl_deadline patience = {&hl_still, HL_DEADLINE_NEVER, &is_cancelled};
    const struct hl_errand errand = {&patience, say_no, &is_cancelled};
    struct hl_express express;

    assert_int_equal(begin_images(rig, &express), HL_OK);
    assert_int_equal(express.changed.n, 1);
    assert_int_equal(hl_express_make(&express, &errand, &rig->err), HL_CANCELLED);
    assert_served(rig, 1, 0, "none");
    write_ops(rig, "{\"upsert\":{\"points\":[{\"id\":7,\"vector\":{\"v2\":[1,0]}}]}}");
    assert_string_equal(images(rig), "7:1<2@30(unserved)");
    assert_int_equal(hl_express_drop(&express, &rig->err), HL_OK);
    hl_express_done(&express);
    assert_served(rig, 0, 0, "none");
    assert_string_equal(images(rig), "");
}

static void images_a_crash_left_unserved_go_at_the_next_start(void **state)
{
    struct rig *rig = *state;
    const struct hl_errand errand = {&never, NULL, NULL};
    const struct timespec pause = {.tv_nsec = 1000000};
    struct hl_express express;

    assert_int_equal(begin_images(rig, &express), HL_OK);
    assert_int_equal(hl_express_make(&express, &errand, &rig->err), HL_OK);
    hl_express_done(&express);
    assert_string_equal(images(rig), "2:1<2@30(unserved)");
    open_again(rig);
    for (int ms = 0; ms < 20000 && images(rig)[0]; ms++)
        nanosleep(&pause, NULL);
    assert_served(rig, 0, 0, "none");
}

static void without_memory_no_images_are_begun(void **state)
{
    struct rig *rig = *state;
    struct hl_express express;
    enum hl_code code = HL_NO_MEMORY;

    for (int n = 1; code != HL_OK; n++) {
        struct hl_activations next = {.n = 0};
        const struct hl_activation wanted = {.revision = 1, .serving = HL_SERVING_DUAL};
        struct hl_collection *collection = collection_of(rig);
        struct hl_holdings holdings;
        char rule[32];

        assert_true(n < 1000);
        assert_int_equal(hl_activations_set(&next, 2, 1, &wanted, &rig->err), HL_OK);
        assert_int_equal(hl_holdings_look(collection, &holdings, &rig->err), HL_OK);
        hl_collection_unref(collection);
        express = (struct hl_express){.n_images = 0};
        snprintf(rule, sizeof rule, "alloc=%d:fail", n);
        assert_int_equal(hl_failpoint_arm(rule, &rig->err), HL_OK);
        code = hl_express_init(&express, &holdings, &next, &rig->err);
        hl_failpoint_disarm();
        hl_express_done(&express);
        hl_holdings_close(&holdings);
    }
}

static void bodies_that_say_something_else_are_refused(void **state)
{
    struct rig *rig = *state;

    assert_int_equal(ask(rig, true, "v2>v1", "{\"revision\":7}"), HL_NOT_FOUND);
    assert_int_equal(ask(rig, true, "v1>v2", ""), HL_NOT_FOUND);
    assert_int_equal(ask(rig, true, "v2>v1", "{} {}"), HL_MALFORMED);
    assert_int_equal(ask(rig, false, "v2>v1", "{"), HL_MALFORMED);
}

static void wherever_memory_runs_out_no_job_is_begun_by_halves(void **state)
{
    struct rig *rig = *state;

    shut_gate(rig, true);
    for (size_t i = 0; i < 2; i++) {
        enum hl_code code = HL_NO_MEMORY;

        for (int n = 1; code != HL_OK; n++) {
            char rule[32];

            assert_true(n < 2000);
            snprintf(rule, sizeof rule, "alloc=%d:fail", n);
            assert_int_equal(hl_failpoint_arm(rule, &rig->err), HL_OK);
            code = ask(rig, i == 0, "v2>v1", "{}");
            hl_failpoint_disarm();
        }
    }
    open_gate(rig);
    assert_int_equal(await_newest(rig).state, HL_JOB_DONE);
    assert_string_equal(images(rig), "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        RIGGED(points_get_the_images_they_need_and_lose_them_again),
        RIGGED(another_revision_takes_the_place_of_one_in_a_step),
        RIGGED(a_chain_has_images_as_long_as_both_bridges_are_active),
        RIGGED(what_is_so_already_is_done_at_once),
        RIGGED(auto_is_what_the_bridge_says_where_it_can_be),
        RIGGED(what_becomes_a_chain_says_that_it_is_served_backward),
        RIGGED(dual_is_refused_where_nothing_was_measured),
        RIGGED(another_strategy_needs_no_other_images),
        RIGGED(images_and_plans_are_there_after_a_restart),
        RIGGED(what_goes_while_the_job_waits_fails_it_and_leaves_nothing),
        RIGGED(a_collection_that_goes_while_the_job_waits_fails_it),
        RIGGED(images_that_are_given_up_are_dropped),
        RIGGED(images_a_crash_left_unserved_go_at_the_next_start),
        RIGGED(a_collection_that_another_one_replaces_is_said_to_be_replaced),
        RIGGED(where_the_index_is_behind_images_wait_for_it),
        RIGGED(without_memory_no_images_are_begun),
        RIGGED(bodies_that_say_something_else_are_refused),
        RIGGED(wherever_memory_runs_out_no_job_is_begun_by_halves),
    };

    return cmocka_run_group_tests_name("activate", tests, NULL, NULL);
}
