/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HL_SERVER_CLI_IMPORT_H
#define HL_SERVER_CLI_IMPORT_H

#include "server/cli_tool.h"

/* `heirloom import`: points from files into a running server. */
extern const struct hl_tool hl_cli_import;

#endif
