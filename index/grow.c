/* SPDX-License-Identifier: Apache-2.0 */
#include "index/grow.h"

#include "index/scan.h"
#include "index/writing.h"

#include <time.h>

/* To scan FIRST rows takes as long as a walk, and STEP rows are as many as are added while
 * nobody else gets a piece of work done. MOST is what searches can bear to scan: as much
 * again as the walk of a large segment. */
enum { FIRST = 2048, STEP = 1024, MOST = 4096 };
enum { PAUSE_MS = 5, PAUSES = 200, MOST_US = 1000000, LATELY_US = 60000000 };

static size_t count_bare(const struct hl_part *part)
{
    const struct hl_tail *tail = hl_part_tail(part);
    const struct hl_sprout *sprout = hl_part_sprout(part);
    const size_t n_rows = tail ? hl_tail_count(tail) : 0;

    if (n_rows < FIRST || hl_part_is_barren(part))
        return 0;
    return n_rows - (sprout ? hl_sprout_count(sprout) : 0);
}

/* Of the shelf that has most of them: a search looks through one, mostly. */
static size_t most_bare(const struct hl_layout *layout)
{
    size_t most = 0;

    for (size_t i = 0; i < hl_layout_n_all(layout); i++) {
        const struct hl_shelf *shelf = &layout->spaces[i].shelf;
        size_t n = 0;

        for (size_t j = 0; shelf->metric != HL_METRIC_L1 && j < shelf->n_parts; j++)
            n += count_bare(shelf->parts[j]);
        most = n > most ? n : most;
    }
    return most;
}

static enum hl_code plant(struct hl_engine *engine, const struct hl_shelf *shelf,
                          struct hl_part *part, struct hl_err *err)
{
    const struct hl_engine_options *own = hl_engine_options(engine);
    const struct hl_sprout_options options = {.metric = shelf->metric,
                                              .dim = shelf->dim,
                                              .most_rows = hl_part_capacity(part),
                                              .n_links = own->n_links,
                                              .ef_construction = own->ef_construction};
    const size_t bytes = hl_sprout_bytes(&options);
    struct hl_allowance *allowance = hl_engine_tails_allowance(engine);
    struct hl_sprout *sprout = NULL;
    enum hl_code code;

    if (!hl_allowance_take(allowance, bytes, 0)) {
        hl_part_make_barren(part); /* that is no fault */
        return HL_OK;
    }
    code = hl_sprout_new(&options, &sprout, err);
    if (code == HL_OK)
        hl_part_plant(part, sprout, allowance, bytes);
    else
        hl_allowance_give(allowance, bytes);
    return code;
}

/* STEP rows, or as many as there are: what lies together in the tail at once. */
static enum hl_code add_rows(struct hl_part *part, struct hl_err *err)
{
    const struct hl_tail *tail = hl_part_tail(part);
    struct hl_sprout *sprout = hl_part_sprout(part);
    const size_t first = hl_sprout_count(sprout), n_rows = hl_tail_count(tail);
    const size_t end = n_rows - first < STEP ? n_rows : first + STEP;
    struct hl_scan_run run;
    enum hl_code code = HL_OK;

    for (size_t at = first; code == HL_OK && at < end; at += run.n_rows) {
        hl_tail_run(tail, at, end, &run);
        code = hl_sprout_grow(sprout, run.sketches, run.n_rows, err);
    }
    return code;
}

/* A full one to its end, unless its segment gets another graph. */
static bool wants_rows(const struct hl_shelf *shelf, size_t at)
{
    const struct hl_part *part = shelf->parts[at];
    const size_t n_bare = count_bare(part);

    return hl_shelf_is_full(shelf, at) ? n_bare > 0 && hl_part_keeps_graph(part)
                                       : n_bare >= STEP;
}

enum hl_code hl_grow_step(struct hl_engine *engine, const struct hl_shelf *shelf,
                          bool *ret_has_grown, struct hl_err *err)
{
    enum hl_code code = HL_OK;

    *ret_has_grown = false;
    for (size_t i = 0; shelf->metric != HL_METRIC_L1 && i < shelf->n_parts; i++) {
        struct hl_part *part = shelf->parts[i];

        if (!wants_rows(shelf, i))
            continue;
        if (!hl_part_sprout(part))
            code = plant(engine, shelf, part, err);
        if (code == HL_OK && hl_part_sprout(part))
            code = add_rows(part, err);
        if (code != HL_OK)
            hl_part_make_barren(part);
        *ret_has_grown = true;
        return code;
    }
    return HL_OK;
}

void hl_grow_account(struct hl_collection *collection, const struct hl_layout *layout)
{
    struct hl_engine_counts *counts = hl_engine_counts(collection->engine);
    const size_t now = most_bare(layout);
    const size_t before = atomic_exchange(&collection->n_bare, now);

    atomic_fetch_add(&counts->bare_rows, now - before);
    atomic_fetch_add(&counts->growths_due, (size_t)(now >= STEP) - (before >= STEP));
}

bool hl_grow_is_due(struct hl_collection *collection)
{
    return atomic_load(&collection->n_bare) >= STEP;
}

static int64_t now_us(const struct hl_collection *collection)
{
    return hl_clock_now(hl_engine_options(collection->engine)->clock);
}

/* Whether somebody searched lately, as far as the writer can tell who asks now and then. */
static bool is_searched(struct hl_collection *collection)
{
    const int64_t now = now_us(collection);
    uint64_t n_searches;

    pthread_mutex_lock(&collection->desk);
    n_searches = collection->n_searches;
    pthread_mutex_unlock(&collection->desk);
    if (n_searches != collection->n_searches_before) {
        collection->n_searches_before = n_searches;
        collection->searched_at_us = now;
    }
    return n_searches > 0 && now - collection->searched_at_us < LATELY_US;
}

static bool are_upserts(struct hl_collection *collection)
{
    bool are_all = true;

    pthread_mutex_lock(&collection->desk);
    for (const struct hl_change *change = collection->first; change; change = change->next)
        are_all &= change->is_upsert;
    pthread_mutex_unlock(&collection->desk);
    return are_all;
}

/* Pauses take longer than they should where others have the writer between them. */
static bool must_wait(struct hl_collection *collection)
{
    return collection->n_pauses < PAUSES &&
           now_us(collection) - collection->held_since_us < MOST_US &&
           atomic_load(&collection->n_bare) > MOST && are_upserts(collection) &&
           !hl_engine_is_stopping(collection->engine);
}

bool hl_grow_hold_back(struct hl_collection *collection)
{
    const struct timespec pause = {.tv_nsec = PAUSE_MS * 1000000L};

    if (!is_searched(collection))
        collection->n_pauses = PAUSES;
    else if (collection->n_pauses == 0)
        collection->held_since_us = now_us(collection);
    while (must_wait(collection)) {
        (void)nanosleep(&pause, NULL);
        collection->n_pauses++;
        if (hl_engine_is_wanted(collection->engine))
            return true;
    }
    collection->n_pauses = 0;
    return false;
}
