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

float hl_rank_score(const struct hl_rank *rank, const struct hl_aim *aim)
{
    float positive = rank->n_positive > 0 ? rank->best_positive : -INFINITY;
    float negative = rank->n_negative > 0 ? rank->best_negative : -INFINITY;

    if (aim->query->strategy == HL_STRATEGY_SUM)
        return rank->sum;
    if (rank->n_positive < aim->n_positive)
        positive = better_of(positive, 0);
    if (rank->n_negative < aim->n_negative)
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

static enum hl_code score_all(struct hl_search *search, const struct hl_aim *aim,
                              const struct hl_vector *example, struct hl_arena *scratch,
                              struct scores *ret_scores, struct hl_err *err)
{
    const struct hl_find find = {.space = aim->space,
                                 .values = example->values,
                                 .indices = example->indices,
                                 .n = example->n,
                                 .k = (size_t)hl_look_count(search->look, aim->which),
                                 .is_exact = true,
                                 .is_indexed_only = aim->query->params.indexed_only,
                                 .which = aim->which,
                                 .deadline = search->deadline};
    const struct hl_hit *hits = NULL;
    struct scored *scored;
    size_t n = 0;
    enum hl_code code = find.k > 0 && find.n > 0
                            ? hl_look_find(search->look, &find, scratch, &hits, &n, err)
                            : HL_OK;

    if (code != HL_OK)
        return code;
    scored = hl_arena_array(scratch, n ? n : 1, sizeof *scored);
    if (!scored)
        return hl_arena_fail(scratch, err, "the scores of %zu points", n);
    for (size_t i = 0; i < n; i++)
        scored[i] =
            (struct scored){hits[i].number, nearness(aim->space->distance, hits[i].score)};
    if (n > 0)
        qsort(scored, n, sizeof *scored, compare_scored);
    *ret_scores = (struct scores){scored, n};
    return HL_OK;
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
                       : (struct hl_rank){.number = scores->items[i].number};
        if (i < scores->n && scores->items[i].number == rank->number)
            add_score(rank, scores->items[i++].score, is_positive);
    }
    *ret_sum = sum;
    return HL_OK;
}

static enum hl_code add_example(struct hl_search *search, const struct hl_aim *aim,
                                size_t which, struct ranks *ranks, struct hl_err *err)
{
    bool is_positive = which < aim->n_positive;
    const struct hl_vector *example =
        is_positive ? &aim->positive[which] : &aim->negative[which - aim->n_positive];
    struct ranks sum = {.arena = hl_arena_new(search->scratch_bytes)};
    struct scores scores = {0};
    enum hl_code code;

    if (!sum.arena)
        return hl_fail(err, HL_NO_MEMORY, "no memory for the scores of points");
    code = score_all(search, aim, example, sum.arena, &scores, err);
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

static int compare_hits(const void *a, const void *b)
{
    const struct hl_hit *one = a, *other = b;

    if (one->score > other->score || one->score < other->score)
        return one->score > other->score ? -1 : 1;
    return (one->number > other->number) - (one->number < other->number);
}

static enum hl_code take_best(const struct hl_aim *aim, const struct ranks *ranks, size_t k,
                              struct hl_arena *arena, struct hl_hits *ret_hits,
                              struct hl_err *err)
{
    struct hl_hit *all = hl_arena_array(ranks->arena, ranks->n + 1, sizeof *all), *hits;
    size_t n = k < ranks->n ? k : ranks->n;

    if (!all)
        return hl_arena_fail(ranks->arena, err, "%zu hits", ranks->n);
    for (size_t i = 0; i < ranks->n; i++)
        all[i] = (struct hl_hit){.score = hl_rank_score(&ranks->items[i], aim),
                                 .number = ranks->items[i].number};
    if (ranks->n > 0)
        qsort(all, ranks->n, sizeof *all, compare_hits);
    hits = hl_arena_array(arena, n ? n : 1, sizeof *hits);
    if (!hits)
        return hl_arena_fail(arena, err, "%zu hits", n);
    for (size_t i = 0; i < n; i++)
        hits[i] = all[i];
    *ret_hits = (struct hl_hits){hits, n};
    return HL_OK;
}

enum hl_code hl_rank_find(struct hl_search *search, const struct hl_aim *aim, size_t k,
                          struct hl_arena *arena, struct hl_hits *ret_hits,
                          struct hl_err *err)
{
    struct ranks ranks = {0};
    enum hl_code code = HL_OK;

    for (size_t i = 0; i < aim->n_positive + aim->n_negative && code == HL_OK; i++)
        code = add_example(search, aim, i, &ranks, err);
    if (code == HL_OK)
        code = take_best(aim, &ranks, k, arena, ret_hits, err);
    hl_arena_free(ranks.arena);
    return code;
}
