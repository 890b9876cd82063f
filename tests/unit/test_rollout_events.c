/* SPDX-License-Identifier: Apache-2.0 */
/* What is told of rollouts, and for how long. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/stepping.h"

static void every_step_is_told_and_nothing_else(void **state)
{
    static const char figures[] = "{\"flips\":0.08}";
    const struct hl_span span = {figures, sizeof figures - 1};
    struct rig *rig = *state;
    struct stepping stepping = read_step("promote");

    assert_told(rig, 0, 10, "{\"events\":[],\"last\":0}");
    do_steps(rig, "put 1>2,put 1>2,advance 5");
    assert_int_equal(step(rig, "abort"), HL_ILLEGAL_STEP);
    stepping.order.figures = &span;
    stepping.order.is_forced = true;
    stepping.order.why = "it is \"late\"";
    assert_int_equal(order(rig, &stepping), HL_OK);
    assert_told(
        rig, 2, 10,
        "\"by\":\"ops\",\"what\":\"promote\",\"rollout\":1,\"step\":3,\"from\":\"v1\","
        "\"to\":\"v2\",\"stage_before\":\"canary\",\"stage_after\":\"live\","
        "\"percent_before\":5.0,\"percent_after\":100.0,\"forced\":true,"
        "\"figures\":{\"flips\":0.08},\"why\":\"it is \\\"late\\\"\"}],\"last\":3}");
    assert_told(rig, 0, 1, "\"what\":\"start\"");
    assert_told(rig, 3, 10, "{\"events\":[],\"last\":3}");
    assert_told(rig, 99, 10, "{\"events\":[],\"last\":3}");
}

static void a_note_is_told_and_changes_nothing(void **state)
{
    struct rig *rig = *state;
    struct stepping stepping = {.order = {.action = HL_ROLLOUT_NOTE, .what = "drift"}};

    assert_int_equal(order(rig, &stepping), HL_OK);
    assert_stands(rig, "0>0 none");
    assert_told(rig, 0, 10, "\"by\":null,\"what\":\"drift\",\"rollout\":0,\"step\":0");
    do_step(rig, "put 1>2");
    assert_int_equal(order(rig, &stepping), HL_OK);
    assert_stands(rig, "1>2 shadow");
    assert_told(rig, 2, 10, "\"what\":\"drift\",\"rollout\":1,\"step\":1,\"from\":\"v1\"");
}

static enum hl_code note_many(void *self, struct hl_writing *writing, struct hl_err *err)
{
    const struct hl_rollout_order note = {.action = HL_ROLLOUT_NOTE, .what = "drift"};
    struct hl_rollout got;
    enum hl_code code = HL_OK;

    (void)self;
    for (int i = 0; code == HL_OK && i < 2000; i++)
        code = hl_rollout_change(writing, &note, &got, err);
    return code;
}

static void of_many_events_the_last_ten_thousand_are_kept(void **state)
{
    struct rig *rig = *state;
    struct hl_buf buf;

    for (int i = 0; i < 6; i++)
        assert_int_equal(change(rig, note_many, NULL), HL_OK);
    assert_told(rig, 0, 1, "{\"events\":[{\"number\":2001,");
    assert_told(rig, 11999, 5, "{\"events\":[{\"number\":12000,");
    print_events(rig, 0, UINT64_MAX, &buf);
    assert_non_null(strstr(buf.data, "{\"number\":12000,"));
    hl_buf_done(&buf);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SERVED(every_step_is_told_and_nothing_else),
        SERVED(a_note_is_told_and_changes_nothing),
        RIGGED(of_many_events_the_last_ten_thousand_are_kept),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
