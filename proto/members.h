/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HL_PROTO_MEMBERS_H
#define HL_PROTO_MEMBERS_H

#include "proto/field.h"

#include <stddef.h>
#include <stdint.h>

/* An object of a body by a table: its names, which of them must be there, and what reads
 * each. Plain data, usually const. */
struct hl_members {
    const char *const *names; /* at most 64 */
    size_t n_names;
    uint64_t needed; /* HL_MEMBER(i) of those that must be there and not be null */

    /* Reads the value of names[which]; `self` is the caller's. */
    enum hl_code (*read)(const struct hl_field *member, size_t which, void *self,
                         struct hl_err *err);
};

#define HL_MEMBER(which)     (UINT64_C(1) << (which))
#define HL_MEMBERS_OF(names) (names), sizeof(names) / sizeof((names)[0])

/* Null is as good as absent. An unknown member is refused, and so is one that comes twice
 * or is missing: all HL_MALFORMED. */
enum hl_code hl_members_read(const struct hl_field *field, const struct hl_members *members,
                             void *self, struct hl_err *err);

/* What the contract has and this server has not: `"NAME" is not supported: WHY`,
 * HL_NOT_SUPPORTED. */
enum hl_code hl_member_refuse(const struct hl_field *member, const char *why,
                              struct hl_err *err);

/* The same for `shard_key`. */
enum hl_code hl_shard_key_refuse(const struct hl_field *member, struct hl_err *err);

/* Calls `read` for each item of an array. */
enum hl_code hl_each_read(const struct hl_field *field,
                          enum hl_code (*read)(const struct hl_field *item, void *self,
                                               struct hl_err *err),
                          void *self, struct hl_err *err);

#endif
