/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HL_SERVER_DRIFT_H
#define HL_SERVER_DRIFT_H

#include "proto/canary.h"
#include "server/holdings.h"
#include "server/moment.h"

/* Whether a model is still the model it was: its canary.
 *
 * Of a few reference photographs the vectors are kept. The same photographs embedded again
 * later, all or some of them, are compared with those, by the cosine whatever the model's
 * distance is: a photograph whose 1 - cosine is above the tolerance has drifted, and then
 * the model has. What the last comparison found holds until the next one, or until other
 * vectors become the reference. Records of a collection; they go with the model.
 *
 * Any thread that may use the holdings or the writing. */
/* What the last comparison found, for who decides by it. */
struct hl_drift {
    bool has_reference;
    bool was_compared; /* the rest is there only then */
    bool is_drifted;
    double tolerance, worst; /* 1 - cosine, of the photograph that is furthest away */
    size_t n_compared, n_drifted;
    char photograph[HL_CANARY_NAME + 1]; /* that one */
    char at[HL_MOMENT];
};
enum hl_code hl_drift_seen(struct hl_reader *reader, uint32_t space,
                           struct hl_drift *ret_drift, struct hl_err *err);

/* In a change: the vectors become the reference when there is none, or when `replaces`;
 * else they are compared with it, and a drift is noted among the rollout's events.
 *
 * HL_DIMENSION_MISMATCH; HL_INVALID for a photograph that is not in the reference, and for
 * a vector of zeros. *ret_drift is what is known then, *ret_is_reference which it was. */
struct hl_drift_order {
    const struct hl_model *model;
    const struct hl_canary *canary;
    bool replaces;
    const char *by; /* the id of a key; "" without keys */
};
enum hl_code hl_drift_put(struct hl_writing *writing, const struct hl_drift_order *order,
                          struct hl_drift *ret_drift, bool *ret_is_reference,
                          struct hl_err *err);

/* In a change: reference and comparison. HL_NOT_FOUND. */
enum hl_code hl_drift_remove(struct hl_writing *writing, const struct hl_model *model,
                             struct hl_err *err);

/* One object: the names of the photographs, the tolerance, and the last comparison.
 * HL_NOT_FOUND. */
enum hl_code hl_drift_print(const struct hl_holdings *holdings,
                            const struct hl_model *model, struct hl_buf *buf,
                            struct hl_err *err);

#endif
