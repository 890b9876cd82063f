/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/err.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const struct {
    int status;
    const char *name;
} codes[HL_N_CODES] = {
#define HL_CODE_ROW(code, status, name) [code] = {status, name},
    HL_CODE_TABLE(HL_CODE_ROW)
#undef HL_CODE_ROW
};

int hl_code_status(enum hl_code code)
{
    assert(code < HL_N_CODES);
    return codes[code].status;
}

const char *hl_code_name(enum hl_code code)
{
    assert(code < HL_N_CODES);
    return codes[code].name;
}

/* A cut in the middle of a character would make the reply that carries it invalid UTF-8. */
static void trim_split_character(char *text, size_t len)
{
    size_t start = len;

    while (start > 0 && ((unsigned char)text[start - 1] & 0xC0U) == 0x80U)
        start--;
    if (start > 0 && ((unsigned char)text[start - 1] & 0xC0U) == 0xC0U)
        text[start - 1] = '\0';
}

__attribute__((format(printf, 2, 0))) static void
write_words(struct hl_err *err, const char *format, va_list args)
{
    int len = vsnprintf(err->msg, sizeof err->msg, format, args);

    if (len < 0)
        err->msg[0] = '\0';
    else if ((size_t)len >= sizeof err->msg)
        trim_split_character(err->msg, sizeof err->msg - 1);
}

void hl_err_set(struct hl_err *err, enum hl_code code, const char *format, ...)
{
    va_list args;

    assert(code != HL_OK);
    err->code = code;
    va_start(args, format);
    write_words(err, format, args);
    va_end(args);
}

__attribute__((format(printf, 2, 0))) static void
put_in_front(struct hl_err *err, const char *format, va_list args)
{
    char before[HL_ERR_MSG_SIZE];
    size_t room, len;

    memcpy(before, err->msg, sizeof before);
    write_words(err, format, args);
    len = strlen(err->msg);
    room = sizeof err->msg - len;
    if ((size_t)snprintf(err->msg + len, room, ": %s", before) >= room)
        trim_split_character(err->msg, sizeof err->msg - 1);
}

void hl_err_set_in(struct hl_err *err, const char *format, ...)
{
    va_list args;

    assert(err->code != HL_OK);
    va_start(args, format);
    put_in_front(err, format, args);
    va_end(args);
}

static enum hl_code code_of_errno(int error)
{
    switch (error) {
    case ENOSPC:
    case EDQUOT:
    case EFBIG:
        return HL_DISK_FULL;
    case ENOMEM:
        return HL_NO_MEMORY;
    default:
        return HL_IO;
    }
}

void hl_err_set_errno(struct hl_err *err, int error, const char *format, ...)
{
    va_list args;
    char reason[128];

    err->code = code_of_errno(error);
    /* GNU strerror_r may answer with a constant of its own instead of filling the buffer.
     */
    snprintf(err->msg, sizeof err->msg, "%s", strerror_r(error, reason, sizeof reason));
    va_start(args, format);
    put_in_front(err, format, args);
    va_end(args);
}
