/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HL_INDEX_MERGE_H
#define HL_INDEX_MERGE_H

#include "index/part.h"
#include "proto/deadline.h"
#include "proto/err.h"

#include <stddef.h>
#include <stdint.h>

/* One sealed part in the place of others: sealing a tail, and merging segments.
 *
 * It happens beside everything else. What lived at a commit goes into the new part, and
 * into that of a tail that keeps its graph (hl_part_keeps_graph) what died as well; what
 * died meanwhile is caught up with in the moment the new part takes its place. Parts are
 * neighbours in their shelf, in the order of their rows. */
struct hl_merge {
    struct hl_part *const *parts;
    size_t n_parts;
    uint64_t commit; /* published: nothing of it can change any more */
    enum hl_metric metric;
    size_t dim;
    unsigned n_links;
    unsigned ef_construction;
    const char *path;            /* of the new segment's file */
    struct hl_segment_hold hold; /* how it is opened */
    const struct hl_deadline *deadline;
    const struct hl_pause *pause; /* taken after every thousand rows; may be NULL */
};

/* Builds, writes and opens. *ret_part is NULL, and there is no file, when nothing lives.
 * Any thread, while others read and kill. */
enum hl_code hl_merge_build(const struct hl_merge *merge, struct hl_part **ret_part,
                            struct hl_err *err);

/* Kills in the new part what died in the old ones behind the merge's commit. While nobody
 * kills; a row that died in a commit not yet published dies in the same one here. */
void hl_merge_catch_up(const struct hl_merge *merge, struct hl_part *part);

#endif
