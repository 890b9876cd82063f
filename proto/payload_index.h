/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HL_PROTO_PAYLOAD_INDEX_H
#define HL_PROTO_PAYLOAD_INDEX_H

#include "proto/path.h"
#include "proto/text.h"

/* A payload index to be made: `{"field_name":"a.b","field_schema":"keyword"}`, or with the
 * schema as an object. Plain data in the arena of the tokens. Full-text indexes are
 * HL_NOT_SUPPORTED; flags say how an index is laid out elsewhere and change no answer. */
enum hl_index_type {
    HL_INDEX_KEYWORD,
    HL_INDEX_INTEGER,
    HL_INDEX_FLOAT,
    HL_INDEX_BOOL,
    HL_INDEX_GEO,
    HL_INDEX_DATETIME,
    HL_INDEX_UUID,
    HL_N_INDEX_TYPES
};

struct hl_payload_index {
    struct hl_path key;
    enum hl_index_type type;
    bool is_tenant;
    struct hl_text params; /* the schema's object as it came; NULL when it was a word */
};

/* "keyword" … and back. */
const char *hl_index_type_name(enum hl_index_type type);

enum hl_code hl_payload_index_read(const struct hl_field *field,
                                   struct hl_payload_index *ret_index, struct hl_err *err);

#endif
