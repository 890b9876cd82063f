/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HL_COMPAT_RETRIEVAL_H
#define HL_COMPAT_RETRIEVAL_H

#include "compat/lesson.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Every query compared with every item of a gallery, exactly.
 *
 * Rows lie one after the other and are of length 1, so that a score is a cosine. Items of
 * the same score stand in the order of their rows; one whose score is not a number is never
 * found. Pure but for the errand, any thread. */
struct hl_scan {
    const float *queries, *gallery;
    size_t n_queries, n_gallery, dim;
    const struct hl_errand *errand; /* asked between blocks */
};

enum { HL_TOP = 10 };
#define HL_NO_ITEM UINT32_MAX

/* Shows `see` the scores of each query in turn: n_gallery of them, good for the call. */
enum hl_code hl_scan_each(const struct hl_scan *scan,
                          void (*see)(void *self, size_t query, const float *scores),
                          void *self, struct hl_err *err);

struct hl_quiz {
    struct hl_scan scan;
    const int32_t *query_labels, *gallery_labels; /* NULL: unknown; below 0: that row is */
    size_t n_ranked;                              /* the first so many are ranked whole */
};

/* What one query found. */
struct hl_answer {
    uint32_t top[HL_TOP]; /* gallery rows, the best first, then HL_NO_ITEM */
    double ap;            /* average precision; NaN: not ranked, or not asked */
    bool is_asked;        /* an item of its label is in the gallery */
    bool top1, recall10;  /* it is the first; one is among the first ten */
};

enum hl_code hl_quiz_answer(const struct hl_quiz *quiz, struct hl_answer *answers,
                            struct hl_err *err);

/* The same from scores that come from elsewhere. One thread; borrows the labels. */
struct hl_ranker;
enum hl_code hl_ranker_new(const int32_t *gallery_labels, size_t n_gallery,
                           struct hl_ranker **ret_ranker, struct hl_err *err);
void hl_ranker_free(struct hl_ranker *ranker); /* NULL is accepted */
struct hl_answer hl_ranker_answer(struct hl_ranker *ranker, int32_t label,
                                  const float *scores, bool is_ranked);

/* At which place, from 0, query i finds item i. */
enum hl_code hl_scan_selves(const struct hl_scan *scan, uint32_t *places,
                            struct hl_err *err);

/* How many items two lists of HL_TOP share. */
size_t hl_answer_shared(const struct hl_answer *a, const struct hl_answer *b);

#endif
