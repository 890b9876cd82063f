/* SPDX-License-Identifier: Apache-2.0 */
#include "server/search_part.h"

#include <stdlib.h>

/* Without a query every point is as good as the next, and Qdrant says 1. */
static enum hl_code find_all(struct hl_search *search, const struct hl_aim *aim, size_t k,
                             struct hl_arena *arena, struct hl_hits *ret_hits,
                             struct hl_err *err)
{
    uint32_t limit = k < UINT32_MAX ? (uint32_t)k : UINT32_MAX;
    const uint32_t *numbers = NULL;
    struct hl_pick *picks;
    size_t n = 0;
    const struct hl_look_page page = {
        .which = aim->which, .limit = limit, .deadline = search->deadline};
    enum hl_code code = hl_look_scroll(search->look, &page, arena, &numbers, &n, err);

    if (code != HL_OK)
        return code;
    picks = hl_arena_array(arena, n ? n : 1, sizeof *picks);
    if (!picks)
        return hl_arena_fail(arena, err, "%zu points", n);
    for (size_t i = 0; i < n; i++)
        picks[i] = (struct hl_pick){.score = 1, .number = numbers[i], .raw = 1};
    *ret_hits = (struct hl_hits){picks, n};
    return HL_OK;
}

/* ---- one leg ---- */

struct hl_find hl_leg_find(const struct hl_leg_search *work, size_t shelf,
                           const struct hl_vector *vector)
{
    const struct hl_leg *plan = work->leg->plan;

    return (struct hl_find){.space = work->leg->shelves[shelf],
                            .values = vector->values,
                            .indices = vector->indices,
                            .n = vector->n,
                            .k = work->k,
                            .beam = work->aim->query->params.hnsw_ef,
                            .is_exact = work->aim->query->params.exact,
                            .is_indexed_only = work->aim->query->params.indexed_only,
                            .which = work->aim->which,
                            .without = plan ? plan->without : NULL,
                            .n_without = plan ? plan->n_without : 0,
                            .deadline = work->search->deadline};
}

static enum hl_code find_on(const struct hl_leg_search *work, size_t shelf,
                            struct hl_hits *ret_hits, struct hl_err *err)
{
    const struct hl_aim_leg *leg = work->leg;
    const struct hl_find find = hl_leg_find(work, shelf, &leg->vector);
    const struct hl_found *ready = hl_search_ready(work->search, leg, shelf);
    const struct hl_hit *hits = ready ? ready->hits : NULL;
    struct hl_pick *picks;
    size_t n = ready ? ready->n : 0;
    enum hl_code code = HL_OK;

    if (!ready && find.n > 0) /* nothing is near a sparse vector without values */
        code = hl_look_find(work->search->look, &find, work->arena, &hits, &n, err);
    if (n > find.k)
        n = find.k;
    if (code != HL_OK)
        return code;
    picks = hl_arena_array(work->arena, n ? n : 1, sizeof *picks);
    if (!picks)
        return hl_arena_fail(work->arena, err, "%zu hits", n);
    for (size_t i = 0; i < n; i++) {
        const float raw = hits[i].score * leg->scale;

        picks[i] =
            (struct hl_pick){.score = hl_score_shown(&leg->maps[shelf], raw, leg->terms),
                             .number = hits[i].number,
                             .raw = raw,
                             .leg = (uint16_t)(leg - work->aim->legs),
                             .shelf = (uint16_t)shelf};
    }
    *ret_hits = (struct hl_hits){picks, n};
    return HL_OK;
}

/* What a query through a bridge scores own rows and images with was measured apart: shelves
 * merge by what is shown. */
static enum hl_code find_near(const struct hl_leg_search *work, struct hl_hits *ret_hits,
                              struct hl_err *err)
{
    const struct hl_aim_leg *leg = work->leg;
    struct hl_hits *lists =
        hl_arena_array(work->arena, leg->n_shelves ? leg->n_shelves : 1, sizeof *lists);
    struct hl_hits hits = {0};
    enum hl_code code = HL_OK;

    if (!lists)
        return hl_arena_fail(work->arena, err, "%zu shelves", leg->n_shelves);
    for (size_t i = 0; i < leg->n_shelves && code == HL_OK; i++)
        code = find_on(work, i, &lists[i], err);
    if (code == HL_OK)
        code = hl_hits_merge(lists, leg->n_shelves, leg->maps[0].shown, work->arena, &hits,
                             err);
    if (code != HL_OK)
        return code;
    *ret_hits = hits;
    return HL_OK;
}

static enum hl_code find_leg(const struct hl_leg_search *work, struct hl_hits *ret_hits,
                             struct hl_err *err)
{
    if (work->leg->kind == HL_AIM_VECTOR)
        return find_near(work, ret_hits, err);
    return hl_rank_find(work, ret_hits, err);
}

static enum hl_code find_legs(struct hl_search *search, const struct hl_aim *aim, size_t k,
                              struct hl_arena *arena, struct hl_hits *ret_hits,
                              struct hl_err *err)
{
    struct hl_hits *lists = hl_arena_array(arena, aim->n_legs, sizeof *lists);
    enum hl_code code = HL_OK;

    if (!lists)
        return hl_arena_fail(arena, err, "%zu searches", aim->n_legs);
    for (size_t i = 0; i < aim->n_legs && code == HL_OK; i++) {
        const struct hl_leg_search work = {search, aim, &aim->legs[i], k, arena};

        code = find_leg(&work, &lists[i], err);
    }
    return code == HL_OK
               ? hl_hits_merge(lists, aim->n_legs, aim->order, arena, ret_hits, err)
               : code;
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

/* The threshold is on the scale that is shown. Looking it up on each shelf's own would cut
 * the same hits: nobody searches less for it. */
static bool is_worse(const struct hl_aim *aim, float score)
{
    return aim->n_legs > 0 && aim->query->has_threshold &&
           hl_distance_is_better(aim->order, aim->query->threshold, score);
}

enum hl_code hl_aim_find(struct hl_search *search, const struct hl_aim *aim, size_t k,
                         struct hl_arena *arena, struct hl_hits *ret_hits,
                         struct hl_err *err)
{
    struct hl_hits found = {0};
    size_t n = 0, wanted = k + aim->n_excluded;
    enum hl_code code = aim->n_legs > 0 ? find_legs(search, aim, wanted, arena, &found, err)
                                        : find_all(search, aim, wanted, arena, &found, err);

    if (code != HL_OK)
        return code;
    for (size_t i = 0; i < found.n && n < k; i++)
        if (!is_excluded(search, aim, found.items[i].number) &&
            !is_worse(aim, found.items[i].score))
            found.items[n++] = found.items[i];
    *ret_hits = (struct hl_hits){found.items, n};
    return HL_OK;
}
