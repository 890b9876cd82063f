/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HL_SERVER_REFRESH_PART_H
#define HL_SERVER_REFRESH_PART_H

#include "index/rows.h"
#include "server/picks.h"
#include "server/refresh_choice.h"

/* What refresh_choice.c (which points there are) and refresh_order.c (which of them first)
 * share. Everything is of one look. */
struct hl_refresh_model {
    uint32_t space; /* its filter is 2 + its place among the models */
};

struct hl_refreshing {
    const struct hl_refresh_task *task;
    const char *to; /* the layout's name */
    struct hl_refresh_model *models;
    size_t n_models; /* dense ones, but `to` */
    struct hl_look_wish wish;
    struct hl_look *look;
    struct hl_rows *missing;      /* of the filter, without a vector of `to` */
    struct hl_rows *reached;      /* of the filter, in `space` */
    const struct hl_space *space; /* NULL: no missing point is in any */
    const struct hl_pick *chosen; /* in their order */
    size_t n;
    struct hl_refresh_answer answer;
};

/* As many of the rows as there is room for, by chance. */
enum hl_code hl_refreshing_draw(const struct hl_refreshing *refreshing,
                                const struct hl_rows *rows, uint64_t seed,
                                struct hl_picks *picks, struct hl_err *err);

/* Chooses at most `limit` of the missing points that are in the space. */
enum hl_code hl_refreshing_order(struct hl_refreshing *refreshing, size_t limit,
                                 struct hl_err *err);

#endif
