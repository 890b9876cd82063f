/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HL_TESTS_UNIT_STEPPING_H
#define HL_TESTS_UNIT_STEPPING_H

/* Steps of a rollout on the server of tests/unit/activating.h, written as "put 1>2",
 * "advance 5" or "promote". Include it behind cmocka.h. */
#include "server/rollout_events.h"
#include "tests/unit/activating.h"

#include <inttypes.h>

/* ---- the rig ---- */

struct stepping {
    struct hl_rollout_order order;
    struct hl_rollout wanted, got;
};

static inline enum hl_code run_step(void *self, struct hl_writing *writing,
                                    struct hl_err *err)
{
    struct stepping *stepping = self;

    return hl_rollout_change(writing, &stepping->order, &stepping->got, err);
}

static inline enum hl_code order(struct rig *rig, struct stepping *stepping)
{
    stepping->order.wanted = &stepping->wanted;
    return change(rig, run_step, stepping);
}

/* "put 1>2", "advance 5", "promote" … by "ops". */
static inline struct stepping read_step(const char *text)
{
    static const char *const words[] = {"put",      "advance", "promote",
                                        "rollback", "abort",   "delete"};
    struct stepping stepping = {.order = {.by = "ops"}, .wanted = hl_rollout_default()};
    const size_t n = strcspn(text, " ");
    char *end = NULL;
    size_t which = 0;

    while (strlen(words[which]) != n || strncmp(words[which], text, n) != 0)
        assert_true(++which < sizeof words / sizeof *words);
    stepping.order.action = (enum hl_rollout_action)which;
    if (stepping.order.action == HL_ROLLOUT_ADVANCE)
        stepping.order.percent = strtod(text + n, NULL);
    if (stepping.order.action == HL_ROLLOUT_START) {
        stepping.wanted.from = (uint32_t)strtoul(text + n, &end, 10);
        stepping.wanted.to = (uint32_t)strtoul(end + 1, NULL, 10);
    }
    return stepping;
}

static inline enum hl_code step(struct rig *rig, const char *text)
{
    struct stepping stepping = read_step(text);

    return order(rig, &stepping);
}

/* "1>2 shadow", with the percentage in canary; what is published and what is recorded are
 * the same. */
static inline void assert_stands(struct rig *rig, const char *words)
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
    if (published) {
        assert_int_equal(published->step, rollout.step);
        assert_int_equal(published->stage, rollout.stage);
        assert_string_equal(published->changed_at, rollout.changed_at);
    }
    (void)snprintf(text, sizeof text, "%" PRIu32 ">%" PRIu32 " %s", rollout.from,
                   rollout.to, hl_stage_name(rollout.stage));
    if (rollout.stage == HL_STAGE_CANARY)
        (void)snprintf(text + strlen(text), 20, " %g", rollout.percent);
    assert_string_equal(text, words);
    hl_holdings_close(&holdings);
    hl_collection_unref(collection);
}

static inline void do_step(struct rig *rig, const char *text)
{
    if (step(rig, text) != HL_OK)
        fail_msg("%s: %s", text, rig->err.msg);
}

/* Steps with commas between them. */
static inline void do_steps(struct rig *rig, const char *way)
{
    char text[200], *rest = text, *one;

    (void)snprintf(text, sizeof text, "%s", way);
    while ((one = strtok_r(rest, ",", &rest)))
        do_step(rig, one);
}

/* Where the callers' model finds what the old one has seen. */
static inline int set_up_served(void **state)
{
    int failed = set_up(state);
    struct rig *rig = *state;

    activate(rig, "v2>v1", "{\"revision\":1}");
    return failed;
}

static inline void print_events(struct rig *rig, uint64_t since, uint64_t limit,
                                struct hl_buf *buf)
{
    struct hl_collection *collection = collection_of(rig);
    struct hl_holdings holdings;

    hl_buf_init(buf, 16 << 20);
    assert_int_equal(hl_holdings_look(collection, &holdings, &rig->err), HL_OK);
    if (hl_rollout_events_print(holdings.reader, since, limit, buf, &rig->err) != HL_OK)
        fail_msg("%s", rig->err.msg);
    hl_holdings_close(&holdings);
    hl_collection_unref(collection);
}

static inline void assert_told(struct rig *rig, uint64_t since, uint64_t limit,
                               const char *words)
{
    struct hl_buf buf;

    print_events(rig, since, limit, &buf);
    if (!strstr(buf.data, words))
        fail_msg("\"%s\" is not in %s", words, buf.data);
    hl_buf_done(&buf);
}

#define SERVED(test) cmocka_unit_test_setup_teardown(test, set_up_served, tear_down)

#endif
