/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HL_TESTS_UNIT_SHELVING_H
#define HL_TESTS_UNIT_SHELVING_H

/* A shelf of two segments and a tail, what is found on it, and what should be. Include it
 * behind cmocka.h. */
#include "index/kernels.h"
#include "index/shelf.h"
#include "tests/support/gallery.h"
#include "tests/support/still.h"
#include "tests/unit/sealing.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define DIM      ((size_t)32)
#define PER_PART ((size_t)2000)
#define N_PARTS  ((size_t)3) /* two segments and a tail */
#define N_ROWS   (N_PARTS * PER_PART)
#define N_ASKED  ((size_t)60)
#define K        ((size_t)10)

/* Row i has the store's number i + 1. Rows of the second half are newer versions of points
 * of the first, every third of them: their elder died in commit 5. */
struct fixture {
    float *values, *queries;
    uint32_t numbers[N_ROWS];
    uint64_t died[N_ROWS];
    struct hl_part *parts[N_PARTS];
    struct hl_shelf shelf;
    struct hl_searcher *searcher;
    const struct hl_kernels *kernels;
    const struct hl_shelf_hit *hits;
    size_t n_hits;
    struct hl_shelf_tally tally;
    struct hl_allowance allowance; /* of the tail's graph */
    struct hl_err err;
};

static inline void seal_part(struct fixture *f, size_t part)
{
    const size_t first = part * PER_PART;
    const float *values[PER_PART];
    uint64_t rows[PER_PART];
    struct hl_segment_content content = {.n_rows = PER_PART,
                                         .dim = DIM,
                                         .values = values,
                                         .rows = rows,
                                         .numbers = f->numbers + first,
                                         .metric = HL_METRIC_L2,
                                         .n_links = 12,
                                         .ef_construction = 80};

    hl_gallery_point_at(f->values + first * DIM, PER_PART, DIM, values);
    for (size_t i = 0; i < PER_PART; i++)
        rows[i] = first + i + 1;
    f->parts[part] = seal_content(&content, NULL);
}

static inline void fill_tail(struct fixture *f, size_t part)
{
    const struct hl_tail_options options = {HL_METRIC_L2, DIM, PER_PART};
    struct hl_tail *tail;

    assert_int_equal(hl_tail_new(&options, &tail, &f->err), HL_OK);
    for (size_t i = part * PER_PART; i < (part + 1) * PER_PART; i++) {
        const struct hl_tail_row row = {i + 1, f->numbers[i], 5, f->values + i * DIM};

        assert_int_equal(hl_tail_append(tail, &row, &f->err), HL_OK);
    }
    assert_int_equal(hl_part_of_tail(tail, &f->parts[part], &f->err), HL_OK);
}

static inline void name_points(struct fixture *f)
{
    for (uint32_t i = 0; i < N_ROWS; i++) {
        f->numbers[i] = i;
        f->died[i] = HL_COMMIT_NEVER;
    }
    for (uint32_t i = N_ROWS - PER_PART; i < N_ROWS; i += 3) {
        f->numbers[i] = i - 2 * PER_PART;
        f->died[i - 2 * PER_PART] = 5;
    }
}

static inline int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    struct hl_gallery *gallery = hl_gallery_new(DIM, 21);

    *state = f;
    if (!f || !gallery)
        return -1;
    f->values = hl_gallery_rows(gallery, 0, N_ROWS);
    f->queries = hl_gallery_rows(gallery, N_ROWS, N_ASKED);
    hl_gallery_free(gallery);
    f->searcher = hl_searcher_new();
    if (!f->values || !f->queries || !f->searcher ||
        hl_kernels_find("auto", &f->kernels, &f->err) != HL_OK)
        return -1;
    name_points(f);
    seal_part(f, 0);
    seal_part(f, 1);
    fill_tail(f, 2);
    for (size_t i = 0; i < N_ROWS; i++)
        if (f->died[i] != HL_COMMIT_NEVER &&
            !hl_part_kill(f->parts[i / PER_PART], i + 1, f->died[i]))
            return -1;
    f->shelf = (struct hl_shelf){HL_METRIC_L2, DIM, N_PARTS, f->parts};
    return 0;
}

static inline int tear_down(void **state)
{
    struct fixture *f = *state;

    for (size_t i = 0; i < N_PARTS; i++)
        hl_part_unref(f->parts[i]);
    assert_int_equal(f->allowance.taken, 0);
    hl_searcher_free(f->searcher);
    free(f->values);
    free(f->queries);
    free(f);
    return 0;
}

static inline struct hl_shelf_search search_of(const struct fixture *f, size_t query)
{
    return (struct hl_shelf_search){.shelf = &f->shelf,
                                    .query = f->queries + query * DIM,
                                    .commit = 5,
                                    .k = K,
                                    .beam = 100,
                                    .kernels = f->kernels,
                                    .deadline = &never};
}

static inline void find(struct fixture *f, const struct hl_shelf_search *search)
{
    assert_int_equal(
        hl_shelf_find(f->searcher, search, &f->hits, &f->n_hits, &f->tally, &f->err),
        HL_OK);
}

static inline bool is_seen(const struct fixture *f, const struct hl_shelf_search *search,
                           size_t row)
{
    const uint64_t born = row / PER_PART == N_PARTS - 1 ? 5 : 1;

    return born <= search->commit && search->commit < f->died[row] &&
           (!search->filter || search->filter->has(search->filter->self, f->numbers[row]));
}

static inline double distance(const struct fixture *f, const float *query, size_t row)
{
    double sum = 0;

    for (size_t i = 0; i < DIM; i++) {
        const double gap = (double)query[i] - (double)f->values[row * DIM + i];

        sum += gap * gap;
    }
    return sum;
}

/* How many of the hits are among the true k best, counted from the rows themselves. */
static inline size_t count_right(const struct fixture *f,
                                 const struct hl_shelf_search *search)
{
    size_t n_right = 0;

    for (size_t hit = 0; hit < f->n_hits; hit++) {
        const size_t row = f->hits[hit].row - 1;
        const double reach = distance(f, search->query, row);
        size_t n_nearer = 0;

        assert_int_equal(f->numbers[row], f->hits[hit].number);
        assert_true(is_seen(f, search, row));
        assert_float_equal(f->hits[hit].score, (float)-reach, 1e-5F);
        assert_true(hit == 0 || f->hits[hit - 1].score >= f->hits[hit].score);
        for (size_t other = 0; other < N_ROWS; other++)
            n_nearer +=
                is_seen(f, search, other) && distance(f, search->query, other) < reach;
        n_right += n_nearer < search->k;
    }
    return n_right;
}

static inline double recall(struct fixture *f, struct hl_shelf_search search,
                            size_t n_wanted)
{
    size_t n_right = 0;

    for (size_t query = 0; query < N_ASKED; query++) {
        search.query = f->queries + query * DIM;
        find(f, &search);
        assert_int_equal(f->n_hits, n_wanted);
        n_right += count_right(f, &search);
    }
    return (double)n_right / (double)(N_ASKED * n_wanted);
}

static inline bool one_in(void *self, uint32_t number)
{
    return number % *(uint32_t *)self == 0;
}

#endif
