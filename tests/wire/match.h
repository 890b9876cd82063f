/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HL_TESTS_WIRE_MATCH_H
#define HL_TESTS_WIRE_MATCH_H

#include "tests/support/client.h"
#include "tests/wire/case.h"

#include <stdbool.h>

/* Whether a reply holds the least that a case wants of it. Any thread. */

enum { HL_WHY_SIZE = 512 };

/* `<any>` in the pattern stands for any text, the empty one too. */
bool hl_match_text(const char *pattern, const char *text);

/* Both are JSON; README.md says what a pattern may hold. `why`, HL_WHY_SIZE bytes, is
 * filled when it is false: the path and what stands there. */
bool hl_match_json(const char *pattern, const char *text, char *why);

bool hl_match_reply(const struct hl_want *want, const struct hl_client_reply *reply,
                    char *why);

#endif
