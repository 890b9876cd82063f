/* SPDX-License-Identifier: Apache-2.0 */
#include "index/archive_part.h"

#include "index/payload.h"
#include "proto/alloc.h"
#include "proto/crc.h"
#include "proto/dir.h"
#include "proto/hex.h"
#include "proto/number.h"

#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

enum { SIZE_AT = 124, SIZE_DIGITS = 11, END = 2 * HL_TAR_BLOCK };

static enum hl_code refuse(const struct hl_source *source, const char *what,
                           struct hl_err *err)
{
    return hl_fail(err, HL_BAD_FILE, "\"%s\" is no sound snapshot: %s", source->name, what);
}

static enum hl_code refuse_file(const struct hl_source *source, const char *name,
                                const char *what, struct hl_err *err)
{
    return hl_fail(err, HL_BAD_FILE, "\"%s\" is no sound snapshot: \"%s\" in it %s",
                   source->name, name, what);
}

/* ---- the list ---- */

static bool is_kind(const struct hl_value *value, enum hl_token_kind kind)
{
    return value && value->kind == kind;
}

static const struct hl_value *member_of(const struct hl_value *value, const char *name)
{
    return hl_value_member(value, name, strlen(name));
}

/* A copy that ends; NULL when it is no text or holds a zero byte. */
static const char *text_of(const struct hl_value *value, struct hl_arena *arena)
{
    if (!is_kind(value, HL_TOKEN_STRING) || memchr(value->text, '\0', value->len))
        return NULL;
    return hl_arena_copy(arena, value->text, value->len);
}

static bool read_crc(const struct hl_value *value, uint32_t *ret_crc)
{
    uint32_t crc = 0;

    if (!is_kind(value, HL_TOKEN_STRING) || value->len != 8)
        return false;
    for (size_t i = 0; i < value->len; i++) {
        int digit = hl_hex_digit(value->text[i]);

        if (digit < 0)
            return false;
        crc = crc << 4 | (uint32_t)digit;
    }
    *ret_crc = crc;
    return true;
}

static bool read_file(const struct hl_value *value, struct hl_arena *arena,
                      struct hl_archive_file *ret_file)
{
    const struct hl_value *size = member_of(value, "size");

    ret_file->name = text_of(member_of(value, "name"), arena);
    return ret_file->name &&
           hl_archive_name_is_sound(ret_file->name, strlen(ret_file->name)) &&
           is_kind(size, HL_TOKEN_NUMBER) &&
           hl_number_u64(size->text, size->len, &ret_file->size) &&
           ret_file->size <= INT64_MAX &&
           read_crc(member_of(value, "crc32c"), &ret_file->crc);
}

static enum hl_code read_files(const struct hl_source *source, const struct hl_value *list,
                               struct hl_arena *arena, struct hl_archive_head *head,
                               struct hl_err *err)
{
    struct hl_archive_file *files;
    size_t n = 0;

    if (!is_kind(list, HL_TOKEN_ARRAY_BEGIN))
        return refuse(source, "it does not say what is in it", err);
    files = hl_arena_array(arena, list->n_children + 1, sizeof *files);
    if (!files)
        return hl_arena_fail(arena, err, "the list of a snapshot's files");
    for (const struct hl_value *item = list->first; item; item = item->next, n++)
        if (!read_file(item, arena, &files[n]))
            return refuse(source, "its list names a file that cannot be in one", err);
    head->files = files;
    head->n_files = n;
    return HL_OK;
}

static enum hl_code check_format(const struct hl_source *source,
                                 const struct hl_value *root, struct hl_err *err)
{
    const struct hl_value *format = member_of(root, "format");
    uint64_t number = 0;

    if (!is_kind(format, HL_TOKEN_NUMBER) ||
        !hl_number_u64(format->text, format->len, &number) || number == 0)
        return refuse(source, "it does not say which format it has", err);
    if (number > HL_ARCHIVE_FORMAT)
        return hl_fail(err, HL_NEWER_FORMAT,
                       "snapshot \"%s\" has format %" PRIu64
                       ", this heirloom reads up to %d: a later heirloom wrote it",
                       source->name, number, HL_ARCHIVE_FORMAT);
    return HL_OK;
}

static enum hl_code read_list(const struct hl_source *source, const struct hl_text *text,
                              struct hl_arena *arena, struct hl_archive_head *head,
                              struct hl_err *err)
{
    const struct hl_value *root, *created, *config;
    enum hl_code code = hl_payload_parse(text->text, text->len, arena, &root, err);

    if (code == HL_DAMAGED)
        return refuse(source, "its list of files is not JSON", err);
    if (code == HL_OK)
        code = check_format(source, root, err);
    if (code != HL_OK)
        return code;
    head->kind = text_of(member_of(root, "kind"), arena);
    head->version = text_of(member_of(root, "heirloom"), arena);
    created = member_of(root, "created");
    config = member_of(root, "config");
    if (!head->kind || !head->version || !config || !is_kind(created, HL_TOKEN_NUMBER) ||
        !hl_number_i64(created->text, created->len, &head->created_s))
        return refuse(source, "it does not say what it is", err);
    head->config = (struct hl_text){config->source, config->source_len};
    return read_files(source, member_of(root, "files"), arena, head, err);
}

/* ---- the entries ---- */

static enum hl_code check_header(const struct hl_source *source,
                                 const struct hl_archive_file *file, int64_t created_s,
                                 uint64_t at, struct hl_err *err)
{
    unsigned char wanted[HL_TAR_BLOCK], got[HL_TAR_BLOCK];
    enum hl_code code = hl_source_read(source, got, sizeof got, at, err);

    if (code != HL_OK)
        return code;
    hl_archive_header(file, created_s, wanted);
    if (memcmp(got, wanted, sizeof got) != 0)
        return refuse_file(source, file->name, "has another header than its list says",
                           err);
    return HL_OK;
}

/* From `at` to the next block there are zeroes alone. */
static enum hl_code check_zeroes(const struct hl_source *source, const char *name,
                                 uint64_t at, size_t n, struct hl_err *err)
{
    unsigned char bytes[END];
    enum hl_code code = hl_source_read(source, bytes, n, at, err);

    for (size_t i = 0; code == HL_OK && i < n; i++)
        if (bytes[i] != 0)
            return refuse_file(source, name, "has something behind its end", err);
    return code;
}

static enum hl_code check_entries(const struct hl_source *source,
                                  const struct hl_archive_head *head, uint64_t at,
                                  struct hl_err *err)
{
    for (size_t i = 0; i < head->n_files; i++) {
        const struct hl_archive_file *file = &head->files[i];
        enum hl_code code;

        if (source->size - at < HL_TAR_BLOCK + END ||
            source->size - at - HL_TAR_BLOCK - END < hl_archive_padded(file->size))
            return refuse_file(source, file->name, "is not there whole", err);
        code = check_header(source, file, head->created_s, at, err);
        if (code != HL_OK)
            return code;
        at += HL_TAR_BLOCK + hl_archive_padded(file->size);
    }
    if (source->size - at != END)
        return refuse(source, "there is more in it than its list says", err);
    return check_zeroes(source, "the end", at, END, err);
}

/* How long the list is, by the header before it: the one number that is read from one. */
static bool read_list_size(const unsigned char header[HL_TAR_BLOCK], size_t *ret_size)
{
    static const char name[] = HL_ARCHIVE_LIST;
    size_t size = 0;

    if (memcmp(header, name, sizeof name) != 0)
        return false;
    for (size_t i = 0; i < SIZE_DIGITS; i++) {
        unsigned char digit = header[SIZE_AT + i];

        if (digit < '0' || digit > '7' || size > HL_ARCHIVE_MAX_LIST)
            return false;
        size = size * 8 + (size_t)(digit - '0');
    }
    *ret_size = size;
    return size > 0 && size <= HL_ARCHIVE_MAX_LIST;
}

enum hl_code hl_archive_look(const struct hl_source *source, struct hl_arena *arena,
                             struct hl_archive_head *ret_head, struct hl_err *err)
{
    unsigned char header[HL_TAR_BLOCK];
    struct hl_archive_head head = {0};
    struct hl_archive_file list = {.name = HL_ARCHIVE_LIST};
    size_t size = 0;
    char *text;
    enum hl_code code;

    if (source->size < HL_TAR_BLOCK + END)
        return refuse(source, "it is too short", err);
    code = hl_source_read(source, header, sizeof header, 0, err);
    if (code != HL_OK)
        return code;
    if (!read_list_size(header, &size) ||
        source->size - HL_TAR_BLOCK - END < hl_archive_padded(size))
        return refuse(source, "it does not begin with a list of its files", err);
    text = hl_arena_alloc(arena, size);
    if (!text)
        return hl_arena_fail(arena, err, "the list of a snapshot's files");
    code = hl_source_read(source, text, size, HL_TAR_BLOCK, err);
    if (code == HL_OK)
        code = read_list(source, &(struct hl_text){text, size}, arena, &head, err);
    list.size = size;
    list.crc = hl_crc(0, text, size);
    if (code == HL_OK)
        code = check_header(source, &list, head.created_s, 0, err);
    if (code == HL_OK)
        code = check_zeroes(source, list.name, HL_TAR_BLOCK + size,
                            (size_t)hl_archive_padded(size) - size, err);
    if (code == HL_OK)
        code = check_entries(source, &head, HL_TAR_BLOCK + hl_archive_padded(size), err);
    if (code == HL_OK)
        *ret_head = head;
    return code;
}

/* ---- the files ---- */

struct loading {
    const struct hl_source *source;
    const char *folder;
    const struct hl_deadline *deadline;
    unsigned char *piece;
};

/* The folders that the name goes through, each synced into the one above. */
static enum hl_code make_folders(const struct loading *loading, const char *name,
                                 struct hl_err *err)
{
    char path[PATH_MAX];
    enum hl_code code = HL_OK;

    for (const char *slash = strchr(name, '/'); slash && code == HL_OK;
         slash = strchr(slash + 1, '/')) {
        snprintf(path, sizeof path, "%s/%.*s", loading->folder, (int)(slash - name), name);
        code = hl_dir_make(path, err);
        if (code == HL_OK)
            code = hl_dir_sync_above(path, err);
    }
    return code;
}

static enum hl_code copy_file(const struct loading *loading,
                              const struct hl_archive_file *file, uint64_t from,
                              struct hl_file *out, struct hl_err *err)
{
    uint32_t crc = 0;
    enum hl_code code = HL_OK;

    for (uint64_t at = 0; code == HL_OK && at < file->size;) {
        size_t n = file->size - at < HL_ARCHIVE_PIECE ? (size_t)(file->size - at)
                                                      : (size_t)HL_ARCHIVE_PIECE;

        if (loading->deadline)
            code = hl_deadline_check(loading->deadline, "the recovery", err);
        if (code == HL_OK)
            code = hl_source_read(loading->source, loading->piece, n, from + at, err);
        if (code != HL_OK)
            return code;
        crc = hl_crc(crc, loading->piece, n);
        at += n;
        code = hl_file_write(out, loading->piece, n, err);
    }
    if (code == HL_OK && crc != file->crc)
        return refuse_file(loading->source, file->name,
                           "has another checksum than its list says", err);
    return code == HL_OK ? hl_file_sync(out, err) : code;
}

static enum hl_code load_file(const struct loading *loading,
                              const struct hl_archive_file *file, uint64_t from,
                              struct hl_err *err)
{
    char path[PATH_MAX];
    struct hl_file *out = NULL;
    enum hl_code code;

    if (snprintf(path, sizeof path, "%s/%s", loading->folder, file->name) >=
        (int)sizeof path)
        return hl_fail(err, HL_INVALID, "the path of \"%s\" in \"%s\" is too long",
                       file->name, loading->folder);
    code = make_folders(loading, file->name, err);
    if (code == HL_OK)
        code = hl_file_open(path, HL_FILE_CREATE, &out, err);
    if (code == HL_OK)
        code = copy_file(loading, file, from, out, err);
    hl_file_close(out);
    if (code == HL_OK)
        code = check_zeroes(loading->source, file->name, from + file->size,
                            (size_t)(hl_archive_padded(file->size) - file->size), err);
    return code == HL_OK ? hl_dir_sync_above(path, err) : code;
}

enum hl_code hl_archive_load(const struct hl_source *source,
                             const struct hl_archive_head *head, const char *folder,
                             const struct hl_deadline *deadline, struct hl_err *err)
{
    struct loading loading = {.source = source,
                              .folder = folder,
                              .deadline = deadline,
                              .piece = hl_alloc(HL_ARCHIVE_PIECE)};
    uint64_t at = source->size - END;
    enum hl_code code = HL_OK;

    if (!loading.piece)
        return hl_fail(err, HL_NO_MEMORY, "no memory for a snapshot");
    /* The entries end where the archive does: counted from there, the list is not needed.
     */
    for (size_t i = 0; i < head->n_files; i++)
        at -= HL_TAR_BLOCK + hl_archive_padded(head->files[i].size);
    for (size_t i = 0; code == HL_OK && i < head->n_files; i++) {
        code = load_file(&loading, &head->files[i], at + HL_TAR_BLOCK, err);
        at += HL_TAR_BLOCK + hl_archive_padded(head->files[i].size);
    }
    hl_free(loading.piece);
    return code;
}
