/* SPDX-License-Identifier: Apache-2.0 */
#include "server/upload.h"

#include "proto/alloc.h"
#include "proto/dir.h"
#include "proto/file.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>

enum { FIRST_BLOCK = 16 << 10 };

struct hl_upload {
    char folder[PATH_MAX];
    char path[PATH_MAX];
    struct hl_file *file;
    bool is_made;
    uint64_t size;
    char *block;
    size_t len, room;
};

enum hl_code hl_upload_new(const char *folder, const char *name,
                           struct hl_upload **ret_upload, struct hl_err *err)
{
    struct hl_upload *upload = hl_alloc_zeroed(1, sizeof *upload);
    int len;

    if (!upload)
        return hl_fail(err, HL_NO_MEMORY, "no memory for an upload");
    len = snprintf(upload->path, sizeof upload->path, "%s/%s", folder, name);
    if (len < 0 || (size_t)len >= sizeof upload->path) {
        hl_free(upload);
        return hl_fail(err, HL_INVALID, "the path of an upload is too long");
    }
    memcpy(upload->folder, folder, strlen(folder) + 1);
    *ret_upload = upload;
    return HL_OK;
}

void hl_upload_free(struct hl_upload *upload)
{
    struct hl_err ignored;

    if (!upload)
        return;
    hl_file_close(upload->file);
    if (upload->is_made)
        (void)hl_file_remove(upload->path, &ignored); /* else the next start does */
    hl_free(upload->block);
    hl_free(upload);
}

static enum hl_code make_room(struct hl_upload *upload, size_t wanted, struct hl_err *err)
{
    size_t room = upload->room ? upload->room : FIRST_BLOCK;
    char *block;

    if (upload->block && wanted <= upload->room)
        return HL_OK;
    while (room < wanted)
        room *= 2;
    block = hl_realloc(upload->block, room);
    if (!block)
        return hl_fail(err, HL_NO_MEMORY, "no memory for a block of an upload");
    upload->block = block;
    upload->room = room;
    return HL_OK;
}

enum hl_code hl_upload_add(struct hl_upload *upload, const void *bytes, size_t n,
                           bool *ret_is_full, struct hl_err *err)
{
    enum hl_code code = make_room(upload, upload->len + n, err);

    if (code != HL_OK)
        return code;
    memcpy(upload->block + upload->len, bytes, n);
    upload->len += n;
    upload->size += n;
    *ret_is_full = upload->len >= HL_UPLOAD_BLOCK;
    return HL_OK;
}

static enum hl_code make_file(struct hl_upload *upload, struct hl_err *err)
{
    enum hl_code code = hl_dir_make(upload->folder, err);

    if (code == HL_OK)
        code = hl_file_open(upload->path, HL_FILE_CREATE, &upload->file, err);
    upload->is_made = code == HL_OK;
    return code;
}

enum hl_code hl_upload_spill(struct hl_upload *upload, struct hl_err *err)
{
    enum hl_code code = upload->is_made ? HL_OK : make_file(upload, err);

    if (code == HL_OK && upload->len > 0)
        code = hl_file_write(upload->file, upload->block, upload->len, err);
    if (code == HL_OK)
        upload->len = 0;
    return code;
}

enum hl_code hl_upload_finish(struct hl_upload *upload, struct hl_err *err)
{
    enum hl_code code;

    if (upload->is_made && !upload->file)
        return HL_OK;
    code = hl_upload_spill(upload, err);
    if (code == HL_OK)
        code = hl_file_sync(upload->file, err);
    if (code != HL_OK)
        return code;
    hl_file_close(upload->file);
    upload->file = NULL;
    hl_free(upload->block);
    upload->block = NULL;
    upload->room = 0;
    return HL_OK;
}

uint64_t hl_upload_size(const struct hl_upload *upload)
{
    return upload->size;
}

const char *hl_upload_path(const struct hl_upload *upload)
{
    return upload->path;
}

enum hl_code hl_upload_sweep(const char *folder, struct hl_err *err)
{
    return hl_dir_remove(folder, err);
}
