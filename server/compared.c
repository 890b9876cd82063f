/* SPDX-License-Identifier: Apache-2.0 */
#include "server/compared.h"

#include "proto/alloc.h"
#include "proto/random.h"

#include <string.h>

/* Places are used in turn. A chain leads from each bucket over the places whose hash ends
 * there; 0 ends it, so that a ring of zeros is an empty one. */
enum { N_BUCKETS = 2 * HL_COMPARED_KEPT };

struct place {
    struct hl_compared item;
    uint64_t hash;
    uint32_t next; /* of its chain: 1 is the first place */
    bool is_used;
};

struct hl_compared_ring {
    uint32_t buckets[N_BUCKETS];
    struct place places[HL_COMPARED_KEPT];
    size_t oldest;
};

struct hl_compared_ring *hl_compared_ring_new(void)
{
    return hl_alloc_zeroed(1, sizeof(struct hl_compared_ring));
}

void hl_compared_ring_free(struct hl_compared_ring *ring)
{
    hl_free(ring);
}

static uint64_t hash_of(const struct hl_text *query_id, uint32_t number)
{
    uint64_t hash = hl_random_mix(number);

    for (size_t i = 0; i < query_id->len; i++)
        hash = hl_random_mix(hash ^ (unsigned char)query_id->text[i]);
    return hash;
}

/* Where the number of the place stands that is wanted: in its bucket, or behind the one
 * before it. It is 0 where there is none. */
static uint32_t *find_link(struct hl_compared_ring *ring, const struct hl_text *query_id,
                           uint32_t number, uint64_t hash)
{
    uint32_t *link = &ring->buckets[hash % N_BUCKETS];

    while (*link) {
        struct place *place = &ring->places[*link - 1];

        if (place->hash == hash && place->item.place == number &&
            hl_text_is(query_id, place->item.query_id))
            break;
        link = &place->next;
    }
    return link;
}

static struct hl_text text_of(const struct hl_compared *item)
{
    return (struct hl_text){item->query_id, strlen(item->query_id)};
}

static void forget(struct hl_compared_ring *ring, struct place *place)
{
    const struct hl_text query_id = text_of(&place->item);
    uint32_t *link = find_link(ring, &query_id, place->item.place, place->hash);

    *link = place->next;
    place->is_used = false;
}

void hl_compared_ring_add(struct hl_compared_ring *ring, const struct hl_compared *item)
{
    const struct hl_text query_id = text_of(item);
    const uint64_t hash = hash_of(&query_id, item->place);
    const uint32_t known = *find_link(ring, &query_id, item->place, hash);
    struct place *place = &ring->places[ring->oldest];
    uint32_t *bucket = &ring->buckets[hash % N_BUCKETS];

    if (known)
        forget(ring, &ring->places[known - 1]);
    if (place->is_used)
        forget(ring, place);
    *place = (struct place){*item, hash, *bucket, true};
    *bucket = (uint32_t)ring->oldest + 1;
    ring->oldest = (ring->oldest + 1) % HL_COMPARED_KEPT;
}

struct hl_compared *hl_compared_ring_find(struct hl_compared_ring *ring,
                                          const struct hl_text *query_id, uint32_t place)
{
    const uint32_t found = *find_link(ring, query_id, place, hash_of(query_id, place));

    return found ? &ring->places[found - 1].item : NULL;
}
