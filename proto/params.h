/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HL_PROTO_PARAMS_H
#define HL_PROTO_PARAMS_H

#include "proto/err.h"

#include <stdbool.h>
#include <stdint.h>

/* What stands in the URL of a call: `?wait=true&timeout=5&ordering=strong`.
 *
 * `ordering` and `consistency` cannot change an answer on one node and are checked alone.
 * Zero before the first parameter; plain data, any thread. */
struct hl_params {
    bool waits;         /* for the write to be visible; durable it is in any case */
    uint64_t timeout_s; /* 0: none was given */
};

/* One parameter, both terminated, `value` NULL when there was no "=". A name that is none
 * of these is passed over, as in Qdrant. HL_MALFORMED: "Format error in query parameters:
 * …".
 */
enum hl_code hl_params_add(struct hl_params *params, const char *name, const char *value,
                           struct hl_err *err);

#endif
