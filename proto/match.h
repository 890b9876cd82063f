/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HL_PROTO_MATCH_H
#define HL_PROTO_MATCH_H

#include "proto/filter.h"

/* The `match` of a condition: fills kind and values of `condition`, which are TEXT,
 * INTEGER, BOOL or PREFIX. Full-text matches are HL_NOT_SUPPORTED. For proto/filter.c. */
enum hl_code hl_match_read(const struct hl_field *field, struct hl_condition *condition,
                           struct hl_err *err);

#endif
