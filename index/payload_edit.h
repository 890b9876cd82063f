/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HL_INDEX_PAYLOAD_EDIT_H
#define HL_INDEX_PAYLOAD_EDIT_H

#include "index/payload.h"
#include "proto/buf.h"
#include "proto/select.h"

/* Payloads made from payloads: values that are not touched stay as they came, byte by byte.
 * Pure functions that print into `buf`; whoever calls them asks the buffer at the end. */

/* `patch`'s members over those of the object that `key` (NULL: the payload itself) leads
 * to; a member that the patch says is null goes. As in Qdrant, what is not there on the way
 * is made, and what is of another kind gives way: to an object where the key has a name, to
 * an empty array where it has brackets. An item that an array has not is not made. */
enum hl_code hl_payload_set(const struct hl_value *payload, const struct hl_path *key,
                            const struct hl_value *patch, struct hl_arena *arena,
                            struct hl_buf *buf, struct hl_err *err);

/* Without what the keys lead to, each of them looked up in the payload as it is; `a[]`
 * leaves an empty array. */
enum hl_code hl_payload_remove(const struct hl_value *payload, const struct hl_paths *keys,
                               struct hl_arena *arena, struct hl_buf *buf,
                               struct hl_err *err);

/* What `with_payload` shows of it: `null` for nothing. What is shown of an object or an
 * array that a path goes through is the path's part of it, and of any other value on the
 * way, all. */
enum hl_code hl_payload_show(const struct hl_value *payload,
                             const struct hl_payload_select *select, struct hl_arena *arena,
                             struct hl_buf *buf, struct hl_err *err);

#endif
