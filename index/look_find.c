/* SPDX-License-Identifier: Apache-2.0 */
#include "index/look_part.h"

#include "index/normal.h"

#include <assert.h>
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

/* As their space has them, in the arena. */
static enum hl_code take_queries(const struct hl_find *find,
                                 const struct hl_find_many *many, struct hl_arena *arena,
                                 const float **ret_queries, struct hl_err *err)
{
    const bool is_cosine = find->space->distance == HL_COSINE;
    float *values = is_cosine ? hl_arena_floats(arena, many->n, find->n) : NULL;

    if (is_cosine && !values)
        return hl_arena_fail(arena, err, "a query");
    for (size_t i = 0; i < many->n; i++) {
        ret_queries[i] = is_cosine ? values + i * find->n : many->queries[i];
        if (is_cosine)
            hl_normalise(many->queries[i], find->n, values + i * find->n);
    }
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

/* Hits in the arena, on the wire's scale, cut where they are worse than the threshold. */
static enum hl_code give(const struct hl_find *find, const struct hl_shelf_hit *found,
                         size_t n, struct hl_arena *arena, struct hl_found *ret_found,
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
    *ret_found = (struct hl_found){hits, n_hits};
    return HL_OK;
}

/* As many at once as a search takes. */
static enum hl_code find_some(struct hl_searcher *searcher, const struct hl_find *find,
                              struct hl_shelf_search *search,
                              const struct hl_find_many *some, struct hl_arena *arena,
                              struct hl_err *err)
{
    struct hl_shelf_found found[HL_SHELF_MOST_QUERIES] = {{NULL, 0}};
    const float *queries[HL_SHELF_MOST_QUERIES] = {NULL};
    const struct hl_shelf_many many = {queries, some->n, found};
    struct hl_shelf_tally tally = {0};
    enum hl_code code = take_queries(find, some, arena, queries, err);

    search->query = queries[0];
    if (code == HL_OK)
        code = some->n > 1 ? hl_shelf_find_many(searcher, search, &many, &tally, err)
                           : hl_shelf_find(searcher, search, &found[0].hits, &found[0].n,
                                           &tally, err);
    for (size_t i = 0; i < some->n && code == HL_OK; i++)
        code = give(find, found[i].hits, found[i].n, arena, &some->found[i], err);
    return code;
}

static enum hl_code find_dense(struct hl_look *look, const struct hl_find *find,
                               const struct hl_shelf_search *asked,
                               const struct hl_find_many *many, struct hl_arena *arena,
                               struct hl_err *err)
{
    struct hl_engine *engine = look->collection->engine;
    struct hl_searchers *searchers = hl_engine_searchers(engine);
    struct hl_searcher *searcher = hl_searchers_take(searchers);
    struct hl_shelf sealed;
    struct hl_shelf_search search = *asked;
    const size_t n_most = hl_shelf_takes_many(&search) ? HL_SHELF_MOST_QUERIES : 1;
    enum hl_code code = HL_OK;

    if (!searcher)
        return hl_fail(err, HL_NO_MEMORY, "no memory to search");
    if (find->is_indexed_only) {
        code = only_sealed(search.shelf, arena, &sealed, err);
        search.shelf = &sealed;
    }
    search.kernels = hl_engine_kernels(engine);
    search.beam = find->beam ? find->beam : hl_engine_options(engine)->beam;
    for (size_t at = 0; at < many->n && code == HL_OK; at += n_most) {
        const size_t n_left = many->n - at;
        const struct hl_find_many some = {
            many->queries + at, n_left < n_most ? n_left : n_most, many->found + at};

        code = find_some(searcher, find, &search, &some, arena, err);
    }
    hl_searchers_give(searchers, searcher);
    return code;
}

static enum hl_code find_sparse(const struct hl_find *find,
                                const struct hl_shelf_search *search,
                                struct hl_arena *arena, struct hl_found *found,
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

/* As the images of a model are that no point was embedded with yet: a query through
 * bridges looks into several spaces, most of which hold nothing. */
static bool is_empty(const struct hl_space *space)
{
    size_t n = space->sparse ? hl_sparse_count(space->sparse) : 0;

    for (size_t i = 0; n == 0 && i < space->shelf.n_parts; i++)
        n = hl_part_count(space->shelf.parts[i]);
    return n == 0;
}

static enum hl_code find_many(struct hl_look *look, const struct hl_find *find,
                              const struct hl_find_many *many, struct hl_arena *arena,
                              struct hl_err *err)
{
    struct hl_shelf_filter filter;
    struct hl_shelf_search search = {.shelf = &find->space->shelf,
                                     .commit = look->link.commit,
                                     .k = find->k,
                                     .is_exact = find->is_exact,
                                     .deadline = find->deadline};
    struct hl_rows *rows = NULL, *made = NULL;
    enum hl_code code = check_query(find, err);

    look->has_searched = true;
    if (code == HL_OK && is_empty(find->space)) {
        for (size_t i = 0; i < many->n; i++)
            many->found[i] = (struct hl_found){NULL, 0};
        return HL_OK;
    }
    if (code == HL_OK)
        code = find_rows(look, find, &rows, &made, err);
    if (code == HL_OK && rows) {
        code = fill_filter(rows, arena, &filter, err);
        search.filter = &filter;
    }
    if (code == HL_OK)
        code = find->space->sparse ? find_sparse(find, &search, arena, many->found, err)
                                   : find_dense(look, find, &search, many, arena, err);
    hl_rows_free(made);
    return code;
}

enum hl_code hl_look_find(struct hl_look *look, const struct hl_find *find,
                          struct hl_arena *arena, const struct hl_hit **ret_hits,
                          size_t *ret_n, struct hl_err *err)
{
    struct hl_found found = {NULL, 0};
    const struct hl_find_many one = {&find->values, 1, &found};
    const enum hl_code code = find_many(look, find, &one, arena, err);

    if (code == HL_OK) {
        *ret_hits = found.hits;
        *ret_n = found.n;
    }
    return code;
}

enum hl_code hl_look_find_many(struct hl_look *look, const struct hl_find *find,
                               const struct hl_find_many *many, struct hl_arena *arena,
                               struct hl_err *err)
{
    assert(!find->space->sparse);
    return find_many(look, find, many, arena, err);
}
