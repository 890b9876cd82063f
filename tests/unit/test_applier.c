/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "compat/applier.h"
#include "proto/alloc.h"
#include "proto/fail.h"
#include "proto/random.h"

#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const kernels[] = {"portable", "auto"};

static float chance(struct hl_random *random)
{
    return (float)hl_random_below(random, 20001) / 10000 - 1;
}

static struct hl_map *make_map(size_t dim_in, size_t dim_out, size_t n_hidden,
                               struct hl_random *random)
{
    struct hl_map *map = NULL;
    struct hl_err err;
    size_t n = dim_in * dim_out + dim_out + n_hidden * (dim_in + 1 + dim_out);

    if (hl_map_new(dim_in, dim_out, n_hidden, &map, &err) != HL_OK || !map)
        abort();
    for (size_t i = 0; i < n; i++)
        map->p[i] = chance(random); /* all of them lie in one block */
    map->slope = .1F;
    return map;
}

struct shape {
    size_t dim_in, dim_out, n_hidden;
    bool has_judged;
};

static struct hl_bridge *make_bridge(const struct shape *shape, uint64_t seed)
{
    struct hl_random random = {seed};
    struct hl_bridge *bridge = NULL;
    struct hl_err err;
    struct hl_bridge_way *way;

    if (hl_bridge_new("v2", "v1", &bridge, &err) != HL_OK || !bridge)
        abort();
    way = &bridge->ways[HL_MODALITY_IMAGE];
    bridge->dim_from = shape->dim_in;
    bridge->dim_to = shape->dim_out;
    bridge->fidelity = .3F;
    way->faithful = make_map(shape->dim_in, shape->dim_out, shape->n_hidden / 2, &random);
    if (shape->has_judged)
        way->judged = make_map(shape->dim_in, shape->dim_out, shape->n_hidden, &random);
    return bridge;
}

static struct hl_applier *make_applier(const struct hl_applier_plan *plan)
{
    struct hl_applier *applier = NULL;
    struct hl_err err;

    if (hl_applier_new(plan, &applier, &err) != HL_OK || !applier)
        abort();
    return applier;
}

static void make_query(float *query, size_t dim, uint64_t seed)
{
    struct hl_random random = {seed};
    float sum = 0;

    for (size_t i = 0; i < dim; i++) {
        query[i] = chance(&random) + .01F;
        sum += query[i] * query[i];
    }
    for (size_t i = 0; i < dim; i++)
        query[i] /= sqrtf(sum);
}

static double distance_of(const float *a, const float *b, size_t dim)
{
    double sum = 0;

    for (size_t i = 0; i < dim; i++)
        sum += ((double)a[i] - (double)b[i]) * ((double)a[i] - (double)b[i]);
    return sqrt(sum);
}

/* What many queries go through, one query of it. */
static void map_by_blas(const struct hl_bridge *bridge, float fidelity, const float *query,
                        float *out)
{
    float *room = hl_alloc_zeroed(hl_bridge_room(bridge, 1), sizeof *room);

    if (!room)
        abort();
    hl_bridge_queries(hl_bridge_way(bridge, HL_MODALITY_IMAGE), fidelity, query, 1, room,
                      out);
    hl_free(room);
}

/* `room` and `out` end where they must, so that a sanitizer sees what reaches beyond. */
static void assert_applies(const struct hl_applier *applier, float fidelity,
                           const float *query, const float *wanted, double tolerance)
{
    size_t dim = hl_applier_dim_out(applier);
    float *room = hl_alloc(hl_applier_room(applier) * sizeof *room);
    float *out = hl_alloc(dim * sizeof *out);

    if (!room || !out)
        abort();
    hl_applier_query(applier, fidelity, query, room, out);
    assert_true(distance_of(out, wanted, dim) <= tolerance);
    hl_free(room);
    hl_free(out);
}

static const float fidelities[] = {0, .1F, .5F, .9F, 1};

static void check_shape(const struct shape *shape)
{
    struct hl_bridge *bridge = make_bridge(shape, shape->dim_in * 100 + shape->dim_out);
    float query[257], wanted[256];

    make_query(query + 1, shape->dim_in, shape->dim_out);
    for (size_t i = 0; i < sizeof kernels / sizeof *kernels; i++) {
        struct hl_applier_plan plan = {.bridge = bridge, .kernels = kernels[i]};
        struct hl_applier *exact = make_applier(&plan), *rounded;

        plan.is_bfloat = true;
        rounded = make_applier(&plan);
        for (size_t at = 0; at < sizeof fidelities / sizeof *fidelities; at++) {
            map_by_blas(bridge, fidelities[at], query + 1, wanted);
            assert_applies(exact, fidelities[at], query + 1, wanted, 2e-5);
            assert_applies(rounded, fidelities[at], query + 1, wanted,
                           shape->dim_out < 4 ? .2 : .05);
        }
        hl_applier_free(exact);
        hl_applier_free(rounded);
    }
    hl_bridge_free(bridge);
}

static void a_query_goes_where_many_would_go(void **state)
{
    (void)state;
    for (size_t dim = 2; dim <= 70; dim++) {
        check_shape(&(struct shape){dim, 72 - dim, 0, true});
        check_shape(&(struct shape){dim, dim, dim % 40, dim % 3 > 0});
    }
    check_shape(&(struct shape){200, 256, 33, true});
    check_shape(&(struct shape){256, 129, 64, false});
}

static void a_query_of_zeros_stays_one_whatever_the_bias(void **state)
{
    struct hl_bridge *first = make_bridge(&(struct shape){40, 70, 10, true}, 5);
    struct hl_bridge *then = make_bridge(&(struct shape){70, 33, 90, true}, 6);
    struct hl_applier *alone = make_applier(&(struct hl_applier_plan){.bridge = first});
    struct hl_applier *chain =
        make_applier(&(struct hl_applier_plan){.bridge = first, .then = then});
    static const float zeros[70];

    (void)state;
    assert_applies(alone, .5F, zeros, zeros, 0);
    assert_applies(chain, 1, zeros, zeros, 0);
    hl_applier_free(alone);
    hl_applier_free(chain);
    hl_bridge_free(first);
    hl_bridge_free(then);
}

static void a_bridge_without_its_own_dial_takes_its_own_fidelity(void **state)
{
    struct hl_bridge *bridge = make_bridge(&(struct shape){20, 30, 0, true}, 3);
    struct hl_applier *applier = make_applier(&(struct hl_applier_plan){.bridge = bridge});
    float query[20], wanted[30];

    (void)state;
    make_query(query, 20, 4);
    map_by_blas(bridge, .3F, query, wanted);
    assert_applies(applier, -1, query, wanted, 1e-6);
    map_by_blas(bridge, .5F, query, wanted);
    assert_applies(applier, .5F, query, wanted, 1e-6);
    hl_applier_free(applier);
    hl_bridge_free(bridge);
}

static void a_chain_is_one_bridge_after_the_other(void **state)
{
    struct hl_bridge *first = make_bridge(&(struct shape){40, 70, 10, true}, 5);
    struct hl_bridge *then = make_bridge(&(struct shape){70, 33, 90, true}, 6);
    struct hl_applier *applier =
        make_applier(&(struct hl_applier_plan){.bridge = first, .then = then});
    float query[40], between[70], wanted[33];

    (void)state;
    then->fidelity = .8F; /* too late: the applier has its own copy */
    make_query(query, 40, 4);
    assert_int_equal(hl_applier_dim_in(applier), 40);
    assert_int_equal(hl_applier_dim_out(applier), 33);
    for (size_t at = 0; at < sizeof fidelities / sizeof *fidelities; at++) {
        map_by_blas(first, fidelities[at], query, between);
        map_by_blas(then, fidelities[at], between, wanted);
        assert_applies(applier, fidelities[at], query, wanted, 1e-5);
    }
    map_by_blas(first, .3F, query, between);
    map_by_blas(then, .3F, between, wanted);
    assert_applies(applier, -1, query, wanted, 1e-5);
    hl_applier_free(applier);
    hl_bridge_free(first);
    hl_bridge_free(then);
}

static void the_bridge_may_go_once_it_is_served(void **state)
{
    struct hl_bridge *bridge = make_bridge(&(struct shape){9, 9, 9, true}, 7);
    struct hl_applier *applier = make_applier(&(struct hl_applier_plan){.bridge = bridge});
    float query[9], wanted[9];

    (void)state;
    make_query(query, 9, 8);
    map_by_blas(bridge, .5F, query, wanted);
    hl_bridge_free(bridge);
    assert_applies(applier, .5F, query, wanted, 1e-6);
    hl_applier_free(applier);
}

static void text_goes_its_own_way(void **state)
{
    struct hl_bridge *bridge = make_bridge(&(struct shape){9, 12, 0, false}, 7);
    struct hl_random random = {9};
    struct hl_applier *applier;
    float query[9], wanted[12];

    (void)state;
    bridge->ways[HL_MODALITY_TEXT].faithful = make_map(9, 12, 0, &random);
    applier = make_applier(
        &(struct hl_applier_plan){.bridge = bridge, .modality = HL_MODALITY_TEXT});
    make_query(query, 9, 8);
    hl_map_rows(bridge->ways[HL_MODALITY_TEXT].faithful, query, 1, NULL, wanted);
    assert_applies(applier, 0, query, wanted, 1e-6);
    hl_applier_free(applier);
    hl_bridge_free(bridge);
}

static void bfloats_take_half_the_memory(void **state)
{
    struct hl_bridge *bridge = make_bridge(&(struct shape){64, 96, 0, true}, 7);
    struct hl_applier_plan plan = {.bridge = bridge, .kernels = "portable"};
    struct hl_applier *exact = make_applier(&plan), *rounded;

    (void)state;
    plan.is_bfloat = true;
    rounded = make_applier(&plan);
    assert_int_equal(hl_applier_bytes(exact), 2 * 64 * 96 * 4);
    assert_int_equal(hl_applier_bytes(rounded), 2 * 64 * 96 * 2);
    assert_string_equal(hl_applier_kernels(exact), "portable");
    hl_applier_free(exact);
    hl_applier_free(rounded);
    hl_bridge_free(bridge);
}

static void assert_refused(const struct hl_applier_plan *plan, const char *sentence)
{
    struct hl_applier *applier = NULL;
    struct hl_err err;

    assert_int_equal(hl_applier_new(plan, &applier, &err), HL_INVALID);
    assert_string_equal(err.msg, sentence);
    assert_null(applier);
}

static void what_cannot_be_served_is_refused(void **state)
{
    struct hl_bridge *bridge = make_bridge(&(struct shape){9, 12, 0, true}, 7);
    struct hl_bridge *then = make_bridge(&(struct shape){11, 12, 0, true}, 7);
    struct hl_bridge *empty = NULL;
    struct hl_err err;

    (void)state;
    assert_int_equal(hl_bridge_new("v3", "v2", &empty, &err), HL_OK);
    assert_refused(
        &(struct hl_applier_plan){.bridge = bridge, .then = then},
        "the bridge to \"v1\" leads to 12 dimensions, the one from \"v2\" starts "
        "from 11");
    assert_refused(&(struct hl_applier_plan){.bridge = empty},
                   "the bridge from \"v3\" to \"v2\" has no map");
    assert_refused(&(struct hl_applier_plan){.bridge = bridge, .then = empty},
                   "the bridge from \"v3\" to \"v2\" has no map");
    assert_refused(&(struct hl_applier_plan){.bridge = bridge, .kernels = "abacus"},
                   "kernels \"abacus\" are unknown, wanted auto, avx512, avx2 or portable");
    hl_bridge_free(bridge);
    hl_bridge_free(then);
    hl_bridge_free(empty);
}

static void without_memory_nothing_is_served(void **state)
{
    struct hl_bridge *bridge = make_bridge(&(struct shape){9, 12, 4, true}, 7);
    struct hl_bridge *then = make_bridge(&(struct shape){12, 5, 6, true}, 7);
    const struct hl_applier_plan plan = {.bridge = bridge, .then = then};
    enum hl_code code = HL_NO_MEMORY;

    (void)state;
    for (unsigned nth = 1; code != HL_OK; nth++) {
        struct hl_applier *applier = NULL;
        char rule[40];
        struct hl_err err;

        snprintf(rule, sizeof rule, "alloc=%u:fail", nth);
        assert_int_equal(hl_failpoint_arm(rule, &err), HL_OK);
        code = hl_applier_new(&plan, &applier, &err);
        hl_failpoint_disarm();
        if (code != HL_OK) {
            assert_int_equal(code, HL_NO_MEMORY);
            assert_string_equal(err.msg,
                                "no memory to serve the bridge from \"v2\" to \"v1\"");
        }
        assert_int_equal(code == HL_OK, nth == 1 + 4 * 5 + 1);
        hl_applier_free(applier);
    }
    hl_bridge_free(bridge);
    hl_bridge_free(then);
}

/* ---- both vectors ---- */

static void assert_leans(float old_weight, float x, float y)
{
    float mapped[] = {1, 0};

    hl_applier_lean(mapped, (const float[]){0, 1}, 2, old_weight);
    assert_true(distance_of(mapped, (const float[]){x, y}, 2) < 1e-6);
}

static void the_old_vector_draws_along_the_circle(void **state)
{
    (void)state;
    assert_leans(0, 1, 0);
    assert_leans(.5F, sqrtf(.5F), sqrtf(.5F));
    assert_leans(1.F / 3, sqrtf(3) / 2, .5F);
    assert_leans(1, 0, 1);
}

static void an_old_vector_like_the_mapped_one_changes_nothing(void **state)
{
    float mapped[] = {.6F, .8F};

    (void)state;
    hl_applier_lean(mapped, (const float[]){.6F, .8F}, 2, .3F);
    assert_true(distance_of(mapped, (const float[]){.6F, .8F}, 2) < 1e-6);
}

static void an_old_vector_right_opposite_gives_numbers(void **state)
{
    float mapped[] = {.6F, .8F};

    (void)state;
    hl_applier_lean(mapped, (const float[]){-.6F, -.8F}, 2, .3F);
    assert_true(distance_of(mapped, (const float[]){.6F, .8F}, 2) < 1e-6);
}

/* ---- sharing ---- */

enum { N_THREADS = 4, N_TURNS = 200 };

struct sharing {
    const struct hl_applier *applier;
    float first[30];
    size_t n_alike;
};

/* To the last bit. */
static bool is_alike(const float out[30], const float first[30])
{
    uint32_t a[30], b[30];

    memcpy(a, out, sizeof a);
    memcpy(b, first, sizeof b);
    return memcmp(a, b, sizeof a) == 0;
}

static void *map_often(void *context)
{
    struct sharing *sharing = context;
    float query[20], out[30], room[1000];

    make_query(query, 20, 4);
    for (size_t i = 0; i < N_TURNS; i++) {
        hl_applier_query(sharing->applier, .5F, query, room, i == 0 ? sharing->first : out);
        sharing->n_alike += i == 0 || is_alike(out, sharing->first);
    }
    return NULL;
}

static void many_threads_share_an_applier_and_get_the_same_bits(void **state)
{
    struct hl_bridge *bridge = make_bridge(&(struct shape){20, 30, 12, true}, 3);
    struct hl_applier *applier = make_applier(&(struct hl_applier_plan){.bridge = bridge});
    struct sharing sharing[N_THREADS] = {0};
    pthread_t threads[N_THREADS];

    (void)state;
    assert_true(hl_applier_room(applier) <= 1000);
    for (size_t i = 0; i < N_THREADS; i++) {
        sharing[i].applier = applier;
        assert_int_equal(pthread_create(&threads[i], NULL, map_often, &sharing[i]), 0);
    }
    for (size_t i = 0; i < N_THREADS; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
        assert_int_equal(sharing[i].n_alike, N_TURNS);
        assert_memory_equal(sharing[i].first, sharing[0].first, sizeof sharing[0].first);
    }
    hl_applier_free(applier);
    hl_bridge_free(bridge);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_query_goes_where_many_would_go),
        cmocka_unit_test(a_query_of_zeros_stays_one_whatever_the_bias),
        cmocka_unit_test(a_bridge_without_its_own_dial_takes_its_own_fidelity),
        cmocka_unit_test(a_chain_is_one_bridge_after_the_other),
        cmocka_unit_test(the_bridge_may_go_once_it_is_served),
        cmocka_unit_test(text_goes_its_own_way),
        cmocka_unit_test(bfloats_take_half_the_memory),
        cmocka_unit_test(what_cannot_be_served_is_refused),
        cmocka_unit_test(without_memory_nothing_is_served),
        cmocka_unit_test(the_old_vector_draws_along_the_circle),
        cmocka_unit_test(an_old_vector_like_the_mapped_one_changes_nothing),
        cmocka_unit_test(an_old_vector_right_opposite_gives_numbers),
        cmocka_unit_test(many_threads_share_an_applier_and_get_the_same_bits),
    };

    return cmocka_run_group_tests_name("applier", tests, NULL, NULL);
}
