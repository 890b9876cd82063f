/* SPDX-License-Identifier: Apache-2.0 */
/* Reads a body as each of the calls that search or read. What is accepted is bounded and
 * inside of body and arena. */
#include "proto/query.h"
#include "proto/read.h"
#include "proto/refresh.h"
#include "tests/fuzz/decoded.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct hl_field begin(struct hl_tokens *tokens, const struct decoded *d,
                             struct hl_arena *arena)
{
    hl_arena_reset(arena);
    hl_tokens_init(tokens, d->body, d->size, arena);
    return hl_field_root(tokens);
}

static void check_selects(const struct decoded *d, const struct hl_payload_select *payload,
                          const struct hl_vector_select *vector)
{
    check_count(d, payload->paths.n);
    for (size_t i = 0; i < payload->paths.n; i++)
        check_path(d, &payload->paths.items[i]);
    check_texts(d, &vector->names);
}

static void check_inputs(const struct decoded *d, const struct hl_query_inputs *inputs)
{
    check_count(d, inputs->n);
    for (size_t i = 0; i < inputs->n; i++) {
        const struct hl_vectors one = {&inputs->items[i].vector, 1};

        if (!inputs->items[i].is_id)
            check_vectors(d, &one);
    }
}

static void check_query(const struct decoded *d, const struct hl_query *query)
{
    const struct hl_query_inputs nearest = {&query->nearest, 1};

    if (query->kind == HL_QUERY_NEAREST && query->vectors.n == 0)
        check_inputs(d, &nearest);
    check_vectors(d, &query->vectors);
    check_text(d, &query->params.score_scale);
    check_text(d, &query->params.key);
    require(query->params.dial != HL_DIAL_SET ||
            (query->params.fidelity >= 0 && query->params.fidelity <= 1));
    if (query->kind == HL_QUERY_RECOMMEND)
        require(query->positive.n + query->negative.n > 0);
    check_inputs(d, &query->positive);
    check_inputs(d, &query->negative);
    check_text(d, &query->using_name);
    check_filter(d, query->filter, 0, false);
    require(query->limit > 0 && query->group_size > 0);
    require(!query->has_threshold || isfinite(query->threshold));
    check_selects(d, &query->with_payload, &query->with_vector);
    if (query->is_grouped)
        check_path(d, &query->group_by);
}

static void try_queries(const struct decoded *d, struct hl_arena *arena)
{
    for (int form = HL_FORM_QUERY; form <= HL_FORM_RECOMMEND_GROUPS; form++) {
        struct hl_tokens tokens;
        struct hl_field root = begin(&tokens, d, arena);
        struct hl_query query;
        struct hl_queries queries;
        struct hl_err err;

        if (hl_query_read(&root, (enum hl_query_form)form, &query, &err) == HL_OK)
            check_query(d, &query);
        else
            check_refusal(&err);
        root = begin(&tokens, d, arena);
        if (hl_queries_read(&root, (enum hl_query_form)form, &queries, &err) != HL_OK)
            continue;
        check_count(d, queries.n);
        for (size_t i = 0; i < queries.n; i++)
            check_query(d, &queries.items[i]);
    }
}

static void try_reads(const struct decoded *d, struct hl_arena *arena)
{
    struct hl_tokens tokens;
    struct hl_field root = begin(&tokens, d, arena);
    struct hl_retrieve retrieve;
    struct hl_scroll scroll;
    struct hl_facet facet;
    struct hl_count count;
    struct hl_refresh refresh;
    struct hl_err err;

    if (hl_retrieve_read(&root, &retrieve, &err) == HL_OK) {
        check_ids(d, &retrieve.ids);
        check_selects(d, &retrieve.with_payload, &retrieve.with_vector);
    }
    root = begin(&tokens, d, arena);
    if (hl_scroll_read(&root, &scroll, &err) == HL_OK) {
        require(scroll.limit > 0 && !(scroll.has_offset && scroll.is_ordered));
        check_filter(d, scroll.filter, 0, false);
        check_selects(d, &scroll.with_payload, &scroll.with_vector);
        if (scroll.is_ordered)
            check_path(d, &scroll.order.key);
    }
    root = begin(&tokens, d, arena);
    if (hl_refresh_read(&root, &refresh, &err) == HL_OK) {
        require(refresh.to.text && refresh.limit <= HL_REFRESH_MOST);
        require(refresh.order < HL_N_REFRESH_ORDERS);
        check_text(d, &refresh.to);
        check_filter(d, refresh.filter, 0, false);
    }
    root = begin(&tokens, d, arena);
    if (hl_count_read(&root, &count, &err) == HL_OK)
        check_filter(d, count.filter, 0, false);
    root = begin(&tokens, d, arena);
    if (hl_facet_read(&root, &facet, &err) == HL_OK) {
        require(facet.limit > 0);
        check_path(d, &facet.key);
        check_filter(d, facet.filter, 0, false);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct decoded d = {(const char *)data, size};
    struct hl_arena *arena = hl_arena_new((size_t)64 << 20);

    try_queries(&d, arena);
    try_reads(&d, arena);
    hl_arena_free(arena);
    return 0;
}
