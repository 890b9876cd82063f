/* SPDX-License-Identifier: Apache-2.0 */
/* Reads a filter. What is accepted is bounded, in order, and inside of body and arena. */
#include "tests/fuzz/decoded.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct decoded d = {(const char *)data, size};
    struct hl_arena *arena = hl_arena_new((size_t)64 << 20);
    const struct hl_filter *filter = NULL;
    struct hl_tokens tokens;
    struct hl_field root;
    struct hl_err err;

    hl_tokens_init(&tokens, d.body, size, arena);
    root = hl_field_root(&tokens);
    if (hl_filter_read(&root, &filter, &err) == HL_OK)
        check_filter(&d, filter, 0, false);
    else
        check_refusal(&err);
    hl_arena_free(arena);
    return 0;
}
