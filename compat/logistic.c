/* SPDX-License-Identifier: Apache-2.0 */
#include "compat/logistic.h"

#include <math.h>

enum { MAX_ROUNDS = 100, MAX_HALVINGS = 40 };

void hl_logistic_add(struct hl_logistic *logistic, float score, bool is_same)
{
    double bin = ((double)score + 1) / 2 * HL_LOGISTIC_BINS;
    size_t i;

    if (isnan(score))
        return;
    i = bin <= 0 ? 0 : bin >= HL_LOGISTIC_BINS ? HL_LOGISTIC_BINS - 1 : (size_t)bin;
    if (is_same)
        logistic->same[i]++;
    else
        logistic->other[i]++;
}

/* Scores are taken from their mean and in units of their spread, so that the two numbers
 * hardly depend on each other and Newton's step is good from the start. */
struct fitting {
    const struct hl_logistic *logistic;
    double n_same, n_other, middle, spread;
    double target_same, target_other;
};

static double score_at(size_t bin)
{
    return (2 * (double)bin + 1) / HL_LOGISTIC_BINS - 1;
}

static void init_fitting(struct fitting *fitting, const struct hl_logistic *logistic)
{
    double n, sum = 0, squares = 0;

    *fitting = (struct fitting){.logistic = logistic};
    for (size_t bin = 0; bin < HL_LOGISTIC_BINS; bin++) {
        double same = (double)logistic->same[bin], other = (double)logistic->other[bin];

        fitting->n_same += same;
        fitting->n_other += other;
        sum += (same + other) * score_at(bin);
        squares += (same + other) * score_at(bin) * score_at(bin);
    }
    n = fitting->n_same + fitting->n_other;
    fitting->middle = n > 0 ? sum / n : 0;
    fitting->spread =
        n > 0 ? sqrt(fmax(squares / n - fitting->middle * fitting->middle, 0)) : 0;
    fitting->spread = fmax(fitting->spread, 1.0 / HL_LOGISTIC_BINS);
    fitting->target_same = (fitting->n_same + 1) / (fitting->n_same + 2);
    fitting->target_other = 1 / (fitting->n_other + 2);
}

/* log(1 + exp(v)), which neither overflows nor loses what is small. */
static double softplus(double v)
{
    return v > 0 ? v + log1p(exp(-v)) : log1p(exp(v));
}

/* Value, gradient and Hessian of the loss at slope x, offset y (of centred scores). */
struct loss {
    double value, gx, gy, hxx, hxy, hyy;
};

static void add_cases(struct loss *loss, double z, double v, double n, double target)
{
    double p = 1 / (1 + exp(-v));

    loss->value += n * (softplus(v) - target * v);
    loss->gx += n * (p - target) * z;
    loss->gy += n * (p - target);
    loss->hxx += n * p * (1 - p) * z * z;
    loss->hxy += n * p * (1 - p) * z;
    loss->hyy += n * p * (1 - p);
}

static struct loss loss_at(const struct fitting *fitting, double x, double y)
{
    struct loss loss = {0};

    for (size_t bin = 0; bin < HL_LOGISTIC_BINS; bin++) {
        uint64_t same = fitting->logistic->same[bin], other = fitting->logistic->other[bin];
        double z = (score_at(bin) - fitting->middle) / fitting->spread;

        if (same)
            add_cases(&loss, z, x * z + y, (double)same, fitting->target_same);
        if (other)
            add_cases(&loss, z, x * z + y, (double)other, fitting->target_other);
    }
    return loss;
}

/* One step, halved until it helps; false when none does any more. */
static bool step(const struct fitting *fitting, struct loss *loss, double *x, double *y)
{
    /* A trace of ridge: far from the solution the Hessian can vanish. */
    double ridge = 1e-12 * (loss->hxx + loss->hyy) + 1e-300;
    double hxx = loss->hxx + ridge, hyy = loss->hyy + ridge;
    double determinant = hxx * hyy - loss->hxy * loss->hxy;
    double dx = (hyy * loss->gx - loss->hxy * loss->gy) / determinant;
    double dy = (hxx * loss->gy - loss->hxy * loss->gx) / determinant;

    if (!isfinite(dx) || !isfinite(dy))
        return false;
    for (int i = 0; i < MAX_HALVINGS; i++) {
        struct loss next = loss_at(fitting, *x - dx, *y - dy);

        if (next.value < loss->value) {
            *x -= dx;
            *y -= dy;
            *loss = next;
            return true;
        }
        dx /= 2;
        dy /= 2;
    }
    return false;
}

struct hl_scale hl_logistic_fit(const struct hl_logistic *logistic)
{
    struct fitting fitting;
    struct loss loss;
    double x = 0, y, slope;

    init_fitting(&fitting, logistic);
    if (!(fitting.n_same > 0 && fitting.n_other > 0))
        return (struct hl_scale){0};
    y = log(fitting.n_same / fitting.n_other);
    loss = loss_at(&fitting, x, y);
    for (int round = 0; round < MAX_ROUNDS; round++) {
        double before = loss.value;

        if (!step(&fitting, &loss, &x, &y) || before - loss.value <= 1e-13 * fabs(before))
            break;
    }
    slope = x / fitting.spread;
    if (!(slope > 0) || !isfinite(slope))
        return (struct hl_scale){0};
    return (struct hl_scale){(float)slope, (float)(y - slope * fitting.middle)};
}
