/* SPDX-License-Identifier: Apache-2.0 */
#include "server/cli.h"

#include "server/suggest.h"

#include <string.h>

enum { SUGGESTION_SIZE = 128 };

static const char *const command_names[HL_N_COMMANDS] = {
    [HL_COMMAND_HELP] = "help",
    [HL_COMMAND_SERVE] = "serve",
    [HL_COMMAND_VERSION] = "version",
};

/* What is left of the arguments. */
struct args {
    const char *const *at;
    size_t n;
};

static bool is_help_flag(const char *arg)
{
    return strcmp(arg, "--help") == 0 || strcmp(arg, "-h") == 0;
}

/* *ret_tool is set for HL_COMMAND_TOOL alone. */
static enum hl_code find_command(const char *name, enum hl_command *ret_command,
                                 const struct hl_tool **ret_tool, struct hl_err *err)
{
    const struct hl_tool *tool = hl_tool_find(name);
    struct hl_suggest suggest;
    char words[SUGGESTION_SIZE];

    if (tool) {
        *ret_command = HL_COMMAND_TOOL;
        *ret_tool = tool;
        return HL_OK;
    }
    hl_suggest_init(&suggest, name, strlen(name));
    for (size_t i = 0; i < hl_n_tools; i++)
        hl_suggest_offer(&suggest, hl_tools[i]->name);
    for (unsigned i = 0; i < HL_N_COMMANDS; i++) {
        hl_suggest_offer(&suggest, command_names[i]);
        if (strcmp(name, command_names[i]) != 0)
            continue;
        *ret_command = (enum hl_command)i;
        return HL_OK;
    }
    return hl_fail(err, HL_INVALID, "there is no command \"%.64s\"%s", name,
                   hl_suggest_words(&suggest, words, sizeof words));
}

static enum hl_code parse_help(struct args args, struct hl_cli *cli, struct hl_err *err)
{
    cli->command = HL_COMMAND_HELP;
    cli->topic = HL_COMMAND_HELP;
    if (args.n == 0)
        return HL_OK;
    if (args.n > 1)
        return hl_fail(err, HL_INVALID, "help takes one command, not %zu", args.n);
    return find_command(args.at[0], &cli->topic, &cli->tool, err);
}

/* What stands behind "--name=", or NULL when `arg` is something else. */
static const char *value_behind(const char *arg, const char *name)
{
    size_t len = strlen(name);

    return strncmp(arg, name, len) == 0 && arg[len] == '=' ? arg + len + 1 : NULL;
}

/* Whether args.at[0] is the flag `name`. If so its value is taken, from the same argument
 * or the next one; it is NULL when there is none. */
static bool take_flag(struct args *args, const char *name, const char **ret_value)
{
    const char *value = value_behind(args->at[0], name);

    if (!value && strcmp(args->at[0], name) != 0)
        return false;
    if (!value && args->n > 1) {
        args->at++;
        args->n--;
        value = args->at[0];
    }
    args->at++;
    args->n--;
    *ret_value = value;
    return true;
}

static enum hl_code take_once(const char *name, const char *value, bool is_second,
                              struct hl_err *err)
{
    if (!value)
        return hl_fail(err, HL_INVALID, "\"%s\" wants a value", name);
    if (is_second)
        return hl_fail(err, HL_INVALID, "\"%s\" is there twice", name);
    return HL_OK;
}

static enum hl_code add_flag(struct hl_cli *cli, enum hl_setting setting, const char *value,
                             struct hl_err *err)
{
    const char *name = hl_setting_row(setting)->flag;
    bool is_second = false;
    enum hl_code code;

    for (size_t i = 0; i < cli->n_flags; i++)
        is_second = is_second || cli->flags[i].setting == setting;
    code = take_once(name, value, is_second, err);
    if (code == HL_OK)
        cli->flags[cli->n_flags++] = (struct hl_config_flag){setting, name, value};
    return code;
}

static enum hl_code refuse_flag(const char *arg, struct hl_err *err)
{
    struct hl_suggest suggest;
    char words[SUGGESTION_SIZE];

    if (arg[0] != '-')
        return hl_fail(err, HL_INVALID, "serve takes flags only, not \"%.64s\"", arg);
    hl_suggest_init(&suggest, arg, strcspn(arg, "="));
    for (unsigned i = 0; i < HL_N_SETTINGS; i++)
        if (hl_setting_row((enum hl_setting)i)->flag)
            hl_suggest_offer(&suggest, hl_setting_row((enum hl_setting)i)->flag);
    hl_suggest_offer(&suggest, "--config");
    hl_suggest_offer(&suggest, "--check-config");
    hl_suggest_offer(&suggest, "--print-config");
    hl_suggest_offer(&suggest, "--help");
    return hl_fail(err, HL_INVALID, "serve has no flag \"%.64s\"%s", arg,
                   hl_suggest_words(&suggest, words, sizeof words));
}

static enum hl_code parse_serve_flag(struct args *args, struct hl_cli *cli,
                                     struct hl_err *err)
{
    const char *value;
    enum hl_code code;

    for (unsigned i = 0; i < HL_N_SETTINGS; i++) {
        const char *name = hl_setting_row((enum hl_setting)i)->flag;

        if (name && take_flag(args, name, &value))
            return add_flag(cli, (enum hl_setting)i, value, err);
    }
    if (take_flag(args, "--config", &value)) {
        code = take_once("--config", value, cli->config_file != NULL, err);
        cli->config_file = value;
        return code;
    }
    if (strcmp(args->at[0], "--check-config") == 0)
        cli->check_config = true;
    else if (strcmp(args->at[0], "--print-config") == 0)
        cli->print_config = true;
    else
        return refuse_flag(args->at[0], err);
    args->at++;
    args->n--;
    return HL_OK;
}

static enum hl_code parse_serve(struct args args, struct hl_cli *cli, struct hl_err *err)
{
    enum hl_code code = HL_OK;

    cli->command = HL_COMMAND_SERVE;
    while (code == HL_OK && args.n > 0) {
        if (is_help_flag(args.at[0])) {
            cli->command = HL_COMMAND_HELP;
            cli->topic = HL_COMMAND_SERVE;
            return HL_OK;
        }
        code = parse_serve_flag(&args, cli, err);
    }
    return code;
}

static enum hl_code parse_version(struct args args, struct hl_cli *cli, struct hl_err *err)
{
    cli->command = HL_COMMAND_VERSION;
    if (args.n == 0)
        return HL_OK;
    if (!is_help_flag(args.at[0]))
        return hl_fail(err, HL_INVALID, "version takes nothing, not \"%.64s\"", args.at[0]);
    cli->command = HL_COMMAND_HELP;
    cli->topic = HL_COMMAND_VERSION;
    return HL_OK;
}

static enum hl_code parse_tool(struct args args, struct hl_cli *cli, struct hl_err *err)
{
    bool wants_help = false;
    enum hl_code code =
        hl_tool_parse(cli->tool, args.n, args.at, &cli->words, &wants_help, err);

    cli->command = wants_help ? HL_COMMAND_HELP : HL_COMMAND_TOOL;
    cli->topic = HL_COMMAND_TOOL;
    return code;
}

enum hl_code hl_cli_parse(size_t n_args, const char *const *args, struct hl_cli *ret_cli,
                          struct hl_err *err)
{
    struct hl_cli cli = {.command = HL_COMMAND_HELP, .topic = HL_COMMAND_HELP};
    struct args rest;
    enum hl_command command;
    enum hl_code code;

    if (n_args == 0)
        return hl_fail(err, HL_INVALID, "a command is wanted");
    rest = (struct args){args + 1, n_args - 1};
    if (is_help_flag(args[0]))
        command = HL_COMMAND_HELP;
    else if (strcmp(args[0], "--version") == 0)
        command = HL_COMMAND_VERSION;
    else if ((code = find_command(args[0], &command, &cli.tool, err)) != HL_OK)
        return code;
    if (command == HL_COMMAND_SERVE)
        code = parse_serve(rest, &cli, err);
    else if (command == HL_COMMAND_VERSION)
        code = parse_version(rest, &cli, err);
    else if (command == HL_COMMAND_TOOL)
        code = parse_tool(rest, &cli, err);
    else
        code = parse_help(rest, &cli, err);
    if (code == HL_OK)
        *ret_cli = cli;
    return code;
}
