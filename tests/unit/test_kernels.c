/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "index/faiss_gap.h"
#include "index/index.h"
#include "index/kernels.h"
#include "tests/unit/sketching.h"

#include <math.h>
#include <stdbool.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* FAISS's functions under their own names: what the linker makes of these names here, it
 * makes of them in every file of FAISS. */
float faiss_l2(const float *x, const float *y,
               size_t dim) __asm__("_ZN5faiss10fvec_L2sqrEPKfS1_m");
float faiss_dot(const float *x, const float *y,
                size_t dim) __asm__("_ZN5faiss18fvec_inner_productEPKfS1_m");
float faiss_norm(const float *x, size_t dim) __asm__("_ZN5faiss15fvec_norm_L2sqrEPKfm");
void faiss_l2_ny(float *ret, const float *x, const float *y, size_t dim,
                 size_t ny) __asm__("_ZN5faiss13fvec_L2sqr_nyEPfPKfS2_mm");
void faiss_dot_ny(float *ret, const float *x, const float *y, size_t dim,
                  size_t ny) __asm__("_ZN5faiss22fvec_inner_products_nyEPfPKfS2_mm");
size_t faiss_nearest_ny(float *ret, const float *x, const float *y, size_t dim,
                        size_t ny) __asm__("_ZN5faiss21fvec_L2sqr_ny_nearestEPfPKfS2_mm");

#define MAX_DIM  1025
#define MAX_SKEW 16
#define N_ROWS   5

/* A sum in double precision, and how far a float kernel may be from it. */
struct sum {
    double value;
    double size; /* of the terms, without their signs */
};

/* A sum whose terms each pass through at most n roundings of 2^-24 is off by at most n of
 * them times the size of the terms. FAISS's own kernels add dim terms one after the other;
 * ours have at least sixteen sums side by side. 20 more for up to 15 terms of a tail, the
 * lanes and the term itself, and a quarter for the products of roundings. */
static double bound_of(const struct hl_kernels *table, size_t dim, struct sum sum)
{
    const bool is_ours = table != &hl_gap_kernels_shipped;
    const double n = (is_ours ? (double)dim / 16 : (double)dim) + 20;

    return 1.25 * n * 0x1p-24 * sum.size;
}

static void assert_near(const struct hl_kernels *table, size_t dim, float got,
                        struct sum sum)
{
    const double gap = fabs((double)got - sum.value);

    if (!(gap <= bound_of(table, dim, sum)))
        fail_msg("%s, %zu floats: got %.9g, wanted %.9g within %.3g", table->name, dim,
                 (double)got, sum.value, bound_of(table, dim, sum));
}

static struct sum exact_l2(const float *x, const float *y, size_t dim)
{
    struct sum sum = {0};

    for (size_t i = 0; i < dim; i++)
        sum.value += ((double)x[i] - (double)y[i]) * ((double)x[i] - (double)y[i]);
    sum.size = sum.value;
    return sum;
}

static struct sum exact_dot(const float *x, const float *y, size_t dim)
{
    struct sum sum = {0};

    for (size_t i = 0; i < dim; i++) {
        sum.value += (double)x[i] * (double)y[i];
        sum.size += fabs((double)x[i] * (double)y[i]);
    }
    return sum;
}

/* x - scale * code may cancel, so its rounding counts in the size of the product. */
static struct sum exact_code_l2(const float *x, const float *scale, const uint8_t *codes,
                                size_t dim)
{
    struct sum sum = {0};

    for (size_t i = 0; i < dim; i++) {
        const double image = (double)scale[i] * codes[i];
        const double gap = (double)x[i] - image;

        sum.value += gap * gap;
        sum.size += gap * gap + 2 * fabs(gap * image);
    }
    return sum;
}

static struct sum exact_code_dot(const float *x, const uint8_t *codes, size_t dim)
{
    struct sum sum = {0};

    for (size_t i = 0; i < dim; i++) {
        sum.value += (double)x[i] * codes[i];
        sum.size += fabs((double)x[i] * codes[i]);
    }
    return sum;
}

/* One pair of rows, a scale and codes, wherever they lie. */
struct sample {
    const float *x, *y, *scale;
    const uint8_t *codes;
};

static void check_pair(const struct hl_kernels *table, const struct sample *at, size_t dim)
{
    assert_near(table, dim, table->l2(at->x, at->y, dim), exact_l2(at->x, at->y, dim));
    assert_near(table, dim, table->dot(at->x, at->y, dim), exact_dot(at->x, at->y, dim));
    assert_near(table, dim, table->norm(at->x, dim), exact_dot(at->x, at->x, dim));
    if (!table->code_l2)
        return;
    assert_near(table, dim, table->code_l2(at->x, at->scale, at->codes, dim),
                exact_code_l2(at->x, at->scale, at->codes, dim));
    assert_near(table, dim, table->code_dot(at->x, at->codes, dim),
                exact_code_dot(at->x, at->codes, dim));
}

static void check_pair_of_faiss(const struct hl_kernels *table, const struct sample *at,
                                size_t dim)
{
    assert_near(table, dim, faiss_l2(at->x, at->y, dim), exact_l2(at->x, at->y, dim));
    assert_near(table, dim, faiss_dot(at->x, at->y, dim), exact_dot(at->x, at->y, dim));
    assert_near(table, dim, faiss_norm(at->x, dim), exact_dot(at->x, at->x, dim));
}

/* ny rows from y on. */
static void check_ny_of_faiss(const struct hl_kernels *table, const struct sample *at,
                              size_t dim)
{
    float l2[N_ROWS];
    float dot[N_ROWS];
    float again[N_ROWS];
    size_t nearest = 0;

    faiss_l2_ny(l2, at->x, at->y, dim, N_ROWS);
    faiss_dot_ny(dot, at->x, at->y, dim, N_ROWS);
    for (size_t row = 0; row < N_ROWS; row++) {
        assert_near(table, dim, l2[row], exact_l2(at->x, at->y + row * dim, dim));
        assert_near(table, dim, dot[row], exact_dot(at->x, at->y + row * dim, dim));
        nearest = l2[row] < l2[nearest] ? row : nearest;
    }
    assert_int_equal(faiss_nearest_ny(again, at->x, at->y, dim, N_ROWS), nearest);
    assert_memory_equal(again, l2, sizeof l2);
}

/* Memory whose last byte is the last before a page that must not be read. */
struct fenced {
    uint8_t *pages;
    size_t bytes;
};

static uint8_t *fenced_end(const struct fenced *fenced)
{
    return fenced->pages + fenced->bytes;
}

static struct fenced fence(size_t bytes)
{
    const size_t page = (size_t)sysconf(_SC_PAGESIZE);
    struct fenced fenced = {.bytes = (bytes + page - 1) / page * page};

    fenced.pages = mmap(NULL, fenced.bytes + page, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    assert_true(fenced.pages != MAP_FAILED);
    assert_int_equal(mprotect(fenced_end(&fenced), page, PROT_NONE), 0);
    return fenced;
}

static void unfence(const struct fenced *fenced)
{
    assert_int_equal(munmap(fenced->pages, fenced->bytes + (size_t)sysconf(_SC_PAGESIZE)),
                     0);
}

/* Numbers of both signs and of sizes some orders of magnitude apart. */
static float next_float(uint64_t *state)
{
    float value = 0;

    *state = *state * 6364136223846793005U + 1442695040888963407U;
    value = (float)(int32_t)(*state >> 32) * 0x1p-31F;
    return *state >> 20 & 1 ? value : value * 0.01F;
}

static void fill(const struct fenced *fenced, uint64_t seed)
{
    float *values = (float *)(void *)fenced->pages;

    for (size_t i = 0; i < fenced->bytes / sizeof *values; i++)
        values[i] = next_float(&seed);
}

struct fixture {
    struct fenced x, y, scale, codes;
};

static int set_up(void **state)
{
    static struct fixture fixture;

    fixture.x = fence((MAX_DIM + MAX_SKEW) * sizeof(float));
    fixture.y = fence((N_ROWS * MAX_DIM + MAX_SKEW) * sizeof(float));
    fixture.scale = fence((MAX_DIM + MAX_SKEW) * sizeof(float));
    fixture.codes = fence(MAX_DIM + MAX_SKEW);
    fill(&fixture.x, 1);
    fill(&fixture.y, 2);
    fill(&fixture.scale, 3);
    fill(&fixture.codes, 4);
    for (size_t i = 0; i < fixture.codes.bytes; i++)
        fixture.codes.pages[i] = (uint8_t)(i * 151 + i / 256);
    *state = &fixture;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    struct hl_err err;

    unfence(&f->x);
    unfence(&f->y);
    unfence(&f->scale);
    unfence(&f->codes);
    return hl_index_choose_kernels("portable", &err) == HL_OK ? 0 : -1;
}

/* Rows of `dim` floats that end `skew` floats (or bytes) before the fence. Each is skewed
 * otherwise, so that no two are aligned alike. */
static struct sample sample_at(const struct fixture *f, size_t dim, size_t n_rows,
                               size_t skew)
{
    return (struct sample){
        .x = (const float *)(void *)fenced_end(&f->x) - dim - skew,
        .y = (const float *)(void *)fenced_end(&f->y) - n_rows * dim - skew * 7 % MAX_SKEW,
        .scale = (const float *)(void *)fenced_end(&f->scale) - dim - skew * 5 % MAX_SKEW,
        .codes = fenced_end(&f->codes) - dim - skew * 3 % MAX_SKEW,
    };
}

typedef void check_function(const struct hl_kernels *, const struct sample *, size_t);

/* Every table at every size; `step` skews are left out. */
static void check_all(const struct fixture *f, check_function *check, size_t n_rows,
                      size_t step)
{
    struct hl_err err;

    for (size_t i = 0; i < N_TABLES; i++) {
        const struct hl_kernels *table = table_of(tables[i]);

        if (!table)
            continue;
        assert_int_equal(hl_index_choose_kernels(tables[i], &err), HL_OK);
        for (size_t dim = 1; dim <= MAX_DIM; dim++)
            for (size_t skew = 0; skew < MAX_SKEW; skew += step) {
                const struct sample sample = sample_at(f, dim, n_rows, skew);

                check(table, &sample, dim);
            }
    }
}

static void every_table_agrees_with_double_precision(void **state)
{
    check_all(*state, check_pair, 1, 1);
}

static void faiss_s_functions_agree_with_double_precision(void **state)
{
    check_all(*state, check_pair_of_faiss, 1, 1);
}

static void faiss_s_batched_functions_agree_with_double_precision(void **state)
{
    check_all(*state, check_ny_of_faiss, N_ROWS, 5);
}

static void nothing_has_the_distance_nothing(void **state)
{
    const float x = 1;
    float ret = 2;

    (void)state;
    for (size_t i = 0; i < N_TABLES; i++) {
        const struct hl_kernels *table = table_of(tables[i]);

        if (!table)
            continue;
        assert_true(table->l2(&x, &x, 0) == 0);
        assert_true(table->dot(&x, &x, 0) == 0);
        assert_int_equal(table->l2_ny_nearest(&ret, &x, &x, 1, 0), 0);
    }
    assert_true(ret == 2);
}

static void the_first_of_equals_is_the_nearest(void **state)
{
    static const float y[] = {3, 1, 1, NAN, 1};
    const float x = 0;
    float ret[5];

    (void)state;
    for (size_t i = 0; i < N_TABLES; i++)
        if (table_of(tables[i]))
            assert_int_equal(table_of(tables[i])->l2_ny_nearest(ret, &x, y, 1, 5), 1);
}

static unsigned n_calls;

static float counting_l2(const float *x, const float *y, size_t dim)
{
    n_calls++;
    return hl_kernels_portable.l2(x, y, dim);
}

static void faiss_s_names_lead_to_the_chosen_table(void **state)
{
    struct hl_kernels counting = hl_kernels_portable;
    const float x = 3;

    (void)state;
    counting.l2 = counting_l2;
    n_calls = 0;
    hl_gap_use_kernels(&counting);
    assert_true(faiss_l2(&x, &x, 1) == 0);
    hl_gap_use_kernels(&hl_gap_kernels_shipped);
    assert_true(faiss_l2(&x, &x, 1) == 0);
    assert_int_equal(n_calls, 1);
}

static void auto_takes_the_best_this_processor_has(void **state)
{
    struct hl_err err;
    size_t best = 0;

    (void)state;
    while (!table_of(tables[best]))
        best++;
    assert_int_equal(hl_index_choose_kernels("auto", &err), HL_OK);
    assert_string_equal(hl_index_kernels(), tables[best]);
}

static void a_table_is_chosen_by_its_name(void **state)
{
    struct hl_err err;

    (void)state;
    for (size_t i = 0; i < N_TABLES; i++)
        if (table_of(tables[i])) {
            assert_int_equal(hl_index_choose_kernels(tables[i], &err), HL_OK);
            assert_string_equal(hl_index_kernels(), tables[i]);
        } else {
            assert_int_equal(hl_index_choose_kernels(tables[i], &err), HL_INVALID);
            assert_non_null(strstr(err.msg, "this processor cannot run the kernels"));
        }
}

static void an_unknown_name_changes_nothing(void **state)
{
    struct hl_err err;

    (void)state;
    assert_int_equal(hl_index_choose_kernels("portable", &err), HL_OK);
    assert_int_equal(hl_index_choose_kernels("sse9", &err), HL_INVALID);
    assert_string_equal(err.msg, "kernels \"sse9\" are unknown, wanted auto, avx512, avx2, "
                                 "portable or shipped");
    assert_string_equal(hl_index_kernels(), "portable");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_table_agrees_with_double_precision),
        cmocka_unit_test(faiss_s_functions_agree_with_double_precision),
        cmocka_unit_test(faiss_s_batched_functions_agree_with_double_precision),
        cmocka_unit_test(nothing_has_the_distance_nothing),
        cmocka_unit_test(the_first_of_equals_is_the_nearest),
        cmocka_unit_test(faiss_s_names_lead_to_the_chosen_table),
        cmocka_unit_test(auto_takes_the_best_this_processor_has),
        cmocka_unit_test(a_table_is_chosen_by_its_name),
        cmocka_unit_test(an_unknown_name_changes_nothing),
    };

    return cmocka_run_group_tests_name("kernels", tests, set_up, tear_down);
}
