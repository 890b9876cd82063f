/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HL_TESTS_COMPAT_SETS_H
#define HL_TESTS_COMPAT_SETS_H

#include "compat/fit.h"
#include "compat/report.h"

#include <stdbool.h>

/* Real embeddings of several models, and bridges learnt from them. A failure ends the
 * program with a sentence. */

/* What of a set a bridge is learnt from. */
enum lesson_kind {
    ALL,      /* labelled pairs and the old head */
    FEW,      /* 500 of them; `draw` says which */
    UNPAIRED, /* labelled rows of the new model, labelled items of the old one, its head */
    PAIRS_ALONE, /* neither labels nor a head */
    FOCAL        /* all, and held to the old model's opinion */
};

struct lesson {
    const char *set, *from, *to, *kind;
    enum lesson_kind lesson;
    int draw;
};

const char *lesson_name(enum lesson_kind kind);
bool lesson_is(const struct lesson *a, const struct lesson *b);

struct learnt {
    struct lesson lesson;
    struct hl_bridge *bridge;
    struct hl_report *report; /* on the test rows, with labels even where it had none */
};

void learnt_make(const char *folder, const struct lesson *lesson, uint64_t seed,
                 struct learnt *ret_learnt);
void learnt_done(struct learnt *learnt);

/* The report of one bridge behind another. */
void learnt_chain(const char *folder, const struct learnt *first,
                  const struct learnt *second, struct hl_report **ret_report);

#endif
