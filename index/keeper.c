/* SPDX-License-Identifier: Apache-2.0 */
#include "index/engine_part.h"
#include "index/grow.h"
#include "index/manifest.h"
#include "index/upkeep.h"
#include "index/writing_part.h"
#include "proto/alloc.h"
#include "proto/dir.h"
#include "proto/file.h"

#include <inttypes.h>
#include <stdio.h>

/* What is done to a collection beside its requests: one piece at a time, on the engine's
 * keeper thread. What is built is built aside; it takes its place by a change like any
 * other, which goes through the writer's queue and is waited for. */
enum { CLEANED_AT_ONCE = 2000, COMPACTED_FROM = 4096 };

/* A change that the keeper waits for. */
struct errand {
    struct hl_change change; /* first: `change` is where the writer finds it */
    struct hl_collection *collection;
    struct hl_swap swap;
    uint32_t space; /* whose sparse rows are compacted */
    pthread_mutex_t lock;
    pthread_cond_t is_over;
    bool is_done;
    enum hl_code code;
    struct hl_err err;
};

static void end_errand(struct hl_change *change, enum hl_code code,
                       const struct hl_err *err)
{
    struct errand *errand = (struct errand *)change;

    pthread_mutex_lock(&errand->lock);
    errand->is_done = true;
    errand->code = code;
    if (code != HL_OK)
        errand->err = *err;
    pthread_cond_signal(&errand->is_over);
    pthread_mutex_unlock(&errand->lock);
}

static enum hl_code run_errand(struct errand *errand, struct hl_err *err)
{
    enum hl_code code;

    errand->change.done = end_errand;
    pthread_mutex_init(&errand->lock, NULL);
    pthread_cond_init(&errand->is_over, NULL);
    code = hl_collection_submit(errand->collection, &errand->change, err);
    if (code == HL_OK) {
        pthread_mutex_lock(&errand->lock);
        while (!errand->is_done)
            pthread_cond_wait(&errand->is_over, &errand->lock);
        pthread_mutex_unlock(&errand->lock);
        code = errand->code;
        if (code != HL_OK)
            *err = errand->err;
    }
    pthread_mutex_destroy(&errand->lock);
    pthread_cond_destroy(&errand->is_over);
    return code;
}

/* ---- sealing and merging ---- */

struct job {
    struct hl_collection *collection;
    struct hl_layout *layout; /* a reference */
    const struct hl_space *space;
    uint64_t commit;
    struct hl_upkeep_choice choice;
    bool is_urgent; /* seals and does nothing else */
    struct hl_engine_between between;
    char path[PATH_MAX];
};

/* All its rows are published, or struck. Rows are born in order, so the last one that was
 * not struck tells. */
static bool is_published(const struct hl_tail *tail, uint64_t commit)
{
    for (size_t at = hl_tail_count(tail); at > 0; at--)
        if (hl_tail_died(tail, (uint32_t)at - 1) != 0)
            return hl_tail_born(tail, (uint32_t)at - 1) <= commit;
    return true;
}

static struct hl_upkeep_part describe(const struct hl_shelf *shelf, size_t at,
                                      uint64_t commit)
{
    const struct hl_part *part = shelf->parts[at];
    const struct hl_tail *tail = hl_part_tail(part);
    struct hl_upkeep_part described = {.n_rows = hl_part_count(part),
                                       .n_dead = hl_part_n_dead(part),
                                       .is_tail = tail != NULL};

    described.is_full =
        described.n_rows > 0 && hl_shelf_is_full(shelf, at) && is_published(tail, commit);
    return described;
}

/* That memory has room to build a graph of. */
static size_t most_rows(const struct hl_engine_options *options, size_t dim)
{
    return options->most_build_bytes == 0
               ? SIZE_MAX
               : options->most_build_bytes / hl_segment_build_bytes(dim, options->n_links);
}

/* Whether the space has work; memory for looking is small. */
static bool choose(struct job *job)
{
    const struct hl_engine_options *options = hl_engine_options(job->collection->engine);
    const struct hl_shelf *shelf = &job->space->shelf;
    struct hl_upkeep_part *parts =
        hl_alloc_zeroed(shelf->n_parts ? shelf->n_parts : 1, sizeof *parts);

    if (!parts)
        return false;
    for (size_t i = 0; i < shelf->n_parts; i++)
        parts[i] = describe(shelf, i, job->commit);
    job->choice = hl_upkeep_choose(parts, shelf->n_parts, options->seal_rows,
                                   most_rows(options, shelf->dim));
    if (job->is_urgent && job->choice.n > 0 && !parts[job->choice.first].is_tail)
        job->choice.n = 0;
    hl_free(parts);
    return job->choice.n > 0;
}

static enum hl_code prepare_path(struct job *job, struct hl_err *err)
{
    const struct hl_part *first = job->space->shelf.parts[job->choice.first];
    char file[HL_MANIFEST_FILE], folder[PATH_MAX];
    enum hl_code code;

    (void)snprintf(file, sizeof file, "%" PRIu32 "-%" PRIu32, job->space->id,
                   job->space->id);
    code = hl_manifest_path(job->collection, file, folder, sizeof folder, err);
    if (code == HL_OK)
        code = hl_dir_make(folder, err);
    if (code == HL_OK)
        code = hl_dir_sync_above(folder, err);
    (void)snprintf(file, sizeof file, "%" PRIu32 "-%" PRIu32 "/%" PRIx64 "-%" PRIx64 ".seg",
                   job->space->id, job->space->id, hl_part_row(first, 0), job->commit);
    return code == HL_OK
               ? hl_manifest_path(job->collection, file, job->path, sizeof job->path, err)
               : code;
}

static enum hl_code swap_parts(struct hl_change *change, struct hl_writing *writing,
                               struct hl_err *err)
{
    const struct errand *errand = (const struct errand *)change;

    return hl_writing_swap(writing, &errand->swap, err);
}

/* A merge is long, and tails fill up meanwhile: they are sealed between its batches, or
 * upserts would be refused because of work that nobody waits for. Short forms of rows are
 * made there too: they are some tenths of a second, and searches are the faster for them.
 */
static void rest_between(void *self)
{
    struct job *job = self;

    hl_engine_seal_between(&job->between);
    hl_engine_screen_asking(job->collection->engine);
}

static bool is_seal(const struct job *job)
{
    return hl_part_tail(job->space->shelf.parts[job->choice.first]) != NULL;
}

static enum hl_code build_and_swap(struct job *job, size_t *ret_n_rows, struct hl_err *err)
{
    const struct hl_engine_options *options = hl_engine_options(job->collection->engine);
    const struct hl_shelf *shelf = &job->space->shelf;
    const struct hl_pause pause = {rest_between, job};
    const struct hl_merge merge = {
        .parts = &shelf->parts[job->choice.first],
        .n_parts = job->choice.n,
        .commit = job->commit,
        .metric = shelf->metric,
        .dim = shelf->dim,
        .n_links = options->n_links,
        .ef_construction = options->ef_construction,
        .path = job->path,
        .hold = {.allowance = hl_engine_allowance(job->collection->engine),
                 .is_on_disk = job->space->is_on_disk},
        .deadline = hl_engine_patience(job->collection->engine),
        .pause = is_seal(job) ? NULL : &pause};
    struct errand errand = {.change.run = swap_parts,
                            .collection = job->collection,
                            .swap = {.merge = &merge, .space = job->space->id}};
    struct hl_err ignored;
    enum hl_code code = hl_merge_build(&merge, &errand.swap.part, err);

    if (code != HL_OK)
        return code;
    if (errand.swap.part) {
        hl_part_set_path(errand.swap.part, job->path);
        hl_part_keep_by(errand.swap.part, hl_engine_part_keeper(job->collection->engine));
        *ret_n_rows = hl_part_count(errand.swap.part);
    }
    code = run_errand(&errand, err);
    hl_part_unref(errand.swap.part);
    if (code != HL_OK)
        (void)hl_file_remove(job->path, &ignored); /* else the next start does */
    return code;
}

static void tell_built(const struct job *job, size_t n_rows, int64_t took_us)
{
    const struct hl_engine_event event = {.kind = is_seal(job) ? HL_ENGINE_SEALED
                                                               : HL_ENGINE_MERGED,
                                          .collection = job->collection->label,
                                          .file = job->path,
                                          .n_rows = n_rows,
                                          .took_us = took_us};

    hl_engine_tell(job->collection->engine, &event);
}

static void say_kept(struct hl_collection *collection, bool is_kept)
{
    pthread_mutex_lock(&collection->desk);
    collection->n_kept_at += is_kept ? 1U : -1U;
    pthread_mutex_unlock(&collection->desk);
}

static enum hl_code do_job(struct job *job, struct hl_err *err)
{
    const struct hl_clock *clock = hl_engine_options(job->collection->engine)->clock;
    const int64_t started = hl_clock_now(clock);
    size_t n_rows = 0;
    enum hl_code code = prepare_path(job, err);

    say_kept(job->collection, true);
    if (code == HL_OK)
        code = build_and_swap(job, &n_rows, err);
    say_kept(job->collection, false);
    if (code == HL_OK)
        tell_built(job, n_rows, hl_clock_now(clock) - started);
    return code;
}

/* ---- sparse rows and old versions ---- */

static enum hl_code compact(struct hl_change *change, struct hl_writing *writing,
                            struct hl_err *err)
{
    const struct errand *errand = (const struct errand *)change;
    struct hl_layout *own = hl_writing_own_layout(writing);
    struct hl_sparse *next = NULL;
    enum hl_code code = HL_OK;

    if (!own)
        return hl_fail(err, HL_NO_MEMORY, "no memory to compact sparse vectors");
    for (size_t i = 0; code == HL_OK && i < own->n_spaces; i++) {
        struct hl_space *space = &own->spaces[i];

        if (space->id != errand->space || !space->sparse)
            continue;
        code = hl_sparse_compact(space->sparse, errand->collection->published, &next, err);
        if (code == HL_OK) {
            hl_sparse_unref(space->sparse);
            space->sparse = next;
            code = hl_store_forget_deaths(writing->store, space->id, 0, UINT64_MAX,
                                          errand->collection->published, err);
        }
    }
    return code;
}

static bool needs_compacting(const struct hl_space *space)
{
    return space->sparse && hl_sparse_count(space->sparse) >= COMPACTED_FROM &&
           hl_sparse_n_dead(space->sparse) * 2 > hl_sparse_count(space->sparse);
}

static enum hl_code clean(struct hl_change *change, struct hl_writing *writing,
                          struct hl_err *err)
{
    struct errand *errand = (struct errand *)change;
    bool is_done;

    return hl_store_clean(writing->store, hl_collection_oldest(errand->collection),
                          CLEANED_AT_ONCE, &is_done, err);
}

/* Old versions that some look may still read are not worth a transaction. */
static bool can_clean(const struct job *job)
{
    return !atomic_load(&job->collection->is_clean) &&
           hl_collection_oldest(job->collection) >= job->commit;
}

/* ---- one piece ---- */

static enum hl_tending outcome(const struct hl_collection *collection, enum hl_code code,
                               const struct hl_err *err)
{
    const struct hl_engine_event event = {.kind = HL_ENGINE_UPKEEP_FAILED,
                                          .collection = collection->label,
                                          .file = "",
                                          .err = err};

    if (code == HL_OK)
        return HL_TENDING_DONE;
    /* A collection that goes, or the end: nothing is wrong. */
    if (code == HL_CANCELLED || code == HL_UNAVAILABLE || code == HL_NOT_FOUND)
        return HL_TENDING_NOTHING;
    hl_engine_tell(collection->engine, &event);
    return HL_TENDING_FAILED;
}

static enum hl_tending grow(struct job *job)
{
    struct hl_err err;
    bool has_grown;
    const enum hl_code code =
        hl_grow_step(job->collection->engine, &job->space->shelf, &has_grown, &err);

    if (!has_grown)
        return HL_TENDING_NOTHING;
    /* The layout may be another one by now, and none follows it amid this. */
    pthread_rwlock_rdlock(&job->collection->lock);
    hl_grow_account(job->collection, job->collection->layout);
    pthread_rwlock_unlock(&job->collection->lock);
    return outcome(job->collection, code, &err);
}

/* A tail whose graph is there takes a moment: were all growth to go first, rows that come
 * faster than they are grown would fill memory until upserts are refused. */
static bool can_seal_at_once(const struct job *job)
{
    const struct hl_part *part = job->space->shelf.parts[job->choice.first];

    return is_seal(job) && hl_part_graph(part);
}

static enum hl_tending tend_dense(struct job *job)
{
    const bool has_job = choose(job);
    struct hl_err err;

    if (!has_job || !can_seal_at_once(job)) {
        const enum hl_tending growth = grow(job);

        if (growth != HL_TENDING_NOTHING || !has_job)
            return growth;
    }
    return outcome(job->collection, do_job(job, &err), &err);
}

static enum hl_tending tend(struct hl_collection *collection, struct job *job)
{
    struct errand errand = {.collection = collection};
    struct hl_err err;

    for (size_t i = 0; i < hl_layout_n_all(job->layout); i++) {
        enum hl_tending tending = HL_TENDING_NOTHING;

        job->space = &job->layout->spaces[i];
        if (!job->space->sparse)
            tending = tend_dense(job);
        if (tending != HL_TENDING_NOTHING)
            return tending;
        if (!job->is_urgent && needs_compacting(job->space)) {
            errand.space = job->space->id;
            errand.change.run = compact;
            return outcome(collection, run_errand(&errand, &err), &err);
        }
    }
    if (job->is_urgent || !can_clean(job))
        return HL_TENDING_NOTHING;
    errand.change.run = clean;
    return outcome(collection, run_errand(&errand, &err), &err);
}

static enum hl_tending look_after(struct hl_collection *collection, bool is_urgent)
{
    struct job job = {.collection = collection,
                      .is_urgent = is_urgent,
                      .between = {.engine = collection->engine}};
    enum hl_tending tending;

    if (atomic_load(&collection->is_broken))
        return HL_TENDING_NOTHING;
    pthread_rwlock_rdlock(&collection->lock);
    job.layout = hl_layout_ref(collection->layout);
    job.commit = collection->published;
    pthread_rwlock_unlock(&collection->lock);
    tending = tend(collection, &job);
    hl_layout_unref(job.layout);
    return tending;
}

enum hl_tending hl_keeper_tend(struct hl_collection *collection)
{
    return look_after(collection, false);
}

enum hl_tending hl_keeper_seal(struct hl_collection *collection)
{
    return look_after(collection, true);
}
