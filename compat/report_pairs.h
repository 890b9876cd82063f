/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HL_COMPAT_REPORT_PAIRS_H
#define HL_COMPAT_REPORT_PAIRS_H

#include "compat/sitting.h"

/* What scores mean, over pairs of a ranked query and an item: precision and recall by
 * threshold, true accepts at a rate of false ones. Internal to the report. */
enum hl_code hl_report_take_pairs(struct hl_sitting *sitting, struct hl_report *report,
                                  struct hl_err *err);

#endif
