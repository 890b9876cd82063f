/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "proto/fail.h"
#include "tests/unit/grouping.h"

/* What there should be: some ids. */
struct model {
    bool has[8192];
    int last;
};

static void compare(struct stand *s, const struct model *model)
{
    const float at[] = {0, 0};
    char *ids = hl_arena_alloc(s->arena, 8192), *hits = hl_arena_alloc(s->arena, 8192);
    size_t len = 0, hits_len = 0;
    int n = 0;

    assert_non_null(ids);
    assert_non_null(hits);
    ids[0] = hits[0] = '\0';
    for (int id = 1; id <= model->last; id++) {
        if (!model->has[id])
            continue;
        len += (size_t)snprintf(ids + len, 8192 - len, "%s%d", n ? " " : "", id);
        hits_len += (size_t)snprintf(hits + hits_len, 8192 - hits_len, "%s%d:%d.000",
                                     n ? " " : "", id, id);
        n++;
    }
    look(s, NULL);
    assert_int_equal(hl_look_n_points(s->look), n);
    assert_string_equal(scroll(s, NULL, 200), ids);
    assert_string_equal(find(s, query(at, 2, 200), "e"), hits);
    look(s, "{\"must\":[{\"key\":\"i\",\"range\":{\"gte\":0}}]}");
    assert_string_equal(scroll(s, NULL, 200), ids);
    look(s, "{\"must\":[{\"has_vector\":\"s\"}]}");
    assert_string_equal(scroll(s, NULL, 200), ids);
    hl_look_close(s->look);
    s->look = NULL;
}

/* How a place fails. */
struct fault {
    enum hl_failpoint point;
    const char *place;
    const char *from; /* "": once; "+": from then on */
    bool is_spoilt;   /* a change of the group is refused, whatever else fails */
};

static int count_failures(const struct queue *queue)
{
    int n_failed = 0;

    for (size_t i = 0; i < queue->n; i++) {
        const enum hl_code code = queue->all[i].base.code;

        if (code == HL_UNKNOWN_VECTOR)
            continue;
        if (code != HL_OK && code != HL_NO_MEMORY && code != HL_IO && code != HL_DISK_FULL)
            fail_msg("change %zu: %s", i, queue->all[i].base.err.msg);
        n_failed += code != HL_OK;
    }
    return n_failed;
}

/* Three changes as one group while the place fails at its n-th passage; what was
 * acknowledged is there, the rest is not. How many were refused. */
static int survive(struct stand *s, struct model *model, const struct fault *fault, int n)
{
    const int a = 2 * n + 10, b = 2 * n + 11;
    struct queue queue;
    char rule[48];

    begin_queue(&queue, s);
    (void)put_points(&queue, upsert(s, a));
    (void)put_points(&queue,
                     hl_arena_print(s->arena,
                                    "{\"delete\":{\"filter\":{\"must\":[{\"key\":\"i\","
                                    "\"range\":{\"lt\":%d}}]}}},%s",
                                    a, upsert(s, b)));
    if (fault->is_spoilt)
        (void)put_points(&queue,
                         hl_arena_print(s->arena, "%s,%s", upsert(s, 9000), spoils));
    (void)put_index(&queue, "p", n % 2 ? "keyword" : "integer");
    snprintf(rule, sizeof rule, "%s=%d%s:fail", fault->place, n, fault->from);
    assert_int_equal(hl_failpoint_arm(rule, &s->err), HL_OK);
    end_queue(&queue);
    if (fault->is_spoilt)
        assert_int_not_equal(queue.all[2].base.code, HL_OK);
    model->last = b;
    model->has[a] = queue.all[0].base.code == HL_OK;
    for (int id = 0; queue.all[1].base.code == HL_OK && id < a; id++)
        model->has[id] = false;
    model->has[b] = queue.all[1].base.code == HL_OK;
    return count_failures(&queue);
}

/* Every passage of the place in turn. What is seen is right at once, and after a restart
 * as well; a collection that cannot follow says so, and is restarted. */
static void survive_each(struct stand *s, const struct fault *fault, int most_failures)
{
    struct model model = {0};
    struct hush hush;
    int n_failed = 0, n_quiet = 0, n = 0;

    add_index(s, "i", "integer");
    begin_hush(&hush, s);
    while (n_quiet < 3) {
        const int n_refused = survive(s, &model, fault, ++n);

        assert_true(n_refused <= (fault->from[0] ? 3 : 1));
        n_quiet = hl_failpoint_count(fault->point) < (uint64_t)n ? n_quiet + 1 : 0;
        hl_failpoint_disarm();
        n_failed += n_refused > 0;
        if (change_points(s, "{\"delete\":{\"points\":[1]}}") == 0) {
            assert_int_equal(s->err.code, HL_NO_MEMORY); /* it is broken */
            reopen_hushed(&hush);
        }
        compare(s, &model);
        if (n % 16 == 0) {
            reopen_hushed(&hush);
            compare(s, &model);
        }
        hl_arena_reset(s->arena);
        assert_true(n < 4000);
    }
    end_hush(&hush);
    print_message("%s%s: %d of %d groups had a failure\n", fault->place, fault->from,
                  n_failed, n);
    assert_true(n > 3); /* the place was passed */
    assert_in_range(n_failed, most_failures > 0, most_failures);
}

static void an_allocation_that_fails_costs_one_change_at_most(void **state)
{
    survive_each(*state, &(const struct fault){HL_FAIL_ALLOC, "alloc", "", false}, 1000);
}

static void nor_does_it_beside_a_change_that_is_refused(void **state)
{
    survive_each(*state, &(const struct fault){HL_FAIL_ALLOC, "alloc", "", true}, 1000);
}

static void memory_that_runs_out_loses_and_invents_nothing(void **state)
{
    survive_each(*state, &(const struct fault){HL_FAIL_ALLOC, "alloc", "+", false}, 4000);
}

static void one_write_that_fails_is_not_noticed(void **state)
{
    survive_each(*state, &(const struct fault){HL_FAIL_FILE_WRITE, "file.write", "", false},
                 0);
}

static void nor_is_it_beside_a_change_that_is_refused(void **state)
{
    survive_each(*state, &(const struct fault){HL_FAIL_FILE_WRITE, "file.write", "", true},
                 0);
}

static void a_disk_that_fails_loses_and_invents_nothing(void **state)
{
    survive_each(*state,
                 &(const struct fault){HL_FAIL_FILE_WRITE, "file.write", "+", false}, 4000);
}

static void one_sync_that_fails_is_not_noticed(void **state)
{
    survive_each(*state, &(const struct fault){HL_FAIL_FILE_SYNC, "file.sync", "", false},
                 0);
}

static void syncs_that_fail_lose_and_invent_nothing(void **state)
{
    survive_each(*state, &(const struct fault){HL_FAIL_FILE_SYNC, "file.sync", "+", false},
                 4000);
}

static void a_full_disk_refuses_and_loses_nothing(void **state)
{
    struct stand *s = *state;
    struct hush hush;
    struct queue queue;

    assert_true(change_points(s, upsert(s, 1)) > 0);
    begin_hush(&hush, s);
    begin_queue(&queue, s);
    (void)put_points(&queue, upsert(s, 2));
    (void)put_points(&queue, upsert(s, 3));
    assert_int_equal(hl_failpoint_arm("file.write=1+:fail", &s->err), HL_OK);
    end_queue(&queue);
    hl_failpoint_disarm();
    for (size_t i = 0; i < queue.n; i++)
        assert_int_not_equal(queue.all[i].base.code, HL_OK);
    look(s, NULL);
    assert_string_equal(scroll(s, NULL, 9), "1");
    assert_true(change_points(s, upsert(s, 4)) > 0);
    end_hush(&hush);
    look(s, NULL);
    assert_string_equal(scroll(s, NULL, 9), "1 4");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(an_allocation_that_fails_costs_one_change_at_most),
        TEST(nor_does_it_beside_a_change_that_is_refused),
        TEST(memory_that_runs_out_loses_and_invents_nothing),
        TEST(one_write_that_fails_is_not_noticed),
        TEST(nor_is_it_beside_a_change_that_is_refused),
        TEST(a_disk_that_fails_loses_and_invents_nothing),
        TEST(one_sync_that_fails_is_not_noticed),
        TEST(syncs_that_fail_lose_and_invent_nothing),
        TEST(a_full_disk_refuses_and_loses_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
