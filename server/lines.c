/* SPDX-License-Identifier: Apache-2.0 */
#include "server/lines.h"

#include "proto/alloc.h"
#include "proto/file.h"

#include <string.h>

enum { READ_AT_ONCE = 256 << 10 };

struct hl_lines {
    struct hl_file *file;
    struct hl_buf held; /* read and not given yet begins at `at` */
    size_t at;
    uint64_t offset; /* of the file's next byte */
    uint64_t number;
    bool is_at_end;
};

enum hl_code hl_lines_open(const char *path, struct hl_lines **ret_lines,
                           struct hl_err *err)
{
    struct hl_lines *lines = hl_alloc_zeroed(1, sizeof *lines);
    enum hl_code code;

    if (!lines)
        return hl_fail(err, HL_NO_MEMORY, "no memory to read \"%s\"", path);
    hl_buf_init(&lines->held, (size_t)HL_LINE_MAX + READ_AT_ONCE);
    code = hl_file_open(path, HL_FILE_READ, &lines->file, err);
    if (code != HL_OK) {
        hl_lines_close(lines);
        return code;
    }
    *ret_lines = lines;
    return HL_OK;
}

void hl_lines_close(struct hl_lines *lines)
{
    if (!lines)
        return;
    hl_file_close(lines->file);
    hl_buf_done(&lines->held);
    hl_free(lines);
}

uint64_t hl_lines_number(const struct hl_lines *lines)
{
    return lines->number;
}

const char *hl_lines_path(const struct hl_lines *lines)
{
    return hl_file_path(lines->file);
}

/* More of the file behind what is held, which moves to the front first. */
static enum hl_code read_more(struct hl_lines *lines, struct hl_err *err)
{
    size_t left = lines->held.len - lines->at, got = 0;
    char *room;
    enum hl_code code;

    if (left >= HL_LINE_MAX)
        return hl_fail(err, HL_BAD_FILE, "\"%s\": line %llu has more than %d bytes",
                       hl_lines_path(lines), (unsigned long long)lines->number + 1,
                       HL_LINE_MAX);
    memmove(lines->held.data, lines->held.data + lines->at, left);
    lines->held.len = left;
    lines->at = 0;
    room = hl_buf_reserve(&lines->held, READ_AT_ONCE);
    if (!room)
        return hl_buf_check(&lines->held, "a line", err);
    code = hl_file_read_at(lines->file, room, READ_AT_ONCE, lines->offset, &got, err);
    if (code != HL_OK)
        return code;
    lines->held.len += got;
    lines->offset += got;
    lines->is_at_end = got == 0;
    return HL_OK;
}

static bool is_blank(const char *text, size_t len)
{
    while (len > 0 && strchr(" \t\r", text[len - 1]) && text[len - 1] != '\0')
        len--;
    return len == 0;
}

enum hl_code hl_lines_next(struct hl_lines *lines, struct hl_span *ret_line, bool *ret_has,
                           struct hl_err *err)
{
    size_t looked = 0;

    for (;;) {
        const char *begin = lines->held.data + lines->at;
        size_t held = lines->held.len - lines->at, len;
        const char *end = memchr(begin + looked, '\n', held - looked);
        enum hl_code code;

        if (!end && !lines->is_at_end) {
            looked = held;
            code = read_more(lines, err);
            if (code != HL_OK)
                return code;
            continue;
        }
        if (!end && held == 0) {
            *ret_has = false;
            return HL_OK;
        }
        len = end ? (size_t)(end - begin) : held;
        lines->at += len + (end ? 1 : 0);
        lines->number++;
        looked = 0;
        if (is_blank(begin, len))
            continue;
        *ret_line = (struct hl_span){begin, len};
        *ret_has = true;
        return HL_OK;
    }
}
