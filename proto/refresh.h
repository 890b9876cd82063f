/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HL_PROTO_REFRESH_H
#define HL_PROTO_REFRESH_H

#include "proto/filter.h"
#include "proto/text.h"

#include <stdbool.h>
#include <stdint.h>

/* The body of `/refresh`: which points to embed next with a model, and in what order.
 * Plain data in the arena of the tokens. */
enum hl_refresh_order {
    HL_REFRESH_UNCERTAIN, /* where a true place mends the most answers */
    HL_REFRESH_COVERAGE,  /* all over the gallery */
    HL_REFRESH_RANDOM,    /* by chance */
    HL_N_REFRESH_ORDERS
};

/* "uncertain" "coverage" "random" */
const char *hl_refresh_order_name(enum hl_refresh_order order);

enum { HL_REFRESH_LIMIT = 1000, HL_REFRESH_MOST = 10000000 };

struct hl_refresh {
    struct hl_text to; /* as it came: "@default" is the unnamed one */
    uint32_t limit;    /* 0: only how far it has come */
    bool has_order;    /* else the first that can be had */
    enum hl_refresh_order order;
    uint64_t seed;
    const struct hl_filter *filter; /* NULL: all points */
};

enum hl_code hl_refresh_read(const struct hl_field *field, struct hl_refresh *ret_refresh,
                             struct hl_err *err);

#endif
