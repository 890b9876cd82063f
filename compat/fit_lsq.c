/* SPDX-License-Identifier: Apache-2.0 */
#include "compat/fit_part.h"
#include "compat/linalg.h"
#include "proto/alloc.h"

#include <string.h>

/* Squared loss to the head's targets, in closed form.
 *
 * With the old vector e of a row, the head's rows W brought to a mean length of 1, and the
 * one, w, of its class, |z - e|² + weight·|W·z - 1_w|² is least at
 * z = (e + weight·w)(I + weight·W^T·W)^-1; the map is the regression to that. The weight
 * shrinks as classes outnumber dimensions: W^T·W grows with them, and would leave nothing
 * of e. */

struct sums {
    size_t from, to;
    double *wx, *w; /* of w·x^T and of w, over the rows with a known class */
    float *rows;    /* the head's row of each row of a block */
    float *turn;
};

static double weight_of(const struct hl_fit_head *head)
{
    double share = (double)head->dim / (double)head->n_rows;

    return 2 * (share < 1 ? share : 1);
}

static void add_block(struct sums *s, const struct hl_fit_head *head,
                      const struct hl_fit_block *block)
{
    for (size_t row = 0; row < block->n; row++) {
        int32_t label = block->labels[row], right = label < 0 ? -1 : head->row_of[label];
        float *own = s->rows + row * s->to;

        memset(own, 0, s->to * sizeof *own);
        if (right >= 0)
            hl_linalg_add(own, (float)(1 / head->mean_norm),
                          head->weight + (size_t)right * s->to, s->to);
        for (size_t i = 0; i < s->to; i++)
            s->w[i] += (double)own[i];
    }
    hl_linalg_multiply(
        &(struct hl_product){
            .m = s->to, .n = s->from, .k = block->n, .is_a_turned = true, .alpha = 1},
        s->rows, block->x, s->turn);
    for (size_t i = 0; i < s->to * s->from; i++)
        s->wx[i] += (double)s->turn[i];
}

static enum hl_code sum_up(struct hl_fit_data *data, const struct hl_fit_head *head,
                           struct sums *s, struct hl_err *err)
{
    enum hl_code code = HL_OK;

    s->wx = hl_alloc_zeroed(s->to, (s->from + 1) * sizeof(double));
    s->rows = hl_alloc_zeroed(s->to, (data->block + s->from) * sizeof(float));
    if (!s->wx || !s->rows)
        return hl_fail(err, HL_NO_MEMORY, "no memory for sums over %zu classes",
                       head->n_rows);
    s->w = s->wx + s->to * s->from;
    s->turn = s->rows + s->to * data->block;
    for (size_t first = 0; first < data->lesson.n_rows && code == HL_OK;
         first += data->block) {
        struct hl_fit_block block;

        code = hl_fit_data_block(data, first, &block, err);
        if (code == HL_OK)
            add_block(s, head, &block);
    }
    return code;
}

/* The lower factor of I + weight·W^T·W. */
static enum hl_code factor_head(const struct hl_fit_head *head, double *l,
                                struct hl_err *err)
{
    size_t dim = head->dim;
    float *square = hl_alloc_zeroed(dim, dim * sizeof *square);

    if (!square)
        return hl_fail(err, HL_NO_MEMORY, "no memory for a head of %zu dimensions", dim);
    hl_linalg_multiply(
        &(struct hl_product){
            .m = dim,
            .n = dim,
            .k = head->n_rows,
            .is_a_turned = true,
            .alpha = (float)(weight_of(head) / (head->mean_norm * head->mean_norm))},
        head->weight, head->weight, square);
    for (size_t i = 0; i < dim * dim; i++)
        l[i] = (double)square[i] + (i % (dim + 1) == 0 ? 1 : 0);
    hl_free(square);
    return hl_linalg_cholesky(l, dim, "the head's square", err);
}

/* Into `turned` ((from + 1) x to): covariance of the targets with x, by columns of x, and
 * behind it their mean. */
static void make_targets(const struct hl_fit_stats *stats, const struct hl_fit_head *head,
                         const struct sums *s, const double *l, double *turned)
{
    double weight = weight_of(head);

    for (size_t i = 0; i < s->to; i++) {
        double mean_w = s->w[i] / stats->n;

        for (size_t j = 0; j < s->from; j++)
            turned[j * s->to + i] =
                stats->tx[i * s->from + j] +
                weight * (s->wx[i * s->from + j] / stats->n - mean_w * stats->mean_x[j]);
        turned[s->from * s->to + i] = stats->mean_t[i] + weight * mean_w;
    }
    hl_linalg_solve_right(l, s->to, true, turned, s->from + 1);
    hl_linalg_solve_right(l, s->to, false, turned, s->from + 1);
}

enum hl_code hl_fit_lsq(struct hl_fit_data *data, const struct hl_fit_stats *stats,
                        const struct hl_fit_head *head, struct hl_map **ret_map,
                        struct hl_err *err)
{
    struct sums s = {.from = stats->dim_from, .to = stats->dim_to};
    struct hl_fit_stats aimed = *stats;
    double *room = hl_alloc_zeroed(s.to, (s.to + 2 * (s.from + 1)) * sizeof *room);
    double *turned;
    enum hl_code code =
        room ? sum_up(data, head, &s, err)
             : hl_fail(err, HL_NO_MEMORY, "no memory for a map to %zu", s.to);

    if (code == HL_OK)
        code = factor_head(head, room, err);
    if (code == HL_OK) {
        turned = room + s.to * s.to;
        make_targets(stats, head, &s, room, turned);
        aimed.tx = turned + s.to * (s.from + 1);
        aimed.mean_t = turned + s.to * s.from;
        for (size_t i = 0; i < s.to; i++)
            for (size_t j = 0; j < s.from; j++)
                aimed.tx[i * s.from + j] = turned[j * s.to + i];
        code = hl_fit_ridge(&aimed, 1e-4, ret_map, err);
    }
    hl_free(room);
    hl_free(s.wx);
    hl_free(s.rows);
    return code;
}
