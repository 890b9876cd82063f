/* SPDX-License-Identifier: Apache-2.0 */
/* Reads a body as each of the calls about bridges. What is accepted is in its bounds, and
 * inside of body and arena. */
#include "server/bridge_body.h"
#include "tests/fuzz/decoded.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct hl_field begin(struct hl_tokens *tokens, const struct decoded *d,
                             struct hl_arena *arena)
{
    hl_arena_reset(arena);
    hl_tokens_init(tokens, d->body, d->size, arena);
    return hl_field_root(tokens);
}

static void check_data(const struct decoded *d, const struct hl_bridge_data *data)
{
    check_text(d, &data->dataset);
    require(data->dataset.text || data->has_pairs || data->has_items);
    require(!data->has_items || data->label.n_steps > 0);
    require(data->limit >= 1 && data->limit <= HL_BRIDGE_MOST_POINTS);
    if (data->label.n_steps > 0)
        check_path(d, &data->label);
}

static void try_order(const struct decoded *d, struct hl_arena *arena)
{
    struct hl_bridge_order order;
    struct hl_tokens tokens;
    struct hl_field root = begin(&tokens, d, arena);
    struct hl_err err;

    if (hl_bridge_order_read(&root, &order, &err) != HL_OK)
        return;
    check_data(d, &order.data);
    check_text(d, &order.choose);
    check_text(d, &order.report);
    require(order.kind < HL_N_KINDS && order.alpha >= 0 && order.beta >= 0);
    require(order.n_hidden <= 4096);
}

static void try_others(const struct decoded *d, struct hl_arena *arena)
{
    struct hl_activation activation;
    struct hl_evaluation evaluation;
    struct hl_tokens tokens;
    struct hl_field root = begin(&tokens, d, arena);
    struct hl_err err;

    if (hl_activation_read(&root, &activation, &err) == HL_OK)
        require(activation.fidelity >= 0 && activation.fidelity <= 1 &&
                hl_serving_name(activation.strategy) != NULL);
    root = begin(&tokens, d, arena);
    if (hl_evaluation_read(&root, &evaluation, &err) == HL_OK) {
        check_text(d, &evaluation.dataset);
        check_text(d, &evaluation.through);
        require(!evaluation.is_bare || !evaluation.through.text);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct decoded d = {(const char *)data, size};
    struct hl_arena *arena = hl_arena_new((size_t)64 << 20);

    try_order(&d, arena);
    try_others(&d, arena);
    hl_arena_free(arena);
    return 0;
}
