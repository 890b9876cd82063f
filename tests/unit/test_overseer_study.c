/* SPDX-License-Identifier: Apache-2.0 */
/* What else concerns a rollout that is watched, on a real folder: a model that drifts, and
 * its probe set. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "server/drift.h"
#include "server/probes.h"
#include "tests/unit/overseeing.h"

struct photographed {
    const char *body;
    struct hl_arena *arena;
};

/* Of v2, the reference the first time. */
static enum hl_code put_canary(void *self, struct hl_writing *writing, struct hl_err *err)
{
    const struct photographed *photographed = self;
    const struct hl_holdings inside = hl_holdings_inside(writing);
    const struct hl_span v2 = {"v2", 2};
    struct hl_canary canary;
    struct hl_model model;
    const struct hl_drift_order order = {.model = &model, .canary = &canary, .by = ""};
    struct hl_drift drift;
    struct hl_tokens tokens;
    struct hl_field root;
    bool is_reference;
    enum hl_code code;

    hl_tokens_init(&tokens, photographed->body, strlen(photographed->body),
                   photographed->arena);
    root = hl_field_root(&tokens);
    code = hl_canary_read(&root, &canary, err);
    if (code == HL_OK)
        code = hl_holdings_model(&inside, &v2, &model, err);
    return code == HL_OK ? hl_drift_put(writing, &order, &drift, &is_reference, err) : code;
}

static void photograph(struct rig *rig, const char *body)
{
    struct photographed photographed = {body, hl_arena_new(1 << 20)};

    if (change(rig, put_canary, &photographed) != HL_OK)
        fail_msg("%s", rig->err.msg);
    hl_arena_free(photographed.arena);
}

static void a_drift_takes_the_rollout_back_at_once(void **state)
{
    struct rig *rig = *state;
    struct hl_rollout rollout;

    open_overseer(rig);
    begin_rollout(rig, 1);
    photograph(rig, "{\"vectors\":{\"a\":[1,0]},\"tolerance\":0.01}");
    do_steps(rig, "advance 5,promote");
    photograph(rig, "{\"vectors\":{\"a\":[1,0.01]}}");
    put(rig, both, "q");
    (void)feed(rig, "q", 1);
    load(rig, &rollout);
    assert_int_equal(rollout.stage, HL_STAGE_LIVE);
    photograph(rig, "{\"vectors\":{\"a\":[0,1]}}");
    await_stage(rig, HL_STAGE_SHADOW);
    assert_told(rig, 0, 100,
                "drift: 1 of 1 photographs of \\\"v2\\\" are further than 0.01");
    close_overseer(rig);
}

static enum hl_code put_probes(void *self, struct hl_writing *writing, struct hl_err *err)
{
    static const struct hl_probe_model models[] = {{{"v1", 2}, 2, 1}, {{"v2", 2}, 2, 1}};
    static const char lines[] =
        "{\"k\":3,\"flip_at\":3,\"every_s\":1}\n"
        "{\"vectors\":{\"v1\":[1,0],\"v2\":[0.5,0.866]},\"relevant\":[1]}\n";
    const struct hl_probe_entry entry = {
        .name = "golden",
        .set = {.settings = {3, 3, 1}, .n_queries = 1, .models = models, .n_models = 2},
        .text = {lines, sizeof lines - 1},
        .by = ""};
    uint64_t version;

    (void)self;
    return hl_probes_put(writing, &entry, &version, err);
}

static bool has_run(struct rig *rig)
{
    struct hl_collection *collection = collection_of(rig);
    struct hl_holdings holdings;
    struct hl_buf buf;
    bool has;

    hl_buf_init(&buf, 1 << 20);
    assert_int_equal(hl_holdings_look(collection, &holdings, &rig->err), HL_OK);
    assert_int_equal(hl_probes_print(&holdings, "golden", 0, true, &buf, &rig->err), HL_OK);
    has = strstr(buf.data, "\"why\":\"schedule\"") != NULL;
    hl_holdings_close(&holdings);
    hl_collection_unref(collection);
    hl_buf_done(&buf);
    return has;
}

static void probes_are_run_by_themselves_and_say_what_is_right(void **state)
{
    const struct timespec pause = {.tv_nsec = 2000000};
    struct rig *rig = *state;
    struct stepping settings = read_step("put 1>2");

    open_overseer(rig);
    assert_int_equal(change(rig, put_probes, NULL), HL_OK);
    begin_rollout(rig, 1);
    (void)snprintf(settings.wanted.probes, sizeof settings.wanted.probes, "golden");
    settings.wanted.sample = 1;
    assert_int_equal(order(rig, &settings), HL_OK);
    for (int ms = 0; !has_run(rig); ms += 2) {
        assert_true(ms < PATIENCE_MS);
        nanosleep(&pause, NULL);
    }
    /* Point 1 is the last of three by v2, which is right among three. */
    put(rig, apart, "a");
    assert_int_equal(feed(rig, "a", 1).flip, HL_FLIP_NONE);
    close_overseer(rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        RIGGED(a_drift_takes_the_rollout_back_at_once),
        RIGGED(probes_are_run_by_themselves_and_say_what_is_right),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
