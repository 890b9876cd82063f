/* SPDX-License-Identifier: Apache-2.0 */
#include "index/look_part.h"

#include "index/normal.h"

#include <math.h>

/* Points that are few enough to be listed for a scan. */
enum { MOST_LISTED = 1 << 16 };

bool hl_distance_is_better(enum hl_distance distance, float a, float b)
{
    return distance == HL_EUCLID || distance == HL_MANHATTAN ? a < b : a > b;
}

/* What a shelf scored, as the wire has it. */
static float wire_score(enum hl_distance distance, float score)
{
    switch (distance) {
    case HL_EUCLID:
        return score < 0 ? sqrtf(-score) : 0;
    case HL_MANHATTAN:
        return score < 0 ? -score : 0;
    case HL_COSINE:
    case HL_DOT:
    default:
        return score;
    }
}

static enum hl_code check_query(const struct hl_find *find, struct hl_err *err)
{
    const struct hl_space *space = find->space;

    if (space->sparse && find->n > 0 && !find->indices)
        return hl_fail(err, HL_WRONG_INPUT,
                       "Wrong input: the vector \"%s\" is sparse, the query is dense",
                       space->name);
    if (!space->sparse && find->indices)
        return hl_fail(err, HL_WRONG_INPUT,
                       "Wrong input: the vector \"%s\" is dense, the query is sparse",
                       space->name);
    if (!space->sparse && find->n != space->dim)
        return hl_fail(err, HL_DIMENSION_MISMATCH,
                       "Wrong input: Vector dimension error: expected dim: %u, got %zu",
                       space->dim, find->n);
    return HL_OK;
}

static enum hl_code take_query(const struct hl_find *find, struct hl_arena *arena,
                               const float **ret_values, struct hl_err *err)
{
    float *values;

    *ret_values = find->values;
    if (find->space->distance != HL_COSINE)
        return HL_OK;
    values = hl_arena_floats(arena, 1, find->n);
    if (!values)
        return hl_arena_fail(arena, err, "a query");
    hl_normalise(find->values, find->n, values);
    *ret_values = values;
    return HL_OK;
}

static struct hl_rows *others_of(const struct hl_look *look, uint32_t space)
{
    for (size_t i = 0; i < look->n_others; i++)
        if (look->others[i].space == space)
            return look->others[i].rows;
    return NULL;
}

/* A set of the find's own, which `*rows` was or becomes. */
static enum hl_code narrow(struct hl_rows **rows, struct hl_rows **made,
                           const struct hl_rows *by, struct hl_err *err)
{
    if (!*made)
        *made = hl_rows_clone(*rows);
    if (!*made)
        return hl_fail(err, HL_NO_MEMORY, "no memory for the points of a search");
    *rows = *made;
    return hl_rows_and(*made, by, err);
}

/* The points that a find may give, NULL: all. *ret_made is what was made for it. */
static enum hl_code find_rows(const struct hl_look *look, const struct hl_find *find,
                              struct hl_rows **ret_rows, struct hl_rows **ret_made,
                              struct hl_err *err)
{
    const struct hl_look_filter *filter = &look->filters[find->which];
    enum hl_code code = HL_OK;

    *ret_made = NULL;
    *ret_rows = filter->filter ? filter->matches.sure : NULL;
    for (size_t i = 0; code == HL_OK && i < find->n_without; i++) {
        struct hl_rows *others = others_of(look, find->without[i]);

        if (!others)
            return hl_fail(err, HL_INVALID, "the look was not asked to leave out space %u",
                           find->without[i]);
        if (*ret_rows)
            code = narrow(ret_rows, ret_made, others, err);
        else
            *ret_rows = others;
    }
    return code;
}

/* The points as a search takes them. */
static enum hl_code fill_filter(struct hl_rows *rows, struct hl_arena *arena,
                                struct hl_shelf_filter *filter, struct hl_err *err)
{
    uint32_t *numbers;

    *filter = (struct hl_shelf_filter){
        .has = hl_rows_has_fn, .self = rows, .n_points = (size_t)hl_rows_count(rows)};
    if (filter->n_points > MOST_LISTED)
        return HL_OK;
    numbers = hl_arena_array(arena, filter->n_points + 1, sizeof *numbers);
    if (!numbers)
        return hl_arena_fail(arena, err, "a filter's points");
    filter->n_numbers = hl_rows_list(rows, 0, numbers, filter->n_points);
    filter->numbers = numbers;
    return HL_OK;
}

/* The shelf without its tails, in the arena. */
static enum hl_code only_sealed(const struct hl_shelf *shelf, struct hl_arena *arena,
                                struct hl_shelf *ret_shelf, struct hl_err *err)
{
    *ret_shelf = *shelf;
    ret_shelf->n_parts = 0;
    ret_shelf->parts = hl_arena_array(arena, shelf->n_parts + 1, sizeof(struct hl_part *));
    if (!ret_shelf->parts)
        return hl_arena_fail(arena, err, "the segments");
    for (size_t i = 0; i < shelf->n_parts; i++)
        if (hl_part_segment(shelf->parts[i]))
            ret_shelf->parts[ret_shelf->n_parts++] = shelf->parts[i];
    return HL_OK;
}

struct found {
    const struct hl_hit *hits;
    size_t n;
};

/* Hits in the arena, on the wire's scale, cut where they are worse than the threshold. */
static enum hl_code give(const struct hl_find *find, const struct hl_shelf_hit *found,
                         size_t n, struct hl_arena *arena, struct found *ret_found,
                         struct hl_err *err)
{
    const enum hl_distance distance = find->space->distance;
    struct hl_hit *hits = hl_arena_array(arena, n + 1, sizeof *hits);
    size_t n_hits = 0;

    if (!hits)
        return hl_arena_fail(arena, err, "what was found");
    for (size_t i = 0; i < n; i++) {
        const float score = wire_score(distance, found[i].score);

        if (find->has_threshold && hl_distance_is_better(distance, find->threshold, score))
            break;
        hits[n_hits++] = (struct hl_hit){score, found[i].number, found[i].row};
    }
    *ret_found = (struct found){hits, n_hits};
    return HL_OK;
}

static enum hl_code find_dense(struct hl_look *look, const struct hl_find *find,
                               const struct hl_shelf_search *asked, struct hl_arena *arena,
                               struct found *found, struct hl_err *err)
{
    struct hl_engine *engine = look->collection->engine;
    struct hl_searcher *searcher = hl_engine_take_searcher(engine);
    const struct hl_shelf_hit *hits = NULL;
    struct hl_shelf_tally tally = {0};
    struct hl_shelf sealed;
    struct hl_shelf_search search = *asked;
    size_t n = 0;
    enum hl_code code = HL_OK;

    if (!searcher)
        return hl_fail(err, HL_NO_MEMORY, "no memory to search");
    if (find->is_indexed_only) {
        code = only_sealed(search.shelf, arena, &sealed, err);
        search.shelf = &sealed;
    }
    search.kernels = hl_engine_kernels(engine);
    search.beam = find->beam ? find->beam : hl_engine_options(engine)->beam;
    if (code == HL_OK)
        code = take_query(find, arena, &search.query, err);
    if (code == HL_OK)
        code = hl_shelf_find(searcher, &search, &hits, &n, &tally, err);
    if (code == HL_OK)
        code = give(find, hits, n, arena, found, err);
    hl_engine_give_searcher(engine, searcher);
    return code;
}

static enum hl_code find_sparse(const struct hl_find *find,
                                const struct hl_shelf_search *search,
                                struct hl_arena *arena, struct found *found,
                                struct hl_err *err)
{
    const size_t n_rows = hl_sparse_count(find->space->sparse);
    const struct hl_sparse_search sparse = {.sparse = find->space->sparse,
                                            .indices = find->indices,
                                            .values = find->values,
                                            .n = find->n,
                                            .commit = search->commit,
                                            .k = find->k < n_rows ? find->k : n_rows,
                                            .filter = search->filter,
                                            .deadline = find->deadline};
    struct hl_shelf_hit *hits = hl_arena_array(arena, sparse.k + 1, sizeof *hits);
    size_t n = 0;
    enum hl_code code;

    if (!hits)
        return hl_arena_fail(arena, err, "what was found");
    code = hl_sparse_find(&sparse, hits, &n, err);
    return code == HL_OK ? give(find, hits, n, arena, found, err) : code;
}

enum hl_code hl_look_find(struct hl_look *look, const struct hl_find *find,
                          struct hl_arena *arena, const struct hl_hit **ret_hits,
                          size_t *ret_n, struct hl_err *err)
{
    struct hl_shelf_filter filter;
    struct hl_shelf_search search = {.shelf = &find->space->shelf,
                                     .commit = look->link.commit,
                                     .k = find->k,
                                     .is_exact = find->is_exact,
                                     .deadline = find->deadline};
    struct found found = {0};
    struct hl_rows *rows = NULL, *made = NULL;
    enum hl_code code = check_query(find, err);

    if (code == HL_OK)
        code = find_rows(look, find, &rows, &made, err);
    if (code == HL_OK && rows) {
        code = fill_filter(rows, arena, &filter, err);
        search.filter = &filter;
    }
    if (code == HL_OK)
        code = find->space->sparse ? find_sparse(find, &search, arena, &found, err)
                                   : find_dense(look, find, &search, arena, &found, err);
    hl_rows_free(made);
    if (code == HL_OK) {
        *ret_hits = found.hits;
        *ret_n = found.n;
    }
    return code;
}
