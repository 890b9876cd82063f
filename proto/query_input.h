/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HL_PROTO_QUERY_INPUT_H
#define HL_PROTO_QUERY_INPUT_H

#include "proto/query.h"

/* What is searched for, and how: the parts of a query that have a grammar of their own. For
 * proto/query.c. Each fills the fields of `query` that it is about. */

/* A vector, a sparse vector or a point id. A string is the id if it is a UUID, else base64
 * of floats. */
enum hl_code hl_query_input_read(const struct hl_field *field,
                                 struct hl_query_input *ret_input, struct hl_err *err);
enum hl_code hl_query_inputs_read(const struct hl_field *field,
                                  struct hl_query_inputs *ret_inputs, struct hl_err *err);
enum hl_code hl_strategy_read(const struct hl_field *field, enum hl_strategy *ret_strategy,
                              struct hl_err *err);

/* Whether there are examples enough for the strategy; `field` is what they stand in. */
enum hl_code hl_recommend_check(const struct hl_field *field, const struct hl_query *query,
                                struct hl_err *err);

/* `query`: an input, `{"nearest":…}`, `{"recommend":{…}}` or `{"vectors":{…}}`, which may
 * stand in "nearest" too. */
enum hl_code hl_query_what_read(const struct hl_field *field, struct hl_query *query,
                                struct hl_err *err);

#endif
