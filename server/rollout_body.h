/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HL_SERVER_ROLLOUT_BODY_H
#define HL_SERVER_ROLLOUT_BODY_H

#include "proto/field.h"
#include "server/rollout.h"

/* The bodies of the calls about rollouts. Texts are good as long as the tokens' arena. */
struct hl_rollout_body {
    struct hl_text from, to;    /* of a PUT; models as bodies write them */
    struct hl_rollout settings; /* likewise, the rest of it */
    double percent;             /* of an advance */
    bool is_forced;             /* of an advance and a promotion */
    uint64_t expect;            /* 0: it is not said */
    struct hl_text why;         /* NULL: it is not said */
};

/* Of a PUT, and of any other step, whose action says what may stand there. HL_MALFORMED,
 * HL_INVALID in the wire's grammar. */
enum hl_code hl_rollout_body_read(const struct hl_field *field,
                                  struct hl_rollout_body *ret_body, struct hl_err *err);
enum hl_code hl_rollout_step_read(const struct hl_field *field,
                                  enum hl_rollout_action action,
                                  struct hl_rollout_body *ret_body, struct hl_err *err);

#endif
