/* SPDX-License-Identifier: Apache-2.0 */
#include "compat/split.h"

#include "proto/alloc.h"
#include "proto/random.h"

/* Of 2^32: how many rows go where. */
struct shares {
    uint64_t choose, report;
};

static uint64_t share_of(size_t n_rows)
{
    double share = (double)HL_SPLIT_MAX / (double)n_rows;

    return (uint64_t)((share < .1 ? share : .1) * 0x1p32);
}

/* A row's part depends on its number (or class) and the seed alone. */
static enum hl_split_part part_of(const struct hl_split_task *task, struct shares shares,
                                  size_t row)
{
    uint64_t what = task->labels ? (uint64_t)(uint32_t)task->labels[row] : row;
    uint64_t drawn = hl_random_mix(hl_random_mix(task->seed) ^ what) >> 32;

    if (drawn < shares.choose)
        return HL_SPLIT_CHOOSE;
    return drawn < shares.choose + shares.report ? HL_SPLIT_REPORT : HL_SPLIT_FIT;
}

static enum hl_code check_parts(const struct hl_split_task *task,
                                const struct hl_split *split, struct hl_err *err)
{
    bool is_short = split->n[HL_SPLIT_FIT] == 0 ||
                    (task->needs_choose && split->n[HL_SPLIT_CHOOSE] < 4) ||
                    (task->needs_report && split->n[HL_SPLIT_REPORT] < 4);

    if (!is_short)
        return HL_OK;
    return hl_fail(err, HL_INVALID,
                   "%zu %s are too few to learn from, to choose by and to report on: send "
                   "more, or send the parts as data sets of their own",
                   task->n_rows, task->labels ? "labelled rows" : "rows");
}

enum hl_code hl_split_make(const struct hl_split_task *task, struct hl_split **ret_split,
                           struct hl_err *err)
{
    struct shares shares = {task->needs_choose ? share_of(task->n_rows) : 0,
                            task->needs_report ? share_of(task->n_rows) : 0};
    struct hl_split *split;
    enum hl_code code;
    size_t bytes;

    if (!hl_size_mul(task->n_rows, sizeof(uint32_t), &bytes) ||
        !(split = hl_alloc(sizeof *split + bytes)))
        return hl_fail(err, HL_NO_MEMORY, "no memory to split %zu rows", task->n_rows);
    *split = (struct hl_split){0};
    for (size_t row = 0; row < task->n_rows; row++)
        split->n[part_of(task, shares, row)]++;
    split->rows[0] = (uint32_t *)(split + 1);
    for (int part = 1; part < HL_N_SPLIT_PARTS; part++)
        split->rows[part] = split->rows[part - 1] + split->n[part - 1];
    for (int part = 0; part < HL_N_SPLIT_PARTS; part++)
        split->n[part] = 0;
    for (size_t row = 0; row < task->n_rows; row++) {
        enum hl_split_part part = part_of(task, shares, row);

        split->rows[part][split->n[part]++] = (uint32_t)row;
    }
    code = check_parts(task, split, err);
    if (code == HL_OK)
        *ret_split = split;
    else
        hl_split_free(split);
    return code;
}

void hl_split_free(struct hl_split *split)
{
    hl_free(split);
}
