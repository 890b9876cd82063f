/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HL_SERVER_CLI_FIT_H
#define HL_SERVER_CLI_FIT_H

#include "server/cli_tool.h"

/* `heirloom fit`: a bridge learnt from files. */
extern const struct hl_tool hl_cli_fit;

#endif
