/* SPDX-License-Identifier: Apache-2.0 */
#include "index/manifest.h"

#include "index/engine_part.h"
#include "proto/alloc.h"
#include "proto/dir.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { ARENA_BYTES = 64 << 10 };

/* ---- one record ---- */

void hl_manifest_key(const struct hl_manifest *manifest, char key[HL_MANIFEST_KEY])
{
    (void)snprintf(key, HL_MANIFEST_KEY, "%010" PRIu32 "-%010" PRIu32 "/%016" PRIx64,
                   manifest->space, manifest->source, manifest->first);
}

size_t hl_manifest_encode(const struct hl_manifest *manifest, char body[HL_MANIFEST_BODY])
{
    int len = snprintf(body, HL_MANIFEST_BODY,
                       "{\"space\":%" PRIu32 ",\"source\":%" PRIu32 ",\"first\":%" PRIu64
                       ",\"last\":%" PRIu64 ",\"rows\":%" PRIu64 ",\"until\":%" PRIu64
                       ",\"file\":\"%s\"}",
                       manifest->space, manifest->source, manifest->first, manifest->last,
                       manifest->n_rows, manifest->until, manifest->file);

    return (size_t)len;
}

/* A file of ours has no way out of its folder. */
static bool is_file_name(const char *text, size_t len)
{
    size_t n_slashes = 0;

    for (size_t i = 0; i < len; i++) {
        n_slashes += text[i] == '/';
        if (!strchr("0123456789abcdef-/.sg", text[i]) ||
            (i > 0 && text[i] == '.' && text[i - 1] == '.'))
            return false;
    }
    return len > 0 && len < HL_MANIFEST_FILE && n_slashes == 1 && text[0] != '/';
}

static enum hl_code read_member(const struct hl_field *member, size_t which,
                                struct hl_manifest *manifest, struct hl_err *err)
{
    uint64_t *const numbers[] = {&manifest->first, &manifest->last, &manifest->n_rows,
                                 &manifest->until};
    uint32_t *const ids[] = {&manifest->space, &manifest->source};
    const char *text;
    uint64_t number = 0;
    size_t len;
    enum hl_code code;

    if (which < 2) {
        code = hl_field_u64(member, 1, UINT32_MAX, &number, err);
        *ids[which] = (uint32_t)number;
        return code;
    }
    if (which < 6)
        return hl_field_u64(member, 0, UINT64_MAX, numbers[which - 2], err);
    code = hl_field_string(member, &text, &len, err);
    if (code == HL_OK && !is_file_name(text, len))
        return hl_fail(err, HL_DAMAGED, "a segment's file is called \"%.*s\"",
                       (int)(len < 100 ? len : 100), text);
    if (code == HL_OK)
        memcpy(manifest->file, text, len);
    return code;
}

enum hl_code hl_manifest_decode(const void *body, size_t size,
                                struct hl_manifest *ret_manifest, struct hl_err *err)
{
    static const char *const names[] = {"space", "source", "first", "last",
                                        "rows",  "until",  "file"};
    struct hl_arena *arena = hl_arena_new(ARENA_BYTES);
    struct hl_manifest manifest = {0};
    struct hl_tokens tokens;
    struct hl_object object;
    struct hl_field root;
    const struct hl_field *member = NULL;
    enum hl_code code;

    if (!arena)
        return hl_fail(err, HL_NO_MEMORY, "no memory for a manifest");
    hl_tokens_init(&tokens, body, size, arena);
    tokens.what = "a segment's record";
    tokens.code = HL_DAMAGED;
    root = hl_field_root(&tokens);
    code = hl_object_begin(&root, names, 7, &object, err);
    while (code == HL_OK) {
        code = hl_object_next(&object, &member, err);
        if (code != HL_OK || !member)
            break;
        if (object.which < 7)
            code = read_member(member, object.which, &manifest, err);
    }
    if (code == HL_OK && (manifest.file[0] == '\0' || manifest.last < manifest.first))
        code = hl_fail(err, HL_DAMAGED, "a segment's record is not whole");
    if (code == HL_OK)
        *ret_manifest = manifest;
    hl_arena_free(arena);
    return code == HL_OK || code == HL_NO_MEMORY ? code
                                                 : (err->code = HL_DAMAGED, HL_DAMAGED);
}

enum hl_code hl_manifest_path(const struct hl_collection *collection, const char *file,
                              char *path, size_t size, struct hl_err *err)
{
    int len = snprintf(path, size, "%s/segments/%s", collection->folder, file);

    if (len < 0 || (size_t)len >= size)
        return hl_fail(err, HL_INVALID, "the path of \"%.100s\" is too long", file);
    return HL_OK;
}

const char *hl_manifest_file(const char *path)
{
    const char *file = path;

    for (const char *at = path, *slash; (slash = strchr(at, '/')) != NULL; at = slash + 1)
        file = at;
    return file;
}

/* ---- at start ---- */

struct load {
    struct hl_collection *collection;
    struct hl_layout *layout;
    struct hl_reader *reader;
    struct hl_manifest *all; /* by space, then by first row */
    size_t n, room;
    uint32_t space; /* whose rows are read */
    enum hl_code code;
    struct hl_err err;
};

static void tell_rebuilding(const struct load *load, const struct hl_manifest *manifest,
                            const struct hl_err *why)
{
    const struct hl_engine_event event = {.kind = HL_ENGINE_REBUILDING,
                                          .collection = load->collection->label,
                                          .file = manifest->file,
                                          .n_rows = manifest->n_rows,
                                          .err = why};

    hl_engine_tell(load->collection->engine, &event);
}

static bool take_record(void *self, const struct hl_store_record *record)
{
    struct load *load = self;

    if (load->n == load->room) {
        size_t room = load->room ? load->room * 2 : 16;
        struct hl_manifest *all = hl_realloc(load->all, room * sizeof *all);

        if (!all) {
            load->code = hl_fail(&load->err, HL_NO_MEMORY, "no memory for the segments");
            return false;
        }
        load->all = all;
        load->room = room;
    }
    load->code =
        hl_manifest_decode(record->body, record->size, &load->all[load->n], &load->err);
    load->n += load->code == HL_OK;
    if (load->code == HL_DAMAGED) { /* derived, as the segment is */
        const struct hl_manifest lost = {0};

        tell_rebuilding(load, &lost, &load->err);
        load->code = HL_OK;
    }
    return load->code == HL_OK;
}

static enum hl_code check_view(const struct hl_segment_view *view,
                               const struct hl_space *space,
                               const struct hl_manifest *manifest, struct hl_err *err)
{
    if (view->dim != space->dim || view->n_rows != manifest->n_rows ||
        view->rows[0] < manifest->first || view->rows[view->n_rows - 1] > manifest->last)
        return hl_fail(err, HL_DAMAGED, "it is another segment: %zu rows of %zu values",
                       view->n_rows, view->dim);
    return HL_OK;
}

/* HL_OK with *ret_part NULL when the file is not sound: it was told. */
static enum hl_code open_part(const struct load *load, const struct hl_manifest *manifest,
                              const struct hl_space *space, struct hl_part **ret_part,
                              struct hl_err *err)
{
    const struct hl_segment_hold hold = {.allowance =
                                             hl_engine_allowance(load->collection->engine),
                                         .is_on_disk = space->is_on_disk};
    struct hl_segment *segment = NULL;
    struct hl_err why;
    char path[PATH_MAX];
    enum hl_code code =
        hl_manifest_path(load->collection, manifest->file, path, sizeof path, err);

    *ret_part = NULL;
    if (code != HL_OK)
        return code;
    code = hl_segment_open(path, &hold, &segment, &why);
    if (code == HL_OK)
        code = check_view(hl_segment_view(segment), space, manifest, &why);
    if (code == HL_NO_MEMORY) {
        *err = why;
        return code;
    }
    if (code != HL_OK) {
        hl_segment_close(segment);
        tell_rebuilding(load, manifest, &why);
        return HL_OK;
    }
    code = hl_part_of_segment(segment, ret_part, err);
    if (code != HL_OK)
        return code;
    hl_part_set_path(*ret_part, path);
    hl_part_keep_by(*ret_part, hl_engine_part_keeper(load->collection->engine));
    return HL_OK;
}

static bool take_row(void *self, const struct hl_store_row *row)
{
    struct load *load = self;
    const struct hl_space *space = hl_layout_space(load->layout, load->space);
    struct hl_part *part;

    if (space->sparse) {
        load->code = hl_sparse_append(space->sparse, row, &load->err);
        return load->code == HL_OK;
    }
    part = space->shelf.n_parts ? space->shelf.parts[space->shelf.n_parts - 1] : NULL;
    if (!part || !hl_part_tail(part) || hl_part_count(part) == hl_part_capacity(part)) {
        load->code =
            hl_collection_add_tail(load->collection, load->layout, load->space, &load->err);
        if (load->code != HL_OK)
            return false;
        part = space->shelf.parts[space->shelf.n_parts - 1];
    }
    load->code = hl_tail_append(
        hl_part_tail(part),
        &(struct hl_tail_row){row->row, row->number, row->born, row->vector.values},
        &load->err);
    return load->code == HL_OK;
}

static enum hl_code read_rows(struct load *load, uint64_t after, uint64_t last,
                              struct hl_err *err)
{
    const struct hl_reader_rows rows = {.space = load->space,
                                        .after = after,
                                        .last = last,
                                        .deadline =
                                            hl_engine_patience(load->collection->engine)};
    enum hl_code code = HL_OK;

    if (after >= last)
        return HL_OK;
    code = hl_reader_rows(load->reader, &rows, take_row, load, err);
    if (code == HL_OK && load->code != HL_OK) {
        *err = load->err;
        code = load->code;
    }
    return code;
}

/* Segments where they are sound, and rows from the store where there is none. */
static enum hl_code load_space(struct load *load, const struct hl_space *space,
                               struct hl_err *err)
{
    const uint32_t id = space->id;
    uint64_t covered = 0;
    enum hl_code code = HL_OK;

    load->space = id;
    for (size_t i = 0; code == HL_OK && i < load->n; i++) {
        const struct hl_manifest *manifest = &load->all[i];
        struct hl_part *part = NULL;

        if (manifest->space != id || manifest->source != id || space->dim == 0 ||
            manifest->first <= covered)
            continue;
        code = open_part(load, manifest, space, &part, err);
        if (code != HL_OK || !part)
            continue;
        code = read_rows(load, covered, manifest->first - 1, err);
        if (code == HL_OK)
            code = hl_layout_add_part(load->layout, id, part, err);
        hl_part_unref(part);
        covered = manifest->last;
    }
    return code == HL_OK ? read_rows(load, covered, UINT64_MAX, err) : code;
}

static bool take_death(void *self, const struct hl_store_death *death, uint64_t died)
{
    const struct load *load = self;
    const struct hl_space *space = hl_layout_space(load->layout, death->space);

    for (size_t i = 0; space && i < space->shelf.n_parts; i++)
        if (hl_part_kill(space->shelf.parts[i], death->row, died))
            break;
    return true;
}

/* ---- files that no record names ---- */

struct sweep {
    const struct load *load;
    const char *shelf; /* NULL: among the shelves */
    enum hl_code code;
    struct hl_err err;
};

static bool is_named(const struct load *load, const char *file)
{
    for (size_t i = 0; i < load->n; i++)
        if (strcmp(load->all[i].file, file) == 0)
            return true;
    return false;
}

/* What cannot be removed is in nobody's way. */
static bool pass_over(struct sweep *sweep, const char *file, const struct hl_err *why)
{
    const struct hl_collection *collection = sweep->load->collection;
    const struct hl_engine_event event = {.kind = HL_ENGINE_UPKEEP_FAILED,
                                          .collection = collection->label,
                                          .file = file,
                                          .err = why};

    if (sweep->code != HL_NO_MEMORY) {
        hl_engine_tell(collection->engine, &event);
        sweep->code = HL_OK;
    }
    return sweep->code == HL_OK;
}

static bool sweep_entry(void *self, const char *name)
{
    struct sweep *sweep = self, inner = *sweep;
    char file[PATH_MAX], path[PATH_MAX];
    int len = snprintf(file, sizeof file, "%s%s%s", sweep->shelf ? sweep->shelf : "",
                       sweep->shelf ? "/" : "", name);

    if (len < 0 || (size_t)len >= sizeof file)
        return true;
    sweep->code =
        hl_manifest_path(sweep->load->collection, file, path, sizeof path, &sweep->err);
    if (sweep->code != HL_OK)
        return false;
    if (sweep->shelf) {
        if (!is_named(sweep->load, file))
            sweep->code = hl_file_remove(path, &sweep->err);
        return sweep->code == HL_OK || pass_over(sweep, file, &sweep->err);
    }
    inner.shelf = name;
    sweep->code = hl_dir_walk(path, sweep_entry, &inner, &sweep->err);
    if (sweep->code == HL_OK && inner.code != HL_OK) {
        sweep->code = inner.code;
        sweep->err = inner.err;
    }
    return sweep->code == HL_OK || pass_over(sweep, file, &sweep->err);
}

static enum hl_code sweep_files(const struct load *load, struct hl_err *err)
{
    struct sweep sweep = {.load = load};
    char path[PATH_MAX];
    enum hl_code code = hl_manifest_path(load->collection, "", path, sizeof path, err);

    if (code == HL_OK)
        code = hl_dir_walk(path, sweep_entry, &sweep, err);
    if (code == HL_OK && sweep.code != HL_OK) {
        *err = sweep.err;
        code = sweep.code;
    }
    return code;
}

enum hl_code hl_manifest_load(struct hl_collection *collection, struct hl_layout *layout,
                              struct hl_reader *reader, struct hl_err *err)
{
    struct load load = {.collection = collection, .layout = layout, .reader = reader};
    enum hl_code code =
        hl_reader_records(reader, HL_MANIFEST_KIND, take_record, &load, err);

    if (code == HL_OK && load.code != HL_OK) {
        *err = load.err;
        code = load.code;
    }
    if (code == HL_OK)
        code = sweep_files(&load, err);
    for (size_t i = 0; code == HL_OK && i < hl_layout_n_all(layout); i++)
        code = load_space(&load, &layout->spaces[i], err);
    if (code == HL_OK)
        code = hl_reader_deaths(reader, take_death, &load, err);
    hl_free(load.all);
    return code;
}
