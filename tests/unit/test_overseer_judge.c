/* SPDX-License-Identifier: Apache-2.0 */
/* Feedback, and what it is held against once a rollout was taken back. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "server/overseer_part.h"
#include "tests/unit/overseeing.h"

/* Which may be kept from going on with its lock for as long as others are busy. */
static void who_gives_feedback_does_not_wait_for_the_one_who_counts(void **state)
{
    struct rig *rig = *state;
    struct waiting waiting;
    bool is_done = true;

    open_overseer(rig);
    begin_waiting(rig, &waiting, "never", 1);
    pthread_mutex_lock(&rig->server.overseer->lock);
    hl_overseer_judge(rig->server.overseer, &waiting.judging, &is_done);
    assert_false(is_done);
    assert_int_equal(hl_overseer_await(rig->server.overseer, &waiting.judging, &rig->err),
                     HL_OK);
    pthread_mutex_unlock(&rig->server.overseer->lock);
    wait_till_told(&waiting);
    assert_true(waiting.verdict.is_unknown);
    end_waiting(&waiting);
    close_overseer(rig);
}

/* Searches of which each is judged; `first` begins their ids. */
static void search(struct rig *rig, const char *body, char first)
{
    char id[16];

    for (int i = 0; i < 150; i++) {
        (void)snprintf(id, sizeof id, "%c%d", first, i);
        put(rig, body, id);
        (void)feed(rig, id, 1);
    }
}

static uint64_t step_of(struct rig *rig)
{
    struct hl_rollout rollout;

    load(rig, &rollout);
    return rollout.step;
}

/* Once it was taken back nobody is served by it, and it is compared on; what that shows is
 * no measure for it. */
static void a_bad_model_is_taken_back_as_often_as_it_is_let_on(void **state)
{
    struct rig *rig = *state;
    struct stepping settings = read_step("put 1>2");

    open_overseer(rig);
    begin_rollout(rig, 1);
    settings.wanted.sample = 1;
    settings.wanted.guard.min_samples = 20;
    assert_int_equal(order(rig, &settings), HL_OK);
    search(rig, both, 's');
    for (int round = 0; round < 3; round++) {
        const uint64_t step = step_of(rig);

        do_step(rig, "advance 50");
        search(rig, apart, (char)('a' + round));
        await_stage(rig, HL_STAGE_SHADOW);
        assert_int_equal(step_of(rig), step + 2);
        search(rig, apart, (char)('k' + round));
    }
    assert_told(rig, 0, 100, "were accepted (first_shadow)");
    close_overseer(rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        RIGGED(who_gives_feedback_does_not_wait_for_the_one_who_counts),
        RIGGED(a_bad_model_is_taken_back_as_often_as_it_is_let_on),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
