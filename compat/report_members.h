/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HL_COMPAT_REPORT_MEMBERS_H
#define HL_COMPAT_REPORT_MEMBERS_H

#include "compat/report.h"

#include <stddef.h>

/* What the parts of a report are called, for those that make, print and read it: files
 * compat/report_*.c alone. */
struct hl_report_member {
    const char *key;   /* in JSON */
    size_t offset;     /* in the part */
    const char *words; /* in a table */
};

struct hl_report_members {
    const struct hl_report_member *items;
    size_t n;
};

extern const char *const hl_report_group_names[HL_REPORT_GROUPS]; /* all is the first */

extern const struct hl_report_members hl_retrieval_members; /* of hl_retrieval: figures */
extern const struct hl_report_members
    hl_group_retrievals;                                /* of hl_report_group: retrievals */
extern const struct hl_report_members hl_group_figures; /* of hl_report_group: figures */
extern const struct hl_report_members hl_step_members;  /* of hl_report_step: figures */

#endif
