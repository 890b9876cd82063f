/* SPDX-License-Identifier: Apache-2.0 */
#include "compat/fit_part.h"
#include "compat/lbfgs.h"
#include "compat/linalg.h"
#include "proto/alloc.h"

#include <string.h>

/* A linear map by L-BFGS over whitened inputs.
 *
 * With L·L^T the covariance of x, what is searched for is Q = P·L and d = c + P·mean: in
 * those every direction of x matters alike, and ten rounds do what hundreds do without. The
 * rows stay as they are; P = Q·L^-1 is made anew for each round, and gradients go back the
 * same way. */
struct descent {
    const struct hl_fit_linear *task;
    struct hl_map *map; /* of the point that is being tried */
    double *p;          /* the same, exact */
    double *start;      /* the point it began at, and how much being there counts */
    double hold;
    struct hl_goal_room room;
    unsigned n_looks;
    float *u, *gradient, *norms; /* of a block */
    float *turn, *shift;         /* of a block: what P and c would change by */
    double *sum;                 /* of those over blocks: P's, then c's */
};

static size_t n_of_p(const struct descent *d)
{
    return d->map->dim_in * d->map->dim_out;
}

static void point_to_map(struct descent *d, const double *x)
{
    const struct hl_fit_stats *s = d->task->stats;
    size_t n = n_of_p(d);

    memcpy(d->p, x, n * sizeof *d->p);
    hl_linalg_solve_right(d->task->l, s->dim_from, false, d->p, s->dim_to);
    for (size_t i = 0; i < n; i++)
        d->map->p[i] = (float)d->p[i];
    for (size_t i = 0; i < s->dim_to; i++)
        d->map->c[i] = (float)(x[n + i] - hl_linalg_dot_double(d->p + i * s->dim_from,
                                                               s->mean_x, s->dim_from));
}

static void map_to_point(const struct descent *d, double *x)
{
    const struct hl_fit_stats *s = d->task->stats;
    size_t n = n_of_p(d);

    for (size_t i = 0; i < n; i++)
        d->p[i] = (double)d->map->p[i];
    hl_linalg_multiply_double(
        &(struct hl_product){
            .m = s->dim_to, .n = s->dim_from, .k = s->dim_from, .alpha = 1},
        d->p, d->task->l, x);
    for (size_t i = 0; i < s->dim_to; i++)
        x[n + i] = (double)d->map->c[i] +
                   hl_linalg_dot_double(d->p + i * s->dim_from, s->mean_x, s->dim_from);
}

static double learn_block(struct descent *d, const struct hl_fit_block *block)
{
    size_t from = d->map->dim_in, to = d->map->dim_out;
    double loss;

    hl_map_forward(d->map, block->x, block->n, NULL, d->norms, d->u);
    loss = hl_goal_block(d->task->goal, block, NULL, d->u, d->gradient, &d->room);
    hl_goal_through_length(d->gradient, d->u, d->norms, block->n, to);
    hl_linalg_multiply(
        &(struct hl_product){
            .m = to, .n = from, .k = block->n, .is_a_turned = true, .alpha = 1},
        d->gradient, block->x, d->turn);
    memset(d->shift, 0, to * sizeof *d->shift);
    for (size_t row = 0; row < block->n; row++)
        hl_linalg_add(d->shift, 1, d->gradient + row * to, to);
    for (size_t i = 0; i < to * from; i++)
        d->sum[i] += (double)d->turn[i];
    for (size_t i = 0; i < to; i++)
        d->sum[to * from + i] += (double)d->shift[i];
    return loss;
}

/* Sums over rows, by P and c, into means by Q and d. */
static void whiten_gradient(const struct descent *d, double *gradient)
{
    const struct hl_fit_stats *s = d->task->stats;
    size_t n = n_of_p(d);
    double share = 1 / (double)d->task->data->lesson.n_rows;

    for (size_t i = 0; i < n + s->dim_to; i++)
        gradient[i] = d->sum[i] * share;
    for (size_t i = 0; i < s->dim_to; i++)
        hl_linalg_add_double(gradient + i * s->dim_from, -gradient[n + i], s->mean_x,
                             s->dim_from);
    hl_linalg_solve_right(d->task->l, s->dim_from, true, gradient, s->dim_to);
}

/* hold · |x - start|², and its gradient. */
static double hold_on(const struct descent *d, const double *x, double *gradient)
{
    double sum = 0;

    for (size_t i = 0; i < n_of_p(d) + d->map->dim_out; i++) {
        double apart = x[i] - d->start[i];

        sum += apart * apart;
        gradient[i] += 2 * d->hold * apart;
    }
    return d->hold * sum;
}

static enum hl_code value_at(void *self, const double *x, double *ret_value,
                             double *gradient, struct hl_err *err)
{
    struct descent *d = self;
    struct hl_fit_data *data = d->task->data;
    double loss = 0;
    enum hl_code code = HL_OK;

    hl_fit_tell(data->pace, d->n_looks / (d->n_looks + 4.0));
    d->n_looks++;
    point_to_map(d, x);
    memset(d->sum, 0, (n_of_p(d) + d->map->dim_out) * sizeof *d->sum);
    for (size_t first = 0; first < data->lesson.n_rows && code == HL_OK;
         first += data->block) {
        struct hl_fit_block block;

        code = hl_fit_data_block(data, first, &block, err);
        if (code == HL_OK)
            loss += learn_block(d, &block);
    }
    if (code == HL_OK) {
        whiten_gradient(d, gradient);
        *ret_value = loss / (double)data->lesson.n_rows + hold_on(d, x, gradient);
    }
    return code;
}

static enum hl_code descent_init(struct descent *d, struct hl_err *err)
{
    size_t from = d->map->dim_in, to = d->map->dim_out, block = d->task->data->block;
    enum hl_code code = hl_goal_room_init(&d->room, d->task->goal, block, err);

    if (code != HL_OK)
        return code;
    d->p = hl_alloc_zeroed(3 * (from + 1) * to, sizeof *d->p);
    d->u = hl_alloc_zeroed(2 * to + 1, block * sizeof *d->u);
    d->turn = hl_alloc_zeroed((from + 1) * to, sizeof *d->turn);
    if (!d->p || !d->u || !d->turn)
        return hl_fail(err, HL_NO_MEMORY, "no memory to learn a map from %zu to %zu", from,
                       to);
    d->sum = d->p + (from + 1) * to;
    d->start = d->sum + (from + 1) * to;
    d->gradient = d->u + block * to;
    d->norms = d->gradient + block * to;
    d->shift = d->turn + from * to;
    return HL_OK;
}

enum hl_code hl_fit_linear(const struct hl_fit_linear *task, struct hl_map *map,
                           struct hl_err *err)
{
    struct descent d = {.task = task, .map = map};
    size_t n = (map->dim_in + 1) * map->dim_out;
    double *x = hl_alloc_zeroed(n, sizeof *x);
    enum hl_code code = x ? descent_init(&d, err)
                          : hl_fail(err, HL_NO_MEMORY, "no memory to learn %zu numbers", n);

    if (code == HL_OK) {
        struct hl_lbfgs lbfgs = {.n = n,
                                 .max_rounds = task->max_rounds,
                                 .tolerance = 1e-4,
                                 .value = value_at,
                                 .self = &d};

        map_to_point(&d, x);
        memcpy(d.start, x, n * sizeof *x);
        d.hold = task->hold;
        code = hl_lbfgs_run(&lbfgs, x, err);
        point_to_map(&d, x);
    }
    hl_goal_room_done(&d.room);
    hl_free(d.p);
    hl_free(d.u);
    hl_free(d.turn);
    hl_free(x);
    return code;
}
