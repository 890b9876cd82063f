/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HL_PROTO_LIST_H
#define HL_PROTO_LIST_H

#include "proto/arena.h"

#include <stddef.h>

/* An array in an arena whose length nobody knows before its end.
 *
 * It doubles, so at most three times its bytes are taken. `items` may move at each
 * addition and is good as long as the arena. One thread. */
struct hl_list {
    struct hl_arena *arena;
    void *items; /* NULL while it is empty */
    size_t n;
    size_t room;
    size_t item_size;
};

struct hl_list hl_list_of(struct hl_arena *arena, size_t item_size);

/* Copies an item behind the last. */
enum hl_code hl_list_add(struct hl_list *list, const void *item, struct hl_err *err);

/* Ascending by `compare`, which is qsort's, and each item once. */
void hl_list_sort(struct hl_list *list, int (*compare)(const void *a, const void *b));

#endif
