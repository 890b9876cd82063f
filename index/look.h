/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HL_INDEX_LOOK_H
#define HL_INDEX_LOOK_H

#include "index/collection.h"
#include "index/payload.h"
#include "proto/query.h"
#include "proto/read.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What one request sees of a collection: one commit, the layout that serves it, and the
 * points its filters mean. Everything a look answers is of that commit, however long it
 * takes and whatever is written meanwhile.
 *
 * One thread at a time; it may be handed on. It must end soon: old versions and replaced
 * segments are kept for it. */
struct hl_look;

/* Everything that is found in memory that changes is asked for here, in one moment.
 * Borrowed until the look is closed. Conditions may be NULL: all points. */
typedef size_t hl_look_leave_out_fn(void *self, const struct hl_layout *layout,
                                    uint32_t *spaces, size_t room);

struct hl_look_wish {
    const struct hl_filter *const *filters;
    size_t n_filters;
    const struct hl_path *facet; /* NULL: none; counted under filters[0] */
    uint32_t facet_limit;
    const struct hl_order *order; /* NULL: none; points of filters[0] by a value */
    uint32_t order_limit;
    const struct hl_deadline *deadline; /* of finding what filters mean; NULL: none */

    /* Waits for nobody: where a commit is being put into the payload indexes, which are
     * asked, there is no look but NULL, and success. */
    bool is_prompt;

    /* Says by whose vectors some of the finds leave points out (hl_find.without), at most
     * `room` spaces. Called under the lock, so it is quick; NULL: none do. */
    hl_look_leave_out_fn *leave_out;
    void *self;
};

/* Takes microseconds, and longer only for filters of many conditions or while a commit of
 * many points is put into the indexes that are asked; reads no disk.
 * HL_CANCELLED or HL_TIMEOUT as the deadline says. HL_WRONG_INPUT: the order needs an index
 * that is not there. */
enum hl_code hl_look_open(struct hl_collection *collection, const struct hl_look_wish *wish,
                          struct hl_look **ret_look, struct hl_err *err);
void hl_look_close(struct hl_look *look); /* NULL is accepted */

const struct hl_layout *hl_look_layout(const struct hl_look *look);
uint64_t hl_look_commit(const struct hl_look *look);
uint64_t hl_look_n_points(const struct hl_look *look); /* all there are */

/* Points that have a vector in a space; of a layout with a companion, else 0. */
uint64_t hl_look_n_carriers(const struct hl_look *look, uint32_t space);

/* The id of a point that the look has seen. */
struct hl_id hl_look_id(const struct hl_look *look, uint32_t number);

/* That it will be asked for: ids of hits lie anywhere, and waiting for them one by one
 * takes longer than printing them. */
void hl_look_expect(const struct hl_look *look, uint32_t number);

/* A reader at the look's commit, for payloads and vectors: made at the first call, good
 * until the look is closed. Reads the disk, as does what is done with it. */
enum hl_code hl_look_reader(struct hl_look *look, struct hl_reader **ret_reader,
                            struct hl_err *err);

/* Whether a filter's points are known without reading payloads, and reading those of which
 * they are not. Without a filter they are known. */
bool hl_look_is_settled(const struct hl_look *look, size_t which);
enum hl_code hl_look_settle(struct hl_look *look, size_t which,
                            const struct hl_deadline *deadline, struct hl_err *err);

/* Of a settled filter; NULL: all points. */
const struct hl_rows *hl_look_matches(const struct hl_look *look, size_t which);
uint64_t hl_look_count(const struct hl_look *look, size_t which);

/* Whether two settled filters mean the same points. */
bool hl_look_means_same(const struct hl_look *look, size_t a, size_t b);

/* ---- search ---- */

struct hl_find {
    const struct hl_space *space; /* of the look's layout */
    const float *values;          /* as they came: it normalises where the space does */
    const uint32_t *indices;      /* of a sparse query */
    size_t n;                     /* values: a dense query has the space's dim */
    size_t k;
    size_t beam; /* 0: the engine's own */
    bool is_exact;
    bool is_indexed_only;    /* sealed segments alone */
    size_t which;            /* filter, which is settled */
    const uint32_t *without; /* not points with a vector in one of these spaces, which were
                                wished for */
    size_t n_without;
    bool has_threshold;
    float threshold; /* on the wire's scale: what is worse is not found */
    const struct hl_deadline *deadline;
};

struct hl_hit {
    float score; /* the wire's: of Euclid and Manhattan the distance */
    uint32_t number;
    uint64_t row;
};

/* The k best, best first, equal ones by number, in the arena. Only memory and mapped
 * segments are read. HL_DIMENSION_MISMATCH, HL_WRONG_INPUT for a query that does not fit.
 */
enum hl_code hl_look_find(struct hl_look *look, const struct hl_find *find,
                          struct hl_arena *arena, const struct hl_hit **ret_hits,
                          size_t *ret_n, struct hl_err *err);

/* What is found for each of several queries that want the same: `find` says what, but for
 * its values. Rows are read once for many of them where the
 * find is exact and sketches can tell of them. */
struct hl_found {
    const struct hl_hit *hits;
    size_t n;
};

struct hl_find_many {
    const float *const *queries;
    size_t n;
    struct hl_found *found; /* n of them, to be filled */
};

enum hl_code hl_look_find_many(struct hl_look *look, const struct hl_find *find,
                               const struct hl_find_many *many, struct hl_arena *arena,
                               struct hl_err *err);

/* Whether `a` is the better score. */
bool hl_distance_is_better(enum hl_distance distance, float a, float b);

/* ---- what was wished for ---- */

struct hl_facet_hit {
    const char *value; /* the JSON text of it: "\"blue\"", 3, true */
    size_t len;
    uint64_t count; /* points */
};

/* The most frequent values first, equal ones by value, at most facet_limit; reads payloads
 * where no index can answer. HL_WRONG_INPUT when the key has no index that counts values.
 */
enum hl_code hl_look_facet(struct hl_look *look, struct hl_arena *arena,
                           const struct hl_deadline *deadline,
                           const struct hl_facet_hit **ret_hits, size_t *ret_n,
                           struct hl_err *err);

struct hl_ordered {
    uint32_t number;
    bool is_whole; /* `integer`, else `number_value`; times are microseconds, whole */
    int64_t integer;
    double real;
};

/* The points of the wish in their order, at most order_limit of them: a point with several
 * values comes once for each. */
enum hl_code hl_look_ordered(struct hl_look *look, struct hl_arena *arena,
                             const struct hl_deadline *deadline,
                             const struct hl_ordered **ret_points, size_t *ret_n,
                             struct hl_err *err);

struct hl_look_page {
    size_t which;             /* filter, which is settled */
    const struct hl_id *from; /* NULL: the first */
    uint32_t limit;
    const struct hl_deadline *deadline;
};

/* The points of a settled filter by their ids, ascending, from `from` on, at most `limit`
 * of them. */
enum hl_code hl_look_scroll(struct hl_look *look, const struct hl_look_page *page,
                            struct hl_arena *arena, const uint32_t **ret_numbers,
                            size_t *ret_n, struct hl_err *err);

#endif
