/* SPDX-License-Identifier: Apache-2.0 */
#include "server/cli_tool.h"

#include "proto/number.h"
#include "server/cli_bench.h"
#include "server/cli_check.h"
#include "server/cli_demo.h"
#include "server/cli_evaluate.h"
#include "server/cli_export.h"
#include "server/cli_fit.h"
#include "server/cli_import.h"
#include "server/cli_rollout.h"
#include "server/cli_swap.h"
#include "server/fold.h"
#include "server/suggest.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

enum { SUGGESTION_SIZE = 128 };

const struct hl_tool *const hl_tools[] = {&hl_cli_import,   &hl_cli_export,  &hl_cli_fit,
                                          &hl_cli_evaluate, &hl_cli_check,   &hl_cli_demo,
                                          &hl_cli_swap,     &hl_cli_rollout, &hl_cli_bench};
const size_t hl_n_tools = sizeof hl_tools / sizeof hl_tools[0];

const struct hl_tool *hl_tool_find(const char *name)
{
    for (size_t i = 0; i < hl_n_tools; i++)
        if (strcmp(hl_tools[i]->name, name) == 0)
            return hl_tools[i];
    return NULL;
}

static bool is_help_flag(const char *arg)
{
    return strcmp(arg, "--help") == 0 || strcmp(arg, "-h") == 0;
}

/* Which flag an argument is, n_flags: none. `*ret_value` is what stands behind a "=". */
static size_t find_flag(const struct hl_tool *tool, const char *arg, const char **ret_value)
{
    size_t len = strcspn(arg, "="), flag = 0;

    while (flag < tool->n_flags && (strlen(tool->flags[flag].name) != len ||
                                    strncmp(tool->flags[flag].name, arg, len) != 0))
        flag++;
    *ret_value = arg[len] == '=' ? arg + len + 1 : NULL;
    return flag;
}

static enum hl_code refuse_flag(const struct hl_tool *tool, const char *arg,
                                struct hl_err *err)
{
    struct hl_suggest suggest;
    char words[SUGGESTION_SIZE];

    hl_suggest_init(&suggest, arg, strcspn(arg, "="));
    for (size_t i = 0; i < tool->n_flags; i++)
        hl_suggest_offer(&suggest, tool->flags[i].name);
    hl_suggest_offer(&suggest, "--help");
    return hl_fail(err, HL_INVALID, "%s has no flag \"%.64s\"%s", tool->name, arg,
                   hl_suggest_words(&suggest, words, sizeof words));
}

static enum hl_code take_flag(const struct hl_tool *tool, size_t flag, const char *value,
                              struct hl_tool_words *words, struct hl_err *err)
{
    const struct hl_tool_flag *row = &tool->flags[flag];

    if (row->word && !value)
        return hl_fail(err, HL_INVALID, "\"%s\" wants a value: %s", row->name, row->word);
    if (!row->word && value)
        return hl_fail(err, HL_INVALID, "\"%s\" takes no value", row->name);
    if (words->values[flag])
        return hl_fail(err, HL_INVALID, "\"%s\" is there twice", row->name);
    words->values[flag] = row->word ? value : "";
    return HL_OK;
}

static enum hl_code check_words(const struct hl_tool *tool,
                                const struct hl_tool_words *words, struct hl_err *err)
{
    for (size_t i = 0; i < tool->n_flags; i++)
        if (tool->flags[i].is_needed && !words->values[i])
            return hl_fail(err, HL_INVALID, "%s wants \"%s %s\"", tool->name,
                           tool->flags[i].name, tool->flags[i].word);
    if (words->n_files < tool->min_files)
        return hl_fail(err, HL_INVALID, "%s wants %s", tool->name,
                       tool->file ? tool->file : "a file");
    return HL_OK;
}

enum hl_code hl_tool_parse(const struct hl_tool *tool, size_t n_args,
                           const char *const *args, struct hl_tool_words *ret_words,
                           bool *ret_wants_help, struct hl_err *err)
{
    struct hl_tool_words words = {0};
    enum hl_code code = HL_OK;

    for (size_t i = 0; code == HL_OK && i < n_args; i++) {
        const char *value = NULL;
        size_t flag = find_flag(tool, args[i], &value);

        if (is_help_flag(args[i])) {
            *ret_wants_help = true;
            return HL_OK;
        }
        if (flag < tool->n_flags) {
            if (tool->flags[flag].word && !value && i + 1 < n_args)
                value = args[++i];
            code = take_flag(tool, flag, value, &words, err);
        } else if (args[i][0] == '-' && args[i][1] != '\0') {
            code = refuse_flag(tool, args[i], err);
        } else if (words.n_files == tool->max_files) {
            code = hl_fail(err, HL_INVALID, "%s takes at most %zu %s%s, \"%.64s\" is more",
                           tool->name, tool->max_files, tool->file ? "word" : "file",
                           tool->max_files == 1 ? "" : "s", args[i]);
        } else {
            words.files[words.n_files++] = args[i];
        }
    }
    if (code == HL_OK)
        code = check_words(tool, &words, err);
    if (code == HL_OK) {
        *ret_wants_help = false;
        *ret_words = words;
    }
    return code;
}

void hl_tool_help(const struct hl_tool *tool, struct hl_buf *buf)
{
    hl_buf_print(buf, "heirloom %s: %s\n\nusage: heirloom %s %s\n", tool->name,
                 tool->summary, tool->name, tool->usage);
    if (tool->n_flags > 0)
        hl_buf_add_text(buf, "\nflags:\n");
    for (size_t i = 0; i < tool->n_flags; i++) {
        const struct hl_tool_flag *flag = &tool->flags[i];

        hl_buf_print(buf, "    %s%s%s\n", flag->name, flag->word ? " " : "",
                     flag->word ? flag->word : "");
        hl_fold(flag->help, "        ", 80, buf);
    }
    hl_buf_print(buf, "\n%s", tool->text);
}

enum hl_code hl_tool_number(const struct hl_tool *tool, const struct hl_tool_words *words,
                            size_t flag, uint64_t standard, uint64_t *ret_number,
                            struct hl_err *err)
{
    const char *value = words->values[flag];

    if (!value)
        *ret_number = standard;
    else if (*value == '\0' || strspn(value, "0123456789") != strlen(value) ||
             !hl_number_u64(value, strlen(value), ret_number))
        return hl_fail(err, HL_INVALID, "\"%s\" wants a whole number, not \"%.64s\"",
                       tool->flags[flag].name, value);
    return HL_OK;
}

bool hl_tool_read_decimal(const char *text, size_t len, double *ret_value)
{
    if (len == 0 || strspn(text, "0123456789.") < len || *text == '.' ||
        text[len - 1] == '.' || memchr(text, '.', len) != memrchr(text, '.', len))
        return false;
    *ret_value = hl_number_double(text, len);
    return isfinite(*ret_value);
}
