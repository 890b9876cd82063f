/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HL_SERVER_CLI_EVALUATE_H
#define HL_SERVER_CLI_EVALUATE_H

#include "server/cli_tool.h"

/* `heirloom evaluate`: the report of a bridge, of a chain of two, or of two models as they
 * are, on files. */
extern const struct hl_tool hl_cli_evaluate;

#endif
