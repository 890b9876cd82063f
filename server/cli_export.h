/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HL_SERVER_CLI_EXPORT_H
#define HL_SERVER_CLI_EXPORT_H

#include "server/cli_tool.h"

/* `heirloom export`: points from a running server into files. */
extern const struct hl_tool hl_cli_export;

#endif
