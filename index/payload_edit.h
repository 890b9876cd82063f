/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HL_INDEX_PAYLOAD_EDIT_H
#define HL_INDEX_PAYLOAD_EDIT_H

#include "index/payload.h"
#include "proto/buf.h"
#include "proto/select.h"

/* Payloads made from payloads: what is not touched stays as it came, byte by byte. Pure
 * functions that print into `buf`; whoever calls them asks the buffer at the end. */

/* `patch`'s members over those of the object that `key` (NULL: the payload itself) leads
 * to; what is not there on the way is made, as in Qdrant. */
enum hl_code hl_payload_set(const struct hl_value *payload, const struct hl_path *key,
                            const struct hl_value *patch, struct hl_arena *arena,
                            struct hl_buf *buf, struct hl_err *err);

/* Without what the keys lead to. */
enum hl_code hl_payload_remove(const struct hl_value *payload, const struct hl_paths *keys,
                               struct hl_arena *arena, struct hl_buf *buf,
                               struct hl_err *err);

/* What `with_payload` shows of it. */
enum hl_code hl_payload_show(const struct hl_value *payload,
                             const struct hl_payload_select *select, struct hl_arena *arena,
                             struct hl_buf *buf, struct hl_err *err);

#endif
