/* SPDX-License-Identifier: Apache-2.0 */
#include "index/store.h"
#include "proto/list.h"
#include "proto/number.h"
#include "server/search_part.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Groups are gathered anew at each round, over four times as many hits as the round
 * before: a search that goes further need not find the same hits in front. All that a round
 * needs is in an arena of its own. */
enum { FIRST_HITS = 64, GROWTH = 4, RENEW_AFTER = 1024 };

struct entry { /* a hit has a value */
    struct hl_text key;
    bool is_text;
    size_t rank; /* of the hit */
};

struct round {
    struct hl_search *search;
    const struct hl_aim *aim;
    struct hl_arena *arena;
    struct hl_arena *tree; /* of one payload */
    struct hl_hits hits;
    struct hl_list entries;
    size_t rank; /* of the hit that is being looked at */
    enum hl_code code;
    struct hl_err *err;
};

/* ---- the values of one hit ---- */

/* False when it is none. However it was written, it is printed in one way. */
static bool print_integer(const struct hl_value *value, char *text, size_t size)
{
    int64_t integer;
    uint64_t natural;

    if (value->kind != HL_TOKEN_NUMBER)
        return false;
    if (hl_number_i64(value->text, value->len, &integer)) {
        snprintf(text, size, "%" PRId64, integer);
        return true;
    }
    if (!hl_number_u64(value->text, value->len, &natural))
        return false;
    snprintf(text, size, "%" PRIu64, natural);
    return true;
}

static bool add_entry(void *self, const struct hl_value *value)
{
    struct round *round = self;
    char digits[24];
    struct entry entry = {.is_text = value->kind == HL_TOKEN_STRING, .rank = round->rank};

    if (entry.is_text)
        entry.key = (struct hl_text){value->text, value->len};
    else if (print_integer(value, digits, sizeof digits))
        entry.key = (struct hl_text){digits, strlen(digits)};
    else
        return false;
    entry.key.text = hl_arena_copy(round->arena, entry.key.text, entry.key.len);
    round->code = entry.key.text ? hl_list_add(&round->entries, &entry, round->err)
                                 : hl_arena_fail(round->arena, round->err, "group keys");
    return round->code != HL_OK;
}

/* An array is a member of as many groups as it has values. */
static bool add_entries(void *self, const struct hl_value *value)
{
    return hl_value_each(value, add_entry, self);
}

static enum hl_code read_hit(struct round *round, struct hl_reader *reader)
{
    const struct hl_value *root;
    struct hl_store_point point;
    enum hl_code code =
        hl_reader_get(reader, round->hits.items[round->rank].number, &point, round->err);

    hl_arena_reset(round->tree);
    if (code == HL_OK)
        code = hl_payload_parse(point.payload.text, point.payload.len, round->tree, &root,
                                round->err);
    if (code != HL_OK)
        return code;
    (void)hl_payload_each(root, &round->aim->query->group_by, add_entries, round);
    return round->code;
}

static enum hl_code read_hits(struct round *round)
{
    struct hl_reader *reader;
    enum hl_code code = hl_look_reader(round->search->look, &reader, round->err);

    for (round->rank = 0; code == HL_OK && round->rank < round->hits.n; round->rank++) {
        code = hl_deadline_check(round->search->deadline, "the search", round->err);
        if (code == HL_OK && round->rank % RENEW_AFTER == RENEW_AFTER - 1)
            code = hl_reader_renew(reader, round->err);
        if (code == HL_OK)
            code = read_hit(round, reader);
    }
    return code;
}

/* ---- from entries to groups ---- */

static int compare_keys(const struct entry *a, const struct entry *b)
{
    if (a->is_text != b->is_text)
        return a->is_text ? 1 : -1;
    return hl_text_compare(&a->key, &b->key);
}

static int compare_entries(const void *a, const void *b)
{
    const struct entry *one = a, *other = b;
    int by_key = compare_keys(one, other);

    return by_key != 0 ? by_key : (one->rank > other->rank) - (one->rank < other->rank);
}

struct run { /* the entries of one key */
    const struct entry *first;
    size_t n;
};

static int compare_runs(const void *a, const void *b)
{
    const struct run *one = a, *other = b;

    if (one->first->rank != other->first->rank)
        return one->first->rank > other->first->rank ? 1 : -1;
    return compare_keys(one->first, other->first);
}

/* Runs by their best hits. */
static enum hl_code find_runs(struct round *round, struct hl_list *runs)
{
    const struct entry *entries;
    enum hl_code code = HL_OK;

    hl_list_sort(&round->entries, compare_entries);
    entries = round->entries.items;
    for (size_t i = 0, end; i < round->entries.n && code == HL_OK; i = end) {
        struct run run = {&entries[i], 0};

        for (end = i;
             end < round->entries.n && compare_keys(&entries[i], &entries[end]) == 0;)
            end++;
        run.n = end - i;
        code = hl_list_add(runs, &run, round->err);
    }
    hl_list_sort(runs, compare_runs);
    return code;
}

static bool is_full(const struct hl_query *query, const struct hl_list *runs)
{
    const struct run *items = runs->items;
    bool is = runs->n >= query->limit;

    for (size_t i = 0; is && i < query->limit; i++)
        is = items[i].n >= query->group_size;
    return is;
}

/* What is kept of a round, in the request's arena. */
static enum hl_code take_groups(const struct round *round, const struct hl_list *runs,
                                struct hl_groups *ret_groups)
{
    const struct hl_query *query = round->aim->query;
    const struct run *items = runs->items;
    struct hl_arena *arena = round->search->arena;
    size_t n = runs->n < query->limit ? runs->n : query->limit;
    struct hl_group *groups = hl_arena_array(arena, n ? n : 1, sizeof *groups);

    if (!groups)
        return hl_arena_fail(arena, round->err, "%zu groups", n);
    for (size_t i = 0; i < n; i++) {
        const struct entry *entry = items[i].first;
        size_t n_hits = items[i].n < query->group_size ? items[i].n : query->group_size;
        struct hl_pick *hits = hl_arena_array(arena, n_hits, sizeof *hits);
        const char *key = hl_arena_copy(arena, entry->key.text, entry->key.len);

        if (!hits || !key)
            return hl_arena_fail(arena, round->err, "%zu groups", n);
        for (size_t j = 0; j < n_hits; j++)
            hits[j] = round->hits.items[entry[j].rank];
        groups[i] = (struct hl_group){.is_text = entry->is_text,
                                      .key = {key, entry->key.len},
                                      .hits = {hits, n_hits}};
    }
    *ret_groups = (struct hl_groups){groups, n};
    return HL_OK;
}

static enum hl_code play_round(struct round *round, size_t k, bool *ret_is_done,
                               struct hl_groups *ret_groups)
{
    struct hl_list runs = hl_list_of(round->arena, sizeof(struct run));
    enum hl_code code =
        hl_aim_find(round->search, round->aim, k, round->arena, &round->hits, round->err);

    round->entries = hl_list_of(round->arena, sizeof(struct entry));
    if (code == HL_OK)
        code = read_hits(round);
    if (code == HL_OK)
        code = find_runs(round, &runs);
    if (code != HL_OK)
        return code;
    if (round->hits.n >= k && !is_full(round->aim->query, &runs))
        return HL_OK;
    *ret_is_done = true;
    return take_groups(round, &runs, ret_groups);
}

static size_t first_k(const struct hl_query *query)
{
    uint64_t wanted = (uint64_t)query->limit * query->group_size;

    if (wanted < FIRST_HITS)
        return FIRST_HITS;
    return wanted < UINT32_MAX ? (size_t)wanted : UINT32_MAX;
}

enum hl_code hl_aim_group(struct hl_search *search, const struct hl_aim *aim,
                          struct hl_groups *ret_groups, struct hl_err *err)
{
    size_t k = first_k(aim->query);
    bool is_done = false;
    enum hl_code code = HL_OK;

    while (!is_done && code == HL_OK) {
        struct round round = {.search = search,
                              .aim = aim,
                              .arena = hl_arena_new(search->scratch_bytes),
                              .tree = hl_arena_new(search->scratch_bytes),
                              .err = err};

        code = round.arena && round.tree
                   ? play_round(&round, k, &is_done, ret_groups)
                   : hl_fail(err, HL_NO_MEMORY, "no memory for groups");
        hl_arena_free(round.arena);
        hl_arena_free(round.tree);
        k *= GROWTH;
    }
    return code;
}
