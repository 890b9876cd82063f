/* SPDX-License-Identifier: Apache-2.0 */
/* A control body that is accepted is printed as JSON which is accepted and printed alike;
 * one that is refused is no JSON, or is what json.h says it refuses. */
#include "proto/json.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool holds)
{
    if (!holds)
        abort();
}

static bool is_json(const char *text, size_t size)
{
    struct hl_tokens tokens;
    struct hl_err err;

    hl_tokens_init(&tokens, text, size, NULL);
    return hl_tokens_skip(&tokens, &err) == HL_OK &&
           hl_tokens_finish(&tokens, &err) == HL_OK;
}

static bool is_bent_by_cjson(const struct hl_err *err)
{
    return err->code == HL_INVALID || err->code == HL_TOO_LARGE ||
           strstr(err->msg, "duplicate field") || strstr(err->msg, "\\u0000") ||
           strstr(err->msg, "nested too deeply");
}

static enum hl_code print(const char *text, size_t len, struct hl_arena *arena,
                          struct hl_buf *buf, struct hl_err *err)
{
    struct hl_json *json = NULL;
    enum hl_code code = hl_json_decode(text, len, arena, &json, err);

    if (code == HL_OK)
        hl_json_encode(json, buf);
    hl_json_free(json);
    return code;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct hl_arena *arena = hl_arena_new((size_t)64 << 20);
    const char *text = (const char *)data;
    struct hl_buf once, twice;
    struct hl_err err = {0};

    require(arena);
    hl_buf_init(&once, (size_t)64 << 20);
    hl_buf_init(&twice, (size_t)64 << 20);
    if (print(text, size, arena, &once, &err) == HL_OK) {
        require(is_json(text, size) && is_json(once.data, once.len));
        require(print(once.data, once.len, arena, &twice, &err) == HL_OK);
        require(once.len == twice.len && memcmp(once.data, twice.data, once.len) == 0);
    } else {
        require(!is_json(text, size) || is_bent_by_cjson(&err));
    }
    hl_buf_done(&once);
    hl_buf_done(&twice);
    hl_arena_free(arena);
    return 0;
}
