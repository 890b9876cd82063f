/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HL_COMPAT_MIXES_H
#define HL_COMPAT_MIXES_H

#include "compat/report.h"

/* Which strategy serves a bridge better while a gallery is on its way from one model to the
 * other: some items have the new vector alone, the rest the old one alone.
 *
 * `backward` looks for everything in the old space, new items by their faithful images.
 * `dual` finds new items by the query as it is, old ones by the mapped query, and brings
 * both to one scale. Queries go through the maps at the bridge's own fidelity. What is
 * found is relevant as it is when a bridge is tuned: by label, or the very photograph.
 * Scores of old items, of images and of new items are merged as they are when they are
 * served: on the scale of the query's own model, where that was measured. */

struct hl_sitting;

/* Measures both on the sitting's exam. Nothing can be said of a chain, nor of `dual` where
 * its two scales were not measured. */
enum hl_code hl_mixes_take(const struct hl_sitting *sitting, struct hl_mixes *ret_mixes,
                           struct hl_err *err);

/* The strategy of the higher mean of mAP over the mixes by chance: `backward` where they
 * are equal or one cannot be said, and where `dual` finds less at once than chance
 * explains, in the mixes by chance or in those by class. */
enum hl_bridge_strategy hl_mixes_better(const struct hl_mixes *mixes);

/* On the holdout, once fidelity and scales of the bridge are what they will be: sets its
 * strategy to the better one. */
enum hl_code hl_mixes_choose(const struct hl_report_task *task, struct hl_bridge *bridge,
                             struct hl_mixes *ret_mixes, struct hl_err *err);

#endif
