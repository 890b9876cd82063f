/* SPDX-License-Identifier: Apache-2.0 */
#include "server/target.h"

#include "proto/hex.h"
#include "proto/utf8.h"

#include <stdbool.h>
#include <string.h>

/* One escaped byte at `text`, or -1. */
static int escaped_byte(const char *text, size_t left)
{
    int high = left >= 3 ? hl_hex_digit(text[1]) : -1;
    int low = left >= 3 ? hl_hex_digit(text[2]) : -1;

    return high < 0 || low < 0 ? -1 : high * 16 + low;
}

/* Decodes text[0..len) in place and terminates it. The byte behind it is a separator or the
 * end of the whole text, so there is room for the zero. */
static enum hl_code decode_part(char *text, size_t len, bool plus_is_space,
                                struct hl_span *ret_part, struct hl_err *err)
{
    size_t from, to = 0;
    bool is_ascii = true;

    for (from = 0; from < len; from++) {
        unsigned char c = (unsigned char)text[from];

        if (c == '%') {
            int byte = escaped_byte(text + from, len - from);

            if (byte < 0)
                return hl_fail(err, HL_WRONG_INPUT,
                               "Wrong input: a percent sign in the request target is not "
                               "followed by two hexadecimal digits");
            if (byte == 0)
                return hl_fail(err, HL_WRONG_INPUT,
                               "Wrong input: the request target holds a zero byte");
            c = (unsigned char)byte;
            from += 2;
        } else if (c <= ' ' || c == 0x7f) {
            return hl_fail(err, HL_WRONG_INPUT,
                           "Wrong input: the request target holds a control character or a "
                           "space that is not escaped");
        } else if (c == '+' && plus_is_space) {
            c = ' ';
        }
        is_ascii = is_ascii && c < 0x80;
        text[to++] = (char)c;
    }
    text[to] = '\0';
    if (!is_ascii && hl_utf8_valid_len(text, to) != to)
        return hl_fail(err, HL_WRONG_INPUT,
                       "Wrong input: the request target is not valid UTF-8");
    *ret_part = (struct hl_span){text, to};
    return HL_OK;
}

static enum hl_code decode_path(char *text, size_t len, struct hl_target *target,
                                struct hl_err *err)
{
    size_t start = 1; /* behind the first slash */

    if (len == 1)
        return HL_OK;
    while (start <= len) {
        const char *slash = memchr(text + start, '/', len - start);
        size_t end = slash ? (size_t)(slash - text) : len;
        enum hl_code code;

        if (target->n_segments == HL_MAX_SEGMENTS)
            return hl_fail(err, HL_NOT_FOUND,
                           "Not found: no path of this server has more than %d segments",
                           HL_MAX_SEGMENTS);
        code = decode_part(text + start, end - start, false,
                           &target->segments[target->n_segments], err);
        if (code != HL_OK)
            return code;
        target->n_segments++;
        start = end + 1;
    }
    return HL_OK;
}

static size_t count_parts(const char *text, size_t len)
{
    size_t n = 1;

    for (size_t i = 0; i < len; i++)
        n += text[i] == '&';
    return n;
}

static enum hl_code decode_pair(char *text, size_t len, struct hl_target_pair *pair,
                                struct hl_err *err)
{
    char *equals = memchr(text, '=', len);
    size_t name_len = equals ? (size_t)(equals - text) : len;
    enum hl_code code = decode_part(text, name_len, true, &pair->name, err);

    if (code == HL_OK && equals)
        code = decode_part(equals + 1, len - name_len - 1, true, &pair->value, err);
    else
        pair->value = (struct hl_span){"", 0};
    return code;
}

static enum hl_code decode_query(char *text, size_t len, struct hl_arena *arena,
                                 struct hl_target *target, struct hl_err *err)
{
    size_t n = count_parts(text, len);
    struct hl_target_pair *query;
    size_t start = 0;

    if (n > HL_MAX_QUERY)
        return hl_fail(err, HL_WRONG_INPUT,
                       "Wrong input: %zu query parameters, at most %d are read", n,
                       HL_MAX_QUERY);
    query = hl_arena_array(arena, n, sizeof *query);
    if (!query)
        return hl_arena_fail(arena, err, "%zu query parameters", n);
    target->query = query;
    while (start < len) {
        const char *amp = memchr(text + start, '&', len - start);
        size_t end = amp ? (size_t)(amp - text) : len;

        if (end > start) {
            enum hl_code code = decode_pair(text + start, end - start, query, err);

            if (code != HL_OK)
                return code;
            query++;
            target->n_query++;
        }
        start = end + 1;
    }
    return HL_OK;
}

/* Where the path of an absolute target begins: behind "http://authority". */
static size_t skip_authority(const char *text, size_t len)
{
    static const char *const schemes[] = {"http://", "https://"};

    for (size_t i = 0; i < sizeof schemes / sizeof *schemes; i++) {
        size_t n = strlen(schemes[i]);

        if (len > n && memcmp(text, schemes[i], n) == 0) {
            while (n < len && text[n] != '/' && text[n] != '?')
                n++;
            return n;
        }
    }
    return 0;
}

enum hl_code hl_target_decode(char *text, size_t len, struct hl_arena *arena,
                              struct hl_target *ret_target, struct hl_err *err)
{
    struct hl_target target = {0};
    size_t start = skip_authority(text, len);
    char *question = memchr(text + start, '?', len - start);
    size_t path_len = question ? (size_t)(question - text) - start : len - start;
    enum hl_code code = HL_OK;

    if (path_len > 0 && text[start] == '/')
        code = decode_path(text + start, path_len, &target, err);
    else if (!(path_len == 1 && text[start] == '*') && !(path_len == 0 && start > 0))
        code = hl_fail(err, HL_WRONG_INPUT,
                       "Wrong input: the request target does not begin with a slash");
    if (code == HL_OK && question)
        code = decode_query(question + 1, len - start - path_len - 1, arena, &target, err);
    if (code == HL_OK)
        *ret_target = target;
    return code;
}

enum hl_code hl_target_check_name(const struct hl_span *name, const char *what, size_t most,
                                  struct hl_err *err)
{
    static const char fit[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                              "0123456789._-";

    if (name->len > 0 && name->len <= most && name->data[0] != '.' &&
        strspn(name->data, fit) == name->len)
        return HL_OK;
    return hl_fail(err, HL_INVALID,
                   "%s cannot be named \"%.120s\": 1 to %zu letters, digits, '.', '_' and "
                   "'-', no dot in front",
                   what, name->data, most);
}
