/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HL_PROTO_WRITE_H
#define HL_PROTO_WRITE_H

#include "proto/filter.h"
#include "proto/points.h"
#include "proto/select.h"

#include <stdbool.h>
#include <stddef.h>

/* What a request wants changed in a collection: one operation, or those of `/points/batch`.
 *
 * Plain data in the arena of the tokens. Nothing here knows the collection: names, sizes
 * and whether points exist are checked by whoever does. */
enum hl_write_kind {
    HL_WRITE_UPSERT,            /* points, mode, update_filter */
    HL_WRITE_DELETE,            /* target */
    HL_WRITE_UPDATE_VECTORS,    /* points (without payload), update_filter */
    HL_WRITE_DELETE_VECTORS,    /* target, names */
    HL_WRITE_SET_PAYLOAD,       /* target, payload, key when has_key */
    HL_WRITE_OVERWRITE_PAYLOAD, /* likewise */
    HL_WRITE_DELETE_PAYLOAD,    /* target, keys */
    HL_WRITE_CLEAR_PAYLOAD      /* target */
};

enum hl_write_mode {
    HL_WRITE_ANY,         /* `upsert` */
    HL_WRITE_INSERT_ONLY, /* points that exist stay as they are */
    HL_WRITE_UPDATE_ONLY  /* points that do not exist are not made */
};

/* Either these points or those that a filter finds. */
struct hl_write_target {
    struct hl_ids ids;              /* as they came; none when there is a filter */
    const struct hl_filter *filter; /* NULL when there are ids; empty: every point */
};

struct hl_write_op {
    enum hl_write_kind kind;
    enum hl_write_mode mode;
    struct hl_points points;
    const struct hl_filter *update_filter; /* points that exist change when it finds them;
                                              NULL: all do */
    struct hl_write_target target;
    struct hl_texts names;  /* of vectors, "" for the unnamed one; one at least */
    struct hl_text payload; /* an object */
    struct hl_path key;     /* where in the payload it goes */
    bool has_key;
    struct hl_paths keys;
};

struct hl_write_ops {
    const struct hl_write_op *items; /* to be done in this order, all or none */
    size_t n;
};

/* The body of the call whose operation this is. */
enum hl_code hl_write_op_read(const struct hl_field *field, enum hl_write_kind kind,
                              struct hl_write_op *ret_op, struct hl_err *err);

/* The body of `/points/batch`: `{"operations":[{"upsert":{…}}, …]}`. */
enum hl_code hl_write_ops_read(const struct hl_field *field, struct hl_write_ops *ret_ops,
                               struct hl_err *err);

#endif
