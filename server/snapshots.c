/* SPDX-License-Identifier: Apache-2.0 */
#include "server/snapshots.h"

#include "index/snapshot.h"
#include "proto/dir.h"
#include "proto/encode.h"
#include "proto/hex.h"
#include "proto/multipart.h"
#include "proto/recover.h"
#include "server/aside.h"
#include "server/collections.h"
#include "server/fetch.h"
#include "server/server.h"
#include "server/upload.h"
#include "server/version.h"

#include <limits.h>
#include <string.h>
#include <time.h>

static enum hl_code acquire(struct hl_server *server, const struct hl_request *request,
                            struct hl_collection **ret_collection, struct hl_err *err)
{
    return hl_collections_acquire(server->collections, &request->params[0], ret_collection,
                                  err);
}

/* Where the snapshots of the request's collection are, which is one that there is. */
static enum hl_code find_folder(struct hl_server *server, const struct hl_request *request,
                                char folder[PATH_MAX], struct hl_err *err)
{
    struct hl_collection *collection = NULL;
    enum hl_code code = acquire(server, request, &collection, err);

    if (code != HL_OK)
        return code;
    hl_collection_unref(collection);
    return hl_snapshot_folder_path(server, &request->params[0], folder, err);
}

enum hl_code hl_snapshots_list(struct hl_server *server, struct hl_request *request,
                               struct hl_reply *reply, struct hl_err *err)
{
    char folder[PATH_MAX];
    enum hl_code code = find_folder(server, request, folder, err);

    return code == HL_OK ? hl_snapshot_folder_list(folder, request, reply, err) : code;
}

enum hl_code hl_snapshots_take(struct hl_server *server, struct hl_collection *collection,
                               const struct hl_span *name,
                               const struct hl_deadline *deadline,
                               struct hl_snapshot_place *ret_place, struct hl_err *err)
{
    char path[PATH_MAX];
    struct hl_archive_sum sum;
    struct hl_buf config;
    struct timespec now;
    enum hl_code code = hl_snapshot_folder_make(server, name, ret_place->folder, err);

    clock_gettime(CLOCK_REALTIME, &now);
    hl_snapshot_folder_name(name, &now, ret_place->name);
    if (code == HL_OK)
        code = hl_snapshot_folder_join(ret_place->folder, ret_place->name, path, err);
    if (code != HL_OK)
        return code;
    hl_buf_init(&config, PATH_MAX);
    hl_buf_add_text(&config, "{\"collection\":");
    hl_encode_text(&config, name->data, name->len);
    hl_buf_add_char(&config, '}');
    code = hl_buf_check(&config, "the name of a snapshot", err);
    if (code == HL_OK)
        code = hl_snapshot_save(
            collection,
            &(struct hl_snapshot_options){.path = path,
                                          .version = hl_version(),
                                          .created_s = now.tv_sec,
                                          .config = {config.data, config.len},
                                          .deadline = deadline},
            &sum, err);
    hl_buf_done(&config);
    return code;
}

static enum hl_code save(struct hl_server *server, struct hl_request *request,
                         struct hl_collection *collection, struct hl_reply *reply,
                         struct hl_err *err)
{
    const struct hl_deadline deadline = hl_snapshot_patience(request);
    struct hl_snapshot_place place;
    enum hl_code code =
        hl_snapshots_take(server, collection, &request->params[0], &deadline, &place, err);

    if (code != HL_OK)
        return code;
    hl_reply_begin(reply);
    code = hl_snapshot_folder_show(place.folder, place.name, &reply->body, err);
    return code == HL_OK ? hl_reply_end(reply, request, err) : code;
}

static enum hl_code create(struct hl_server *server, struct hl_request *request,
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

enum hl_code hl_snapshots_create(struct hl_server *server, struct hl_request *request,
                                 struct hl_reply *reply, struct hl_err *err)
{
    return hl_aside_run(create, server, request, reply, err);
}

enum hl_code hl_snapshots_download(struct hl_server *server, struct hl_request *request,
                                   struct hl_reply *reply, struct hl_err *err)
{
    char folder[PATH_MAX];
    enum hl_code code = find_folder(server, request, folder, err);

    if (code != HL_OK)
        return code;
    return hl_snapshot_folder_download(folder, request->params[1].data, reply, err);
}

enum hl_code hl_snapshots_delete(struct hl_server *server, struct hl_request *request,
                                 struct hl_reply *reply, struct hl_err *err)
{
    char folder[PATH_MAX];
    enum hl_code code = find_folder(server, request, folder, err);

    if (code == HL_OK)
        code = hl_snapshot_folder_delete(folder, request->params[1].data, err);
    if (code != HL_OK)
        return code;
    hl_reply_begin(reply);
    hl_encode_bool(&reply->body, true);
    return hl_reply_end(reply, request, err);
}

/* ---- recover ---- */

struct recovery {
    const char *path;
    const char *url; /* it is fetched from there; NULL: it is at `path` */
    const char *key;
    uint64_t max_bytes; /* of what is fetched */
    const char *sha256;
    const struct hl_deadline *deadline;
};

static enum hl_code fill_folder(void *self, const char *folder, struct hl_err *err)
{
    const struct recovery *recovery = self;

    return hl_snapshot_load(recovery->path, recovery->sha256, folder, recovery->deadline,
                            err);
}

/* What is fetched goes into the folder that is filled from it: after an error or a crash it
 * goes with the folder. */
static enum hl_code fill_from_afar(void *self, const char *folder, struct hl_err *err)
{
    const struct recovery *recovery = self;
    struct recovery fetched = *recovery;
    char path[PATH_MAX];
    const struct hl_fetch fetch = {.url = recovery->url,
                                   .key = recovery->key,
                                   .path = path,
                                   .max_bytes = recovery->max_bytes,
                                   .deadline = recovery->deadline};
    enum hl_code code = hl_snapshot_folder_join(folder, "fetched.snapshot", path, err);

    if (code == HL_OK)
        code = hl_fetch_save(&fetch, err);
    fetched.path = path;
    if (code == HL_OK)
        code = fill_folder(&fetched, folder, err);
    return code == HL_OK ? hl_file_remove(path, err) : code;
}

/* The path that the URL of a file has, its escapes resolved. */
static enum hl_code read_path(const struct hl_text *location, size_t begin,
                              struct hl_arena *arena, const char **ret_path,
                              struct hl_err *err)
{
    char *path = hl_arena_alloc(arena, location->len + 1);
    size_t n = 0;

    if (!path)
        return hl_arena_fail(arena, err, "the location of a snapshot");
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

static enum hl_code copy_text(const struct hl_text *text, struct hl_arena *arena,
                              const char **ret_copy, struct hl_err *err)
{
    if (!text->text)
        return HL_OK;
    *ret_copy = hl_arena_copy(arena, text->text, text->len);
    if (!*ret_copy)
        return hl_arena_fail(arena, err, "what a collection is recovered from");
    if (strlen(*ret_copy) != text->len)
        return hl_fail(err, HL_INVALID, "the location of a snapshot has a zero byte in it");
    return HL_OK;
}

static enum hl_code read_location(const struct hl_recover *recover, struct hl_arena *arena,
                                  struct recovery *recovery, struct hl_err *err)
{
    static const char scheme[] = "file://";
    const size_t begin = sizeof scheme - 1;
    const struct hl_text *location = &recover->location;
    enum hl_code code;

    if (location->len > begin && memcmp(location->text, scheme, begin) == 0)
        return read_path(location, begin, arena, &recovery->path, err);
    code = copy_text(location, arena, &recovery->url, err);
    return code == HL_OK ? copy_text(&recover->api_key, arena, &recovery->key, err) : code;
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
        code = read_location(&recover, request->arena, recovery, err);
    return code == HL_OK
               ? copy_text(&recover.checksum, request->arena, &recovery->sha256, err)
               : code;
}

static enum hl_code recover(struct hl_server *server, struct hl_request *request,
                            struct hl_reply *reply, struct hl_err *err)
{
    const struct hl_deadline deadline = hl_snapshot_patience(request);
    struct recovery recovery = {.max_bytes = server->config->service.max_upload_gb << 30,
                                .deadline = &deadline};
    struct hl_collections_folder folder = {fill_folder, &recovery};
    enum hl_code code = read_body(request, &recovery, err);

    if (recovery.url)
        folder.fill = fill_from_afar;
    if (code == HL_OK)
        code =
            hl_collections_recover(server->collections, &request->params[0], &folder, err);
    if (code != HL_OK)
        return code;
    hl_reply_begin(reply);
    hl_encode_bool(&reply->body, true);
    return hl_reply_end(reply, request, err);
}

enum hl_code hl_snapshots_recover(struct hl_server *server, struct hl_request *request,
                                  struct hl_reply *reply, struct hl_err *err)
{
    return hl_aside_run(recover, server, request, reply, err);
}

/* ---- upload ---- */

struct upload {
    struct hl_text content;
    struct recovery recovery;
};

static enum hl_code write_upload(const char *path, const struct hl_text *content,
                                 struct hl_err *err)
{
    struct hl_replacement *replacement;
    enum hl_code code = hl_replacement_open(path, &replacement, err);

    if (code != HL_OK)
        return code;
    code =
        hl_file_write(hl_replacement_file(replacement), content->text, content->len, err);
    if (code == HL_OK)
        return hl_replacement_commit(replacement, err);
    hl_replacement_abandon(replacement);
    return code;
}

/* What was sent becomes a file in the folder that is filled from it: after an error or a
 * crash it goes with the folder. */
static enum hl_code fill_from_upload(void *self, const char *folder, struct hl_err *err)
{
    struct upload *upload = self;
    char path[PATH_MAX];
    enum hl_code code = hl_snapshot_folder_join(folder, "uploaded.snapshot", path, err);

    if (code == HL_OK)
        code = write_upload(path, &upload->content, err);
    upload->recovery.path = path;
    if (code == HL_OK)
        code = fill_folder(&upload->recovery, folder, err);
    upload->recovery.path = NULL;
    return code == HL_OK ? hl_file_remove(path, err) : code;
}

/* The form as it lies on the disk: mapped, so that no memory is asked for. */
struct form {
    struct hl_file *file;
    void *bytes;
    size_t size;
};

static enum hl_code open_form(struct hl_upload *upload, struct form *form,
                              struct hl_err *err)
{
    enum hl_code code = hl_upload_finish(upload, err);

    if (code == HL_OK && hl_upload_size(upload) == 0)
        return hl_fail(err, HL_WRONG_INPUT, "the body is empty, a form was wanted");
    if (code == HL_OK)
        code = hl_file_open(hl_upload_path(upload), HL_FILE_READ, &form->file, err);
    return code == HL_OK ? hl_file_map(form->file, &form->bytes, &form->size, err) : code;
}

static void close_form(struct form *form)
{
    hl_file_unmap(form->bytes, form->size);
    hl_file_close(form->file);
}

static enum hl_code recover_form(struct hl_server *server, struct hl_request *request,
                                 struct upload *upload, struct hl_err *err)
{
    const struct hl_collections_folder folder = {fill_from_upload, upload};
    struct form form = {0};
    enum hl_code code = open_form(request->upload, &form, err);

    if (code == HL_OK) {
        const struct hl_text body = {form.bytes, form.size};

        code = hl_multipart_find(request->content_type, &body, "snapshot", &upload->content,
                                 err);
    }
    if (code == HL_OK)
        code =
            hl_collections_recover(server->collections, &request->params[0], &folder, err);
    close_form(&form);
    return code;
}

static enum hl_code take_upload(struct hl_server *server, struct hl_request *request,
                                struct hl_reply *reply, struct hl_err *err)
{
    const struct hl_deadline deadline = hl_snapshot_patience(request);
    const char *checksum = hl_request_query(request, "checksum");
    struct upload upload = {.recovery = {.sha256 = checksum, .deadline = &deadline}};
    enum hl_code code =
        hl_recover_check(checksum, hl_request_query(request, "priority"), err);

    if (code == HL_OK)
        code = recover_form(server, request, &upload, err);
    if (code != HL_OK)
        return code;
    hl_reply_begin(reply);
    hl_encode_bool(&reply->body, true);
    return hl_reply_end(reply, request, err);
}

enum hl_code hl_snapshots_upload(struct hl_server *server, struct hl_request *request,
                                 struct hl_reply *reply, struct hl_err *err)
{
    return hl_aside_run(take_upload, server, request, reply, err);
}
