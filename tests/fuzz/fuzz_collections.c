/* SPDX-License-Identifier: Apache-2.0 */
/* Reads a body as each of the calls that configure. What is accepted is bounded and inside
 * of body and arena, texts are the body's own bytes, and merging what was accepted gives an
 * object that merges into itself. */
#include "proto/aliases.h"
#include "proto/collections.h"
#include "proto/loss.h"
#include "proto/payload_index.h"
#include "tests/fuzz/decoded.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct hl_field begin(struct hl_tokens *tokens, const struct decoded *d,
                             struct hl_arena *arena)
{
    hl_arena_reset(arena);
    hl_tokens_init(tokens, d->body, d->size, arena);
    return hl_field_root(tokens);
}

static void check_merge(const struct hl_text *text, struct hl_arena *arena)
{
    struct hl_buf once, twice;
    struct hl_text merged;
    struct hl_err err;

    if (!text->text || text->text[0] != '{')
        return;
    hl_buf_init(&once, (size_t)16 << 20);
    hl_buf_init(&twice, (size_t)16 << 20);
    require(hl_tuning_merge(text, text, HL_MERGE_NULL_REMOVES, arena, &once, &err) ==
            HL_OK);
    merged = (struct hl_text){once.data, once.len};
    require(hl_tuning_merge(&merged, &merged, HL_MERGE_NULL_REMOVES, arena, &twice, &err) ==
            HL_OK);
    require(once.len == twice.len && memcmp(once.data, twice.data, once.len) == 0);
    hl_buf_done(&once);
    hl_buf_done(&twice);
}

/* The rule that stands among metadata is one of ours. */
static void check_loss(const struct hl_text *metadata, struct hl_arena *arena)
{
    struct hl_tokens tokens;
    struct hl_field root;
    enum hl_loss loss;
    struct hl_err err;

    if (!metadata->text)
        return;
    hl_tokens_init(&tokens, metadata->text, metadata->len, arena);
    root = hl_field_root(&tokens);
    require(hl_loss_read(&root, &loss, &err) == HL_OK && loss <= HL_LOSS_REFUSE);
}

static void check_settings(const struct decoded *d,
                           const struct hl_collection_settings *settings,
                           struct hl_arena *arena)
{
    check_span(d, &settings->hnsw_config);
    check_span(d, &settings->optimizers_config);
    check_span(d, &settings->metadata);
    check_merge(&settings->hnsw_config, arena);
    check_merge(&settings->metadata, arena);
    check_loss(&settings->metadata, arena);
}

static void check_config(const struct decoded *d, const struct hl_vector_config *config)
{
    struct hl_err err;

    require(hl_vector_name_check(&config->name, &err) == HL_OK);
    check_text(d, &config->name);
    check_span(d, &config->text);
    require(config->is_sparse == (config->size == 0));
    require(config->size <= HL_VECTOR_SIZE_MAX);
}

static void try_collections(const struct decoded *d, struct hl_arena *arena)
{
    struct hl_tokens tokens;
    struct hl_field root = begin(&tokens, d, arena);
    struct hl_create_collection create;
    struct hl_update_collection update;
    struct hl_vector_config config;
    struct hl_err err;

    if (hl_create_collection_read(&root, &create, &err) == HL_OK) {
        require(create.vectors.n <= HL_VECTORS_MAX);
        for (size_t i = 0; i < create.vectors.n; i++)
            check_config(d, &create.vectors.items[i]);
        check_settings(d, &create.settings, arena);
    } else {
        check_refusal(&err);
    }
    root = begin(&tokens, d, arena);
    if (hl_update_collection_read(&root, &update, &err) == HL_OK) {
        check_count(d, update.n_vectors);
        for (size_t i = 0; i < update.n_vectors; i++)
            check_span(d, &update.vectors[i].text);
        check_settings(d, &update.settings, arena);
    }
    root = begin(&tokens, d, arena);
    if (hl_vector_config_read(&root, &config, &err) == HL_OK)
        check_config(d, &config);
}

static void try_others(const struct decoded *d, struct hl_arena *arena)
{
    struct hl_tokens tokens;
    struct hl_field root = begin(&tokens, d, arena);
    struct hl_payload_index index;
    struct hl_alias_actions actions;
    struct hl_err err;

    if (hl_payload_index_read(&root, &index, &err) == HL_OK) {
        check_path(d, &index.key);
        check_span(d, &index.params);
        require(index.type < HL_N_INDEX_TYPES);
    }
    root = begin(&tokens, d, arena);
    if (hl_alias_actions_read(&root, &actions, &err) == HL_OK) {
        check_count(d, actions.n);
        for (size_t i = 0; i < actions.n; i++) {
            check_text(d, &actions.items[i].alias);
            require(actions.items[i].alias.len > 0);
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct decoded d = {(const char *)data, size};
    struct hl_arena *arena = hl_arena_new((size_t)64 << 20);

    try_collections(&d, arena);
    try_others(&d, arena);
    hl_arena_free(arena);
    return 0;
}
