/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HL_PROTO_IDS_H
#define HL_PROTO_IDS_H

#include "proto/field.h"
#include "proto/id.h"

#include <stddef.h>

/* Point ids of a body: unsigned 64-bit numbers without loss, and UUIDs in every spelling of
 * proto/id.h. Plain data in the arena of the tokens. */
struct hl_ids {
    const struct hl_id *items;
    size_t n;
};

enum hl_code hl_id_read(const struct hl_field *field, struct hl_id *ret_id,
                        struct hl_err *err);

/* An array of them, in the order it came. */
enum hl_code hl_ids_read(const struct hl_field *field, struct hl_ids *ret_ids,
                         struct hl_err *err);

/* Ascending, each once. */
enum hl_code hl_ids_read_set(const struct hl_field *field, struct hl_ids *ret_ids,
                             struct hl_err *err);

#endif
