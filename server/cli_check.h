/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HL_SERVER_CLI_CHECK_H
#define HL_SERVER_CLI_CHECK_H

#include "server/cli_tool.h"

/* `heirloom check`: reads a data folder that no server uses, and says what is wrong. */
extern const struct hl_tool hl_cli_check;

#endif
