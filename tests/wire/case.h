/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HL_TESTS_WIRE_CASE_H
#define HL_TESTS_WIRE_CASE_H

#include <stdbool.h>
#include <stddef.h>

/* A case file, read: what is sent to a server and the least that must come back.
 *
 * The grammar is in README.md beside this file. A case is plain data, read once and
 * immutable; it owns its text. One thread. */

enum hl_step_kind {
    HL_STEP_CONNECT, /* a new connection takes the place of the one there is */
    HL_STEP_SEND,
    HL_STEP_REPLY,
    HL_STEP_SHUT,   /* no more is sent on this connection */
    HL_STEP_CLOSED, /* the server closes and sends nothing before */
    HL_STEP_REFUSED /* a reply of 4xx, or the same as above */
};

enum { HL_CASE_MAX_STEPS = 96, HL_CASE_MAX_LINES = 16 };

struct hl_want {
    int status;
    bool is_head;
    size_t n_headers; /* "Name: pattern", or "!Name" for one that may not be there */
    char *headers[HL_CASE_MAX_LINES];
    size_t n_parts; /* texts that the body contains */
    char *parts[HL_CASE_MAX_LINES];
    char *text; /* the whole body, or NULL */
    char *json; /* a pattern for it, or NULL */
};

struct hl_step {
    enum hl_step_kind kind;
    size_t line;
    char *bytes; /* HL_STEP_SEND */
    size_t n_bytes;
    struct hl_want want; /* HL_STEP_REPLY */
};

struct hl_case {
    const char *path; /* as given */
    char *title;
    char *config; /* of the server it needs, "" for none; cases that agree share a server */
    size_t n_env;
    char *env[HL_CASE_MAX_LINES + 1]; /* NULL at the end */
    size_t n_steps;
    struct hl_step steps[HL_CASE_MAX_STEPS];
};

/* NULL: the file cannot be read as a case; the line and the reason have been printed. */
struct hl_case *hl_case_load(const char *path);
void hl_case_free(struct hl_case *one);

/* Whether one server can play both. */
bool hl_case_shares_server(const struct hl_case *a, const struct hl_case *b);

#endif
