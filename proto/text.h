/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HL_PROTO_TEXT_H
#define HL_PROTO_TEXT_H

#include "proto/field.h"

#include <stdbool.h>
#include <stddef.h>

/* A piece of text that is a length and bytes: it may hold zero bytes and is not terminated.
 * What is read from a body points into the body or the arena of its tokens, and is good as
 * long as both are. */
struct hl_text {
    const char *text;
    size_t len;
};

struct hl_texts {
    const struct hl_text *items;
    size_t n;
};

enum hl_code hl_text_read(const struct hl_field *field, struct hl_text *ret_text,
                          struct hl_err *err);

/* An array of strings, in the order it came. */
enum hl_code hl_texts_read(const struct hl_field *field, struct hl_texts *ret_texts,
                           struct hl_err *err);

/* By bytes; a beginning comes before what continues it. Any thread. */
int hl_text_compare(const struct hl_text *a, const struct hl_text *b);
bool hl_text_is(const struct hl_text *text, const char *word);

#endif
