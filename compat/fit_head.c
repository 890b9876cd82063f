/* SPDX-License-Identifier: Apache-2.0 */
#include "compat/fit_part.h"
#include "compat/lbfgs.h"
#include "compat/linalg.h"
#include "compat/logits.h"
#include "proto/alloc.h"

#include <math.h>
#include <string.h>

/* Rows for classes that a head does not have, learnt on the old model's own vectors while
 * the head's rows stay as they are. All new rows have one length, the mean of the old ones:
 * what is learnt is where they point. Means of classes are only where they begin; as rows
 * they were measured to do harm. */

enum { ROUNDS = 25 };
static const size_t MAX_LOGITS = (size_t)32
                                 << 20; /* of a block: of a large head, fewer rows */
static const double length_without_head = 16;

/* ---- centres ---- */

static void add_rows(const struct hl_fit_block *block, size_t dim, double *sums,
                     double *counts)
{
    for (size_t row = 0; row < block->n; row++) {
        int32_t label = block->labels[row];

        if (label < 0)
            continue;
        counts[label]++;
        for (size_t i = 0; i < dim; i++)
            sums[(size_t)label * dim + i] += (double)block->e[row * dim + i];
    }
}

enum hl_code hl_fit_centres(struct hl_fit_data *old, size_t n_classes, float **ret_centres,
                            struct hl_err *err)
{
    size_t dim = old->lesson.to.dim;
    double *sums = hl_alloc_zeroed(n_classes, (dim + 1) * sizeof *sums), *counts;
    float *centres = hl_alloc_zeroed(n_classes, dim * sizeof *centres);
    enum hl_code code = HL_OK;

    if (!sums || !centres)
        code =
            hl_fail(err, HL_NO_MEMORY, "no memory for the means of %zu classes", n_classes);
    counts = sums ? sums + n_classes * dim : NULL;
    for (size_t first = 0; first < old->lesson.n_rows && code == HL_OK;
         first += old->block) {
        struct hl_fit_block block;

        code = hl_fit_data_block(old, first, &block, err);
        if (code == HL_OK)
            add_rows(&block, dim, sums, counts);
    }
    for (size_t i = 0; i < n_classes * dim && code == HL_OK; i++)
        centres[i] = counts[i / dim] > 0 ? (float)(sums[i] / counts[i / dim]) : 0;
    hl_free(sums);
    if (code == HL_OK)
        *ret_centres = centres;
    else
        hl_free(centres);
    return code;
}

/* ---- the head in use ---- */

static enum hl_code head_init(struct hl_fit_head *head, const struct hl_head *old,
                              size_t n_new, struct hl_err *err)
{
    size_t n_known = old ? old->n_rows : 0, n_rows = n_known + n_new;

    head->n_known = n_known;
    head->n_rows = n_rows;
    head->weight = hl_alloc_zeroed(n_rows + 1, head->dim * sizeof(float));
    head->bias = hl_alloc_zeroed(n_rows + 1, sizeof(float));
    head->row_of = hl_alloc_zeroed(head->n_classes + 1, sizeof(int32_t));
    if (!head->weight || !head->bias || !head->row_of)
        return hl_fail(err, HL_NO_MEMORY, "no memory for a head of %zu rows", n_rows);
    head->mean_norm = old ? hl_head_mean_norm(old) : length_without_head;
    for (size_t i = 0; i < head->n_classes; i++)
        head->row_of[i] = i < n_known ? (int32_t)i : -1;
    if (old) {
        memcpy(head->weight, old->weight, n_known * head->dim * sizeof(float));
        if (old->bias)
            memcpy(head->bias, old->bias, n_known * sizeof(float));
    }
    return HL_OK;
}

void hl_fit_head_done(struct hl_fit_head *head)
{
    hl_free(head->weight);
    hl_free(head->bias);
    hl_free(head->row_of);
    *head = (struct hl_fit_head){0};
}

enum hl_code hl_fit_head_copy(const struct hl_head *head, size_t n_classes,
                              struct hl_fit_head *ret_head, struct hl_err *err)
{
    struct hl_fit_head copy = {.dim = head->dim, .n_classes = n_classes};
    enum hl_code code = head_init(&copy, head, 0, err);

    if (code == HL_OK)
        *ret_head = copy;
    else
        hl_fit_head_done(&copy);
    return code;
}

/* ---- learning rows ---- */

struct lesson {
    struct hl_fit_head *head;
    struct hl_fit_data *old;
    float *logits;      /* of a block */
    float *turn;        /* of a block: by the new rows */
    double *directions; /* of the new rows, of length 1, at the point that is tried */
    double *norms;      /* of the point's rows */
    double n_judged;
    unsigned n_looks;
};

static size_t n_new(const struct lesson *l)
{
    return l->head->n_rows - l->head->n_known;
}

static void place_rows(struct lesson *l, const double *x)
{
    size_t dim = l->head->dim;
    float *rows = l->head->weight + l->head->n_known * dim;

    for (size_t row = 0; row < n_new(l); row++) {
        const double *from = x + row * dim;

        l->norms[row] = sqrt(hl_linalg_dot_double(from, from, dim)) + 1e-12;
        for (size_t i = 0; i < dim; i++) {
            l->directions[row * dim + i] = from[i] / l->norms[row];
            rows[row * dim + i] =
                (float)(l->head->mean_norm * l->directions[row * dim + i]);
        }
    }
}

/* The cross-entropy of a block's rows; `logits` become its gradient. */
static double judge_block(struct lesson *l, const struct hl_fit_block *block)
{
    const struct hl_fit_head *head = l->head;
    const struct hl_logits rows = {head->weight, head->bias, head->n_rows, head->dim};
    double loss = 0;

    hl_logits_take(&rows, 1, block->e, block->n, l->logits);
    for (size_t row = 0; row < block->n; row++) {
        float *own = l->logits + row * head->n_rows;
        int32_t right = block->labels[row] < 0 ? -1 : head->row_of[block->labels[row]];

        if (right < 0) {
            memset(own, 0, head->n_rows * sizeof *own);
            continue;
        }
        loss -= (double)own[right];
        loss += (double)hl_logits_soften(own, head->n_rows);
        own[right] -= 1;
        l->n_judged++;
    }
    return loss;
}

/* The gradient by the new rows alone, added to `gradient`. */
static void learn_block(struct lesson *l, const struct hl_fit_block *block,
                        double *gradient)
{
    const struct hl_fit_head *head = l->head;

    hl_linalg_multiply(&(struct hl_product){.m = head->n_rows,
                                            .n = head->dim,
                                            .k = block->n,
                                            .is_a_turned = true,
                                            .alpha = 1},
                       l->logits, block->e, l->turn);
    for (size_t i = 0; i < n_new(l) * head->dim; i++)
        gradient[i] += (double)l->turn[head->n_known * head->dim + i];
}

/* By rows of a given length into by where they point. */
static void through_length(const struct lesson *l, double *gradient)
{
    size_t dim = l->head->dim;

    for (size_t row = 0; row < n_new(l); row++) {
        double *g = gradient + row * dim;
        const double *direction = l->directions + row * dim;
        double along = hl_linalg_dot_double(g, direction, dim);

        for (size_t i = 0; i < dim; i++)
            g[i] = (g[i] - direction[i] * along) * l->head->mean_norm /
                   (l->norms[row] * l->n_judged);
    }
}

static enum hl_code value_at(void *self, const double *x, double *ret_value,
                             double *gradient, struct hl_err *err)
{
    struct lesson *l = self;
    double loss = 0;
    enum hl_code code = HL_OK;

    hl_fit_tell(l->old->pace, l->n_looks / (l->n_looks + 8.0));
    l->n_looks++;
    place_rows(l, x);
    memset(gradient, 0, n_new(l) * l->head->dim * sizeof *gradient);
    l->n_judged = 0;
    for (size_t first = 0; first < l->old->lesson.n_rows && code == HL_OK;
         first += l->old->block) {
        struct hl_fit_block block;

        code = hl_fit_data_block(l->old, first, &block, err);
        if (code == HL_OK) {
            loss += judge_block(l, &block);
            learn_block(l, &block, gradient);
        }
    }
    if (code == HL_OK) {
        through_length(l, gradient);
        *ret_value = loss / l->n_judged;
    }
    return code;
}

/* Where the new rows begin: from the middle of everything towards their class. */
static void begin_rows(const struct hl_fit_head *head, const float *centres, double *x)
{
    size_t dim = head->dim;
    double *middle = x + (head->n_rows - head->n_known) * dim, n = 0;

    for (size_t label = 0; label < head->n_classes; label++) {
        if (hl_linalg_dot(centres + label * dim, centres + label * dim, dim) <= 0)
            continue;
        n++;
        for (size_t i = 0; i < dim; i++)
            middle[i] += (double)centres[label * dim + i];
    }
    for (size_t label = 0; label < head->n_classes; label++) {
        size_t row = (size_t)head->row_of[label] - head->n_known;

        if (head->row_of[label] < (int32_t)head->n_known)
            continue;
        for (size_t i = 0; i < dim; i++)
            x[row * dim + i] = (double)centres[label * dim + i] - middle[i] / n;
    }
}

static enum hl_code learn_rows(struct hl_fit_head *head, struct hl_fit_data *old,
                               const float *centres, struct hl_err *err)
{
    struct lesson l = {.head = head, .old = old};
    size_t n = n_new(&l) * head->dim, block = old->block;
    double *room = hl_alloc_zeroed(2 * n + head->dim + n_new(&l), sizeof *room);
    enum hl_code code = HL_OK;

    if (block > MAX_LOGITS / head->n_rows)
        old->block = MAX_LOGITS / head->n_rows + 1;
    l.logits = hl_alloc_zeroed(old->block, head->n_rows * sizeof(float));
    l.turn = hl_alloc_zeroed(head->n_rows, head->dim * sizeof(float));
    if (!room || !l.logits || !l.turn) {
        code = hl_fail(err, HL_NO_MEMORY, "no memory to learn %zu rows", n_new(&l));
    } else {
        struct hl_lbfgs lbfgs = {
            .n = n, .max_rounds = ROUNDS, .tolerance = 1e-4, .value = value_at, .self = &l};

        begin_rows(head, centres, room); /* uses what lies behind x, which is free yet */
        l.directions = room + n;
        l.norms = l.directions + n + head->dim;
        code = hl_lbfgs_run(&lbfgs, room, err);
        place_rows(&l, room);
    }
    old->block = block;
    hl_free(room);
    hl_free(l.logits);
    hl_free(l.turn);
    return code;
}

static size_t count_new(const struct hl_fit_head *head, const struct hl_head *old,
                        const float *centres)
{
    size_t n = 0;

    for (size_t label = old ? old->n_rows : 0; label < head->n_classes; label++)
        n += hl_linalg_dot(centres + label * head->dim, centres + label * head->dim,
                           head->dim) > 0;
    return n;
}

enum hl_code hl_fit_head_learn(const struct hl_head *old_head, struct hl_fit_data *old,
                               size_t n_classes, struct hl_fit_head *ret_head,
                               struct hl_err *err)
{
    struct hl_fit_head head = {.dim = old->lesson.to.dim, .n_classes = n_classes};
    float *centres = NULL;
    int32_t next = old_head ? (int32_t)old_head->n_rows : 0;
    enum hl_code code = hl_fit_centres(old, n_classes, &centres, err);

    if (code == HL_OK)
        code = head_init(&head, old_head, count_new(&head, old_head, centres), err);
    for (size_t label = head.n_known; label < n_classes && code == HL_OK; label++)
        if (hl_linalg_dot(centres + label * head.dim, centres + label * head.dim,
                          head.dim) > 0)
            head.row_of[label] = next++;
    if (code == HL_OK && head.n_rows > head.n_known)
        code = learn_rows(&head, old, centres, err);
    hl_free(centres);
    if (code == HL_OK)
        *ret_head = head;
    else
        hl_fit_head_done(&head);
    return code;
}
