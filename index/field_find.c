/* SPDX-License-Identifier: Apache-2.0 */
#include "index/field_parts.h"

enum { BLOCK = 1024 };

/* Numbers on their way into a set. */
struct block {
    uint32_t numbers[BLOCK];
    size_t n;
};

static enum hl_code flush_block(struct block *block, struct hl_rows *rows,
                                struct hl_err *err)
{
    enum hl_code code = hl_rows_add_many(rows, block->numbers, block->n, err);

    block->n = 0;
    return code;
}

static enum hl_code put_number(struct block *block, uint32_t number, struct hl_rows *rows,
                               struct hl_err *err)
{
    block->numbers[block->n++] = number;
    return block->n == BLOCK ? flush_block(block, rows, err) : HL_OK;
}

static bool is_place(enum hl_condition_kind kind)
{
    return kind == HL_CONDITION_GEO_BOX || kind == HL_CONDITION_CIRCLE ||
           kind == HL_CONDITION_POLYGON;
}

static bool is_text_kind(enum hl_field_kind kind)
{
    return kind == HL_FIELD_KEYWORD || kind == HL_FIELD_UUID;
}

static bool is_of_kind(enum hl_field_kind kind, const struct hl_condition *condition)
{
    switch (condition->kind) {
    case HL_CONDITION_TEXT:
        return is_text_kind(kind) || (condition->is_except && condition->texts.n == 0);
    case HL_CONDITION_PREFIX:
        return is_text_kind(kind);
    case HL_CONDITION_INTEGER:
        return kind == HL_FIELD_INTEGER;
    case HL_CONDITION_BOOL:
        return kind == HL_FIELD_BOOL;
    case HL_CONDITION_RANGE:
        return kind == HL_FIELD_INTEGER || kind == HL_FIELD_FLOAT;
    case HL_CONDITION_TIME:
        return kind == HL_FIELD_DATETIME;
    case HL_CONDITION_GEO_BOX:
    case HL_CONDITION_CIRCLE:
    case HL_CONDITION_POLYGON:
        return kind == HL_FIELD_GEO;
    case HL_CONDITION_COUNT:
    case HL_CONDITION_IS_EMPTY:
    case HL_CONDITION_IS_NULL:
        return true;
    case HL_CONDITION_NESTED:
    case HL_CONDITION_HAS_ID:
    case HL_CONDITION_HAS_VECTOR:
    case HL_CONDITION_SLICE:
    case HL_CONDITION_FILTER:
        break;
    }
    return false;
}

bool hl_field_index_answers(const struct hl_field_index *index,
                            const struct hl_condition *condition)
{
    return is_of_kind(index->kind, condition) &&
           hl_path_is_equal(&index->path, &condition->path);
}

static struct hl_geo_frame frame_of(const struct hl_condition *condition)
{
    if (condition->kind == HL_CONDITION_GEO_BOX)
        return hl_geo_box_frame(&condition->box);
    if (condition->kind == HL_CONDITION_CIRCLE)
        return hl_geo_circle_frame(&condition->circle);
    return hl_geo_polygon_frame(&condition->polygon);
}

static struct hl_keys keys_of(const struct hl_field_index *index,
                              const struct hl_condition *condition)
{
    if (condition->kind == HL_CONDITION_TIME)
        return hl_keys_of_times(&condition->times);
    return hl_keys_of_range(index->kind, &condition->range);
}

static uint64_t count_listed(const struct hl_field_index *index,
                             const struct hl_condition *condition)
{
    uint64_t n = 0;

    if (condition->kind == HL_CONDITION_INTEGER)
        for (size_t i = 0; i < condition->integers.n; i++) {
            uint64_t key = hl_key_of_integer(condition->integers.items[i]);

            n += hl_sorted_count(index->order, key, key);
        }
    if (condition->kind == HL_CONDITION_TEXT)
        for (size_t i = 0; i < condition->texts.n; i++) {
            const struct hl_rows *rows =
                hl_value_map_find(index->map, &condition->texts.items[i]);

            n += rows ? hl_rows_count(rows) : 0;
        }
    return n;
}

static uint64_t count_belts(const struct hl_field_index *index,
                            const struct hl_geo_frame *frame)
{
    struct hl_keys keys = {(uint64_t)hl_key_belt(frame->south) << 32,
                           (uint64_t)hl_key_belt(frame->north) << 32 | UINT32_MAX};

    return hl_sorted_count(index->order, keys.low, keys.high);
}

uint64_t hl_field_index_estimate(const struct hl_field_index *index,
                                 const struct hl_condition *condition, uint64_t n_points)
{
    uint64_t n = n_points, n_present = hl_rows_count(index->present);
    struct hl_geo_frame frame;
    struct hl_keys keys;
    struct hl_text text;
    const struct hl_rows *rows;

    if (is_place(condition->kind)) {
        frame = frame_of(condition);
        n = count_belts(index, &frame);
    } else if (condition->kind == HL_CONDITION_RANGE ||
               condition->kind == HL_CONDITION_TIME) {
        keys = keys_of(index, condition);
        n = hl_sorted_count(index->order, keys.low, keys.high);
        if (index->kind == HL_FIELD_INTEGER)
            n += hl_rows_count(index->others);
    } else if (condition->kind == HL_CONDITION_BOOL) {
        text = hl_field_bool_text(condition->is_true);
        rows = hl_value_map_find(index->map, &text);
        n = rows ? hl_rows_count(rows) : 0;
    } else if (condition->kind == HL_CONDITION_PREFIX) {
        n = n_present;
    } else if (condition->kind == HL_CONDITION_TEXT ||
               condition->kind == HL_CONDITION_INTEGER) {
        n = condition->is_except ? n_present + hl_rows_count(index->others)
                                 : count_listed(index, condition);
    } else if (condition->kind == HL_CONDITION_IS_NULL && condition->is_true) {
        n = hl_rows_count(index->nulls);
    } else if (condition->kind == HL_CONDITION_IS_EMPTY && !condition->is_true) {
        n = hl_rows_count(index->filled);
    }
    return n < n_points ? n : n_points;
}

struct search {
    const struct hl_field_index *index;
    const struct hl_condition *condition;
    const struct hl_within *within;
    struct hl_rows *sure;
    struct hl_rows *unsure;
};

/* Those of `rows` that are asked about; the smaller of the two is the one copied. */
static enum hl_code add_common(const struct search *search, struct hl_rows *out,
                               const struct hl_rows *rows, struct hl_err *err)
{
    const struct hl_rows *within = search->within->rows, *small = rows, *large = within;
    struct hl_rows *common;
    enum hl_code code;

    if (search->within->is_all)
        return hl_rows_or(out, rows, err);
    if (hl_rows_count(within) < hl_rows_count(rows)) {
        small = within;
        large = rows;
    }
    common = hl_rows_clone(small);
    if (!common)
        return hl_fail(err, HL_NO_MEMORY, "no memory for a set of points");
    code = hl_rows_and(common, large, err);
    if (code == HL_OK)
        code = hl_rows_or(out, common, err);
    hl_rows_free(common);
    return code;
}

/* All that are asked about, without those of `rows`. */
static enum hl_code add_rest(const struct search *search, const struct hl_rows *rows,
                             struct hl_err *err)
{
    enum hl_code code = hl_rows_or(search->sure, search->within->rows, err);

    return code == HL_OK ? hl_rows_andnot(search->sure, rows, err) : code;
}

/* A number whose key is in reach: sure, unsure or neither. */
static enum hl_code judge(const struct search *search, uint32_t number, struct block *block,
                          struct hl_err *err)
{
    const struct hl_field_index *index = search->index;
    uint64_t lon, lat;
    struct hl_geo_point point;
    bool is_in;

    if (!index->lats)
        return put_number(block, number, search->sure, err);
    if (!hl_column_get(index->column, number, &lon) ||
        !hl_column_get(index->lats, number, &lat))
        return hl_rows_add(search->unsure, number, err);
    point = (struct hl_geo_point){hl_double_of_key(lon), hl_double_of_key(lat)};
    if (search->condition->kind == HL_CONDITION_GEO_BOX)
        is_in = hl_geo_box_has(&search->condition->box, point);
    else if (search->condition->kind == HL_CONDITION_CIRCLE)
        is_in = hl_geo_circle_has(&search->condition->circle, point);
    else
        is_in = hl_geo_polygon_has(&search->condition->polygon, point);
    return is_in ? put_number(block, number, search->sure, err) : HL_OK;
}

/* Reads the pairs of the keys. */
static enum hl_code scan_keys(const struct search *search, struct hl_keys keys,
                              struct hl_err *err)
{
    struct hl_sorted_cursor cursor = hl_sorted_seek(search->index->order, keys.low);
    bool is_all = search->within->is_all;
    enum hl_code code = HL_OK;
    struct block block;
    uint32_t number;
    uint64_t key;

    block.n = 0;
    while (code == HL_OK && hl_sorted_next(search->index->order, &cursor, &key, &number) &&
           key <= keys.high)
        if (is_all || hl_rows_has(search->within->rows, number))
            code = judge(search, number, &block, err);
    return code == HL_OK ? flush_block(&block, search->sure, err) : code;
}

/* Asks the column about each point instead; one of several values is not in there. */
static enum hl_code scan_points(const struct search *search, struct hl_keys keys,
                                struct hl_err *err)
{
    const struct hl_field_index *index = search->index;
    uint32_t numbers[BLOCK];
    enum hl_code code = HL_OK;
    struct block block;
    uint64_t from = 0, key;
    size_t n = BLOCK;

    block.n = 0;
    while (code == HL_OK && n == BLOCK && from <= UINT32_MAX) {
        n = hl_rows_list(search->within->rows, (uint32_t)from, numbers, BLOCK);
        for (size_t i = 0; code == HL_OK && i < n; i++) {
            from = (uint64_t)numbers[i] + 1;
            if (!hl_column_get(index->column, numbers[i], &key)) {
                if (hl_rows_has(index->several, numbers[i]))
                    code = hl_rows_add(search->unsure, numbers[i], err);
            } else if (index->lats || (key >= keys.low && key <= keys.high)) {
                code = judge(search, numbers[i], &block, err);
            }
        }
    }
    return code == HL_OK ? flush_block(&block, search->sure, err) : code;
}

static bool is_worth_asking_points(const struct search *search, uint64_t n_pairs)
{
    return !search->within->is_all && hl_rows_count(search->within->rows) < n_pairs;
}

static enum hl_code find_range(const struct search *search, struct hl_err *err)
{
    const struct hl_field_index *index = search->index;
    struct hl_keys keys = keys_of(index, search->condition);
    enum hl_code code = HL_OK;

    if (keys.low <= keys.high) {
        uint64_t n_pairs = hl_sorted_count(index->order, keys.low, keys.high);

        code = is_worth_asking_points(search, n_pairs) ? scan_points(search, keys, err)
                                                       : scan_keys(search, keys, err);
    }
    /* Numbers with a fraction are no integers, but may be in the range. */
    if (code == HL_OK && index->kind == HL_FIELD_INTEGER)
        code = add_common(search, search->unsure, index->others, err);
    return code;
}

static enum hl_code scan_belts(const struct search *search,
                               const struct hl_geo_frame *frame, struct hl_err *err)
{
    uint32_t belt = hl_key_belt(frame->south), last = hl_key_belt(frame->north);
    enum hl_code code = HL_OK;

    for (; code == HL_OK && belt <= last; belt++) {
        double west = frame->west, east = frame->east;

        if (west <= east) {
            code = scan_keys(search, hl_keys_of_belt(belt, west, east), err);
            continue;
        }
        code = scan_keys(search, hl_keys_of_belt(belt, west, 180), err);
        if (code == HL_OK)
            code = scan_keys(search, hl_keys_of_belt(belt, -180, east), err);
    }
    return code;
}

static enum hl_code find_places(const struct search *search, struct hl_err *err)
{
    static const struct hl_keys any = {0, UINT64_MAX};
    struct hl_geo_frame frame = frame_of(search->condition);

    if (frame.south > frame.north)
        return HL_OK;
    if (is_worth_asking_points(search, count_belts(search->index, &frame)))
        return scan_points(search, any, err);
    return scan_belts(search, &frame, err);
}

static enum hl_code find_listed(const struct search *search, struct hl_err *err)
{
    const struct hl_condition *condition = search->condition;
    enum hl_code code = HL_OK;

    if (condition->kind == HL_CONDITION_INTEGER)
        for (size_t i = 0; code == HL_OK && i < condition->integers.n; i++) {
            uint64_t key = hl_key_of_integer(condition->integers.items[i]);

            code = scan_keys(search, (struct hl_keys){key, key}, err);
        }
    if (condition->kind == HL_CONDITION_TEXT)
        for (size_t i = 0; code == HL_OK && i < condition->texts.n; i++) {
            const struct hl_rows *rows =
                hl_value_map_find(search->index->map, &condition->texts.items[i]);

            if (rows)
                code = add_common(search, search->sure, rows, err);
        }
    return code;
}

/* Who has only listed values has no other; who has several values may. */
static enum hl_code find_unlisted(const struct search *search, struct hl_err *err)
{
    const struct hl_field_index *index = search->index;
    struct hl_rows *listed = hl_rows_new();
    struct search inner = *search;
    enum hl_code code;

    if (!listed)
        return hl_fail(err, HL_NO_MEMORY, "no memory for a set of points");
    inner.sure = listed;
    code = find_listed(&inner, err);
    if (code == HL_OK)
        code = add_common(search, search->sure, index->present, err);
    if (code == HL_OK)
        code = hl_rows_andnot(search->sure, listed, err);
    if (code == HL_OK)
        code = add_common(search, search->sure, index->others, err);
    if (code == HL_OK)
        code = hl_rows_and(listed, index->several, err);
    if (code == HL_OK)
        code = hl_rows_andnot(listed, search->sure, err);
    if (code == HL_OK)
        code = hl_rows_or(search->unsure, listed, err);
    hl_rows_free(listed);
    return code;
}

struct prefix_search {
    const struct search *search;
    enum hl_code code;
    struct hl_err *err;
};

static bool add_prefixed(void *self, const struct hl_text *text, const struct hl_rows *rows)
{
    struct prefix_search *prefixed = self;
    const struct hl_text *prefix = &prefixed->search->condition->texts.items[0];
    struct hl_text start = {text->text, prefix->len};

    if (text->len < prefix->len || hl_text_compare(&start, prefix) != 0)
        return false;
    prefixed->code =
        add_common(prefixed->search, prefixed->search->sure, rows, prefixed->err);
    return prefixed->code != HL_OK;
}

static enum hl_code find_prefixed(const struct search *search, struct hl_err *err)
{
    struct prefix_search prefixed = {search, HL_OK, err};

    hl_value_map_each(search->index->map, add_prefixed, &prefixed);
    return prefixed.code;
}

static enum hl_code find_bool(const struct search *search, struct hl_err *err)
{
    struct hl_text text = hl_field_bool_text(search->condition->is_true);
    const struct hl_rows *rows = hl_value_map_find(search->index->map, &text);

    return rows ? add_common(search, search->sure, rows, err) : HL_OK;
}

/* Points without a value count none. The others have one at least, somewhere; what that
 * leaves open is asked. */
static enum hl_code find_counts(const struct search *search, struct hl_err *err)
{
    const struct hl_count_range *counts = &search->condition->counts;
    const struct hl_rows *filled = search->index->filled;
    bool takes_all = counts->low <= 1 && counts->high == UINT64_MAX;
    bool takes_none = counts->low == 0;
    enum hl_code code = HL_OK;

    if (counts->low > counts->high)
        return HL_OK;
    if (takes_none)
        code = add_rest(search, filled, err);
    if (code == HL_OK)
        code = add_common(search, takes_all ? search->sure : search->unsure, filled, err);
    return code;
}

enum hl_code hl_field_index_find(const struct hl_field_index *index,
                                 const struct hl_condition *condition,
                                 const struct hl_within *within, struct hl_rows *sure,
                                 struct hl_rows *unsure, struct hl_err *err)
{
    struct search search = {index, condition, within, sure, unsure};
    enum hl_code code;

    if (is_place(condition->kind))
        code = find_places(&search, err);
    else if (condition->kind == HL_CONDITION_RANGE || condition->kind == HL_CONDITION_TIME)
        code = find_range(&search, err);
    else if (condition->kind == HL_CONDITION_BOOL)
        code = find_bool(&search, err);
    else if (condition->kind == HL_CONDITION_PREFIX)
        code = find_prefixed(&search, err);
    else if (condition->kind == HL_CONDITION_TEXT ||
             condition->kind == HL_CONDITION_INTEGER)
        code =
            condition->is_except ? find_unlisted(&search, err) : find_listed(&search, err);
    else if (condition->kind == HL_CONDITION_COUNT)
        code = find_counts(&search, err);
    else if (condition->kind == HL_CONDITION_IS_EMPTY)
        code = condition->is_true ? add_rest(&search, index->filled, err)
                                  : add_common(&search, sure, index->filled, err);
    else
        code = condition->is_true ? add_common(&search, sure, index->nulls, err)
                                  : add_rest(&search, index->nulls, err);
    return code == HL_OK ? hl_rows_andnot(unsure, sure, err) : code;
}
