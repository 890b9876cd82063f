/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/token.h"

#include "proto/quoted.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

/* What may come next. */
enum {
    EXPECT_VALUE,        /* at the start, behind a colon, behind a comma in an array */
    EXPECT_FIRST_ITEM,   /* a value or "]" */
    EXPECT_FIRST_MEMBER, /* a key or "}" */
    EXPECT_MEMBER,       /* a key, behind a comma in an object */
    EXPECT_MORE,         /* a comma or the end of what is open */
    EXPECT_END
};

void hl_tokens_init(struct hl_tokens *tokens, const char *text, size_t len,
                    struct hl_arena *arena)
{
    *tokens = (struct hl_tokens){.what = "JSON body",
                                 .code = HL_MALFORMED,
                                 .text = text,
                                 .len = len,
                                 .arena = arena,
                                 .max_depth = HL_TOKEN_MAX_DEPTH,
                                 .expect = EXPECT_VALUE};
}

static enum hl_code refuse(const struct hl_tokens *tokens, size_t at, const char *sentence,
                           struct hl_err *err)
{
    size_t line = 1, line_start = 0;

    for (size_t i = 0; i < at; i++) {
        if (tokens->text[i] != '\n')
            continue;
        line++;
        line_start = i + 1;
    }
    return hl_fail(err, tokens->code,
                   "Format error in %s: %s at line %zu column %zu (byte %zu)", tokens->what,
                   sentence, line, at - line_start + 1, at);
}

/* "expected WANTED, got what is there". */
static enum hl_code refuse_char(const struct hl_tokens *tokens, size_t at,
                                const char *wanted, struct hl_err *err)
{
    unsigned char c = at < tokens->len ? (unsigned char)tokens->text[at] : 0;
    char sentence[96];

    if (at >= tokens->len)
        snprintf(sentence, sizeof sentence, "expected %s, got the end", wanted);
    else if (c == '"')
        snprintf(sentence, sizeof sentence, "expected %s, got a quote", wanted);
    else if (c > 0x20U && c < 0x7FU)
        snprintf(sentence, sizeof sentence, "expected %s, got \"%c\"", wanted, c);
    else
        snprintf(sentence, sizeof sentence, "expected %s, got byte 0x%02x", wanted,
                 (unsigned)c);
    return refuse(tokens, at, sentence, err);
}

static void skip_space(struct hl_tokens *tokens)
{
    while (tokens->at < tokens->len) {
        char c = tokens->text[tokens->at];

        if (c != ' ' && c != '\n' && c != '\t' && c != '\r')
            break;
        tokens->at++;
    }
}

static bool is_next(const struct hl_tokens *tokens, char c)
{
    return tokens->at < tokens->len && tokens->text[tokens->at] == c;
}

static bool is_in_object(const struct hl_tokens *tokens)
{
    unsigned top = tokens->depth - 1;

    return (tokens->is_object[top / 64] >> (top % 64)) & 1U;
}

static void expect_after_value(struct hl_tokens *tokens)
{
    tokens->expect = tokens->depth ? EXPECT_MORE : EXPECT_END;
}

static enum hl_code open_container(struct hl_tokens *tokens, bool is_object,
                                   struct hl_token *ret_token, struct hl_err *err)
{
    unsigned top = tokens->depth;
    uint64_t bit = UINT64_C(1) << (top % 64);

    if (top >= tokens->max_depth)
        return refuse(tokens, tokens->at, "nested too deeply", err);
    if (is_object)
        tokens->is_object[top / 64] |= bit;
    else
        tokens->is_object[top / 64] &= ~bit;
    tokens->depth++;
    tokens->expect = is_object ? EXPECT_FIRST_MEMBER : EXPECT_FIRST_ITEM;
    *ret_token = (struct hl_token){is_object ? HL_TOKEN_OBJECT_BEGIN : HL_TOKEN_ARRAY_BEGIN,
                                   tokens->text + tokens->at, 1, tokens->at};
    tokens->at++;
    return HL_OK;
}

static enum hl_code close_container(struct hl_tokens *tokens, struct hl_token *ret_token)
{
    *ret_token =
        (struct hl_token){is_in_object(tokens) ? HL_TOKEN_OBJECT_END : HL_TOKEN_ARRAY_END,
                          tokens->text + tokens->at, 1, tokens->at};
    tokens->depth--;
    tokens->at++;
    expect_after_value(tokens);
    return HL_OK;
}

/* A resolved string is never longer than its source, so the source's length is room enough.
 */
static enum hl_code resolve_escapes(const struct hl_tokens *tokens, struct hl_token *string,
                                    struct hl_err *err)
{
    char *text = hl_arena_alloc(tokens->arena, string->len);

    if (!text)
        return hl_arena_fail(tokens->arena, err, "a string of %zu bytes", string->len);
    string->len = hl_quoted_resolve(string->text, string->len, text);
    string->text = text;
    return HL_OK;
}

/* Strings that are passed over are checked but not resolved. */
static enum hl_code take_string(struct hl_tokens *tokens, bool resolve,
                                struct hl_token *ret_token, struct hl_err *err)
{
    size_t from = tokens->at + 1, end;
    bool has_escapes;
    const char *fault =
        hl_quoted_scan(tokens->text + from, tokens->len - from, &end, &has_escapes);
    struct hl_token token = {HL_TOKEN_STRING, tokens->text + from, end, tokens->at};
    enum hl_code code;

    end += from;
    if (fault)
        return refuse(tokens, end, fault, err);
    if (has_escapes && resolve) {
        code = resolve_escapes(tokens, &token, err);
        if (code != HL_OK)
            return code;
    }
    tokens->at = end + 1;
    expect_after_value(tokens);
    *ret_token = token;
    return HL_OK;
}

static enum hl_code take_key(struct hl_tokens *tokens, bool resolve,
                             struct hl_token *ret_token, struct hl_err *err)
{
    struct hl_token token;
    enum hl_code code;

    if (!is_next(tokens, '"'))
        return refuse_char(tokens, tokens->at,
                           tokens->expect == EXPECT_MEMBER ? "a key" : "a key or \"}\"",
                           err);
    code = take_string(tokens, resolve, &token, err);
    if (code != HL_OK)
        return code;
    skip_space(tokens);
    if (!is_next(tokens, ':'))
        return refuse_char(tokens, tokens->at, "\":\"", err);
    tokens->at++;
    tokens->expect = EXPECT_VALUE;
    token.kind = HL_TOKEN_KEY;
    *ret_token = token;
    return HL_OK;
}

static size_t pass_digits(const struct hl_tokens *tokens, size_t at)
{
    while (at < tokens->len && tokens->text[at] >= '0' && tokens->text[at] <= '9')
        at++;
    return at;
}

static bool is_one_of(const struct hl_tokens *tokens, size_t at, const char *chars)
{
    return at < tokens->len && tokens->text[at] && strchr(chars, tokens->text[at]);
}

static enum hl_code take_number(struct hl_tokens *tokens, struct hl_token *ret_token,
                                struct hl_err *err)
{
    size_t from = tokens->at, at = from, end;

    if (is_one_of(tokens, at, "-"))
        at++;
    end = is_one_of(tokens, at, "0") ? at + 1 : pass_digits(tokens, at);
    if (end == at)
        return refuse_char(tokens, at, "a digit", err);
    if (is_one_of(tokens, end, ".")) {
        at = end + 1;
        end = pass_digits(tokens, at);
        if (end == at)
            return refuse_char(tokens, at, "a digit", err);
    }
    if (is_one_of(tokens, end, "eE")) {
        at = end + 1;
        if (is_one_of(tokens, at, "+-"))
            at++;
        end = pass_digits(tokens, at);
        if (end == at)
            return refuse_char(tokens, at, "a digit", err);
    }
    *ret_token = (struct hl_token){HL_TOKEN_NUMBER, tokens->text + from, end - from, from};
    tokens->at = end;
    expect_after_value(tokens);
    return HL_OK;
}

static enum hl_code take_word(struct hl_tokens *tokens, enum hl_token_kind kind,
                              struct hl_token *ret_token, struct hl_err *err)
{
    const char *word = kind == HL_TOKEN_TRUE    ? "true"
                       : kind == HL_TOKEN_FALSE ? "false"
                                                : "null";
    size_t len = strlen(word);

    if (tokens->len - tokens->at < len || memcmp(tokens->text + tokens->at, word, len) != 0)
        return refuse_char(tokens, tokens->at, "a value", err);
    *ret_token = (struct hl_token){kind, tokens->text + tokens->at, len, tokens->at};
    tokens->at += len;
    expect_after_value(tokens);
    return HL_OK;
}

static enum hl_code take_value(struct hl_tokens *tokens, bool resolve,
                               struct hl_token *ret_token, struct hl_err *err)
{
    char c = 0;

    if (tokens->at < tokens->len)
        c = tokens->text[tokens->at];
    switch (c) {
    case '{':
        return open_container(tokens, true, ret_token, err);
    case '[':
        return open_container(tokens, false, ret_token, err);
    case '"':
        return take_string(tokens, resolve, ret_token, err);
    case 't':
        return take_word(tokens, HL_TOKEN_TRUE, ret_token, err);
    case 'f':
        return take_word(tokens, HL_TOKEN_FALSE, ret_token, err);
    case 'n':
        return take_word(tokens, HL_TOKEN_NULL, ret_token, err);
    default:
        if (c == '-' || (c >= '0' && c <= '9'))
            return take_number(tokens, ret_token, err);
        return refuse_char(
            tokens, tokens->at,
            tokens->expect == EXPECT_FIRST_ITEM ? "a value or \"]\"" : "a value", err);
    }
}

static enum hl_code take_after_comma(struct hl_tokens *tokens, bool resolve,
                                     struct hl_token *ret_token, struct hl_err *err)
{
    bool in_object = is_in_object(tokens);

    if (is_next(tokens, in_object ? '}' : ']'))
        return close_container(tokens, ret_token);
    if (!is_next(tokens, ','))
        return refuse_char(tokens, tokens->at,
                           in_object ? "\",\" or \"}\"" : "\",\" or \"]\"", err);
    tokens->at++;
    skip_space(tokens);
    tokens->expect = in_object ? EXPECT_MEMBER : EXPECT_VALUE;
    return in_object ? take_key(tokens, resolve, ret_token, err)
                     : take_value(tokens, resolve, ret_token, err);
}

static enum hl_code take(struct hl_tokens *tokens, bool resolve, struct hl_token *ret_token,
                         struct hl_err *err)
{
    skip_space(tokens);
    switch (tokens->expect) {
    case EXPECT_FIRST_ITEM:
        if (is_next(tokens, ']'))
            return close_container(tokens, ret_token);
        return take_value(tokens, resolve, ret_token, err);
    case EXPECT_FIRST_MEMBER:
        if (is_next(tokens, '}'))
            return close_container(tokens, ret_token);
        return take_key(tokens, resolve, ret_token, err);
    case EXPECT_MEMBER:
        return take_key(tokens, resolve, ret_token, err);
    case EXPECT_MORE:
        return take_after_comma(tokens, resolve, ret_token, err);
    case EXPECT_END:
        if (tokens->at < tokens->len)
            return refuse_char(tokens, tokens->at, "nothing more", err);
        *ret_token =
            (struct hl_token){HL_TOKEN_END, tokens->text + tokens->at, 0, tokens->at};
        return HL_OK;
    default:
        return take_value(tokens, resolve, ret_token, err);
    }
}

static enum hl_code next_token(struct hl_tokens *tokens, bool resolve,
                               struct hl_token *ret_token, struct hl_err *err)
{
    if (!tokens->has_ahead)
        return take(tokens, resolve, ret_token, err);
    *ret_token = tokens->ahead;
    tokens->has_ahead = false;
    return HL_OK;
}

enum hl_code hl_tokens_next(struct hl_tokens *tokens, struct hl_token *ret_token,
                            struct hl_err *err)
{
    return next_token(tokens, true, ret_token, err);
}

enum hl_code hl_tokens_peek(struct hl_tokens *tokens, struct hl_token *ret_token,
                            struct hl_err *err)
{
    enum hl_code code = HL_OK;

    if (!tokens->has_ahead)
        code = take(tokens, true, &tokens->ahead, err);
    if (code != HL_OK)
        return code;
    tokens->has_ahead = true;
    *ret_token = tokens->ahead;
    return HL_OK;
}

static bool is_value(enum hl_token_kind kind)
{
    return kind != HL_TOKEN_END && kind != HL_TOKEN_OBJECT_END &&
           kind != HL_TOKEN_ARRAY_END && kind != HL_TOKEN_KEY;
}

bool hl_tokens_is_value_due(const struct hl_tokens *tokens)
{
    return tokens->has_ahead ? is_value(tokens->ahead.kind)
                             : tokens->expect == EXPECT_VALUE;
}

enum hl_code hl_tokens_span(struct hl_tokens *tokens, const char **ret_text,
                            size_t *ret_len, struct hl_err *err)
{
    struct hl_token token = {0};
    enum hl_code code = next_token(tokens, false, &token, err);
    unsigned outside;
    size_t start;

    if (code == HL_OK && token.kind == HL_TOKEN_KEY)
        code = next_token(tokens, false, &token, err);
    if (code != HL_OK)
        return code;
    start = token.start;
    if (!is_value(token.kind))
        return refuse_char(tokens, start, "a value", err);
    if (token.kind == HL_TOKEN_OBJECT_BEGIN || token.kind == HL_TOKEN_ARRAY_BEGIN) {
        outside = tokens->depth - 1;
        while (tokens->depth > outside) {
            code = next_token(tokens, false, &token, err);
            if (code != HL_OK)
                return code;
        }
    }
    *ret_text = tokens->text + start;
    *ret_len = tokens->at - start;
    return HL_OK;
}

enum hl_code hl_tokens_skip(struct hl_tokens *tokens, struct hl_err *err)
{
    const char *text;
    size_t len;

    return hl_tokens_span(tokens, &text, &len, err);
}

enum hl_code hl_tokens_finish(struct hl_tokens *tokens, struct hl_err *err)
{
    struct hl_token token = {0};
    enum hl_code code = hl_tokens_next(tokens, &token, err);

    if (code == HL_OK && token.kind != HL_TOKEN_END)
        return refuse_char(tokens, token.start, "nothing more", err);
    return code;
}

void hl_tokens_resume_behind(struct hl_tokens *tokens, size_t at)
{
    assert(!tokens->has_ahead && tokens->depth && at <= tokens->len);
    tokens->at = at;
    tokens->expect = EXPECT_MORE;
}

void hl_tokens_resume_before(struct hl_tokens *tokens, size_t at)
{
    assert(!tokens->has_ahead && tokens->depth && at <= tokens->len);
    tokens->at = at;
    tokens->expect = EXPECT_VALUE;
}
