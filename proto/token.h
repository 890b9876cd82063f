/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HL_PROTO_TOKEN_H
#define HL_PROTO_TOKEN_H

#include "proto/arena.h"
#include "proto/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* JSON in: one token at a time, pulled from memory that need not be terminated.
 *
 * The grammar is RFC 8259's and nothing beyond it; the text is UTF-8 or refused. Numbers
 * stay source text, so nobody loses a digit before knowing what the number is for. Nesting
 * is counted, never recursed into. A refusal names line, column and byte, and after one the
 * tokens are spent. One thread at a time.
 *
 * Most decoders want proto/field.h, which reads values by these tokens and knows their
 * path. */

#define HL_TOKEN_MAX_DEPTH 128

enum hl_token_kind {
    HL_TOKEN_END, /* of the text, behind one whole value */
    HL_TOKEN_OBJECT_BEGIN,
    HL_TOKEN_OBJECT_END,
    HL_TOKEN_ARRAY_BEGIN,
    HL_TOKEN_ARRAY_END,
    HL_TOKEN_KEY, /* its value comes next */
    HL_TOKEN_STRING,
    HL_TOKEN_NUMBER,
    HL_TOKEN_TRUE,
    HL_TOKEN_FALSE,
    HL_TOKEN_NULL
};

/* `text` is what a key or string says, with its escapes resolved (it may contain zero
 * bytes), and the source of anything else. It is good as long as the source text and the
 * arena are. */
struct hl_token {
    enum hl_token_kind kind;
    const char *text;
    size_t len;
    size_t start; /* first byte of the token in the source */
};

/* The caller's storage; borrows text and arena. `what` and `code` may be set after init by
 * who reads something other than a request body; the rest is token.c's. */
struct hl_tokens {
    const char *what;  /* "Format error in WHAT: …", from the start "JSON body" */
    enum hl_code code; /* of a refusal, from the start HL_MALFORMED */
    const char *text;
    size_t len;
    size_t at;
    struct hl_arena *arena;
    uint64_t is_object[HL_TOKEN_MAX_DEPTH / 64];
    unsigned depth;
    unsigned max_depth;
    int expect;
    bool has_ahead;
    struct hl_token ahead;
};

/* The arena receives keys and strings that have escapes. */
void hl_tokens_init(struct hl_tokens *tokens, const char *text, size_t len,
                    struct hl_arena *arena);

enum hl_code hl_tokens_next(struct hl_tokens *tokens, struct hl_token *ret_token,
                            struct hl_err *err);

/* The token that the next call will give. */
enum hl_code hl_tokens_peek(struct hl_tokens *tokens, struct hl_token *ret_token,
                            struct hl_err *err);

/* Passes over the value that comes next, checking all of it; a key goes with its value. The
 * span is the value's source text as it came, without the white space around it. */
enum hl_code hl_tokens_skip(struct hl_tokens *tokens, struct hl_err *err);
enum hl_code hl_tokens_span(struct hl_tokens *tokens, const char **ret_text,
                            size_t *ret_len, struct hl_err *err);

/* HL_OK when nothing but white space is left behind the one value. */
enum hl_code hl_tokens_finish(struct hl_tokens *tokens, struct hl_err *err);

/* Whether what comes next is a value that was announced, by its key or by a peek, and not
 * taken. */
bool hl_tokens_is_value_due(const struct hl_tokens *tokens);

/* For a scanner that reads the items of an array from `text + at` itself: it comes after
 * HL_TOKEN_ARRAY_BEGIN with nothing peeked, and hands back where it stopped: behind an item
 * (a comma or the end must follow) or before one that it leaves to hl_tokens_next. */
void hl_tokens_resume_behind(struct hl_tokens *tokens, size_t at);
void hl_tokens_resume_before(struct hl_tokens *tokens, size_t at);

#endif
