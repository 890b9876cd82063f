/* SPDX-License-Identifier: Apache-2.0 */
#include "compat/fit_part.h"
#include "compat/linalg.h"
#include "proto/alloc.h"

#include <string.h>

/* What a pass over the rows needs beside the sums. */
struct pass {
    struct hl_fit_stats *stats;
    const float *centres;
    float *targets; /* of a block, where they are centres */
    float *xx, *tx; /* of a block */
    double *sum_xx, *sum_tx, *sum_x, *sum_t;
    double squares_x, squares_t;
};

static const float *targets_of(struct pass *pass, const struct hl_fit_block *block)
{
    size_t dim = pass->stats->dim_to;

    if (!pass->centres)
        return block->e;
    for (size_t row = 0; row < block->n; row++)
        memcpy(pass->targets + row * dim, pass->centres + (size_t)block->labels[row] * dim,
               dim * sizeof(float));
    return pass->targets;
}

static void add_up(double *sum, const float *values, size_t n)
{
    for (size_t i = 0; i < n; i++)
        sum[i] += (double)values[i];
}

/* In double: where all rows are the same, nothing but rounding would be left of them. */
static double square_of(const float *values, size_t n)
{
    double sum = 0;

    for (size_t i = 0; i < n; i++)
        sum += (double)values[i] * (double)values[i];
    return sum;
}

static void add_block(struct pass *pass, const struct hl_fit_block *block)
{
    size_t dim_from = pass->stats->dim_from, dim_to = pass->stats->dim_to;
    const float *t = targets_of(pass, block);

    hl_linalg_multiply(
        &(struct hl_product){
            .m = dim_from, .n = dim_from, .k = block->n, .is_a_turned = true, .alpha = 1},
        block->x, block->x, pass->xx);
    hl_linalg_multiply(
        &(struct hl_product){
            .m = dim_to, .n = dim_from, .k = block->n, .is_a_turned = true, .alpha = 1},
        t, block->x, pass->tx);
    add_up(pass->sum_xx, pass->xx, dim_from * dim_from);
    add_up(pass->sum_tx, pass->tx, dim_to * dim_from);
    for (size_t row = 0; row < block->n; row++) {
        add_up(pass->sum_x, block->x + row * dim_from, dim_from);
        add_up(pass->sum_t, t + row * dim_to, dim_to);
        pass->squares_x += square_of(block->x + row * dim_from, dim_from);
        pass->squares_t += square_of(t + row * dim_to, dim_to);
    }
    pass->stats->n += (double)block->n;
}

/* Sums become means, and moments about them. */
static void centre(struct pass *pass)
{
    struct hl_fit_stats *s = pass->stats;

    s->spread_x = pass->squares_x / s->n;
    for (size_t i = 0; i < s->dim_from; i++) {
        s->mean_x[i] = pass->sum_x[i] / s->n;
        s->spread_x -= s->mean_x[i] * s->mean_x[i];
    }
    s->spread_t = pass->squares_t / s->n;
    for (size_t i = 0; i < s->dim_to; i++) {
        s->mean_t[i] = pass->sum_t[i] / s->n;
        s->spread_t -= s->mean_t[i] * s->mean_t[i];
    }
    for (size_t i = 0; i < s->dim_from; i++)
        for (size_t j = 0; j < s->dim_from; j++)
            s->xx[i * s->dim_from + j] =
                pass->sum_xx[i * s->dim_from + j] / s->n - s->mean_x[i] * s->mean_x[j];
    for (size_t i = 0; i < s->dim_to; i++)
        for (size_t j = 0; j < s->dim_from; j++)
            s->tx[i * s->dim_from + j] =
                pass->sum_tx[i * s->dim_from + j] / s->n - s->mean_t[i] * s->mean_x[j];
}

static enum hl_code pass_init(struct pass *pass, const struct hl_fit_data *data,
                              struct hl_err *err)
{
    struct hl_fit_stats *s = pass->stats;
    size_t from = s->dim_from, to = s->dim_to;
    double *sums = hl_alloc_zeroed((from + to) * (from + 1) * 2, sizeof *sums);

    /* One block: means and moments first, which the caller keeps, then sums. */
    s->mean_x = sums;
    pass->xx = hl_alloc_zeroed((from + to) * from, sizeof(float));
    if (pass->centres)
        pass->targets = hl_alloc_zeroed(data->block, to * sizeof(float));
    if (!sums || !pass->xx || (pass->centres && !pass->targets))
        return hl_fail(err, HL_NO_MEMORY, "no memory for sums over %zu and %zu dimensions",
                       from, to);
    pass->tx = pass->xx + from * from;
    s->mean_t = s->mean_x + from;
    s->xx = s->mean_t + to;
    s->tx = s->xx + from * from;
    pass->sum_x = s->tx + to * from;
    pass->sum_t = pass->sum_x + from;
    pass->sum_xx = pass->sum_t + to;
    pass->sum_tx = pass->sum_xx + from * from;
    return HL_OK;
}

enum hl_code hl_fit_stats_take(struct hl_fit_data *data, size_t dim_to,
                               const float *centres, struct hl_fit_stats *ret_stats,
                               struct hl_err *err)
{
    struct hl_fit_stats stats = {.dim_from = data->lesson.from.dim, .dim_to = dim_to};
    struct pass pass = {.stats = &stats, .centres = centres};
    enum hl_code code = pass_init(&pass, data, err);

    for (size_t first = 0; first < data->lesson.n_rows && code == HL_OK;
         first += data->block) {
        struct hl_fit_block block;

        code = hl_fit_data_block(data, first, &block, err);
        if (code == HL_OK)
            add_block(&pass, &block);
    }
    if (code == HL_OK) {
        centre(&pass);
        *ret_stats = stats;
    } else {
        hl_fit_stats_done(&stats);
    }
    hl_free(pass.xx);
    hl_free(pass.targets);
    return code;
}

void hl_fit_stats_done(struct hl_fit_stats *stats)
{
    hl_free(stats->mean_x); /* the head of the block */
    *stats = (struct hl_fit_stats){0};
}
