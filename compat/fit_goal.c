/* SPDX-License-Identifier: Apache-2.0 */
#include "compat/fit_part.h"
#include "compat/linalg.h"
#include "proto/alloc.h"

#include <math.h>
#include <string.h>

static size_t rows_in_use(const struct hl_goal *goal)
{
    if (!goal->head)
        return 0;
    return goal->is_known_only ? goal->head->n_known : goal->head->n_rows;
}

static bool has_focal(const struct hl_goal *goal)
{
    return goal->head && (goal->focal.alpha > 0 || goal->focal.beta > 0);
}

enum hl_code hl_goal_room_init(struct hl_goal_room *room, const struct hl_goal *goal,
                               size_t n, struct hl_err *err)
{
    size_t width = goal->hard ? HL_GOAL_HARD + 1 : rows_in_use(goal);

    *room = (struct hl_goal_room){.n = n};
    room->logits = hl_alloc_zeroed(n, (width + 1) * sizeof(float));
    room->opinion = hl_alloc_zeroed(n, (width + 1) * sizeof(float));
    room->t = hl_alloc_zeroed(n, goal->dim * sizeof(float));
    if (room->logits && room->opinion && room->t)
        return HL_OK;
    hl_goal_room_done(room);
    return hl_fail(err, HL_NO_MEMORY, "no memory for %zu rows before a head of %zu", n,
                   width);
}

void hl_goal_room_done(struct hl_goal_room *room)
{
    hl_free(room->logits);
    hl_free(room->opinion);
    hl_free(room->t);
    *room = (struct hl_goal_room){0};
}

/* ---- what a head makes of rows ---- */

/* Logits into probabilities, in place; returns the log of their sum, so that the log of a
 * probability is logit - it. */
static float soften(float *logits, size_t n)
{
    float most = logits[0], sum = 0;

    for (size_t i = 1; i < n; i++)
        most = logits[i] > most ? logits[i] : most;
    for (size_t i = 0; i < n; i++) {
        logits[i] = expf(logits[i] - most);
        sum += logits[i];
    }
    for (size_t i = 0; i < n; i++)
        logits[i] /= sum;
    return most + logf(sum);
}

/* tau · (u·W^T + b), n x n_rows. */
static void judge(const struct hl_fit_head *head, size_t n_rows, float tau, const float *u,
                  size_t n, float *logits)
{
    hl_linalg_multiply(
        &(struct hl_product){
            .m = n, .n = n_rows, .k = head->dim, .is_b_turned = true, .alpha = tau},
        u, head->weight, logits);
    for (size_t row = 0; row < n; row++)
        hl_linalg_add(logits + row * n_rows, tau, head->bias, n_rows);
}

/* gradient += factor · errors·W. */
static void push_back(const struct hl_fit_head *head, size_t n_rows, float factor,
                      const float *errors, size_t n, float *gradient)
{
    hl_linalg_multiply(
        &(struct hl_product){
            .m = n, .n = head->dim, .k = n_rows, .alpha = factor, .beta = 1},
        errors, head->weight, gradient);
}

static int32_t row_of(const struct hl_fit_head *head, size_t n_rows, int32_t label)
{
    int32_t row = label < 0 ? -1 : head->row_of[label];

    return row < (int32_t)n_rows ? row : -1;
}

/* Cross-entropy with the label's row; rows whose class has none say nothing. */
static double judge_by_labels(const struct hl_goal *goal, const struct hl_fit_block *block,
                              float *logits)
{
    size_t n_rows = rows_in_use(goal);
    double loss = 0;

    for (size_t row = 0; row < block->n; row++) {
        float *own = logits + row * n_rows;
        int32_t right = row_of(goal->head, n_rows, block->labels[row]);

        if (right < 0) {
            memset(own, 0, n_rows * sizeof *own);
            continue;
        }
        loss -= (double)own[right];
        loss += (double)soften(own, n_rows);
        own[right] -= 1;
    }
    return loss;
}

/* Without labels the old head's opinion of the paired vector is the label. */
static double judge_by_opinion(const struct hl_goal *goal, const struct hl_fit_block *block,
                               float *logits, float *opinion)
{
    size_t n_rows = rows_in_use(goal);
    double loss = 0;

    judge(goal->head, n_rows, 1, block->e, block->n, opinion);
    for (size_t row = 0; row < block->n; row++) {
        float *own = logits + row * n_rows, *wanted = opinion + row * n_rows;

        soften(wanted, n_rows);
        loss -= (double)hl_linalg_dot(wanted, own, n_rows);
        loss += (double)soften(own, n_rows);
        hl_linalg_add(own, -1, wanted, n_rows);
    }
    return loss;
}

static double judge_block(const struct hl_goal *goal, const struct hl_fit_block *block,
                          const float *u, float *gradient, struct hl_goal_room *room)
{
    size_t n_rows = rows_in_use(goal);
    double loss;

    judge(goal->head, n_rows, goal->tau, u, block->n, room->logits);
    loss = block->labels ? judge_by_labels(goal, block, room->logits)
                         : judge_by_opinion(goal, block, room->logits, room->opinion);
    push_back(goal->head, n_rows, goal->tau, room->logits, block->n, gradient);
    return loss;
}

/* ---- against the hardest rows alone ---- */

/* One row: its own class first, then those it is most easily taken for. */
static double judge_hard_row(const struct hl_goal *goal, const uint32_t *hard,
                             int32_t right, const float *u, float *room, float *gradient)
{
    const struct hl_fit_head *head = goal->head;
    size_t dim = head->dim, n = 1;
    uint32_t rows[HL_GOAL_HARD + 1] = {(uint32_t)right};
    double loss;

    for (size_t i = 0; i < HL_GOAL_HARD; i++)
        if (hard[i] != (uint32_t)right)
            rows[n++] = hard[i];
    for (size_t i = 0; i < n; i++)
        room[i] = goal->tau * (hl_linalg_dot(u, head->weight + rows[i] * dim, dim) +
                               head->bias[rows[i]]);
    loss = -(double)room[0];
    loss += (double)soften(room, n);
    room[0] -= 1;
    for (size_t i = 0; i < n; i++)
        hl_linalg_add(gradient, goal->tau * room[i], head->weight + rows[i] * dim, dim);
    return loss;
}

static double judge_hard(const struct hl_goal *goal, const struct hl_fit_block *block,
                         const uint32_t *numbers, const float *u, float *gradient,
                         struct hl_goal_room *room)
{
    size_t dim = goal->head->dim;
    double loss = 0;

    for (size_t row = 0; row < block->n; row++) {
        size_t number = numbers ? numbers[row] : block->first + row;
        int32_t right =
            row_of(goal->head, rows_in_use(goal), block->labels ? block->labels[row] : -1);

        if (right >= 0)
            loss += judge_hard_row(goal, goal->hard + number * HL_GOAL_HARD, right,
                                   u + row * dim, room->logits, gradient + row * dim);
    }
    return loss;
}

/* ---- nearness ---- */

/* weight · |u - t|² of each row, and its gradient. */
static double draw_near(const float *u, const float *t, float weight, size_t n,
                        float *gradient)
{
    double sum = 0;

    for (size_t i = 0; i < n; i++) {
        float apart = u[i] - t[i];

        sum += (double)(apart * apart);
        gradient[i] += 2 * weight * apart;
    }
    return (double)weight * sum;
}

/* ---- focal distillation ---- */

static bool was_right(const struct hl_fit_head *head, int32_t label, const float *opinion)
{
    int32_t right = row_of(head, head->n_known, label);

    for (size_t i = 0; i < head->n_known && right >= 0; i++)
        if (opinion[i] > opinion[right])
            return false;
    return right >= 0;
}

/* weight · KL(old opinion || new one) at the head's own temperature; the weight is alpha,
 * and beta more where the old model was right. */
static double hold_to_old(const struct hl_goal *goal, const struct hl_fit_block *block,
                          const float *u, float *gradient, struct hl_goal_room *room)
{
    const struct hl_fit_head *head = goal->head;
    size_t n_rows = head->n_known;
    double loss = 0;

    judge(head, n_rows, 1, u, block->n, room->logits);
    judge(head, n_rows, 1, block->e, block->n, room->opinion);
    for (size_t row = 0; row < block->n; row++) {
        float *own = room->logits + row * n_rows, *wanted = room->opinion + row * n_rows;
        float weight = (float)goal->focal.alpha;

        if (block->labels && was_right(head, block->labels[row], wanted))
            weight += (float)goal->focal.beta;
        soften(wanted, n_rows);
        for (size_t i = 0; i < n_rows; i++)
            if (wanted[i] > 0)
                loss += (double)(weight * wanted[i]) * (double)(logf(wanted[i]) - own[i]);
        loss += (double)(weight * soften(own, n_rows));
        for (size_t i = 0; i < n_rows; i++)
            own[i] = weight * (own[i] - wanted[i]);
    }
    push_back(head, n_rows, 1, room->logits, block->n, gradient);
    return loss;
}

double hl_goal_block(const struct hl_goal *goal, const struct hl_fit_block *block,
                     const uint32_t *numbers, const float *u, float *gradient,
                     struct hl_goal_room *room)
{
    size_t dim = goal->dim;
    double loss = 0;

    memset(gradient, 0, block->n * dim * sizeof *gradient);
    if (goal->hard)
        loss += judge_hard(goal, block, numbers, u, gradient, room);
    else if (goal->head && (block->labels || block->e) && goal->tau > 0)
        loss += judge_block(goal, block, u, gradient, room);
    if (goal->anchor_weight > 0) {
        hl_map_rows(goal->anchor, block->x, block->n, NULL, room->t);
        loss += draw_near(u, room->t, goal->anchor_weight, block->n * dim, gradient);
    }
    if (goal->pair_weight > 0 && block->e)
        loss += draw_near(u, block->e, goal->pair_weight, block->n * dim, gradient);
    if (has_focal(goal) && block->e)
        loss += hold_to_old(goal, block, u, gradient, room);
    return loss;
}

void hl_goal_through_length(float *gradient, const float *u, const float *norms, size_t n,
                            size_t dim)
{
    for (size_t row = 0; row < n; row++) {
        float *g = gradient + row * dim;
        float along = hl_linalg_dot(g, u + row * dim, dim);
        float shrink = norms[row] > 0 ? 1 / norms[row] : 0;

        for (size_t i = 0; i < dim; i++)
            g[i] = (g[i] - u[row * dim + i] * along) * shrink;
    }
}
