/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HL_PROTO_CANARY_H
#define HL_PROTO_CANARY_H

#include "proto/vector.h"

#include <stdbool.h>

/* The body of a model's canary: vectors of a few photographs, each by a name, and how far
 * from what they were they may be, as 1 less the cosine. Plain data in the arena of the
 * tokens. */
enum { HL_CANARY_MOST = 1000, HL_CANARY_NAME = 200 };

struct hl_canary {
    struct hl_vectors vectors; /* dense, one at least; names differ and are not empty */
    bool has_tolerance;
    double tolerance; /* 0 to 2; .01 when it was not said */
};

enum hl_code hl_canary_read(const struct hl_field *field, struct hl_canary *ret_canary,
                            struct hl_err *err);

#endif
