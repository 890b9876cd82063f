/* SPDX-License-Identifier: Apache-2.0 */
#include "index/sorted.h"

#include "proto/alloc.h"

#include <string.h>

enum { CHUNK_MAX = 512 };

/* Never empty. */
struct chunk {
    uint64_t keys[CHUNK_MAX];
    uint32_t numbers[CHUNK_MAX];
    size_t n;
};

struct hl_sorted {
    struct chunk **chunks;
    size_t n_chunks;
    size_t room;
};

struct hl_sorted *hl_sorted_new(void)
{
    return hl_alloc_zeroed(1, sizeof(struct hl_sorted));
}

void hl_sorted_free(struct hl_sorted *order)
{
    if (!order)
        return;
    for (size_t i = 0; i < order->n_chunks; i++)
        hl_free(order->chunks[i]);
    hl_free(order->chunks);
    hl_free(order);
}

static bool is_below(const struct chunk *chunk, size_t at, uint64_t key, uint32_t number)
{
    return chunk->keys[at] < key || (chunk->keys[at] == key && chunk->numbers[at] < number);
}

/* The first pair that is not below, in the chunk before which all are: the one behind the
 * last pair of all is at the end of the last chunk. */
static struct hl_sorted_cursor find_pair(const struct hl_sorted *order, uint64_t key,
                                         uint32_t number)
{
    size_t low = 0, high = order->n_chunks;
    struct hl_sorted_cursor cursor;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        const struct chunk *chunk = order->chunks[middle];

        if (is_below(chunk, chunk->n - 1, key, number))
            low = middle + 1;
        else
            high = middle;
    }
    if (low == order->n_chunks)
        return (struct hl_sorted_cursor){low ? low - 1 : 0,
                                         low ? order->chunks[low - 1]->n : 0};
    cursor.chunk = low;
    low = 0;
    high = order->chunks[cursor.chunk]->n;
    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (is_below(order->chunks[cursor.chunk], middle, key, number))
            low = middle + 1;
        else
            high = middle;
    }
    cursor.at = low;
    return cursor;
}

static bool is_at(const struct hl_sorted *order, struct hl_sorted_cursor cursor,
                  uint64_t key, uint32_t number)
{
    const struct chunk *chunk;

    if (cursor.chunk >= order->n_chunks)
        return false;
    chunk = order->chunks[cursor.chunk];
    return cursor.at < chunk->n && chunk->keys[cursor.at] == key &&
           chunk->numbers[cursor.at] == number;
}

static enum hl_code insert_chunk(struct hl_sorted *order, size_t at, struct hl_err *err)
{
    struct chunk *chunk = hl_alloc(sizeof *chunk);
    struct chunk **chunks = order->chunks;

    if (chunk && order->n_chunks == order->room) {
        size_t room = order->room ? order->room * 2 : 4;

        chunks = hl_realloc(order->chunks, room * sizeof(struct chunk *));
        if (chunks) {
            order->chunks = chunks;
            order->room = room;
        }
    }
    if (!chunk || !chunks) {
        hl_free(chunk);
        return hl_fail(err, HL_NO_MEMORY, "no memory for a payload index");
    }
    memmove(order->chunks + at + 1, order->chunks + at,
            (order->n_chunks - at) * sizeof(struct chunk *));
    chunk->n = 0;
    order->chunks[at] = chunk;
    order->n_chunks++;
    return HL_OK;
}

static void move_pairs(struct chunk *to, size_t to_at, struct chunk *from, size_t from_at,
                       size_t n)
{
    memmove(to->keys + to_at, from->keys + from_at, n * sizeof *to->keys);
    memmove(to->numbers + to_at, from->numbers + from_at, n * sizeof *to->numbers);
}

/* Behind the last pair a new chunk is begun, so that what comes in order fills each. */
static enum hl_code make_room(struct hl_sorted *order, struct hl_sorted_cursor *cursor,
                              struct hl_err *err)
{
    struct chunk *full, *next;
    enum hl_code code;

    if (order->n_chunks && order->chunks[cursor->chunk]->n < CHUNK_MAX)
        return HL_OK;
    code = insert_chunk(order, order->n_chunks ? cursor->chunk + 1 : 0, err);
    if (code != HL_OK || order->n_chunks == 1)
        return code;
    full = order->chunks[cursor->chunk];
    next = order->chunks[cursor->chunk + 1];
    if (cursor->at < CHUNK_MAX) {
        next->n = CHUNK_MAX / 2;
        full->n = CHUNK_MAX - next->n;
        move_pairs(next, 0, full, full->n, next->n);
    }
    if (cursor->at >= full->n) {
        cursor->at -= full->n;
        cursor->chunk++;
    }
    return HL_OK;
}

enum hl_code hl_sorted_add(struct hl_sorted *order, uint64_t key, uint32_t number,
                           bool *ret_is_new, struct hl_err *err)
{
    struct hl_sorted_cursor cursor = find_pair(order, key, number);
    struct chunk *chunk;
    enum hl_code code;

    if (is_at(order, cursor, key, number)) {
        *ret_is_new = false;
        return HL_OK;
    }
    code = make_room(order, &cursor, err);
    if (code != HL_OK)
        return code;
    chunk = order->chunks[cursor.chunk];
    move_pairs(chunk, cursor.at + 1, chunk, cursor.at, chunk->n - cursor.at);
    chunk->keys[cursor.at] = key;
    chunk->numbers[cursor.at] = number;
    chunk->n++;
    *ret_is_new = true;
    return HL_OK;
}

void hl_sorted_remove(struct hl_sorted *order, uint64_t key, uint32_t number)
{
    struct hl_sorted_cursor cursor = find_pair(order, key, number);
    struct chunk *chunk;

    if (!is_at(order, cursor, key, number))
        return;
    chunk = order->chunks[cursor.chunk];
    chunk->n--;
    move_pairs(chunk, cursor.at, chunk, cursor.at + 1, chunk->n - cursor.at);
    if (chunk->n)
        return;
    hl_free(chunk);
    order->n_chunks--;
    memmove(order->chunks + cursor.chunk, order->chunks + cursor.chunk + 1,
            (order->n_chunks - cursor.chunk) * sizeof(struct chunk *));
}

struct hl_sorted_cursor hl_sorted_seek(const struct hl_sorted *order, uint64_t key)
{
    return find_pair(order, key, 0);
}

bool hl_sorted_next(const struct hl_sorted *order, struct hl_sorted_cursor *cursor,
                    uint64_t *ret_key, uint32_t *ret_number)
{
    const struct chunk *chunk;

    if (cursor->chunk < order->n_chunks && cursor->at == order->chunks[cursor->chunk]->n) {
        cursor->chunk++;
        cursor->at = 0;
    }
    if (cursor->chunk >= order->n_chunks)
        return false;
    chunk = order->chunks[cursor->chunk];
    *ret_key = chunk->keys[cursor->at];
    *ret_number = chunk->numbers[cursor->at];
    cursor->at++;
    return true;
}

bool hl_sorted_previous(const struct hl_sorted *order, struct hl_sorted_cursor *cursor,
                        uint64_t *ret_key, uint32_t *ret_number)
{
    const struct chunk *chunk;

    if (cursor->at == 0) {
        if (cursor->chunk == 0)
            return false;
        cursor->chunk--;
        cursor->at = order->chunks[cursor->chunk]->n;
    }
    chunk = order->chunks[cursor->chunk];
    cursor->at--;
    *ret_key = chunk->keys[cursor->at];
    *ret_number = chunk->numbers[cursor->at];
    return true;
}

struct hl_sorted_cursor hl_sorted_end(const struct hl_sorted *order)
{
    return (struct hl_sorted_cursor){.chunk = order->n_chunks};
}

uint64_t hl_sorted_count(const struct hl_sorted *order, uint64_t low, uint64_t high)
{
    struct hl_sorted_cursor from, to;
    uint64_t n = 0;

    if (low > high)
        return 0;
    from = hl_sorted_seek(order, low);
    to = high == UINT64_MAX ? find_pair(order, high, UINT32_MAX)
                            : hl_sorted_seek(order, high + 1);
    if (is_at(order, to, UINT64_MAX, UINT32_MAX))
        n++;
    for (size_t i = from.chunk; i < to.chunk; i++)
        n += order->chunks[i]->n;
    return n + to.at - from.at;
}

size_t hl_sorted_bytes(const struct hl_sorted *order)
{
    return sizeof *order + order->room * sizeof(struct chunk *) +
           order->n_chunks * sizeof(struct chunk);
}
