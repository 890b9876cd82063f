/* SPDX-License-Identifier: Apache-2.0 */

/* One query through the matrix of a map: our packed products against cblas_sgemv, warm, and
 * after 8 MB of other data went through the caches, as a search between two queries does.
 * Rounds of all of them in turn, the median of their ratios; then the whole of an applier
 * beside it (both maps, residuals, lengths).
 *
 *     bench_maps
 *
 * Exit 1 when a packed product is not 1.3 times as fast as cblas_sgemv, or bfloats of 768
 * dimensions not twice; 1.2 times for floats of 768, which both of them only wait for. */

#include "compat/applier.h"
#include "compat/compat.h"
#include "compat/gemv.h"
#include "proto/alloc.h"
#include "proto/random.h"
#include "tests/bench/median.h"

#include <cblas.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

enum { N_ROUNDS = 7, N_WARM = 2000, N_COLD = 200, N_OTHER = 8 << 20 };

static void *must_have(void *memory)
{
    if (!memory)
        _exit(2);
    return memory;
}

static void must(enum hl_code code, const struct hl_err *err)
{
    if (code == HL_OK)
        return;
    (void)fprintf(stderr, "bench_maps: %s\n", err->msg);
    _exit(2);
}

static double now_us(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec * 1e6 + (double)now.tv_nsec * 1e-3;
}

struct bench {
    struct hl_bridge *bridge;
    size_t dim_in, dim_out;
    const float *rows; /* of the faithful map */
    float *x, *y, *bias, *packed, *room;
    uint16_t *bfloats;
    unsigned char *other;
    const struct hl_gemv *gemv;
    struct hl_applier *applier;
    float fidelity;
};

static void by_blas(const struct bench *b)
{
    cblas_scopy((blasint)b->dim_out, b->bias, 1, b->y, 1);
    cblas_sgemv(CblasRowMajor, CblasNoTrans, (blasint)b->dim_out, (blasint)b->dim_in, 1,
                b->rows, (blasint)b->dim_in, b->x, 1, 1, b->y, 1);
}

static void by_floats(const struct bench *b)
{
    cblas_scopy((blasint)b->dim_out, b->bias, 1, b->y, 1);
    b->gemv->floats(b->packed, hl_gemv_rows(b->dim_out), b->dim_in, b->x, b->y);
}

static void by_bfloats(const struct bench *b)
{
    cblas_scopy((blasint)b->dim_out, b->bias, 1, b->y, 1);
    b->gemv->bfloats(b->bfloats, hl_gemv_rows(b->dim_out), b->dim_in, b->x, b->y);
}

static void by_applier(const struct bench *b)
{
    hl_applier_query(b->applier, b->fidelity, b->x, b->room, b->y);
}

typedef void way_fn(const struct bench *b);

static double time_warm(const struct bench *b, way_fn *way)
{
    double start;

    for (size_t i = 0; i < N_WARM / 10; i++)
        way(b);
    start = now_us();
    for (size_t i = 0; i < N_WARM; i++)
        way(b);
    return (now_us() - start) / N_WARM;
}

/* A read and a write of each line. */
static void disturb(const struct bench *b)
{
    for (size_t i = 0; i < N_OTHER; i += 64)
        b->other[i]++;
}

static double time_cold(const struct bench *b, way_fn *way)
{
    double sum = 0;

    for (size_t i = 0; i < N_COLD; i++) {
        double start;

        disturb(b);
        start = now_us();
        way(b);
        sum += now_us() - start;
    }
    return sum / N_COLD;
}

/* What `ours` takes, and how many times as long cblas_sgemv does in the same round. */
static double race(const struct bench *b, const char *name, way_fn *ours,
                   double (*time)(const struct bench *, way_fn *))
{
    double blas[N_ROUNDS], own[N_ROUNDS], ratios[N_ROUNDS], ratio;

    for (size_t round = 0; round < N_ROUNDS; round++) {
        blas[round] = time(b, by_blas);
        own[round] = time(b, ours);
        ratios[round] = blas[round] / own[round];
    }
    ratio = hl_median(ratios, N_ROUNDS);
    printf("%zu > %zu  %-24s %s  cblas_sgemv %6.2f us  ours %6.2f us  ratio %.2f (%.2f to "
           "%.2f)\n",
           b->dim_in, b->dim_out, name, time == time_warm ? "warm" : "cold",
           hl_median(blas, N_ROUNDS), hl_median(own, N_ROUNDS), ratio, ratios[0],
           ratios[N_ROUNDS - 1]);
    (void)fflush(stdout);
    return ratio;
}

static struct hl_map *make_map(size_t dim_in, size_t dim_out, size_t n_hidden,
                               struct hl_random *random)
{
    struct hl_map *map = NULL;
    struct hl_err err;

    must(hl_map_new(dim_in, dim_out, n_hidden, &map, &err), &err);
    for (size_t i = 0; i < dim_in * dim_out + dim_out + n_hidden * (dim_in + 1 + dim_out);
         i++)
        map->p[i] = (float)hl_random_normal(random) / sqrtf((float)dim_in);
    return map;
}

static void set_up(struct bench *b, size_t n_hidden)
{
    struct hl_random random = {1};
    size_t n = hl_gemv_rows(b->dim_out) * b->dim_in;
    struct hl_bridge_way *ways;
    struct hl_err err;

    must(hl_bridge_new("v2", "v1", &b->bridge, &err), &err);
    ways = &b->bridge->ways[HL_MODALITY_IMAGE];
    ways->faithful = make_map(b->dim_in, b->dim_out, n_hidden, &random);
    ways->judged = make_map(b->dim_in, b->dim_out, n_hidden, &random);
    b->rows = ways->faithful->p;
    b->bias = must_have(hl_alloc_zeroed(b->dim_out, sizeof(float)));
    b->x = must_have(hl_alloc_zeroed(b->dim_in, sizeof(float)));
    b->y = must_have(hl_alloc_zeroed(hl_gemv_rows(b->dim_out), sizeof(float)));
    for (size_t i = 0; i < b->dim_in; i++)
        b->x[i] = (float)hl_random_normal(&random) / sqrtf((float)b->dim_in);
    b->packed = must_have(hl_alloc_aligned(HL_GEMV_ALIGNMENT, n * sizeof(float)));
    b->bfloats = must_have(hl_alloc_aligned(HL_GEMV_ALIGNMENT, n * sizeof(uint16_t)));
    hl_gemv_pack_floats(b->rows, b->dim_out, b->dim_in, b->packed);
    hl_gemv_pack_bfloats(b->rows, b->dim_out, b->dim_in, b->bfloats);
}

static void tear_down(struct bench *b)
{
    hl_bridge_free(b->bridge);
    hl_free(b->bias);
    hl_free(b->x);
    hl_free(b->y);
    hl_free(b->packed);
    hl_free(b->bfloats);
}

static void race_appliers(struct bench *b, const char *name, float fidelity, bool is_bfloat)
{
    const struct hl_applier_plan plan = {.bridge = b->bridge, .is_bfloat = is_bfloat};
    struct hl_err err;

    must(hl_applier_new(&plan, &b->applier, &err), &err);
    b->room = must_have(hl_alloc_zeroed(hl_applier_room(b->applier), sizeof(float)));
    b->fidelity = fidelity;
    (void)race(b, name, by_applier, time_warm);
    (void)race(b, name, by_applier, time_cold);
    hl_applier_free(b->applier);
    hl_free(b->room);
}

/* The tables that were not the best. */
static void race_others(struct bench *b)
{
    static const char *const names[][2] = {{"avx2", "avx2, bfloats"},
                                           {"portable", "portable, bfloats"}};
    struct hl_err err;

    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (hl_gemv_find(names[i][0], &b->gemv, &err) != HL_OK)
            continue;
        (void)race(b, names[i][0], by_floats, time_warm);
        (void)race(b, names[i][0], by_floats, time_cold);
        (void)race(b, names[i][1], by_bfloats, time_warm);
        (void)race(b, names[i][1], by_bfloats, time_cold);
    }
}

/* Whether the ratios are what they have to be. */
static bool bench(size_t dim_in, size_t dim_out)
{
    struct bench b = {.dim_in = dim_in, .dim_out = dim_out};
    const bool is_large = dim_in >= 768;
    const double floats = is_large ? 1.2 : 1.3, bfloats = is_large ? 2 : 1.3;
    struct hl_err err;
    bool is_good = true;

    b.other = must_have(hl_alloc_zeroed(N_OTHER, 1));
    set_up(&b, 0);
    must(hl_gemv_find("auto", &b.gemv, &err), &err);
    printf("best kernels: %s\n", b.gemv->name);
    is_good = race(&b, "best", by_floats, time_warm) >= floats && is_good;
    is_good = race(&b, "best", by_floats, time_cold) >= floats && is_good;
    is_good = race(&b, "best, bfloats", by_bfloats, time_warm) >= bfloats && is_good;
    is_good = race(&b, "best, bfloats", by_bfloats, time_cold) >= bfloats && is_good;
    race_others(&b);
    race_appliers(&b, "applier, one map", 1, false);
    race_appliers(&b, "applier, both", .5F, false);
    race_appliers(&b, "applier, both, bfloats", .5F, true);
    tear_down(&b);
    set_up(&b, 128);
    race_appliers(&b, "applier, residual 128", 1, false);
    tear_down(&b);
    hl_free(b.other);
    return is_good;
}

int main(void)
{
    bool is_good;

    hl_compat_hold_to_one_thread();
    printf("%s, kernels for %s\n", hl_compat_blas(), hl_compat_blas_core());
    is_good = bench(512, 256);
    is_good = bench(768, 512) && is_good;
    is_good = bench(768, 768) && is_good;
    return is_good ? 0 : 1;
}
