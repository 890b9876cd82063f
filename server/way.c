/* SPDX-License-Identifier: Apache-2.0 */
#include "server/way.h"

#include "index/normal.h"
#include "proto/alloc.h"
#include "proto/field.h"
#include "proto/members.h"
#include "server/bridges.h"

#include <inttypes.h>
#include <pthread.h>
#include <string.h>

/* A change maps the items of its points one after the other, on one thread; two ways of one
 * collection share nothing, and a way that two layouts hold is that of one writer. So the
 * lock is there for whoever maps beside it, and is held for some microseconds. */
struct hl_way_desk {
    pthread_mutex_t lock; /* guards `room` */
    float *room;
};

/* ---- items ---- */

/* Dot and Euclid vectors are of length 1 when a bridge is learnt; nobody looks again when
 * one is written later. */
static void map_item(const struct hl_mapper *mapper, const float *in, float *out)
{
    const struct hl_way *way = (const struct hl_way *)mapper;
    float *one, *room;

    pthread_mutex_lock(&way->desk->lock);
    one = way->desk->room;
    room = one + way->dim_in;
    hl_normalise(in, way->dim_in, one);
    hl_applier_query(way->appliers[HL_MODALITY_IMAGE], 1.0f, one, room, out);
    pthread_mutex_unlock(&way->desk->lock);
}

static void free_desk(struct hl_way_desk *desk)
{
    if (!desk)
        return;
    pthread_mutex_destroy(&desk->lock);
    hl_free(desk->room);
    hl_free(desk);
}

static void free_way(struct hl_mapper *mapper)
{
    struct hl_way *way = (struct hl_way *)mapper;

    if (way->appliers[HL_MODALITY_TEXT] != way->appliers[HL_MODALITY_IMAGE])
        hl_applier_free(way->appliers[HL_MODALITY_TEXT]);
    hl_applier_free(way->appliers[HL_MODALITY_IMAGE]);
    for (size_t i = 0; i < HL_WAY_HOPS; i++)
        hl_bridge_free(way->bridges[i]);
    free_desk(way->desk);
    hl_free(way);
}

struct hl_way *hl_way_ref(struct hl_way *way)
{
    (void)hl_mapper_ref(&way->mapper);
    return way;
}

void hl_way_unref(struct hl_way *way)
{
    hl_mapper_unref(way ? &way->mapper : NULL);
}

/* ---- making ---- */

static enum hl_code fail_no_memory(struct hl_err *err)
{
    return hl_fail(err, HL_NO_MEMORY, "no memory to serve a bridge");
}

static enum hl_code load_hop(struct hl_reader *reader, const struct hl_hop *hop,
                             struct hl_bridge **ret_bridge, struct hl_err *err)
{
    const struct hl_bridge_wanted whatever = {.from = NULL};
    struct hl_store_record record;
    struct hl_memory memory;
    struct hl_source source;
    char key[HL_HOLDING_KEY];
    enum hl_code code;

    hl_holding_bridge_key(hop->from, hop->to, hop->revision, key);
    code = hl_reader_record(reader, HL_HOLDING_BRIDGE, key, &record, err);
    if (code == HL_NOT_FOUND)
        return hl_fail(err, HL_NOT_FOUND, "the bridge \"%s\" is not there", key);
    if (code != HL_OK)
        return code;
    memory = (struct hl_memory){record.body, record.size};
    source = hl_source_of_memory(&memory, "the bridge");
    return hl_bridge_load(&source, &whatever, ret_bridge, err);
}

/* Text goes the images' way where no bridge has one of its own for it. A search has thrown
 * the weights of the one before it out of the near caches, so what a query pays for is
 * bytes. */
static enum hl_code make_appliers(struct hl_way *way, struct hl_err *err)
{
    struct hl_applier_plan plan = {
        .bridge = way->bridges[0], .then = way->bridges[1], .is_bfloat = true};
    bool has_text = false;
    enum hl_code code = hl_applier_new(&plan, &way->appliers[HL_MODALITY_IMAGE], err);

    for (size_t i = 0; i < way->n_hops; i++)
        has_text = has_text || way->bridges[i]->ways[HL_MODALITY_TEXT].faithful;
    if (code != HL_OK)
        return code;
    plan.modality = HL_MODALITY_TEXT;
    if (has_text)
        return hl_applier_new(&plan, &way->appliers[HL_MODALITY_TEXT], err);
    way->appliers[HL_MODALITY_TEXT] = way->appliers[HL_MODALITY_IMAGE];
    return HL_OK;
}

/* The appliers have the numbers in their own order; a bridge is megabytes of them. */
static void drop_maps(struct hl_bridge *bridge)
{
    for (size_t i = 0; i < HL_N_MODALITIES; i++) {
        hl_map_free(bridge->ways[i].judged);
        hl_map_free(bridge->ways[i].faithful);
        bridge->ways[i].judged = bridge->ways[i].faithful = NULL;
    }
}

static enum hl_code make_desk(struct hl_way *way, struct hl_err *err)
{
    struct hl_way_desk *desk = hl_alloc_zeroed(1, sizeof *desk);

    if (!desk)
        return fail_no_memory(err);
    pthread_mutex_init(&desk->lock, NULL);
    way->desk = desk;
    desk->room =
        hl_alloc_zeroed(way->dim_in + hl_applier_room(way->appliers[HL_MODALITY_IMAGE]),
                        sizeof *desk->room);
    return desk->room ? HL_OK : fail_no_memory(err);
}

enum hl_code hl_way_load(struct hl_reader *reader, const struct hl_hop *hops, size_t n_hops,
                         struct hl_way **ret_way, struct hl_err *err)
{
    struct hl_way *way = hl_alloc_zeroed(1, sizeof *way);
    enum hl_code code = HL_OK;

    if (!way)
        return fail_no_memory(err);
    atomic_init(&way->mapper.n_refs, 1);
    way->mapper.map = map_item;
    way->mapper.free = free_way;
    way->n_hops = n_hops;
    for (size_t i = 0; code == HL_OK && i < n_hops; i++) {
        way->hops[i] = hops[i];
        code = load_hop(reader, &hops[i], &way->bridges[i], err);
        if (code == HL_OK && way->bridges[i]->old_weight > way->old_weight)
            way->old_weight = way->bridges[i]->old_weight;
    }
    if (code == HL_OK)
        code = make_appliers(way, err);
    for (size_t i = 0; code == HL_OK && i < n_hops; i++)
        drop_maps(way->bridges[i]);
    if (code == HL_OK) {
        way->dim_in = hl_applier_dim_in(way->appliers[HL_MODALITY_IMAGE]);
        way->dim_out = hl_applier_dim_out(way->appliers[HL_MODALITY_IMAGE]);
        code = make_desk(way, err);
    }
    if (code != HL_OK) {
        hl_way_unref(way);
        return code;
    }
    *ret_way = way;
    return HL_OK;
}

/* ---- what is known of it ---- */

bool hl_way_is(const struct hl_way *way, const struct hl_hop *hops, size_t n_hops)
{
    bool is_same = way->n_hops == n_hops;

    for (size_t i = 0; is_same && i < n_hops; i++)
        is_same = way->hops[i].from == hops[i].from && way->hops[i].to == hops[i].to &&
                  way->hops[i].revision == hops[i].revision;
    return is_same;
}

float hl_way_fidelity(const struct hl_way *way, float fidelity)
{
    return fidelity < 0.0f ? way->bridges[0]->fidelity : fidelity;
}

const struct hl_bridge_way *hl_way_scales(const struct hl_way *way,
                                          enum hl_modality modality)
{
    const struct hl_bridge_way *scales = &way->bridges[0]->ways[modality];

    return way->n_hops == 1 && hl_scales_are_measured(scales->old_items) ? scales : NULL;
}

/* ---- as a text ---- */

enum { LONGEST_TEXT = 64 << 10 };

void hl_way_print(const struct hl_hop *hops, size_t n_hops, struct hl_buf *buf)
{
    hl_buf_add_text(buf, "{\"hops\":[");
    for (size_t i = 0; i < n_hops; i++)
        hl_buf_print(buf,
                     "%s{\"from\":%" PRIu32 ",\"to\":%" PRIu32 ",\"revision\":%" PRIu64 "}",
                     i > 0 ? "," : "", hops[i].from, hops[i].to, hops[i].revision);
    hl_buf_add_text(buf, "]}");
}

struct hops {
    struct hl_hop list[HL_WAY_HOPS];
    size_t n;
};

static enum hl_code read_hop_member(const struct hl_field *member, size_t which, void *self,
                                    struct hl_err *err)
{
    struct hl_hop *hop = self;
    uint64_t value = 0;
    enum hl_code code =
        hl_field_u64(member, 1, which < 2 ? UINT32_MAX : UINT64_MAX, &value, err);

    if (which == 0)
        hop->from = (uint32_t)value;
    else if (which == 1)
        hop->to = (uint32_t)value;
    else
        hop->revision = value;
    return code;
}

static enum hl_code read_hop(const struct hl_field *item, void *self, struct hl_err *err)
{
    static const char *const names[] = {"from", "to", "revision"};
    static const struct hl_members members = {HL_MEMBERS_OF(names), 7, read_hop_member};
    struct hops *hops = self;

    if (hops->n == HL_WAY_HOPS)
        return hl_fail(err, HL_DAMAGED, "a way has more than %d bridges", HL_WAY_HOPS);
    return hl_members_read(item, &members, &hops->list[hops->n++], err);
}

static enum hl_code read_by_member(const struct hl_field *member, size_t which, void *self,
                                   struct hl_err *err)
{
    (void)which;
    return hl_each_read(member, read_hop, self, err);
}

static enum hl_code read_settings_member(const struct hl_field *member, size_t which,
                                         void *self, struct hl_err *err)
{
    static const char *const names[] = {"hops"};
    static const struct hl_members members = {HL_MEMBERS_OF(names), 1, read_by_member};

    return which == 0 ? hl_members_read(member, &members, self, err)
                      : hl_field_skip(member, err);
}

static enum hl_code read_settings(const char *settings, struct hops *hops,
                                  struct hl_err *err)
{
    static const char *const names[] = {"by", "image"};
    static const struct hl_members members = {HL_MEMBERS_OF(names), 1,
                                              read_settings_member};
    struct hl_arena *arena = hl_arena_new(LONGEST_TEXT);
    struct hl_tokens tokens;
    struct hl_field root;
    enum hl_code code;

    if (!arena)
        return fail_no_memory(err);
    hl_tokens_init(&tokens, settings, strlen(settings), arena);
    tokens.what = "the settings of images";
    tokens.code = HL_DAMAGED;
    root = hl_field_root(&tokens);
    code = hl_members_read(&root, &members, hops, err);
    if (code == HL_OK && hops->n == 0)
        code = hl_fail(err, HL_DAMAGED, "a way has no bridge");
    hl_arena_free(arena);
    return code;
}

enum hl_code hl_way_find_mapper(void *self, struct hl_reader *reader, const char *settings,
                                struct hl_mapper **ret_mapper, struct hl_err *err)
{
    struct hops hops = {.n = 0};
    struct hl_way *way = NULL;
    enum hl_code code = read_settings(settings, &hops, err);

    (void)self;
    if (code == HL_OK)
        code = hl_way_load(reader, hops.list, hops.n, &way, err);
    if (code == HL_OK)
        *ret_mapper = &way->mapper;
    return code;
}

struct hl_way *hl_way_of(struct hl_mapper *mapper)
{
    return mapper && mapper->map == map_item ? (struct hl_way *)mapper : NULL;
}
