/* SPDX-License-Identifier: Apache-2.0 */
#include "server/snapshots.h"

#include "index/snapshot.h"
#include "proto/dir.h"
#include "proto/encode.h"
#include "proto/hex.h"
#include "proto/recover.h"
#include "server/collections.h"
#include "server/server.h"
#include "server/version.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { NAME_BYTES = 100, FILE_BYTES = 200, MOMENT = 19 };

static const char ending[] = ".snapshot";

/* ---- where they are ---- */

static enum hl_code fail_long(struct hl_err *err)
{
    return hl_fail(err, HL_INVALID, "the path of the snapshot is too long");
}

/* DATA/snapshots/COLLECTION[/FILE] */
static enum hl_code path_of(const struct hl_server *server,
                            const struct hl_request *request, const char *file,
                            char path[PATH_MAX], struct hl_err *err)
{
    int len = snprintf(path, PATH_MAX, "%s/snapshots/%s%s%s", server->config->storage.path,
                       request->params[0].data, file ? "/" : "", file ? file : "");

    return len < 0 || len >= PATH_MAX ? fail_long(err) : HL_OK;
}

static enum hl_code make_folder(const struct hl_server *server, const char *folder,
                                struct hl_err *err)
{
    char all[PATH_MAX];
    int len = snprintf(all, sizeof all, "%s/snapshots", server->config->storage.path);
    enum hl_code code;

    if (len < 0 || (size_t)len >= sizeof all)
        return fail_long(err);
    code = hl_dir_make(all, err);
    if (code == HL_OK)
        code = hl_dir_sync_above(all, err);
    if (code == HL_OK)
        code = hl_dir_make(folder, err);
    return code == HL_OK ? hl_dir_sync_above(folder, err) : code;
}

/* A name, not a path: what is in the folder and ends as snapshots do. */
static bool is_snapshot(const char *name)
{
    size_t len = strlen(name), n = sizeof ending - 1;

    return len > n && name[0] != '.' && !strchr(name, '/') &&
           strcmp(name + len - n, ending) == 0;
}

static enum hl_code fail_missing(const char *name, struct hl_err *err)
{
    return hl_fail(err, HL_NOT_FOUND, "Not found: Snapshot %.200s not found", name);
}

/* The snapshot that the request names; the collection is one that there is. */
static enum hl_code named_path(const struct hl_server *server,
                               const struct hl_request *request, char path[PATH_MAX],
                               struct hl_err *err)
{
    const char *name = request->params[1].data;

    return is_snapshot(name) ? path_of(server, request, name, path, err)
                             : fail_missing(name, err);
}

static enum hl_code acquire(struct hl_server *server, const struct hl_request *request,
                            struct hl_collection **ret_collection, struct hl_err *err)
{
    return hl_collections_acquire(server->collections, &request->params[0], ret_collection,
                                  err);
}

static enum hl_code check_collection(struct hl_server *server,
                                     const struct hl_request *request, struct hl_err *err)
{
    struct hl_collection *collection = NULL;
    enum hl_code code = acquire(server, request, &collection, err);

    if (code == HL_OK)
        hl_collection_unref(collection);
    return code;
}

/* A gallery takes as long as it takes: only who goes away or a server that stops ends it,
 * not the time that other requests are given. */
static struct hl_deadline patience(const struct hl_request *request)
{
    struct hl_deadline deadline = request->deadline;

    deadline.at_us = HL_DEADLINE_NEVER;
    return deadline;
}

/* ---- descriptions ---- */

/* COLLECTION-MILLISECONDS-YYYY-MM-DD-HH-MM-SS.snapshot: the moment is in the name. */
static void show_moment(struct hl_buf *buf, const char *name)
{
    size_t len = strlen(name) - (sizeof ending - 1);
    char moment[MOMENT + 1];

    if (len < MOMENT) {
        hl_encode_null(buf);
        return;
    }
    memcpy(moment, name + len - MOMENT, MOMENT);
    moment[MOMENT] = '\0';
    moment[10] = 'T';
    moment[13] = moment[16] = ':';
    hl_encode_string(buf, moment);
}

static enum hl_code show(struct hl_buf *buf, const char *path, const char *name,
                         struct hl_err *err)
{
    char checksum[PATH_MAX];
    struct hl_file *file = NULL;
    struct hl_buf sum;
    struct hl_err why;
    uint64_t size = 0;
    enum hl_code code = hl_file_open(path, HL_FILE_READ, &file, err);

    if (code == HL_OK)
        code = hl_file_size(file, &size, err);
    hl_file_close(file);
    if (code != HL_OK)
        return code;
    if (snprintf(checksum, sizeof checksum, "%s.checksum", path) >= (int)sizeof checksum)
        return fail_long(err);
    hl_buf_init(&sum, HL_SHA256_TEXT_SIZE);
    hl_buf_add_text(buf, "{\"name\":");
    hl_encode_string(buf, name);
    hl_buf_add_text(buf, ",\"creation_time\":");
    show_moment(buf, name);
    hl_buf_add_text(buf, ",\"size\":");
    hl_encode_u64(buf, size);
    hl_buf_add_text(buf, ",\"checksum\":");
    /* One that was put here by hand may have none. */
    if (hl_file_load(checksum, &sum, &why) == HL_OK)
        hl_encode_text(buf, sum.data, sum.len);
    else
        hl_encode_null(buf);
    hl_buf_add_char(buf, '}');
    hl_buf_done(&sum);
    return HL_OK;
}

/* ---- list ---- */

struct listing {
    struct hl_arena *arena;
    const char **names;
    size_t n, room;
};

static bool add_name(void *self, const char *name)
{
    struct listing *listing = self;

    if (!is_snapshot(name))
        return true;
    if (listing->n == listing->room) {
        size_t room = listing->room ? listing->room * 2 : 16;
        const char **names = hl_arena_array(listing->arena, room, sizeof(char *));

        if (!names)
            return false;
        if (listing->n > 0)
            memcpy(names, listing->names, listing->n * sizeof(char *));
        listing->names = names;
        listing->room = room;
    }
    listing->names[listing->n] = hl_arena_copy(listing->arena, name, strlen(name));
    return listing->names[listing->n++] != NULL;
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static enum hl_code list_names(struct listing *listing, const char *folder,
                               struct hl_err *err)
{
    struct hl_err why;
    enum hl_code code = hl_dir_walk(folder, add_name, listing, &why);

    if (code == HL_NOT_FOUND)
        return HL_OK; /* none was ever made */
    if (code != HL_OK) {
        *err = why;
        return code;
    }
    if (listing->n > 0 && !listing->names[listing->n - 1])
        return hl_arena_fail(listing->arena, err, "the names of snapshots");
    if (listing->n > 1)
        qsort(listing->names, listing->n, sizeof(char *), compare_names);
    return HL_OK;
}

enum hl_code hl_snapshots_list(struct hl_server *server, struct hl_request *request,
                               struct hl_reply *reply, struct hl_err *err)
{
    struct listing listing = {.arena = request->arena};
    char path[PATH_MAX];
    enum hl_code code = check_collection(server, request, err);

    if (code == HL_OK)
        code = path_of(server, request, NULL, path, err);
    if (code == HL_OK)
        code = list_names(&listing, path, err);
    if (code != HL_OK)
        return code;
    hl_reply_begin(reply);
    hl_buf_add_char(&reply->body, '[');
    for (size_t i = 0; i < listing.n; i++) {
        if (i > 0)
            hl_buf_add_char(&reply->body, ',');
        code = path_of(server, request, listing.names[i], path, err);
        if (code == HL_OK)
            code = show(&reply->body, path, listing.names[i], err);
        if (code != HL_OK)
            return code;
    }
    hl_buf_add_char(&reply->body, ']');
    return hl_reply_end(reply, request, err);
}

/* ---- create, download, delete ---- */

/* As Qdrant's: the collection, a number, the moment. The number is that of milliseconds, so
 * that two of one second differ. Long names are cut where a character ends. */
static void name_snapshot(const struct hl_request *request, const struct timespec *now,
                          char name[FILE_BYTES])
{
    size_t len = request->params[0].len;
    long long ms = (long long)now->tv_sec * 1000 + now->tv_nsec / 1000000;
    char moment[32] = "";
    struct tm utc;

    if (len > NAME_BYTES)
        for (len = NAME_BYTES; (request->params[0].data[len] & 0xc0) == 0x80;)
            len--;
    if (gmtime_r(&now->tv_sec, &utc))
        strftime(moment, sizeof moment, "%Y-%m-%d-%H-%M-%S", &utc);
    snprintf(name, FILE_BYTES, "%.*s-%lld-%s%s", (int)len, request->params[0].data, ms,
             moment, ending);
}

static enum hl_code save(struct hl_server *server, struct hl_request *request,
                         struct hl_collection *collection, struct hl_reply *reply,
                         struct hl_err *err)
{
    const struct hl_deadline deadline = patience(request);
    char folder[PATH_MAX], path[PATH_MAX], name[FILE_BYTES];
    struct hl_archive_sum sum;
    struct hl_buf config;
    struct timespec now;
    enum hl_code code = path_of(server, request, NULL, folder, err);

    clock_gettime(CLOCK_REALTIME, &now);
    name_snapshot(request, &now, name);
    if (code == HL_OK)
        code = path_of(server, request, name, path, err);
    if (code == HL_OK)
        code = make_folder(server, folder, err);
    if (code != HL_OK)
        return code;
    hl_buf_init(&config, PATH_MAX);
    hl_buf_add_text(&config, "{\"collection\":");
    hl_encode_text(&config, request->params[0].data, request->params[0].len);
    hl_buf_add_char(&config, '}');
    code = hl_buf_check(&config, "the name of a snapshot", err);
    if (code == HL_OK)
        code = hl_snapshot_save(
            collection,
            &(struct hl_snapshot_options){.path = path,
                                          .version = hl_version(),
                                          .created_s = now.tv_sec,
                                          .config = {config.data, config.len},
                                          .deadline = &deadline},
            &sum, err);
    hl_buf_done(&config);
    if (code != HL_OK)
        return code;
    hl_reply_begin(reply);
    code = show(&reply->body, path, name, err);
    return code == HL_OK ? hl_reply_end(reply, request, err) : code;
}

enum hl_code hl_snapshots_create(struct hl_server *server, struct hl_request *request,
                                 struct hl_reply *reply, struct hl_err *err)
{
    struct hl_collection *collection = NULL;
    enum hl_code code = acquire(server, request, &collection, err);

    if (code != HL_OK)
        return code;
    code = save(server, request, collection, reply, err);
    hl_collection_unref(collection);
    return code;
}

enum hl_code hl_snapshots_download(struct hl_server *server, struct hl_request *request,
                                   struct hl_reply *reply, struct hl_err *err)
{
    char path[PATH_MAX];
    enum hl_code code = check_collection(server, request, err);

    if (code == HL_OK)
        code = named_path(server, request, path, err);
    if (code != HL_OK)
        return code;
    code = hl_reply_file(reply, "application/octet-stream", path, err);
    return code == HL_NOT_FOUND ? fail_missing(request->params[1].data, err) : code;
}

/* The checksum first: a snapshot without one is a snapshot, a sum of nothing is not. */
static enum hl_code remove_files(const char *path, struct hl_err *err)
{
    char checksum[PATH_MAX];
    enum hl_code code;

    if (snprintf(checksum, sizeof checksum, "%s.checksum", path) >= (int)sizeof checksum)
        return fail_long(err);
    code = hl_file_remove(checksum, err);
    if (code == HL_OK)
        code = hl_file_remove(path, err);
    return code == HL_OK ? hl_dir_sync_above(path, err) : code;
}

enum hl_code hl_snapshots_delete(struct hl_server *server, struct hl_request *request,
                                 struct hl_reply *reply, struct hl_err *err)
{
    char path[PATH_MAX];
    struct hl_file *file = NULL;
    enum hl_code code = check_collection(server, request, err);

    if (code == HL_OK)
        code = named_path(server, request, path, err);
    if (code != HL_OK)
        return code;
    code = hl_file_open(path, HL_FILE_READ, &file, err);
    hl_file_close(file);
    if (code == HL_NOT_FOUND)
        return fail_missing(request->params[1].data, err);
    if (code == HL_OK)
        code = remove_files(path, err);
    if (code != HL_OK)
        return code;
    hl_reply_begin(reply);
    hl_encode_bool(&reply->body, true);
    return hl_reply_end(reply, request, err);
}

/* ---- recover ---- */

struct recovery {
    const char *path;
    const char *sha256;
    const struct hl_deadline *deadline;
};

static enum hl_code fill_folder(void *self, const char *folder, struct hl_err *err)
{
    const struct recovery *recovery = self;

    return hl_snapshot_load(recovery->path, recovery->sha256, folder, recovery->deadline,
                            err);
}

/* The path that the URL of a file has, its escapes resolved. */
static enum hl_code read_location(const struct hl_text *location, struct hl_arena *arena,
                                  const char **ret_path, struct hl_err *err)
{
    static const char scheme[] = "file://";
    const size_t begin = sizeof scheme - 1;
    char *path = hl_arena_alloc(arena, location->len + 1);
    size_t n = 0;

    if (!path)
        return hl_arena_fail(arena, err, "the location of a snapshot");
    if (location->len <= begin || memcmp(location->text, scheme, begin) != 0)
        return hl_fail(err, HL_NOT_SUPPORTED,
                       "a snapshot is recovered from file:///PATH alone, not from "
                       "\"%.*s\"",
                       (int)(location->len < 200 ? location->len : 200), location->text);
    for (size_t i = begin; i < location->len; i++) {
        int high = i + 2 < location->len ? hl_hex_digit(location->text[i + 1]) : -1;
        int low = i + 2 < location->len ? hl_hex_digit(location->text[i + 2]) : -1;
        bool is_escaped = location->text[i] == '%' && high >= 0 && low >= 0;
        unsigned char byte = is_escaped ? (unsigned char)(high * 16 + low)
                                        : (unsigned char)location->text[i];

        path[n++] = (char)byte;
        i += is_escaped ? 2 : 0;
    }
    path[n] = '\0';
    if (path[0] != '/' || strlen(path) != n)
        return hl_fail(err, HL_INVALID, "the path of a snapshot begins with a slash");
    *ret_path = path;
    return HL_OK;
}

static enum hl_code read_body(struct hl_request *request, struct recovery *recovery,
                              struct hl_err *err)
{
    struct hl_recover recover = {0};
    struct hl_tokens tokens;
    struct hl_field root;
    enum hl_code code;

    hl_tokens_init(&tokens, request->body.data, request->body.len, request->arena);
    root = hl_field_root(&tokens);
    code = hl_recover_read(&root, &recover, err);
    if (code == HL_OK)
        code = hl_tokens_finish(&tokens, err);
    if (code == HL_OK)
        code = read_location(&recover.location, request->arena, &recovery->path, err);
    if (code != HL_OK || !recover.checksum.text)
        return code;
    recovery->sha256 =
        hl_arena_copy(request->arena, recover.checksum.text, recover.checksum.len);
    return recovery->sha256 ? HL_OK : hl_arena_fail(request->arena, err, "the checksum");
}

enum hl_code hl_snapshots_recover(struct hl_server *server, struct hl_request *request,
                                  struct hl_reply *reply, struct hl_err *err)
{
    const struct hl_deadline deadline = patience(request);
    struct recovery recovery = {.deadline = &deadline};
    const struct hl_collections_folder folder = {fill_folder, &recovery};
    enum hl_code code = read_body(request, &recovery, err);

    if (code == HL_OK)
        code =
            hl_collections_recover(server->collections, &request->params[0], &folder, err);
    if (code != HL_OK)
        return code;
    hl_reply_begin(reply);
    hl_encode_bool(&reply->body, true);
    return hl_reply_end(reply, request, err);
}
