/* SPDX-License-Identifier: Apache-2.0 */
#include "compat/lbfgs.h"

#include "compat/linalg.h"
#include "proto/alloc.h"

#include <math.h>
#include <string.h>

enum { MEMORY = 6, MAX_TRIES = 12 };

struct descent {
    const struct hl_lbfgs *task;
    double *x, *gradient;         /* where we are */
    double *next, *next_gradient; /* where we may go */
    double *way;                  /* the direction */
    double *steps, *changes;      /* of x and of the gradient: MEMORY rows each, a ring */
    double bends[MEMORY];         /* step · change of each */
    size_t n_kept, newest;
    double value;
};

static double *ring(double *rows, const struct descent *d, size_t i)
{
    return rows + i * d->task->n;
}

/* The two loops: way := -H·gradient, H as the kept steps say. */
static void choose_way(struct descent *d)
{
    size_t n = d->task->n;
    double shares[MEMORY] = {0};

    for (size_t i = 0; i < n; i++)
        d->way[i] = -d->gradient[i];
    for (size_t age = 0; age < d->n_kept; age++) {
        size_t i = (d->newest + MEMORY - age) % MEMORY;

        shares[i] = hl_linalg_dot_double(ring(d->steps, d, i), d->way, n) / d->bends[i];
        hl_linalg_add_double(d->way, -shares[i], ring(d->changes, d, i), n);
    }
    if (d->n_kept > 0) {
        const double *change = ring(d->changes, d, d->newest);
        double scale = d->bends[d->newest] / hl_linalg_dot_double(change, change, n);

        for (size_t i = 0; i < n; i++)
            d->way[i] *= scale;
    }
    for (size_t age = d->n_kept; age-- > 0;) {
        size_t i = (d->newest + MEMORY - age) % MEMORY;
        double share =
            hl_linalg_dot_double(ring(d->changes, d, i), d->way, n) / d->bends[i];

        hl_linalg_add_double(d->way, shares[i] - share, ring(d->steps, d, i), n);
    }
}

/* Shorter and shorter steps until the value falls by enough of what the slope promised.
 * *ret_fell is false when none does: the end, as exactly as floats go. */
static enum hl_code step_down(struct descent *d, double length, bool *ret_fell,
                              struct hl_err *err)
{
    size_t n = d->task->n;
    double slope = hl_linalg_dot_double(d->gradient, d->way, n), value = 0;
    enum hl_code code = HL_OK;

    *ret_fell = false;
    for (int tries = 0; tries < MAX_TRIES && slope < 0 && code == HL_OK; tries++) {
        memcpy(d->next, d->x, n * sizeof *d->next);
        hl_linalg_add_double(d->next, length, d->way, n);
        code = d->task->value(d->task->self, d->next, &value, d->next_gradient, err);
        if (code == HL_OK && isfinite(value) && value <= d->value + 1e-4 * length * slope) {
            d->value = value;
            *ret_fell = true;
            break;
        }
        length *= .35;
    }
    return code;
}

/* Keeps what the step taught, unless it bends the wrong way, and goes there. */
static void take_step(struct descent *d)
{
    size_t n = d->task->n, slot = d->n_kept > 0 ? (d->newest + 1) % MEMORY : 0;
    double *step = ring(d->steps, d, slot), *change = ring(d->changes, d, slot), *spare;

    for (size_t i = 0; i < n; i++) {
        step[i] = d->next[i] - d->x[i];
        change[i] = d->next_gradient[i] - d->gradient[i];
    }
    d->bends[slot] = hl_linalg_dot_double(step, change, n);
    if (d->bends[slot] > 1e-12 * hl_linalg_dot_double(change, change, n)) {
        d->newest = slot;
        d->n_kept += d->n_kept < MEMORY;
    } else {
        d->n_kept = 0; /* the slot may have held one that counted */
    }
    memcpy(d->x, d->next, n * sizeof *d->x);
    spare = d->gradient;
    d->gradient = d->next_gradient;
    d->next_gradient = spare;
}

static enum hl_code descend(struct descent *d, struct hl_err *err)
{
    size_t n = d->task->n;
    double first = 0;
    enum hl_code code = d->task->value(d->task->self, d->x, &d->value, d->gradient, err);

    for (unsigned round = 0; round < d->task->max_rounds && code == HL_OK; round++) {
        double steepness = sqrt(hl_linalg_dot_double(d->gradient, d->gradient, n));
        bool fell;

        first = round == 0 ? steepness : first;
        if (!(steepness > d->task->tolerance * first))
            break;
        choose_way(d);
        code = step_down(d, d->n_kept > 0 ? 1 : 1 / fmax(1, steepness), &fell, err);
        if (code != HL_OK)
            break;
        if (fell)
            take_step(d);
        else if (d->n_kept == 0)
            break;
        else
            d->n_kept = 0; /* what was kept misled: straight down, once more */
    }
    return code;
}

enum hl_code hl_lbfgs_run(const struct hl_lbfgs *task, double *x, struct hl_err *err)
{
    size_t n = task->n;
    struct descent d = {.task = task};
    double *room = hl_alloc_zeroed(n * (4 + 2 * MEMORY), sizeof *room);
    enum hl_code code;

    if (!room)
        return hl_fail(err, HL_NO_MEMORY, "no memory to learn %zu numbers", n);
    d.x = x;
    d.gradient = room;
    d.next = room + n;
    d.next_gradient = room + 2 * n;
    d.way = room + 3 * n;
    d.steps = room + 4 * n;
    d.changes = d.steps + MEMORY * n;
    code = descend(&d, err);
    hl_free(room);
    return code;
}
