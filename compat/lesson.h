/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HL_COMPAT_LESSON_H
#define HL_COMPAT_LESSON_H

#include "compat/rows.h"
#include "proto/deadline.h"

/* What a bridge is learnt from, or judged on: photographs as two models see them, and what
 * is on them.
 *
 * Plain data, borrowed. Row i of everything that is there is the same photograph. */
struct hl_lesson {
    uint64_t n_rows;
    struct hl_rows from, to;   /* dim 0: that model has not seen them */
    const int32_t *labels;     /* NULL: unknown. A class each, by its number in hl_labels */
    const uint8_t *modalities; /* enum hl_modality each; NULL: all are images */
};

enum hl_modality { HL_MODALITY_IMAGE, HL_MODALITY_TEXT, HL_N_MODALITIES };

/* How far something long is, and whether to go on. `tell` may be NULL; it is given a short
 * name of the phase and the share of the whole that is done, and calls nothing back. */
struct hl_errand {
    const struct hl_deadline *deadline;
    void (*tell)(void *self, const char *phase, double progress);
    void *self;
};

#endif
