/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HL_SERVER_CLI_REMOTE_H
#define HL_SERVER_CLI_REMOTE_H

#include "proto/arena.h"
#include "server/caller.h"

#include <stdint.h>

/* A collection on a running server, as the command line works with it: calls that are
 * repeated while that can help. One thread. */
struct hl_remote {
    struct hl_caller *caller;
    struct hl_buf path; /* of the last call */
    const char *collection;
};

/* The key that was typed, else the variable HEIRLOOM_API_KEY; NULL: neither. */
const char *hl_remote_key(const char *typed);

/* `key` as it was typed. */
enum hl_code hl_remote_init(struct hl_remote *remote, const char *url, const char *key,
                            const char *collection, struct hl_err *err);
void hl_remote_done(struct hl_remote *remote);

/* `/collections/NAME` and what is behind it; "" for the collection itself. A server that is
 * away, full or busy is asked again for half a minute. Any status but 2xx is its sentence.
 */
enum hl_code hl_remote_ask(struct hl_remote *remote, const char *method, const char *behind,
                           const struct hl_buf *body, struct hl_span *ret_body,
                           struct hl_err *err);

/* GET, once and not for long: for who asks every second anyway. */
enum hl_code hl_remote_peek(struct hl_remote *remote, const char *behind,
                            struct hl_span *ret_body, struct hl_err *err);

/* Whether it is there, and its points. */
enum hl_code hl_remote_exists(struct hl_remote *remote, bool *ret_exists,
                              struct hl_err *err);
enum hl_code hl_remote_count(struct hl_remote *remote, const char *filter,
                             uint64_t *ret_count, struct hl_err *err);

/* The source text of a member of a reply: of "result", "config", … each in the one before,
 * at most eight. `ret_text->data` is NULL when one of them is not there or null. It is good
 * as long as the reply. HL_BAD_FILE when the reply is no such JSON. */
enum hl_code hl_reply_find(const struct hl_span *body, const char *const *path, size_t n,
                           struct hl_arena *arena, struct hl_span *ret_text,
                           struct hl_err *err);

#define HL_REMOTE_URL "http://127.0.0.1:6333"

#endif
