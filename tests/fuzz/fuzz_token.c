/* SPDX-License-Identifier: Apache-2.0 */
/* The tokenizer accepts what RFC 8259 does: compared with a plain recursive reader, written
 * from the grammar, that knows nothing of it. */
#include "proto/token.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct text {
    const uint8_t *at;
    const uint8_t *end;
};

static bool take(struct text *text, char c)
{
    if (text->at == text->end || *text->at != (uint8_t)c)
        return false;
    text->at++;
    return true;
}

static void take_space(struct text *text)
{
    while (take(text, ' ') || take(text, '\t') || take(text, '\n') || take(text, '\r'))
        continue;
}

static bool take_digits(struct text *text)
{
    const uint8_t *from = text->at;

    while (text->at < text->end && *text->at >= '0' && *text->at <= '9')
        text->at++;
    return text->at > from;
}

static bool take_number(struct text *text)
{
    (void)take(text, '-');
    if (!take(text, '0') && !take_digits(text))
        return false;
    if (take(text, '.') && !take_digits(text))
        return false;
    if (!take(text, 'e') && !take(text, 'E'))
        return true;
    if (!take(text, '+'))
        (void)take(text, '-');
    return take_digits(text);
}

static int take_hex(struct text *text)
{
    char digits[5] = {0};
    char *end;
    long value;

    for (int i = 0; i < 4; i++) {
        if (text->at == text->end || !strchr("0123456789abcdefABCDEF", *text->at) ||
            *text->at == 0)
            return -1;
        digits[i] = (char)*text->at++;
    }
    value = strtol(digits, &end, 16);
    return (int)value;
}

static bool take_escape(struct text *text)
{
    int high, low;

    if (text->at == text->end)
        return false;
    if (*text->at != 'u')
        return *text->at && strchr("\"\\/bfnrt", *text->at++);
    text->at++;
    high = take_hex(text);
    if (high < 0 || (high >= 0xDC00 && high < 0xE000))
        return false;
    if (high < 0xD800 || high >= 0xE000)
        return true;
    if (!take(text, '\\') || !take(text, 'u'))
        return false;
    low = take_hex(text);
    return low >= 0xDC00 && low < 0xE000;
}

/* By the value it would have: shortest form, no surrogate, not above U+10FFFF. */
static bool take_character(struct text *text)
{
    static const uint32_t least[] = {0, 0x80, 0x800, 0x10000};
    uint32_t value = *text->at++;
    int more = value < 0x80   ? 0
               : value < 0xC0 ? -1
               : value < 0xE0 ? 1
               : value < 0xF0 ? 2
               : value < 0xF8 ? 3
                              : -1;

    if (more < 0 || value < 0x20)
        return false;
    if (more > 0)
        value &= 0x3FU >> more;
    for (int i = 0; i < more; i++) {
        if (text->at == text->end || (*text->at & 0xC0U) != 0x80U)
            return false;
        value = value << 6 | (*text->at++ & 0x3FU);
    }
    return value >= least[more] && value <= 0x10FFFF && (value < 0xD800 || value > 0xDFFF);
}

static bool take_string(struct text *text)
{
    if (!take(text, '"'))
        return false;
    while (!take(text, '"')) {
        if (text->at == text->end)
            return false;
        if (take(text, '\\') ? !take_escape(text) : !take_character(text))
            return false;
    }
    return true;
}

static bool take_value(struct text *text, int depth);

static bool take_inside(struct text *text, char close, int depth)
{
    take_space(text);
    if (take(text, close))
        return true;
    for (;;) {
        take_space(text);
        if (close == '}') {
            if (!take_string(text))
                return false;
            take_space(text);
            if (!take(text, ':'))
                return false;
        }
        if (!take_value(text, depth))
            return false;
        take_space(text);
        if (take(text, close))
            return true;
        if (!take(text, ','))
            return false;
    }
}

static bool take_word(struct text *text, const char *word)
{
    for (; *word; word++)
        if (!take(text, *word))
            return false;
    return true;
}

static bool take_value(struct text *text, int depth)
{
    take_space(text);
    if (text->at == text->end)
        return false;
    if (take(text, '{'))
        return depth < HL_TOKEN_MAX_DEPTH && take_inside(text, '}', depth + 1);
    if (take(text, '['))
        return depth < HL_TOKEN_MAX_DEPTH && take_inside(text, ']', depth + 1);
    switch (*text->at) {
    case '"':
        return take_string(text);
    case 't':
        return take_word(text, "true");
    case 'f':
        return take_word(text, "false");
    case 'n':
        return take_word(text, "null");
    default:
        return take_number(text);
    }
}

static bool is_json(const uint8_t *data, size_t size)
{
    struct text text = {data, data + size};

    if (!take_value(&text, 0))
        return false;
    take_space(&text);
    return text.at == text.end;
}

static void require(bool holds)
{
    if (!holds)
        abort();
}

/* Token by token, every one inside of the text and behind the one before. */
static bool is_tokens(const uint8_t *data, size_t size, struct hl_arena *arena)
{
    struct hl_token token = {0}, peeked;
    struct hl_tokens tokens;
    struct hl_err err;
    size_t last = 0;

    hl_tokens_init(&tokens, (const char *)data, size, arena);
    do {
        if (size % 2 && hl_tokens_peek(&tokens, &peeked, &err) != HL_OK)
            return false;
        if (hl_tokens_next(&tokens, &token, &err) != HL_OK) {
            require(err.code == HL_MALFORMED);
            return false;
        }
        require(token.start >= last && token.start <= size && tokens.at <= size);
        last = token.start;
    } while (token.kind != HL_TOKEN_END);
    require(tokens.depth == 0);
    return true;
}

static bool is_skipped(const uint8_t *data, size_t size)
{
    struct hl_tokens tokens;
    struct hl_err err;
    const char *text;
    size_t len;

    hl_tokens_init(&tokens, (const char *)data, size, NULL);
    if (hl_tokens_span(&tokens, &text, &len, &err) != HL_OK)
        return false;
    require(len > 0 && text >= (const char *)data &&
            text + len <= (const char *)data + size);
    return hl_tokens_finish(&tokens, &err) == HL_OK;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct hl_arena *arena = hl_arena_new((size_t)64 << 20);
    bool wanted = is_json(data, size);

    require(arena);
    require(is_tokens(data, size, arena) == wanted);
    require(is_skipped(data, size) == wanted);
    hl_arena_free(arena);
    return 0;
}
