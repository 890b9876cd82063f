/* SPDX-License-Identifier: Apache-2.0 */
#include "server/search_part.h"

/* Exact queries of one batch that look for the same read every row once for all of them.
 * What each of them found waits for its turn to be answered. */

/* Those that want something else than others are compared with so many of the others: a
 * batch of nothing but differences is not to cost its square. */
enum { MOST_KINDS = 16, FEW_HITS = 32 };

struct wait {
    struct hl_find find;
    const struct hl_aim_leg *leg;
    size_t shelf;
    size_t kind;
};

struct draft {
    struct hl_search *search;
    struct wait *waits;
    size_t n, room;
    size_t kinds[MOST_KINDS]; /* the first that waits of each */
    size_t n_in[MOST_KINDS];
    size_t most[MOST_KINDS]; /* hits that one of them wants */
    size_t n_kinds;
};

/* All of one kind are looked through for as many hits as one of them wants, and who wants a
 * few is not to take the time and the memory of who wants thousands: hence twice as many at
 * most. */
static size_t class_of(size_t k)
{
    size_t order = 0;

    for (k /= FEW_HITS; k > 0; k /= 2)
        order++;
    return order;
}

static bool is_same(const struct draft *draft, const struct hl_find *a,
                    const struct hl_find *b)
{
    return a->space == b->space && class_of(a->k) == class_of(b->k) &&
           a->is_indexed_only == b->is_indexed_only && a->without == b->without &&
           a->n_without == b->n_without &&
           hl_look_means_same(draft->search->look, a->which, b->which);
}

static void put(struct draft *draft, const struct wait *wait)
{
    size_t kind = 0;

    while (kind < draft->n_kinds &&
           !is_same(draft, &draft->waits[draft->kinds[kind]].find, &wait->find))
        kind++;
    if (kind == MOST_KINDS)
        return;
    if (kind == draft->n_kinds) {
        draft->kinds[draft->n_kinds++] = draft->n;
        draft->n_in[kind] = draft->most[kind] = 0;
    }
    draft->n_in[kind]++;
    if (wait->find.k > draft->most[kind])
        draft->most[kind] = wait->find.k;
    draft->waits[draft->n] = *wait;
    draft->waits[draft->n++].kind = kind;
}

static bool may_wait(const struct hl_aim *aim, const struct hl_aim_leg *leg)
{
    return aim->query->params.exact && !aim->query->is_grouped &&
           leg->kind == HL_AIM_VECTOR && leg->space->dim > 0;
}

static void gather(struct draft *draft, const struct hl_aim *aim)
{
    const size_t k = (size_t)aim->query->offset + aim->query->limit + aim->n_excluded;

    for (size_t i = 0; i < aim->n_legs; i++) {
        const struct hl_aim_leg *leg = &aim->legs[i];
        const struct hl_leg_search work = {draft->search, aim, leg, k, NULL};

        for (size_t shelf = 0; may_wait(aim, leg) && shelf < leg->n_shelves; shelf++) {
            const struct wait wait = {.find = hl_leg_find(&work, shelf, &leg->vector),
                                      .leg = leg,
                                      .shelf = shelf};

            put(draft, &wait);
        }
    }
}

/* All of one kind. A kind of one is found when it is answered. */
static enum hl_code find_kind(struct draft *draft, size_t kind, struct hl_err *err)
{
    struct hl_search *search = draft->search;
    const size_t n = draft->n_in[kind];
    struct hl_find find = draft->waits[draft->kinds[kind]].find;
    const float **queries = hl_arena_array(search->arena, n, sizeof(const float *));
    struct hl_found *found = hl_arena_array(search->arena, n, sizeof *found);
    const struct hl_find_many many = {queries, n, found};
    size_t at = 0;
    enum hl_code code;

    if (n < 2)
        return HL_OK;
    if (!queries || !found)
        return hl_arena_fail(search->arena, err, "%zu searches", n);
    for (size_t i = 0; i < draft->n; i++)
        if (draft->waits[i].kind == kind)
            queries[at++] = draft->waits[i].find.values;
    find.k = draft->most[kind];
    code = hl_look_find_many(search->look, &find, &many, search->arena, err);
    at = 0;
    for (size_t i = 0; i < draft->n && code == HL_OK; i++)
        if (draft->waits[i].kind == kind)
            search->ready[search->n_ready++] =
                (struct hl_ready){draft->waits[i].leg, draft->waits[i].shelf, found[at++]};
    return code;
}

static size_t count_shelves(const struct hl_aim *aims, size_t n)
{
    size_t n_shelves = 0;

    for (size_t i = 0; i < n; i++)
        for (size_t leg = 0; leg < aims[i].n_legs; leg++)
            n_shelves += aims[i].legs[leg].n_shelves;
    return n_shelves;
}

enum hl_code hl_search_prepare(struct hl_search *search, const struct hl_aim *aims,
                               struct hl_err *err)
{
    const size_t room = count_shelves(aims, search->queries.n);
    struct draft draft = {.search = search};
    enum hl_code code = HL_OK;

    if (room == 0)
        return HL_OK;
    draft.waits = hl_arena_array(search->arena, room, sizeof *draft.waits);
    search->ready = hl_arena_array(search->arena, room, sizeof *search->ready);
    if (!draft.waits || !search->ready)
        return hl_arena_fail(search->arena, err, "%zu searches", room);
    for (size_t i = 0; i < search->queries.n; i++)
        gather(&draft, &aims[i]);
    for (size_t kind = 0; kind < draft.n_kinds && code == HL_OK; kind++)
        code = find_kind(&draft, kind, err);
    return code;
}

const struct hl_found *hl_search_ready(const struct hl_search *search,
                                       const struct hl_aim_leg *leg, size_t shelf)
{
    for (size_t i = 0; i < search->n_ready; i++)
        if (search->ready[i].leg == leg && search->ready[i].shelf == shelf)
            return &search->ready[i].found;
    return NULL;
}
