/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/looking.h"

#include <time.h>

static void scores_are_on_the_scale_of_the_wire(void **state)
{
    struct stand *s = *state;
    const float at[] = {3, 4}, zero[] = {0, 0};

    fill(s, 1, 3);
    look(s, NULL);
    assert_string_equal(find(s, query(at, 2, 2), "d"), "3:13.000 2:10.000");
    assert_string_equal(find(s, query(at, 2, 2), "c"), "1:0.990 2:0.894");
    assert_string_equal(find(s, query(at, 2, 2), "e"), "3:4.000 2:4.123");
    assert_string_equal(find(s, query(at, 2, 2), "m"), "3:4.000 2:5.000");
    assert_string_equal(find(s, query(zero, 2, 9), "c"), "1:0.000 2:0.000 3:0.000");
    assert_string_equal(find(s, query(zero, 2, 9), "e"), "1:1.000 2:2.000 3:3.000");
}

static void a_threshold_leaves_out_what_is_worse(void **state)
{
    struct stand *s = *state;
    const float at[] = {0, 0}, along[] = {1, 0};
    struct hl_find near = query(at, 2, 9), far = query(along, 2, 9);

    fill(s, 1, 4);
    look(s, NULL);
    near.has_threshold = far.has_threshold = true;
    near.threshold = 2;
    far.threshold = 3;
    assert_string_equal(find(s, near, "e"), "1:1.000 2:2.000");
    assert_string_equal(find(s, near, "m"), "1:1.000 2:2.000");
    assert_string_equal(find(s, far, "d"), "4:4.000 3:3.000");
    near.threshold = -1;
    assert_string_equal(find(s, near, "e"), "");
}

static void a_sparse_search_finds_what_it_has_in_common(void **state)
{
    struct stand *s = *state;
    const uint32_t both[] = {1, 2}, two[] = {2}, none[] = {9};
    const float weights[] = {1, 100};
    struct hl_find find_both = query(weights, 2, 3), find_two = query(weights, 1, 9);

    fill(s, 1, 4);
    look(s, NULL);
    find_both.indices = both;
    assert_string_equal(find(s, find_both, "s"), "4:104.000 2:102.000 3:3.000");
    find_two.indices = two;
    assert_string_equal(find(s, find_two, "s"), "2:1.000 4:1.000");
    find_two.indices = none;
    assert_string_equal(find(s, find_two, "s"), "");
}

static void a_filter_bounds_what_is_found(void **state)
{
    struct stand *s = *state;
    const float at[] = {0, 0}, weights[] = {1};
    const uint32_t one[] = {1};
    struct hl_find sparse = query(weights, 1, 2);

    fill(s, 1, 150); /* more than two segments */
    look(s, red);
    assert_int_equal(count(s), 50);
    assert_string_equal(find(s, query(at, 2, 3), "e"), "3:3.000 6:6.000 9:9.000");
    assert_string_equal(find(s, query(at, 2, 3), "m"), "3:3.000 6:6.000 9:9.000");
    sparse.indices = one;
    assert_string_equal(find(s, sparse, "s"), "150:150.000 147:147.000");
}

static void a_query_that_does_not_fit_is_refused(void **state)
{
    struct stand *s = *state;
    const float values[] = {1, 2, 3};
    const uint32_t indices[] = {1, 2, 3};
    struct hl_find sparse = query(values, 3, 1);

    sparse.indices = indices;
    look(s, NULL);
    assert_string_equal(find(s, query(values, 3, 1), "c"),
                        "Wrong input: Vector dimension error: expected dim: 2, got 3");
    assert_int_equal(s->err.code, HL_DIMENSION_MISMATCH);
    (void)find(s, query(values, 2, 1), "s");
    assert_int_equal(s->err.code, HL_WRONG_INPUT);
    s->err.code = HL_OK;
    (void)find(s, sparse, "e");
    assert_int_equal(s->err.code, HL_WRONG_INPUT);
}

static void a_search_of_what_is_indexed_leaves_out_tails(void **state)
{
    struct stand *s = *state;
    const float at[] = {0, 0};
    struct hl_find indexed = query(at, 2, 2);

    fill(s, 1, 2);
    look(s, NULL);
    indexed.is_indexed_only = true;
    assert_string_equal(find(s, indexed, "e"), "");
    indexed.is_indexed_only = false;
    indexed.is_exact = true;
    assert_string_equal(find(s, indexed, "e"), "1:1.000 2:2.000");
}

/* By Euclid 1001 were nearer than 1002. A sealed segment has a graph, made for Euclid. */
static void manhattan_is_exact_in_segments_and_after_a_restart(void **state)
{
    static const char wanted[] = "99:1.000 98:2.000 100:2.000 1002:2.200 1001:2.800";
    struct stand *s = *state;
    const float at[] = {99, 1};
    struct hl_find sealed = query(at, 2, 5);

    assert_true(change_points(s, "{\"upsert\":{\"points\":["
                                 "{\"id\":1001,\"vector\":{\"m\":[100.4,2.4]}},"
                                 "{\"id\":1002,\"vector\":{\"m\":[99,3.2]}}]}}") > 0);
    fill(s, 1, 150);
    sealed.is_indexed_only = true;
    for (int round = 0; round < 2; round++) {
        struct hl_collection_info info = {.is_busy = true};
        const struct timespec nap = {0, 10000000};

        for (int i = 0; i < 2000 && (info.is_busy || info.n_indexed < 512); i++) {
            nanosleep(&nap, NULL);
            assert_int_equal(hl_collection_info(s->collection, s->arena, &info, &s->err),
                             HL_OK);
            hl_layout_unref(info.layout);
        }
        assert_true(info.n_indexed >= 512);
        look(s, NULL);
        assert_string_equal(find(s, sealed, "m"), wanted);
        close_stand(s);
        assert_int_equal(open_stand(s), HL_OK);
    }
}

static void smaller_distances_and_larger_products_are_better(void **state)
{
    (void)state;
    assert_true(hl_distance_is_better(HL_EUCLID, 1, 2));
    assert_false(hl_distance_is_better(HL_EUCLID, 2, 1));
    assert_true(hl_distance_is_better(HL_MANHATTAN, 1, 2));
    assert_true(hl_distance_is_better(HL_COSINE, 2, 1));
    assert_true(hl_distance_is_better(HL_DOT, 2, 1));
    assert_false(hl_distance_is_better(HL_DOT, 1, 1));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(scores_are_on_the_scale_of_the_wire),
        TEST(a_threshold_leaves_out_what_is_worse),
        TEST(a_sparse_search_finds_what_it_has_in_common),
        TEST(a_filter_bounds_what_is_found),
        TEST(a_query_that_does_not_fit_is_refused),
        TEST(a_search_of_what_is_indexed_leaves_out_tails),
        TEST(manhattan_is_exact_in_segments_and_after_a_restart),
        TEST(smaller_distances_and_larger_products_are_better),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
