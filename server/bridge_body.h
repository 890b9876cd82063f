/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HL_SERVER_BRIDGE_BODY_H
#define HL_SERVER_BRIDGE_BODY_H

#include "compat/bridge.h"
#include "proto/path.h"
#include "proto/text.h"

/* The bodies of the calls about bridges. Plain data; texts point into the body and the
 * arena of its tokens. */

/* Where rows come from. */
struct hl_bridge_data {
    struct hl_text dataset; /* text NULL: none */
    bool has_pairs;         /* points that carry both vectors */
    bool has_items;         /* points with a label, the vectors of either model */
    struct hl_path label;   /* of points: where in the payload; n_steps 0: none */
    uint64_t limit;         /* of points: so many of them, chosen by the seed */
};

enum { HL_BRIDGE_POINTS = 50000, HL_BRIDGE_MOST_POINTS = 10000000 };

struct hl_bridge_order {
    struct hl_bridge_data data;
    struct hl_text choose, report; /* datasets; text NULL: a part of the data */
    enum hl_kind kind;
    enum hl_task task;
    uint64_t seed;
    double alpha, beta; /* focal */
    uint64_t n_hidden, rank;
};
enum hl_code hl_bridge_order_read(const struct hl_field *field,
                                  struct hl_bridge_order *ret_order, struct hl_err *err);

/* What is served through a bridge, and how. */
enum hl_serving {
    HL_SERVING_AUTO,
    HL_SERVING_BACKWARD,
    HL_SERVING_DUAL,
    HL_SERVING_FORWARD
};
const char *hl_serving_name(enum hl_serving strategy);

struct hl_activation {
    uint64_t revision; /* 0: the latest */
    enum hl_serving strategy;
    enum hl_serving serving; /* what auto came to: not the caller's to say */
    bool is_auto;            /* the bridge's own fidelity */
    double fidelity;
};

/* An empty body is the latest revision, auto. */
enum hl_code hl_activation_read(const struct hl_field *field,
                                struct hl_activation *ret_activation, struct hl_err *err);

/* What is judged: a bridge, a chain of two, or two models as they are. */
struct hl_evaluation {
    struct hl_text dataset;
    uint64_t revision;      /* 0: the latest */
    struct hl_text through; /* the model in the middle of a chain; text NULL: none */
    bool is_bare;           /* no bridge */
    uint64_t seed;
};
enum hl_code hl_evaluation_read(const struct hl_field *field,
                                struct hl_evaluation *ret_evaluation, struct hl_err *err);

#endif
