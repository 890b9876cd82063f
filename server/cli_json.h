/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HL_SERVER_CLI_JSON_H
#define HL_SERVER_CLI_JSON_H

#include "proto/arena.h"
#include "server/cli_tool.h"
#include "server/target.h"

/* Single values out of a server's reply, for the command line: what is not there, null, or
 * of another kind is as good as not there, so that an older or a newer server is shown as
 * far as it goes. Texts are good as long as the reply and the arena. Any thread. */

/* `path` is at most eight names of members with dots between. The source text of the value;
 * len 0: there is none. */
struct hl_span hl_cli_find(const struct hl_span *json, const char *path,
                           struct hl_arena *arena);

const char *hl_cli_text(const struct hl_span *json, const char *path,
                        struct hl_arena *arena); /* NULL: there is none */
double hl_cli_number(const struct hl_span *json, const char *path,
                     struct hl_arena *arena); /* NaN: there is none */
bool hl_cli_is_true(const struct hl_span *json, const char *path, struct hl_arena *arena);

/* The items of an array one after the other, with *at 0 before the first: false behind the
 * last. */
bool hl_cli_next(const struct hl_span *array, size_t *at, struct hl_arena *arena,
                 struct hl_span *ret_item);

/* ---- the other way ---- */

/* A flag as a member of a body: words as strings; numbers and objects as they are typed,
 * which the server checks; what takes no value as true. */
struct hl_cli_member {
    const char *name;
    unsigned flag; /* by place in the tool's flags */
    bool is_text;
};

/* Those that were given, into an object that is open. */
void hl_cli_print_members(const struct hl_tool_words *words,
                          const struct hl_cli_member *members, size_t n,
                          struct hl_buf *buf);

#endif
