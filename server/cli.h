/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HL_SERVER_CLI_H
#define HL_SERVER_CLI_H

#include "proto/buf.h"
#include "proto/err.h"
#include "server/cli_tool.h"
#include "server/config.h"

#include <stdbool.h>
#include <stddef.h>

/* What was typed. Pure functions over the arguments; main.c does what they say. */

enum hl_command {
    HL_COMMAND_HELP,
    HL_COMMAND_SERVE,
    HL_COMMAND_VERSION,
    HL_N_COMMANDS,
    HL_COMMAND_TOOL = HL_N_COMMANDS /* any of hl_tools */
};

struct hl_cli {
    enum hl_command command;
    enum hl_command topic;      /* of help; HL_COMMAND_HELP: all of them */
    const struct hl_tool *tool; /* of HL_COMMAND_TOOL, as command or topic */
    struct hl_tool_words words; /* of the tool */
    const char *config_file;
    bool check_config;
    bool print_config;
    struct hl_config_flag flags[HL_N_SETTINGS]; /* of serve; each at most once */
    size_t n_flags;
};

/* HL_INVALID with a sentence that suggests what may have been meant. Text is borrowed from
 * `args`, which do not begin with the program's name. */
enum hl_code hl_cli_parse(size_t n_args, const char *const *args, struct hl_cli *ret_cli,
                          struct hl_err *err);

/* The text that `cli` asks for. */
void hl_cli_help(const struct hl_cli *cli, struct hl_buf *buf);

/* One line each: heirloom, its libraries, its compiler, the kernels that were chosen. */
void hl_cli_version(struct hl_buf *buf);

#endif
