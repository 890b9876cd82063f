/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "index/faiss_gap.h"
#include "index/index.h"

#include <faiss/c_api/Index_c.h>
#include <faiss/c_api/error_c.h>
#include <faiss/c_api/index_factory_c.h>

#include <math.h>
#include <string.h>

#define N_ROWS ((size_t)300)
#define DIM    ((size_t)37)
#define K      ((size_t)20)

static const FaissMetricType metrics[] = {METRIC_L2, METRIC_INNER_PRODUCT};

/* A graph over rows of 8-bit codes: what FAISS measures through a distance computer. */
struct fixture {
    float rows[N_ROWS * DIM];
    FaissIndex *index[2];
};

static int set_up(void **state)
{
    static struct fixture f;
    uint64_t seed = 1;

    hl_gap_hold_to_one_thread();
    for (size_t i = 0; i < N_ROWS * DIM; i++) {
        seed = seed * 6364136223846793005U + 1442695040888963407U;
        f.rows[i] = (float)(int32_t)(seed >> 32) * 0x1p-31F * (float)(1 + i % DIM);
    }
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(faiss_index_factory(&f.index[i], DIM, "HNSW8,SQ8", metrics[i]),
                         OK);
        assert_int_equal(faiss_Index_train(f.index[i], N_ROWS, f.rows), OK);
        assert_int_equal(faiss_Index_add(f.index[i], N_ROWS, f.rows), OK);
        hl_gap_set_beam(f.index[i], 0, N_ROWS);
    }
    *state = &f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;

    for (size_t i = 0; i < 2; i++)
        faiss_Index_free(f->index[i]);
    return 0;
}

static int use_shipped(void **state)
{
    (void)state;
    hl_gap_use_kernels(&hl_gap_kernels_shipped);
    return 0;
}

struct found {
    float scores[N_ROWS * K];
    idx_t rows[N_ROWS * K];
};

static void search(struct fixture *f, size_t which, struct found *ret_found)
{
    assert_int_equal(faiss_Index_search(f->index[which], N_ROWS, f->rows, K,
                                        ret_found->scores, ret_found->rows),
                     OK);
}

/* Ours and FAISS's computers take a code apart in another order, each value with a few
 * roundings of its own; a distance sums up DIM of them. */
static void assert_same_scores(const struct found *got, const struct found *wanted)
{
    const double largest = (double)DIM * DIM * DIM * 4;

    for (size_t i = 0; i < N_ROWS * K; i++)
        assert_true(fabs((double)got->scores[i] - (double)wanted->scores[i]) <=
                    largest * 8 * 0x1p-24);
}

static void codes_have_the_distances_that_faiss_gives_them(void **state)
{
    static const char *const kernels[] = {"avx512", "avx2", "portable"};
    static struct found got, wanted;
    struct fixture *f = *state;
    struct hl_err err;

    for (size_t which = 0; which < 2; which++) {
        hl_gap_use_kernels(&hl_gap_kernels_shipped);
        search(f, which, &wanted);
        for (size_t i = 0; i < sizeof kernels / sizeof *kernels; i++) {
            if (hl_index_choose_kernels(kernels[i], &err) != HL_OK)
                continue;
            search(f, which, &got);
            assert_same_scores(&got, &wanted);
        }
    }
}

static size_t n_calls;

static float counting_code_l2(const float *x, const float *scale, const uint8_t *codes,
                              size_t dim)
{
    n_calls++;
    return hl_kernels_portable.code_l2(x, scale, codes, dim);
}

static float counting_code_dot(const float *x, const uint8_t *codes, size_t dim)
{
    n_calls++;
    return hl_kernels_portable.code_dot(x, codes, dim);
}

static void every_distance_to_a_code_is_ours(void **state)
{
    static struct found found;
    struct fixture *f = *state;
    struct hl_kernels counting = hl_kernels_portable;

    counting.code_l2 = counting_code_l2;
    counting.code_dot = counting_code_dot;
    for (size_t which = 0; which < 2; which++) {
        n_calls = 0;
        hl_gap_use_kernels(&counting);
        search(f, which, &found);
        assert_true(n_calls > N_ROWS * K);
        n_calls = 0;
        hl_gap_use_kernels(&hl_gap_kernels_shipped);
        search(f, which, &found);
        assert_int_equal(n_calls, 0);
    }
}

/* A build also measures codes against codes. */
static void a_graph_over_codes_builds_with_ours(void **state)
{
    static struct found found;
    struct fixture *f = *state;
    struct fixture mine = {.index = {NULL, NULL}};
    struct hl_err err;

    memcpy(mine.rows, f->rows, sizeof mine.rows);
    assert_int_equal(hl_index_choose_kernels("auto", &err), HL_OK);
    for (size_t which = 0; which < 2; which++) {
        size_t n_itself = 0;

        assert_int_equal(
            faiss_index_factory(&mine.index[which], DIM, "HNSW8,SQ8", metrics[which]), OK);
        assert_int_equal(faiss_Index_train(mine.index[which], N_ROWS, mine.rows), OK);
        assert_int_equal(faiss_Index_add(mine.index[which], N_ROWS, mine.rows), OK);
        hl_gap_set_beam(mine.index[which], 0, N_ROWS);
        search(&mine, which, &found);
        for (size_t row = 0; row < N_ROWS; row++)
            n_itself += found.rows[row * K] == (idx_t)row;
        /* By inner product a longer row may come before the row itself. */
        assert_true(n_itself >= (which == 0 ? N_ROWS * 99 / 100 : N_ROWS / 4));
        faiss_Index_free(mine.index[which]);
    }
}

static void an_exception_becomes_a_code_and_a_text(void **state)
{
    FaissIndex *index = NULL;

    (void)state;
    assert_int_equal(faiss_index_factory(&index, 8, "no such index", METRIC_L2),
                     FAISS_EXCEPT);
    assert_non_null(strstr(faiss_get_last_error(), "no such index"));
    assert_null(strstr(hl_gap_plain_text(faiss_get_last_error()), ".cpp"));
    assert_string_equal(hl_gap_plain_text("plain already"), "plain already");
    assert_null(index);
}

static void a_graph_over_codes_has_no_view(void **state)
{
    struct fixture *f = *state;
    struct hl_graph_view view;
    struct hl_err err;

    assert_int_equal(hl_gap_view(f->index[0], &view, &err), HL_BAD_FILE);
    assert_string_equal(err.msg, "the index is no HNSW graph over rows of floats");
}

static void the_version_is_that_of_the_library(void **state)
{
    (void)state;
    assert_string_equal(hl_index_faiss_version(), hl_gap_version());
    assert_true(hl_gap_version()[0] >= '1' && hl_gap_version()[1] == '.');
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(codes_have_the_distances_that_faiss_gives_them, use_shipped),
        cmocka_unit_test_setup(every_distance_to_a_code_is_ours, use_shipped),
        cmocka_unit_test_setup(a_graph_over_codes_builds_with_ours, use_shipped),
        cmocka_unit_test_setup(an_exception_becomes_a_code_and_a_text, use_shipped),
        cmocka_unit_test_setup(a_graph_over_codes_has_no_view, use_shipped),
        cmocka_unit_test(the_version_is_that_of_the_library),
    };

    return cmocka_run_group_tests_name("faiss_gap", tests, set_up, tear_down);
}
