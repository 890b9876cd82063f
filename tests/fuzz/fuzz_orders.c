/* SPDX-License-Identifier: Apache-2.0 */
/* Reads a body as each of the calls about bridges, rollouts and swaps. What is accepted is
 * in its bounds, and inside of body and arena; thresholds are printed as they are read. */
#include "server/bridge_body.h"
#include "server/rollout_body.h"
#include "server/rollout_settings.h"
#include "server/swap.h"
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

/* Printed as a record has them, they are read back as they were. */
static void check_settings(const struct hl_rollout *settings, struct hl_arena *arena)
{
    struct hl_rollout_body again;
    struct hl_tokens tokens;
    struct hl_field root;
    struct hl_buf buf;
    struct hl_err err;

    hl_buf_init(&buf, 4096);
    hl_buf_add_text(&buf, "{\"from\":\"a\",\"to\":\"b\",\"gate\":");
    hl_gates_print(&settings->gate, &buf);
    hl_buf_add_text(&buf, ",\"guard\":");
    hl_guard_print(&settings->guard, &buf);
    hl_buf_add_char(&buf, '}');
    hl_tokens_init(&tokens, buf.data, buf.len, arena);
    root = hl_field_root(&tokens);
    require(hl_rollout_body_read(&root, &again, &err) == HL_OK);
    again.settings.sample = settings->sample;
    again.settings.ttl_s = settings->ttl_s;
    memcpy(again.settings.probes, settings->probes, sizeof settings->probes);
    require(hl_rollout_is_set_as(settings, &again.settings));
    hl_buf_done(&buf);
}

static void try_rollouts(const struct decoded *d, struct hl_arena *arena)
{
    struct hl_rollout_body body;
    struct hl_tokens tokens;
    struct hl_field root = begin(&tokens, d, arena);
    struct hl_err err;

    if (hl_rollout_body_read(&root, &body, &err) == HL_OK) {
        check_text(d, &body.from);
        check_text(d, &body.to);
        check_text(d, &body.why);
        require(body.settings.sample >= 0 && body.settings.sample <= 1 &&
                body.settings.ttl_s <= HL_ROLLOUT_MAX_TTL_S);
        check_settings(&body.settings, arena);
    }
    root = begin(&tokens, d, arena);
    if (hl_rollout_step_read(&root, HL_ROLLOUT_ADVANCE, &body, &err) == HL_OK) {
        check_text(d, &body.why);
        require(body.percent >= 0.01 && body.percent <= 100);
    }
}

/* What is kept of a swap is a body again, and the same one. */
static void try_swap(const struct decoded *d, struct hl_arena *arena)
{
    struct hl_swap_order order, again;
    struct hl_tokens tokens;
    struct hl_field root = begin(&tokens, d, arena);
    struct hl_err err;

    if (hl_swap_order_read(&root, &order, &err) != HL_OK)
        return;
    check_text(d, &order.from);
    check_text(d, &order.to);
    require(order.stop_at < HL_N_SWAP_STEPS && order.kind < HL_N_KINDS);
    hl_tokens_init(&tokens, order.asked.data, order.asked.len, arena);
    root = hl_field_root(&tokens);
    require(hl_swap_order_read(&root, &again, &err) == HL_OK);
    require(again.asked.len == order.asked.len &&
            memcmp(again.asked.data, order.asked.data, order.asked.len) == 0);
    require(again.fit.len == order.fit.len &&
            memcmp(again.fit.data, order.fit.data, order.fit.len) == 0);
    require(hl_rollout_is_set_as(&again.wanted, &order.wanted));
    require(again.stop_at == HL_SWAP_SHADOW && !again.is_dry && !again.is_anew);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct decoded d = {(const char *)data, size};
    struct hl_arena *arena = hl_arena_new((size_t)64 << 20);

    try_order(&d, arena);
    try_others(&d, arena);
    try_rollouts(&d, arena);
    try_swap(&d, arena);
    hl_arena_free(arena);
    return 0;
}
