/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/buf.h"

#include "proto/alloc.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

enum { FIRST_SIZE = 256 };

/* What an empty buffer points at. Nobody writes to it: `size` is 0, so every addition
 * grows. */
static char nothing[1];

void hl_buf_init(struct hl_buf *buf, size_t ceiling)
{
    /* Below this no sum of a length and the final zero byte can wrap. */
    if (ceiling >= PTRDIFF_MAX)
        ceiling = PTRDIFF_MAX - 1;
    *buf = (struct hl_buf){.data = nothing, .ceiling = ceiling};
}

void hl_buf_done(struct hl_buf *buf)
{
    if (buf->data != nothing)
        hl_free(buf->data);
    hl_buf_init(buf, buf->ceiling);
}

void hl_buf_clear(struct hl_buf *buf, size_t keep)
{
    if (buf->size > keep) {
        hl_buf_done(buf);
        return;
    }
    buf->len = 0;
    buf->failed = HL_OK;
    if (buf->size > 0)
        buf->data[0] = '\0';
}

/* To twice the size at least, or adding byte by byte would copy all of it for each. */
static bool grow(struct hl_buf *buf, size_t wanted)
{
    size_t size = buf->size < FIRST_SIZE / 2 ? FIRST_SIZE : buf->size * 2;
    char *data;

    if (size < wanted)
        size = wanted;
    if (size > buf->ceiling + 1)
        size = buf->ceiling + 1;
    data = hl_realloc(buf->data == nothing ? NULL : buf->data, size);
    if (!data) {
        buf->failed = HL_NO_MEMORY;
        return false;
    }
    buf->data = data;
    buf->size = size;
    buf->data[buf->len] = '\0';
    return true;
}

char *hl_buf_reserve(struct hl_buf *buf, size_t bytes)
{
    if (buf->failed != HL_OK)
        return NULL;
    if (bytes > buf->ceiling || buf->len > buf->ceiling - bytes) {
        buf->failed = HL_TOO_LARGE;
        return NULL;
    }
    if (buf->len + bytes + 1 > buf->size && !grow(buf, buf->len + bytes + 1))
        return NULL;
    return buf->data + buf->len;
}

void hl_buf_add(struct hl_buf *buf, const void *bytes, size_t n)
{
    /* Most of what a reply is made of are a few bytes that fit. */
    char *at = n < buf->size - buf->len && buf->failed == HL_OK ? buf->data + buf->len
                                                                : hl_buf_reserve(buf, n);

    if (!at)
        return;
    if (n)
        memcpy(at, bytes, n);
    at[n] = '\0';
    buf->len += n;
}

void hl_buf_add_text(struct hl_buf *buf, const char *text)
{
    hl_buf_add(buf, text, strlen(text));
}

void hl_buf_add_char(struct hl_buf *buf, char c)
{
    hl_buf_add(buf, &c, 1);
}

void hl_buf_print(struct hl_buf *buf, const char *format, ...)
{
    va_list args;
    char *at;
    int len;

    va_start(args, format);
    len = vsnprintf(NULL, 0, format, args);
    va_end(args);
    /* Only a text beyond INT_MAX cannot be printed: too large as well. */
    if (len < 0 && buf->failed == HL_OK)
        buf->failed = HL_TOO_LARGE;
    at = len < 0 ? NULL : hl_buf_reserve(buf, (size_t)len);
    if (!at)
        return;
    va_start(args, format);
    vsnprintf(at, (size_t)len + 1, format, args);
    va_end(args);
    buf->len += (size_t)len;
}

enum hl_code hl_buf_check(const struct hl_buf *buf, const char *what, struct hl_err *err)
{
    if (buf->failed == HL_TOO_LARGE)
        return hl_fail(err, HL_TOO_LARGE, "could not hold %s: more than %zu bytes", what,
                       buf->ceiling);
    if (buf->failed != HL_OK)
        return hl_fail(err, buf->failed, "no memory for %s", what);
    return HL_OK;
}

char *hl_buf_take(struct hl_buf *buf, size_t *ret_len)
{
    char *data;

    if (buf->failed == HL_OK && buf->data == nothing)
        (void)hl_buf_reserve(buf, 0);
    if (buf->failed != HL_OK)
        return NULL;
    data = buf->data;
    *ret_len = buf->len;
    hl_buf_init(buf, buf->ceiling);
    return data;
}
