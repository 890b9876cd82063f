/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HL_PROTO_ALIASES_H
#define HL_PROTO_ALIASES_H

#include "proto/field.h"
#include "proto/text.h"

/* `{"actions":[{"create_alias":{…}}, …]}`: to be done in this order, all or none. Plain
 * data in the arena of the tokens. */
enum hl_alias_kind { HL_ALIAS_CREATE, HL_ALIAS_DELETE, HL_ALIAS_RENAME };

struct hl_alias_action {
    enum hl_alias_kind kind;
    struct hl_text alias;      /* not empty; of a renaming, the old name */
    struct hl_text collection; /* of HL_ALIAS_CREATE */
    struct hl_text new_alias;  /* of HL_ALIAS_RENAME, not empty */
};

struct hl_alias_actions {
    const struct hl_alias_action *items;
    size_t n;
};

enum hl_code hl_alias_actions_read(const struct hl_field *field,
                                   struct hl_alias_actions *ret_actions,
                                   struct hl_err *err);

#endif
