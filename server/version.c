/* SPDX-License-Identifier: Apache-2.0 */
#include "server/version.h"

#include "server/commit.h"

#ifdef __clang__
#define COMPILER __VERSION__
#else
#define COMPILER "gcc " __VERSION__
#endif

const char *hl_version(void)
{
    return HL_VERSION;
}

const char *hl_commit(void)
{
    return HL_COMMIT;
}

const char *hl_compiler(void)
{
    return COMPILER;
}
