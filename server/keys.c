/* SPDX-License-Identifier: Apache-2.0 */
#include "server/keys.h"

#include "proto/alloc.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

/* Every secret fills a whole block, zeros behind it. Secrets hold no zero byte, so blocks
 * are equal exactly when secrets are. */
enum { N_WORDS = HL_SECRET_MAX / sizeof(uint64_t) };
static_assert(N_WORDS * sizeof(uint64_t) == HL_SECRET_MAX, "a block is whole words");

struct block {
    uint64_t words[N_WORDS];
};

struct entry {
    struct hl_key key;
    struct block block;
};

struct hl_keys {
    struct hl_view view; /* first: the view is the set */
    size_t n;
    struct entry entries[];
};

static void free_view(struct hl_view *view)
{
    struct hl_keys *keys = (struct hl_keys *)view;

    explicit_bzero(keys, sizeof *keys + keys->n * sizeof *keys->entries);
    hl_free(keys);
}

enum hl_code hl_keys_new(const struct hl_key_config *keys, size_t n_keys,
                         struct hl_keys **ret_keys, struct hl_err *err)
{
    struct hl_keys *made = NULL;
    size_t bytes;

    if (hl_size_mul(n_keys, sizeof *made->entries, &bytes) &&
        hl_size_add(bytes, sizeof *made, &bytes))
        made = hl_alloc_zeroed(1, bytes);
    if (!made)
        return hl_fail(err, HL_NO_MEMORY, "no memory for %zu keys", n_keys);
    hl_view_init(&made->view, free_view);
    made->n = n_keys;
    for (size_t i = 0; i < n_keys; i++) {
        snprintf(made->entries[i].key.id, sizeof made->entries[i].key.id, "%s", keys[i].id);
        made->entries[i].key.access = keys[i].access;
        memcpy(&made->entries[i].block, keys[i].secret, strlen(keys[i].secret));
    }
    *ret_keys = made;
    return HL_OK;
}

void hl_keys_free(struct hl_keys *keys)
{
    if (keys)
        hl_view_unref(&keys->view);
}

struct hl_view *hl_keys_view(struct hl_keys *keys)
{
    return &keys->view;
}

const struct hl_keys *hl_keys_of(const struct hl_view *view)
{
    return (const struct hl_keys *)view;
}

size_t hl_keys_count(const struct hl_keys *keys)
{
    return keys->n;
}

/* 1 when the blocks are equal, else 0. Every word is looked at, whatever the first ones
 * say: a comparison that stops at the first difference tells by its time how much was
 * right, and a secret can be guessed piece by piece. */
static size_t block_equals(const struct block *a, const struct block *b)
{
    uint64_t difference = 0;

    for (size_t i = 0; i < N_WORDS; i++) {
        difference |= a->words[i] ^ b->words[i];
        /* Without this a compiler may prove that nothing changes any more and stop. */
        __asm__("" : "+r"(difference));
    }
    /* The highest bit of x or of -x is set unless x is 0. */
    return (size_t)(1 ^ ((difference | (0 - difference)) >> 63));
}

const struct hl_key *hl_keys_find(const struct hl_keys *keys, const char *secret,
                                  size_t len)
{
    struct block presented = {0};
    size_t found = 0; /* 1 + the place of the key */

    /* A secret with a zero byte or of another length than any key's is nobody's. It costs
     * what any other costs: it is compared all the same, as a block no key can have. */
    if (len > 0 && len <= sizeof presented && !memchr(secret, '\0', len))
        memcpy(&presented, secret, len);
    /* No stopping at the one that fits: its place in the set is nobody's business either.
     */
    for (size_t i = 0; i < keys->n; i++) {
        size_t is_equal = block_equals(&keys->entries[i].block, &presented);

        found |= (0 - is_equal) & (i + 1);
    }
    explicit_bzero(&presented, sizeof presented);
    return found ? &keys->entries[found - 1].key : NULL;
}
