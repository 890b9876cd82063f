/* SPDX-License-Identifier: Apache-2.0 */
#include "server/snapshot_folder.h"

#include "proto/dir.h"
#include "proto/encode.h"
#include "proto/sha256.h"
#include "server/server.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { NAME_BYTES = 100, MOMENT = 19 };

static const char ending[] = ".snapshot";

static enum hl_code fail_long(struct hl_err *err)
{
    return hl_fail(err, HL_INVALID, "the path of the snapshot is too long");
}

enum hl_code hl_snapshot_folder_path(const struct hl_server *server,
                                     const struct hl_span *collection,
                                     char folder[PATH_MAX], struct hl_err *err)
{
    int len =
        collection
            ? snprintf(folder, PATH_MAX, "%s/snapshots/%.*s", server->config->storage.path,
                       (int)collection->len, collection->data)
            : snprintf(folder, PATH_MAX, "%s/full-snapshots", server->config->storage.path);

    return len < 0 || len >= PATH_MAX ? fail_long(err) : HL_OK;
}

enum hl_code hl_snapshot_folder_join(const char *folder, const char *name,
                                     char path[PATH_MAX], struct hl_err *err)
{
    int len = snprintf(path, PATH_MAX, "%s/%s", folder, name);

    return len < 0 || len >= PATH_MAX ? fail_long(err) : HL_OK;
}

static enum hl_code make_one(const char *folder, struct hl_err *err)
{
    enum hl_code code = hl_dir_make(folder, err);

    return code == HL_OK ? hl_dir_sync_above(folder, err) : code;
}

enum hl_code hl_snapshot_folder_make(const struct hl_server *server,
                                     const struct hl_span *collection,
                                     char folder[PATH_MAX], struct hl_err *err)
{
    char all[PATH_MAX];
    enum hl_code code =
        hl_snapshot_folder_join(server->config->storage.path, "snapshots", all, err);

    if (code == HL_OK && collection)
        code = make_one(all, err);
    if (code == HL_OK)
        code = hl_snapshot_folder_path(server, collection, folder, err);
    return code == HL_OK ? make_one(folder, err) : code;
}

void hl_snapshot_folder_name(const struct hl_span *prefix, const struct timespec *now,
                             char name[HL_SNAPSHOT_NAME])
{
    size_t len = prefix->len;
    long long ms = (long long)now->tv_sec * 1000 + now->tv_nsec / 1000000;
    char moment[32] = "";
    struct tm utc;

    if (len > NAME_BYTES)
        for (len = NAME_BYTES; (prefix->data[len] & 0xc0) == 0x80;)
            len--;
    if (gmtime_r(&now->tv_sec, &utc))
        strftime(moment, sizeof moment, "%Y-%m-%d-%H-%M-%S", &utc);
    snprintf(name, HL_SNAPSHOT_NAME, "%.*s-%lld-%s%s", (int)len, prefix->data, ms, moment,
             ending);
}

struct hl_deadline hl_snapshot_patience(const struct hl_request *request)
{
    struct hl_deadline deadline = request->deadline;

    deadline.at_us = HL_DEADLINE_NEVER;
    return deadline;
}

/* A name, not a path: what is in the folder and ends as snapshots do. */
static bool is_snapshot(const char *name)
{
    size_t len = strlen(name), n = sizeof ending - 1;

    return len > n && name[0] != '.' && !strchr(name, '/') &&
           strcmp(name + len - n, ending) == 0;
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

enum hl_code hl_snapshot_folder_show(const char *folder, const char *name,
                                     struct hl_buf *buf, struct hl_err *err)
{
    char path[PATH_MAX], checksum[PATH_MAX];
    struct hl_file *file = NULL;
    struct hl_buf sum;
    struct hl_err why;
    uint64_t size = 0;
    enum hl_code code = hl_snapshot_folder_join(folder, name, path, err);

    if (code == HL_OK)
        code = hl_file_open(path, HL_FILE_READ, &file, err);
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

enum hl_code hl_snapshot_folder_list(const char *folder, const struct hl_request *request,
                                     struct hl_reply *reply, struct hl_err *err)
{
    struct listing listing = {.arena = request->arena};
    enum hl_code code = list_names(&listing, folder, err);

    if (code != HL_OK)
        return code;
    hl_reply_begin(reply);
    hl_buf_add_char(&reply->body, '[');
    for (size_t i = 0; code == HL_OK && i < listing.n; i++) {
        if (i > 0)
            hl_buf_add_char(&reply->body, ',');
        code = hl_snapshot_folder_show(folder, listing.names[i], &reply->body, err);
    }
    if (code != HL_OK)
        return code;
    hl_buf_add_char(&reply->body, ']');
    return hl_reply_end(reply, request, err);
}

/* ---- one of them ---- */

static enum hl_code fail_missing(const char *name, struct hl_err *err)
{
    return hl_fail(err, HL_NOT_FOUND, "Not found: Snapshot %.200s not found", name);
}

enum hl_code hl_snapshot_folder_download(const char *folder, const char *name,
                                         struct hl_reply *reply, struct hl_err *err)
{
    char path[PATH_MAX];
    enum hl_code code =
        is_snapshot(name) ? hl_snapshot_folder_join(folder, name, path, err) : HL_NOT_FOUND;

    if (code == HL_OK)
        code = hl_reply_file(reply, "application/octet-stream", path, err);
    return code == HL_NOT_FOUND ? fail_missing(name, err) : code;
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

enum hl_code hl_snapshot_folder_delete(const char *folder, const char *name,
                                       struct hl_err *err)
{
    char path[PATH_MAX];
    struct hl_file *file = NULL;
    enum hl_code code =
        is_snapshot(name) ? hl_snapshot_folder_join(folder, name, path, err) : HL_NOT_FOUND;

    if (code == HL_OK)
        code = hl_file_open(path, HL_FILE_READ, &file, err);
    hl_file_close(file);
    if (code == HL_NOT_FOUND)
        return fail_missing(name, err);
    return code == HL_OK ? remove_files(path, err) : code;
}
