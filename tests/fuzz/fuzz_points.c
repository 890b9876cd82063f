/* SPDX-License-Identifier: Apache-2.0 */
/* Reads the operations of /points/batch, which are every body that writes points. What is
 * accepted is bounded and inside of body and arena, and payloads are the body's own bytes.
 */
#include "proto/write.h"
#include "tests/fuzz/decoded.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_op(const struct decoded *d, const struct hl_write_op *op)
{
    bool writes_points = op->kind == HL_WRITE_UPSERT || op->kind == HL_WRITE_UPDATE_VECTORS;

    check_count(d, op->points.n);
    for (size_t i = 0; i < op->points.n; i++) {
        const struct hl_ids one = {&op->points.items[i].id, 1};

        check_ids(d, &one);
        check_span(d, &op->points.items[i].payload);
        check_vectors(d, &op->points.items[i].vectors);
    }
    check_filter(d, op->update_filter, 0, false);
    check_filter(d, op->target.filter, 0, false);
    require(!op->target.filter || op->target.ids.n == 0);
    require(!writes_points || (!op->target.filter && op->target.ids.n == 0));
    require(writes_points || op->points.n == 0);
    check_ids(d, &op->target.ids);
    check_texts(d, &op->names);
    check_span(d, &op->payload);
    if (op->has_key)
        check_path(d, &op->key);
    check_count(d, op->keys.n);
    for (size_t i = 0; i < op->keys.n; i++)
        check_path(d, &op->keys.items[i]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct decoded d = {(const char *)data, size};
    struct hl_arena *arena = hl_arena_new((size_t)64 << 20);
    struct hl_write_ops ops = {0};
    struct hl_tokens tokens;
    struct hl_field root;
    struct hl_err err;

    hl_tokens_init(&tokens, d.body, size, arena);
    root = hl_field_root(&tokens);
    if (hl_write_ops_read(&root, &ops, &err) == HL_OK) {
        check_count(&d, ops.n);
        for (size_t i = 0; i < ops.n; i++)
            check_op(&d, &ops.items[i]);
    } else {
        check_refusal(&err);
    }
    hl_arena_free(arena);
    return 0;
}
