/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/multipart.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

/* RFC 2046: at most seventy characters of a boundary. */
enum { BOUNDARY = 70, MARK = BOUNDARY + 8 };

static const char type[] = "multipart/form-data";

/* The value of `; NAME=VALUE` or `; NAME="VALUE"` among parameters. */
static bool find_parameter(const char *text, size_t len, const char *name,
                           struct hl_text *ret_value)
{
    const size_t name_len = strlen(name);
    const char *end = text + len;

    for (const char *at = text; (at = memchr(at, ';', (size_t)(end - at))) != NULL;) {
        const char *stop;
        char last = ';';

        for (at++; at < end && (*at == ' ' || *at == '\t');)
            at++;
        if ((size_t)(end - at) <= name_len || strncasecmp(at, name, name_len) != 0 ||
            at[name_len] != '=')
            continue;
        at += name_len + 1;
        if (at < end && *at == '"') {
            at++;
            last = '"';
        }
        stop = memchr(at, last, (size_t)(end - at));
        if (!stop && last == '"')
            return false;
        stop = stop ? stop : end;
        *ret_value = (struct hl_text){at, (size_t)(stop - at)};
        return true;
    }
    return false;
}

/* CR LF and the line that parts the form; what comes first has no CR LF before it. */
static enum hl_code read_mark(const char *content_type, char mark[MARK], struct hl_err *err)
{
    struct hl_text boundary;
    size_t len = strlen(content_type), n = sizeof type - 1;

    if (strncasecmp(content_type, type, n) != 0 ||
        (content_type[n] != ';' && content_type[n] != ' '))
        return hl_fail(err, HL_WRONG_INPUT,
                       "the content type is \"%.100s\", \"%s\" with a boundary was wanted",
                       content_type, type);
    if (!find_parameter(content_type + n, len - n, "boundary", &boundary) ||
        boundary.len == 0 || boundary.len > BOUNDARY)
        return hl_fail(err, HL_WRONG_INPUT,
                       "the content type has no boundary of 1 to %d characters",
                       (int)BOUNDARY);
    snprintf(mark, MARK, "\r\n--%.*s", (int)boundary.len, boundary.text);
    return HL_OK;
}

/* Whether the head of a part says that this is its name. */
static bool is_named(const char *head, size_t len, const char *name)
{
    static const char field[] = "Content-Disposition:";
    const char *end = head + len;

    while (head < end) {
        const char *stop = memmem(head, (size_t)(end - head), "\r\n", 2);
        struct hl_text value;

        stop = stop ? stop : end;
        if ((size_t)(stop - head) > sizeof field - 1 &&
            strncasecmp(head, field, sizeof field - 1) == 0 &&
            find_parameter(head, (size_t)(stop - head), "name", &value))
            return value.len == strlen(name) && memcmp(value.text, name, value.len) == 0;
        head = stop == end ? end : stop + 2;
    }
    return false;
}

static enum hl_code fail_form(struct hl_err *err, const char *what)
{
    return hl_fail(err, HL_WRONG_INPUT, "the form is not one: %s", what);
}

enum hl_code hl_multipart_find(const char *content_type, const struct hl_text *body,
                               const char *name, struct hl_text *ret_content,
                               struct hl_err *err)
{
    char mark[MARK];
    const char *at = body->text, *end = body->text + body->len;
    size_t len;
    enum hl_code code = read_mark(content_type, mark, err);

    if (code != HL_OK)
        return code;
    len = strlen(mark);
    if (body->len >= len - 2 && memcmp(at, mark + 2, len - 2) == 0)
        at += len - 2;
    else if ((at = memmem(at, body->len, mark, len)) != NULL)
        at += len; /* behind words for whom forms are new */
    else
        return fail_form(err, "its boundary is not in it");
    while (end - at >= 2 && memcmp(at, "--", 2) != 0) {
        const char *line = memmem(at, (size_t)(end - at), "\r\n", 2);
        const char *head = line ? memmem(line, (size_t)(end - line), "\r\n\r\n", 4) : NULL;
        const char *stop =
            head ? memmem(head + 2, (size_t)(end - head - 2), mark, len) : NULL;

        if (!stop)
            return fail_form(err, "a part does not end");
        if (is_named(line + 2, head > line ? (size_t)(head - line - 2) : 0, name)) {
            const char *from = head + 4;

            *ret_content = (struct hl_text){from, stop > from ? (size_t)(stop - from) : 0};
            return HL_OK;
        }
        at = stop + len;
    }
    return hl_fail(err, HL_WRONG_INPUT, "the form has no part \"%s\"", name);
}
