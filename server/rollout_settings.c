/* SPDX-License-Identifier: Apache-2.0 */
#include "server/rollout_settings.h"

#include "proto/encode.h"
#include "proto/members.h"

#include <math.h>
#include <string.h>

static const double off = (double)NAN;

/* ---- the gate ---- */

enum { CRITERION, MIN_GAIN, MAX_FLIPS, MIN_SELF };

static const char *const gate_names[] = {[CRITERION] = "criterion",
                                         [MIN_GAIN] = "min_gain",
                                         [MAX_FLIPS] = "max_negative_flips",
                                         [MIN_SELF] = "min_self"};

static enum hl_code read_gate(const struct hl_field *member, size_t which, void *self,
                              struct hl_err *err)
{
    struct hl_gates *gates = self;

    switch (which) {
    case CRITERION:
        return hl_field_bool(member, &gates->criterion, err);
    case MIN_GAIN:
        return hl_field_double(member, -1, 1, &gates->min_gain, err);
    case MAX_FLIPS:
        return hl_field_double(member, 0, 1, &gates->max_negative_flips, err);
    case MIN_SELF:
    default:
        return hl_field_double(member, 0, 1, &gates->min_self, err);
    }
}

enum hl_code hl_gates_read(const struct hl_field *field, struct hl_gates *ret_gates,
                           struct hl_err *err)
{
    static const struct hl_members members = {HL_MEMBERS_OF(gate_names), 0, read_gate};
    struct hl_gates gates = hl_rollout_default().gate;
    enum hl_code code = hl_members_read(field, &members, &gates, err);

    if (code == HL_OK)
        *ret_gates = gates;
    return code;
}

static void print_number(struct hl_buf *buf, const char *name, double value,
                         const char *instead)
{
    hl_encode_key(buf, name);
    if (isnan(value))
        hl_buf_add_text(buf, instead);
    else
        hl_encode_double(buf, value);
}

void hl_gates_print(const struct hl_gates *gates, struct hl_buf *buf)
{
    hl_buf_print(buf, "{\"criterion\":%s,", gates->criterion ? "true" : "false");
    print_number(buf, gate_names[MIN_GAIN], gates->min_gain, "null");
    hl_buf_add_char(buf, ',');
    print_number(buf, gate_names[MAX_FLIPS], gates->max_negative_flips, "null");
    hl_buf_add_char(buf, ',');
    print_number(buf, gate_names[MIN_SELF], gates->min_self, "null");
    hl_buf_add_char(buf, '}');
}

/* ---- the guard ---- */

enum { EXCESS_FLIPS, EXCESS_DISAGREEMENT, LATENCY_RATIO, ERROR_RATE, MIN_SAMPLES };

static const char *const guard_names[] = {[EXCESS_FLIPS] = "excess_flips",
                                          [EXCESS_DISAGREEMENT] = "excess_disagreement",
                                          [LATENCY_RATIO] = "latency_ratio",
                                          [ERROR_RATE] = "error_rate",
                                          [MIN_SAMPLES] = "min_samples"};

/* A number, or "off". */
static enum hl_code read_limit(const struct hl_field *member, double most, double *ret,
                               struct hl_err *err)
{
    static const char *const offs[] = {"off"};
    enum hl_token_kind kind = HL_TOKEN_END;
    size_t which = 0;
    enum hl_code code = hl_field_kind(member, &kind, err);

    if (code != HL_OK)
        return code;
    if (kind != HL_TOKEN_STRING)
        return hl_field_double(member, 0, most, ret, err);
    code = hl_field_enum(member, offs, 1, &which, err);
    if (code == HL_OK)
        *ret = off;
    return code;
}

static enum hl_code read_guard(const struct hl_field *member, size_t which, void *self,
                               struct hl_err *err)
{
    struct hl_guard_limits *guard = self;

    switch (which) {
    case EXCESS_FLIPS:
        return read_limit(member, 1, &guard->excess_flips, err);
    case EXCESS_DISAGREEMENT:
        return read_limit(member, 1, &guard->excess_disagreement, err);
    case LATENCY_RATIO:
        return read_limit(member, 1000, &guard->latency_ratio, err);
    case ERROR_RATE:
        return read_limit(member, 1, &guard->error_rate, err);
    case MIN_SAMPLES:
    default:
        return hl_field_u64(member, 1, UINT64_C(1) << 40, &guard->min_samples, err);
    }
}

enum hl_code hl_guard_read(const struct hl_field *field, struct hl_guard_limits *ret_guard,
                           struct hl_err *err)
{
    static const struct hl_members members = {HL_MEMBERS_OF(guard_names), 0, read_guard};
    struct hl_guard_limits guard = hl_rollout_default().guard;
    enum hl_code code = hl_members_read(field, &members, &guard, err);

    if (code == HL_OK)
        *ret_guard = guard;
    return code;
}

void hl_guard_print(const struct hl_guard_limits *guard, struct hl_buf *buf)
{
    const double limits[] = {[EXCESS_FLIPS] = guard->excess_flips,
                             [EXCESS_DISAGREEMENT] = guard->excess_disagreement,
                             [LATENCY_RATIO] = guard->latency_ratio,
                             [ERROR_RATE] = guard->error_rate};

    for (size_t i = 0; i < MIN_SAMPLES; i++) {
        hl_buf_add_char(buf, i > 0 ? ',' : '{');
        print_number(buf, guard_names[i], limits[i], "\"off\"");
    }
    hl_buf_add_char(buf, ',');
    hl_encode_key(buf, guard_names[MIN_SAMPLES]);
    hl_encode_u64(buf, guard->min_samples);
    hl_buf_add_char(buf, '}');
}

/* ---- all of them ---- */

struct hl_rollout hl_rollout_default(void)
{
    return (struct hl_rollout){
        .gate = {.criterion = true,
                 .min_gain = off,
                 .max_negative_flips = off,
                 .min_self = off},
        .guard = {.excess_flips = 0.01,
                  .excess_disagreement = 0.1,
                  .latency_ratio = 1.5,
                  .error_rate = 0.01,
                  .min_samples = 200},
        .sample = 0.1,
        .ttl_s = 10,
    };
}

/* What was read from the same text. */
static bool is_same(double a, double b)
{
    return isnan(a) || isnan(b) ? isnan(a) && isnan(b) : a >= b && a <= b;
}

bool hl_rollout_is_set_as(const struct hl_rollout *rollout, const struct hl_rollout *other)
{
    const struct hl_gates *gate = &rollout->gate, *gate2 = &other->gate;
    const struct hl_guard_limits *guard = &rollout->guard, *guard2 = &other->guard;

    return gate->criterion == gate2->criterion &&
           is_same(gate->min_gain, gate2->min_gain) &&
           is_same(gate->max_negative_flips, gate2->max_negative_flips) &&
           is_same(gate->min_self, gate2->min_self) &&
           is_same(guard->excess_flips, guard2->excess_flips) &&
           is_same(guard->excess_disagreement, guard2->excess_disagreement) &&
           is_same(guard->latency_ratio, guard2->latency_ratio) &&
           is_same(guard->error_rate, guard2->error_rate) &&
           guard->min_samples == guard2->min_samples &&
           is_same(rollout->sample, other->sample) && rollout->ttl_s == other->ttl_s &&
           strcmp(rollout->probes, other->probes) == 0;
}
