/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HL_SERVER_SUGGEST_H
#define HL_SERVER_SUGGEST_H

#include <stddef.h>

/* Which known name somebody may have meant. Names are offered one by one; the nearest one
 * is kept if it is near enough to be a slip of the hand. Plain data; one thread. */
struct hl_suggest {
    const char *typed;
    size_t len;
    const char *best; /* borrowed from the caller of hl_suggest_offer; NULL: nothing near */
    size_t distance;
};

void hl_suggest_init(struct hl_suggest *suggest, const char *typed, size_t len);
void hl_suggest_offer(struct hl_suggest *suggest, const char *name);

/* `; did you mean "host"?`, or nothing when nothing is near. Returns `ret_words`. */
const char *hl_suggest_words(const struct hl_suggest *suggest, char *ret_words,
                             size_t size);

#endif
