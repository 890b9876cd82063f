/* SPDX-License-Identifier: Apache-2.0 */
#include "compat/retrieval.h"

#include "compat/linalg.h"
#include "proto/alloc.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Scores held at once: 4 MiB of them, what still fits in a core's share of the cache,
 * unless that is too few queries for a product of matrices to be worth it: then up to 32
 * MiB. */
enum {
    CACHED_SCORES = 1 << 20,
    MOST_SCORES = 1 << 23,
    FEW_QUERIES = 64,
    MANY_QUERIES = 256
};

static size_t block_of(const struct hl_scan *scan)
{
    size_t n_gallery = scan->n_gallery ? scan->n_gallery : 1;
    size_t n = CACHED_SCORES / n_gallery;

    if (n > MANY_QUERIES)
        n = MANY_QUERIES;
    if (n < FEW_QUERIES) {
        size_t most = MOST_SCORES / n_gallery;

        n = most > FEW_QUERIES ? FEW_QUERIES : most > 8 ? most : 8;
    }
    return n < scan->n_queries ? n : scan->n_queries;
}

enum hl_code hl_scan_each(const struct hl_scan *scan,
                          void (*see)(void *self, size_t query, const float *scores),
                          void *self, struct hl_err *err)
{
    size_t block = block_of(scan);
    float *scores = hl_alloc_zeroed(block * scan->n_gallery + 1, sizeof *scores);
    enum hl_code code = HL_OK;

    if (!scores)
        return hl_fail(err, HL_NO_MEMORY, "no memory to compare %zu queries with %zu items",
                       block, scan->n_gallery);
    for (size_t first = 0; first < scan->n_queries && code == HL_OK; first += block) {
        size_t n = scan->n_queries - first < block ? scan->n_queries - first : block;
        struct hl_product product = {
            .m = n, .n = scan->n_gallery, .k = scan->dim, .is_b_turned = true, .alpha = 1};

        if (scan->errand && scan->errand->deadline)
            code = hl_deadline_check(scan->errand->deadline, "the evaluation", err);
        if (code != HL_OK)
            break;
        hl_linalg_multiply(&product, scan->queries + first * scan->dim, scan->gallery,
                           scores);
        for (size_t i = 0; i < n; i++)
            see(self, first + i, scores + i * scan->n_gallery);
    }
    hl_free(scores);
    return code;
}

/* ---- the first ten ---- */

/* An item moves in front of what scores less, never of what scores the same. */
static void select_top(const float *scores, size_t n, uint32_t *top)
{
    float best[HL_TOP];
    size_t held = 0;

    for (size_t row = 0; row < n; row++) {
        size_t place;

        if (!(held < HL_TOP ? !isnan(scores[row]) : scores[row] > best[HL_TOP - 1]))
            continue;
        held += held < HL_TOP;
        for (place = held - 1; place > 0 && best[place - 1] < scores[row]; place--) {
            best[place] = best[place - 1];
            top[place] = top[place - 1];
        }
        best[place] = scores[row];
        top[place] = (uint32_t)row;
    }
    for (; held < HL_TOP; held++)
        top[held] = HL_NO_ITEM;
}

size_t hl_answer_shared(const struct hl_answer *a, const struct hl_answer *b)
{
    size_t shared = 0;

    for (size_t i = 0; i < HL_TOP && a->top[i] != HL_NO_ITEM; i++)
        for (size_t j = 0; j < HL_TOP; j++)
            shared += a->top[i] == b->top[j];
    return shared;
}

/* ---- whole rankings ---- */

enum { DIGIT_BITS = 11, N_DIGITS = 3, N_BUCKETS = 1 << DIGIT_BITS };

/* Room for one ranking: each item as (key << 32 | row), sorted by key alone, digit by digit
 * and so that equal keys keep the order of their rows. */
struct ranking {
    uint64_t *items, *spare;
    uint32_t (*counts)[N_BUCKETS];
};

/* Rises as the score falls; what is not a number comes last. */
static uint32_t key_of(float score)
{
    uint32_t bits;

    if (isnan(score))
        return UINT32_MAX;
    score += 0.0F; /* -0 and 0 are the same score */
    memcpy(&bits, &score, sizeof bits);
    return bits >> 31 ? bits : ~bits & UINT32_C(0x7fffffff);
}

static uint32_t digit_of(uint64_t item, size_t digit)
{
    return (uint32_t)(item >> (32 + digit * DIGIT_BITS)) & (N_BUCKETS - 1);
}

static const uint64_t *rank_items(struct ranking *ranking, const float *scores, size_t n)
{
    uint64_t *from = ranking->items, *to = ranking->spare;

    memset(ranking->counts, 0, N_DIGITS * sizeof *ranking->counts);
    for (size_t row = 0; row < n; row++) {
        uint64_t item = (uint64_t)key_of(scores[row]) << 32 | row;

        from[row] = item;
        for (size_t digit = 0; digit < N_DIGITS; digit++)
            ranking->counts[digit][digit_of(item, digit)]++;
    }
    for (size_t digit = 0; digit < N_DIGITS; digit++) {
        uint32_t *starts = ranking->counts[digit], start = 0;
        uint64_t *swap = from;

        for (size_t bucket = 0; bucket < N_BUCKETS; bucket++) {
            uint32_t count = starts[bucket];

            starts[bucket] = start;
            start += count;
        }
        for (size_t i = 0; i < n; i++)
            to[starts[digit_of(from[i], digit)]++] = from[i];
        from = to;
        to = swap;
    }
    return from;
}

static double average_precision(const uint64_t *ranked, size_t n, const int32_t *labels,
                                int32_t label, size_t n_relevant)
{
    double sum = 0;
    size_t found = 0;

    for (size_t place = 0; place < n && found < n_relevant; place++) {
        if (labels[(uint32_t)ranked[place]] != label)
            continue;
        found++;
        sum += (double)found / (double)(place + 1);
    }
    return sum / (double)n_relevant;
}

/* ---- answers ---- */

struct hl_ranker {
    const int32_t *labels; /* of the gallery; NULL: unknown */
    size_t n_gallery;
    int32_t *sorted; /* the same, rising */
    struct ranking ranking;
};

static int compare_labels(const void *a, const void *b)
{
    int32_t x = *(const int32_t *)a, y = *(const int32_t *)b;

    return (x > y) - (x < y);
}

static size_t first_not_below(const int32_t *sorted, size_t n, int64_t label)
{
    size_t low = 0;

    while (n > 0) {
        size_t half = n / 2;

        if (sorted[low + half] < label) {
            low += half + 1;
            n -= half + 1;
        } else {
            n = half;
        }
    }
    return low;
}

static size_t count_relevant(const struct hl_ranker *ranker, int32_t label)
{
    size_t n = ranker->n_gallery;

    if (label < 0 || !ranker->labels)
        return 0;
    return first_not_below(ranker->sorted, n, (int64_t)label + 1) -
           first_not_below(ranker->sorted, n, label);
}

enum hl_code hl_ranker_new(const int32_t *labels, size_t n_gallery,
                           struct hl_ranker **ret_ranker, struct hl_err *err)
{
    struct hl_ranker *ranker = hl_alloc_zeroed(1, sizeof *ranker);
    size_t n = n_gallery;

    if (ranker) {
        ranker->labels = labels;
        ranker->n_gallery = n;
        ranker->sorted = hl_alloc_zeroed(n + 1, sizeof *ranker->sorted);
        ranker->ranking.items = hl_alloc_zeroed(2 * n + 1, sizeof *ranker->ranking.items);
        ranker->ranking.counts = hl_alloc_zeroed(N_DIGITS, sizeof *ranker->ranking.counts);
    }
    if (!ranker || !ranker->sorted || !ranker->ranking.items || !ranker->ranking.counts) {
        hl_ranker_free(ranker);
        return hl_fail(err, HL_NO_MEMORY, "no memory to rank %zu items", n);
    }
    ranker->ranking.spare = ranker->ranking.items + n;
    if (labels) {
        memcpy(ranker->sorted, labels, n * sizeof *labels);
        qsort(ranker->sorted, n, sizeof *ranker->sorted, compare_labels);
    }
    *ret_ranker = ranker;
    return HL_OK;
}

void hl_ranker_free(struct hl_ranker *ranker)
{
    if (!ranker)
        return;
    hl_free(ranker->sorted);
    hl_free(ranker->ranking.items);
    hl_free(ranker->ranking.counts);
    hl_free(ranker);
}

struct hl_answer hl_ranker_answer(struct hl_ranker *ranker, int32_t label,
                                  const float *scores, bool is_ranked)
{
    struct hl_answer answer = {.ap = (double)NAN};
    size_t n_relevant = count_relevant(ranker, label), n = ranker->n_gallery;

    select_top(scores, n, answer.top);
    if (n_relevant == 0)
        return answer;
    answer.is_asked = true;
    for (size_t i = 0; i < HL_TOP && answer.top[i] != HL_NO_ITEM; i++) {
        bool is_relevant = ranker->labels[answer.top[i]] == label;

        answer.top1 |= i == 0 && is_relevant;
        answer.recall10 |= is_relevant;
    }
    if (is_ranked)
        answer.ap = average_precision(rank_items(&ranker->ranking, scores, n), n,
                                      ranker->labels, label, n_relevant);
    return answer;
}

struct answering {
    const struct hl_quiz *quiz;
    struct hl_answer *answers;
    struct hl_ranker *ranker;
};

static void answer_query(void *self, size_t query, const float *scores)
{
    const struct answering *work = self;
    const int32_t *labels = work->quiz->query_labels;

    work->answers[query] = hl_ranker_answer(work->ranker, labels ? labels[query] : -1,
                                            scores, query < work->quiz->n_ranked);
}

enum hl_code hl_quiz_answer(const struct hl_quiz *quiz, struct hl_answer *answers,
                            struct hl_err *err)
{
    struct answering work = {.quiz = quiz, .answers = answers};
    enum hl_code code =
        hl_ranker_new(quiz->gallery_labels, quiz->scan.n_gallery, &work.ranker, err);

    if (code == HL_OK)
        code = hl_scan_each(&quiz->scan, answer_query, &work, err);
    hl_ranker_free(work.ranker);
    return code;
}

/* ---- whether a photograph finds itself ---- */

struct selves {
    size_t n_gallery;
    uint32_t *places;
};

static void place_self(void *self, size_t query, const float *scores)
{
    struct selves *selves = self;
    float own = scores[query];
    uint32_t before = 0;

    for (size_t row = 0; row < query; row++)
        before += scores[row] >= own;
    for (size_t row = query + 1; row < selves->n_gallery; row++)
        before += scores[row] > own;
    selves->places[query] = isnan(own) ? HL_NO_ITEM : before;
}

enum hl_code hl_scan_selves(const struct hl_scan *scan, uint32_t *places,
                            struct hl_err *err)
{
    struct selves selves = {.n_gallery = scan->n_gallery};

    selves.places = places;
    return hl_scan_each(scan, place_self, &selves, err);
}
