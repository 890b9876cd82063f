/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HL_SERVER_CLI_DEMO_H
#define HL_SERVER_CLI_DEMO_H

#include "server/cli_tool.h"

/* `heirloom demo`: a gallery of photographs to try things on, into a running server. */
extern const struct hl_tool hl_cli_demo;

#endif
