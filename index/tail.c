/* SPDX-License-Identifier: Apache-2.0 */
#include "index/tail.h"

#include "index/scan.h"
#include "index/walker.h"
#include "proto/alloc.h"
#include "proto/pages.h"

#include <assert.h>
#include <string.h>

/* Small enough that a shelf of a few rows is cheap, large enough that a full tail has few.
 */
enum { CHUNK_ROWS = 256, CHUNK_ALIGNMENT = 64, STEPS_PER_LOOK = 256 };

/* One allocation: the columns of CHUNK_ROWS rows. */
struct chunk {
    uint64_t rows[CHUNK_ROWS];
    uint64_t born[CHUNK_ROWS];
    atomic_uint_fast64_t died[CHUNK_ROWS]; /* HL_COMMIT_NEVER while it lives */
    uint32_t numbers[CHUNK_ROWS];
    float *values;
    unsigned char *sketches;
};

struct hl_tail {
    struct hl_tail_options options;
    size_t stride;
    atomic_size_t n_rows; /* written last: what it counts is whole */
    atomic_bool has_struck;
    size_t n_chunks;
    struct chunk *chunks[]; /* max_rows / CHUNK_ROWS, filled in as rows come */
};

enum hl_code hl_tail_new(const struct hl_tail_options *options, struct hl_tail **ret_tail,
                         struct hl_err *err)
{
    const size_t n_chunks = (options->max_rows + CHUNK_ROWS - 1) / CHUNK_ROWS;
    struct hl_tail *tail;

    assert(options->dim > 0 && options->dim <= HL_SKETCH_MAX_DIM && n_chunks > 0);
    tail = hl_alloc_zeroed(1, sizeof *tail + n_chunks * sizeof(void *));
    if (!tail)
        return hl_fail(err, HL_NO_MEMORY, "no memory for a tail of %zu rows",
                       options->max_rows);
    tail->options = *options;
    tail->stride = hl_sketch_stride(options->dim);
    tail->n_chunks = n_chunks;
    *ret_tail = tail;
    return HL_OK;
}

/* Values and sketches of a chunk are one block, the values first. It is mapped by itself: a
 * tail lives for minutes, and what it took shall be there for the segment that follows it.
 */
static size_t block_bytes(const struct hl_tail *tail)
{
    return CHUNK_ROWS * (tail->options.dim * sizeof(float) + tail->stride);
}

void hl_tail_free(struct hl_tail *tail)
{
    if (!tail)
        return;
    for (size_t i = 0; i < tail->n_chunks; i++) {
        if (tail->chunks[i])
            hl_pages_free(tail->chunks[i]->values, block_bytes(tail));
        hl_free(tail->chunks[i]);
    }
    hl_free(tail);
}

static struct chunk *new_chunk(const struct hl_tail *tail)
{
    const size_t n_values = CHUNK_ROWS * tail->options.dim;
    struct chunk *chunk = hl_alloc_aligned(CHUNK_ALIGNMENT, sizeof *chunk);
    float *values;

    if (!chunk)
        return NULL;
    values = hl_pages_new(block_bytes(tail));
    if (!values) {
        hl_free(chunk);
        return NULL;
    }
    chunk->values = values;
    chunk->sketches = (unsigned char *)(values + n_values);
    return chunk;
}

static struct chunk *chunk_of(const struct hl_tail *tail, size_t position)
{
    return tail->chunks[position / CHUNK_ROWS];
}

static struct hl_sketch *sketch_at(const struct hl_tail *tail, size_t position)
{
    return (struct hl_sketch *)(void *)(chunk_of(tail, position)->sketches +
                                        position % CHUNK_ROWS * tail->stride);
}

static float *values_of(const struct hl_tail *tail, size_t position)
{
    return chunk_of(tail, position)->values + position % CHUNK_ROWS * tail->options.dim;
}

enum hl_code hl_tail_append(struct hl_tail *tail, const struct hl_tail_row *row,
                            struct hl_err *err)
{
    const size_t position = atomic_load(&tail->n_rows), at = position % CHUNK_ROWS;
    struct chunk *chunk;

    if (position == tail->options.max_rows)
        return hl_fail(err, HL_TOO_MANY, "the tail is full at %zu rows", position);
    assert(position == 0 || hl_tail_row(tail, (uint32_t)position - 1) < row->row);
    if (!chunk_of(tail, position))
        tail->chunks[position / CHUNK_ROWS] = new_chunk(tail);
    chunk = chunk_of(tail, position);
    if (!chunk)
        return hl_fail(err, HL_NO_MEMORY, "no memory for another %d rows", CHUNK_ROWS);
    chunk->rows[at] = row->row;
    chunk->born[at] = row->born;
    chunk->numbers[at] = row->number;
    atomic_init(&chunk->died[at], HL_COMMIT_NEVER);
    memcpy(values_of(tail, position), row->values, tail->options.dim * sizeof(float));
    hl_sketch_write(row->values, tail->options.dim, sketch_at(tail, position));
    atomic_store(&tail->n_rows, position + 1);
    return HL_OK;
}

void hl_tail_strike(struct hl_tail *tail, size_t first)
{
    /* Who seals sees it before it sees that all rows are accounted for. */
    if (first < hl_tail_count(tail))
        atomic_store(&tail->has_struck, true);
    /* Died in commit 0, which no reader fixes: no reader sees them. */
    for (size_t position = first; position < hl_tail_count(tail); position++)
        hl_tail_kill(tail, (uint32_t)position, 0);
}

bool hl_tail_has_struck(const struct hl_tail *tail)
{
    return atomic_load(&tail->has_struck);
}

void hl_tail_kill(struct hl_tail *tail, uint32_t position, uint64_t commit)
{
    assert(position < hl_tail_count(tail));
    atomic_store(&chunk_of(tail, position)->died[position % CHUNK_ROWS], commit);
}

size_t hl_tail_count(const struct hl_tail *tail)
{
    return atomic_load(&tail->n_rows);
}

size_t hl_tail_capacity(const struct hl_tail *tail)
{
    return tail->options.max_rows;
}

uint32_t hl_tail_find(const struct hl_tail *tail, uint64_t row)
{
    size_t from = 0, to = hl_tail_count(tail);
    const size_t n_rows = to;

    while (from < to) {
        const size_t middle = from + (to - from) / 2;

        if (hl_tail_row(tail, (uint32_t)middle) < row)
            from = middle + 1;
        else
            to = middle;
    }
    return from < n_rows && hl_tail_row(tail, (uint32_t)from) == row ? (uint32_t)from
                                                                     : HL_NO_POSITION;
}

uint64_t hl_tail_row(const struct hl_tail *tail, uint32_t position)
{
    return chunk_of(tail, position)->rows[position % CHUNK_ROWS];
}

uint32_t hl_tail_number(const struct hl_tail *tail, uint32_t position)
{
    return chunk_of(tail, position)->numbers[position % CHUNK_ROWS];
}

uint64_t hl_tail_died(const struct hl_tail *tail, uint32_t position)
{
    return atomic_load(&chunk_of(tail, position)->died[position % CHUNK_ROWS]);
}

uint64_t hl_tail_born(const struct hl_tail *tail, uint32_t position)
{
    return chunk_of(tail, position)->born[position % CHUNK_ROWS];
}

const float *hl_tail_values(const struct hl_tail *tail, uint32_t position)
{
    return values_of(tail, position);
}

void hl_tail_run(const struct hl_tail *tail, size_t first, size_t n_rows,
                 struct hl_scan_run *ret_run)
{
    const size_t n_left = n_rows - first, n_here = CHUNK_ROWS - first % CHUNK_ROWS;

    *ret_run =
        (struct hl_scan_run){.sketches = (const unsigned char *)sketch_at(tail, first),
                             .values = values_of(tail, first),
                             .stride = tail->stride,
                             .n_rows = n_left < n_here ? n_left : n_here,
                             .first = (uint32_t)first};
}

const struct hl_sketch *hl_tail_sketch(const struct hl_tail *tail, uint32_t position)
{
    return sketch_at(tail, position);
}

size_t hl_tail_held(const struct hl_tail *tail)
{
    const size_t n_chunks = (hl_tail_count(tail) + CHUNK_ROWS - 1) / CHUNK_ROWS;

    return n_chunks * (sizeof(struct chunk) + block_bytes(tail));
}

static const float *values_at(const void *tail, uint32_t position)
{
    return hl_tail_values(tail, position);
}

bool hl_tail_is_seen(const struct hl_tail *tail, const struct hl_tail_scan *scan,
                     uint32_t position)
{
    const struct chunk *chunk = chunk_of(tail, position);
    const size_t at = position % CHUNK_ROWS;

    return chunk->born[at] <= scan->commit &&
           scan->commit < atomic_load(&chunk->died[at]) &&
           (!scan->may_keep || scan->may_keep(scan->self, chunk->numbers[at]));
}

static void score_rows(const struct hl_tail *tail, const struct hl_tail_scan *scan,
                       size_t first, size_t n_rows, float *scores)
{
    if (!scan->is_exact) {
        hl_sketch_scores(scan->query, sketch_at(tail, first), tail->stride, n_rows, scores);
        return;
    }
    for (size_t i = 0; i < n_rows; i++)
        scores[i] = hl_sketch_exact(scan->query, values_of(tail, first + i));
}

/* Rows of one chunk. */
static void look_at(const struct hl_tail *tail, struct hl_walker *walker, size_t room,
                    const struct hl_tail_scan *scan, const struct hl_scan_run *run)
{
    float scores[HL_SKETCH_RUN];

    score_rows(tail, scan, run->first, run->n_rows, scores);
    for (size_t i = 0; i < run->n_rows; i++) {
        const uint32_t position = run->first + (uint32_t)i;
        const struct hl_scored row = hl_scored_encode(scores[i], position);

        /* The score first: it is what most rows fail by. */
        if (!scan->is_exact && scores[i] <= walker->horizon)
            continue;
        if (walker->n_kept == room && !hl_scored_is_better(row, walker->kept[0]))
            continue;
        if (hl_tail_is_seen(tail, scan, position))
            hl_heap_keep(walker->kept, &walker->n_kept, room, row);
    }
}

enum hl_code hl_tail_search(const struct hl_tail *tail, struct hl_walker *walker,
                            const struct hl_tail_scan *scan, struct hl_walk_answer *answer,
                            struct hl_err *err)
{
    const size_t n_rows = hl_tail_count(tail), n_scanned = n_rows - scan->first;
    const size_t k = scan->k < n_scanned ? scan->k : n_scanned;
    const size_t wanted = scan->is_exact ? k : hl_walker_exact(k);
    const size_t room = wanted < n_scanned ? wanted : n_scanned;
    struct hl_scan_run run = {.n_rows = 0};
    enum hl_code code = HL_OK;

    walker->n_kept = 0;
    if (!hl_walker_grow(&walker->kept, &walker->room_kept, room))
        return hl_fail(err, HL_NO_MEMORY, "no memory to search %zu rows", n_rows);
    for (size_t at = scan->first; room > 0 && at < n_rows; at += run.n_rows) {
        if (at % STEPS_PER_LOOK == 0 || at == scan->first)
            code = hl_deadline_check(scan->deadline, "the search", err);
        if (code != HL_OK)
            return code;
        hl_tail_run(tail, at, n_rows, &run);
        if (run.n_rows > HL_SKETCH_RUN)
            run.n_rows = HL_SKETCH_RUN;
        look_at(tail, walker, room, scan, &run);
    }
    if (scan->is_exact) {
        hl_heap_sort(walker->kept, walker->n_kept);
        answer->n_exact += n_scanned;
    } else {
        hl_walker_rank(walker, scan->query, k,
                       &(struct hl_walker_values){values_at, tail, false});
        answer->n_scored += n_scanned;
        answer->n_exact += walker->n_kept;
    }
    hl_walker_give(walker, k, answer);
    return HL_OK;
}
