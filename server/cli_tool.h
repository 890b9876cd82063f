/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HL_SERVER_CLI_TOOL_H
#define HL_SERVER_CLI_TOOL_H

#include "proto/buf.h"
#include "proto/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The subcommands that work on files and on running servers: what they take, what they say
 * of themselves, and what they do. One table; plain data, any thread. */

enum { HL_TOOL_MAX_FLAGS = 32, HL_TOOL_MAX_FILES = 64 };

struct hl_tool_flag {
    const char *name; /* "--collection" */
    const char *word; /* what its value is called, NULL: it takes none */
    const char *help;
    bool is_needed;
};

/* What was typed behind the tool's name, borrowed from the arguments. */
struct hl_tool_words {
    const char
        *values[HL_TOOL_MAX_FLAGS]; /* by place in the tool's flags; NULL: not there */
    const char *files[HL_TOOL_MAX_FILES];
    size_t n_files;
};

struct hl_tool {
    const char *name;
    const char *summary; /* a few words, for the list of commands */
    const char *usage;   /* behind the name, without flags */
    const char *text;    /* paragraphs behind the flags */
    const struct hl_tool_flag *flags;
    size_t n_flags;
    size_t min_files, max_files;
    bool has_signals; /* takes them itself: there is no other thread that would get them */
    const char *file; /* what a word without a flag is; NULL: "file" */
    enum hl_code (*run)(const struct hl_tool_words *words, struct hl_err *err);
};

extern const struct hl_tool *const hl_tools[];
extern const size_t hl_n_tools;

/* NULL when there is no tool of the name. */
const struct hl_tool *hl_tool_find(const char *name);

/* HL_INVALID with a sentence that suggests what may have been meant. *ret_wants_help: it
 * was asked for, and the rest does not matter. */
enum hl_code hl_tool_parse(const struct hl_tool *tool, size_t n_args,
                           const char *const *args, struct hl_tool_words *ret_words,
                           bool *ret_wants_help, struct hl_err *err);

void hl_tool_help(const struct hl_tool *tool, struct hl_buf *buf);

/* A whole number of a flag, or `standard` when it was not given. HL_INVALID. */
enum hl_code hl_tool_number(const struct hl_tool *tool, const struct hl_tool_words *words,
                            size_t flag, uint64_t standard, uint64_t *ret_number,
                            struct hl_err *err);

/* A decimal number such as 7 or 0.5, not below 0 and without an exponent. False: it is
 * none. */
bool hl_tool_read_decimal(const char *text, size_t len, double *ret_value);

#endif
