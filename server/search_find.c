/* SPDX-License-Identifier: Apache-2.0 */
#include "server/search_part.h"

#include <stdlib.h>

struct found {
    struct hl_hit *hits;
    size_t n;
};

static enum hl_code copy_hits(struct hl_arena *arena, const struct hl_hits *hits,
                              float scale, struct found *ret_found, struct hl_err *err)
{
    struct hl_hit *copy = hl_arena_array(arena, hits->n ? hits->n : 1, sizeof *copy);

    if (!copy)
        return hl_arena_fail(arena, err, "%zu hits", hits->n);
    for (size_t i = 0; i < hits->n; i++) {
        copy[i] = hits->items[i];
        copy[i].score *= scale;
    }
    *ret_found = (struct found){copy, hits->n};
    return HL_OK;
}

/* Without a query every point is as good as the next, and Qdrant says 1. */
static enum hl_code find_all(struct hl_search *search, const struct hl_aim *aim, size_t k,
                             struct hl_arena *arena, struct found *ret_found,
                             struct hl_err *err)
{
    uint32_t limit = k < UINT32_MAX ? (uint32_t)k : UINT32_MAX;
    const uint32_t *numbers = NULL;
    struct hl_hit *hits;
    size_t n = 0;
    const struct hl_look_page page = {
        .which = aim->which, .limit = limit, .deadline = search->deadline};
    enum hl_code code = hl_look_scroll(search->look, &page, arena, &numbers, &n, err);

    if (code != HL_OK)
        return code;
    hits = hl_arena_array(arena, n ? n : 1, sizeof *hits);
    if (!hits)
        return hl_arena_fail(arena, err, "%zu points", n);
    for (size_t i = 0; i < n; i++)
        hits[i] = (struct hl_hit){.score = 1, .number = numbers[i]};
    *ret_found = (struct found){hits, n};
    return HL_OK;
}

static enum hl_code find_near(struct hl_search *search, const struct hl_aim *aim, size_t k,
                              struct hl_arena *arena, struct found *ret_found,
                              struct hl_err *err)
{
    const struct hl_query *query = aim->query;
    const struct hl_find find = {.space = aim->space,
                                 .values = aim->vector.values,
                                 .indices = aim->vector.indices,
                                 .n = aim->vector.n,
                                 .k = k,
                                 .beam = query->params.hnsw_ef,
                                 .is_exact = query->params.exact,
                                 .is_indexed_only = query->params.indexed_only,
                                 .which = aim->which,
                                 .deadline = search->deadline};
    struct hl_hits hits = {0};
    enum hl_code code = HL_OK;

    if (find.n > 0) /* nothing is near a sparse vector without values */
        code = hl_look_find(search->look, &find, arena, &hits.items, &hits.n, err);
    return code == HL_OK ? copy_hits(arena, &hits, aim->scale, ret_found, err) : code;
}

static enum hl_code find_ranked(struct hl_search *search, const struct hl_aim *aim,
                                size_t k, struct hl_arena *arena, struct found *ret_found,
                                struct hl_err *err)
{
    struct hl_hits hits = {0};
    enum hl_code code = hl_rank_find(search, aim, k, arena, &hits, err);

    return code == HL_OK ? copy_hits(arena, &hits, 1, ret_found, err) : code;
}

/* ---- what of it counts ---- */

static int compare_ids(const void *a, const void *b)
{
    return hl_id_compare(a, b);
}

static bool is_excluded(const struct hl_search *search, const struct hl_aim *aim,
                        uint32_t number)
{
    struct hl_id id;

    if (aim->n_excluded == 0)
        return false;
    id = hl_look_id(search->look, number);
    return bsearch(&id, aim->excluded, aim->n_excluded, sizeof id, compare_ids) != NULL;
}

/* Scores for several examples are no distances, whatever the space measures. */
static bool is_worse(const struct hl_aim *aim, float score)
{
    if (aim->kind == HL_AIM_ALL || !aim->query->has_threshold)
        return false;
    if (aim->kind == HL_AIM_RANK)
        return score < aim->query->threshold;
    return hl_distance_is_better(aim->space->distance, aim->query->threshold, score);
}

enum hl_code hl_aim_find(struct hl_search *search, const struct hl_aim *aim, size_t k,
                         struct hl_arena *arena, struct hl_hits *ret_hits,
                         struct hl_err *err)
{
    struct found found = {0};
    size_t n = 0, wanted = k + aim->n_excluded;
    enum hl_code code;

    if (aim->kind == HL_AIM_ALL)
        code = find_all(search, aim, wanted, arena, &found, err);
    else if (aim->kind == HL_AIM_VECTOR)
        code = find_near(search, aim, wanted, arena, &found, err);
    else
        code = find_ranked(search, aim, wanted, arena, &found, err);
    if (code != HL_OK)
        return code;
    for (size_t i = 0; i < found.n && n < k; i++)
        if (!is_excluded(search, aim, found.hits[i].number) &&
            !is_worse(aim, found.hits[i].score))
            found.hits[n++] = found.hits[i];
    *ret_hits = (struct hl_hits){found.hits, n};
    return HL_OK;
}
