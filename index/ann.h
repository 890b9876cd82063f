/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HL_INDEX_ANN_H
#define HL_INDEX_ANN_H

#include "index/faiss_gap.h"
#include "index/sketch.h"
#include "proto/batch.h"
#include "proto/deadline.h"
#include "proto/err.h"

#include <stdint.h>

/* A navigable graph (HNSW) over rows of floats: built, stored and, as the reference,
 * searched by FAISS through its C API.
 *
 * A graph is complete once made and its rows never change. Its view may be read from any
 * number of threads. hl_ann_search is for one thread at a time on one graph: FAISS 1.7.3
 * keeps the width of a search in the graph itself. All work is done by the calling thread
 * alone. */
struct hl_ann;

/* What long work does between two pieces of itself: more urgent work of its thread. */
struct hl_pause {
    void (*rest)(void *self);
    void *self;
};

struct hl_ann_options {
    enum hl_metric metric;
    unsigned n_links;             /* 2 to 128 per row and level, twice that on the lowest */
    unsigned ef_construction;     /* 1 to 65535 rows kept in sight while a row is placed */
    const struct hl_pause *pause; /* taken where the deadline is asked; may be NULL */
};

/* A graph of all `rows`, which are copied. The deadline is asked about every thousand rows.
 * HL_INVALID for an option out of range, more than INT32_MAX rows, or a value that is not
 * finite; HL_CANCELLED or HL_TIMEOUT as the deadline says. No rows: an empty graph. */
enum hl_code hl_ann_build(const struct hl_batch *rows, const struct hl_ann_options *options,
                          const struct hl_deadline *deadline, struct hl_ann **ret_ann,
                          struct hl_err *err);
void hl_ann_free(struct hl_ann *ann);

/* The same over the sketches of such rows, hl_sketch_stride(dim) bytes apart: a quarter of
 * the memory, hence faster, and as good a graph. FAISS takes them for rows of floats that
 * only our kernels can compare: its view has no rows, and it is neither searched by FAISS
 * nor saved. */
struct hl_ann_sketches {
    const unsigned char *sketches;
    size_t n_rows;
    size_t dim;

    /* Where there is no array of all (`sketches` is NULL): `n` of them from `first` on, a
     * thousand at most, asked for in their order. */
    enum hl_code (*lay)(void *self, size_t first, size_t n, unsigned char *ret_sketches,
                        struct hl_err *err);
    void *self;
};
enum hl_code hl_ann_build_sketched(const struct hl_ann_sketches *rows,
                                   const struct hl_ann_options *options,
                                   const struct hl_deadline *deadline,
                                   struct hl_ann **ret_ann, struct hl_err *err);

/* A graph over sketches that grows: over none yet, with room for `most_rows`. What
 * hl_ann_sketches says stays where it is while they come. */
enum hl_code hl_ann_begin_sketched(size_t dim, size_t most_rows,
                                   const struct hl_ann_options *options,
                                   struct hl_ann **ret_ann, struct hl_err *err);

/* `n` sketches more, a thousand at a time at most, and no more in all than there is room
 * for. One thread at a time; the view is another one afterwards. After a failure it is not
 * extended again. */
enum hl_code hl_ann_extend(struct hl_ann *ann, const unsigned char *sketches, size_t n,
                           struct hl_err *err);

/* The sketches that such a graph was built over, as FAISS has copied them. */
const unsigned char *hl_ann_sketches(const struct hl_ann *ann);

/* FAISS's own file format, so that its tools read it. The file appears whole or not at all.
 */
enum hl_code hl_ann_save(const struct hl_ann *ann, const char *path, struct hl_err *err);

/* HL_NOT_FOUND when there is no such file, HL_BAD_FILE when it holds another kind of index,
 * HL_DAMAGED when it is not whole or a link in it leads nowhere. The format has no
 * checksum: a float or a link that changed into another possible one is not noticed. */
enum hl_code hl_ann_load(const char *path, struct hl_ann **ret_ann, struct hl_err *err);

/* The arrays of the graph, checked when it was made; good until hl_ann_free. */
const struct hl_graph_view *hl_ann_view(const struct hl_ann *ann);
enum hl_metric hl_ann_metric(const struct hl_ann *ann);

/* `rows` and `scores` are the caller's and take k values for each query, the nearest first;
 * where fewer are found, row -1. After a failure their contents mean nothing. */
struct hl_ann_hits {
    int64_t *rows;
    float *scores;
    size_t k;
};

/* FAISS's own search. `ef`: how many rows it keeps in sight, at least k of them.
 * HL_DIMENSION_MISMATCH or HL_INVALID for queries or sizes that do not fit. */
enum hl_code hl_ann_search(struct hl_ann *ann, const struct hl_batch *queries, size_t ef,
                           const struct hl_ann_hits *ret_hits, struct hl_err *err);

#endif
