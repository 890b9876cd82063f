/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/npy_header.h"

#include <string.h>

enum { MAX_DIMS = 32, HAS_DESCR = 1, HAS_ORDER = 2, HAS_SHAPE = 4, HAS_ALL = 7 };

struct cursor {
    const char *text;
    size_t len, at;
};

static enum hl_code fail_wanting(const struct cursor *cursor, const char *wanted,
                                 struct hl_err *err)
{
    return hl_fail(err, HL_BAD_FILE, "byte %zu of the header is not %s", cursor->at,
                   wanted);
}

static void skip_spaces(struct cursor *cursor)
{
    while (cursor->at < cursor->len && cursor->text[cursor->at] == ' ')
        cursor->at++;
}

/* Takes that character, and the spaces before it, if it is there. */
static bool take(struct cursor *cursor, char c)
{
    skip_spaces(cursor);
    if (cursor->at == cursor->len || cursor->text[cursor->at] != c)
        return false;
    cursor->at++;
    return true;
}

static bool take_word(struct cursor *cursor, const char *word)
{
    size_t len = strlen(word);

    skip_spaces(cursor);
    if (cursor->len - cursor->at < len || memcmp(cursor->text + cursor->at, word, len) != 0)
        return false;
    cursor->at += len;
    return true;
}

/* A quoted text of plain characters; it stays where it is. */
static enum hl_code take_string(struct cursor *cursor, const char **ret_text,
                                size_t *ret_len, struct hl_err *err)
{
    size_t start;
    char quote = '\0';

    skip_spaces(cursor);
    if (cursor->at < cursor->len)
        quote = cursor->text[cursor->at];
    if (quote != '\'' && quote != '"')
        return fail_wanting(cursor, "a quoted text", err);
    start = ++cursor->at;
    while (cursor->at < cursor->len && cursor->text[cursor->at] != quote) {
        unsigned char c = (unsigned char)cursor->text[cursor->at];

        if (c < ' ' || c > '~' || c == '\\')
            return fail_wanting(cursor, "a plain character", err);
        cursor->at++;
    }
    if (cursor->at == cursor->len)
        return fail_wanting(cursor, "the end of a quoted text", err);
    *ret_text = cursor->text + start;
    *ret_len = cursor->at++ - start;
    return HL_OK;
}

static const struct {
    char text[3];
    enum hl_dtype type;
} kinds[] = {
    {"f2", HL_DTYPE_F16}, {"f4", HL_DTYPE_F32}, {"f8", HL_DTYPE_F64}, {"i1", HL_DTYPE_I8},
    {"i2", HL_DTYPE_I16}, {"i4", HL_DTYPE_I32}, {"i8", HL_DTYPE_I64}, {"u1", HL_DTYPE_U8},
    {"u2", HL_DTYPE_U16}, {"u4", HL_DTYPE_U32}, {"u8", HL_DTYPE_U64},
};

/* '<' and '>' say the byte order, '=' means that of whoever reads, '|' that there is none,
 * which is true of single bytes only. */
static bool is_order(char order, size_t size)
{
    return order == '<' || order == '>' || order == '=' || (order == '|' && size == 1);
}

static enum hl_code take_descr(struct cursor *cursor, struct hl_npy *npy,
                               struct hl_err *err)
{
    const char *text;
    size_t len;
    enum hl_code code = take_string(cursor, &text, &len, err);

    if (code != HL_OK)
        return code;
    for (size_t i = 0; len == 3 && i < sizeof kinds / sizeof *kinds; i++) {
        if (memcmp(text + 1, kinds[i].text, 2) != 0 ||
            !is_order(text[0], hl_dtype_size(kinds[i].type)))
            continue;
        npy->numbers.type = kinds[i].type;
        npy->numbers.is_big_endian = text[0] == '>';
        return HL_OK;
    }
    return hl_fail(err, HL_BAD_FILE,
                   "cannot read numbers of type \"%.*s\", only f2 f4 f8 i1 i2 i4 i8 u1 u2 "
                   "u4 u8 with their byte order in front",
                   (int)(len < 40 ? len : 40), text);
}

static enum hl_code take_number(struct cursor *cursor, uint64_t *ret_value,
                                struct hl_err *err)
{
    uint64_t value = 0;
    size_t start;

    skip_spaces(cursor);
    for (start = cursor->at; cursor->at < cursor->len; cursor->at++) {
        char c = cursor->text[cursor->at];

        if (c < '0' || c > '9')
            break;
        if (__builtin_mul_overflow(value, 10U, &value) ||
            __builtin_add_overflow(value, (uint64_t)(c - '0'), &value))
            return fail_wanting(cursor, "part of a 64-bit size", err);
    }
    /* Python refuses 03 too. */
    if (cursor->at == start || (cursor->text[start] == '0' && cursor->at > start + 1)) {
        cursor->at = start;
        return fail_wanting(cursor, "a size", err);
    }
    *ret_value = value;
    return HL_OK;
}

static enum hl_code set_shape(struct hl_npy *npy, const uint64_t dims[2], unsigned n_dims,
                              struct hl_err *err)
{
    if (n_dims != 1 && n_dims != 2)
        return hl_fail(err, HL_BAD_FILE,
                       "cannot read an array of %u dimensions, only of 1 or 2", n_dims);
    if (n_dims == 2 && dims[1] == 0)
        return hl_fail(err, HL_BAD_FILE, "cannot read rows of 0 numbers");
    npy->n_rows = dims[0];
    npy->dim = n_dims == 2 ? (size_t)dims[1] : 1;
    npy->is_flat = n_dims == 1;
    return HL_OK;
}

static enum hl_code take_shape(struct cursor *cursor, struct hl_npy *npy,
                               struct hl_err *err)
{
    uint64_t dims[2] = {0};
    unsigned n_dims = 0;
    bool has_comma = true;

    if (!take(cursor, '('))
        return fail_wanting(cursor, "\"(\"", err);
    while (!take(cursor, ')')) {
        uint64_t value;
        enum hl_code code;

        if (!has_comma || n_dims == MAX_DIMS)
            return fail_wanting(cursor, "\")\"", err);
        code = take_number(cursor, &value, err);
        if (code != HL_OK)
            return code;
        if (n_dims < 2)
            dims[n_dims] = value;
        n_dims++;
        has_comma = take(cursor, ',');
    }
    /* (3) is a number in brackets, (3,) a tuple of one. */
    if (n_dims == 1 && !has_comma)
        return fail_wanting(cursor, "behind a tuple", err);
    return set_shape(npy, dims, n_dims, err);
}

static enum hl_code take_order(struct cursor *cursor, struct hl_npy *npy,
                               struct hl_err *err)
{
    npy->is_fortran = take_word(cursor, "True");
    if (!npy->is_fortran && !take_word(cursor, "False"))
        return fail_wanting(cursor, "True or False", err);
    return HL_OK;
}

static const struct {
    const char *key;
    unsigned bit;
    enum hl_code (*take)(struct cursor *, struct hl_npy *, struct hl_err *);
} fields[] = {
    {"descr", HAS_DESCR, take_descr},
    {"fortran_order", HAS_ORDER, take_order},
    {"shape", HAS_SHAPE, take_shape},
};

static enum hl_code take_field(struct cursor *cursor, unsigned *seen, struct hl_npy *npy,
                               struct hl_err *err)
{
    const char *key;
    size_t len, start = cursor->at;
    enum hl_code code = take_string(cursor, &key, &len, err);

    if (code != HL_OK)
        return code;
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++) {
        if (strlen(fields[i].key) != len || memcmp(fields[i].key, key, len) != 0)
            continue;
        if (*seen & fields[i].bit)
            return hl_fail(err, HL_BAD_FILE, "the header says \"%s\" twice", fields[i].key);
        *seen |= fields[i].bit;
        if (!take(cursor, ':'))
            return fail_wanting(cursor, "\":\"", err);
        return fields[i].take(cursor, npy, err);
    }
    cursor->at = start;
    return fail_wanting(cursor, "\"descr\", \"fortran_order\" or \"shape\"", err);
}

enum hl_code hl_npy_header_parse(const char *text, size_t len, struct hl_npy *npy,
                                 struct hl_err *err)
{
    struct cursor cursor = {.text = text, .len = len};
    bool has_comma = true;
    unsigned seen = 0;

    if (!take(&cursor, '{'))
        return fail_wanting(&cursor, "\"{\"", err);
    while (!take(&cursor, '}')) {
        enum hl_code code;

        if (!has_comma)
            return fail_wanting(&cursor, "\"}\"", err);
        code = take_field(&cursor, &seen, npy, err);
        if (code != HL_OK)
            return code;
        has_comma = take(&cursor, ',');
    }
    if (seen != HAS_ALL)
        return hl_fail(err, HL_BAD_FILE, "the header has no \"%s\"",
                       !(seen & HAS_DESCR)   ? "descr"
                       : !(seen & HAS_ORDER) ? "fortran_order"
                                             : "shape");
    if (!take(&cursor, '\n') || cursor.at != len)
        return fail_wanting(&cursor, "the end of the only line", err);
    return HL_OK;
}
