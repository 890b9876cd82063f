/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HL_SERVER_LEARN_PART_H
#define HL_SERVER_LEARN_PART_H

#include "compat/split.h"
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

/* Rows of two models that are no pairs, each beside one of the same class: enough for
 * every figure that looks at classes alone. Borrows both. */
struct hl_learn_twins {
    struct hl_lesson lesson; /* n_rows 0: none */
    struct hl_learn_part from, to;
    uint32_t *numbers;
};
enum hl_code hl_learn_twins_init(struct hl_learn_twins *twins, const struct hl_lesson *from,
                                 const struct hl_lesson *to, struct hl_err *err);
void hl_learn_twins_done(struct hl_learn_twins *twins);

/* What is learnt from, chosen by and reported on. n_rows 0: none. */
struct hl_learn_rows {
    struct hl_lesson fit, items, choose, report;
    const char *split_by;       /* NULL: nothing was split; else "row" or "class" */
    bool are_twins;             /* `choose` and `report` are no pairs */
    struct hl_split *splits[2]; /* of the data, of the items */
    struct hl_learn_part parts[2][HL_N_SPLIT_PARTS];
    struct hl_learn_twins twins[2]; /* to choose by, to report on */
};
enum hl_code hl_learn_rows_init(struct hl_learn_rows *rows, const struct hl_learn *learn,
                                struct hl_err *err);
void hl_learn_rows_done(struct hl_learn_rows *rows);

size_t hl_learn_count_classes(const struct hl_learn_source *source);

/* Takes out of a story and a report (or NULL) what only pairs can say. */
void hl_learn_forget_pairs(struct hl_fit_story *story, struct hl_report *report);

/* What anybody can see is wrong before the work begins. */
enum hl_code hl_learn_check(const struct hl_learn *learn, struct hl_err *err);
enum hl_code hl_learn_check_judging(const struct hl_judging *judging, struct hl_err *err);

/* The report of a bridge: an object. `split_by` is NULL where no rows were split off. */
void hl_learn_print(const struct hl_learn *learn, const struct hl_learnt *learnt,
                    const char *split_by, struct hl_buf *json);
void hl_learn_print_inputs(const struct hl_learn_source *source, struct hl_buf *json);

#endif
