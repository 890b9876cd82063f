/* SPDX-License-Identifier: Apache-2.0 */
#include "server/reply_head.h"

#include "proto/number.h"

#include <string.h>
#include <strings.h>

enum { LARGEST_HEAD = 64 << 10, LONGEST_REST_S = 3600 };

static enum hl_code fail_garbled(const char *what, struct hl_err *err)
{
    return hl_fail(err, HL_UNAVAILABLE, "what answered is no server of ours: %s", what);
}

/* The value of a header line, or NULL. */
static const char *value_of(const char *line, const char *name)
{
    size_t len = strlen(name);

    if (strncasecmp(line, name, len) != 0 || line[len] != ':')
        return NULL;
    line += len + 1;
    return line + strspn(line, " \t");
}

static enum hl_code read_count(const char *digits, uint64_t *ret_count, struct hl_err *err)
{
    const size_t n = strspn(digits, "0123456789");

    if (n == 0 || !hl_number_u64(digits, n, ret_count))
        return fail_garbled("a header without its number", err);
    return HL_OK;
}

static enum hl_code read_header(const char *line, struct hl_reply_head *head,
                                struct hl_err *err)
{
    const char *value;
    uint64_t count = 0;
    enum hl_code code = HL_OK;

    if ((value = value_of(line, "Content-Length"))) {
        code = read_count(value, &count, err);
        head->body_len = (size_t)count;
    } else if ((value = value_of(line, "Retry-After"))) {
        code = read_count(value, &count, err);
        head->retry_after_s = count < LONGEST_REST_S ? (int)count : LONGEST_REST_S;
    } else if (value_of(line, "Transfer-Encoding")) {
        head->body_len = HL_REPLY_IN_CHUNKS;
    } else if ((value = value_of(line, "Connection"))) {
        head->must_close = strncasecmp(value, "close", 5) == 0;
    }
    return code;
}

enum hl_code hl_reply_head_read(const char *text, size_t len,
                                struct hl_reply_head *ret_head, struct hl_err *err)
{
    const char *end = strstr(text, "\r\n\r\n"), *line;
    struct hl_reply_head head = {0};
    uint64_t status = 0;
    enum hl_code code = HL_OK;

    if (!end && len > LARGEST_HEAD)
        return fail_garbled("its head does not end", err);
    if (!end) {
        *ret_head = head;
        return HL_OK;
    }
    head.len = (size_t)(end - text) + 4;
    if (strncmp(text, "HTTP/1.", 7) != 0 || head.len < 16 ||
        strspn(text + 9, "0123456789") != 3 || !hl_number_u64(text + 9, 3, &status))
        return fail_garbled("it does not begin with a status", err);
    head.status = (int)status;
    for (line = strstr(text, "\r\n"); code == HL_OK && line < end;
         line = strstr(line + 2, "\r\n"))
        code = read_header(line + 2, &head, err);
    if (code == HL_OK)
        *ret_head = head;
    return code;
}
