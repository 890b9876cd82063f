/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HL_SERVER_CLI_BENCH_H
#define HL_SERVER_CLI_BENCH_H

#include "server/cli_tool.h"

/* `heirloom bench`. */
extern const struct hl_tool hl_cli_bench;

#endif
