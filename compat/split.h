/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HL_COMPAT_SPLIT_H
#define HL_COMPAT_SPLIT_H

#include "proto/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Rows taken apart by chance: those a bridge is learnt from, those it is chosen by, and
 * those it is reported on. The one place that decides it, for the server and the command
 * line. */
enum hl_split_part { HL_SPLIT_FIT, HL_SPLIT_CHOOSE, HL_SPLIT_REPORT, HL_N_SPLIT_PARTS };

enum { HL_SPLIT_MAX = 10000 /* rows to choose by, and rows to report on */ };

struct hl_split_task {
    size_t n_rows;
    const int32_t *labels; /* NULL: rows are split. Else classes are, whole: for faces */
    bool needs_choose, needs_report; /* a tenth each, at most HL_SPLIT_MAX; else none */
    uint64_t seed;
};

/* The rows of each part by rising number; one block, freed by hl_split_free. */
struct hl_split {
    size_t n[HL_N_SPLIT_PARTS];
    uint32_t *rows[HL_N_SPLIT_PARTS];
};

/* HL_INVALID when a part would be left empty. */
enum hl_code hl_split_make(const struct hl_split_task *task, struct hl_split **ret_split,
                           struct hl_err *err);
void hl_split_free(struct hl_split *split); /* NULL is accepted */

#endif
