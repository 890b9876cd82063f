/* SPDX-License-Identifier: Apache-2.0 */
#include "server/snapshots.h"

#include "index/archive.h"
#include "index/snapshot.h"
#include "proto/dir.h"
#include "proto/encode.h"
#include "server/aside.h"
#include "server/collections.h"
#include "server/server.h"
#include "server/snapshot_folder.h"
#include "server/version.h"

#include <stdio.h>
#include <string.h>

#define FULL_KIND "full"

enum { PART = 40, MAX_CONFIG = 16 << 20 };

/* A collection in the archive: its snapshot, as one made of it alone. */
struct part {
    const char *collection;
    char name[PART]; /* "collections/7.snapshot" */
    struct hl_file *file;
    bool is_there;
};

struct saving {
    struct hl_server *server;
    struct hl_request *request;
    const struct hl_deadline *deadline;
    struct timespec now;
    char folder[PATH_MAX]; /* of the parts, while they are made */
    struct part *parts;
    size_t n, room;
    struct hl_buf config; /* which part is which collection, and the aliases */
    bool has_alias;
    enum hl_code code;
    struct hl_err *err;
};

/* ---- which there are ---- */

static bool add_part(void *self, const char *name, struct hl_collection *collection)
{
    struct saving *saving = self;
    struct hl_arena *arena = saving->request->arena;
    const char *copy = hl_arena_copy(arena, name, strlen(name));

    (void)collection;
    if (copy && saving->n == saving->room) {
        size_t room = saving->room ? saving->room * 2 : 16;
        struct part *parts = hl_arena_array(arena, room, sizeof *parts);

        if (parts && saving->n > 0)
            memcpy(parts, saving->parts, saving->n * sizeof *parts);
        saving->parts = parts ? parts : saving->parts;
        saving->room = parts ? room : saving->room;
    }
    if (!copy || saving->n == saving->room) {
        saving->code = hl_arena_fail(arena, saving->err, "the names of the collections");
        return false;
    }
    saving->parts[saving->n] = (struct part){.collection = copy};
    snprintf(saving->parts[saving->n].name, PART, "collections/%zu.snapshot",
             saving->n + 1);
    saving->n++;
    return true;
}

static const struct part *find_part(const struct saving *saving, const char *collection)
{
    for (size_t i = 0; i < saving->n; i++)
        if (saving->parts[i].is_there &&
            strcmp(saving->parts[i].collection, collection) == 0)
            return &saving->parts[i];
    return NULL;
}

/* What was made or deleted meanwhile is not in the archive, and neither are its aliases. */
static bool add_alias(void *self, const char *alias, const char *collection)
{
    struct saving *saving = self;

    if (!find_part(saving, collection))
        return true;
    hl_buf_add_text(&saving->config, saving->has_alias ? ",\n" : "\n");
    hl_encode_string(&saving->config, alias);
    hl_buf_add_char(&saving->config, ':');
    hl_encode_string(&saving->config, collection);
    saving->has_alias = true;
    return true;
}

static enum hl_code print_config(struct saving *saving, struct hl_err *err)
{
    bool has_part = false;
    enum hl_code code;

    hl_buf_add_text(&saving->config, "{\"collections\":{");
    for (size_t i = 0; i < saving->n; i++) {
        if (!saving->parts[i].is_there)
            continue;
        hl_buf_add_text(&saving->config, has_part ? ",\n" : "\n");
        hl_encode_string(&saving->config, saving->parts[i].collection);
        hl_buf_add_char(&saving->config, ':');
        hl_encode_string(&saving->config, saving->parts[i].name);
        has_part = true;
    }
    hl_buf_add_text(&saving->config, "},\n\"aliases\":{");
    code =
        hl_collections_aliases(saving->server->collections, NULL, add_alias, saving, err);
    hl_buf_add_text(&saving->config, "}}");
    return code == HL_OK ? hl_buf_check(&saving->config, "the list of collections", err)
                         : code;
}

/* ---- saving ---- */

static enum hl_code save_collection(struct saving *saving, const struct part *part,
                                    const char *path, struct hl_err *err)
{
    const struct hl_span name = {part->collection, strlen(part->collection)};
    struct hl_collection *collection = NULL;
    struct hl_archive_sum sum;
    struct hl_buf config;
    enum hl_code code =
        hl_collections_acquire(saving->server->collections, &name, &collection, err);

    if (code != HL_OK)
        return code;
    hl_buf_init(&config, PATH_MAX);
    hl_buf_add_text(&config, "{\"collection\":");
    hl_encode_string(&config, part->collection);
    hl_buf_add_char(&config, '}');
    code = hl_buf_check(&config, "the name of a collection", err);
    if (code == HL_OK)
        code = hl_snapshot_save(
            collection,
            &(struct hl_snapshot_options){.path = path,
                                          .version = hl_version(),
                                          .created_s = saving->now.tv_sec,
                                          .config = {config.data, config.len},
                                          .deadline = saving->deadline},
            &sum, err);
    hl_buf_done(&config);
    hl_collection_unref(collection);
    return code;
}

/* A collection that is deleted meanwhile is left out: it is none of what there is. */
static enum hl_code save_part(struct saving *saving, struct part *part, struct hl_err *err)
{
    const struct hl_span name = {part->collection, strlen(part->collection)};
    char path[PATH_MAX];
    struct hl_err why;
    enum hl_code code = hl_snapshot_folder_join(
        saving->folder, part->name + sizeof "collections", path, err);

    if (code != HL_OK)
        return code;
    code = save_collection(saving, part, path, &why);
    if (code != HL_OK && !hl_collections_exist(saving->server->collections, &name))
        return HL_OK;
    if (code != HL_OK) {
        *err = why;
        return hl_fail_in(err, "could not save collection \"%.100s\"", part->collection);
    }
    part->is_there = true;
    return hl_file_open(path, HL_FILE_READ, &part->file, err);
}

static enum hl_code save_archive(struct saving *saving, const char *path,
                                 struct hl_archive_sum *ret_sum, struct hl_err *err)
{
    const struct hl_archive_head head = {
        .kind = FULL_KIND,
        .version = hl_version(),
        .created_s = saving->now.tv_sec,
        .config = {saving->config.data, saving->config.len}};
    struct hl_archive_inputs inputs = {NULL, 0};
    struct hl_archive_input *items =
        hl_arena_array(saving->request->arena, saving->n + 1, sizeof *items);

    if (!items)
        return hl_arena_fail(saving->request->arena, err, "the files of a snapshot");
    for (size_t i = 0; i < saving->n; i++)
        if (saving->parts[i].is_there)
            items[inputs.n++] =
                (struct hl_archive_input){saving->parts[i].name, saving->parts[i].file};
    inputs.items = items;
    return hl_archive_save(path, &head, &inputs, saving->deadline, ret_sum, err);
}

static enum hl_code save_all(struct saving *saving, const char *path, struct hl_err *err)
{
    struct hl_archive_sum sum;
    enum hl_code code = hl_dir_make(saving->folder, err);

    hl_collections_each(saving->server->collections, add_part, saving);
    if (code == HL_OK)
        code = saving->code;
    for (size_t i = 0; code == HL_OK && i < saving->n; i++)
        code = save_part(saving, &saving->parts[i], err);
    if (code == HL_OK)
        code = print_config(saving, err);
    if (code == HL_OK)
        code = save_archive(saving, path, &sum, err);
    return code == HL_OK ? hl_snapshot_save_sum(path, &sum, err) : code;
}

static void clean_up(struct saving *saving)
{
    struct hl_err ignored; /* what cannot be removed is found by who looks at the disk */

    for (size_t i = 0; i < saving->n; i++)
        hl_file_close(saving->parts[i].file);
    (void)hl_dir_remove(saving->folder, &ignored);
    hl_buf_done(&saving->config);
}

static enum hl_code create(struct hl_server *server, struct hl_request *request,
                           struct hl_reply *reply, struct hl_err *err)
{
    static const struct hl_span prefix = {"full-snapshot", 13};
    const struct hl_deadline deadline = hl_snapshot_patience(request);
    struct saving saving = {
        .server = server, .request = request, .deadline = &deadline, .err = err};
    char folder[PATH_MAX], path[PATH_MAX], name[HL_SNAPSHOT_NAME];
    enum hl_code code = hl_snapshot_folder_make(server, NULL, folder, err);

    clock_gettime(CLOCK_REALTIME, &saving.now);
    hl_snapshot_folder_name(&prefix, &saving.now, name);
    if (code == HL_OK)
        code = hl_snapshot_folder_join(folder, name, path, err);
    if (code == HL_OK &&
        snprintf(saving.folder, PATH_MAX, "%s.parts", path) >= (int)PATH_MAX)
        code = hl_fail(err, HL_INVALID, "the path of the snapshot is too long");
    if (code != HL_OK)
        return code;
    hl_buf_init(&saving.config, MAX_CONFIG);
    code = save_all(&saving, path, err);
    clean_up(&saving);
    if (code != HL_OK)
        return code;
    hl_reply_begin(reply);
    code = hl_snapshot_folder_show(folder, name, &reply->body, err);
    return code == HL_OK ? hl_reply_end(reply, request, err) : code;
}

enum hl_code hl_snapshots_full_create(struct hl_server *server, struct hl_request *request,
                                      struct hl_reply *reply, struct hl_err *err)
{
    return hl_aside_run(create, server, request, reply, err);
}

/* ---- what a crash left ---- */

struct sweep {
    const char *folder;
    enum hl_code code;
    struct hl_err *err;
};

static bool sweep_entry(void *self, const char *name)
{
    static const char end[] = ".snapshot.parts";
    const size_t len = strlen(name), end_len = sizeof end - 1;
    struct sweep *sweep = self;
    char path[PATH_MAX];

    if (len <= end_len || strcmp(name + len - end_len, end) != 0)
        return true;
    sweep->code = hl_snapshot_folder_join(sweep->folder, name, path, sweep->err);
    if (sweep->code == HL_OK)
        sweep->code = hl_dir_remove(path, sweep->err);
    return sweep->code == HL_OK;
}

enum hl_code hl_snapshots_full_sweep(const struct hl_server *server, struct hl_err *err)
{
    char folder[PATH_MAX];
    struct sweep sweep = {.folder = folder, .err = err};
    struct hl_err why;
    enum hl_code code = hl_snapshot_folder_path(server, NULL, folder, err);

    if (code != HL_OK)
        return code;
    code = hl_dir_walk(folder, sweep_entry, &sweep, &why);
    if (code == HL_NOT_FOUND)
        return HL_OK;
    if (code != HL_OK)
        *err = why;
    return code == HL_OK ? sweep.code : code;
}

/* ---- what was made ---- */

enum hl_code hl_snapshots_full_list(struct hl_server *server, struct hl_request *request,
                                    struct hl_reply *reply, struct hl_err *err)
{
    char folder[PATH_MAX];
    enum hl_code code = hl_snapshot_folder_path(server, NULL, folder, err);

    return code == HL_OK ? hl_snapshot_folder_list(folder, request, reply, err) : code;
}

enum hl_code hl_snapshots_full_download(struct hl_server *server,
                                        struct hl_request *request, struct hl_reply *reply,
                                        struct hl_err *err)
{
    char folder[PATH_MAX];
    enum hl_code code = hl_snapshot_folder_path(server, NULL, folder, err);

    if (code != HL_OK)
        return code;
    return hl_snapshot_folder_download(folder, request->params[0].data, reply, err);
}

enum hl_code hl_snapshots_full_delete(struct hl_server *server, struct hl_request *request,
                                      struct hl_reply *reply, struct hl_err *err)
{
    char folder[PATH_MAX];
    enum hl_code code = hl_snapshot_folder_path(server, NULL, folder, err);

    if (code == HL_OK)
        code = hl_snapshot_folder_delete(folder, request->params[0].data, err);
    if (code != HL_OK)
        return code;
    hl_reply_begin(reply);
    hl_encode_bool(&reply->body, true);
    return hl_reply_end(reply, request, err);
}
