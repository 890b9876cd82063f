/* SPDX-License-Identifier: Apache-2.0 */
#include "index/look_part.h"

#include "index/filter_test.h"
#include "proto/alloc.h"

#include <string.h>

enum { NUMBERS_AT_ONCE = 256, PAYLOAD_ROOM = 64 << 20, FEW_INDEXES = 64 };
enum { MOST_OTHERS = 128 }; /* more models than can be served through bridges */

/* ---- opening and closing ---- */

/* Under the lock of the indexes, for reading. */
static enum hl_code find_matches(struct hl_look *look, struct hl_err *err)
{
    struct hl_collection *collection = look->collection;
    struct hl_field_index *few[FEW_INDEXES];
    struct hl_field_index **room = few;
    struct hl_filter_scope scope;
    enum hl_code code = HL_OK;

    if (collection->n_kept > FEW_INDEXES)
        room = hl_alloc_zeroed(collection->n_kept, sizeof(struct hl_field_index *));
    if (!room)
        return hl_fail(err, HL_NO_MEMORY, "no memory for a filter");
    hl_collection_scope(collection, room, &scope);
    scope.deadline = look->wish->deadline;
    for (size_t i = 0; code == HL_OK && i < look->n_filters; i++) {
        struct hl_look_filter *filter = &look->filters[i];

        if (!filter->filter) {
            filter->is_settled = true;
            continue;
        }
        code = hl_filter_find(filter->filter, &scope, &filter->matches, err);
        if (code == HL_OK)
            filter->is_settled = hl_rows_count(filter->matches.unsure) == 0;
    }
    if (room != few)
        hl_free(room);
    return code;
}

static void link_look(struct hl_look *look)
{
    struct hl_look_link *ring = &look->collection->looks;

    pthread_mutex_lock(&look->collection->desk);
    look->link.prev = ring->prev;
    look->link.next = ring;
    ring->prev->next = &look->link;
    ring->prev = &look->link;
    pthread_mutex_unlock(&look->collection->desk);
}

static void unlink_look(struct hl_look *look)
{
    pthread_mutex_lock(&look->collection->desk);
    look->collection->n_searches += look->has_searched;
    look->link.prev->next = look->link.next;
    look->link.next->prev = look->link.prev;
    pthread_mutex_unlock(&look->collection->desk);
}

/* Who carries what, for a layout whose spaces are searched together. */
static enum hl_code count_carriers(struct hl_look *look, struct hl_err *err)
{
    const struct hl_collection *collection = look->collection;
    const struct hl_layout *layout = collection->layout;

    if (!layout->companion)
        return HL_OK;
    look->n_carriers = hl_alloc_zeroed(layout->n_spaces + 1, sizeof *look->n_carriers);
    if (!look->n_carriers)
        return hl_fail(err, HL_NO_MEMORY, "no memory to look into \"%s\"",
                       collection->label);
    for (size_t i = 0; i < layout->n_spaces; i++) {
        const struct hl_carriers *carriers =
            hl_collection_carriers(collection, layout->spaces[i].id);

        look->n_carriers[i] = carriers ? hl_rows_count(carriers->points) : 0;
    }
    return HL_OK;
}

static enum hl_code find_others(struct hl_look *look, struct hl_err *err)
{
    const struct hl_look_wish *wish = look->wish;
    const struct hl_collection *collection = look->collection;
    uint32_t spaces[MOST_OTHERS];
    size_t n = wish->leave_out
                   ? wish->leave_out(wish->self, collection->layout, spaces, MOST_OTHERS)
                   : 0;
    enum hl_code code = HL_OK;

    if (n == 0)
        return HL_OK;
    look->others = hl_alloc_zeroed(n, sizeof *look->others);
    if (!look->others)
        return hl_fail(err, HL_NO_MEMORY, "no memory to look into \"%s\"",
                       collection->label);
    for (size_t i = 0; code == HL_OK && i < n; i++) {
        const struct hl_carriers *carriers = hl_collection_carriers(collection, spaces[i]);
        struct hl_rows *rows = hl_rows_clone(collection->points);

        if (!rows)
            return hl_fail(err, HL_NO_MEMORY, "no memory for the points of a search");
        look->others[look->n_others++] = (struct hl_look_others){spaces[i], rows};
        if (carriers)
            code = hl_rows_andnot(rows, carriers->points, err);
    }
    return code;
}

/* Whether payload indexes, and what filters know beside them, are read. */
static bool asks_indexes(const struct hl_look *look)
{
    bool asks = look->wish->facet || look->wish->order;

    for (size_t i = 0; i < look->n_filters; i++)
        asks = asks || look->filters[i].filter;
    return asks;
}

/* Under a lock that keeps writers from publishing. */
static enum hl_code take_moment(struct hl_look *look, struct hl_err *err)
{
    const struct hl_collection *collection = look->collection;
    enum hl_code code = count_carriers(look, err);

    if (code == HL_OK)
        code = find_others(look, err);
    if (code == HL_OK)
        code = hl_look_gather(look, err);
    if (code == HL_OK) {
        look->layout = hl_layout_ref(collection->layout);
        look->n_points = hl_rows_count(collection->points);
        look->link.commit = collection->published;
        /* Under the lock: links stand in the order of their commits. */
        link_look(look);
    }
    return code;
}

/* HL_OK without a layout: it would have to wait, and does not want to. */
static enum hl_code fix_moment(struct hl_look *look, struct hl_err *err)
{
    struct hl_collection *collection = look->collection;
    const bool asks = asks_indexes(look);
    pthread_rwlock_t *lock = asks ? &collection->indexes : &collection->lock;
    enum hl_code code = HL_OK;

    if (!asks || !look->wish->is_prompt)
        pthread_rwlock_rdlock(lock);
    else if (pthread_rwlock_tryrdlock(lock) != 0)
        return HL_OK;
    if (asks)
        code = find_matches(look, err);
    for (size_t i = 0; !asks && i < look->n_filters; i++)
        look->filters[i].is_settled = true;
    if (code == HL_OK)
        code = take_moment(look, err);
    pthread_rwlock_unlock(lock);
    return code;
}

static void free_look(struct hl_look *look)
{
    for (size_t i = 0; i < look->n_filters; i++)
        hl_matches_done(&look->filters[i].matches);
    for (size_t i = 0; i < look->n_others; i++)
        hl_rows_free(look->others[i].rows);
    hl_free(look->others);
    hl_free(look->n_carriers);
    hl_look_gathered_done(&look->gathered);
    hl_layout_unref(look->layout);
    hl_collection_unref(look->collection);
    hl_free(look);
}

enum hl_code hl_look_open(struct hl_collection *collection, const struct hl_look_wish *wish,
                          struct hl_look **ret_look, struct hl_err *err)
{
    const size_t n = wish->n_filters ? wish->n_filters : 1;
    struct hl_look *look;
    enum hl_code code;

    if (atomic_load(&collection->is_broken))
        return hl_fail(
            err, HL_NO_MEMORY,
            "memory ran out behind a commit: nothing is lost, but the server must "
            "be restarted to serve \"%s\"",
            collection->label);
    look = hl_alloc_zeroed(1, sizeof *look + n * sizeof look->filters[0]);
    if (!look)
        return hl_fail(err, HL_NO_MEMORY, "no memory to look into \"%s\"",
                       collection->label);
    look->collection = hl_collection_ref(collection);
    look->wish = wish;
    look->n_filters = n;
    for (size_t i = 0; i < wish->n_filters; i++)
        look->filters[i].filter = wish->filters[i];
    code = fix_moment(look, err);
    if (code == HL_OK && look->layout) {
        *ret_look = look;
        return HL_OK;
    }
    free_look(look);
    if (code == HL_OK)
        *ret_look = NULL;
    return code;
}

void hl_look_close(struct hl_look *look)
{
    if (!look)
        return;
    if (look->reader) {
        hl_reader_end(look->reader);
        hl_collection_give_reader(look->collection, look->reader);
    }
    unlink_look(look);
    free_look(look);
}

/* ---- what it sees ---- */

const struct hl_layout *hl_look_layout(const struct hl_look *look)
{
    return look->layout;
}

uint64_t hl_look_commit(const struct hl_look *look)
{
    return look->link.commit;
}

uint64_t hl_look_n_points(const struct hl_look *look)
{
    return look->n_points;
}

uint64_t hl_look_n_carriers(const struct hl_look *look, uint32_t space)
{
    for (size_t i = 0; look->n_carriers && i < look->layout->n_spaces; i++)
        if (look->layout->spaces[i].id == space)
            return look->n_carriers[i];
    return 0;
}

struct hl_id hl_look_id(const struct hl_look *look, uint32_t number)
{
    return *hl_roster_id(look->collection->roster, number);
}

void hl_look_expect(const struct hl_look *look, uint32_t number)
{
    __builtin_prefetch(hl_roster_id(look->collection->roster, number));
}

enum hl_code hl_look_reader(struct hl_look *look, struct hl_reader **ret_reader,
                            struct hl_err *err)
{
    struct hl_reader *reader = NULL;
    enum hl_code code;

    if (look->reader) {
        *ret_reader = look->reader;
        return HL_OK;
    }
    code = hl_collection_take_reader(look->collection, &reader, err);
    if (code != HL_OK)
        return code;
    code = hl_reader_begin(reader, look->link.commit, err);
    if (code != HL_OK) {
        hl_collection_give_reader(look->collection, reader);
        return code;
    }
    *ret_reader = look->reader = reader;
    return HL_OK;
}

/* ---- filters ---- */

bool hl_look_is_settled(const struct hl_look *look, size_t which)
{
    return look->filters[which].is_settled;
}

const struct hl_rows *hl_look_matches(const struct hl_look *look, size_t which)
{
    return look->filters[which].filter ? look->filters[which].matches.sure : NULL;
}

bool hl_look_means_same(const struct hl_look *look, size_t a, size_t b)
{
    const struct hl_rows *left = hl_look_matches(look, a),
                         *right = hl_look_matches(look, b);

    if (!left || !right)
        return !left && !right;
    return hl_rows_count(left) == hl_rows_count(right) &&
           hl_rows_count(left) == hl_rows_count_and(left, right);
}

uint64_t hl_look_count(const struct hl_look *look, size_t which)
{
    const struct hl_rows *matches = hl_look_matches(look, which);

    return matches ? hl_rows_count(matches) : look->n_points;
}

struct subject {
    const struct hl_layout *layout;
    const struct hl_store_point *point;
};

static bool has_vector(void *self, const struct hl_text *name)
{
    const struct subject *subject = self;
    const struct hl_space *space = hl_layout_find(subject->layout, name);

    for (size_t i = 0; space && i < subject->point->n_places; i++)
        if (subject->point->places[i].space == space->id)
            return true;
    return false;
}

static enum hl_code test_point(struct hl_look *look, struct hl_look_filter *filter,
                               uint32_t number, struct hl_arena *arena, struct hl_err *err)
{
    struct hl_store_point point;
    struct subject self = {look->layout, &point};
    struct hl_subject subject = {.id = &point.id, .has_vector = has_vector, .self = &self};
    enum hl_code code = hl_reader_get(look->reader, number, &point, err);

    if (code != HL_OK)
        return code == HL_NOT_FOUND
                   ? hl_fail(err, HL_DAMAGED, "point number %u is not in the store", number)
                   : code;
    hl_arena_reset(arena);
    code = hl_payload_parse(point.payload.text, point.payload.len, arena, &subject.payload,
                            err);
    if (code == HL_OK && hl_filter_test(filter->filter, &subject))
        return hl_rows_add(filter->matches.sure, number, err);
    return code;
}

static enum hl_code test_all(struct hl_look *look, struct hl_look_filter *filter,
                             const struct hl_deadline *deadline, struct hl_err *err)
{
    struct hl_arena *arena = hl_arena_new(PAYLOAD_ROOM);
    uint32_t numbers[NUMBERS_AT_ONCE], from = 0;
    size_t n;
    enum hl_code code = HL_OK;

    if (!arena)
        return hl_fail(err, HL_NO_MEMORY, "no memory for a filter");
    while (code == HL_OK &&
           (n = hl_rows_list(filter->matches.unsure, from, numbers, NUMBERS_AT_ONCE)) > 0) {
        code = hl_deadline_check(deadline, "the filter", err);
        if (code == HL_OK)
            code = hl_reader_renew(look->reader, err);
        for (size_t i = 0; code == HL_OK && i < n; i++)
            code = test_point(look, filter, numbers[i], arena, err);
        if (numbers[n - 1] == UINT32_MAX)
            break;
        from = numbers[n - 1] + 1;
    }
    hl_arena_free(arena);
    return code;
}

enum hl_code hl_look_settle(struct hl_look *look, size_t which,
                            const struct hl_deadline *deadline, struct hl_err *err)
{
    struct hl_look_filter *filter = &look->filters[which];
    struct hl_reader *reader = NULL;
    enum hl_code code;

    if (filter->is_settled)
        return HL_OK;
    code = hl_look_reader(look, &reader, err);
    if (code == HL_OK)
        code = test_all(look, filter, deadline, err);
    if (code != HL_OK)
        return code;
    hl_rows_free(filter->matches.unsure);
    filter->matches.unsure = NULL;
    filter->is_settled = true;
    return HL_OK;
}
