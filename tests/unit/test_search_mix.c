/* SPDX-License-Identifier: Apache-2.0 */
#include "server/search_part.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

struct fixture {
    struct hl_arena *arena;
    struct hl_vector mixed;
    float length;
    struct hl_err err;
};

static int set_up(void **state)
{
    static struct fixture f;

    f = (struct fixture){.arena = hl_arena_new(1 << 20)};
    *state = &f;
    return f.arena ? 0 : -1;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;

    hl_arena_free(f->arena);
    return 0;
}

#define DENSE(...)                                                                         \
    {                                                                                      \
        .values = (const float[]){__VA_ARGS__},                                            \
        .n = sizeof((const float[]){__VA_ARGS__}) / sizeof(float)                          \
    }
#define SPARSE(indices_, ...)                                                              \
    {                                                                                      \
        .values = (const float[]){__VA_ARGS__},                                            \
        .n = sizeof((const float[]){__VA_ARGS__}) / sizeof(float),                         \
        .indices = (const uint32_t[])indices_, .is_sparse = true                           \
    }
#define LIST(...)                                                                          \
    {                                                                                      \
        __VA_ARGS__                                                                        \
    }

static void assert_mixed(const struct fixture *f, const struct hl_vector *wanted)
{
    assert_int_equal(f->mixed.n, wanted->n);
    assert_int_equal(f->mixed.is_sparse, wanted->is_sparse);
    for (size_t i = 0; i < wanted->n; i++) {
        assert_float_equal(f->mixed.values[i], wanted->values[i], 1e-6);
        if (wanted->is_sparse)
            assert_int_equal(f->mixed.indices[i], wanted->indices[i]);
    }
}

static void the_average_of_positive_examples_is_their_mean(void **state)
{
    const struct hl_vector positive[] = {DENSE(1, 2), DENSE(3, -4)};
    const struct hl_vector wanted = DENSE(2, -1);
    const struct hl_aim_leg aim = {.positive = positive, .n_positive = 2};
    struct fixture *f = *state;

    assert_int_equal(hl_mix_average(f->arena, &aim, &f->mixed, &f->err), HL_OK);
    assert_mixed(f, &wanted);
}

static void negative_examples_push_the_mean_away_from_theirs(void **state)
{
    const struct hl_vector positive[] = {DENSE(1, 2), DENSE(3, -4)};
    const struct hl_vector negative[] = {DENSE(1, 1), DENSE(1, 3), DENSE(4, 2)};
    const struct hl_vector wanted = DENSE(2 * 2 - 2, 2 * -1 - 2);
    const struct hl_aim_leg aim = {
        .positive = positive, .n_positive = 2, .negative = negative, .n_negative = 3};
    struct fixture *f = *state;

    assert_int_equal(hl_mix_average(f->arena, &aim, &f->mixed, &f->err), HL_OK);
    assert_mixed(f, &wanted);
}

static void sparse_examples_are_joined_by_their_indices(void **state)
{
    const struct hl_vector positive[] = {SPARSE(LIST(1, 5), 2, 4),
                                         SPARSE(LIST(5, 9), 6, 8)};
    const struct hl_vector negative[] = {SPARSE(LIST(0, 9), 1, 3)};
    const struct hl_vector wanted = SPARSE(LIST(0, 1, 5, 9), -1, 2, 10, 5);
    const struct hl_aim_leg aim = {
        .positive = positive, .n_positive = 2, .negative = negative, .n_negative = 1};
    struct fixture *f = *state;

    assert_int_equal(hl_mix_average(f->arena, &aim, &f->mixed, &f->err), HL_OK);
    assert_mixed(f, &wanted);
}

static void sums_of_products_are_the_product_with_the_sum(void **state)
{
    const struct hl_vector positive[] = {DENSE(1, 2), DENSE(3, 4)};
    const struct hl_vector negative[] = {DENSE(5, 5)};
    const struct hl_vector wanted = DENSE(-1, 1);
    const struct hl_aim_leg aim = {
        .positive = positive, .n_positive = 2, .negative = negative, .n_negative = 1};
    struct fixture *f = *state;

    assert_int_equal(hl_mix_sum(f->arena, &aim, false, &f->mixed, &f->length, &f->err),
                     HL_OK);
    assert_mixed(f, &wanted);
    assert_float_equal(f->length, 1, 0);
}

static void of_cosines_each_example_counts_as_much_and_the_length_is_told(void **state)
{
    const struct hl_vector positive[] = {DENSE(10, 0), DENSE(0, 0.5f)};
    const struct hl_vector negative[] = {DENSE(0, 0)};
    const struct hl_vector wanted = DENSE(1, 1);
    const struct hl_aim_leg aim = {
        .positive = positive, .n_positive = 2, .negative = negative, .n_negative = 1};
    struct fixture *f = *state;

    assert_int_equal(hl_mix_sum(f->arena, &aim, true, &f->mixed, &f->length, &f->err),
                     HL_OK);
    assert_mixed(f, &wanted);
    assert_float_equal(f->length, sqrt(2), 1e-6);
}

static void only_negative_examples_can_be_summed(void **state)
{
    const struct hl_vector negative[] = {SPARSE(LIST(3), 2)};
    const struct hl_vector wanted = SPARSE(LIST(3), -2);
    const struct hl_aim_leg aim = {.negative = negative, .n_negative = 1};
    struct fixture *f = *state;

    assert_int_equal(hl_mix_sum(f->arena, &aim, false, &f->mixed, &f->length, &f->err),
                     HL_OK);
    assert_mixed(f, &wanted);
}

static void what_leaves_the_floats_is_refused(void **state)
{
    const struct hl_vector positive[] = {DENSE(3e38f), DENSE(3e38f)};
    const struct hl_aim_leg aim = {.positive = positive, .n_positive = 2};
    struct fixture *f = *state;

    assert_int_equal(hl_mix_average(f->arena, &aim, &f->mixed, &f->err), HL_OK);
    assert_int_equal(hl_mix_sum(f->arena, &aim, false, &f->mixed, &f->length, &f->err),
                     HL_WRONG_INPUT);
    assert_string_equal(f->err.msg, "Wrong input: the examples are too large to be mixed");
}

static void mixtures_run_out_of_room_in_a_sentence(void **state)
{
    const struct hl_vector positive[] = {SPARSE(LIST(1, 5), 2, 4)};
    const struct hl_aim_leg aim = {.positive = positive, .n_positive = 1};
    struct fixture *f = *state;
    size_t n_refused = 0;
    enum hl_code code = HL_TOO_LARGE;

    for (size_t ceiling = 0; ceiling < 16384 && code != HL_OK; ceiling += 16) {
        struct hl_arena *arena = hl_arena_new(ceiling);

        code = hl_mix_average(arena, &aim, &f->mixed, &f->err);
        n_refused += code == HL_TOO_LARGE;
        hl_arena_free(arena);
    }
    assert_int_equal(code, HL_OK);
    assert_true(n_refused > 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_average_of_positive_examples_is_their_mean),
        TEST(negative_examples_push_the_mean_away_from_theirs),
        TEST(sparse_examples_are_joined_by_their_indices),
        TEST(sums_of_products_are_the_product_with_the_sum),
        TEST(of_cosines_each_example_counts_as_much_and_the_length_is_told),
        TEST(only_negative_examples_can_be_summed),
        TEST(what_leaves_the_floats_is_refused),
        TEST(mixtures_run_out_of_room_in_a_sentence),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
