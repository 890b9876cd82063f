/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HL_SERVER_CLI_SWAP_H
#define HL_SERVER_CLI_SWAP_H

#include "server/cli_tool.h"

extern const struct hl_tool hl_cli_swap;

#endif
