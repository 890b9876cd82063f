/* SPDX-License-Identifier: Apache-2.0 */
#include "compat/fit_part.h"
#include "compat/linalg.h"
#include "proto/alloc.h"

/* Of a large head only the rows that a vector is most easily taken for say anything about
 * where it should go: the rest have no share of the probability. */

enum { BLOCK = 128 };

struct search {
    size_t n_rows; /* of the head */
    float *logits; /* BLOCK x n_rows */
    float *t;      /* BLOCK x dim */
    float best[HL_GOAL_HARD];
};

/* A heap with the least of the best on top. */
static void sink(struct search *s, uint32_t *rows, float logit, uint32_t row)
{
    size_t place = 0;

    for (size_t child = 1; child < HL_GOAL_HARD; child = 2 * place + 1) {
        if (child + 1 < HL_GOAL_HARD && s->best[child + 1] < s->best[child])
            child++;
        if (s->best[child] >= logit)
            break;
        s->best[place] = s->best[child];
        rows[place] = rows[child];
        place = child;
    }
    s->best[place] = logit;
    rows[place] = row;
}

static void choose(struct search *s, const float *logits, uint32_t *rows)
{
    for (size_t i = 0; i < HL_GOAL_HARD; i++)
        s->best[i] = -3e38f;
    for (size_t row = 0; row < s->n_rows; row++)
        if (logits[row] > s->best[0])
            sink(s, rows, logits[row], (uint32_t)row);
}

static void choose_block(struct search *s, const struct hl_fit_head *head,
                         const struct hl_map *anchor, const float *x, size_t n,
                         uint32_t *hard)
{
    hl_map_rows(anchor, x, n, NULL, s->t);
    hl_linalg_multiply(
        &(struct hl_product){
            .m = n, .n = s->n_rows, .k = head->dim, .is_b_turned = true, .alpha = 1},
        s->t, head->weight, s->logits);
    for (size_t row = 0; row < n; row++) {
        float *logits = s->logits + row * s->n_rows;

        hl_linalg_add(logits, 1, head->bias, s->n_rows);
        choose(s, logits, hard + row * HL_GOAL_HARD);
    }
}

enum hl_code hl_fit_hard(struct hl_fit_data *data, const struct hl_fit_head *head,
                         const struct hl_map *anchor, uint32_t **ret_hard,
                         struct hl_err *err)
{
    size_t n = (size_t)data->lesson.n_rows, from = data->lesson.from.dim;
    struct search s = {.n_rows = head->n_rows};
    uint32_t *hard = hl_alloc_zeroed(n, HL_GOAL_HARD * sizeof *hard);
    enum hl_code code = HL_OK;

    s.logits = hl_alloc_zeroed(head->n_rows, BLOCK * sizeof(float));
    s.t = hl_alloc_zeroed(head->dim, BLOCK * sizeof(float));
    if (!hard || !s.logits || !s.t)
        code = hl_fail(err, HL_NO_MEMORY, "no memory to rank a head of %zu rows",
                       head->n_rows);
    for (size_t first = 0; first < n && code == HL_OK; first += BLOCK) {
        size_t here = n - first < BLOCK ? n - first : BLOCK;

        hl_fit_tell(data->pace, (double)first / (double)n);
        code = hl_fit_go_on(data->pace, err);
        if (code == HL_OK)
            choose_block(&s, head, anchor, data->from + first * from, here,
                         hard + first * HL_GOAL_HARD);
    }
    hl_free(s.logits);
    hl_free(s.t);
    if (code == HL_OK)
        *ret_hard = hard;
    else
        hl_free(hard);
    return code;
}
