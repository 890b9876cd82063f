/* SPDX-License-Identifier: Apache-2.0 */
/* The steps of a rollout on a real folder: which there are from where, what is written and
 * published by each, and that nothing is when it fails. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "server/rollout_events.h"
#include "tests/unit/activating.h"

#include <inttypes.h>

/* ---- the rig ---- */

struct stepping {
    struct hl_rollout_order order;
    struct hl_rollout wanted, got;
};

static enum hl_code run_step(void *self, struct hl_writing *writing, struct hl_err *err)
{
    struct stepping *stepping = self;

    return hl_rollout_change(writing, &stepping->order, &stepping->got, err);
}

static enum hl_code order(struct rig *rig, struct stepping *stepping)
{
    stepping->order.wanted = &stepping->wanted;
    return change(rig, run_step, stepping);
}

/* "put 1>2", "advance 5", "promote" … by "ops". */
static struct stepping read_step(const char *text)
{
    static const char *const words[] = {"put",      "advance", "promote",
                                        "rollback", "abort",   "delete"};
    struct stepping stepping = {.order = {.by = "ops"}, .wanted = hl_rollout_default()};
    char word[16];
    unsigned from = 0, to = 0;
    size_t which = 0;

    assert_int_equal(sscanf(text, "%15s", word), 1);
    while (strcmp(words[which], word) != 0)
        assert_true(++which < sizeof words / sizeof *words);
    stepping.order.action = (enum hl_rollout_action)which;
    (void)sscanf(text, "advance %lf", &stepping.order.percent);
    (void)sscanf(text, "put %u>%u", &from, &to);
    stepping.wanted.from = from;
    stepping.wanted.to = to;
    return stepping;
}

static enum hl_code step(struct rig *rig, const char *text)
{
    struct stepping stepping = read_step(text);

    return order(rig, &stepping);
}

/* "1>2 shadow", with the percentage in canary; what is published and what is recorded are
 * the same. */
static void assert_stands(struct rig *rig, const char *words)
{
    struct hl_collection *collection = collection_of(rig);
    const struct hl_rollout *published;
    struct hl_rollout rollout;
    struct hl_holdings holdings;
    char text[80];

    assert_int_equal(hl_holdings_look(collection, &holdings, &rig->err), HL_OK);
    assert_int_equal(hl_rollout_load(holdings.reader, &rollout, &rig->err), HL_OK);
    published = hl_rollout_of(holdings.layout);
    assert_true((published != NULL) == (rollout.number != 0));
    if (published)
        assert_memory_equal(published, &rollout, sizeof rollout);
    (void)snprintf(text, sizeof text, "%" PRIu32 ">%" PRIu32 " %s", rollout.from,
                   rollout.to, hl_stage_name(rollout.stage));
    if (rollout.stage == HL_STAGE_CANARY)
        (void)snprintf(text + strlen(text), 20, " %g", rollout.percent);
    assert_string_equal(text, words);
    hl_holdings_close(&holdings);
    hl_collection_unref(collection);
}

/* ---- the tests ---- */

static void a_rollout_goes_its_way_and_is_there_again_after_a_restart(void **state)
{
    static const char *const way[][2] = {{"put 1>2", "1>2 shadow"},
                                         {"advance 5", "1>2 canary 5"},
                                         {"advance 20.25", "1>2 canary 20.25"},
                                         {"rollback", "1>2 shadow"},
                                         {"advance 1", "1>2 canary 1"},
                                         {"promote", "1>2 live"},
                                         {"rollback", "1>2 shadow"},
                                         {"abort", "1>2 aborted"},
                                         {"delete", "1>2 none"},
                                         {"put 1>2", "1>2 shadow"},
                                         {"advance 5", "1>2 canary 5"},
                                         {"promote", "1>2 live"},
                                         {"delete", "1>2 none"}};
    struct rig *rig = *state;

    assert_stands(rig, "0>0 none");
    activate(rig, "v2>v1", "{\"revision\":1}");
    for (size_t i = 0; i < sizeof way / sizeof *way; i++) {
        if (step(rig, way[i][0]) != HL_OK)
            fail_msg("%s: %s", way[i][0], rig->err.msg);
        assert_stands(rig, way[i][1]);
        open_again(rig);
        assert_stands(rig, way[i][1]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        RIGGED(a_rollout_goes_its_way_and_is_there_again_after_a_restart),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
