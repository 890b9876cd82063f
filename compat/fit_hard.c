/* SPDX-License-Identifier: Apache-2.0 */
#include "compat/fit_part.h"
#include "compat/logits.h"
#include "proto/alloc.h"

#include <float.h>

/* Of a large head only the rows that a vector is most easily taken for say anything about
 * where it should go: the rest have no share of the probability. */

/* Rows and head are taken in tiles that stay near the core: packing a
 * whole head for a few rows costs more than multiplying with it. */
enum { BLOCK = 1024, TILE = 2048 };

struct search {
    const struct hl_fit_head *head;
    float *t;      /* BLOCK x dim */
    float *logits; /* BLOCK x TILE */
    float *best;   /* BLOCK x HL_GOAL_HARD: a heap for each row, the least on top */
};

static void sink(float *best, uint32_t *rows, float logit, uint32_t row)
{
    size_t place = 0;

    for (size_t child = 1; child < HL_GOAL_HARD; child = 2 * place + 1) {
        if (child + 1 < HL_GOAL_HARD && best[child + 1] < best[child])
            child++;
        if (best[child] >= logit)
            break;
        best[place] = best[child];
        rows[place] = rows[child];
        place = child;
    }
    best[place] = logit;
    rows[place] = row;
}

/* The head's rows from `first` on, for n rows. */
static void look_at_tile(struct search *s, size_t first, size_t n, uint32_t *hard)
{
    const struct hl_fit_head *head = s->head;
    size_t width = head->n_rows - first < TILE ? head->n_rows - first : TILE;
    const struct hl_logits tile = {head->weight + first * head->dim, head->bias + first,
                                   width, head->dim};

    hl_logits_take(&tile, 1, s->t, n, s->logits);
    for (size_t row = 0; row < n; row++) {
        const float *logits = s->logits + row * width;
        float *best = s->best + row * HL_GOAL_HARD;

        for (size_t i = 0; i < width; i++)
            if (logits[i] > best[0])
                sink(best, hard + row * HL_GOAL_HARD, logits[i], (uint32_t)(first + i));
    }
}

static void choose_block(struct search *s, const struct hl_map *anchor, const float *x,
                         size_t n, uint32_t *hard)
{
    hl_map_rows(anchor, x, n, NULL, s->t);
    for (size_t i = 0; i < n * HL_GOAL_HARD; i++)
        s->best[i] = -FLT_MAX;
    for (size_t first = 0; first < s->head->n_rows; first += TILE)
        look_at_tile(s, first, n, hard);
}

enum hl_code hl_fit_hard(struct hl_fit_data *data, const struct hl_fit_head *head,
                         const struct hl_map *anchor, uint32_t **ret_hard,
                         struct hl_err *err)
{
    size_t n = (size_t)data->lesson.n_rows, from = data->lesson.from.dim;
    struct search s = {.head = head};
    uint32_t *hard = hl_alloc_zeroed(n, HL_GOAL_HARD * sizeof *hard);
    enum hl_code code = HL_OK;

    s.t = hl_alloc_zeroed(head->dim + TILE + HL_GOAL_HARD, BLOCK * sizeof(float));
    if (!hard || !s.t)
        code = hl_fail(err, HL_NO_MEMORY, "no memory to rank a head of %zu rows",
                       head->n_rows);
    s.logits = s.t ? s.t + BLOCK * head->dim : NULL;
    s.best = s.t ? s.logits + (size_t)BLOCK * TILE : NULL;
    for (size_t first = 0; first < n && code == HL_OK; first += BLOCK) {
        hl_fit_tell(data->pace, (double)first / (double)n);
        code = hl_fit_go_on(data->pace, err);
        if (code == HL_OK)
            choose_block(&s, anchor, data->from + first * from,
                         n - first < BLOCK ? n - first : BLOCK,
                         hard + first * HL_GOAL_HARD);
    }
    hl_free(s.t);
    if (code == HL_OK)
        *ret_hard = hard;
    else
        hl_free(hard);
    return code;
}
