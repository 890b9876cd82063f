/* SPDX-License-Identifier: Apache-2.0 */
#include "index/archive_part.h"

#include "proto/alloc.h"
#include "proto/crc.h"
#include "proto/encode.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* Where the fields of a POSIX header are. */
enum {
    NAME_SIZE = 100,
    MODE_AT = 100,
    USER_ID_AT = 108,
    GROUP_ID_AT = 116,
    SIZE_AT = 124,
    TIME_AT = 136,
    SUM_AT = 148,
    KIND_AT = 156,
    MAGIC_AT = 257,
    VERSION_AT = 263,
    USER_AT = 265,
    USER_SIZE = 32,
    NUMBER_SIZE = 12, /* of sizes and times */
    END_BLOCKS = 2
};

/* What eleven octal digits can say; beyond it GNU's binary form. */
static const uint64_t largest_octal = 077777777777;

static void put_number(unsigned char *field, uint64_t value)
{
    if (value <= largest_octal) {
        for (size_t i = NUMBER_SIZE - 1; i-- > 0; value /= 8)
            field[i] = (unsigned char)('0' + value % 8);
        return;
    }
    field[0] = 0x80;
    for (int i = 0; i < 8; i++)
        field[NUMBER_SIZE - 1 - i] = (unsigned char)(value >> (8 * i));
}

void hl_archive_header(const struct hl_archive_file *file, int64_t created_s,
                       unsigned char header[HL_TAR_BLOCK])
{
    char sum[16];
    unsigned total = 0;

    memset(header, 0, HL_TAR_BLOCK);
    snprintf((char *)header, NAME_SIZE, "%s", file->name);
    memcpy(header + MODE_AT, "0000640", 8);
    memcpy(header + USER_ID_AT, "0000000", 8);
    memcpy(header + GROUP_ID_AT, "0000000", 8);
    put_number(header + SIZE_AT, file->size);
    put_number(header + TIME_AT, created_s > 0 ? (uint64_t)created_s : 0);
    header[KIND_AT] = '0';
    memcpy(header + MAGIC_AT, "ustar", 6);
    header[VERSION_AT] = header[VERSION_AT + 1] = '0';
    snprintf((char *)header + USER_AT, USER_SIZE, "crc32c-%08" PRIx32, file->crc);
    memset(header + SUM_AT, ' ', 8);
    for (size_t i = 0; i < HL_TAR_BLOCK; i++)
        total += header[i];
    snprintf(sum, sizeof sum, "%06o", total);
    memcpy(header + SUM_AT, sum, 7);
}

bool hl_archive_name_is_sound(const char *name, size_t len)
{
    size_t n_parts = 1;

    if (len == 0 || len >= NAME_SIZE || name[len - 1] == '/')
        return false;
    for (size_t i = 0; i < len; i++) {
        char c = name[i];
        bool is_first = i == 0 || name[i - 1] == '/';

        if (is_first && (c == '.' || c == '/'))
            return false;
        n_parts += c == '/';
        if (!(c >= 'a' && c <= 'z') && !(c >= 'A' && c <= 'Z') && !(c >= '0' && c <= '9') &&
            !strchr("_.-/", c))
            return false;
        if (c == '\0')
            return false;
    }
    return n_parts <= HL_ARCHIVE_MAX_DEPTH;
}

/* ---- writing ---- */

struct saving {
    const struct hl_archive_head *head;
    const struct hl_deadline *deadline;
    struct hl_archive_file *files;
    size_t n_files;
    struct hl_file *out;
    struct hl_sha256 sha;
    unsigned char *piece;
};

static enum hl_code put(struct saving *saving, const void *bytes, size_t size,
                        struct hl_err *err)
{
    enum hl_code code = hl_file_write(saving->out, bytes, size, err);

    if (code == HL_OK)
        hl_sha256_add(&saving->sha, bytes, size);
    return code;
}

static enum hl_code put_padding(struct saving *saving, uint64_t size, struct hl_err *err)
{
    static const unsigned char zeroes[HL_TAR_BLOCK];
    size_t n = (size_t)(hl_archive_padded(size) - size);

    return n > 0 ? put(saving, zeroes, n, err) : HL_OK;
}

/* The next piece of a file; fewer bytes than that are not there. */
static enum hl_code read_piece(struct saving *saving, const struct hl_archive_input *input,
                               uint64_t at, size_t wanted, struct hl_err *err)
{
    size_t n = 0;
    enum hl_code code = HL_OK;

    if (saving->deadline)
        code = hl_deadline_check(saving->deadline, "the snapshot", err);
    if (code == HL_OK)
        code = hl_file_read_at(input->file, saving->piece, wanted, at, &n, err);
    if (code == HL_OK && n != wanted)
        code = hl_fail(err, HL_IO, "could not read \"%s\": it became shorter",
                       hl_file_path(input->file));
    return code;
}

/* Its size and checksum; also written when `is_put`, and then they must be the same. */
static enum hl_code pass_file(struct saving *saving, const struct hl_archive_input *input,
                              uint64_t size, bool is_put, uint32_t *ret_crc,
                              struct hl_err *err)
{
    uint32_t crc = 0;
    enum hl_code code = HL_OK;

    for (uint64_t at = 0; code == HL_OK && at < size;) {
        size_t n =
            size - at < HL_ARCHIVE_PIECE ? (size_t)(size - at) : (size_t)HL_ARCHIVE_PIECE;

        code = read_piece(saving, input, at, n, err);
        if (code != HL_OK)
            return code;
        crc = hl_crc(crc, saving->piece, n);
        at += n;
        if (is_put)
            code = put(saving, saving->piece, n, err);
    }
    *ret_crc = crc;
    return code;
}

static enum hl_code measure(struct saving *saving, const struct hl_archive_input *inputs,
                            struct hl_err *err)
{
    enum hl_code code = HL_OK;

    for (size_t i = 0; code == HL_OK && i < saving->n_files; i++) {
        struct hl_archive_file *file = &saving->files[i];

        if (!hl_archive_name_is_sound(inputs[i].name, strlen(inputs[i].name)))
            return hl_fail(err, HL_INVALID,
                           "\"%s\" cannot be the name of a file of a snapshot",
                           inputs[i].name);
        file->name = inputs[i].name;
        code = hl_file_size(inputs[i].file, &file->size, err);
        if (code == HL_OK)
            code = pass_file(saving, &inputs[i], file->size, false, &file->crc, err);
    }
    return code;
}

static void print_list(const struct saving *saving, struct hl_buf *buf)
{
    const struct hl_archive_head *head = saving->head;

    hl_buf_print(buf, "{\"format\":%d,\"heirloom\":", HL_ARCHIVE_FORMAT);
    hl_encode_string(buf, head->version);
    hl_buf_add_text(buf, ",\"kind\":");
    hl_encode_string(buf, head->kind);
    hl_buf_print(buf, ",\"created\":%" PRIi64 ",\"config\":", head->created_s);
    if (head->config.len > 0)
        hl_buf_add(buf, head->config.text, head->config.len);
    else
        hl_encode_null(buf);
    hl_buf_add_text(buf, ",\"files\":[");
    for (size_t i = 0; i < saving->n_files; i++)
        hl_buf_print(
            buf, "%s\n{\"name\":\"%s\",\"size\":%" PRIu64 ",\"crc32c\":\"%08" PRIx32 "\"}",
            i > 0 ? "," : "", saving->files[i].name, saving->files[i].size,
            saving->files[i].crc);
    hl_buf_add_text(buf, "\n]}\n");
}

static enum hl_code put_header(struct saving *saving, const struct hl_archive_file *file,
                               struct hl_err *err)
{
    unsigned char header[HL_TAR_BLOCK];

    hl_archive_header(file, saving->head->created_s, header);
    return put(saving, header, sizeof header, err);
}

static enum hl_code put_list(struct saving *saving, struct hl_err *err)
{
    struct hl_archive_file file = {.name = HL_ARCHIVE_LIST};
    struct hl_buf buf;
    enum hl_code code;

    hl_buf_init(&buf, HL_ARCHIVE_MAX_LIST);
    print_list(saving, &buf);
    code = hl_buf_check(&buf, "the list of a snapshot's files", err);
    file.size = buf.len;
    file.crc = hl_crc(0, buf.data, buf.len);
    if (code == HL_OK)
        code = put_header(saving, &file, err);
    if (code == HL_OK)
        code = put(saving, buf.data, buf.len, err);
    if (code == HL_OK)
        code = put_padding(saving, buf.len, err);
    hl_buf_done(&buf);
    return code;
}

static enum hl_code put_file(struct saving *saving, const struct hl_archive_input *input,
                             const struct hl_archive_file *file, struct hl_err *err)
{
    uint32_t crc = 0;
    enum hl_code code = put_header(saving, file, err);

    if (code == HL_OK)
        code = pass_file(saving, input, file->size, true, &crc, err);
    if (code == HL_OK && crc != file->crc)
        return hl_fail(err, HL_IO, "could not save \"%s\": it changed meanwhile",
                       hl_file_path(input->file));
    return code == HL_OK ? put_padding(saving, file->size, err) : code;
}

static enum hl_code put_all(struct saving *saving, const struct hl_archive_input *inputs,
                            struct hl_err *err)
{
    static const unsigned char end[END_BLOCKS * HL_TAR_BLOCK];
    enum hl_code code = measure(saving, inputs, err);

    if (code == HL_OK)
        code = put_list(saving, err);
    for (size_t i = 0; code == HL_OK && i < saving->n_files; i++)
        code = put_file(saving, &inputs[i], &saving->files[i], err);
    return code == HL_OK ? put(saving, end, sizeof end, err) : code;
}

static enum hl_code save_aside(struct saving *saving, const char *path,
                               const struct hl_archive_input *inputs, struct hl_err *err)
{
    struct hl_replacement *replacement;
    enum hl_code code = hl_replacement_open(path, &replacement, err);

    if (code != HL_OK)
        return code;
    saving->out = hl_replacement_file(replacement);
    code = put_all(saving, inputs, err);
    if (code == HL_OK)
        return hl_replacement_commit(replacement, err);
    hl_replacement_abandon(replacement);
    return code;
}

enum hl_code hl_archive_save(const char *path, const struct hl_archive_head *head,
                             const struct hl_archive_inputs *inputs,
                             const struct hl_deadline *deadline,
                             struct hl_archive_sum *ret_sum, struct hl_err *err)
{
    struct saving saving = {.head = head, .deadline = deadline, .n_files = inputs->n};
    enum hl_code code;

    hl_sha256_init(&saving.sha);
    saving.files = hl_alloc_zeroed(inputs->n + 1, sizeof *saving.files);
    saving.piece = hl_alloc(HL_ARCHIVE_PIECE);
    if (saving.files && saving.piece)
        code = save_aside(&saving, path, inputs->items, err);
    else
        code = hl_fail(err, HL_NO_MEMORY, "no memory for a snapshot");
    if (code == HL_OK) {
        ret_sum->size = saving.sha.n_bytes;
        hl_sha256_finish_text(&saving.sha, ret_sum->sha256);
    }
    hl_free(saving.files);
    hl_free(saving.piece);
    return code;
}
