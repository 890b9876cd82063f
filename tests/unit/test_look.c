/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "index/collection_part.h"
#include "proto/fail.h"
#include "tests/unit/looking.h"

/* ---- one moment ---- */

static void a_look_into_an_empty_collection_finds_nothing(void **state)
{
    struct stand *s = *state;
    const float at[] = {1, 0};

    look(s, red);
    assert_true(hl_look_is_settled(s->look, 0));
    assert_int_equal(hl_look_n_points(s->look), 0);
    assert_int_equal(count(s), 0);
    assert_string_equal(scroll(s, NULL, 10), "");
    assert_string_equal(find(s, query(at, 2, 10), "e"), "");
    look(s, NULL);
    assert_string_equal(scroll(s, NULL, 10), "");
    assert_string_equal(find(s, query(at, 2, 10), "c"), "");
    assert_string_equal(find(s, query(at, 1, 10), "c"),
                        "Wrong input: Vector dimension error: expected dim: 2, got 1");
    hl_look_close(NULL);
}

static void a_look_stays_at_its_moment(void **state)
{
    struct stand *s = *state;
    const float at[] = {0, 0};
    uint64_t commit;

    fill(s, 1, 6);
    look(s, red);
    commit = hl_look_commit(s->look);
    assert_true(
        change_points(
            s, "{\"delete\":{\"points\":[1,2,3,4,5]}},"
               "{\"upsert\":{\"points\":[{\"id\":6,\"vector\":{\"e\":[1,1]}},"
               "{\"id\":7,\"payload\":{\"colour\":\"red\"},\"vector\":{\"e\":[0,0]}}]}}") >
        commit);
    assert_int_equal(hl_look_commit(s->look), commit);
    assert_int_equal(hl_look_n_points(s->look), 6);
    assert_string_equal(scroll(s, NULL, 10), "3 6");
    assert_string_equal(find(s, query(at, 2, 9), "e"), "3:3.000 6:6.000");
    look(s, red);
    assert_true(hl_look_commit(s->look) > commit);
    assert_int_equal(hl_look_n_points(s->look), 2);
    assert_string_equal(scroll(s, NULL, 10), "7");
    assert_string_equal(find(s, query(at, 2, 9), "e"), "7:0.000");
}

static void what_a_look_reads_is_kept_for_it(void **state)
{
    struct stand *s = *state;
    struct hl_reader *reader = NULL, *again = NULL;
    struct hl_store_point point;
    const struct hl_id two = hl_id_number(2);

    fill(s, 1, 3);
    look(s, NULL);
    assert_true(change_points(s, "{\"delete\":{\"points\":[2]}}") > 0);
    for (int i = 0; i < 5; i++) /* old versions would be cleaned away now */
        fill(s, 1, 3);
    assert_int_equal(hl_look_reader(s->look, &reader, &s->err), HL_OK);
    assert_int_equal(hl_look_reader(s->look, &again, &s->err), HL_OK);
    assert_ptr_equal(reader, again);
    assert_int_equal(hl_reader_find(reader, &two, &point, &s->err), HL_OK);
    assert_int_equal(point.n_places, 5);
    assert_string_equal(scroll(s, NULL, 10), "1 2 3");
}

static void a_look_outlives_the_last_other_reference(void **state)
{
    struct stand *s = *state;

    fill(s, 1, 3);
    look(s, red);
    hl_collection_unref(s->collection);
    s->collection = NULL;
    assert_string_equal(scroll(s, NULL, 10), "3");
}

/* ---- filters ---- */

static void a_filter_without_an_index_is_settled_by_payloads(void **state)
{
    struct stand *s = *state;

    fill(s, 1, 12);
    look(s, red);
    assert_false(hl_look_is_settled(s->look, 0));
    assert_int_equal(count(s), 4);
    assert_true(hl_look_is_settled(s->look, 0));
    assert_string_equal(scroll(s, NULL, 10), "3 6 9 12");
    assert_int_equal(hl_look_settle(s->look, 0, &never, &s->err), HL_OK);
    assert_int_equal(count(s), 4);
}

static void a_filter_with_an_index_is_settled_at_once(void **state)
{
    struct stand *s = *state;

    add_index(s, "colour", "keyword");
    fill(s, 1, 12);
    look(s, red);
    assert_true(hl_look_is_settled(s->look, 0));
    assert_int_equal(hl_look_count(s->look, 0), 4);
    assert_string_equal(scroll(s, NULL, 10), "3 6 9 12");
}

static void filters_of_one_look_are_told_apart(void **state)
{
    struct stand *s = *state;
    const struct hl_filter *filters[3] = {filter_of(s, red), NULL,
                                          filter_of(s, "{\"must\":[{\"has_id\":[2,99]}]}")};
    const struct hl_look_wish wish = {.filters = filters, .n_filters = 3};

    fill(s, 1, 7);
    assert_int_equal(hl_look_open(s->collection, &wish, &s->look, &s->err), HL_OK);
    assert_false(hl_look_is_settled(s->look, 0));
    assert_true(hl_look_is_settled(s->look, 1));
    assert_null(hl_look_matches(s->look, 1));
    assert_int_equal(hl_look_count(s->look, 1), 7);
    assert_int_equal(hl_look_count(s->look, 2), 1);
    assert_int_equal(count(s), 2);
}

static void whether_a_point_has_a_vector_is_known_at_once(void **state)
{
    struct stand *s = *state;

    fill(s, 1, 3);
    assert_true(change_points(s,
                              "{\"delete_vectors\":{\"points\":[2],\"vector\":[\"s\"]}},"
                              "{\"upsert\":{\"points\":[{\"id\":8,\"vector\":{}}]}}") > 0);
    look(s, "{\"must\":[{\"has_vector\":\"s\"}]}");
    assert_true(hl_look_is_settled(s->look, 0));
    assert_string_equal(scroll(s, NULL, 10), "1 3");
    look(s, "{\"must_not\":[{\"has_vector\":\"s\"}]}");
    assert_string_equal(scroll(s, NULL, 10), "2 8");
    look(s, "{\"must\":[{\"has_vector\":\"nobody\"}]}");
    assert_string_equal(scroll(s, NULL, 10), "");
}

/* ---- failures ---- */

/* Everything a request may do, on its own. */
static enum hl_code do_all(struct stand *s)
{
    const float at[] = {1, 1};
    const struct hl_look_page page = {.limit = 9, .deadline = &never};
    const struct hl_text name = {"c", 1};
    struct hl_arena *arena = hl_arena_new((size_t)1 << 24);
    struct hl_look *look = NULL;
    struct hl_find find = query(at, 2, 3);
    const struct hl_hit *hits = NULL;
    const uint32_t *numbers = NULL;
    size_t n = 0;
    enum hl_code code;

    if (!arena)
        return HL_NO_MEMORY;
    code = hl_look_open(s->collection, &s->wish, &look, &s->err);
    if (code == HL_OK)
        code = hl_look_settle(look, 0, &never, &s->err);
    if (code == HL_OK) {
        find.space = hl_layout_find(hl_look_layout(look), &name);
        find.deadline = &never;
        code = hl_look_find(look, &find, arena, &hits, &n, &s->err);
        assert_true(code != HL_OK || n == 3);
    }
    if (code == HL_OK) {
        code = hl_look_scroll(look, &page, arena, &numbers, &n, &s->err);
        assert_true(code != HL_OK || n == 4);
    }
    hl_look_close(look);
    hl_arena_free(arena);
    return code;
}

static void without_memory_a_request_fails_and_the_next_one_does_not(void **state)
{
    struct stand *s = *state;
    enum hl_code code = HL_NO_MEMORY;
    int n_failed = -1;

    fill(s, 1, 12);
    s->filter = filter_of(s, red);
    s->wish = (struct hl_look_wish){.filters = &s->filter, .n_filters = 1};
    hl_engine_stop(s->engine); /* what it allocates would be counted too */
    for (int n = 1; code != HL_OK; n++) {
        char spec[32];

        snprintf(spec, sizeof spec, "alloc=%d:fail", n);
        assert_int_equal(hl_failpoint_arm(spec, &s->err), HL_OK);
        code = do_all(s);
        hl_failpoint_disarm();
        if (code != HL_OK && code != HL_NO_MEMORY)
            fail_msg("allocation %d: %s", n, s->err.msg);
        n_failed++;
        assert_int_equal(do_all(s), HL_OK);
        assert_true(n < 2000);
    }
    assert_true(n_failed > 5);
}

static int64_t next_us(void *self)
{
    return ++*(int64_t *)self;
}

/* Which looks there are while a commit is being put into the indexes. */
static void who_asks_no_index_does_not_wait_for_one(void **state)
{
    struct stand *s = *state;
    const struct hl_filter *filter = filter_of(s, red);
    const struct hl_look_wish all = {0};
    const struct hl_look_wish some = {
        .filters = &filter, .n_filters = 1, .is_prompt = true};
    struct hl_look *look = NULL;

    add_index(s, "colour", "keyword");
    fill(s, 1, 3);
    pthread_rwlock_wrlock(&s->collection->indexes);
    assert_int_equal(hl_look_open(s->collection, &all, &look, &s->err), HL_OK);
    assert_true(hl_look_is_settled(look, 0));
    assert_int_equal(hl_look_n_points(look), 3);
    hl_look_close(look);
    assert_int_equal(hl_look_open(s->collection, &some, &look, &s->err), HL_OK);
    assert_null(look);
    pthread_rwlock_unlock(&s->collection->indexes);
    assert_int_equal(hl_look_open(s->collection, &some, &look, &s->err), HL_OK);
    assert_int_equal(hl_look_count(look, 0), 1);
    hl_look_close(look);
}

/* How often the clock is asked while a filter is looked up: each time is the last in turn.
 */
static int64_t count_looks_at_the_clock(struct stand *s, const char *filter)
{
    enum hl_code code = HL_TIMEOUT;
    int64_t end = 0;

    s->filter = filter_of(s, filter);
    for (; code != HL_OK; end++) {
        int64_t now = 0;
        const struct hl_clock clock = {next_us, &now};
        const struct hl_deadline deadline = {&clock, end + 1, NULL};

        hl_look_close(s->look);
        s->look = NULL;
        s->wish = (struct hl_look_wish){
            .filters = &s->filter, .n_filters = 1, .deadline = &deadline};
        code = hl_look_open(s->collection, &s->wish, &s->look, &s->err);
        if (code != HL_OK)
            assert_int_equal(code, HL_TIMEOUT);
    }
    assert_string_equal(s->err.msg, "the filter took longer than it was given");
    s->wish.deadline = NULL;
    return end - 1;
}

static void a_filter_is_looked_up_for_as_long_as_somebody_waits(void **state)
{
    static const char ids[] = "{\"must\":[{\"has_id\":[1,2,3]}]}";
    static const char slice[] = "{\"must\":[{\"slice\":{\"total\":2,\"index\":0}}]}";
    static const char some[] =
        "{\"min_should\":{\"min_count\":2,\"conditions\":[{\"has_id\":[1]},"
        "{\"has_id\":[2]},{\"has_id\":[3]}]}}";
    struct stand *s = *state;

    add_index(s, "colour", "keyword");
    fill(s, 1, 4);
    assert_true(count_looks_at_the_clock(s, red) >= 1);
    assert_true(count_looks_at_the_clock(s, ids) >= 2);
    assert_true(count_looks_at_the_clock(s, slice) >= 2);
    assert_true(count_looks_at_the_clock(s, some) >=
                18); /* 3 conditions, 2 + 4 levels each */
    look(s, some);
    assert_int_equal(count(s), 0);
}

static void a_deadline_that_has_passed_ends_the_work(void **state)
{
    struct stand *s = *state;
    const struct hl_deadline past = {&hl_still, -1, NULL};

    fill(s, 1, 12);
    look(s, red);
    assert_int_equal(hl_look_settle(s->look, 0, &past, &s->err), HL_TIMEOUT);
    assert_int_equal(count(s), 4);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_look_into_an_empty_collection_finds_nothing),
        TEST(a_look_stays_at_its_moment),
        TEST(what_a_look_reads_is_kept_for_it),
        TEST(a_look_outlives_the_last_other_reference),
        TEST(a_filter_without_an_index_is_settled_by_payloads),
        TEST(a_filter_with_an_index_is_settled_at_once),
        TEST(filters_of_one_look_are_told_apart),
        TEST(whether_a_point_has_a_vector_is_known_at_once),
        TEST(without_memory_a_request_fails_and_the_next_one_does_not),
        TEST(who_asks_no_index_does_not_wait_for_one),
        TEST(a_filter_is_looked_up_for_as_long_as_somebody_waits),
        TEST(a_deadline_that_has_passed_ends_the_work),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
