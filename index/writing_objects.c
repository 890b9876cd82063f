/* SPDX-License-Identifier: Apache-2.0 */
#include "index/writing_part.h"

#include "index/manifest.h"
#include "proto/alloc.h"
#include "proto/encode.h"

#include <stdio.h>
#include <string.h>

enum { LARGEST_DEFINITION = 1 << 20 };

static enum hl_code fail_no_memory(struct hl_err *err)
{
    return hl_fail(err, HL_NO_MEMORY, "no memory for a transaction");
}

/* ---- spaces ---- */

enum hl_code hl_writing_add_space(struct hl_writing *writing,
                                  const struct hl_vector_config *config, struct hl_err *err)
{
    const char *name = hl_arena_copy(writing->arena, config->name.text, config->name.len);
    const char *settings =
        hl_arena_copy(writing->arena, config->text.text, config->text.len);
    const struct hl_store_space space = {
        .dim = config->is_sparse ? 0 : config->size, .name = name, .settings = settings};
    struct hl_layout *own;
    uint32_t id = 0;
    enum hl_code code;

    if (!name || !settings)
        return hl_arena_fail(writing->arena, err, "a vector's settings");
    code = hl_store_add_space(writing->store, &space, &id, err);
    if (code != HL_OK)
        return code;
    own = hl_writing_own_layout(writing);
    return own ? hl_layout_add_space(own, id, config, err) : fail_no_memory(err);
}

static enum hl_code find_space(const struct hl_writing *writing, const struct hl_text *name,
                               uint32_t *ret_id, struct hl_err *err)
{
    const struct hl_space *space = hl_layout_find(hl_writing_layout(writing), name);

    if (!space)
        return hl_fail(err, HL_NOT_FOUND, "Not found: Not existing vector name error: %.*s",
                       (int)(name->len < 255 ? name->len : 255), name->text);
    *ret_id = space->id;
    return HL_OK;
}

enum hl_code hl_writing_set_space(struct hl_writing *writing, const struct hl_text *name,
                                  const struct hl_text *settings, struct hl_err *err)
{
    const char *text = hl_arena_copy(writing->arena, settings->text, settings->len);
    struct hl_layout *own;
    uint32_t id = 0;
    enum hl_code code = find_space(writing, name, &id, err);

    if (code != HL_OK)
        return code;
    if (!text)
        return hl_arena_fail(writing->arena, err, "a vector's settings");
    code = hl_store_set_space(writing->store, id, text, err);
    if (code != HL_OK)
        return code;
    own = hl_writing_own_layout(writing);
    return own ? hl_layout_set_space(own, id, settings, err) : fail_no_memory(err);
}

struct lonely {
    const struct hl_layout *layout;
    uint32_t space;
    uint64_t n;
};

static bool count_lonely(void *self, const struct hl_store_point *point)
{
    struct lonely *lonely = self;

    size_t n_own = 0;
    bool is_here = false;

    for (size_t i = 0; i < point->n_places; i++) {
        const struct hl_space *space =
            hl_layout_space(lonely->layout, point->places[i].space);

        n_own += space && space->image.into == 0;
        is_here |= point->places[i].space == lonely->space;
    }
    lonely->n += is_here && n_own == 1;
    return true;
}

struct record_keys {
    struct hl_writing *writing;
    uint32_t space;
    uint64_t first, last; /* rows */
    const struct hl_shelf *shelf;
    char (*keys)[HL_MANIFEST_KEY];
    size_t n, room;
    bool has_failed;
};

/* Of a part that has any. */
static uint64_t last_row(const struct hl_part *part)
{
    return hl_part_row(part, (uint32_t)hl_part_count(part) - 1);
}

/* A segment was opened for it, or was built since. */
static bool has_segment(const struct hl_shelf *shelf, const struct hl_manifest *manifest)
{
    for (size_t i = 0; i < shelf->n_parts; i++) {
        const struct hl_part *part = shelf->parts[i];

        if (!hl_part_tail(part) && hl_part_count(part) > 0 &&
            hl_part_row(part, 0) <= manifest->last && manifest->first <= last_row(part))
            return true;
    }
    return false;
}

/* One that cannot be read says nothing, and of a damaged file too few rows may live to be
 * sealed again: both go with the next of their shelf. That forgets the deaths of all rows
 * that no part has: were such a record to stay, and its file to come back, so would they.
 */
static bool is_replaced(const struct record_keys *found,
                        const struct hl_store_record *record)
{
    const struct hl_manifest of_shelf = {.space = found->space, .source = found->space};
    struct hl_manifest manifest;
    char key[HL_MANIFEST_KEY];
    struct hl_err ignored;

    if (hl_manifest_decode(record->body, record->size, &manifest, &ignored) == HL_OK)
        return manifest.space == found->space &&
               ((found->first <= manifest.last && manifest.first <= found->last) ||
                !has_segment(found->shelf, &manifest));
    hl_manifest_key(&of_shelf, key);
    return strncmp(record->key, key, strcspn(key, "/") + 1) == 0;
}

static bool take_key(void *self, const struct hl_store_record *record)
{
    struct record_keys *found = self;

    if (!is_replaced(found, record))
        return true;
    found->has_failed =
        !hl_writing_make_room(&found->keys, &found->room, found->n, sizeof *found->keys);
    if (!found->has_failed)
        (void)snprintf(found->keys[found->n++], HL_MANIFEST_KEY, "%s", record->key);
    return !found->has_failed;
}

/* The records of segments that hold any of these rows, and of those that none was opened
 * for. */
static enum hl_code drop_manifests(struct hl_writing *writing, const struct hl_space *space,
                                   uint64_t first, uint64_t last, struct hl_err *err)
{
    struct record_keys found = {.writing = writing,
                                .space = space->id,
                                .first = first,
                                .last = last,
                                .shelf = &space->shelf};
    bool existed;
    enum hl_code code = hl_reader_records(hl_store_inside(writing->store), HL_MANIFEST_KIND,
                                          take_key, &found, err);

    if (code == HL_OK && found.has_failed)
        code = fail_no_memory(err);
    for (size_t i = 0; code == HL_OK && i < found.n; i++)
        code = hl_store_delete_record(writing->store, HL_MANIFEST_KIND, found.keys[i],
                                      &existed, err);
    hl_free(found.keys);
    return code;
}

enum hl_code hl_writing_forget_space(struct hl_writing *writing, uint32_t space,
                                     struct hl_err *err)
{
    struct hl_layout *own;
    enum hl_code code = hl_store_drop_space(writing->store, space, err);

    if (code != HL_OK)
        return code;
    own = hl_writing_own_layout(writing);
    if (!own)
        return fail_no_memory(err);
    code = drop_manifests(writing, hl_layout_space(own, space), 0, UINT64_MAX, err);
    if (code == HL_OK)
        hl_layout_drop_space(own, space);
    return code;
}

/* What leads into a space or comes from it goes with it. */
static enum hl_code drop_images(struct hl_writing *writing, uint32_t space,
                                struct hl_err *err)
{
    const struct hl_layout *layout = hl_writing_layout(writing);
    enum hl_code code = HL_OK;

    for (size_t i = hl_layout_n_all(layout); code == HL_OK && i-- > layout->n_spaces;) {
        const struct hl_image *image = &layout->spaces[i].image;

        if (image->into != space && image->from != space)
            continue;
        code = hl_writing_forget_space(writing, layout->spaces[i].id, err);
        layout = hl_writing_layout(writing);
    }
    return code;
}

enum hl_code hl_writing_drop_space(struct hl_writing *writing, const struct hl_text *name,
                                   struct hl_err *err)
{
    const struct hl_reader_scan scan = {.order = HL_READ_BY_NUMBER,
                                        .deadline = writing->deadline};
    struct lonely lonely = {.layout = hl_writing_layout(writing)};
    enum hl_code code = find_space(writing, name, &lonely.space, err);

    if (code == HL_OK)
        code = hl_reader_scan(hl_store_inside(writing->store), &scan, count_lonely, &lonely,
                              err);
    if (code == HL_OK && lonely.n > 0)
        return hl_fail(err, HL_CONFLICT,
                       "%llu points have no other vector than \"%.*s\": delete them first",
                       (unsigned long long)lonely.n,
                       (int)(name->len < 255 ? name->len : 255), name->text);
    if (code == HL_OK)
        code = drop_images(writing, lonely.space, err);
    return code == HL_OK ? hl_writing_forget_space(writing, lonely.space, err) : code;
}

/* ---- payload indexes and the server's text ---- */

static void print_definition(const struct hl_payload_index *index, struct hl_buf *buf)
{
    hl_buf_add_text(buf, "{\"field_name\":");
    hl_encode_text(buf, index->key.text, index->key.len);
    hl_buf_add_text(buf, ",\"field_schema\":");
    if (index->params.text)
        hl_buf_add(buf, index->params.text, index->params.len);
    else
        hl_encode_string(buf, hl_index_type_name(index->type));
    hl_buf_add_char(buf, '}');
}

static enum hl_code forget_index(struct hl_writing *writing, const struct hl_text *path,
                                 struct hl_err *err)
{
    char *copy = hl_arena_copy(writing->arena, path->text, path->len);

    if (!copy || !hl_writing_make_room(&writing->dropped, &writing->dropped_room,
                                       writing->n_dropped, sizeof *writing->dropped))
        return fail_no_memory(err);
    writing->dropped[writing->n_dropped++] =
        (struct hl_dropped){{copy, path->len}, writing->n_new};
    return HL_OK;
}

static enum hl_code store_index(struct hl_writing *writing, const char *key,
                                const struct hl_text *path, const struct hl_buf *text,
                                struct hl_err *err)
{
    struct hl_store_record record;
    enum hl_code code =
        hl_reader_record(hl_store_inside(writing->store), "index", key, &record, err);

    if (code == HL_OK && record.size == text->len &&
        memcmp(record.body, text->data, text->len) == 0)
        return HL_OK; /* the same is there already */
    if (code != HL_OK && code != HL_NOT_FOUND)
        return code;
    code = forget_index(writing, path, err);
    if (code == HL_OK)
        code =
            hl_store_put_record(writing->store, "index", key, text->data, text->len, err);
    if (code == HL_OK &&
        !hl_writing_make_room(&writing->new_indexes, &writing->new_room, writing->n_new,
                              sizeof *writing->new_indexes))
        code = fail_no_memory(err);
    if (code == HL_OK)
        code = hl_kept_index_init(&writing->new_indexes[writing->n_new], text->data,
                                  text->len, err);
    writing->n_new += code == HL_OK;
    return code;
}

enum hl_code hl_writing_add_index(struct hl_writing *writing,
                                  const struct hl_payload_index *index, struct hl_err *err)
{
    const struct hl_text path = {index->key.text, index->key.len};
    const char *key = hl_arena_copy(writing->arena, path.text, path.len);
    struct hl_buf text;
    enum hl_code code;

    if (!key)
        return hl_arena_fail(writing->arena, err, "a payload index");
    hl_buf_init(&text, LARGEST_DEFINITION);
    print_definition(index, &text);
    code = hl_buf_check(&text, "a payload index's definition", err);
    if (code == HL_OK)
        code = store_index(writing, key, &path, &text, err);
    hl_buf_done(&text);
    return code;
}

enum hl_code hl_writing_drop_index(struct hl_writing *writing, const struct hl_text *path,
                                   bool *ret_existed, struct hl_err *err)
{
    const char *key = hl_arena_copy(writing->arena, path->text, path->len);
    bool existed = false;
    enum hl_code code;

    if (!key)
        return hl_arena_fail(writing->arena, err, "a payload index");
    code = hl_store_delete_record(writing->store, "index", key, &existed, err);
    if (code == HL_OK && existed)
        code = forget_index(writing, path, err);
    if (code == HL_OK)
        *ret_existed = existed;
    return code;
}

enum hl_code hl_writing_set_config(struct hl_writing *writing, const struct hl_text *config,
                                   struct hl_err *err)
{
    struct hl_layout *own;
    enum hl_code code = hl_store_put_record(writing->store, "config", "collection",
                                            config->text, config->len, err);

    if (code != HL_OK)
        return code;
    own = hl_writing_own_layout(writing);
    return own ? hl_layout_set_config(own, config, err) : fail_no_memory(err);
}

/* ---- the keeper's ---- */

/* Of the manifest's rows, and of those between them and the neighbours': no part has these
 * any more, and none will. Parts ascend by their rows. */
static enum hl_code forget_deaths(struct hl_writing *writing, const struct hl_shelf *shelf,
                                  const struct hl_manifest *manifest, struct hl_err *err)
{
    uint64_t first = 0, last = UINT64_MAX;

    for (size_t i = 0; i < shelf->n_parts; i++) {
        const struct hl_part *part = shelf->parts[i];

        if (hl_part_count(part) == 0)
            continue;
        if (last_row(part) < manifest->first)
            first = last_row(part) + 1;
        else if (hl_part_row(part, 0) > manifest->last && last == UINT64_MAX)
            last = hl_part_row(part, 0) - 1;
    }
    return hl_store_forget_deaths(writing->store, manifest->space, first, last,
                                  manifest->until, err);
}

enum hl_code hl_writing_swap(struct hl_writing *writing, const struct hl_swap *swap,
                             struct hl_err *err)
{
    const struct hl_merge *merge = swap->merge;
    struct hl_manifest manifest = {.space = swap->space,
                                   .source = swap->space,
                                   .until = merge->commit,
                                   .first = hl_part_row(merge->parts[0], 0),
                                   .last = last_row(merge->parts[merge->n_parts - 1])};
    struct hl_layout *own = hl_writing_own_layout(writing);
    char key[HL_MANIFEST_KEY], body[HL_MANIFEST_BODY];
    enum hl_code code;

    if (!own || !hl_writing_make_room(&writing->swaps, &writing->swaps_room,
                                      writing->n_swaps, sizeof *writing->swaps))
        return fail_no_memory(err);
    code = hl_layout_swap_parts(own, swap->space, merge->parts, merge->n_parts, swap->part,
                                err);
    if (code == HL_OK)
        code = drop_manifests(writing, hl_layout_space(own, swap->space), manifest.first,
                              manifest.last, err);
    if (code == HL_OK && swap->part) {
        manifest.n_rows = hl_part_count(swap->part);
        (void)snprintf(manifest.file, sizeof manifest.file, "%s",
                       hl_manifest_file(merge->path));
        hl_manifest_key(&manifest, key);
        code = hl_store_put_record(writing->store, HL_MANIFEST_KIND, key, body,
                                   hl_manifest_encode(&manifest, body), err);
    }
    /* What died and is in the new part all the same dies there again at the next start. */
    if (code == HL_OK && !(swap->part && hl_part_n_dead(swap->part) > 0))
        code = forget_deaths(writing, &hl_layout_space(own, swap->space)->shelf, &manifest,
                             err);
    if (code == HL_OK)
        writing->swaps[writing->n_swaps++] = *swap;
    return code;
}
