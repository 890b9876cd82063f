/* SPDX-License-Identifier: Apache-2.0 */
#include "server/search_part.h"

#include <math.h>
#include <stdlib.h>

/* The strategies that no single vector stands for are answered by looking at every point
 * once for each example: a search near any one of them need not meet the points that are
 * best for all of them.
 *
 * What is gathered after one example lives in a scratch arena together with the hits that
 * led to it, and goes when the next one is there. */

struct scored {
    uint32_t number;
    float score; /* greater is nearer */
    uint16_t shelf;
};

struct scores {
    struct scored *items; /* by number */
    size_t n;
};

struct ranks {
    struct hl_arena *arena; /* its own */
    struct hl_rank *items;  /* by number */
    size_t n;
};

static float better_of(float a, float b)
{
    return a > b ? a : b;
}

/* x/(1+|x|), moved into 0..1. */
static float squeeze(float x)
{
    return 0.5f * (x / (1 + fabsf(x)) + 1);
}

float hl_rank_score(const struct hl_rank *rank, const struct hl_aim_leg *leg,
                    enum hl_strategy strategy)
{
    float positive = rank->n_positive > 0 ? rank->best_positive : -INFINITY;
    float negative = rank->n_negative > 0 ? rank->best_negative : -INFINITY;

    if (strategy == HL_STRATEGY_SUM)
        return rank->sum;
    if (rank->n_positive < leg->n_positive)
        positive = better_of(positive, 0);
    if (rank->n_negative < leg->n_negative)
        negative = better_of(negative, 0);
    return positive > negative ? squeeze(positive) : -squeeze(negative);
}

/* ---- one example after the other ---- */

static void add_score(struct hl_rank *rank, float score, bool is_positive)
{
    uint32_t *n = is_positive ? &rank->n_positive : &rank->n_negative;
    float *best = is_positive ? &rank->best_positive : &rank->best_negative;

    *best = *n > 0 ? better_of(*best, score) : score;
    *n += 1;
    rank->sum += is_positive ? score : -score;
}

/* Distances are shown as such; here, as in Qdrant, what is nearer must be greater, and of
 * Euclid it is the square that counts. */
static float nearness(enum hl_distance distance, float score)
{
    if (distance == HL_EUCLID)
        return -(score * score);
    return distance == HL_MANHATTAN ? -score : score;
}

static int compare_scored(const void *a, const void *b)
{
    const struct scored *one = a, *other = b;

    return (one->number > other->number) - (one->number < other->number);
}

struct found { /* on one shelf */
    const struct hl_hit *hits;
    size_t n;
};

static enum hl_code find_on(const struct hl_leg_search *work,
                            const struct hl_vector *example, size_t shelf,
                            struct hl_arena *scratch, struct found *ret_found,
                            struct hl_err *err)
{
    struct hl_look *look = work->search->look;
    struct hl_find find = hl_leg_find(work, shelf, example);

    find.k = (size_t)hl_look_count(look, work->aim->which);
    find.is_exact = true;
    *ret_found = (struct found){0};
    return find.k > 0 && find.n > 0
               ? hl_look_find(look, &find, scratch, &ret_found->hits, &ret_found->n, err)
               : HL_OK;
}

static enum hl_code take_scores(const struct hl_aim_leg *leg, const struct found *found,
                                struct hl_arena *scratch, struct scores *ret_scores,
                                struct hl_err *err)
{
    struct scored *scored;
    size_t n = 0;

    for (size_t i = 0; i < leg->n_shelves; i++)
        n += found[i].n;
    scored = hl_arena_array(scratch, n ? n : 1, sizeof *scored);
    if (!scored)
        return hl_arena_fail(scratch, err, "the scores of %zu points", n);
    n = 0;
    for (size_t i = 0; i < leg->n_shelves; i++) {
        for (size_t j = 0; j < found[i].n; j++) {
            const struct hl_hit *hit = &found[i].hits[j];
            const float shown = hl_score_shown(&leg->maps[i], hit->score, 1);

            scored[n++] = (struct scored){hit->number, nearness(leg->maps[i].shown, shown),
                                          (uint16_t)i};
        }
    }
    if (n > 0)
        qsort(scored, n, sizeof *scored, compare_scored);
    *ret_scores = (struct scores){scored, n};
    return HL_OK;
}

static enum hl_code score_all(const struct hl_leg_search *work,
                              const struct hl_vector *example, struct hl_arena *scratch,
                              struct scores *ret_scores, struct hl_err *err)
{
    const struct hl_aim_leg *leg = work->leg;
    struct found *found = hl_arena_array(scratch, leg->n_shelves + 1, sizeof *found);
    enum hl_code code = HL_OK;

    if (!found)
        return hl_arena_fail(scratch, err, "%zu shelves", leg->n_shelves);
    for (size_t i = 0; i < leg->n_shelves && code == HL_OK; i++)
        code = find_on(work, example, i, scratch, &found[i], err);
    return code == HL_OK ? take_scores(leg, found, scratch, ret_scores, err) : code;
}

/* What one example says about every point joins what the others said. */
static enum hl_code join(const struct ranks *ranks, const struct scores *scores,
                         bool is_positive, struct ranks *ret_sum, struct hl_err *err)
{
    struct ranks sum = {.arena = ret_sum->arena};
    size_t old = 0, i = 0;

    sum.items = hl_arena_array(sum.arena, ranks->n + scores->n + 1, sizeof *sum.items);
    if (!sum.items)
        return hl_arena_fail(sum.arena, err, "the scores of %zu points",
                             ranks->n + scores->n);
    while (old < ranks->n || i < scores->n) {
        struct hl_rank *rank = &sum.items[sum.n++];
        bool is_old = old < ranks->n && (i == scores->n || ranks->items[old].number <=
                                                               scores->items[i].number);

        *rank = is_old ? ranks->items[old++]
                       : (struct hl_rank){.number = scores->items[i].number,
                                          .shelf = scores->items[i].shelf};
        if (i < scores->n && scores->items[i].number == rank->number)
            add_score(rank, scores->items[i++].score, is_positive);
    }
    *ret_sum = sum;
    return HL_OK;
}

static enum hl_code add_example(const struct hl_leg_search *work, size_t which,
                                struct ranks *ranks, struct hl_err *err)
{
    const struct hl_aim_leg *leg = work->leg;
    bool is_positive = which < leg->n_positive;
    const struct hl_vector *example =
        is_positive ? &leg->positive[which] : &leg->negative[which - leg->n_positive];
    struct ranks sum = {.arena = hl_arena_new(work->search->scratch_bytes)};
    struct scores scores = {0};
    enum hl_code code;

    if (!sum.arena)
        return hl_fail(err, HL_NO_MEMORY, "no memory for the scores of points");
    code = score_all(work, example, sum.arena, &scores, err);
    if (code == HL_OK)
        code = join(ranks, &scores, is_positive, &sum, err);
    if (code != HL_OK) {
        hl_arena_free(sum.arena);
        return code;
    }
    hl_arena_free(ranks->arena);
    *ranks = sum;
    return HL_OK;
}

/* ---- the best of them ---- */

static int compare_picks(const void *a, const void *b)
{
    const struct hl_pick *one = a, *other = b;

    if (one->score > other->score || one->score < other->score)
        return one->score > other->score ? -1 : 1;
    return (one->number > other->number) - (one->number < other->number);
}

static enum hl_code take_best(const struct hl_leg_search *work, const struct ranks *ranks,
                              const struct hl_hits *room, struct hl_err *err)
{
    const struct hl_aim_leg *leg = work->leg;
    const enum hl_strategy strategy = work->aim->query->strategy;
    struct hl_pick *all = hl_arena_array(ranks->arena, ranks->n + 1, sizeof *all);

    if (!all)
        return hl_arena_fail(ranks->arena, err, "%zu hits", ranks->n);
    for (size_t i = 0; i < ranks->n; i++) {
        const float score = hl_rank_score(&ranks->items[i], leg, strategy);

        all[i] = (struct hl_pick){.score = score,
                                  .number = ranks->items[i].number,
                                  .raw = leg->maps[0].is_affine ? NAN : score,
                                  .leg = (uint16_t)(leg - work->aim->legs),
                                  .shelf = ranks->items[i].shelf};
    }
    if (ranks->n > 0)
        qsort(all, ranks->n, sizeof *all, compare_picks);
    for (size_t i = 0; i < room->n; i++)
        room->items[i] = all[i];
    return HL_OK;
}

enum hl_code hl_rank_find(const struct hl_leg_search *work, struct hl_hits *ret_hits,
                          struct hl_err *err)
{
    const size_t n_examples = work->leg->n_positive + work->leg->n_negative;
    struct ranks ranks = {0};
    struct hl_hits hits;
    enum hl_code code = HL_OK;

    for (size_t i = 0; i < n_examples && code == HL_OK; i++)
        code = add_example(work, i, &ranks, err);
    hits.n = work->k < ranks.n ? work->k : ranks.n;
    hits.items = hl_arena_array(work->arena, hits.n ? hits.n : 1, sizeof *hits.items);
    if (code == HL_OK)
        code = hits.items ? take_best(work, &ranks, &hits, err)
                          : hl_arena_fail(work->arena, err, "%zu hits", hits.n);
    hl_arena_free(ranks.arena);
    if (code == HL_OK)
        *ret_hits = hits;
    return code;
}
