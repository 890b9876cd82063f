/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HL_PROTO_READ_H
#define HL_PROTO_READ_H

#include "proto/filter.h"
#include "proto/select.h"

#include <stdbool.h>
#include <stdint.h>

/* What a request wants to read without searching: points by their ids, pages of points,
 * counts and facets. Plain data in the arena of the tokens, with Qdrant's defaults where
 * the body is silent. */
struct hl_retrieve {
    struct hl_ids ids; /* as they came */
    struct hl_payload_select with_payload;
    struct hl_vector_select with_vector;
};

enum hl_order_start {
    HL_START_NOWHERE, /* at the first value */
    HL_START_NUMBER,  /* number; integer too where is_whole */
    HL_START_TIME     /* integer: microseconds since 1970 in UTC */
};

/* The first value is the smallest, or the largest where the order is descending. */
struct hl_order {
    struct hl_path key;
    int64_t integer;
    double number;
    enum hl_order_start start;
    bool is_descending;
    bool is_whole;
};

struct hl_scroll {
    bool has_offset; /* from this id on; never together with an order */
    struct hl_id offset;
    uint32_t limit; /* 1 or larger */
    const struct hl_filter *filter;
    struct hl_payload_select with_payload;
    struct hl_vector_select with_vector;
    bool is_ordered;
    struct hl_order order;
};

struct hl_count {
    const struct hl_filter *filter;
    bool is_exact;
};

struct hl_facet {
    struct hl_path key;
    uint32_t limit; /* 1 or larger */
    const struct hl_filter *filter;
    bool is_exact;
};

enum hl_code hl_retrieve_read(const struct hl_field *field,
                              struct hl_retrieve *ret_retrieve, struct hl_err *err);
enum hl_code hl_scroll_read(const struct hl_field *field, struct hl_scroll *ret_scroll,
                            struct hl_err *err);
enum hl_code hl_count_read(const struct hl_field *field, struct hl_count *ret_count,
                           struct hl_err *err);
enum hl_code hl_facet_read(const struct hl_field *field, struct hl_facet *ret_facet,
                           struct hl_err *err);

#endif
