/* SPDX-License-Identifier: Apache-2.0 */
#include "index/engine_part.h"
#include "index/manifest.h"
#include "proto/alloc.h"

#include <string.h>

enum { ARENA_BYTES = 64 << 20 };

struct load {
    struct hl_collection *collection;
    struct hl_layout *layout;
    struct hl_reader *reader; /* a second one: what is read while the first scans */
    struct hl_arena *arena;
    enum hl_code code;
    struct hl_err err;
};

static enum hl_code fail_no_memory(struct hl_err *err)
{
    return hl_fail(err, HL_NO_MEMORY, "no memory to open a collection");
}

/* The distance is in the text that declared the space, or what it is an image of; the rest
 * the store knows. */
static enum hl_code read_image(const struct hl_field *field, struct hl_image *ret_image,
                               struct hl_err *err)
{
    static const char *const members[] = {"into", "from", "hops", "revision", "served"};
    uint64_t numbers[4] = {0};
    bool is_served = false;
    struct hl_object object;
    const struct hl_field *member = NULL;
    enum hl_code code = hl_object_begin(field, members, 5, &object, err);

    while (code == HL_OK) {
        code = hl_object_next(&object, &member, err);
        if (code != HL_OK || !member)
            break;
        if (object.which < 4)
            code = hl_field_u64(member, 0, UINT64_MAX, &numbers[object.which], err);
        else if (object.which == 4)
            code = hl_field_bool(member, &is_served, err);
    }
    if (code == HL_OK)
        *ret_image = (struct hl_image){.into = (uint32_t)numbers[0],
                                       .from = (uint32_t)numbers[1],
                                       .n_hops = (uint32_t)numbers[2],
                                       .revision = numbers[3],
                                       .is_served = is_served};
    return code;
}

static enum hl_code read_settings(const struct hl_store_space *space,
                                  struct hl_arena *arena, struct hl_vector_config *config,
                                  struct hl_image *ret_image, struct hl_err *err)
{
    static const char *const members[] = {"distance", "image", "on_disk", "memory"};
    const char *names[] = {hl_distance_name(HL_COSINE), hl_distance_name(HL_EUCLID),
                           hl_distance_name(HL_DOT), hl_distance_name(HL_MANHATTAN)};
    struct hl_tokens tokens;
    struct hl_object object;
    struct hl_field root;
    const struct hl_field *member = NULL;
    size_t which = HL_DOT;
    enum hl_code code;

    hl_tokens_init(&tokens, space->settings, strlen(space->settings), arena);
    tokens.what = "the settings of a vector";
    tokens.code = HL_DAMAGED;
    root = hl_field_root(&tokens);
    code = hl_object_begin(&root, members, 4, &object, err);
    while (code == HL_OK) {
        code = hl_object_next(&object, &member, err);
        if (code != HL_OK || !member)
            break;
        if (object.which == 0)
            code = hl_field_enum(member, names, 4, &which, err);
        else if (object.which == 1)
            code = read_image(member, ret_image, err);
        else if (object.which == 2 || object.which == 3)
            code = hl_vector_place_read(member, object.which == 3, config, err);
    }
    if (code == HL_OK)
        config->distance = (enum hl_distance)which;
    return code;
}

/* Spaces come in the order they were made: what an image leads into is there. */
static enum hl_code add_image(struct load *load, const struct hl_store_space *space,
                              struct hl_image *image, struct hl_err *err)
{
    const struct hl_engine_options *options = hl_engine_options(load->collection->engine);
    const struct hl_text settings = {space->settings, strlen(space->settings)};
    enum hl_code code = HL_OK;

    if (!options->find_mapper || !hl_layout_space(load->layout, image->into))
        return hl_fail(err, HL_DAMAGED, "what the images \"%s\" are made by is missing",
                       space->settings);
    if (image->is_served)
        code = options->find_mapper(options->self, load->reader, space->settings,
                                    &image->mapper, err);
    if (code == HL_OK)
        code = hl_layout_add_image(load->layout, space->space, image, &settings, err);
    hl_mapper_unref(image->mapper);
    return code;
}

static bool take_space(void *self, const struct hl_store_space *space)
{
    struct load *load = self;
    struct hl_vector_config config = {.name = {space->name, strlen(space->name)},
                                      .is_sparse = space->dim == 0,
                                      .size = space->dim,
                                      .distance = HL_DOT,
                                      .text = {space->settings, strlen(space->settings)}};
    struct hl_image image = {0};

    hl_arena_reset(load->arena);
    load->code = read_settings(space, load->arena, &config, &image, &load->err);
    if (load->code == HL_OK && image.into != 0)
        load->code = add_image(load, space, &image, &load->err);
    else if (load->code == HL_OK)
        load->code = hl_layout_add_space(load->layout, space->space, &config, &load->err);
    return load->code == HL_OK;
}

static bool take_index(void *self, const struct hl_store_record *record)
{
    struct load *load = self;
    struct hl_collection *collection = load->collection;
    struct hl_kept_index *kept =
        hl_realloc(collection->kept, (collection->n_kept + 1) * sizeof *kept);

    if (!kept) {
        load->code = fail_no_memory(&load->err);
        return false;
    }
    collection->kept = kept;
    load->code = hl_kept_index_init(&kept[collection->n_kept], record->body, record->size,
                                    &load->err);
    collection->n_kept += load->code == HL_OK;
    return load->code == HL_OK;
}

static bool take_config(void *self, const struct hl_store_record *record)
{
    struct load *load = self;
    const struct hl_text text = {record->body, record->size};

    load->code = hl_layout_set_config(load->layout, &text, &load->err);
    return load->code == HL_OK;
}

static enum hl_code make_carriers(struct hl_collection *collection,
                                  const struct hl_layout *layout, struct hl_err *err)
{
    const size_t n_all = hl_layout_n_all(layout);

    collection->carriers = hl_alloc_zeroed(n_all ? n_all : 1, sizeof *collection->carriers);
    if (!collection->carriers)
        return fail_no_memory(err);
    for (size_t i = 0; i < n_all; i++) {
        collection->carriers[i].space = layout->spaces[i].id;
        collection->carriers[i].points = hl_rows_new();
        if (!collection->carriers[i].points)
            return fail_no_memory(err);
        collection->n_carriers++;
    }
    return HL_OK;
}

static enum hl_code index_point(struct load *load, const struct hl_store_point *point)
{
    struct hl_collection *collection = load->collection;
    const struct hl_value *payload = NULL;
    enum hl_code code = HL_OK;

    if (collection->n_kept == 0)
        return HL_OK;
    hl_arena_reset(load->arena);
    code = hl_payload_parse(point->payload.text, point->payload.len, load->arena, &payload,
                            &load->err);
    for (size_t i = 0; code == HL_OK && i < collection->n_kept; i++)
        code = hl_field_index_add(collection->kept[i].index, point->number, payload,
                                  &load->err);
    return code;
}

static bool take_point(void *self, const struct hl_store_point *point)
{
    struct load *load = self;
    struct hl_collection *collection = load->collection;
    enum hl_code code =
        hl_roster_reserve(collection->roster, point->number, point->number, &load->err);

    if (code == HL_OK)
        hl_roster_add(collection->roster, point->number, &point->id);
    if (code == HL_OK)
        code = hl_rows_add(collection->points, point->number, &load->err);
    for (size_t i = 0; code == HL_OK && i < point->n_places; i++) {
        struct hl_carriers *carriers =
            hl_collection_carriers(collection, point->places[i].space);

        if (carriers)
            code = hl_rows_add(carriers->points, point->number, &load->err);
    }
    load->code = code == HL_OK ? index_point(load, point) : code;
    return load->code == HL_OK;
}

/* The result of a scan, whose callback may have failed. */
static enum hl_code outcome(struct load *load, enum hl_code code, struct hl_err *err)
{
    if (code == HL_OK && load->code != HL_OK) {
        *err = load->err;
        return load->code;
    }
    return code;
}

/* What is published with the spaces. */
static enum hl_code add_companion(struct load *load, struct hl_err *err)
{
    const struct hl_engine_options *options = hl_engine_options(load->collection->engine);
    struct hl_companion *companion = NULL;
    enum hl_code code = HL_OK;

    if (options->compile)
        code = options->compile(options->self, load->reader, load->layout, &companion, err);
    if (code == HL_OK)
        hl_layout_set_companion(load->layout, companion);
    hl_companion_unref(companion);
    return code;
}

static enum hl_code load_all(struct load *load, struct hl_reader *reader,
                             struct hl_err *err)
{
    struct hl_collection *collection = load->collection;
    const struct hl_reader_scan scan = {.order = HL_READ_BY_NUMBER,
                                        .deadline = hl_engine_patience(collection->engine)};
    enum hl_code code = outcome(load, hl_reader_spaces(reader, take_space, load, err), err);

    if (code == HL_OK)
        code =
            outcome(load, hl_reader_records(reader, "config", take_config, load, err), err);
    if (code == HL_OK)
        code = add_companion(load, err);
    if (code == HL_OK)
        code =
            outcome(load, hl_reader_records(reader, "index", take_index, load, err), err);
    if (code == HL_OK)
        code = make_carriers(collection, load->layout, err);
    if (code == HL_OK)
        code = outcome(load, hl_reader_scan(reader, &scan, take_point, load, err), err);
    return code == HL_OK ? hl_manifest_load(collection, load->layout, reader, err) : code;
}

enum hl_code hl_collection_load(struct hl_collection *collection, struct hl_err *err)
{
    struct load load = {.collection = collection,
                        .layout = collection->layout,
                        .arena = hl_arena_new(ARENA_BYTES)};
    struct hl_reader *reader = NULL;
    enum hl_code code;

    if (!load.arena)
        return fail_no_memory(err);
    code = hl_collection_take_reader(collection, &reader, err);
    if (code == HL_OK)
        code = hl_collection_take_reader(collection, &load.reader, err);
    if (code == HL_OK)
        code = hl_reader_begin(reader, collection->published, err);
    if (code == HL_OK) {
        code = hl_reader_begin(load.reader, collection->published, err);
        if (code == HL_OK) {
            code = load_all(&load, reader, err);
            hl_reader_end(load.reader);
        }
        hl_reader_end(reader);
    }
    if (load.reader)
        hl_collection_give_reader(collection, load.reader);
    if (reader)
        hl_collection_give_reader(collection, reader);
    hl_arena_free(load.arena);
    return code;
}
