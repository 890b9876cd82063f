/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HL_COMPAT_FIT_WAYS_H
#define HL_COMPAT_FIT_WAYS_H

#include "compat/fit.h"

/* Gives text, and then images, maps of their own where the holdout is served better by
 * them. `bridge` is what was learnt on all rows. Internal to fits. */
enum hl_code hl_fit_ways(const struct hl_fit *fit, struct hl_bridge *bridge,
                         struct hl_err *err);

#endif
