/* SPDX-License-Identifier: Apache-2.0 */
#include "server/rollout_body.h"

#include "proto/members.h"
#include "server/rollout_settings.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

enum { LONGEST_WHY = 1000 };

static enum hl_code read_short(const struct hl_field *member, size_t max,
                               struct hl_text *ret_text, struct hl_err *err)
{
    struct hl_text text;
    char must_be[48];
    enum hl_code code = hl_text_read(member, &text, err);

    if (code != HL_OK)
        return code;
    if (text.len == 0 || text.len > max || memchr(text.text, '\0', text.len)) {
        (void)snprintf(must_be, sizeof must_be, "from 1 to %zu characters", max);
        return hl_field_fail_value(member,
                                   (&(struct hl_token){.kind = HL_TOKEN_STRING,
                                                       .text = text.text,
                                                       .len = text.len}),
                                   must_be, err);
    }
    *ret_text = text;
    return HL_OK;
}

/* Two decimals: shares of callers are exact to that, and so is what is shown. */
static enum hl_code read_percent(const struct hl_field *member, double *ret_percent,
                                 struct hl_err *err)
{
    double percent = 0;
    char text[32];
    int len;
    enum hl_code code = hl_field_double(member, 0.01, 100, &percent, err);

    if (code != HL_OK)
        return code;
    if (fabs(percent * 100 - round(percent * 100)) > 1e-7) {
        len = snprintf(text, sizeof text, "%.10g", percent);
        return hl_field_fail_value(
            member,
            (&(struct hl_token){.kind = HL_TOKEN_NUMBER, .text = text, .len = (size_t)len}),
            "of two decimals at most", err);
    }
    *ret_percent = percent;
    return HL_OK;
}

/* ---- a step ---- */

enum { EXPECT, WHY, FORCE, PERCENT };

static enum hl_code read_step_member(const struct hl_field *member, size_t which,
                                     void *self, struct hl_err *err)
{
    struct hl_rollout_body *body = self;

    switch (which) {
    case EXPECT:
        return hl_field_u64(member, 1, UINT64_MAX, &body->expect, err);
    case WHY:
        return read_short(member, LONGEST_WHY, &body->why, err);
    case FORCE:
        return hl_field_bool(member, &body->is_forced, err);
    case PERCENT:
    default:
        return read_percent(member, &body->percent, err);
    }
}

enum hl_code hl_rollout_step_read(const struct hl_field *field,
                                  enum hl_rollout_action action,
                                  struct hl_rollout_body *ret_body, struct hl_err *err)
{
    static const char *const names[] = {
        [EXPECT] = "expect", [WHY] = "why", [FORCE] = "force", [PERCENT] = "percent"};
    const struct hl_members members = {
        names,
        action == HL_ROLLOUT_ADVANCE   ? 4
        : action == HL_ROLLOUT_PROMOTE ? 3
                                       : 2,
        action == HL_ROLLOUT_ADVANCE ? HL_MEMBER(PERCENT) : 0, read_step_member};
    struct hl_rollout_body body = {.percent = 0};
    enum hl_code code = hl_members_read(field, &members, &body, err);

    if (code == HL_OK)
        *ret_body = body;
    return code;
}

/* ---- a rollout ---- */

enum { PUT_EXPECT, PUT_WHY, FROM, TO, PROBES, GATE, GUARD, SAMPLE, TTL };

static enum hl_code read_probes(const struct hl_field *member, struct hl_rollout *settings,
                                struct hl_err *err)
{
    struct hl_text text;
    enum hl_code code = read_short(member, HL_PROBES_NAME - 1, &text, err);

    if (code == HL_OK)
        (void)snprintf(settings->probes, sizeof settings->probes, "%.*s", (int)text.len,
                       text.text);
    return code;
}

static enum hl_code read_ttl(const struct hl_field *member, struct hl_rollout *settings,
                             struct hl_err *err)
{
    uint64_t ttl = 0;
    enum hl_code code = hl_field_u64(member, 0, HL_ROLLOUT_MAX_TTL_S, &ttl, err);

    if (code == HL_OK)
        settings->ttl_s = (uint32_t)ttl;
    return code;
}

static enum hl_code read_put_member(const struct hl_field *member, size_t which, void *self,
                                    struct hl_err *err)
{
    struct hl_rollout_body *body = self;

    switch (which) {
    case PUT_EXPECT:
    case PUT_WHY:
        return read_step_member(member, which, self, err);
    case FROM:
        return hl_text_read(member, &body->from, err);
    case TO:
        return hl_text_read(member, &body->to, err);
    case PROBES:
        return read_probes(member, &body->settings, err);
    case GATE:
        return hl_gates_read(member, &body->settings.gate, err);
    case GUARD:
        return hl_guard_read(member, &body->settings.guard, err);
    case SAMPLE:
        return hl_field_double(member, 0, 1, &body->settings.sample, err);
    case TTL:
    default:
        return read_ttl(member, &body->settings, err);
    }
}

enum hl_code hl_rollout_body_read(const struct hl_field *field,
                                  struct hl_rollout_body *ret_body, struct hl_err *err)
{
    static const char *const names[] = {
        [PUT_EXPECT] = "expect", [PUT_WHY] = "why", [FROM] = "from",   [TO] = "to",
        [PROBES] = "probes",     [GATE] = "gate",   [GUARD] = "guard", [SAMPLE] = "sample",
        [TTL] = "ttl_s"};
    static const struct hl_members members = {
        HL_MEMBERS_OF(names), HL_MEMBER(FROM) | HL_MEMBER(TO), read_put_member};
    struct hl_rollout_body body = {.settings = hl_rollout_default()};
    enum hl_code code = hl_members_read(field, &members, &body, err);

    if (code == HL_OK)
        *ret_body = body;
    return code;
}
