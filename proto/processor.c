/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/processor.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

/* The compiler's runtime asks the processor, and whether the kernel saves its registers. */
static bool can_run(enum hl_processor needs)
{
#ifdef __x86_64__
    switch (needs) {
    case HL_PROCESSOR_AVX2:
        return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
    case HL_PROCESSOR_AVX512:
        return __builtin_cpu_supports("avx512f");
    case HL_PROCESSOR_VNNI:
        return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
               __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512vnni");
    case HL_PROCESSOR_ANY:
    default:
        return true;
    }
#else
    return needs == HL_PROCESSOR_ANY;
#endif
}

static enum hl_code fail_unknown(const char *name,
                                 const struct hl_processor_choice *choices, size_t n,
                                 struct hl_err *err)
{
    char names[sizeof err->msg] = "auto";
    size_t len = strlen(names);

    for (size_t i = 0; i < n && len < sizeof names; i++)
        len += (size_t)snprintf(names + len, sizeof names - len, "%s%s",
                                i + 1 < n ? ", " : " or ", choices[i].name);
    return hl_fail(err, HL_INVALID, "kernels \"%s\" are unknown, wanted %s", name, names);
}

enum hl_code hl_processor_choose(const char *name,
                                 const struct hl_processor_choice *choices, size_t n,
                                 const void **ret_table, struct hl_err *err)
{
    const bool is_auto = strcmp(name, "auto") == 0;

    for (size_t i = 0; i < n; i++) {
        if (!is_auto && strcmp(name, choices[i].name) != 0)
            continue;
        if (choices[i].table && can_run(choices[i].needs)) {
            *ret_table = choices[i].table;
            return HL_OK;
        }
        if (!is_auto)
            return hl_fail(err, HL_INVALID, "this processor cannot run the kernels \"%s\"",
                           name);
    }
    return fail_unknown(name, choices, n, err);
}
