/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HL_PROTO_RECOVER_H
#define HL_PROTO_RECOVER_H

#include "proto/field.h"
#include "proto/text.h"

/* From which snapshot a collection shall be recovered: `{"location":"file:///…"}`. Plain
 * data in the arena of the tokens. `priority` settles whose copy wins among several nodes,
 * so it is checked and says nothing here. */
struct hl_recover {
    struct hl_text location; /* not empty; which schemes there are is the server's matter */
    struct hl_text checksum; /* 64 hexadecimal digits of a SHA-256; NULL: unchecked */
    struct hl_text api_key;  /* for who serves the location; NULL: none */
};

/* What stands in the URL when the snapshot itself is the body: `?checksum=…&priority=…`,
 * checked alike; NULL: not given. HL_MALFORMED. */
enum hl_code hl_recover_check(const char *checksum, const char *priority,
                              struct hl_err *err);

enum hl_code hl_recover_read(const struct hl_field *field, struct hl_recover *ret_recover,
                             struct hl_err *err);

#endif
