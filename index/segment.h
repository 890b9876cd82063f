/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HL_INDEX_SEGMENT_H
#define HL_INDEX_SEGMENT_H

#include "index/ann.h"
#include "index/sketch.h"
#include "proto/batch.h"
#include "proto/deadline.h"
#include "proto/err.h"
#include "proto/pages.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A sealed run of rows of one shelf: floats, sketches and a graph over them, in one file.
 *
 * A segment is derived from the store and never changes: whatever is wrong with its file,
 * it can be made again. The file appears whole or not at all, every section of it has a
 * checksum, and it is mapped, so that a gallery larger than memory is slow and not dead.
 * What a walk jumps about in, all but the floats, is copied into huge pages as far as the
 * server has some to spare. Any number of threads may read an open segment.
 *
 * `Position` is a row's place in the segment, from 0. The store's own number of a row
 * version is its `row`. */
#define HL_NO_POSITION UINT32_MAX

/* A position that a row is linked to; HL_NO_POSITION at the end of a block. Those of a
 * graph that still grows (index/sprout.h) change while they are read: with a link that was
 * read here, the row that it leads to is there. */
typedef atomic_uint_least32_t hl_link;

static inline uint32_t hl_link_get(const hl_link *link)
{
    return atomic_load_explicit(link, memory_order_acquire);
}

/* The arrays, in the mapped file. */
struct hl_segment_view {
    enum hl_metric metric;
    size_t dim;
    size_t n_rows;
    const uint64_t *rows;      /* ascending */
    const uint32_t *numbers;   /* the point of each */
    const uint32_t *by_number; /* positions, in the order of (number, position) */
    const unsigned char *sketches;
    size_t stride; /* of sketches */
    const float *values;
    bool is_cold; /* of the values: more often on the disk than not */

    uint32_t n_links;      /* of a row on each level above 0; twice that on level 0 */
    const hl_link *links;  /* n_rows blocks of 2 * n_links */
    const uint32_t *above; /* of each row: its first block in `upper`, or none */
    const hl_link *upper;  /* blocks of n_links, level after level from 1 */
    size_t n_upper;        /* blocks */
    const uint8_t *levels; /* the highest of each row */
    hl_link entry;         /* where a walk begins: a row of the highest level of all */
};

static inline const struct hl_sketch *hl_segment_sketch(const struct hl_segment_view *view,
                                                        uint32_t position)
{
    return (const struct hl_sketch *)(const void *)(view->sketches +
                                                    position * view->stride);
}

static inline const float *hl_segment_values(const struct hl_segment_view *view,
                                             uint32_t position)
{
    return view->values + position * view->dim;
}

struct hl_segment;

/* What goes into one: rows ascending, at least one. Nothing is copied but sketches, a
 * thousand at a time, and those by who builds the graph. */
struct hl_segment_content {
    size_t n_rows, dim;
    const float *const *values;              /* of each row */
    const struct hl_sketch *const *sketches; /* likewise, each NULL where there is none; or
                                                NULL: none are there */
    const uint64_t *rows;
    const uint32_t *numbers;
    enum hl_metric metric;
    unsigned n_links;             /* as hl_ann_options has it */
    unsigned ef_construction;     /* likewise */
    const struct hl_pause *pause; /* likewise */
    const struct hl_ann *graph; /* over the sketches of just these rows, where there is one;
                                   NULL: it is built */
};

/* Builds the graph and writes the file. HL_CANCELLED or HL_TIMEOUT as the deadline says. */
enum hl_code hl_segment_build(const struct hl_segment_content *content, const char *path,
                              const struct hl_deadline *deadline, struct hl_err *err);

/* How much of memory a build takes for each row of so many dimensions. */
size_t hl_segment_build_bytes(size_t dim, unsigned n_links);

/* What of a file is held in memory while it is open. The allowance outlives the segment;
 * where it is NULL, or used up, or memory is, everything is read from the mapping, as it is
 * without a hold (NULL). */
struct hl_segment_hold {
    struct hl_allowance *allowance;
    size_t lent;     /* beyond it: what those hold that it takes the place of */
    bool is_on_disk; /* of the floats: they are read seldom, and give way to everything else
                      */
};

/* HL_NOT_FOUND when there is no file, HL_DAMAGED when a checksum, a size or a link is
 * wrong, HL_NEWER_FORMAT when a later heirloom wrote it. Reads all of the file once. */
enum hl_code hl_segment_open(const char *path, const struct hl_segment_hold *hold,
                             struct hl_segment **ret_segment, struct hl_err *err);
void hl_segment_close(struct hl_segment *segment);

/* Bytes: held outside of the mapping, and read from it. */
size_t hl_segment_held(const struct hl_segment *segment);

/* What that was taken from, for what is derived from it; NULL: nothing is held. */
struct hl_allowance *hl_segment_allowance(const struct hl_segment *segment);
size_t hl_segment_mapped(const struct hl_segment *segment);

const struct hl_segment_view *hl_segment_view(const struct hl_segment *segment);

/* Where a row of the store is, HL_NO_POSITION if not here. */
uint32_t hl_segment_find(const struct hl_segment_view *view, uint64_t row);

#endif
