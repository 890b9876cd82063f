/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/list.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum { FIRST_ROOM = 4 };

struct hl_list hl_list_of(struct hl_arena *arena, size_t item_size)
{
    return (struct hl_list){.arena = arena, .item_size = item_size};
}

static enum hl_code grow(struct hl_list *list, struct hl_err *err)
{
    size_t room = list->room ? list->room : FIRST_ROOM / 2;
    void *items = NULL;

    if (room <= SIZE_MAX / 2)
        items = hl_arena_array(list->arena, room * 2, list->item_size);
    if (!items)
        return hl_arena_fail(list->arena, err, "a list of more than %zu items", list->n);
    if (list->n)
        memcpy(items, list->items, list->n * list->item_size);
    list->items = items;
    list->room = room * 2;
    return HL_OK;
}

enum hl_code hl_list_add(struct hl_list *list, const void *item, struct hl_err *err)
{
    enum hl_code code = list->n == list->room ? grow(list, err) : HL_OK;

    if (code != HL_OK)
        return code;
    memcpy((char *)list->items + list->n * list->item_size, item, list->item_size);
    list->n++;
    return HL_OK;
}

void hl_list_sort(struct hl_list *list, int (*compare)(const void *a, const void *b))
{
    char *items = list->items;
    size_t size = list->item_size, n_kept = 1;

    if (list->n < 2)
        return;
    qsort(items, list->n, size, compare);
    for (size_t i = 1; i < list->n; i++) {
        if (compare(items + i * size, items + (n_kept - 1) * size) == 0)
            continue;
        if (i > n_kept)
            memcpy(items + n_kept * size, items + i * size, size);
        n_kept++;
    }
    list->n = n_kept;
}
