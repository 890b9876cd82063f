/* SPDX-License-Identifier: Apache-2.0 */
#include "index/sparse.h"

#include "index/tail.h"
#include "proto/alloc.h"

#include <stdatomic.h>
#include <string.h>

/* Rows in chunks that double in number: chunk c begins at row FIRST * (2^c - 1). */
enum { FIRST = 256, MOST_CHUNKS = 24, ROWS_PER_LOOK = 1024 };

struct row {
    uint64_t row;
    uint64_t born;
    atomic_uint_fast64_t died;
    uint32_t number;
    uint32_t n;
    uint32_t *indices; /* and behind them the values */
};

struct hl_sparse {
    atomic_size_t n_refs;
    atomic_size_t n_rows;
    atomic_size_t n_dead;
    struct row *_Atomic chunks[MOST_CHUNKS];
};

struct hl_sparse *hl_sparse_new(void)
{
    struct hl_sparse *sparse = hl_alloc_zeroed(1, sizeof *sparse);

    if (sparse)
        atomic_init(&sparse->n_refs, 1);
    return sparse;
}

struct hl_sparse *hl_sparse_ref(struct hl_sparse *sparse)
{
    atomic_fetch_add(&sparse->n_refs, 1);
    return sparse;
}

static size_t chunk_of(size_t at)
{
    size_t blocks = at / FIRST + 1, chunk = 0;

    while (blocks >>= 1)
        chunk++;
    return chunk;
}

static size_t begin_of(size_t chunk)
{
    return FIRST * (((size_t)1 << chunk) - 1);
}

static struct row *row_at(const struct hl_sparse *sparse, size_t at)
{
    size_t chunk = chunk_of(at);

    return &atomic_load_explicit(&sparse->chunks[chunk],
                                 memory_order_acquire)[at - begin_of(chunk)];
}

void hl_sparse_unref(struct hl_sparse *sparse)
{
    if (!sparse || atomic_fetch_sub(&sparse->n_refs, 1) != 1)
        return;
    for (size_t i = 0; i < hl_sparse_count(sparse); i++)
        hl_free(row_at(sparse, i)->indices);
    for (size_t i = 0; i < MOST_CHUNKS; i++)
        hl_free(atomic_load(&sparse->chunks[i]));
    hl_free(sparse);
}

size_t hl_sparse_count(const struct hl_sparse *sparse)
{
    return atomic_load(&sparse->n_rows);
}

size_t hl_sparse_n_dead(const struct hl_sparse *sparse)
{
    return atomic_load(&sparse->n_dead);
}

/* ---- the writer ---- */

static bool make_chunk(struct hl_sparse *sparse, size_t chunk)
{
    struct row *rows;

    if (chunk >= MOST_CHUNKS)
        return false;
    if (atomic_load(&sparse->chunks[chunk]))
        return true;
    rows = hl_alloc_zeroed((size_t)FIRST << chunk, sizeof *rows);
    if (rows)
        atomic_store(&sparse->chunks[chunk], rows);
    return rows != NULL;
}

enum hl_code hl_sparse_append(struct hl_sparse *sparse, const struct hl_store_row *row,
                              struct hl_err *err)
{
    const size_t at = hl_sparse_count(sparse), n = row->vector.n;
    uint32_t *indices = hl_alloc_zeroed(n ? n : 1, sizeof(uint32_t) + sizeof(float));
    struct row *to;

    if (!indices || !make_chunk(sparse, chunk_of(at))) {
        hl_free(indices);
        return hl_fail(err, HL_NO_MEMORY, "no memory for a sparse vector of %zu values", n);
    }
    if (n > 0) {
        memcpy(indices, row->vector.indices, n * sizeof *indices);
        memcpy(indices + n, row->vector.values, n * sizeof(float));
    }
    to = row_at(sparse, at);
    to->row = row->row;
    to->born = row->born;
    to->number = row->number;
    to->n = (uint32_t)n;
    to->indices = indices;
    atomic_init(&to->died, HL_COMMIT_NEVER);
    atomic_store(&sparse->n_rows, at + 1);
    return HL_OK;
}

static void kill_at(struct hl_sparse *sparse, size_t at, uint64_t commit)
{
    struct row *row = row_at(sparse, at);

    if (atomic_load(&row->died) == HL_COMMIT_NEVER)
        atomic_fetch_add(&sparse->n_dead, 1);
    atomic_store(&row->died, commit);
}

void hl_sparse_strike(struct hl_sparse *sparse, size_t first)
{
    /* Died in commit 0, which no reader fixes. */
    for (size_t at = first; at < hl_sparse_count(sparse); at++)
        kill_at(sparse, at, 0);
}

bool hl_sparse_kill(struct hl_sparse *sparse, uint64_t row, uint64_t commit)
{
    size_t from = 0, to = hl_sparse_count(sparse);
    const size_t n_rows = to;

    while (from < to) {
        const size_t middle = from + (to - from) / 2;

        if (row_at(sparse, middle)->row < row)
            from = middle + 1;
        else
            to = middle;
    }
    if (from == n_rows || row_at(sparse, from)->row != row)
        return false;
    kill_at(sparse, from, commit);
    return true;
}

enum hl_code hl_sparse_compact(const struct hl_sparse *sparse, uint64_t commit,
                               struct hl_sparse **ret_sparse, struct hl_err *err)
{
    struct hl_sparse *next = hl_sparse_new();
    enum hl_code code = HL_OK;

    if (!next)
        return hl_fail(err, HL_NO_MEMORY, "no memory for sparse vectors");
    for (size_t at = 0; code == HL_OK && at < hl_sparse_count(sparse); at++) {
        const struct row *row = row_at(sparse, at);
        const uint64_t died = atomic_load(&row->died);
        const struct hl_store_row copy = {
            .row = row->row,
            .number = row->number,
            .born = row->born,
            .vector = {.n = row->n,
                       .indices = row->indices,
                       .values = (const float *)(const void *)(row->indices + row->n)}};

        if (died <= commit)
            continue;
        code = hl_sparse_append(next, &copy, err);
        if (code == HL_OK && died != HL_COMMIT_NEVER)
            kill_at(next, hl_sparse_count(next) - 1, died);
    }
    if (code == HL_OK)
        *ret_sparse = next;
    else
        hl_sparse_unref(next);
    return code;
}

/* ---- searching ---- */

/* The inner product over the indices they share; false when they share none. */
static bool score_of(const struct hl_sparse_search *search, const struct row *row,
                     float *ret_score)
{
    const float *values = (const float *)(const void *)(row->indices + row->n);
    size_t i = 0, j = 0;
    bool has_met = false;
    float score = 0;

    while (i < search->n && j < row->n) {
        if (search->indices[i] < row->indices[j]) {
            i++;
        } else if (search->indices[i] > row->indices[j]) {
            j++;
        } else {
            score += search->values[i++] * values[j++];
            has_met = true;
        }
    }
    *ret_score = score;
    return has_met;
}

static bool is_seen(const struct hl_sparse_search *search, const struct row *row)
{
    return row->born <= search->commit && search->commit < atomic_load(&row->died) &&
           (!search->filter || search->filter->has(search->filter->self, row->number));
}

static bool is_better(const struct hl_shelf_hit *a, const struct hl_shelf_hit *b)
{
    return a->score > b->score || (a->score >= b->score && a->number < b->number);
}

/* A heap with the worst on top. */
static void sift_down(struct hl_shelf_hit *hits, size_t n, size_t at)
{
    for (;;) {
        size_t worst = at, left = 2 * at + 1;
        struct hl_shelf_hit held = hits[at];

        if (left < n && is_better(&hits[worst], &hits[left]))
            worst = left;
        if (left + 1 < n && is_better(&hits[worst], &hits[left + 1]))
            worst = left + 1;
        if (worst == at)
            return;
        hits[at] = hits[worst];
        hits[worst] = held;
        at = worst;
    }
}

static void keep(struct hl_shelf_hit *hits, size_t *n, size_t k, struct hl_shelf_hit hit)
{
    size_t at;

    if (*n == k) {
        if (k > 0 && is_better(&hit, &hits[0])) {
            hits[0] = hit;
            sift_down(hits, k, 0);
        }
        return;
    }
    at = (*n)++;
    hits[at] = hit;
    while (at > 0 && is_better(&hits[(at - 1) / 2], &hits[at])) {
        struct hl_shelf_hit held = hits[at];

        hits[at] = hits[(at - 1) / 2];
        hits[(at - 1) / 2] = held;
        at = (at - 1) / 2;
    }
}

enum hl_code hl_sparse_find(const struct hl_sparse_search *search,
                            struct hl_shelf_hit *hits, size_t *ret_n_hits,
                            struct hl_err *err)
{
    const size_t n_rows = hl_sparse_count(search->sparse);
    size_t n = 0;
    enum hl_code code = HL_OK;

    for (size_t at = 0; at < n_rows; at++) {
        const struct row *row = row_at(search->sparse, at);
        struct hl_shelf_hit hit = {.number = row->number, .row = row->row};

        if (at % ROWS_PER_LOOK == 0)
            code = hl_deadline_check(search->deadline, "the search", err);
        if (code != HL_OK)
            return code;
        if (is_seen(search, row) && score_of(search, row, &hit.score))
            keep(hits, &n, search->k, hit);
    }
    *ret_n_hits = n;
    for (size_t left = n; left > 1; left--) { /* the worst to the end, one by one */
        struct hl_shelf_hit worst = hits[0];

        hits[0] = hits[left - 1];
        hits[left - 1] = worst;
        sift_down(hits, left - 1, 0);
    }
    return HL_OK;
}
