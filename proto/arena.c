/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/arena.h"

#include "proto/alloc.h"
#include "proto/utf8.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

enum {
    ALIGNMENT = 16,
    FLOAT_ALIGNMENT = 64,
    FIRST_BLOCK = 64 << 10, /* a request of one vector, its text and what comes of it */
    LARGEST_STEP = 1 << 20
};

struct block {
    struct block *next;
    size_t size;
    size_t used;
    _Alignas(FLOAT_ALIGNMENT) unsigned char bytes[];
};

struct hl_arena {
    struct block *newest;
    size_t ceiling;
    size_t taken;
    bool hit_ceiling;
};

struct hl_arena *hl_arena_new(size_t ceiling)
{
    struct hl_arena *arena = hl_alloc(sizeof *arena);

    if (arena)
        *arena = (struct hl_arena){.ceiling = ceiling};
    return arena;
}

static void free_blocks(struct block *block)
{
    while (block) {
        struct block *next = block->next;

        hl_free(block);
        block = next;
    }
}

void hl_arena_free(struct hl_arena *arena)
{
    if (!arena)
        return;
    free_blocks(arena->newest);
    hl_free(arena);
}

void hl_arena_reset(struct hl_arena *arena)
{
    struct block *oldest = arena->newest;

    arena->hit_ceiling = false;
    if (!oldest)
        return;
    while (oldest->next) {
        struct block *next = oldest->next;

        hl_free(oldest);
        oldest = next;
    }
    /* One huge request must not leave its block to all the small ones after it. */
    if (oldest->size > LARGEST_STEP) {
        hl_free(oldest);
        arena->newest = NULL;
        arena->taken = 0;
        return;
    }
    oldest->used = 0;
    arena->newest = oldest;
    arena->taken = sizeof *oldest + oldest->size;
}

/* Blocks double, so that a large request takes few of them, up to a step that wastes
 * little. */
static size_t next_block_size(const struct hl_arena *arena, size_t wanted)
{
    size_t size = arena->newest ? arena->newest->size * 2 : FIRST_BLOCK;

    if (size > LARGEST_STEP)
        size = LARGEST_STEP;
    return size < wanted ? wanted : size;
}

static struct block *add_block(struct hl_arena *arena, size_t wanted)
{
    size_t room = arena->ceiling - arena->taken;
    size_t size = next_block_size(arena, wanted);
    struct block *block;

    arena->hit_ceiling = room < sizeof *block || room - sizeof *block < wanted;
    if (arena->hit_ceiling)
        return NULL;
    if (size > room - sizeof *block)
        size = room - sizeof *block;
    block = hl_alloc_aligned(FLOAT_ALIGNMENT, sizeof *block + size);
    if (!block)
        return NULL;
    *block = (struct block){.next = arena->newest, .size = size};
    arena->newest = block;
    arena->taken += sizeof *block + size;
    return block;
}

static void *alloc_aligned(struct hl_arena *arena, size_t bytes, size_t alignment)
{
    struct block *block = arena->newest;
    size_t start = 0;

    if (block)
        start = (block->used + alignment - 1) & ~(alignment - 1);
    if (!block || start > block->size || block->size - start < bytes) {
        block = add_block(arena, bytes);
        if (!block)
            return NULL;
        start = 0;
    }
    block->used = start + bytes;
    return block->bytes + start;
}

void *hl_arena_alloc(struct hl_arena *arena, size_t bytes)
{
    return alloc_aligned(arena, bytes, ALIGNMENT);
}

void *hl_arena_array(struct hl_arena *arena, size_t n, size_t size)
{
    size_t bytes;

    if (!hl_size_mul(n, size, &bytes)) {
        arena->hit_ceiling = true;
        return NULL;
    }
    return alloc_aligned(arena, bytes, ALIGNMENT);
}

float *hl_arena_floats(struct hl_arena *arena, size_t n_rows, size_t dim)
{
    size_t n, bytes;

    if (!hl_size_mul(n_rows, dim, &n) || !hl_size_mul(n, sizeof(float), &bytes)) {
        arena->hit_ceiling = true;
        return NULL;
    }
    return alloc_aligned(arena, bytes, FLOAT_ALIGNMENT);
}

char *hl_arena_copy(struct hl_arena *arena, const char *text, size_t len)
{
    size_t bytes;
    char *copy;

    if (!hl_size_add(len, 1, &bytes)) {
        arena->hit_ceiling = true;
        return NULL;
    }
    copy = hl_arena_alloc(arena, bytes);
    if (copy) {
        memcpy(copy, text, len);
        copy[len] = '\0';
    }
    return copy;
}

char *hl_arena_print(struct hl_arena *arena, const char *format, ...)
{
    va_list args;
    char *text;
    int len;

    va_start(args, format);
    len = vsnprintf(NULL, 0, format, args);
    va_end(args);
    if (len < 0)
        return NULL;
    text = hl_arena_alloc(arena, (size_t)len + 1);
    if (!text)
        return NULL;
    va_start(args, format);
    vsnprintf(text, (size_t)len + 1, format, args);
    va_end(args);
    return text;
}

enum hl_code hl_arena_fail(const struct hl_arena *arena, struct hl_err *err,
                           const char *format, ...)
{
    char what[HL_ERR_MSG_SIZE / 2];
    va_list args;
    int len;

    va_start(args, format);
    len = vsnprintf(what, sizeof what, format, args);
    va_end(args);
    if (len < 0)
        what[0] = '\0';
    else if ((size_t)len >= sizeof what)
        what[hl_utf8_valid_len(what, sizeof what - 1)] = '\0';
    if (!arena->hit_ceiling)
        return hl_fail(err, HL_NO_MEMORY, "no memory for %s", what);
    return hl_fail(err, HL_TOO_LARGE, "no room for %s: one request may use %zu bytes", what,
                   arena->ceiling);
}

size_t hl_arena_used(const struct hl_arena *arena)
{
    return arena->taken;
}
