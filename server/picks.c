/* SPDX-License-Identifier: Apache-2.0 */
#include "server/picks.h"

#include "proto/random.h"

#include <stdlib.h>

static int compare(const void *a, const void *b)
{
    const struct hl_pick *x = a, *y = b;

    if (x->key != y->key)
        return x->key < y->key ? -1 : 1;
    return hl_id_compare(&x->id, &y->id);
}

enum hl_code hl_picks_init(struct hl_picks *picks, size_t room, struct hl_arena *arena,
                           struct hl_err *err)
{
    struct hl_pick *all = hl_arena_array(arena, room + 1, sizeof *all);

    if (!all)
        return hl_arena_fail(arena, err, "%zu points", room);
    *picks = (struct hl_picks){.all = all, .room = room};
    return HL_OK;
}

static void swap(struct hl_picks *picks, size_t i, size_t j)
{
    const struct hl_pick pick = picks->all[i];

    picks->all[i] = picks->all[j];
    picks->all[j] = pick;
}

static void rise(struct hl_picks *picks, size_t i)
{
    while (i > 0 && compare(&picks->all[i], &picks->all[(i - 1) / 2]) > 0) {
        swap(picks, i, (i - 1) / 2);
        i = (i - 1) / 2;
    }
}

static void sink(struct hl_picks *picks)
{
    size_t i = 0, child;

    while ((child = 2 * i + 1) < picks->n) {
        if (child + 1 < picks->n && compare(&picks->all[child + 1], &picks->all[child]) > 0)
            child++;
        if (compare(&picks->all[i], &picks->all[child]) >= 0)
            return;
        swap(picks, i, child);
        i = child;
    }
}

void hl_picks_add(struct hl_picks *picks, const struct hl_pick *pick)
{
    if (picks->n < picks->room) {
        picks->all[picks->n++] = *pick;
        rise(picks, picks->n - 1);
    } else if (picks->n > 0 && compare(pick, &picks->all[0]) < 0) {
        picks->all[0] = *pick;
        sink(picks);
    }
}

void hl_picks_sort(struct hl_picks *picks)
{
    qsort(picks->all, picks->n, sizeof *picks->all, compare);
}

static uint64_t take_eight(const uint8_t *bytes)
{
    uint64_t value = 0;

    for (int i = 0; i < 8; i++)
        value = value << 8 | bytes[i];
    return value;
}

uint64_t hl_pick_chance(uint64_t seed, const struct hl_id *id)
{
    uint64_t key = hl_random_mix(seed ^ id->tag);

    key = hl_random_mix(key ^ take_eight(id->bytes));
    return hl_random_mix(key ^ take_eight(id->bytes + 8));
}
