/* SPDX-License-Identifier: Apache-2.0 */
/* The float scanner reads what the tokenizer and strtof read together, and refuses what
 * they refuse. The input is the inside of an array. */
#include "proto/alloc.h"
#include "proto/floats.h"

#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { ROOM = 4096 };

static void require(bool holds)
{
    if (!holds)
        abort();
}

static float slow_float(const struct hl_token *token)
{
    char *text = strndup(token->text, token->len);
    float value;

    require(text);
    value = strtof(text, NULL);
    free(text);
    return value;
}

static enum hl_code read_slowly(struct hl_tokens *tokens, float *values, size_t *ret_n,
                                struct hl_err *err)
{
    struct hl_token token = {0};
    enum hl_code code = hl_tokens_next(tokens, &token, err);
    size_t n = 0;

    if (code != HL_OK)
        return code;
    if (token.kind != HL_TOKEN_ARRAY_BEGIN)
        return HL_MALFORMED;
    while ((code = hl_tokens_next(tokens, &token, err)) == HL_OK &&
           token.kind != HL_TOKEN_ARRAY_END) {
        if (token.kind != HL_TOKEN_NUMBER)
            return HL_MALFORMED;
        if (n < ROOM)
            values[n] = slow_float(&token);
        if (!isfinite(slow_float(&token)))
            return HL_INVALID;
        n++;
    }
    if (code == HL_OK)
        *ret_n = n;
    return code;
}

static uint32_t bits_of(float value)
{
    uint32_t bits;

    memcpy(&bits, &value, sizeof bits);
    return bits;
}

static void compare(const char *text, size_t len, struct hl_arena *arena)
{
    static float fast[ROOM], slow[ROOM];
    struct hl_tokens fast_tokens, slow_tokens;
    struct hl_err fast_err = {0}, slow_err = {0};
    size_t n_fast = 0, n_slow = 0;
    enum hl_code fast_code, slow_code;
    struct hl_field root;

    hl_tokens_init(&fast_tokens, text, len, arena);
    hl_tokens_init(&slow_tokens, text, len, arena);
    root = hl_field_root(&fast_tokens);
    fast_code = hl_floats_fill(&root, fast, ROOM, &n_fast, &fast_err);
    slow_code = read_slowly(&slow_tokens, slow, &n_slow, &slow_err);
    require(fast_code == slow_code && n_fast == n_slow);
    if (fast_code != HL_OK)
        return;
    for (size_t i = 0; i < n_fast && i < ROOM; i++)
        require(bits_of(fast[i]) == bits_of(slow[i]));
    require(hl_tokens_finish(&fast_tokens, &fast_err) ==
            hl_tokens_finish(&slow_tokens, &slow_err));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct hl_arena *arena = hl_arena_new((size_t)64 << 20);
    char *text = hl_alloc(size + 2);

    require(arena && text);
    text[0] = '[';
    memcpy(text + 1, data, size);
    text[size + 1] = ']';
    compare(text, size + 2, arena);
    compare(text, size + 1, arena); /* and without its end */
    hl_free(text);
    hl_arena_free(arena);
    return 0;
}
