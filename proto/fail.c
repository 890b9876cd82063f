/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/fail.h"

#include <ctype.h>
#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum action { ACTION_NONE, ACTION_FAIL, ACTION_KILL, ACTION_STALL };

struct rule {
    enum action action;
    bool and_after;
    uint64_t nth;
    unsigned stall_ms;
};

static const char *const names[HL_N_FAILPOINTS] = {
#define HL_FAILPOINT_NAME(point, name) [point] = name,
    HL_FAILPOINT_TABLE(HL_FAILPOINT_NAME)
#undef HL_FAILPOINT_NAME
};

/* The one mutable static of the floor. An allocation has no caller that could hand it a
 * test's wishes, so the wishes wait here. A rule is one number, so that a thread which
 * passes while another arms or disarms sees a whole one: stall_ms, nth, and_after and
 * action, from the top. */
static atomic_uint_fast64_t rules_armed[HL_N_FAILPOINTS];
static atomic_uint_fast64_t passages[HL_N_FAILPOINTS];
static atomic_bool is_armed;

enum { ACTION_BITS = 2, NTH_BITS = 40, STALL_SHIFT = ACTION_BITS + 1 + NTH_BITS };
static const uint64_t most_nth = (UINT64_C(1) << NTH_BITS) - 1;

static uint64_t pack(const struct rule *rule)
{
    return (uint64_t)rule->stall_ms << STALL_SHIFT | rule->nth << (ACTION_BITS + 1) |
           (uint64_t)rule->and_after << ACTION_BITS | (uint64_t)rule->action;
}

static struct rule unpack(uint64_t packed)
{
    return (struct rule){.action = (enum action)(packed & ((1U << ACTION_BITS) - 1)),
                         .and_after = (packed >> ACTION_BITS & 1) != 0,
                         .nth = packed >> (ACTION_BITS + 1) & most_nth,
                         .stall_ms = (unsigned)(packed >> STALL_SHIFT)};
}

static void stall(unsigned ms)
{
    struct timespec left = {.tv_sec = ms / 1000, .tv_nsec = (long)(ms % 1000) * 1000000L};

    while (nanosleep(&left, &left) != 0 && errno == EINTR)
        continue;
}

bool hl_failpoint_hit(enum hl_failpoint point)
{
    struct rule rule;
    uint64_t nth;

    /* Relaxed: whoever passes while somebody arms is early or late, and that is all. */
    if (!atomic_load_explicit(&is_armed, memory_order_relaxed))
        return false;
    nth = atomic_fetch_add(&passages[point], 1) + 1;
    rule = unpack(atomic_load(&rules_armed[point]));
    if (rule.action == ACTION_NONE || nth < rule.nth || (nth > rule.nth && !rule.and_after))
        return false;
    if (rule.action == ACTION_STALL) {
        stall(rule.stall_ms);
        return false;
    }
    if (rule.action == ACTION_KILL)
        (void)kill(getpid(), SIGKILL);
    return true;
}

static bool find_point(const char *name, size_t len, enum hl_failpoint *ret_point)
{
    for (int point = 0; point < HL_N_FAILPOINTS; point++) {
        if (strlen(names[point]) == len && memcmp(names[point], name, len) == 0) {
            *ret_point = (enum hl_failpoint)point;
            return true;
        }
    }
    return false;
}

static bool read_number(const char **text, uint64_t *ret_value)
{
    char *end;

    if (!isdigit((unsigned char)**text))
        return false;
    errno = 0;
    *ret_value = strtoull(*text, &end, 10);
    *text = end;
    return errno == 0;
}

static bool read_action(const char **text, struct rule *rule)
{
    uint64_t ms;

    if (strncmp(*text, "fail", 4) == 0) {
        rule->action = ACTION_FAIL;
        *text += 4;
        return true;
    }
    if (strncmp(*text, "kill", 4) == 0) {
        rule->action = ACTION_KILL;
        *text += 4;
        return true;
    }
    if (strncmp(*text, "stall", 5) != 0)
        return false;
    *text += 5;
    if (!read_number(text, &ms) || ms > 600000)
        return false;
    rule->action = ACTION_STALL;
    rule->stall_ms = (unsigned)ms;
    return true;
}

static bool read_rule(const char **text, struct rule rules[HL_N_FAILPOINTS])
{
    const char *equals = strchr(*text, '=');
    enum hl_failpoint point;
    struct rule rule = {0};

    if (!equals || !find_point(*text, (size_t)(equals - *text), &point))
        return false;
    *text = equals + 1;
    if (!read_number(text, &rule.nth) || rule.nth == 0 || rule.nth > most_nth)
        return false;
    if (**text == '+') {
        rule.and_after = true;
        ++*text;
    }
    if (**text != ':')
        return false;
    ++*text;
    if (!read_action(text, &rule))
        return false;
    rules[point] = rule;
    return true;
}

enum hl_code hl_failpoint_arm(const char *rules, struct hl_err *err)
{
    struct rule wanted[HL_N_FAILPOINTS] = {0};
    const char *at = rules;

    while (*at) {
        const char *start = at;

        if (!read_rule(&at, wanted) || (*at && *at != ','))
            return hl_fail(err, HL_WRONG_INPUT,
                           "cannot read failpoint rule \"%s\": wanted "
                           "place=N:fail, place=N:kill or place=N:stallMS",
                           start);
        if (*at == ',')
            at++;
    }
    hl_failpoint_disarm();
    for (int point = 0; point < HL_N_FAILPOINTS; point++)
        atomic_store(&rules_armed[point], pack(&wanted[point]));
    atomic_store(&is_armed, true);
    return HL_OK;
}

void hl_failpoint_disarm(void)
{
    atomic_store(&is_armed, false);
    for (int point = 0; point < HL_N_FAILPOINTS; point++)
        atomic_store(&passages[point], 0);
    for (int point = 0; point < HL_N_FAILPOINTS; point++)
        atomic_store(&rules_armed[point], 0);
}

uint64_t hl_failpoint_count(enum hl_failpoint point)
{
    return atomic_load(&passages[point]);
}
