/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HL_SERVER_LEARN_PART_H
#define HL_SERVER_LEARN_PART_H

#include "server/learn.h"

/* What learn.c and its files share; for them alone. */

/* Some rows of a lesson, as a lesson. Borrows that one and the numbers. */
struct hl_learn_part {
    struct hl_lesson lesson;
    struct hl_rows_pick from, to;
    int32_t *labels;
    uint8_t *modalities;
};
enum hl_code hl_learn_part_init(struct hl_learn_part *part, const struct hl_lesson *of,
                                const uint32_t *numbers, size_t n, struct hl_err *err);
void hl_learn_part_done(struct hl_learn_part *part);

/* What anybody can see is wrong before the work begins. */
enum hl_code hl_learn_check(const struct hl_learn *learn, struct hl_err *err);
enum hl_code hl_learn_check_judging(const struct hl_judging *judging, struct hl_err *err);

/* The report of a bridge: an object. `split_by` is NULL where no rows were split off. */
void hl_learn_print(const struct hl_learn *learn, const struct hl_learnt *learnt,
                    const char *split_by, struct hl_buf *json);
void hl_learn_print_inputs(const struct hl_learn_source *source, struct hl_buf *json);

#endif
