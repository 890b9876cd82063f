/* SPDX-License-Identifier: Apache-2.0 */
#include "index/part.h"

#include "proto/alloc.h"
#include "proto/dir.h"

#include <assert.h>

/* An exact search of a row costs less than its short form, so these wait for more than a
 * few queries. A piece is some milliseconds at most. */
enum { QUERIES_BEFORE_SCREEN = 512, ROWS_OF_PIECE = 512 };

enum { ROWS_PER_WORD = 64 };

/* One of so many rows may be dead where a segment is made of a tail as it is. */
enum { ROWS_PER_DEAD = 4 };

struct hl_part {
    atomic_size_t n_refs;
    atomic_size_t n_dead;
    atomic_uint_fast64_t last_death; /* the newest commit that a row died in */
    struct hl_segment *segment;
    struct hl_tail *tail;
    _Atomic(struct hl_sprout *) sprout; /* of the tail; NULL before it has one */
    atomic_bool is_barren;
    struct hl_allowance *sprouts; /* what it was taken from, */
    size_t sprout_bytes;          /* and how much */
    char *path;                   /* NULL: none */
    atomic_bool is_retired;
    struct hl_part_keeper *keeper; /* NULL: none */
    struct hl_part *next_buried, *next_asking;

    /* Of a segment's rows; 0 while a row lives, which is what fresh pages are: a segment in
     * which little died takes little memory for it. Commits count from 1. */
    atomic_uint_fast64_t *died;
    _Atomic(uint64_t) *living; /* a bit for each of them, until it dies */

    _Atomic(struct hl_screen *) screen; /* NULL before it is made */
    atomic_size_t n_looks;              /* exact queries */
    atomic_bool is_asking;              /* from then on until its keeper has done with it */
};

/* All of them, of a segment that is new. */
static bool note_living(struct hl_part *part, size_t n_rows)
{
    const size_t n_words = n_rows / ROWS_PER_WORD + 1;

    part->died = hl_alloc_zeroed(n_rows, sizeof *part->died);
    part->living = hl_alloc_zeroed(n_words, sizeof *part->living);
    if (!part->died || !part->living)
        return false;
    for (size_t row = 0; row < n_rows; row += ROWS_PER_WORD)
        atomic_init(&part->living[row / ROWS_PER_WORD],
                    n_rows - row < ROWS_PER_WORD ? ((uint64_t)1 << (n_rows - row)) - 1
                                                 : UINT64_MAX);
    return true;
}

static struct hl_part *new_part(struct hl_segment *segment, struct hl_tail *tail)
{
    struct hl_part *part = hl_alloc_zeroed(1, sizeof *part);

    if (!part)
        return NULL;
    atomic_init(&part->n_refs, 1);
    part->segment = segment;
    part->tail = tail;
    if (!segment)
        return part;
    if (note_living(part, hl_segment_view(segment)->n_rows))
        return part;
    hl_free(part->died);
    hl_free(part->living);
    hl_free(part);
    return NULL;
}

enum hl_code hl_part_of_segment(struct hl_segment *segment, struct hl_part **ret_part,
                                struct hl_err *err)
{
    struct hl_part *part = new_part(segment, NULL);

    if (!part) {
        hl_segment_close(segment);
        return hl_fail(err, HL_NO_MEMORY, "no memory to serve a segment");
    }
    *ret_part = part;
    return HL_OK;
}

enum hl_code hl_part_of_tail(struct hl_tail *tail, struct hl_part **ret_part,
                             struct hl_err *err)
{
    struct hl_part *part = new_part(NULL, tail);

    if (!part) {
        hl_tail_free(tail);
        return hl_fail(err, HL_NO_MEMORY, "no memory to serve a tail");
    }
    *ret_part = part;
    return HL_OK;
}

struct hl_part *hl_part_ref(struct hl_part *part)
{
    atomic_fetch_add(&part->n_refs, 1);
    return part;
}

void hl_part_set_path(struct hl_part *part, const char *path)
{
    part->path = hl_strdup(path);
}

const char *hl_part_path(const struct hl_part *part)
{
    return part->path ? part->path : "";
}

void hl_part_retire(struct hl_part *part)
{
    atomic_store(&part->is_retired, true);
}

void hl_part_keep_by(struct hl_part *part, struct hl_part_keeper *keeper)
{
    part->keeper = keeper;
}

static void drop_screen(struct hl_part *part)
{
    struct hl_screen *screen = atomic_load(&part->screen);

    if (screen)
        hl_allowance_give(hl_segment_allowance(part->segment), hl_screen_bytes(screen));
    hl_screen_free(screen);
}

static void drop_sprout(struct hl_part *part)
{
    struct hl_sprout *sprout = atomic_load(&part->sprout);

    if (sprout)
        hl_allowance_give(part->sprouts, part->sprout_bytes);
    hl_sprout_free(sprout);
}

static void free_part(struct hl_part *part)
{
    struct hl_err ignored;

    drop_screen(part);
    drop_sprout(part);
    hl_segment_close(part->segment);
    hl_tail_free(part->tail);
    /* A file that stays is swept away by the next start. */
    if (part->path && atomic_load(&part->is_retired))
        (void)hl_file_remove(part->path, &ignored);
    hl_free(part->path);
    hl_free(part->died);
    hl_free(part->living);
    hl_free(part);
}

/* In one of its keeper's lists. Nobody takes a single one out, so an address that comes
 * back does no harm. */
static void leave(struct hl_part *part, _Atomic(struct hl_part *) *list,
                  struct hl_part **next)
{
    struct hl_part_keeper *keeper = part->keeper; /* the part may be gone at once */
    struct hl_part *newest = atomic_load(list);

    do
        *next = newest;
    while (!atomic_compare_exchange_weak(list, &newest, part));
    keeper->call(keeper->self);
}

void hl_part_keeper_dig(struct hl_part_keeper *keeper)
{
    struct hl_part *part = atomic_exchange(&keeper->buried, NULL), *next;

    for (; part; part = next) {
        next = part->next_buried;
        free_part(part);
    }
}

void hl_part_unref(struct hl_part *part)
{
    if (!part || atomic_fetch_sub(&part->n_refs, 1) != 1)
        return;
    if (part->keeper)
        leave(part, &part->keeper->buried, &part->next_buried);
    else
        free_part(part);
}

const struct hl_segment_view *hl_part_segment(const struct hl_part *part)
{
    return part->segment ? hl_segment_view(part->segment) : NULL;
}

struct hl_tail *hl_part_tail(const struct hl_part *part)
{
    return part->tail;
}

struct hl_sprout *hl_part_sprout(const struct hl_part *part)
{
    return atomic_load(&part->sprout);
}

void hl_part_plant(struct hl_part *part, struct hl_sprout *sprout,
                   struct hl_allowance *allowance, size_t bytes)
{
    assert(part->tail && !hl_part_sprout(part));
    part->sprouts = allowance;
    part->sprout_bytes = bytes;
    atomic_store(&part->sprout, sprout);
}

void hl_part_make_barren(struct hl_part *part)
{
    atomic_store(&part->is_barren, true);
}

bool hl_part_is_barren(const struct hl_part *part)
{
    return atomic_load(&part->is_barren);
}

bool hl_part_keeps_graph(const struct hl_part *part)
{
    return !hl_tail_has_struck(part->tail) &&
           hl_part_n_dead(part) * ROWS_PER_DEAD <= hl_part_count(part);
}

const struct hl_ann *hl_part_graph(const struct hl_part *part)
{
    const struct hl_sprout *sprout = hl_part_sprout(part);

    return sprout && !hl_part_is_barren(part) && hl_part_keeps_graph(part) &&
                   hl_sprout_count(sprout) == hl_part_count(part)
               ? hl_sprout_graph(sprout)
               : NULL;
}

size_t hl_part_count(const struct hl_part *part)
{
    return part->tail ? hl_tail_count(part->tail) : hl_segment_view(part->segment)->n_rows;
}

size_t hl_part_capacity(const struct hl_part *part)
{
    return part->tail ? hl_tail_capacity(part->tail) : hl_part_count(part);
}

uint64_t hl_part_row(const struct hl_part *part, uint32_t position)
{
    return part->tail ? hl_tail_row(part->tail, position)
                      : hl_segment_view(part->segment)->rows[position];
}

uint32_t hl_part_number(const struct hl_part *part, uint32_t position)
{
    return part->tail ? hl_tail_number(part->tail, position)
                      : hl_segment_view(part->segment)->numbers[position];
}

const float *hl_part_values(const struct hl_part *part, uint32_t position)
{
    return part->tail ? hl_tail_values(part->tail, position)
                      : hl_segment_values(hl_segment_view(part->segment), position);
}

const struct hl_sketch *hl_part_sketch(const struct hl_part *part, uint32_t position)
{
    return part->tail ? hl_tail_sketch(part->tail, position)
                      : hl_segment_sketch(hl_segment_view(part->segment), position);
}

size_t hl_part_held(const struct hl_part *part)
{
    const struct hl_screen *screen = hl_part_screen(part);

    if (part->tail)
        return hl_tail_held(part->tail) + (hl_part_sprout(part) ? part->sprout_bytes : 0);
    return hl_segment_held(part->segment) + (screen ? hl_screen_bytes(screen) : 0);
}

const struct hl_screen *hl_part_screen(const struct hl_part *part)
{
    return atomic_load(&part->screen);
}

/* ---- short forms ---- */

static struct hl_screen_rows rows_of(const struct hl_part *part,
                                     const struct hl_kernels *kernels)
{
    const struct hl_segment_view *segment = hl_part_segment(part);

    return (struct hl_screen_rows){.kernels = kernels,
                                   .metric = segment->metric,
                                   .dim = segment->dim,
                                   .values = segment->values,
                                   .n_rows = segment->n_rows};
}

void hl_part_look_through(struct hl_part *part, size_t n_queries)
{
    struct hl_screen_rows rows;

    if (!part->keeper || !part->segment || hl_segment_held(part->segment) == 0 ||
        hl_part_screen(part))
        return;
    rows = rows_of(part, NULL);
    if (hl_screen_is_worth(&rows) &&
        atomic_fetch_add(&part->n_looks, n_queries) >= QUERIES_BEFORE_SCREEN &&
        !atomic_exchange(&part->is_asking, true))
        leave(hl_part_ref(part), &part->keeper->asking, &part->next_asking);
}

/* Out of what the segment was taken from. NULL: without room or memory, another time. */
static struct hl_screen *make_screen(struct hl_part *part,
                                     const struct hl_screen_rows *rows)
{
    struct hl_allowance *allowance = hl_segment_allowance(part->segment);
    const size_t most = hl_screen_most_bytes(rows);
    struct hl_screen *screen;

    if (!hl_allowance_take(allowance, most, 0))
        return NULL;
    screen = hl_screen_new(rows);
    hl_allowance_give(allowance, most - (screen ? hl_screen_bytes(screen) : 0));
    atomic_store(&part->screen, screen);
    return screen;
}

/* The list has a reference as well. */
static bool is_wanted(const struct hl_part *part)
{
    return atomic_load(&part->n_refs) > 1 && !atomic_load(&part->is_retired);
}

static void screen_part(struct hl_part *part, const struct hl_part_screening *screening)
{
    const struct hl_screen_rows rows = rows_of(part, screening->kernels);
    const struct hl_pause *pause = screening->pause;
    struct hl_screen *screen = atomic_load(&part->screen);
    struct hl_err ignored;

    if (!screen && is_wanted(part))
        screen = make_screen(part, &rows);
    if (!screen) {
        atomic_store(&part->n_looks, 0);
        return;
    }
    for (size_t n = 0; n < rows.n_rows; n += ROWS_OF_PIECE) {
        if (hl_deadline_check(screening->deadline, "short forms", &ignored) != HL_OK ||
            !is_wanted(part))
            return;
        hl_screen_extend(screen, &rows, ROWS_OF_PIECE);
        if (pause)
            pause->rest(pause->self);
    }
}

void hl_part_keeper_screen(struct hl_part_keeper *keeper,
                           const struct hl_part_screening *screening)
{
    struct hl_part *part = atomic_exchange(&keeper->asking, NULL), *next;
    struct hl_err ignored;

    for (; part; part = next) {
        next = part->next_asking;
        if (screening &&
            hl_deadline_check(screening->deadline, "short forms", &ignored) == HL_OK)
            screen_part(part, screening);
        atomic_store(&part->is_asking, false);
        hl_part_unref(part);
    }
}

void hl_part_keeper_clear(struct hl_part_keeper *keeper)
{
    hl_part_keeper_screen(keeper, NULL);
    hl_part_keeper_dig(keeper);
}

size_t hl_part_mapped(const struct hl_part *part)
{
    return part->tail ? 0 : hl_segment_mapped(part->segment);
}

bool hl_part_kill(struct hl_part *part, uint64_t row, uint64_t commit)
{
    const uint32_t position = part->tail
                                  ? hl_tail_find(part->tail, row)
                                  : hl_segment_find(hl_segment_view(part->segment), row);

    if (position == HL_NO_POSITION)
        return false;
    assert(hl_part_died(part, position) == HL_COMMIT_NEVER);
    if (part->tail)
        hl_tail_kill(part->tail, position, commit);
    else
        atomic_store(&part->died[position], commit);
    if (commit > atomic_load(&part->last_death))
        atomic_store(&part->last_death, commit);
    if (!part->tail) /* behind the commit as well: who misses it finds out */
        atomic_fetch_and(&part->living[position / ROWS_PER_WORD],
                         ~((uint64_t)1 << position % ROWS_PER_WORD));
    atomic_fetch_add(&part->n_dead, 1); /* behind the commit: who counts all sees it */
    return true;
}

bool hl_part_list_living(const struct hl_part *part, uint64_t commit,
                         uint32_t *ret_positions, size_t *ret_n)
{
    const size_t n_rows = hl_part_count(part);
    size_t n = 0;

    for (size_t row = 0; row < n_rows; row += ROWS_PER_WORD)
        for (uint64_t left = atomic_load(&part->living[row / ROWS_PER_WORD]); left != 0;
             left &= left - 1)
            ret_positions[n++] = (uint32_t)(row + (size_t)__builtin_ctzll(left));
    *ret_n = n;
    return atomic_load(&part->last_death) <= commit;
}

bool hl_part_is_over(const struct hl_part *part, uint64_t commit)
{
    const size_t n_rows = hl_part_count(part);

    if (n_rows == 0)
        return true;
    return part->segment && hl_part_n_dead(part) == n_rows &&
           atomic_load(&part->last_death) <= commit;
}

uint64_t hl_part_died(const struct hl_part *part, uint32_t position)
{
    uint64_t died;

    if (part->tail)
        return hl_tail_died(part->tail, position);
    died = atomic_load(&part->died[position]);
    return died ? died : HL_COMMIT_NEVER;
}

size_t hl_part_n_dead(const struct hl_part *part)
{
    return atomic_load(&part->n_dead);
}
