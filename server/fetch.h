/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HL_SERVER_FETCH_H
#define HL_SERVER_FETCH_H

#include "proto/deadline.h"
#include "proto/err.h"

#include <stdint.h>

/* A file from an HTTP server elsewhere: a snapshot that a collection is recovered from. For
 * readers' threads, which wait for it. Redirections are not followed. */
struct hl_fetch {
    const char
        *url; /* http://HOST[:PORT]/PATH, escaped; the port is 80 when none is named */
    const char *key;  /* sent as `api-key`; NULL: none */
    const char *path; /* where it is put, whole or not at all */
    uint64_t max_bytes;
    const struct hl_deadline *deadline;
};

/* HL_NOT_SUPPORTED, HL_INVALID for what is no such address; HL_WRONG_INPUT when the other
 * server refused, HL_UNAVAILABLE when it could not be reached or broke off, HL_TIMEOUT when
 * it fell silent, HL_TOO_LARGE. The sentence names the address. */
enum hl_code hl_fetch_save(const struct hl_fetch *fetch, struct hl_err *err);

#endif
