/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/grouping.h"

static uint64_t n_commits(struct stand *s)
{
    struct hl_engine_state state;

    hl_engine_state(s->engine, &state);
    return state.n_commits;
}

/* ---- what a group is ---- */

static void what_waits_is_committed_as_one(void **state)
{
    struct stand *s = *state;
    const uint64_t before = n_commits(s);
    struct queue queue;

    begin_queue(&queue, s);
    for (int i = 1; i <= 9; i++)
        (void)put_points(&queue, upsert(s, i));
    end_queue(&queue);
    for (size_t i = 0; i < queue.n; i++) {
        assert_int_equal(queue.all[i].base.code, HL_OK);
        assert_int_equal(queue.all[i].base.change.commit, queue.all[0].base.change.commit);
    }
    assert_true(n_commits(s) - before <= 2); /* the gate's, and that of the nine */
    look(s, NULL);
    assert_string_equal(scroll(s, NULL, 20), "1 2 3 4 5 6 7 8 9");
}

static void a_change_that_fails_takes_no_other_with_it(void **state)
{
    struct stand *s = *state;
    const float at[] = {0, 0};
    struct queue queue;

    begin_queue(&queue, s);
    (void)put_points(&queue, upsert(s, 1));
    (void)put_points(&queue, hl_arena_print(s->arena, "%s,%s", upsert(s, 7), spoils));
    (void)put_points(&queue, upsert(s, 3));
    end_queue(&queue);
    assert_int_equal(queue.all[0].base.code, HL_OK);
    assert_int_equal(queue.all[1].base.code, HL_UNKNOWN_VECTOR);
    assert_int_equal(queue.all[2].base.code, HL_OK);
    for (int i = 0; i < 2; i++) {
        look(s, NULL);
        assert_string_equal(scroll(s, NULL, 9), "1 3");
        assert_string_equal(find(s, query(at, 2, 9), "e"), "1:1.000 3:3.000");
        reopen(s);
    }
}

/* The runs of the second of three changes' neighbours, it being refused; everything there
 * as it should, at once and after a restart. */
static void expect_runs(struct stand *s, const char *refused, int n_runs)
{
    const uint64_t before = n_commits(s);
    struct queue queue;

    begin_queue(&queue, s);
    (void)put_points(&queue, upsert(s, 1));
    (void)put_points(&queue, refused);
    (void)put_points(&queue, upsert(s, 3));
    end_queue(&queue);
    assert_int_equal(queue.all[0].base.code, HL_OK);
    assert_int_equal(queue.all[1].base.code, HL_UNKNOWN_VECTOR);
    assert_int_equal(queue.all[2].base.code, HL_OK);
    assert_int_equal(queue.all[0].n_runs, n_runs);
    assert_int_equal(queue.all[2].base.change.commit, queue.all[0].base.change.commit);
    assert_true(n_commits(s) - before <= 2); /* the gate's, and that of the three */
    for (int i = 0; i < 2; i++) {
        look(s, NULL);
        assert_string_equal(scroll(s, NULL, 9), "1 3");
        reopen(s);
    }
}

static void who_is_refused_before_it_wrote_costs_the_others_nothing(void **state)
{
    expect_runs(*state, spoils, 1);
}

static void who_is_refused_behind_its_writes_costs_the_others_a_second_run(void **state)
{
    struct stand *s = *state;

    expect_runs(s, hl_arena_print(s->arena, "%s,%s", upsert(s, 7), spoils), 2);
}

static void a_lone_change_that_is_refused_behind_its_writes_leaves_nothing(void **state)
{
    struct stand *s = *state;
    struct queue queue;

    begin_queue(&queue, s);
    (void)put_points(&queue, hl_arena_print(s->arena, "%s,%s", upsert(s, 7), spoils));
    end_queue(&queue);
    assert_int_equal(queue.all[0].base.code, HL_UNKNOWN_VECTOR);
    assert_int_equal(queue.all[0].n_runs, 1);
    assert_true(change_points(s, upsert(s, 2)) > 0);
    for (int i = 0; i < 2; i++) {
        look(s, NULL);
        assert_string_equal(scroll(s, NULL, 9), "2");
        reopen(s);
    }
}

/* Layouts, vectors, new indexes and rows of a change that is refused behind all of them. */
static enum hl_code change_all(struct stand *s, struct hl_writing *writing,
                               struct hl_err *err)
{
    const struct hl_text config = {"{\"a\":1}", 7}, path = {"i", 1}, gone = {"e", 1};
    bool existed;
    enum hl_code code = hl_writing_set_config(writing, &config, err);

    (void)s;
    if (code == HL_OK)
        code = hl_writing_drop_index(writing, &path, &existed, err);
    if (code == HL_OK)
        code = hl_writing_drop_space(writing, &gone, err);
    return code == HL_OK ? hl_fail(err, HL_CONFLICT, "behind all of it") : code;
}

static void what_a_refused_change_did_to_a_layout_is_not_there(void **state)
{
    const float at[] = {0, 0};
    struct stand *s = *state;
    struct queue queue;

    add_index(s, "i", "integer");
    begin_queue(&queue, s);
    (void)put_points(&queue, upsert(s, 1));
    (void)put_act(&queue, change_all);
    (void)put_points(&queue, upsert(s, 3));
    end_queue(&queue);
    assert_int_equal(queue.all[0].base.code, HL_OK);
    assert_int_equal(queue.all[1].base.code, HL_CONFLICT);
    assert_string_equal(queue.all[1].base.err.msg, "behind all of it");
    assert_int_equal(queue.all[2].base.code, HL_OK);
    for (int i = 0; i < 2; i++) {
        look(s, "{\"must\":[{\"key\":\"i\",\"match\":{\"value\":3}}]}");
        assert_true(hl_look_is_settled(s->look, 0));
        assert_string_equal(scroll(s, NULL, 9), "3");
        assert_string_equal(find(s, query(at, 2, 9), "e"), "3:3.000");
        reopen(s);
    }
}

static void a_change_sees_those_before_it(void **state)
{
    struct stand *s = *state;
    struct queue queue;

    add_index(s, "i", "integer");
    begin_queue(&queue, s);
    (void)put_points(&queue, upsert(s, 1));
    (void)put_points(&queue, upsert(s, 2));
    (void)put_points(&queue, "{\"delete\":{\"filter\":{\"must\":[{\"key\":\"i\","
                             "\"match\":{\"value\":1}}]}}}");
    (void)put_points(&queue, "{\"set_payload\":{\"payload\":{\"i\":5},\"filter\":{}}}");
    end_queue(&queue);
    look(s, "{\"must\":[{\"key\":\"i\",\"match\":{\"value\":5}}]}");
    assert_true(hl_look_is_settled(s->look, 0));
    assert_string_equal(scroll(s, NULL, 9), "2");
    assert_int_equal(hl_look_n_points(s->look), 1);
}

static int64_t read_late(void *self)
{
    (void)self;
    return 100;
}

static void what_came_too_late_is_not_run(void **state)
{
    static const struct hl_clock late = {read_late, NULL};
    const struct hl_deadline deadline = {.clock = &late, .at_us = 50};
    struct stand *s = *state;
    struct queue queue;
    struct waiting *second;

    begin_queue(&queue, s);
    (void)put_points(&queue, upsert(s, 1));
    second = put_points(&queue, upsert(s, 2));
    second->base.change.deadline = &deadline; /* nobody reads it yet: the gate is shut */
    end_queue(&queue);
    assert_int_equal(queue.all[0].base.code, HL_OK);
    assert_int_equal(second->base.code, HL_TIMEOUT);
    look(s, NULL);
    assert_string_equal(scroll(s, NULL, 9), "1");
}

/* Behind its write the clock, which is the stand's own, is beyond every deadline. */
static enum hl_code dawdle(struct stand *s, struct hl_writing *writing, struct hl_err *err)
{
    const struct hl_text config = {"{}", 2};
    enum hl_code code = hl_writing_set_config(writing, &config, err);

    *(int64_t *)s->options.self = 100;
    return code == HL_OK ? hl_fail(err, HL_CONFLICT, "it took too long") : code;
}

static int64_t read_now(void *self)
{
    return *(const int64_t *)self;
}

static void what_ran_in_time_is_not_late_because_another_was_refused(void **state)
{
    struct stand *s = *state;
    int64_t now = 0;
    const struct hl_clock clock = {read_now, &now};
    const struct hl_deadline deadline = {.clock = &clock, .at_us = 50};
    struct waiting *first, *last;
    struct queue queue;

    s->options.self = &now;
    begin_queue(&queue, s);
    first = put_points(&queue, upsert(s, 1));
    (void)put_act(&queue, dawdle);
    last = put_points(&queue, upsert(s, 3));
    first->base.change.deadline = &deadline; /* nobody reads it yet: the gate is shut */
    last->base.change.deadline = &deadline;
    end_queue(&queue);
    s->options.self = NULL;
    assert_int_equal(first->base.code, HL_OK);
    assert_int_equal(first->n_runs, 2);
    assert_int_equal(queue.all[1].base.code, HL_CONFLICT);
    assert_int_equal(last->base.code, HL_TIMEOUT);
    look(s, NULL);
    assert_string_equal(scroll(s, NULL, 9), "1");
}

static const char *upsert_many(struct stand *s, int first, int n)
{
    const size_t room = (size_t)n * 32 + 64;
    char *text = hl_arena_alloc(s->arena, room);
    size_t len;

    assert_non_null(text);
    len = (size_t)snprintf(text, room, "{\"upsert\":{\"points\":[");
    for (int i = 0; i < n; i++)
        len += (size_t)snprintf(text + len, room - len, "%s{\"id\":%d,\"vector\":{}}",
                                i ? "," : "", first + i);
    (void)snprintf(text + len, room - len, "]}}");
    return text;
}

static void large_changes_are_not_made_to_wait_for_each_other(void **state)
{
    struct stand *s = *state;
    struct queue queue;

    begin_queue(&queue, s);
    (void)put_points(&queue, upsert_many(s, 1, 17000));
    (void)put_points(&queue, upsert(s, 20001));
    (void)put_points(&queue, upsert(s, 20002));
    end_queue(&queue);
    for (size_t i = 0; i < queue.n; i++)
        assert_int_equal(queue.all[i].base.code, HL_OK);
    assert_true(queue.all[0].base.change.commit < queue.all[1].base.change.commit);
    assert_int_equal(queue.all[1].base.change.commit, queue.all[2].base.change.commit);
    look(s, NULL);
    assert_int_equal(hl_look_n_points(s->look), 17002);
}

static int64_t next_us(void *self)
{
    return ++*(int64_t *)self;
}

/* The deadline passes while the index is filled, after two looks at the clock. */
static void an_index_is_filled_for_as_long_as_somebody_waits(void **state)
{
    static const char behind[] = "{\"must\":[{\"key\":\"i\",\"match\":{\"value\":3002}}]}";
    struct stand *s = *state;
    int64_t now = 0;
    const struct hl_clock clock = {next_us, &now};
    const struct hl_deadline deadline = {&clock, 3, NULL};
    struct waiting *index;
    struct queue queue;

    assert_true(change_points(s, upsert_many(s, 1, 2000)) > 0);
    begin_queue(&queue, s);
    index = put_index(&queue, "i", "integer");
    index->base.change.deadline = &deadline; /* nobody reads it yet: the gate is shut */
    end_queue(&queue);
    assert_int_equal(index->base.code, HL_TIMEOUT);
    assert_string_equal(index->base.err.msg,
                        "a payload index took longer than it was given");
    now = 0;
    begin_queue(&queue, s);
    (void)put_points(&queue, upsert(s, 3001));
    index = put_index(&queue, "i", "integer");
    index->base.change.deadline = &deadline;
    (void)put_points(&queue, upsert(s, 3002));
    end_queue(&queue);
    assert_int_equal(queue.all[0].base.code, HL_OK);
    assert_int_equal(index->base.code, HL_TIMEOUT);
    assert_int_equal(queue.all[2].base.code, HL_OK);
    look(s, behind);
    assert_false(hl_look_is_settled(s->look, 0));
    add_index(s, "i", "integer");
    look(s, behind);
    assert_true(hl_look_is_settled(s->look, 0));
    assert_string_equal(scroll(s, NULL, 9), "3002");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(what_waits_is_committed_as_one),
        TEST(a_change_that_fails_takes_no_other_with_it),
        TEST(who_is_refused_before_it_wrote_costs_the_others_nothing),
        TEST(who_is_refused_behind_its_writes_costs_the_others_a_second_run),
        TEST(a_lone_change_that_is_refused_behind_its_writes_leaves_nothing),
        TEST(what_a_refused_change_did_to_a_layout_is_not_there),
        TEST(a_change_sees_those_before_it),
        TEST(what_came_too_late_is_not_run),
        TEST(what_ran_in_time_is_not_late_because_another_was_refused),
        TEST(large_changes_are_not_made_to_wait_for_each_other),
        TEST(an_index_is_filled_for_as_long_as_somebody_waits),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
