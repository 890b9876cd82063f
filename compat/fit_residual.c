/* SPDX-License-Identifier: Apache-2.0 */
#include "compat/fit_part.h"
#include "compat/linalg.h"
#include "proto/alloc.h"
#include "proto/random.h"

#include <math.h>
#include <string.h>

enum { BATCH = 512 };

/* A map that grows a residual, by Adam over shuffled rows. */
struct school {
    const struct hl_fit_residual *task;
    struct hl_map *map, *turn; /* `turn`: the gradient, in the same shape */
    float *drift, *force;      /* Adam's two means, of every number */
    size_t n_numbers;
    struct hl_goal_room room;
    float *x, *e, *u, *gradient, *norms, *hidden, *hidden_gradient; /* of a batch */
    int32_t *labels;
    uint32_t *order;
};

static size_t numbers_of(const struct hl_map *map)
{
    return map->dim_out * (map->dim_in + 1) +
           map->n_hidden * (map->dim_in + 1 + map->dim_out);
}

/* The rows of a batch side by side. */
static struct hl_fit_block gather(struct school *s, const uint32_t *numbers, size_t n)
{
    const struct hl_fit_data *data = s->task->data;
    size_t from = data->lesson.from.dim, to = data->lesson.to.dim;

    for (size_t i = 0; i < n; i++) {
        memcpy(s->x + i * from, data->from + numbers[i] * from, from * sizeof *s->x);
        if (data->to)
            memcpy(s->e + i * to, data->to + numbers[i] * to, to * sizeof *s->e);
        if (data->lesson.labels)
            s->labels[i] = data->lesson.labels[numbers[i]];
    }
    return (struct hl_fit_block){.n = n,
                                 .x = s->x,
                                 .e = data->to ? s->e : NULL,
                                 .labels = data->lesson.labels ? s->labels : NULL};
}

/* weight (rows x k) := out^T (n x rows) · in (n x k), bias := sums of out. */
static void take_back(const float *out, const float *in, size_t n, size_t rows, size_t k,
                      float *weight)
{
    hl_linalg_multiply(
        &(struct hl_product){.m = rows, .n = k, .k = n, .is_a_turned = true, .alpha = 1},
        out, in, weight);
}

static void sum_rows(const float *out, size_t n, size_t dim, float *sums)
{
    memset(sums, 0, dim * sizeof *sums);
    for (size_t i = 0; i < n; i++)
        hl_linalg_add(sums, 1, out + i * dim, dim);
}

static void backward(struct school *s, size_t n)
{
    struct hl_map *map = s->map, *turn = s->turn;
    size_t from = map->dim_in, to = map->dim_out, width = map->n_hidden;

    for (size_t i = 0; i < n * to; i++)
        s->gradient[i] /= (float)n;
    take_back(s->gradient, s->x, n, to, from, turn->p);
    sum_rows(s->gradient, n, to, turn->c);
    take_back(s->gradient, s->hidden, n, to, width, turn->b);
    hl_linalg_multiply(&(struct hl_product){.m = n, .n = width, .k = to, .alpha = 1},
                       s->gradient, map->b, s->hidden_gradient);
    for (size_t i = 0; i < n * width; i++)
        s->hidden_gradient[i] = s->hidden[i] > 0 ? s->hidden_gradient[i] : 0;
    take_back(s->hidden_gradient, s->x, n, width, from, turn->a);
    sum_rows(s->hidden_gradient, n, width, turn->a_bias);
}

/* Numbers that lie side by side in a map, and their gradient's. */
struct piece {
    float *numbers;
    const float *turn;
    size_t n;
};

/* Adam, with its two means made good for having begun at nothing. */
static void step(struct school *s, float rate, unsigned count)
{
    const struct hl_map *map = s->map, *turn = s->turn;
    const struct piece pieces[] = {
        {map->p, turn->p, map->dim_out * map->dim_in},
        {map->c, turn->c, map->dim_out},
        {map->a, turn->a, map->n_hidden * map->dim_in},
        {map->a_bias, turn->a_bias, map->n_hidden},
        {map->b, turn->b, map->dim_out * map->n_hidden},
    };
    float unbias = 1 - powf(.9f, (float)count), unbias2 = 1 - powf(.999f, (float)count);
    float *drift = s->drift, *force = s->force;

    for (size_t k = 0; k < sizeof pieces / sizeof *pieces; k++) {
        for (size_t i = 0; i < pieces[k].n; i++) {
            float slope = pieces[k].turn[i];

            drift[i] += .1f * (slope - drift[i]);
            force[i] += .001f * (slope * slope - force[i]);
            pieces[k].numbers[i] -=
                rate * (drift[i] / unbias) / (sqrtf(force[i] / unbias2) + 1e-8f);
        }
        drift += pieces[k].n;
        force += pieces[k].n;
    }
}

static enum hl_code learn_epochs(struct school *s, struct hl_err *err)
{
    const struct hl_fit_residual *task = s->task;
    size_t n_rows = (size_t)task->data->lesson.n_rows;
    size_t n_steps = (n_rows + BATCH - 1) / BATCH * task->epochs, count = 0;
    struct hl_random random = {hl_random_mix(task->seed ^ 0x6570u)};
    enum hl_code code = HL_OK;

    for (unsigned epoch = 0; epoch < task->epochs; epoch++) {
        hl_random_shuffle(&random, s->order, n_rows);
        for (size_t first = 0; first < n_rows && code == HL_OK; first += BATCH) {
            size_t n = n_rows - first < BATCH ? n_rows - first : BATCH;
            struct hl_fit_block block = gather(s, s->order + first, n);
            double cooling =
                .5 * (1 + cos(3.141592653589793 * (double)count / (double)n_steps));

            hl_map_forward(s->map, s->x, n, s->hidden, s->norms, s->u);
            hl_goal_block(task->goal, &block, s->order + first, s->u, s->gradient,
                          &s->room);
            hl_goal_through_length(s->gradient, s->u, s->norms, n, s->map->dim_out);
            backward(s, n);
            step(s, task->rate * (float)cooling, (unsigned)++count);
            hl_fit_tell(task->data->pace, (double)count / (double)n_steps);
            code = hl_fit_go_on(task->data->pace, err);
        }
        if (code != HL_OK)
            break;
    }
    return code;
}

static enum hl_code school_init(struct school *s, const struct hl_map *start,
                                struct hl_err *err)
{
    const struct hl_fit_residual *task = s->task;
    size_t from = start->dim_in, to = start->dim_out, width = task->n_hidden;
    size_t n_rows = (size_t)task->data->lesson.n_rows;
    float *room;
    enum hl_code code = hl_map_new(from, to, width, &s->map, err);

    if (code == HL_OK)
        code = hl_map_new(from, to, width, &s->turn, err);
    if (code == HL_OK)
        code = hl_goal_room_init(&s->room, task->goal, BATCH, err);
    if (code != HL_OK)
        return code;
    s->n_numbers = numbers_of(s->map);
    s->drift = hl_alloc_zeroed(s->n_numbers, 2 * sizeof(float));
    s->x = room = hl_alloc_zeroed(from + 3 * to + 2 * width + 1, BATCH * sizeof(float));
    s->labels = hl_alloc_zeroed(BATCH, sizeof *s->labels);
    s->order = hl_alloc_zeroed(n_rows, sizeof *s->order);
    if (!s->drift || !room || !s->labels || !s->order)
        return hl_fail(err, HL_NO_MEMORY, "no memory to learn %zu numbers", s->n_numbers);
    s->force = s->drift + s->n_numbers;
    s->e = room + BATCH * from;
    s->u = s->e + BATCH * to;
    s->gradient = s->u + BATCH * to;
    s->hidden = s->gradient + BATCH * to;
    s->hidden_gradient = s->hidden + BATCH * width;
    s->norms = s->hidden_gradient + BATCH * width;
    for (size_t i = 0; i < n_rows; i++)
        s->order[i] = (uint32_t)i;
    return HL_OK;
}

/* The linear part as it is, the way in by chance, the way out nothing. */
static void begin(struct school *s, const struct hl_map *start)
{
    struct hl_random random = {hl_random_mix(s->task->seed ^ 0x7769u)};
    size_t n = s->map->n_hidden * s->map->dim_in;
    double spread_in = 3 / sqrt((double)s->map->dim_in);

    memcpy(s->map->p, start->p, start->dim_in * start->dim_out * sizeof(float));
    memcpy(s->map->c, start->c, start->dim_out * sizeof(float));
    for (size_t i = 0; i < n; i++)
        s->map->a[i] = (float)(spread_in * hl_random_normal(&random));
}

enum hl_code hl_fit_residual(const struct hl_fit_residual *task, const struct hl_map *start,
                             struct hl_map **ret_map, struct hl_err *err)
{
    struct school s = {.task = task};
    enum hl_code code = school_init(&s, start, err);

    if (code == HL_OK) {
        begin(&s, start);
        code = learn_epochs(&s, err);
    }
    if (code == HL_OK) {
        *ret_map = s.map;
        s.map = NULL;
    }
    hl_map_free(s.map);
    hl_map_free(s.turn);
    hl_goal_room_done(&s.room);
    hl_free(s.drift);
    hl_free(s.x);
    hl_free(s.labels);
    hl_free(s.order);
    return code;
}
