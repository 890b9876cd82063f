/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HL_PROTO_QUERY_H
#define HL_PROTO_QUERY_H

#include "proto/filter.h"
#include "proto/select.h"
#include "proto/vector.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What a search asks: `/points/query` with its batch and its groups, and the older
 * `/points/search` and `/points/recommend`, which end in the same request.
 *
 * Plain data in the arena of the tokens, with Qdrant's defaults where the body is silent.
 * Counts are at most UINT32_MAX, which is more points than a collection can have. Beyond
 * the contract there are `params` of ours and the query `{"vectors":{"v1":[…],"v2":[…]}}`,
 * what was asked for as several models see it. What the
 * contract has beyond this (prefetch, fusion, formulas, discovery, lookups, shard keys …)
 * would change an answer and is HL_NOT_SUPPORTED. */
struct hl_query_input {
    bool is_id; /* `id`, else `vector` */
    struct hl_id id;
    struct hl_vector vector; /* without a name */
};

struct hl_query_inputs {
    const struct hl_query_input *items;
    size_t n;
};

enum hl_query_kind {
    HL_QUERY_NONE,     /* no query: points in the order of their ids */
    HL_QUERY_NEAREST,  /* nearest, or vectors */
    HL_QUERY_RECOMMEND /* positive, negative, strategy */
};

enum hl_strategy {
    HL_STRATEGY_AVERAGE, /* at least one positive */
    HL_STRATEGY_BEST,    /* at least one of either, as for the next */
    HL_STRATEGY_SUM
};

enum hl_dial { HL_DIAL_UNSAID, HL_DIAL_AUTO, HL_DIAL_SET };

enum hl_query_task { HL_QUERY_TASK_UNSAID, HL_QUERY_TASK_SIMILAR, HL_QUERY_TASK_SAME };

/* All but hnsw_ef, exact and indexed_only are ours: where no bridge is active they change
 * nothing. */
struct hl_query_params {
    uint32_t hnsw_ef;  /* 0: the server's own */
    enum hl_dial dial; /* `fidelity` */
    float fidelity;    /* 0 … 1, of HL_DIAL_SET */
    enum hl_query_task task;
    bool exact;
    bool indexed_only;
    bool is_own_only; /* `across` is false: only points that have the model's own vector */
    bool explains;    /* only where the reply has room for it: of HL_FORM_QUERY */
    bool is_text;     /* `modality`: the query is a text, not an image */
    struct hl_text score_scale; /* a model; `text` is NULL when it was omitted */
    struct hl_text key; /* whose query it is, for a rollout; NULL when it was omitted */
};

struct hl_query {
    enum hl_query_kind kind;
    enum hl_strategy strategy;
    struct hl_query_input nearest;
    struct hl_vectors vectors; /* of several models instead of `nearest`; else none */
    struct hl_query_inputs positive;
    struct hl_query_inputs negative;
    struct hl_text using_name;      /* `text` is NULL when it was omitted */
    const struct hl_filter *filter; /* NULL: none */
    struct hl_query_params params;
    bool has_threshold;
    bool is_grouped; /* by group_by, at most group_size points each */
    float threshold; /* not worse than this */
    uint32_t offset;
    uint32_t limit; /* 1 or larger; of a request for groups, groups */
    struct hl_payload_select with_payload;
    struct hl_vector_select with_vector;
    struct hl_path group_by;
    uint32_t group_size;
};

struct hl_queries {
    const struct hl_query *items;
    size_t n;
};

/* Which call it is the body of. */
enum hl_query_form {
    HL_FORM_QUERY,
    HL_FORM_QUERY_GROUPS,
    HL_FORM_SEARCH,
    HL_FORM_SEARCH_GROUPS,
    HL_FORM_RECOMMEND,
    HL_FORM_RECOMMEND_GROUPS
};

enum hl_code hl_query_read(const struct hl_field *field, enum hl_query_form form,
                           struct hl_query *ret_query, struct hl_err *err);

/* `{"searches":[…]}` of such bodies. */
enum hl_code hl_queries_read(const struct hl_field *field, enum hl_query_form form,
                             struct hl_queries *ret_queries, struct hl_err *err);

/* What was sent for the model of that name among `vectors`; NULL: nothing was. */
const struct hl_vector *hl_query_sent(const struct hl_query *query, const char *name);

/* A number of points: 1 or larger, cut to UINT32_MAX. */
enum hl_code hl_limit_read(const struct hl_field *field, uint32_t *ret_limit,
                           struct hl_err *err);

#endif
