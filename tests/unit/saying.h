/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HL_TESTS_UNIT_SAYING_H
#define HL_TESTS_UNIT_SAYING_H

/* Whether a text has some words in it. Include it behind cmocka.h. */
#include <string.h>

/* NULL has none. */
static inline void assert_in(const char *text, const char *words)
{
    if (!text || !strstr(text, words))
        fail_msg("\"%s\" is not in: %s", words, text ? text : "nothing");
}

#endif
