/* SPDX-License-Identifier: Apache-2.0 */
#include "index/roster.h"

#include "proto/alloc.h"

#include <assert.h>
#include <stdatomic.h>

/* Ids lie in pages that never move, found through two levels that never move either: that
 * is what lets readers go from a number to its id without a lock. The way back is an open
 * table of numbers; the ids they stand for are in the pages. */
enum { PAGE = 1024, FANOUT = 2048, FIRST_SLOTS = 64 };

struct id_shelf {
    _Atomic(struct hl_id *) pages[FANOUT];
};

struct id_table {
    uint32_t *slots; /* 0: free, no point has that number */
    size_t n_slots;  /* a power of two, or none */
};

struct hl_roster {
    _Atomic(struct id_shelf *) shelves[FANOUT];
    struct id_table table;
    struct id_table next; /* the same in a larger one, until somebody changes something */
    struct id_table last; /* replaced: freed by the writer outside of the guard */
    size_t n_used;
    size_t bytes;
    uint64_t seed;
};

struct hl_roster *hl_roster_new(void)
{
    struct hl_roster *roster = hl_alloc_zeroed(1, sizeof *roster);

    if (!roster)
        return NULL;
    /* Where it lies is not to be guessed from outside, and so are its collisions. */
    roster->seed = (uint64_t)(uintptr_t)roster * 0x9e3779b97f4a7c15U;
    roster->bytes = sizeof *roster;
    return roster;
}

void hl_roster_free(struct hl_roster *roster)
{
    if (!roster)
        return;
    for (size_t i = 0; i < FANOUT; i++) {
        struct id_shelf *shelf = atomic_load(&roster->shelves[i]);

        for (size_t j = 0; shelf && j < FANOUT; j++)
            hl_free(atomic_load(&shelf->pages[j]));
        hl_free(shelf);
    }
    hl_free(roster->table.slots);
    hl_free(roster->next.slots);
    hl_free(roster->last.slots);
    hl_free(roster);
}

/* ---- from a number to its id ---- */

static struct hl_id *id_at(const struct hl_roster *roster, uint32_t number)
{
    struct id_shelf *shelf = atomic_load(&roster->shelves[number / PAGE / FANOUT]);
    struct hl_id *page = atomic_load(&shelf->pages[number / PAGE % FANOUT]);

    return &page[number % PAGE];
}

const struct hl_id *hl_roster_id(const struct hl_roster *roster, uint32_t number)
{
    return id_at(roster, number);
}

static bool make_page(struct hl_roster *roster, uint32_t page)
{
    struct id_shelf *shelf = atomic_load(&roster->shelves[page / FANOUT]);
    struct hl_id *ids;

    if (!shelf) {
        shelf = hl_alloc_zeroed(1, sizeof *shelf);
        if (!shelf)
            return false;
        atomic_store(&roster->shelves[page / FANOUT], shelf);
        roster->bytes += sizeof *shelf;
    }
    if (atomic_load(&shelf->pages[page % FANOUT]))
        return true;
    ids = hl_alloc_zeroed(PAGE, sizeof *ids);
    if (!ids)
        return false;
    atomic_store(&shelf->pages[page % FANOUT], ids);
    roster->bytes += PAGE * sizeof *ids;
    return true;
}

/* ---- from an id to its number ---- */

static uint64_t stir(uint64_t x)
{
    x = (x ^ x >> 33) * 0xff51afd7ed558ccdU;
    x = (x ^ x >> 33) * 0xc4ceb9fe1a85ec53U;
    return x ^ x >> 33;
}

static size_t home_of(const struct hl_roster *roster, const struct id_table *table,
                      const struct hl_id *id)
{
    uint64_t halves[2];

    memcpy(halves, id->bytes, sizeof halves);
    return (size_t)stir(stir(halves[0] ^ roster->seed) ^ halves[1] ^ id->tag) &
           (table->n_slots - 1);
}

static void put(const struct hl_roster *roster, const struct id_table *table,
                uint32_t number)
{
    size_t slot = home_of(roster, table, id_at(roster, number));

    while (table->slots[slot])
        slot = (slot + 1) & (table->n_slots - 1);
    table->slots[slot] = number;
}

/* The slot of the id, or the free one where it would go. */
static size_t find_slot(const struct hl_roster *roster, const struct hl_id *id)
{
    const struct id_table *table = &roster->table;
    size_t slot = home_of(roster, table, id);

    while (table->slots[slot] && hl_id_compare(id_at(roster, table->slots[slot]), id) != 0)
        slot = (slot + 1) & (table->n_slots - 1);
    return slot;
}

bool hl_roster_number(const struct hl_roster *roster, const struct hl_id *id,
                      uint32_t *ret_number)
{
    uint32_t number;

    if (roster->table.n_slots == 0)
        return false;
    number = roster->table.slots[find_slot(roster, id)];
    if (number)
        *ret_number = number;
    return number != 0;
}

/* ---- changes ---- */

/* A quarter stays free, so that searches for what is not there end soon. */
static bool has_room(const struct id_table *table, size_t n)
{
    return n <= table->n_slots - table->n_slots / 4;
}

enum hl_code hl_roster_reserve(struct hl_roster *roster, uint32_t first, uint32_t last,
                               struct hl_err *err)
{
    const size_t wanted = roster->n_used + (last - first) + 1;
    struct id_table table = {NULL, FIRST_SLOTS};

    hl_free(roster->last.slots);
    roster->last = (struct id_table){0};
    for (uint64_t page = first / PAGE; page <= last / PAGE; page++)
        if (!make_page(roster, (uint32_t)page))
            return hl_fail(err, HL_NO_MEMORY, "no memory for the ids of points");
    if (has_room(&roster->table, wanted) || has_room(&roster->next, wanted))
        return HL_OK;
    while (!has_room(&table, wanted))
        table.n_slots *= 2;
    table.slots = hl_alloc_zeroed(table.n_slots, sizeof *table.slots);
    if (!table.slots)
        return hl_fail(err, HL_NO_MEMORY, "no memory for the ids of %zu points", wanted);
    for (size_t i = 0; i < roster->table.n_slots; i++)
        if (roster->table.slots[i])
            put(roster, &table, roster->table.slots[i]);
    hl_free(roster->next.slots);
    roster->next = table;
    return HL_OK;
}

/* What was prepared aside takes its place before the first change. */
static void adopt(struct hl_roster *roster)
{
    if (!roster->next.slots)
        return;
    roster->last = roster->table;
    roster->table = roster->next;
    roster->next = (struct id_table){0};
}

void hl_roster_add(struct hl_roster *roster, uint32_t number, const struct hl_id *id)
{
    adopt(roster);
    assert(number != 0 && has_room(&roster->table, roster->n_used + 1));
    *id_at(roster, number) = *id;
    put(roster, &roster->table, number);
    roster->n_used++;
}

void hl_roster_remove(struct hl_roster *roster, uint32_t number)
{
    struct id_table *table = &roster->table;
    size_t mask, hole, slot;

    adopt(roster);
    if (table->n_slots == 0)
        return;
    mask = table->n_slots - 1;
    hole = find_slot(roster, id_at(roster, number));
    if (table->slots[hole] != number)
        return;
    /* Those behind it move up where their search would now end at the hole. */
    for (slot = (hole + 1) & mask; table->slots[slot]; slot = (slot + 1) & mask) {
        const size_t home = home_of(roster, table, id_at(roster, table->slots[slot]));

        if (((slot - home) & mask) >= ((slot - hole) & mask)) {
            table->slots[hole] = table->slots[slot];
            hole = slot;
        }
    }
    table->slots[hole] = 0;
    roster->n_used--;
}

size_t hl_roster_bytes(const struct hl_roster *roster)
{
    return roster->bytes +
           (roster->table.n_slots + roster->next.n_slots + roster->last.n_slots) *
               sizeof *roster->table.slots;
}
