/* SPDX-License-Identifier: Apache-2.0 */
#include "index/store_part.h"

#include "proto/alloc.h"

#include <assert.h>
#include <string.h>

static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "files hold little-endian values");

enum hl_code hl_store_reserve(void *array, size_t *room, size_t n, size_t size,
                              struct hl_err *err)
{
    size_t wanted = *room ? *room : 16, bytes;
    void *old, *grown;

    if (n <= *room)
        return HL_OK;
    while (wanted < n)
        wanted *= 2;
    memcpy(&old, array, sizeof(void *));
    grown = hl_size_mul(wanted, size, &bytes) ? hl_realloc(old, bytes) : NULL;
    if (!grown)
        return hl_fail(err, HL_NO_MEMORY, "no memory for the changes of a transaction");
    memcpy(array, &grown, sizeof(void *));
    *room = wanted;
    return HL_OK;
}

enum hl_code hl_places_reserve(struct hl_places *places, size_t n, struct hl_err *err)
{
    return hl_store_reserve(&places->all, &places->room, n, sizeof *places->all, err);
}

enum hl_code hl_places_unpack(struct hl_places *places, const void *bytes, size_t size,
                              bool *ret_is_sound, struct hl_err *err)
{
    const unsigned char *at = bytes;
    const size_t n = size / HL_PLACE_BYTES;
    enum hl_code code = hl_places_reserve(places, n, err);

    if (code != HL_OK)
        return code;
    for (size_t i = 0; i < n; i++, at += HL_PLACE_BYTES) {
        memcpy(&places->all[i].row, at, 8);
        memcpy(&places->all[i].space, at + 8, 4);
    }
    places->n = n;
    *ret_is_sound = size % HL_PLACE_BYTES == 0;
    return HL_OK;
}

void hl_places_pack(const struct hl_places *places, unsigned char *bytes)
{
    for (size_t i = 0; i < places->n; i++, bytes += HL_PLACE_BYTES) {
        memcpy(bytes, &places->all[i].row, 8);
        memcpy(bytes + 8, &places->all[i].space, 4);
    }
}

bool hl_places_has_row(const struct hl_places *places, uint64_t row)
{
    for (size_t i = 0; i < places->n; i++)
        if (places->all[i].row == row)
            return true;
    return false;
}

void hl_places_insert(struct hl_places *places, uint32_t space, uint64_t row)
{
    size_t at = places->n++;

    for (; at > 0 && places->all[at - 1].space > space; at--)
        places->all[at] = places->all[at - 1];
    places->all[at] = (struct hl_store_place){.row = row, .space = space};
}
