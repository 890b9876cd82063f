/* SPDX-License-Identifier: Apache-2.0 */
#include "index/merge.h"

#include "proto/alloc.h"

#include <assert.h>
#include <string.h>

/* What goes into the new segment, where it is: the parts stay as long as the merge. */
struct harvest {
    size_t n_rows;
    const float **values;
    const struct hl_sketch **sketches;
    uint64_t *rows;
    uint32_t *numbers;
    const struct hl_ann *graph; /* over all rows, the dead ones too; else NULL */
};

static void free_harvest(struct harvest *harvest)
{
    hl_free(harvest->values);
    hl_free(harvest->sketches);
    hl_free(harvest->rows);
    hl_free(harvest->numbers);
}

/* Whether it goes into the new part. A row of a tail that is born behind the commit is not
 * there yet: whoever seals a tail has stopped appending and waited for its last commit. */
static bool lives(const struct hl_merge *merge, const struct hl_part *part,
                  uint32_t position)
{
    return merge->commit < hl_part_died(part, position);
}

static size_t count_living(const struct hl_merge *merge)
{
    size_t n_living = 0;

    for (size_t i = 0; i < merge->n_parts; i++)
        for (uint32_t at = 0; at < hl_part_count(merge->parts[i]); at++)
            n_living += lives(merge, merge->parts[i], at);
    return n_living;
}

static bool make_room(struct harvest *harvest, size_t n_rows)
{
    harvest->values = hl_alloc_zeroed(n_rows, sizeof(void *));
    harvest->sketches = hl_alloc_zeroed(n_rows, sizeof(void *));
    harvest->rows = hl_alloc_zeroed(n_rows, sizeof *harvest->rows);
    harvest->numbers = hl_alloc_zeroed(n_rows, sizeof *harvest->numbers);
    return harvest->values && harvest->sketches && harvest->rows && harvest->numbers;
}

static void gather(const struct hl_merge *merge, struct harvest *harvest)
{
    size_t n = 0;

    for (size_t i = 0; i < merge->n_parts; i++) {
        const struct hl_part *part = merge->parts[i];

        for (uint32_t at = 0; at < hl_part_count(part); at++) {
            if (!harvest->graph && !lives(merge, part, at))
                continue;
            assert(n == 0 || harvest->rows[n - 1] < hl_part_row(part, at));
            harvest->values[n] = hl_part_values(part, at);
            harvest->sketches[n] = hl_part_sketch(part, at);
            harvest->rows[n] = hl_part_row(part, at);
            harvest->numbers[n++] = hl_part_number(part, at);
        }
    }
    harvest->n_rows = n;
}

/* The one that a tail has grown. */
static const struct hl_ann *grown_graph(const struct hl_merge *merge)
{
    const struct hl_part *only = merge->n_parts == 1 ? merge->parts[0] : NULL;

    return only ? hl_part_graph(only) : NULL;
}

static enum hl_code build(const struct hl_merge *merge, const struct harvest *harvest,
                          struct hl_err *err)
{
    /* Rows of L1 are only ever scanned, but a segment has a graph. */
    const enum hl_metric metric =
        merge->metric == HL_METRIC_L1 ? HL_METRIC_L2 : merge->metric;
    const struct hl_segment_content content = {.n_rows = harvest->n_rows,
                                               .dim = merge->dim,
                                               .values = harvest->values,
                                               .sketches = harvest->sketches,
                                               .rows = harvest->rows,
                                               .numbers = harvest->numbers,
                                               .metric = metric,
                                               .n_links = merge->n_links,
                                               .ef_construction = merge->ef_construction,
                                               .pause = merge->pause,
                                               .graph = harvest->graph};

    return hl_segment_build(&content, merge->path, merge->deadline, err);
}

/* When all that building took is given back. */
static enum hl_code open_built(const struct hl_merge *merge, size_t n_rows,
                               struct hl_part **ret_part, struct hl_err *err)
{
    struct hl_segment_hold hold = merge->hold;
    struct hl_segment *segment;
    enum hl_code code;

    for (size_t i = 0; i < merge->n_parts; i++)
        if (hl_part_segment(merge->parts[i]))
            hold.lent += hl_part_held(merge->parts[i]);
    if (n_rows == 0) {
        *ret_part = NULL;
        return HL_OK;
    }
    code = hl_segment_open(merge->path, &hold, &segment, err);
    return code == HL_OK ? hl_part_of_segment(segment, ret_part, err) : code;
}

/* Kills in the new part what died in the old ones behind a commit and up to another. */
static void kill_again(const struct hl_merge *merge, struct hl_part *part, uint64_t after,
                       uint64_t until)
{
    for (size_t i = 0; i < merge->n_parts; i++) {
        for (uint32_t at = 0; at < hl_part_count(merge->parts[i]); at++) {
            const uint64_t died = hl_part_died(merge->parts[i], at);

            if (after < died && died <= until)
                (void)hl_part_kill(part, hl_part_row(merge->parts[i], at), died);
        }
    }
}

enum hl_code hl_merge_build(const struct hl_merge *merge, struct hl_part **ret_part,
                            struct hl_err *err)
{
    struct harvest harvest = {.graph = grown_graph(merge)};
    const size_t n_rows =
        harvest.graph ? hl_part_count(merge->parts[0]) : count_living(merge);
    enum hl_code code = HL_OK;

    if (!make_room(&harvest, n_rows))
        code = hl_fail(err, HL_NO_MEMORY, "no memory to merge %zu rows", n_rows);
    else
        gather(merge, &harvest);
    if (code == HL_OK && harvest.n_rows > 0)
        code = build(merge, &harvest, err);
    free_harvest(&harvest);
    if (code == HL_OK)
        code = open_built(merge, harvest.n_rows, ret_part, err);
    if (code == HL_OK && harvest.graph)
        kill_again(merge, *ret_part, 0, merge->commit);
    return code;
}

void hl_merge_catch_up(const struct hl_merge *merge, struct hl_part *part)
{
    kill_again(merge, part, merge->commit, HL_COMMIT_NEVER - 1);
}
