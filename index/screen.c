/* SPDX-License-Identifier: Apache-2.0 */
#include "index/screen.h"

#include "proto/alloc.h"
#include "proto/random.h"

#include <float.h>
#include <math.h>
#include <stdatomic.h>
#include <string.h>

/* A short form with its header is one line of the cache, of long rows two; the last byte is
 * for the error of bytes. */
enum { SHORT_DIM = 47, LONG_DIM = 111, LONG_FROM = 512, LEAST_DIM = 128 };

/* Directions are found in one piece, and neither a seal nor the engine's end is to wait for
 * seconds: of long rows fewer are looked at, and of very long ones none. */
enum { MOST_DIM = 2048, MOST_SAMPLED = 512 << 10, LEAST_SAMPLES = 512 };
enum { N_SAMPLES = 2048, N_TURNS = 5, LARGEST_BYTE = 127, ALIGNMENT = 64 };

/* Less of the squared length than this in the directions, and too few rows are ruled out.
 */
static const double least_share = 0.6;

struct hl_screen {
    size_t dim, n_rows; /* of the rows; how many there are */
    size_t short_dim;   /* directions */
    double rounding;    /* what products along directions are off by, of both lengths */
    bool is_useless;
    atomic_size_t n_ready;
    float *directions; /* short_dim rows of dim */
    float *along;      /* of one row; for who extends */
    unsigned char *sketches;
};

static size_t short_dim_of(size_t dim)
{
    return dim < LONG_FROM ? SHORT_DIM : LONG_DIM;
}

bool hl_screen_is_worth(const struct hl_screen_rows *rows)
{
    return rows->dim >= LEAST_DIM && rows->dim <= MOST_DIM && rows->n_rows >= N_SAMPLES;
}

static size_t count_samples(const struct hl_screen_rows *rows)
{
    size_t n = MOST_SAMPLED / rows->dim;

    n = n > LEAST_SAMPLES ? n : LEAST_SAMPLES;
    n = n < N_SAMPLES ? n : N_SAMPLES;
    return n < rows->n_rows ? n : rows->n_rows;
}

/* ---- the directions ---- */

/* What finding them takes: some rows, the same transposed, and their products. */
struct draft {
    const struct hl_screen_rows *rows;
    size_t n, n_directions;
    float *samples, *columns, *products, *directions;
};

static void free_draft(struct draft *draft)
{
    hl_free(draft->samples);
    hl_free(draft->columns);
    hl_free(draft->products);
}

static bool allocate(struct draft *draft)
{
    const size_t dim = draft->rows->dim;

    draft->samples = hl_alloc_zeroed(draft->n * dim, sizeof(float));
    draft->columns = hl_alloc_zeroed(draft->n * dim, sizeof(float));
    draft->products = hl_alloc_zeroed(draft->n, sizeof(float));
    return draft->samples && draft->columns && draft->products;
}

/* Rows of a length that floats cannot measure count as zeros: they stay in any case. */
static void take_samples(struct draft *draft)
{
    const struct hl_screen_rows *rows = draft->rows;

    for (size_t i = 0; i < draft->n; i++) {
        const float *row = rows->values + i * (rows->n_rows / draft->n) * rows->dim;
        const float norm = rows->kernels->norm(row, rows->dim);

        if (!isfinite(norm) || !hl_sketch_is_usual(sqrt((double)norm)))
            continue;
        memcpy(draft->samples + i * rows->dim, row, rows->dim * sizeof *row);
        for (size_t at = 0; at < rows->dim; at++)
            draft->columns[at * draft->n + i] = row[at];
    }
}

static double product_of(const float *x, const float *y, size_t n)
{
    double sums[4] = {0};

    for (size_t i = 0; i < n; i++)
        sums[i % 4] += (double)x[i] * (double)y[i];
    return (sums[0] + sums[1]) + (sums[2] + sums[3]);
}

/* Takes out of a direction what those before it have, twice, and makes its length 1. One
 * that has nothing of its own is noise by then, which the second time tells: it becomes 0.
 */
static void make_own(float *directions, size_t which, size_t dim)
{
    float *own = directions + which * dim;
    double before = 0, norm = product_of(own, own, dim);

    for (int turn = 0; turn < 2; turn++) {
        before = norm;
        for (size_t other = 0; other < which; other++) {
            const float *its = directions + other * dim;
            const double share = product_of(own, its, dim);

            for (size_t i = 0; i < dim; i++)
                own[i] = (float)((double)own[i] - share * (double)its[i]);
        }
        norm = product_of(own, own, dim);
    }
    for (size_t i = 0; i < dim; i++)
        own[i] =
            norm > before / 2 && norm > 1e-30 ? (float)((double)own[i] / sqrt(norm)) : 0;
}

/* By how much the directions are not quite of length 1 and across each other: more than
 * what any product along them is off by, in parts of the lengths. */
static double skew_of(const float *directions, size_t n, size_t dim)
{
    double worst = 0;

    for (size_t one = 0; one < n; one++)
        for (size_t other = 0; other <= one; other++) {
            const double product =
                product_of(directions + one * dim, directions + other * dim, dim);
            const bool is_own = one == other && product > 0;

            worst = fmax(worst, fabs(product - (is_own ? 1 : 0)));
        }
    return worst * (double)n;
}

/* Directions turned by the rows become those in which the rows are longest. They are made
 * small before, so that products of long rows do not overflow. */
static void turn(struct draft *draft)
{
    const struct hl_kernels *kernels = draft->rows->kernels;
    const size_t dim = draft->rows->dim;

    for (size_t which = 0; which < draft->n_directions; which++) {
        float *own = draft->directions + which * dim;
        float largest = 0;

        kernels->dot_ny(draft->products, own, draft->samples, dim, draft->n);
        for (size_t i = 0; i < draft->n; i++)
            largest = fmaxf(largest, fabsf(draft->products[i]));
        for (size_t i = 0; i < draft->n && largest > 0; i++)
            draft->products[i] /= largest;
        kernels->dot_ny(own, draft->products, draft->columns, draft->n, dim);
    }
    for (size_t which = 0; which < draft->n_directions; which++)
        make_own(draft->directions, which, dim);
}

/* How much of the samples' squared length is along the directions. */
static double share_of(struct draft *draft)
{
    const struct hl_kernels *kernels = draft->rows->kernels;
    double along = 0, all = DBL_MIN;

    for (size_t which = 0; which < draft->n_directions; which++) {
        kernels->dot_ny(draft->products, draft->directions + which * draft->rows->dim,
                        draft->samples, draft->rows->dim, draft->n);
        along += (double)kernels->norm(draft->products, draft->n);
    }
    for (size_t i = 0; i < draft->n; i++)
        all +=
            (double)kernels->norm(draft->samples + i * draft->rows->dim, draft->rows->dim);
    return along / all;
}

static bool find_directions(struct hl_screen *screen, const struct hl_screen_rows *rows)
{
    struct draft draft = {.rows = rows,
                          .n = count_samples(rows),
                          .n_directions = screen->short_dim,
                          .directions = screen->directions};
    struct hl_random random = {1};
    const bool has_room = allocate(&draft);

    if (has_room) {
        take_samples(&draft);
        for (size_t i = 0; i < screen->short_dim * rows->dim; i++)
            screen->directions[i] =
                (float)(hl_random_next(&random) >> 40) * 0x1p-24F - 0.5F;
        for (int i = 0; i < N_TURNS; i++)
            turn(&draft);
        screen->is_useless = !(share_of(&draft) >= least_share);
        screen->rounding += 4 * skew_of(screen->directions, screen->short_dim, rows->dim);
    }
    free_draft(&draft);
    return has_room;
}

struct hl_screen *hl_screen_new(const struct hl_screen_rows *rows)
{
    struct hl_screen *screen = hl_alloc_zeroed(1, sizeof *screen);
    const size_t n = short_dim_of(rows->dim);

    if (!screen)
        return NULL;
    screen->dim = rows->dim;
    screen->n_rows = rows->n_rows;
    screen->short_dim = n;
    /* Each product with a direction is a sum of dim products: four times what that can come
     * to. */
    screen->rounding = 4 * sqrt((double)n) * (double)(rows->dim + 64) * 0x1p-23;
    screen->directions = hl_alloc_zeroed(n * rows->dim, sizeof(float));
    screen->along = hl_alloc_zeroed(n, sizeof(float));
    if (!screen->directions || !screen->along || !find_directions(screen, rows)) {
        hl_screen_free(screen);
        return NULL;
    }
    if (screen->is_useless)
        return screen;
    screen->sketches = hl_alloc_aligned(ALIGNMENT, rows->n_rows * hl_sketch_stride(n));
    if (screen->sketches)
        return screen;
    hl_screen_free(screen);
    return NULL;
}

void hl_screen_free(struct hl_screen *screen)
{
    if (!screen)
        return;
    hl_free(screen->directions);
    hl_free(screen->along);
    hl_free(screen->sketches);
    hl_free(screen);
}

/* ---- rows and queries along them ---- */

/* The length of what is beside the directions, or more. */
static double beside(const struct hl_screen *screen, double square, const float *along)
{
    const double left = square - product_of(along, along, screen->short_dim);

    return sqrt((left > 0 ? left : 0) + screen->rounding * square) * (1 + 1e-6);
}

/* In the form that tiles read. Their sum does not have the last byte, and their norm is
 * that of the row; of Euclid with what tiles take away from it. */
static void shorten(struct hl_screen *screen, const struct hl_screen_rows *rows, size_t row)
{
    const float *values = rows->values + row * rows->dim;
    const size_t stride = hl_sketch_stride(screen->short_dim);
    struct hl_sketch *sketch =
        (struct hl_sketch *)(void *)(screen->sketches + row * stride);
    const double square = product_of(values, values, rows->dim);
    double left;

    if (!hl_sketch_is_usual(sqrt(square))) {
        memset(sketch, 0, stride);
        return;
    }
    rows->kernels->dot_ny(screen->along, values, screen->directions, rows->dim,
                          screen->short_dim);
    hl_sketch_write(screen->along, screen->short_dim, sketch);
    sketch->bytes[screen->short_dim] = LARGEST_BYTE;
    left = beside(screen, square, screen->along);
    sketch->residual = fmaxf((float)left, FLT_MIN);
    sketch->norm = (float)(rows->metric == HL_METRIC_DOT ? square : square + left * left);
}

void hl_screen_extend(struct hl_screen *screen, const struct hl_screen_rows *rows,
                      size_t n_more)
{
    const size_t n_ready = atomic_load(&screen->n_ready);
    const size_t n_left = screen->n_rows - n_ready;
    const size_t n = n_more < n_left ? n_more : n_left;

    if (screen->is_useless)
        return;
    for (size_t i = 0; i < n; i++)
        shorten(screen, rows, n_ready + i);
    atomic_store(&screen->n_ready, n_ready + n);
}

size_t hl_screen_bytes(const struct hl_screen *screen)
{
    const size_t directions = screen->short_dim * screen->dim * sizeof(float);

    return directions +
           (screen->is_useless ? 0 : screen->n_rows * hl_sketch_stride(screen->short_dim));
}

size_t hl_screen_most_bytes(const struct hl_screen_rows *rows)
{
    const size_t n = short_dim_of(rows->dim);

    return n * rows->dim * sizeof(float) + rows->n_rows * hl_sketch_stride(n);
}

size_t hl_screen_count(const struct hl_screen *screen)
{
    return atomic_load(&screen->n_ready);
}

const unsigned char *hl_screen_sketches(const struct hl_screen *screen)
{
    return screen->sketches;
}

size_t hl_screen_dim(const struct hl_screen *screen)
{
    return screen->short_dim;
}

/* The last byte: what the bytes of any row can be off by, half a step each, times the
 * query's, in steps of both. */
static uint8_t error_byte(const struct hl_sketch_query *query, size_t n)
{
    int32_t square = 0;

    for (size_t i = 0; i < n; i++)
        square += (query->bytes[i] - 128) * (query->bytes[i] - 128);
    return (uint8_t)ceil((sqrt((double)square) * sqrt((double)n) * 0.5 * (1 + 1e-4)) /
                         LARGEST_BYTE);
}

void hl_screen_put(const struct hl_screen *screen, const struct hl_sketch_query *query,
                   const struct hl_screen_room *room, struct hl_tile *tile, size_t which,
                   struct hl_sketch_query *ret_short)
{
    const size_t n = screen->short_dim;
    const double square = product_of(query->values, query->values, query->dim);
    struct hl_tile_bounds bounds = {.length = sqrt(square), .rounding = screen->rounding};

    query->kernels->dot_ny(room->values, query->values, screen->directions, query->dim, n);
    hl_sketch_query_init(ret_short, query->kernels, query->metric, room->values, n,
                         room->bytes);
    if (hl_sketch_is_usual(bounds.length)) {
        double ignored;

        bounds.beside = beside(screen, square, room->values);
        hl_sketch_query_lengths(ret_short, &bounds.residual, &ignored);
        room->bytes[n] = error_byte(ret_short, n);
    }
    hl_tile_put_short(tile, which, ret_short, &bounds);
}
