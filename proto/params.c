/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/params.h"

#include "proto/number.h"

#include <string.h>

static enum hl_code refuse(const char *name, const char *value, const char *wanted,
                           struct hl_err *err)
{
    return hl_fail(err, HL_MALFORMED,
                   "Format error in query parameters: %s: expected %s, got \"%.64s\"", name,
                   wanted, value);
}

static bool is_one_of(const char *value, const char *const *words)
{
    while (*words && strcmp(value, *words) != 0)
        words++;
    return *words != NULL;
}

/* Digits alone: no sign, no space, no leading zeros, as JSON has it. */
static bool read_count(const char *value, uint64_t *ret_count)
{
    size_t len = strlen(value);

    return len > 0 && strspn(value, "0123456789") == len && (len == 1 || *value != '0') &&
           hl_number_u64(value, len, ret_count) && *ret_count > 0;
}

enum hl_code hl_params_add(struct hl_params *params, const char *name, const char *value,
                           struct hl_err *err)
{
    static const char *const bools[] = {"true", "false", NULL};
    static const char *const orderings[] = {"weak", "medium", "strong", NULL};
    static const char *const readings[] = {"majority", "quorum", "all", NULL};
    const char *text = value ? value : "";
    uint64_t count;

    if (strcmp(name, "wait") == 0) {
        if (!is_one_of(text, bools))
            return refuse(name, text, "true or false", err);
        params->waits = *text == 't';
    } else if (strcmp(name, "timeout") == 0) {
        if (!read_count(text, &count))
            return refuse(name, text, "seconds, 1 or more", err);
        params->timeout_s = count;
    } else if (strcmp(name, "ordering") == 0) {
        if (!is_one_of(text, orderings))
            return refuse(name, text, "weak, medium or strong", err);
    } else if (strcmp(name, "consistency") == 0) {
        if (!is_one_of(text, readings) && !read_count(text, &count))
            return refuse(name, text, "a number, majority, quorum or all", err);
    }
    return HL_OK;
}
