/* SPDX-License-Identifier: Apache-2.0 */
#include "index/snapshot.h"

#include "index/manifest.h"
#include "proto/alloc.h"
#include "proto/dir.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

enum { NAME = sizeof("segments/") + HL_MANIFEST_FILE, PIECE = 1 << 20, ARENA = 512 << 20 };

static const char points_name[] = "points.db";

/* What the files of an SQLite database are called. */
static const char *const database_ends[] = {"", "-wal", "-shm", "-journal"};

static enum hl_code join(char path[PATH_MAX], const char *folder, const char *between,
                         const char *name, struct hl_err *err)
{
    int len = snprintf(path, PATH_MAX, "%s%s%s", folder, between, name);

    if (len < 0 || len >= PATH_MAX)
        return hl_fail(err, HL_INVALID, "the path \"%.64s…\" is too long", folder);
    return HL_OK;
}

static enum hl_code remove_database(const char *path, struct hl_err *err)
{
    enum hl_code code = HL_OK;

    for (size_t i = 0; code == HL_OK && i < 4; i++) {
        char file[PATH_MAX];

        code = join(file, path, "", database_ends[i], err);
        if (code == HL_OK)
            code = hl_file_remove(file, err);
    }
    return code;
}

/* ---- saving ---- */

struct saving {
    const struct hl_collection *collection;
    struct hl_archive_input *items; /* the database, then the segments */
    struct hl_file **files;
    char (*names)[NAME];
    size_t n, room;
    enum hl_code code;
    struct hl_err *err;
};

static bool make_room(struct saving *saving)
{
    size_t room = saving->room ? saving->room * 2 : 64;
    struct hl_file **files = hl_realloc(saving->files, room * sizeof(struct hl_file *));
    char(*names)[NAME];

    if (!files)
        return false;
    saving->files = files;
    names = hl_realloc(saving->names, room * sizeof *names);
    if (!names)
        return false;
    saving->names = names;
    saving->room = room;
    return true;
}

/* The open file stays what it is, also when a merge takes its name away. */
static enum hl_code add_file(struct saving *saving, const char *path, const char *name)
{
    enum hl_code code;

    if (saving->n == saving->room && !make_room(saving))
        return hl_fail(saving->err, HL_NO_MEMORY, "no memory for a snapshot");
    code = hl_file_open(path, HL_FILE_READ, &saving->files[saving->n], saving->err);
    if (code == HL_OK)
        snprintf(saving->names[saving->n++], NAME, "%s", name);
    return code;
}

/* One that is gone was merged into others since the copy was begun: whoever recovers makes
 * it again. So it is with one that was never sound. */
static bool add_segment(void *self, const struct hl_store_record *record)
{
    struct saving *saving = self;
    struct hl_manifest manifest;
    char path[PATH_MAX], name[NAME];

    saving->code = hl_manifest_decode(record->body, record->size, &manifest, saving->err);
    if (saving->code == HL_OK)
        saving->code = hl_manifest_path(saving->collection, manifest.file, path,
                                        sizeof path, saving->err);
    if (saving->code != HL_OK)
        return false;
    snprintf(name, sizeof name, "segments/%s", manifest.file);
    saving->code = add_file(saving, path, name);
    if (saving->code == HL_NOT_FOUND)
        saving->code = HL_OK;
    return saving->code == HL_OK;
}

/* The copy, and the segments that it names. */
static enum hl_code add_files(struct saving *saving, const char *copy, uint64_t commit)
{
    struct hl_reader *reader = NULL;
    enum hl_code code = add_file(saving, copy, points_name);

    if (code == HL_OK)
        code = hl_reader_open(copy, &reader, saving->err);
    if (code == HL_OK)
        code = hl_reader_begin(reader, commit, saving->err);
    if (code == HL_OK) {
        code =
            hl_reader_records(reader, HL_MANIFEST_KIND, add_segment, saving, saving->err);
        hl_reader_end(reader);
    }
    hl_reader_close(reader);
    return code == HL_OK ? saving->code : code;
}

static enum hl_code save_files(struct saving *saving,
                               const struct hl_snapshot_options *options,
                               struct hl_archive_sum *ret_sum)
{
    const struct hl_archive_head head = {.kind = HL_SNAPSHOT_KIND,
                                         .version = options->version,
                                         .created_s = options->created_s,
                                         .config = options->config};
    struct hl_archive_inputs inputs = {.n = saving->n};

    saving->items = hl_alloc_zeroed(saving->n + 1, sizeof *saving->items);
    if (!saving->items)
        return hl_fail(saving->err, HL_NO_MEMORY, "no memory for a snapshot");
    for (size_t i = 0; i < saving->n; i++)
        saving->items[i] = (struct hl_archive_input){saving->names[i], saving->files[i]};
    inputs.items = saving->items;
    return hl_archive_save(options->path, &head, &inputs, options->deadline, ret_sum,
                           saving->err);
}

enum hl_code hl_snapshot_save_sum(const char *path, const struct hl_archive_sum *sum,
                                  struct hl_err *err)
{
    char file[PATH_MAX];
    struct hl_replacement *replacement;
    enum hl_code code = join(file, path, "", ".checksum", err);

    if (code == HL_OK)
        code = hl_replacement_open(file, &replacement, err);
    if (code != HL_OK)
        return code;
    code = hl_file_write(hl_replacement_file(replacement), sum->sha256, strlen(sum->sha256),
                         err);
    if (code == HL_OK)
        return hl_replacement_commit(replacement, err);
    hl_replacement_abandon(replacement);
    return code;
}

static enum hl_code copy_store(struct hl_collection *collection, const char *copy,
                               const struct hl_deadline *deadline, struct hl_err *err)
{
    struct hl_reader *reader;
    enum hl_code code = hl_collection_take_reader(collection, &reader, err);

    if (code != HL_OK)
        return code;
    code = hl_reader_copy(reader, copy, deadline, err);
    hl_collection_give_reader(collection, reader);
    return code;
}

enum hl_code hl_snapshot_save(struct hl_collection *collection,
                              const struct hl_snapshot_options *options,
                              struct hl_archive_sum *ret_sum, struct hl_err *err)
{
    struct saving saving = {.collection = collection, .err = err};
    struct hl_archive_sum sum;
    struct hl_layout *layout;
    struct hl_err ignored;
    uint64_t commit;
    char copy[PATH_MAX];
    enum hl_code code = join(copy, options->path, "", ".db", err);

    if (code != HL_OK)
        return code;
    /* Its parts keep their files while the copy is made and read, whatever is merged. */
    pthread_rwlock_rdlock(&collection->lock);
    layout = hl_layout_ref(collection->layout);
    commit = collection->published;
    pthread_rwlock_unlock(&collection->lock);
    code = remove_database(copy, err);
    if (code == HL_OK)
        code = copy_store(collection, copy, options->deadline, err);
    if (code == HL_OK)
        code = add_files(&saving, copy, commit);
    hl_layout_unref(layout);
    if (code == HL_OK)
        code = save_files(&saving, options, &sum);
    if (code == HL_OK)
        code = hl_snapshot_save_sum(options->path, &sum, err);
    for (size_t i = 0; i < saving.n; i++)
        hl_file_close(saving.files[i]);
    hl_free(saving.items);
    hl_free(saving.files);
    hl_free(saving.names);
    (void)remove_database(copy, &ignored);
    if (code == HL_OK)
        *ret_sum = sum;
    return code;
}

/* ---- loading ---- */

enum hl_code hl_snapshot_sum(const char *path, const struct hl_deadline *deadline,
                             struct hl_archive_sum *ret_sum, struct hl_err *err)
{
    unsigned char *piece = hl_alloc(PIECE);
    struct hl_file *file = NULL;
    struct hl_sha256 sha;
    size_t n = 1;
    enum hl_code code = HL_OK;

    hl_sha256_init(&sha);
    if (!piece)
        return hl_fail(err, HL_NO_MEMORY, "no memory for a snapshot's checksum");
    code = hl_file_open(path, HL_FILE_READ, &file, err);
    while (code == HL_OK && n > 0) {
        if (deadline)
            code = hl_deadline_check(deadline, "the snapshot", err);
        if (code == HL_OK)
            code = hl_file_read_at(file, piece, PIECE, sha.n_bytes, &n, err);
        if (code == HL_OK)
            hl_sha256_add(&sha, piece, n);
    }
    if (code == HL_OK) {
        ret_sum->size = sha.n_bytes;
        hl_sha256_finish_text(&sha, ret_sum->sha256);
    }
    hl_file_close(file);
    hl_free(piece);
    return code;
}

static enum hl_code check_sum(const char *path, const char *sha256,
                              const struct hl_deadline *deadline, struct hl_err *err)
{
    struct hl_archive_sum sum;
    enum hl_code code = hl_snapshot_sum(path, deadline, &sum, err);

    if (code == HL_OK && strcasecmp(sum.sha256, sha256) != 0)
        return hl_fail(err, HL_BAD_FILE,
                       "snapshot \"%s\" has the checksum %s, %.64s was wanted", path,
                       sum.sha256, sha256);
    return code;
}

/* points.db, and segments/SPACE-SOURCE/FILE.seg. */
static bool is_ours(const char *name)
{
    const char *file = strncmp(name, "segments/", 9) == 0 ? strchr(name + 9, '/') : NULL;
    size_t len = file ? strlen(file) : 0;

    if (strcmp(name, points_name) == 0)
        return true;
    return len > 5 && !strchr(file + 1, '/') && strcmp(file + len - 4, ".seg") == 0;
}

static enum hl_code check_head(const char *path, const struct hl_archive_head *head,
                               struct hl_err *err)
{
    if (strcmp(head->kind, HL_SNAPSHOT_KIND) != 0)
        return hl_fail(err, HL_BAD_FILE,
                       "snapshot \"%s\" is of a %.64s, one of a %s was wanted", path,
                       head->kind, HL_SNAPSHOT_KIND);
    if (head->n_files == 0 || strcmp(head->files[0].name, points_name) != 0)
        return hl_fail(err, HL_BAD_FILE, "snapshot \"%s\" has no %s in it", path,
                       points_name);
    for (size_t i = 0; i < head->n_files; i++)
        if (!is_ours(head->files[i].name))
            return hl_fail(err, HL_BAD_FILE,
                           "snapshot \"%s\" has \"%s\" in it, which no collection has",
                           path, head->files[i].name);
    return HL_OK;
}

/* All of the database is read: what a server later trips over is refused now. Opening it as
 * a store brings an older one up to date. */
static enum hl_code check_store(const char *path, const char *points,
                                const struct hl_deadline *deadline, struct hl_err *err)
{
    struct hl_store *store = NULL;
    struct hl_reader *reader = NULL;
    struct hl_err why;
    enum hl_code code = hl_reader_open(points, &reader, &why);

    if (code == HL_OK)
        code = hl_reader_check(reader, deadline, &why);
    hl_reader_close(reader);
    if (code == HL_OK)
        code = hl_store_open(points, &store, &why);
    hl_store_close(store);
    if (code == HL_OK)
        return HL_OK;
    *err = why;
    if (code != HL_DAMAGED)
        return code;
    return hl_fail(err, HL_BAD_FILE, "snapshot \"%.128s\" is not sound: %.256s", path,
                   why.msg);
}

static enum hl_code load_archive(const char *path, const struct hl_file *file,
                                 const char *folder, const struct hl_deadline *deadline,
                                 struct hl_err *err)
{
    struct hl_arena *arena = hl_arena_new(ARENA);
    struct hl_archive_head head;
    struct hl_source source;
    char points[PATH_MAX];
    enum hl_code code;

    if (!arena)
        return hl_fail(err, HL_NO_MEMORY, "no memory for a snapshot");
    code = hl_source_of_file(file, &source, err);
    if (code == HL_OK)
        code = hl_archive_look(&source, arena, &head, err);
    if (code == HL_OK)
        code = check_head(path, &head, err);
    if (code == HL_OK)
        code = join(points, folder, "/", points_name, err);
    if (code == HL_OK)
        code = remove_database(points, err);
    if (code == HL_OK)
        code = hl_archive_load(&source, &head, folder, deadline, err);
    if (code == HL_OK)
        code = check_store(path, points, deadline, err);
    hl_arena_free(arena);
    return code;
}

enum hl_code hl_snapshot_load(const char *path, const char *sha256, const char *folder,
                              const struct hl_deadline *deadline, struct hl_err *err)
{
    struct hl_file *file = NULL;
    enum hl_code code = sha256 ? check_sum(path, sha256, deadline, err) : HL_OK;

    if (code == HL_OK)
        code = hl_file_open(path, HL_FILE_READ, &file, err);
    if (code == HL_OK)
        code = load_archive(path, file, folder, deadline, err);
    hl_file_close(file);
    return code;
}
