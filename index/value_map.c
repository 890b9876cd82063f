/* SPDX-License-Identifier: Apache-2.0 */
#include "index/value_map.h"

#include "proto/alloc.h"

#include <string.h>

enum { FIRST_SLOTS = 16 };

struct entry {
    struct entry *next; /* of the same slot */
    struct hl_rows *rows;
    uint64_t hash;
    size_t len;
    char text[];
};

struct hl_value_map {
    struct entry **slots;
    size_t n_slots; /* a power of two, or 0 */
    size_t n;
};

struct hl_value_map *hl_value_map_new(void)
{
    return hl_alloc_zeroed(1, sizeof(struct hl_value_map));
}

static void free_entry(struct entry *entry)
{
    hl_rows_free(entry->rows);
    hl_free(entry);
}

void hl_value_map_free(struct hl_value_map *map)
{
    if (!map)
        return;
    for (size_t i = 0; i < map->n_slots; i++)
        while (map->slots[i]) {
            struct entry *entry = map->slots[i];

            map->slots[i] = entry->next;
            free_entry(entry);
        }
    hl_free(map->slots);
    hl_free(map);
}

static uint64_t hash_text(const struct hl_text *text)
{
    uint64_t hash = 0xcbf29ce484222325U;

    for (size_t i = 0; i < text->len; i++)
        hash = (hash ^ (uint8_t)text->text[i]) * 0x100000001b3U;
    return hash ^ hash >> 32;
}

static bool is_entry(const struct entry *entry, const struct hl_text *text, uint64_t hash)
{
    return entry->hash == hash && entry->len == text->len &&
           (text->len == 0 || memcmp(entry->text, text->text, text->len) == 0);
}

/* Where the pointer to the entry of the text is, or would be. NULL without slots. */
static struct entry **find_link(const struct hl_value_map *map, const struct hl_text *text)
{
    uint64_t hash = hash_text(text);
    struct entry **link;

    if (!map->n_slots)
        return NULL;
    link = &map->slots[hash & (map->n_slots - 1)];
    while (*link && !is_entry(*link, text, hash))
        link = &(*link)->next;
    return link;
}

static enum hl_code fail_memory(struct hl_err *err)
{
    return hl_fail(err, HL_NO_MEMORY, "no memory for a payload index");
}

static enum hl_code grow_slots(struct hl_value_map *map, struct hl_err *err)
{
    size_t n_slots = map->n_slots ? map->n_slots * 2 : FIRST_SLOTS;
    struct entry **slots = hl_alloc_zeroed(n_slots, sizeof(struct entry *));

    if (!slots)
        return fail_memory(err);
    for (size_t i = 0; i < map->n_slots; i++)
        while (map->slots[i]) {
            struct entry *entry = map->slots[i];

            map->slots[i] = entry->next;
            entry->next = slots[entry->hash & (n_slots - 1)];
            slots[entry->hash & (n_slots - 1)] = entry;
        }
    hl_free(map->slots);
    map->slots = slots;
    map->n_slots = n_slots;
    return HL_OK;
}

static enum hl_code make_entry(struct hl_value_map *map, const struct hl_text *text,
                               uint32_t number, struct hl_err *err)
{
    enum hl_code code = map->n >= map->n_slots ? grow_slots(map, err) : HL_OK;
    struct entry *entry, **slot;

    if (code != HL_OK)
        return code;
    entry = hl_alloc(sizeof *entry + text->len);
    if (!entry)
        return fail_memory(err);
    *entry =
        (struct entry){.rows = hl_rows_new(), .hash = hash_text(text), .len = text->len};
    if (text->len)
        memcpy(entry->text, text->text, text->len);
    code = entry->rows ? hl_rows_add(entry->rows, number, err) : fail_memory(err);
    if (code != HL_OK) {
        free_entry(entry);
        return code;
    }
    slot = &map->slots[entry->hash & (map->n_slots - 1)];
    entry->next = *slot;
    *slot = entry;
    map->n++;
    return HL_OK;
}

enum hl_code hl_value_map_add(struct hl_value_map *map, const struct hl_text *text,
                              uint32_t number, bool *ret_is_new, struct hl_err *err)
{
    struct entry **link = find_link(map, text);
    enum hl_code code;

    if (link && *link && hl_rows_has((*link)->rows, number)) {
        *ret_is_new = false;
        return HL_OK;
    }
    code = link && *link ? hl_rows_add((*link)->rows, number, err)
                         : make_entry(map, text, number, err);
    if (code == HL_OK)
        *ret_is_new = true;
    return code;
}

void hl_value_map_remove(struct hl_value_map *map, const struct hl_text *text,
                         uint32_t number)
{
    struct entry **link = find_link(map, text), *entry;

    if (!link || !*link)
        return;
    entry = *link;
    hl_rows_remove(entry->rows, number);
    if (hl_rows_count(entry->rows))
        return;
    *link = entry->next;
    free_entry(entry);
    map->n--;
}

const struct hl_rows *hl_value_map_find(const struct hl_value_map *map,
                                        const struct hl_text *text)
{
    struct entry **link = find_link(map, text);

    return link && *link ? (*link)->rows : NULL;
}

bool hl_value_map_each(const struct hl_value_map *map, hl_value_map_fn *each, void *self)
{
    for (size_t i = 0; i < map->n_slots; i++)
        for (const struct entry *entry = map->slots[i]; entry; entry = entry->next)
            if (each(self, &(struct hl_text){entry->text, entry->len}, entry->rows))
                return true;
    return false;
}

size_t hl_value_map_count(const struct hl_value_map *map)
{
    return map->n;
}

size_t hl_value_map_bytes(const struct hl_value_map *map)
{
    size_t bytes = sizeof *map + map->n_slots * sizeof(struct entry *);

    for (size_t i = 0; i < map->n_slots; i++)
        for (const struct entry *entry = map->slots[i]; entry; entry = entry->next)
            bytes += sizeof *entry + entry->len + hl_rows_bytes(entry->rows);
    return bytes;
}
