/* SPDX-License-Identifier: Apache-2.0 */
#include "index/look_part.h"

#include "proto/alloc.h"

/* What takes longer than this would keep writers waiting; then payloads are asked. */
enum {
    MOST_ORDERED = 4096,
    MOST_STEPS = 1 << 20,
    MOST_VALUES = 4096,
    MOST_PAIRS = 1 << 22,
    MOST_TEXT = 1 << 22
};

static bool can_order(enum hl_index_type type)
{
    return type == HL_INDEX_INTEGER || type == HL_INDEX_FLOAT || type == HL_INDEX_DATETIME;
}

static bool can_facet(enum hl_index_type type)
{
    return !can_order(type) ? type != HL_INDEX_GEO : type == HL_INDEX_INTEGER;
}

static const struct hl_kept_index *find_index(const struct hl_collection *collection,
                                              const struct hl_path *path,
                                              bool (*can)(enum hl_index_type type))
{
    for (size_t i = 0; i < collection->n_kept; i++) {
        const struct hl_payload_index *def = &collection->kept[i].def;

        if (can(def->type) && hl_path_is_equal(&def->key, path))
            return &collection->kept[i];
    }
    return NULL;
}

static struct hl_within within_of(const struct hl_look *look)
{
    const struct hl_rows *rows = hl_look_matches(look, 0);

    return (struct hl_within){.rows = rows, .is_all = !rows};
}

/* ---- an order ---- */

struct ordering {
    struct hl_look_gathered *gathered;
    struct hl_within within;
    size_t room;
    size_t n_steps;
};

static bool take_pair(void *self, const struct hl_field_pair *pair)
{
    struct ordering *ordering = self;
    struct hl_look_gathered *gathered = ordering->gathered;

    if (++ordering->n_steps > MOST_STEPS)
        return false;
    if (!ordering->within.is_all && !hl_rows_has(ordering->within.rows, pair->number))
        return true;
    gathered->ordered[gathered->n_ordered++] =
        (struct hl_ordered){pair->number, pair->is_whole, pair->integer, pair->real};
    return gathered->n_ordered < ordering->room;
}

/* Where few of many match, their payloads are read sooner than the order is walked. */
static void gather_order(struct hl_look *look, const struct hl_field_index *index)
{
    const struct hl_order *order = look->wish->order;
    struct ordering ordering = {.gathered = &look->gathered,
                                .within = within_of(look),
                                .room = look->wish->order_limit};
    const struct hl_field_walk walk = {
        .is_descending = order->is_descending,
        .has_start = order->start != HL_START_NOWHERE,
        .start = {.is_whole = order->start == HL_START_TIME || order->is_whole,
                  .integer = order->integer,
                  .real = order->number}};
    const uint64_t n_points = hl_rows_count(look->collection->points);

    if (ordering.room == 0 || ordering.room > MOST_ORDERED ||
        (!ordering.within.is_all && hl_rows_count(ordering.within.rows) < n_points / 64))
        return;
    look->gathered.ordered = hl_alloc_zeroed(ordering.room, sizeof(struct hl_ordered));
    if (look->gathered.ordered)
        look->gathered.has_order =
            hl_field_index_walk(index, &walk, take_pair, &ordering) &&
            ordering.n_steps <= MOST_STEPS;
}

/* ---- a facet ---- */

static bool take_value(void *self, const struct hl_text *text, int64_t integer,
                       uint64_t count)
{
    struct hl_look_gathered *gathered = self;

    if (gathered->n_values == MOST_VALUES)
        gathered->has_facet = false;
    else
        gathered->values[gathered->n_values++] =
            (struct hl_look_value){.start = gathered->texts.len,
                                   .len = text ? text->len : 0,
                                   .integer = integer,
                                   .count = count};
    if (text)
        hl_buf_add(&gathered->texts, text->text, text->len);
    return gathered->has_facet;
}

static void gather_facet(struct hl_look *look, const struct hl_field_index *index)
{
    struct hl_look_gathered *gathered = &look->gathered;
    const struct hl_within within = within_of(look);

    if (hl_field_index_n_values(index) >
        (gathered->facet_type == HL_INDEX_INTEGER ? MOST_PAIRS : MOST_VALUES))
        return;
    gathered->values = hl_alloc_zeroed(MOST_VALUES, sizeof *gathered->values);
    if (!gathered->values)
        return;
    gathered->has_facet = true;
    (void)hl_field_index_facet(index, &within, take_value, gathered);
    gathered->has_facet &= gathered->texts.failed == HL_OK;
}

/* ---- both ---- */

static enum hl_code fail_order(const struct hl_path *key, struct hl_err *err)
{
    return hl_fail(err, HL_WRONG_INPUT,
                   "Wrong input: No range index for `order_by` key: `%.*s`. Please create "
                   "one to use `order_by`. Check https://qdrant.tech/documentation/"
                   "concepts/indexing/#payload-index to see which payload schemas support "
                   "Range conditions",
                   (int)(key->len < 100 ? key->len : 100), key->text);
}

static enum hl_code fail_facet(const struct hl_path *key, struct hl_err *err)
{
    return hl_fail(err, HL_WRONG_INPUT,
                   "Wrong input: No appropriate index for faceting: `%.*s`. Please create "
                   "one to facet on this field",
                   (int)(key->len < 100 ? key->len : 100), key->text);
}

enum hl_code hl_look_gather(struct hl_look *look, struct hl_err *err)
{
    const struct hl_look_wish *wish = look->wish;
    const struct hl_kept_index *kept;

    hl_buf_init(&look->gathered.texts, MOST_TEXT);
    if (wish->order) {
        kept = find_index(look->collection, &wish->order->key, can_order);
        if (!kept)
            return fail_order(&wish->order->key, err);
        look->gathered.order_type = kept->def.type;
        if (kept->index && look->filters[0].is_settled)
            gather_order(look, kept->index);
    }
    if (wish->facet) {
        kept = find_index(look->collection, wish->facet, can_facet);
        if (!kept)
            return fail_facet(wish->facet, err);
        look->gathered.facet_type = kept->def.type;
        if (kept->index && look->filters[0].is_settled)
            gather_facet(look, kept->index);
    }
    return HL_OK;
}

void hl_look_gathered_done(struct hl_look_gathered *gathered)
{
    hl_free(gathered->ordered);
    hl_free(gathered->values);
    hl_buf_done(&gathered->texts);
}
