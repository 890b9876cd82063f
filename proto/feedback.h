/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HL_PROTO_FEEDBACK_H
#define HL_PROTO_FEEDBACK_H

#include "proto/ids.h"
#include "proto/text.h"

#include <stdbool.h>
#include <stdint.h>

/* What was relevant to queries that were answered: `{"query_id":"…","relevant":[1,2]}`, or
 * a list of such in `{"feedback":[…]}`. Plain data in the arena of the tokens. */
enum { HL_QUERY_ID_MAX = 128 };

struct hl_feedback {
    struct hl_text query_id; /* 1 to HL_QUERY_ID_MAX bytes, none of them zero */
    uint32_t index;          /* of the query, in a batch; 0 when it was omitted */
    struct hl_ids relevant;  /* ascending; there may be none */
};

struct hl_feedbacks {
    const struct hl_feedback *items;
    size_t n;
    bool is_list;
};

enum hl_code hl_feedbacks_read(const struct hl_field *field,
                               struct hl_feedbacks *ret_feedbacks, struct hl_err *err);

#endif
