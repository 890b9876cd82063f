/* SPDX-License-Identifier: Apache-2.0 */
#include "index/look_part.h"

#include "proto/datetime.h"
#include "proto/list.h"
#include "proto/number.h"

#include <stdlib.h>

/* Up to so many points are listed by their ids in memory; more are walked in the store. */
enum { MOST_SORTED = 20000, PAYLOAD_ROOM = 64 << 20, NUMBERS_AT_ONCE = 256 };

/* ---- every point of a filter ---- */

struct walk {
    struct hl_arena *arena;
    hl_look_point_fn *each;
    void *self;
    enum hl_code code;
    struct hl_err *err;
};

static bool walk_point(void *self, const struct hl_store_point *point)
{
    struct walk *walk = self;
    const struct hl_value *payload = NULL;

    hl_arena_reset(walk->arena);
    walk->code = hl_payload_parse(point->payload.text, point->payload.len, walk->arena,
                                  &payload, walk->err);
    return walk->code == HL_OK && walk->each(walk->self, point, payload);
}

static enum hl_code walk_listed(struct hl_look *look, const struct hl_rows *rows,
                                const struct hl_deadline *deadline, struct walk *walk,
                                struct hl_err *err)
{
    uint32_t numbers[NUMBERS_AT_ONCE], from = 0;
    size_t n;

    while ((n = hl_rows_list(rows, from, numbers, NUMBERS_AT_ONCE)) > 0) {
        enum hl_code code = hl_deadline_check(deadline, "the request", err);

        if (code == HL_OK)
            code = hl_reader_renew(look->reader, err);
        for (size_t i = 0; code == HL_OK && i < n; i++) {
            struct hl_store_point point;

            code = hl_reader_get(look->reader, numbers[i], &point, err);
            if (code == HL_OK && !walk_point(walk, &point))
                return walk->code;
        }
        if (code != HL_OK || numbers[n - 1] == UINT32_MAX)
            return code;
        from = numbers[n - 1] + 1;
    }
    return HL_OK;
}

enum hl_code hl_look_each(struct hl_look *look, size_t which,
                          const struct hl_deadline *deadline, hl_look_point_fn *each,
                          void *self, struct hl_err *err)
{
    const struct hl_reader_scan scan = {.order = HL_READ_BY_NUMBER, .deadline = deadline};
    struct walk walk = {
        .arena = hl_arena_new(PAYLOAD_ROOM), .each = each, .self = self, .err = err};
    const struct hl_rows *rows = hl_look_matches(look, which);
    struct hl_reader *reader = NULL;
    enum hl_code code;

    if (!walk.arena)
        return hl_fail(err, HL_NO_MEMORY, "no memory to read payloads");
    code = hl_look_reader(look, &reader, err);
    if (code == HL_OK)
        code = rows ? walk_listed(look, rows, deadline, &walk, err)
                    : hl_reader_scan(reader, &scan, walk_point, &walk, err);
    hl_arena_free(walk.arena);
    return code == HL_OK ? walk.code : code;
}

/* ---- an order ---- */

struct ordering {
    const struct hl_order *order;
    enum hl_index_type type;
    uint32_t number;
    struct hl_list found; /* struct hl_ordered */
    enum hl_code code;
    struct hl_err *err;
};

static int compare_ordered(const struct hl_ordered *a, const struct hl_ordered *b)
{
    const double x = a->is_whole ? (double)a->integer : a->real;
    const double y = b->is_whole ? (double)b->integer : b->real;

    if (a->is_whole && b->is_whole && a->integer != b->integer)
        return a->integer < b->integer ? -1 : 1;
    if (x < y || x > y)
        return x < y ? -1 : 1;
    return a->number < b->number ? -1 : a->number > b->number;
}

static int ascending(const void *a, const void *b)
{
    return compare_ordered(a, b);
}

static int descending(const void *a, const void *b)
{
    return compare_ordered(b, a);
}

static bool is_behind_start(const struct hl_order *order, const struct hl_ordered *value)
{
    struct hl_ordered start = {.number = value->number,
                               .is_whole = order->start == HL_START_TIME || order->is_whole,
                               .integer = order->integer,
                               .real = order->number};
    int side;

    if (order->start == HL_START_NOWHERE)
        return true;
    side = compare_ordered(value, &start);
    return order->is_descending ? side <= 0 : side >= 0;
}

/* False for what the index has not either. */
static bool read_ordered(enum hl_index_type type, const struct hl_value *value,
                         struct hl_ordered *found)
{
    found->is_whole = type != HL_INDEX_FLOAT;
    if (type == HL_INDEX_DATETIME)
        return value->kind == HL_TOKEN_STRING &&
               hl_datetime_parse(value->text, value->len, &found->integer);
    if (value->kind != HL_TOKEN_NUMBER)
        return false;
    if (type == HL_INDEX_INTEGER)
        return hl_number_i64(value->text, value->len, &found->integer);
    found->real = hl_number_double(value->text, value->len);
    return true;
}

static bool take_ordered(void *self, const struct hl_value *value)
{
    struct ordering *ordering = self;
    struct hl_ordered found = {.number = ordering->number};

    if (!read_ordered(ordering->type, value, &found) ||
        !is_behind_start(ordering->order, &found))
        return false;
    ordering->code = hl_list_add(&ordering->found, &found, ordering->err);
    return ordering->code != HL_OK;
}

static bool open_ordered(void *self, const struct hl_value *value)
{
    return hl_value_each(value, take_ordered, self);
}

static bool order_point(void *self, const struct hl_store_point *point,
                        const struct hl_value *payload)
{
    struct ordering *ordering = self;

    ordering->number = point->number;
    (void)hl_payload_each(payload, &ordering->order->key, open_ordered, ordering);
    return ordering->code == HL_OK;
}

enum hl_code hl_look_ordered(struct hl_look *look, struct hl_arena *arena,
                             const struct hl_deadline *deadline,
                             const struct hl_ordered **ret_points, size_t *ret_n,
                             struct hl_err *err)
{
    struct ordering ordering = {.order = look->wish->order,
                                .type = look->gathered.order_type,
                                .found = hl_list_of(arena, sizeof(struct hl_ordered)),
                                .err = err};
    enum hl_code code;

    if (look->gathered.has_order) {
        *ret_points = look->gathered.ordered;
        *ret_n = look->gathered.n_ordered;
        return HL_OK;
    }
    code = hl_look_settle(look, 0, deadline, err);
    if (code == HL_OK)
        code = hl_look_each(look, 0, deadline, order_point, &ordering, err);
    if (code == HL_OK)
        code = ordering.code;
    if (code != HL_OK)
        return code;
    if (ordering.found.n > 0)
        qsort(ordering.found.items, ordering.found.n, sizeof(struct hl_ordered),
              ordering.order->is_descending ? descending : ascending);
    *ret_points = ordering.found.items;
    *ret_n = ordering.found.n < look->wish->order_limit ? ordering.found.n
                                                        : look->wish->order_limit;
    return HL_OK;
}

/* ---- pages by id ---- */

struct listing {
    const struct hl_rows *rows;
    struct hl_list numbers;
    const struct hl_look_page *page;
    enum hl_code code;
    struct hl_err *err;
};

static bool take_of_page(void *self, const struct hl_store_point *point)
{
    struct listing *listing = self;

    if (listing->rows && !hl_rows_has(listing->rows, point->number))
        return true;
    listing->code = hl_list_add(&listing->numbers, &point->number, listing->err);
    return listing->code == HL_OK && listing->numbers.n < listing->page->limit;
}

struct named {
    struct hl_id id;
    uint32_t number;
};

static int by_id(const void *a, const void *b)
{
    const struct named *left = a, *right = b;

    return hl_id_compare(&left->id, &right->id);
}

static enum hl_code sort_few(const struct hl_look *look, const struct hl_look_page *page,
                             struct hl_arena *arena, const uint32_t **ret_numbers,
                             size_t *ret_n, struct hl_err *err)
{
    const struct hl_rows *rows = hl_look_matches(look, page->which);
    const size_t most = (size_t)hl_rows_count(rows);
    struct named *named = hl_arena_array(arena, most + 1, sizeof *named);
    uint32_t *numbers = hl_arena_array(arena, most + 1, sizeof *numbers);
    size_t n = 0, n_listed;

    if (!named || !numbers)
        return hl_arena_fail(arena, err, "a page of points");
    n_listed = hl_rows_list(rows, 0, numbers, most);
    for (size_t i = 0; i < n_listed; i++) {
        named[n] = (struct named){hl_look_id(look, numbers[i]), numbers[i]};
        n += !page->from || hl_id_compare(&named[n].id, page->from) >= 0;
    }
    qsort(named, n, sizeof *named, by_id);
    n = n < page->limit ? n : page->limit;
    for (size_t i = 0; i < n; i++)
        numbers[i] = named[i].number;
    *ret_numbers = numbers;
    *ret_n = n;
    return HL_OK;
}

enum hl_code hl_look_scroll(struct hl_look *look, const struct hl_look_page *page,
                            struct hl_arena *arena, const uint32_t **ret_numbers,
                            size_t *ret_n, struct hl_err *err)
{
    const struct hl_reader_scan scan = {
        .order = HL_READ_BY_ID, .from_id = page->from, .deadline = page->deadline};
    struct listing listing = {.rows = hl_look_matches(look, page->which),
                              .numbers = hl_list_of(arena, sizeof(uint32_t)),
                              .page = page,
                              .err = err};
    struct hl_reader *reader = NULL;
    enum hl_code code;

    if (listing.rows && hl_rows_count(listing.rows) <= MOST_SORTED)
        return sort_few(look, page, arena, ret_numbers, ret_n, err);
    code = hl_look_reader(look, &reader, err);
    if (code == HL_OK)
        code = hl_reader_scan(reader, &scan, take_of_page, &listing, err);
    if (code == HL_OK)
        code = listing.code;
    if (code != HL_OK)
        return code;
    *ret_numbers = listing.numbers.items;
    *ret_n = listing.numbers.n;
    return HL_OK;
}
