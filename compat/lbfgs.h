/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HL_COMPAT_LBFGS_H
#define HL_COMPAT_LBFGS_H

#include "proto/err.h"

#include <stddef.h>

/* The least value of a smooth function of many numbers, by what its last gradients say of
 * its curvature. Deterministic; one thread. */
struct hl_lbfgs {
    size_t n;
    unsigned max_rounds;
    double tolerance; /* of the gradient's length against the first one's */

    /* Value and gradient at `x`. Called one to a few times a round; a failure ends it. */
    enum hl_code (*value)(void *self, const double *x, double *ret_value, double *gradient,
                          struct hl_err *err);
    void *self;
};

/* Moves `x` downhill from where it is; the value never rises. */
enum hl_code hl_lbfgs_run(const struct hl_lbfgs *task, double *x, struct hl_err *err);

#endif
