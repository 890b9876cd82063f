/* SPDX-License-Identifier: Apache-2.0 */
#include "index/scan.h"

#include "proto/alloc.h"

#include <assert.h>
#include <math.h>

enum { BLOCK_ROWS = 96, BLOCKS_PER_LOOK = 4, MOST_WAITING = 256, ALIGNMENT = 64 };

/* One query: what it has found, the worst on top, and who waits, the best on top. */
struct seeker {
    struct hl_scored *kept;
    struct hl_scored *waiting; /* by the best their scores can be, as tiles have it */
    size_t n_kept, n_waiting;
    float floor;
    bool is_sorted; /* what is kept */
};

struct hl_scan {
    struct hl_scan_wish wish;
    struct hl_tile tile, screen; /* of sketches; of the run's short forms */
    size_t n_screened;           /* rows of the run that have one */
    struct hl_sketch_query shorts[HL_TILE_QUERIES];
    struct hl_sketch_query queries[HL_TILE_QUERIES];
    struct seeker seekers[HL_TILE_QUERIES];
    uint8_t *bytes; /* of the tile, then of each query */
    size_t room_bytes;
    uint8_t *short_bytes; /* likewise, then the floats of each */
    size_t room_short;
    struct hl_scored *heaps;
    size_t room_heaps;
    uint64_t n_rows, n_exact;
    uint64_t settle_at; /* rows: the floors are of four fifths of them at least */
};

struct hl_scan *hl_scan_new(void)
{
    return hl_alloc_zeroed(1, sizeof(struct hl_scan));
}

void hl_scan_free(struct hl_scan *scan)
{
    if (!scan)
        return;
    hl_free(scan->bytes);
    hl_free(scan->short_bytes);
    hl_free(scan->heaps);
    hl_free(scan);
}

/* What was there is forgotten. */
static bool make_room(void **array, size_t *room, size_t wanted)
{
    void *bigger;

    if (wanted <= *room)
        return true;
    bigger = hl_alloc_aligned(ALIGNMENT, wanted);
    if (!bigger)
        return false;
    hl_free(*array);
    *array = bigger;
    *room = wanted;
    return true;
}

static bool make_rooms(struct hl_scan *scan, const struct hl_scan_wish *wish)
{
    const size_t n = wish->n_queries;
    const size_t bytes = hl_tile_room(wish->dim, n) + n * hl_sketch_stride(wish->dim);
    const size_t heaps = n * (wish->k + MOST_WAITING) * sizeof(struct hl_scored);
    void *room_bytes = scan->bytes, *room_heaps = scan->heaps;
    const bool has_room = make_room(&room_bytes, &scan->room_bytes, bytes) &&
                          make_room(&room_heaps, &scan->room_heaps, heaps);

    scan->bytes = room_bytes;
    scan->heaps = room_heaps;
    return has_room;
}

enum hl_code hl_scan_begin(struct hl_scan *scan, const struct hl_scan_wish *wish,
                           struct hl_err *err)
{
    const size_t stride = hl_sketch_stride(wish->dim), each = wish->k + MOST_WAITING;
    uint8_t *bytes;

    assert(wish->n_queries >= 1 && wish->n_queries <= HL_TILE_QUERIES && wish->k >= 1);
    if (!make_rooms(scan, wish))
        return hl_fail(err, HL_NO_MEMORY, "no memory to find the best %zu", wish->k);
    scan->wish = *wish;
    scan->n_rows = scan->n_exact = 0;
    scan->n_screened = 0;
    scan->settle_at = BLOCK_ROWS;
    bytes = scan->bytes + hl_tile_room(wish->dim, wish->n_queries);
    hl_tile_init(&scan->tile, wish->metric, wish->dim, wish->n_queries, scan->bytes);
    for (size_t i = 0; i < wish->n_queries; i++) {
        struct hl_scored *heaps = scan->heaps + i * each;

        hl_sketch_query_init(&scan->queries[i], wish->kernels, wish->metric,
                             wish->queries[i], wish->dim, bytes + i * stride);
        hl_tile_put(&scan->tile, i, &scan->queries[i]);
        scan->seekers[i] =
            (struct seeker){.kept = heaps, .waiting = heaps + wish->k, .floor = -INFINITY};
    }
    return HL_OK;
}

/* The score that a row must reach to be among the best. */
static void raise_least(struct hl_scan *scan, size_t which)
{
    const struct seeker *seeker = &scan->seekers[which];
    float least = seeker->floor;

    if (seeker->n_kept == scan->wish.k && hl_scored_score(seeker->kept[0]) > least)
        least = hl_scored_score(seeker->kept[0]);
    hl_tile_raise(&scan->tile, which, least);
    if (scan->n_screened > 0)
        hl_tile_raise(&scan->screen, which, least);
}

/* The queries as the run's short forms are. Without memory for them all rows are read as
 * sketches, which finds the same. */
static void begin_screen(struct hl_scan *scan, const struct hl_scan_run *run)
{
    const size_t n = scan->wish.n_queries;
    size_t dim, stride, tile_bytes;
    void *room = scan->short_bytes;

    scan->n_screened = run->screen ? hl_screen_count(run->screen) : 0;
    if (scan->n_screened == 0)
        return;
    dim = hl_screen_dim(run->screen);
    stride = hl_sketch_stride(dim);
    tile_bytes = hl_tile_room(dim, n);
    if (!make_room(&room, &scan->room_short,
                   tile_bytes + n * stride + n * dim * sizeof(float)))
        scan->n_screened = 0;
    scan->short_bytes = room;
    if (scan->n_screened == 0)
        return;
    hl_tile_init(&scan->screen, scan->wish.metric, dim, n, scan->short_bytes);
    for (size_t i = 0; i < n; i++) {
        uint8_t *bytes = scan->short_bytes + tile_bytes;
        const struct hl_screen_room own = {(float *)(void *)(bytes + n * stride) + i * dim,
                                           bytes + i * stride};

        hl_screen_put(run->screen, &scan->queries[i], &own, &scan->screen, i,
                      &scan->shorts[i]);
        raise_least(scan, i);
    }
}

static const float *values_at(const struct hl_scan *scan, const struct hl_scan_run *run,
                              uint32_t position)
{
    return run->values + (size_t)(position - run->first) * scan->wish.dim;
}

static void prefetch_values(const struct hl_scan *scan, const struct hl_scan_run *run,
                            uint32_t position)
{
    const float *values = values_at(scan, run, position);

    for (size_t at = 0; at < scan->wish.dim; at += 64 / sizeof *values)
        __builtin_prefetch(values + at);
}

static const struct hl_sketch *sketch_at(const struct hl_scan_run *run, size_t row)
{
    return (const struct hl_sketch *)(const void *)(run->sketches + row * run->stride);
}

/* The best that the score of a row can be, as the tile knows it now. */
static float reach_of(const struct hl_scan *scan, size_t which,
                      const struct hl_scan_run *run, size_t row)
{
    const struct hl_sketch *sketch = sketch_at(run, row);

    return hl_tile_reach(&scan->tile, which, sketch,
                         hl_sketch_product(&scan->queries[which], sketch));
}

/* How far residuals reach in a distance is known with the first score that must be reached,
 * and from then on only less: who waited before has waited in an order that bounds nothing.
 */
static void wait_anew(struct hl_scan *scan, size_t which, const struct hl_scan_run *run)
{
    struct seeker *seeker = &scan->seekers[which];

    for (size_t i = 0, n = seeker->n_waiting; i < n; i++) {
        const uint32_t position = hl_scored_position(seeker->waiting[i]);
        size_t n_before = i;

        hl_heap_push(
            seeker->waiting, &n_before, true,
            hl_scored_encode(reach_of(scan, which, run, position - run->first), position));
    }
}

/* Asks the floats of those who wait, while the best of them may still be kept. */
static void settle(struct hl_scan *scan, size_t which, const struct hl_scan_run *run)
{
    struct seeker *seeker = &scan->seekers[which];
    bool is_bounded = scan->tile.least[which] > -INFINITY;

    while (seeker->n_waiting > 0 &&
           hl_scored_score(seeker->waiting[0]) >= scan->tile.least[which]) {
        const uint32_t position =
            hl_scored_position(hl_heap_pop(seeker->waiting, &seeker->n_waiting, true));
        float score;

        if (seeker->n_waiting > 0)
            prefetch_values(scan, run, hl_scored_position(seeker->waiting[0]));
        score = hl_sketch_exact(&scan->queries[which], values_at(scan, run, position));
        scan->n_exact++;
        hl_heap_keep(seeker->kept, &seeker->n_kept, scan->wish.k,
                     hl_scored_encode(score, position));
        raise_least(scan, which);
        if (!is_bounded && scan->tile.least[which] > -INFINITY) {
            wait_anew(scan, which, run);
            is_bounded = true;
        }
    }
    seeker->n_waiting = 0;
}

static void settle_all(struct hl_scan *scan, const struct hl_scan_run *run)
{
    for (size_t which = 0; which < scan->wish.n_queries; which++)
        settle(scan, which, run);
}

/* One row for the queries it may matter to. */
static void let_wait(struct hl_scan *scan, const struct hl_scan_run *run, size_t row,
                     uint64_t may)
{
    const uint32_t position = run->first + (uint32_t)row;

    if (run->may_keep && !run->may_keep(run->self, position))
        return;
    for (; may != 0; may &= may - 1) {
        const size_t which = (size_t)__builtin_ctzll(may);
        struct seeker *seeker = &scan->seekers[which];
        const float reach = reach_of(scan, which, run, row);

        if (reach < scan->tile.least[which])
            continue;
        if (seeker->n_waiting == MOST_WAITING)
            settle(scan, which, run);
        hl_heap_push(seeker->waiting, &seeker->n_waiting, true,
                     hl_scored_encode(reach, position));
    }
}

static void prefetch_sketch(const struct hl_scan_run *run, size_t row)
{
    const unsigned char *sketch = run->sketches + row * run->stride;

    for (size_t at = 0; at < run->stride; at += 64)
        __builtin_prefetch(sketch + at);
}

/* Some rows, and to which queries each may matter. */
struct block {
    size_t first, n_rows;
    uint64_t may[BLOCK_ROWS];
};

static void pass_block(struct hl_scan *scan, const struct hl_scan_run *run,
                       struct block *block)
{
    const size_t first = block->first, n_rows = block->n_rows;

    if (first + n_rows > scan->n_screened) {
        hl_tile_pass(&scan->tile, scan->queries, run->sketches + first * run->stride,
                     run->stride, n_rows, block->may);
    } else {
        const size_t stride = hl_sketch_stride(hl_screen_dim(run->screen));

        hl_tile_pass(&scan->screen, scan->shorts,
                     hl_screen_sketches(run->screen) + first * stride, stride, n_rows,
                     block->may);
    }
    for (size_t i = 0; i < n_rows; i++)
        if (block->may[i] != 0)
            prefetch_sketch(run, first + i);
}

static void finish_block(struct hl_scan *scan, const struct hl_scan_run *run,
                         struct block *block)
{
    for (size_t i = 0; i < block->n_rows; i++)
        if (block->may[i] != 0)
            let_wait(scan, run, block->first + i, block->may[i]);
    scan->n_rows += block->n_rows;
    block->n_rows = 0;
    if (scan->n_rows < scan->settle_at)
        return;
    settle_all(scan, run);
    scan->settle_at = scan->n_rows + scan->n_rows / 4;
}

/* A block is finished when the next one has passed: what it left is in the caches then. */
enum hl_code hl_scan_look(struct hl_scan *scan, const struct hl_scan_run *run,
                          struct hl_err *err)
{
    struct block blocks[2] = {{0}};
    size_t n_blocks = 0;

    begin_screen(scan, run);
    for (size_t first = 0; first < run->n_rows; first += BLOCK_ROWS, n_blocks++) {
        const size_t n_left = run->n_rows - first;
        struct block *block = &blocks[n_blocks % 2];
        enum hl_code code = HL_OK;

        if (n_blocks % BLOCKS_PER_LOOK == 0)
            code = hl_deadline_check(scan->wish.deadline, "the search", err);
        if (code != HL_OK)
            return code;
        block->first = first;
        block->n_rows = n_left < BLOCK_ROWS ? n_left : BLOCK_ROWS;
        pass_block(scan, run, block);
        finish_block(scan, run, &blocks[(n_blocks + 1) % 2]);
        if (scan->n_rows == 0) /* nothing is ruled out before the first are settled */
            finish_block(scan, run, block);
    }
    finish_block(scan, run, &blocks[(n_blocks + 1) % 2]);
    settle_all(scan, run);
    return HL_OK;
}

const struct hl_scored *hl_scan_take(struct hl_scan *scan, size_t which, size_t *ret_n)
{
    struct seeker *seeker = &scan->seekers[which];

    if (!seeker->is_sorted)
        hl_heap_sort(seeker->kept, seeker->n_kept);
    seeker->is_sorted = true;
    *ret_n = seeker->n_kept;
    return seeker->kept;
}

void hl_scan_turn(struct hl_scan *scan)
{
    for (size_t which = 0; which < scan->wish.n_queries; which++) {
        scan->seekers[which].n_kept = 0;
        scan->seekers[which].is_sorted = false;
    }
}

void hl_scan_raise(struct hl_scan *scan, size_t which, float floor)
{
    scan->seekers[which].floor = floor;
    hl_tile_raise(&scan->tile, which, floor);
}

void hl_scan_tally(const struct hl_scan *scan, uint64_t *ret_scored, uint64_t *ret_exact)
{
    *ret_scored = scan->n_rows * scan->wish.n_queries;
    *ret_exact = scan->n_exact;
}
