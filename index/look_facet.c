/* SPDX-License-Identifier: Apache-2.0 */
#include "index/look_part.h"

#include "proto/encode.h"
#include "proto/number.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TEXT_ROOM ((size_t)64 << 20)

struct facet {
    const struct hl_path *path;
    enum hl_index_type type;
    struct hl_arena *arena;
    struct hl_facet_hit *slots;
    size_t n_slots, n_used;
    uint64_t point; /* one more for each: a value counts once a point */
    uint64_t *last; /* of each slot: the point that was counted */
    enum hl_code code;
    struct hl_err *err;
};

static uint64_t hash(const char *text, size_t len)
{
    uint64_t h = 0x9e3779b97f4a7c15u;

    for (size_t i = 0; i < len; i++)
        h = (h ^ (unsigned char)text[i]) * 0x100000001b3u;
    return h ^ (h >> 29);
}

static bool grow_facet(struct facet *facet)
{
    size_t n_slots = facet->n_slots ? facet->n_slots * 2 : 64;
    struct hl_facet_hit *slots = hl_arena_array(facet->arena, n_slots, sizeof *slots);
    uint64_t *last = hl_arena_array(facet->arena, n_slots, sizeof *last);

    if (!slots || !last)
        return false;
    memset(slots, 0, n_slots * sizeof *slots);
    memset(last, 0, n_slots * sizeof *last);
    for (size_t i = 0; i < facet->n_slots; i++) {
        size_t at;

        if (!facet->slots[i].value)
            continue;
        at = hash(facet->slots[i].value, facet->slots[i].len) & (n_slots - 1);
        while (slots[at].value)
            at = (at + 1) & (n_slots - 1);
        slots[at] = facet->slots[i];
        last[at] = facet->last[i];
    }
    facet->slots = slots;
    facet->last = last;
    facet->n_slots = n_slots;
    return true;
}

static bool count_text(struct facet *facet, const char *text, size_t len)
{
    size_t at;

    if (facet->n_used * 2 >= facet->n_slots && !grow_facet(facet))
        goto no_room;
    at = hash(text, len) & (facet->n_slots - 1);
    while (facet->slots[at].value &&
           (facet->slots[at].len != len || memcmp(facet->slots[at].value, text, len) != 0))
        at = (at + 1) & (facet->n_slots - 1);
    if (!facet->slots[at].value) {
        facet->slots[at].value = hl_arena_copy(facet->arena, text, len);
        if (!facet->slots[at].value)
            goto no_room;
        facet->slots[at].len = len;
        facet->n_used++;
    }
    if (facet->last[at] != facet->point)
        facet->slots[at].count++;
    facet->last[at] = facet->point;
    return false;
no_room:
    facet->code = hl_arena_fail(facet->arena, facet->err, "the values of a facet");
    return true;
}

static enum hl_code print_text(const char *text, size_t len, struct hl_arena *arena,
                               struct hl_facet_hit *hit, struct hl_err *err)
{
    struct hl_buf printed;
    enum hl_code code;

    hl_buf_init(&printed, TEXT_ROOM);
    hl_encode_text(&printed, text, len);
    code = hl_buf_check(&printed, "a value", err);
    if (code == HL_OK) {
        hit->value = hl_arena_copy(arena, printed.data, printed.len);
        hit->len = printed.len;
        if (!hit->value)
            code = hl_arena_fail(arena, err, "the values of a facet");
    }
    hl_buf_done(&printed);
    return code;
}

static bool count_string(struct facet *facet, const struct hl_value *value)
{
    struct hl_buf text;
    bool has_failed;

    hl_buf_init(&text, TEXT_ROOM);
    hl_encode_text(&text, value->text, value->len);
    facet->code = hl_buf_check(&text, "a value", facet->err);
    has_failed = facet->code != HL_OK || count_text(facet, text.data, text.len);
    hl_buf_done(&text);
    return has_failed;
}

/* What the index would count; arrays are opened once. */
static bool count_value(void *self, const struct hl_value *value)
{
    struct facet *facet = self;
    char digits[24];
    int64_t integer;

    if (facet->type == HL_INDEX_BOOL) {
        if (value->kind == HL_TOKEN_TRUE)
            return count_text(facet, "true", 4);
        return value->kind == HL_TOKEN_FALSE && count_text(facet, "false", 5);
    }
    if (facet->type != HL_INDEX_INTEGER)
        return value->kind == HL_TOKEN_STRING && count_string(facet, value);
    if (value->kind != HL_TOKEN_NUMBER || !hl_number_i64(value->text, value->len, &integer))
        return false;
    return count_text(facet, digits,
                      (size_t)snprintf(digits, sizeof digits, "%" PRId64, integer));
}

static bool open_value(void *self, const struct hl_value *value)
{
    return hl_value_each(value, count_value, self);
}

static bool count_point(void *self, const struct hl_store_point *point,
                        const struct hl_value *payload)
{
    struct facet *facet = self;

    (void)point;
    facet->point++;
    (void)hl_payload_each(payload, facet->path, open_value, facet);
    return facet->code == HL_OK;
}

static int by_count(const void *a, const void *b)
{
    const struct hl_facet_hit *left = a, *right = b;
    const struct hl_text x = {left->value, left->len}, y = {right->value, right->len};

    if (left->count != right->count)
        return left->count > right->count ? -1 : 1;
    return hl_text_compare(&x, &y);
}

/* Whole numbers are in order as numbers: 9 before 10. */
static int by_count_and_number(const void *a, const void *b)
{
    const struct hl_facet_hit *left = a, *right = b;
    int64_t x = 0, y = 0;

    if (left->count != right->count)
        return left->count > right->count ? -1 : 1;
    (void)hl_number_i64(left->value, left->len, &x);
    (void)hl_number_i64(right->value, right->len, &y);
    return (x > y) - (x < y);
}

static enum hl_code print_value(const struct hl_look_gathered *gathered, size_t at,
                                struct hl_arena *arena, struct hl_facet_hit *hit,
                                struct hl_err *err)
{
    const struct hl_look_value *value = &gathered->values[at];
    const char *text = gathered->texts.data + value->start;

    hit->count = value->count;
    if (gathered->facet_type == HL_INDEX_INTEGER)
        hit->value = hl_arena_print(arena, "%" PRId64, value->integer);
    else if (gathered->facet_type == HL_INDEX_BOOL)
        hit->value = *text == 't' ? "true" : "false";
    else
        return print_text(text, value->len, arena, hit, err);
    if (!hit->value)
        return hl_arena_fail(arena, err, "the values of a facet");
    hit->len = strlen(hit->value);
    return HL_OK;
}

/* What the index said. */
static enum hl_code print_values(const struct hl_look_gathered *gathered,
                                 struct hl_arena *arena, struct facet *facet,
                                 struct hl_err *err)
{
    enum hl_code code = HL_OK;

    facet->n_slots = gathered->n_values;
    facet->slots = hl_arena_array(arena, facet->n_slots + 1, sizeof *facet->slots);
    if (!facet->slots)
        return hl_arena_fail(arena, err, "the values of a facet");
    for (size_t i = 0; code == HL_OK && i < facet->n_slots; i++)
        code = print_value(gathered, i, arena, &facet->slots[i], err);
    return code;
}

static enum hl_code count_payloads(struct hl_look *look, const struct hl_deadline *deadline,
                                   struct facet *facet, struct hl_err *err)
{
    enum hl_code code = hl_look_settle(look, 0, deadline, err);

    if (code == HL_OK)
        code = hl_look_each(look, 0, deadline, count_point, facet, err);
    return code == HL_OK ? facet->code : code;
}

enum hl_code hl_look_facet(struct hl_look *look, struct hl_arena *arena,
                           const struct hl_deadline *deadline,
                           const struct hl_facet_hit **ret_hits, size_t *ret_n,
                           struct hl_err *err)
{
    struct facet facet = {.path = look->wish->facet,
                          .type = look->gathered.facet_type,
                          .arena = arena,
                          .err = err};
    size_t n = 0;
    enum hl_code code = look->gathered.has_facet
                            ? print_values(&look->gathered, arena, &facet, err)
                            : count_payloads(look, deadline, &facet, err);

    if (code != HL_OK)
        return code;
    for (size_t i = 0; i < facet.n_slots; i++)
        if (facet.slots[i].value)
            facet.slots[n++] = facet.slots[i];
    if (n > 0)
        qsort(facet.slots, n, sizeof *facet.slots,
              facet.type == HL_INDEX_INTEGER ? by_count_and_number : by_count);
    *ret_hits = facet.slots;
    *ret_n = n < look->wish->facet_limit ? n : look->wish->facet_limit;
    return HL_OK;
}
