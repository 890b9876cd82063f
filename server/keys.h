/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HL_SERVER_KEYS_H
#define HL_SERVER_KEYS_H

#include "proto/err.h"
#include "server/config.h"
#include "server/live.h"

#include <stdbool.h>
#include <stddef.h>

/* Who may call: an immutable set of keys, one view of it served at a time.
 *
 * A reload publishes the next set; a request asks the one it acquired, once. */
struct hl_keys;

struct hl_key {
    char id[HL_KEY_ID_SIZE]; /* for logs and metrics; never the secret */
    enum hl_access access;
};

/* Copies what it needs of `keys`, which hl_config_load has checked. */
enum hl_code hl_keys_new(const struct hl_key_config *keys, size_t n_keys,
                         struct hl_keys **ret_keys, struct hl_err *err);
void hl_keys_free(struct hl_keys *keys); /* one that was never published; wipes it */

/* The set in the shape hl_live publishes, and back. */
struct hl_view *hl_keys_view(struct hl_keys *keys);
const struct hl_keys *hl_keys_of(const struct hl_view *view);

size_t hl_keys_count(const struct hl_keys *keys); /* 0: every caller may do everything */

/* The key with that secret, or NULL. What it costs depends on the length of the presented
 * secret and on the number of keys, and on nothing that a caller would like to know. Good
 * as long as the set. Any thread. */
const struct hl_key *hl_keys_find(const struct hl_keys *keys, const char *secret,
                                  size_t len);

#endif
