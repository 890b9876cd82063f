/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HL_COMPAT_REPORT_GROUPS_H
#define HL_COMPAT_REPORT_GROUPS_H

#include "compat/sitting.h"

/* What a sitting's answers say of all queries and of groups of them. Internal to the
 * report. */

/* Takes the answers at fidelity 0 and fills the groups that the exam has. */
enum hl_code hl_report_take_groups(struct hl_sitting *sitting, struct hl_report *report,
                                   struct hl_err *err);

/* What is served, of every group, from `new_old` as it stands now. */
void hl_report_fill_served(const struct hl_sitting *sitting, struct hl_report *report);

/* One step of the sweep from `new_old` and `places` as they stand now. */
void hl_report_fill_step(const struct hl_sitting *sitting, struct hl_report_step *step);

#endif
