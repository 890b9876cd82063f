/* SPDX-License-Identifier: Apache-2.0 */
#include "compat/fit_part.h"
#include "compat/linalg.h"
#include "compat/logits.h"
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
    size_t width = goal->hard ? HL_GOAL_HARD + 1 : goal->head ? goal->head->n_rows : 0;

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

/* tau · (u·W^T + b), n x n_rows. */
static void judge(const struct hl_fit_head *head, size_t n_rows, float tau, const float *u,
                  size_t n, float *logits)
{
    const struct hl_logits rows = {head->weight, head->bias, n_rows, head->dim};

    hl_logits_take(&rows, tau, u, n, logits);
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
        loss += (double)hl_logits_soften(own, n_rows);
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

        hl_logits_soften(wanted, n_rows);
        loss -= (double)hl_linalg_dot(wanted, own, n_rows);
        loss += (double)hl_logits_soften(own, n_rows);
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

/* Rows of the head that one row of data meets: its own class first, if it has one, then
 * those it is most easily taken for. */
struct few {
    size_t n;
    bool has_own;
    uint32_t rows[HL_GOAL_HARD + 1];
};

static struct few few_of(const uint32_t *hard, int32_t right, size_t n_rows)
{
    struct few few = {.n = right >= 0, .has_own = right >= 0, .rows = {(uint32_t)right}};

    for (size_t i = 0; i < HL_GOAL_HARD; i++)
        if (hard[i] < n_rows && (right < 0 || hard[i] != (uint32_t)right))
            few.rows[few.n++] = hard[i];
    return few;
}

/* judge() for one row and few rows of the head. */
static void judge_few(const struct hl_fit_head *head, const struct few *few, float tau,
                      const float *u, float *logits)
{
    for (size_t i = 0; i < few->n; i++)
        logits[i] =
            tau * (hl_linalg_dot(u, head->weight + few->rows[i] * head->dim, head->dim) +
                   head->bias[few->rows[i]]);
}

static void push_back_few(const struct hl_fit_head *head, const struct few *few,
                          float factor, const float *errors, float *gradient)
{
    for (size_t i = 0; i < few->n; i++)
        hl_linalg_add(gradient, factor * errors[i], head->weight + few->rows[i] * head->dim,
                      head->dim);
}

/* By the label, or else, by `e`, of the old head's opinion. */
static double judge_hard_row(const struct hl_goal *goal, const struct few *few,
                             const float *u, const float *e, struct hl_goal_room *room,
                             float *gradient)
{
    float *own = room->logits, *wanted = room->opinion;
    double loss;

    judge_few(goal->head, few, goal->tau, u, own);
    if (few->has_own) {
        loss = -(double)own[0];
        loss += (double)hl_logits_soften(own, few->n);
        own[0] -= 1;
    } else {
        judge_few(goal->head, few, 1, e, wanted);
        hl_logits_soften(wanted, few->n);
        loss = -(double)hl_linalg_dot(wanted, own, few->n);
        loss += (double)hl_logits_soften(own, few->n);
        hl_linalg_add(own, -1, wanted, few->n);
    }
    push_back_few(goal->head, few, goal->tau, own, gradient);
    return loss;
}

static const uint32_t *hard_of(const struct hl_goal *goal, const struct hl_fit_block *block,
                               const uint32_t *numbers, size_t row)
{
    return goal->hard + (numbers ? numbers[row] : block->first + row) * HL_GOAL_HARD;
}

static double judge_hard(const struct hl_goal *goal, const struct hl_fit_block *block,
                         const uint32_t *numbers, const float *u, float *gradient,
                         struct hl_goal_room *room)
{
    size_t dim = goal->head->dim, n_rows = rows_in_use(goal);
    double loss = 0;

    for (size_t row = 0; row < block->n; row++) {
        int32_t right = row_of(goal->head, n_rows, block->labels ? block->labels[row] : -1);
        struct few few = few_of(hard_of(goal, block, numbers, row), right, n_rows);
        bool is_judged = right >= 0 || (!block->labels && block->e);

        if (is_judged && few.n > 0)
            loss += judge_hard_row(goal, &few, u + row * dim,
                                   block->e ? block->e + row * dim : NULL, room,
                                   gradient + row * dim);
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

/* The rows that the old model is asked by: its own, or, where it came without a head, those
 * that were learnt on its vectors. */
static size_t old_rows(const struct hl_fit_head *head)
{
    return head->n_known > 0 ? head->n_known : head->n_rows;
}

static bool is_highest(const float *opinion, size_t n, size_t right)
{
    for (size_t i = 0; i < n; i++)
        if (opinion[i] > opinion[right])
            return false;
    return true;
}

/* weight · KL(wanted || own) of one row; `own` becomes its gradient. */
static double part_from(float *wanted, float *own, size_t n, float weight)
{
    double loss = 0;

    hl_logits_soften(wanted, n);
    for (size_t i = 0; i < n; i++)
        if (wanted[i] > 0)
            loss += (double)(weight * wanted[i]) * (double)(logf(wanted[i]) - own[i]);
    loss += (double)(weight * hl_logits_soften(own, n));
    for (size_t i = 0; i < n; i++)
        own[i] = weight * (own[i] - wanted[i]);
    return loss;
}

/* At the head's own temperature; the weight is alpha, and beta more where the old model was
 * right. */
static double hold_to_old(const struct hl_goal *goal, const struct hl_fit_block *block,
                          const float *u, float *gradient, struct hl_goal_room *room)
{
    const struct hl_fit_head *head = goal->head;
    size_t n_rows = old_rows(head);
    double loss = 0;

    judge(head, n_rows, 1, u, block->n, room->logits);
    judge(head, n_rows, 1, block->e, block->n, room->opinion);
    for (size_t row = 0; row < block->n; row++) {
        float *own = room->logits + row * n_rows, *wanted = room->opinion + row * n_rows;
        int32_t right = row_of(head, n_rows, block->labels ? block->labels[row] : -1);
        float weight = (float)goal->focal.alpha;

        if (right >= 0 && is_highest(wanted, n_rows, (size_t)right))
            weight += (float)goal->focal.beta;
        loss += part_from(wanted, own, n_rows, weight);
    }
    push_back(head, n_rows, 1, room->logits, block->n, gradient);
    return loss;
}

/* The same of a large head: over the hardest rows alone. */
static double hold_to_old_hard(const struct hl_goal *goal, const struct hl_fit_block *block,
                               const uint32_t *numbers, const float *u, float *gradient,
                               struct hl_goal_room *room)
{
    const struct hl_fit_head *head = goal->head;
    size_t dim = head->dim, n_rows = old_rows(head);
    double loss = 0;

    for (size_t row = 0; row < block->n; row++) {
        int32_t right = row_of(head, n_rows, block->labels ? block->labels[row] : -1);
        struct few few = few_of(hard_of(goal, block, numbers, row), right, n_rows);
        float weight = (float)goal->focal.alpha;

        if (few.n == 0)
            continue;
        judge_few(head, &few, 1, u + row * dim, room->logits);
        judge_few(head, &few, 1, block->e + row * dim, room->opinion);
        if (few.has_own && is_highest(room->opinion, few.n, 0))
            weight += (float)goal->focal.beta;
        loss += part_from(room->opinion, room->logits, few.n, weight);
        push_back_few(head, &few, 1, room->logits, gradient + row * dim);
    }
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
        loss += goal->hard ? hold_to_old_hard(goal, block, numbers, u, gradient, room)
                           : hold_to_old(goal, block, u, gradient, room);
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
