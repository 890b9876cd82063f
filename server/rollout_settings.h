/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HL_SERVER_ROLLOUT_SETTINGS_H
#define HL_SERVER_ROLLOUT_SETTINGS_H

#include "proto/buf.h"
#include "proto/field.h"
#include "server/rollout.h"

/* The thresholds of a rollout between JSON and structs: in the bodies of calls, in records
 * and in replies they are written alike. Pure functions; any thread.
 *
 *     "gate": {"criterion":true,"min_gain":0.3,"max_negative_flips":0.08,"min_self":null}
 *     "guard":{"excess_flips":0.01,"latency_ratio":"off",…}
 *
 * What is left out is what hl_rollout_default has; a number of the guard is "off" too. */
enum hl_code hl_gates_read(const struct hl_field *field, struct hl_gates *ret_gates,
                           struct hl_err *err);
void hl_gates_print(const struct hl_gates *gates, struct hl_buf *buf);
enum hl_code hl_guard_read(const struct hl_field *field, struct hl_guard_limits *ret_guard,
                           struct hl_err *err);
void hl_guard_print(const struct hl_guard_limits *guard, struct hl_buf *buf);

/* All that can be set but `from` and `to`: whether two rollouts have the same. */
bool hl_rollout_is_set_as(const struct hl_rollout *rollout, const struct hl_rollout *other);

#endif
