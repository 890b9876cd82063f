/* SPDX-License-Identifier: Apache-2.0 */
#include "server/refresh_part.h"

#include "compat/cover.h"
#include "compat/worth.h"
#include "index/normal.h"

#include <stdlib.h>

/* What an order may cost, whatever the gallery: multiplications of seconds, and points that
 * are kept in memory. */
#define MOST_WORK   ((size_t)1 << 36)
#define MOST_POINTS ((size_t)1 << 20)

/* Points that were embedded already and are looked at, and points weighed at once. */
enum { MOST_TAKEN = 1024, BLOCK = 256 };

/* Draws for different ends are different. */
enum { SEED_CONSIDERED = 1, SEED_SAMPLE = 2, SEED_TAKEN = 3 };

/* ---- reading ---- */

/* The row that a point has in the space: its own, or its image's; 0: none. */
static uint64_t find_row(const struct hl_refreshing *refreshing,
                         const struct hl_store_point *point)
{
    const struct hl_layout *layout = hl_look_layout(refreshing->look);
    uint64_t row = 0;

    for (size_t i = 0; i < point->n_places; i++) {
        const struct hl_space *space = hl_layout_space(layout, point->places[i].space);

        if (!space)
            continue;
        if (space == refreshing->space)
            return point->places[i].row;
        if (space->image.into == refreshing->space->id && space->image.is_served)
            row = point->places[i].row;
    }
    return row;
}

/* The vectors of points as rows. One that is not in the space after all is left out: `*n`
 * and the picks close up. */
static enum hl_code read_rows(const struct hl_refreshing *refreshing, struct hl_pick *picks,
                              size_t *n, float *rows, struct hl_err *err)
{
    const size_t dim = refreshing->space->dim;
    struct hl_reader *reader = NULL;
    size_t kept = 0;
    enum hl_code code = hl_look_reader(refreshing->look, &reader, err);

    if (code == HL_OK)
        code = hl_reader_renew(reader, err);
    for (size_t i = 0; code == HL_OK && i < *n; i++) {
        struct hl_store_vector vector;
        struct hl_store_point point;
        uint64_t row = 0;

        if (i > 0 && i % BLOCK == 0)
            code = hl_reader_renew(reader, err);
        if (code == HL_OK)
            code = hl_deadline_check(refreshing->task->deadline, "reading vectors", err);
        if (code == HL_OK)
            code = hl_reader_get(reader, picks[i].number, &point, err);
        if (code == HL_OK)
            row = find_row(refreshing, &point);
        if (code == HL_OK && row > 0)
            code = hl_reader_vector(reader, row, &vector, err);
        if (code != HL_OK || row == 0)
            continue;
        hl_normalise(vector.values, dim, rows + kept * dim);
        picks[kept++] = picks[i];
    }
    *n = kept;
    return code;
}

/* Points by chance, and their rows. */
struct drawn {
    struct hl_picks picks;
    float *rows;
};

/* As many as there is room for. */
static enum hl_code draw_rows(const struct hl_refreshing *refreshing,
                              const struct hl_rows *from, size_t room, uint64_t purpose,
                              struct drawn *drawn, struct hl_err *err)
{
    struct hl_arena *arena = refreshing->task->arena;
    const uint64_t seed = refreshing->task->wanted->seed ^ purpose * 0x9e3779b97f4a7c15u;
    struct hl_picks *picks = &drawn->picks;
    enum hl_code code = hl_picks_init(picks, room, arena, err);

    if (code == HL_OK)
        code = hl_refreshing_draw(refreshing, from, seed, picks, err);
    if (code != HL_OK)
        return code;
    drawn->rows = hl_arena_floats(arena, picks->n + 1, refreshing->space->dim);
    if (!drawn->rows)
        return hl_arena_fail(arena, err, "the vectors of %zu points", picks->n);
    return read_rows(refreshing, picks->all, &picks->n, drawn->rows, err);
}

/* ---- by worth ---- */

static int compare_numbers(const void *a, const void *b)
{
    const struct hl_pick *x = a, *y = b;

    return x->number < y->number ? -1 : x->number > y->number;
}

/* Worths are from -1 to 1, the highest first; what differs by less is the same. */
static uint64_t key_of(float worth)
{
    const double turned = (1 - (double)worth) * 0x1p30;

    return turned > 0 ? (uint64_t)turned : 0;
}

static enum hl_code weigh(struct hl_refreshing *refreshing, const struct hl_worth *worth,
                          struct hl_picks *considered, struct hl_picks *best,
                          struct hl_err *err)
{
    struct hl_arena *arena = refreshing->task->arena;
    float *rows = hl_arena_floats(arena, BLOCK, refreshing->space->dim);
    float worths[BLOCK];
    enum hl_code code = HL_OK;

    if (!rows)
        return hl_arena_fail(arena, err, "the vectors of %d points", BLOCK);
    /* The order of the file: neighbours in it are read together. */
    qsort(considered->all, considered->n, sizeof *considered->all, compare_numbers);
    for (size_t first = 0; code == HL_OK && first < considered->n; first += BLOCK) {
        size_t n = considered->n - first < BLOCK ? considered->n - first : BLOCK;
        struct hl_pick *picks = considered->all + first;

        code = read_rows(refreshing, picks, &n, rows, err);
        if (code == HL_OK && n > 0)
            code = hl_worth_of(worth, rows, n, worths, err);
        for (size_t i = 0; code == HL_OK && i < n; i++) {
            picks[i].key = key_of(worths[i]);
            hl_picks_add(best, &picks[i]);
        }
        refreshing->answer.n_considered += n;
    }
    return code;
}

static enum hl_code order_by_worth(struct hl_refreshing *refreshing,
                                   const struct hl_rows *candidates, size_t limit,
                                   struct hl_err *err)
{
    struct hl_arena *arena = refreshing->task->arena;
    const uint64_t n = hl_rows_count(candidates);
    size_t most = MOST_WORK / HL_WORTH_SAMPLE / refreshing->space->dim;
    struct hl_picks considered, best;
    struct drawn sample;
    struct hl_worth *worth = NULL;
    enum hl_code code = draw_rows(refreshing, refreshing->reached, HL_WORTH_SAMPLE,
                                  SEED_SAMPLE, &sample, err);

    if (code != HL_OK || sample.picks.n == 0)
        return code;
    most = most < MOST_POINTS ? most : MOST_POINTS;
    most = most < n ? most : n;
    code = hl_picks_init(&best, limit < most ? limit : most, arena, err);
    if (code == HL_OK)
        code = hl_picks_init(&considered, most, arena, err);
    if (code == HL_OK)
        code = hl_refreshing_draw(refreshing, candidates,
                                  refreshing->task->wanted->seed ^ SEED_CONSIDERED,
                                  &considered, err);
    if (code == HL_OK)
        code =
            hl_worth_new(sample.rows, sample.picks.n, refreshing->space->dim, &worth, err);
    if (code == HL_OK)
        code = weigh(refreshing, worth, &considered, &best, err);
    hl_worth_free(worth);
    if (code != HL_OK)
        return code;
    hl_picks_sort(&best);
    refreshing->chosen = best.all;
    refreshing->n = best.n;
    return HL_OK;
}

/* ---- by cover ---- */

static enum hl_code cover(struct hl_refreshing *refreshing, const struct hl_cover *how,
                          const struct hl_pick *picks, struct hl_err *err)
{
    struct hl_arena *arena = refreshing->task->arena;
    const size_t n = how->n_wanted;
    uint32_t *order = hl_arena_array(arena, n + 1, sizeof *order);
    struct hl_pick *chosen = hl_arena_array(arena, n + 1, sizeof *chosen);
    enum hl_code code;

    if (!order || !chosen)
        return hl_arena_fail(arena, err, "an order of %zu points", n);
    code = hl_cover_order(how, order, err);
    if (code != HL_OK)
        return code;
    for (size_t i = 0; i < n; i++)
        chosen[i] = picks[order[i]];
    refreshing->chosen = chosen;
    refreshing->n = n;
    refreshing->answer.n_considered = how->n;
    return HL_OK;
}

static enum hl_code order_by_cover(struct hl_refreshing *refreshing,
                                   const struct hl_rows *candidates, size_t limit,
                                   struct hl_err *err)
{
    const uint64_t n = hl_rows_count(candidates);
    struct hl_rows *seen = hl_rows_clone(refreshing->reached);
    struct drawn drawn, taken;
    enum hl_code code = seen ? hl_rows_andnot(seen, refreshing->missing, err)
                             : hl_fail(err, HL_NO_MEMORY, "no memory for a set of points");

    if (code == HL_OK)
        code = draw_rows(refreshing, seen, MOST_TAKEN, SEED_TAKEN, &taken, err);
    hl_rows_free(seen);
    if (code == HL_OK)
        code =
            draw_rows(refreshing, candidates, n < HL_COVER_MOST ? (size_t)n : HL_COVER_MOST,
                      SEED_CONSIDERED, &drawn, err);
    if (code != HL_OK || drawn.picks.n == 0)
        return code;
    return cover(
        refreshing,
        &(struct hl_cover){.rows = drawn.rows,
                           .n = drawn.picks.n,
                           .dim = refreshing->space->dim,
                           .taken = taken.rows,
                           .n_taken = taken.picks.n,
                           .n_wanted = limit < drawn.picks.n ? limit : drawn.picks.n,
                           .deadline = refreshing->task->deadline},
        drawn.picks.all, err);
}

enum hl_code hl_refreshing_order(struct hl_refreshing *refreshing, size_t limit,
                                 struct hl_err *err)
{
    struct hl_rows *candidates = hl_rows_clone(refreshing->missing);
    enum hl_code code = candidates
                            ? hl_rows_and(candidates, refreshing->reached, err)
                            : hl_fail(err, HL_NO_MEMORY, "no memory for a set of points");

    if (code == HL_OK)
        code = refreshing->answer.order == HL_REFRESH_COVERAGE
                   ? order_by_cover(refreshing, candidates, limit, err)
                   : order_by_worth(refreshing, candidates, limit, err);
    hl_rows_free(candidates);
    return code;
}
