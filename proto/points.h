/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HL_PROTO_POINTS_H
#define HL_PROTO_POINTS_H

#include "proto/ids.h"
#include "proto/text.h"
#include "proto/vector.h"

#include <stddef.h>

/* Points to be stored, in the two forms they come in: a list of points, or one list each of
 * ids, vectors and payloads.
 *
 * Plain data in the arena of the tokens; payloads are the text of the body, as it came. */
struct hl_point {
    struct hl_id id;
    struct hl_text payload; /* an object; `text` is NULL when there is none */
    struct hl_vectors vectors;
};

struct hl_points {
    const struct hl_point *items; /* as they came: an id may come twice */
    size_t n;
};

/* `[{"id":1,"vector":…,"payload":{…}}, …]`. What a reply puts beside these (version, score,
 * order_value) is passed over, so that points can be sent back as they were got. */
enum hl_code hl_points_read(const struct hl_field *field, struct hl_points *ret_points,
                            struct hl_err *err);

/* The same of points that get vectors: no payload, and at least one. */
enum hl_code hl_points_read_vectors(const struct hl_field *field,
                                    struct hl_points *ret_points, struct hl_err *err);

/* `{"ids":[…],"vectors":[…] or {"name":[…]},"payloads":[…]}`. */
enum hl_code hl_points_read_batch(const struct hl_field *field,
                                  struct hl_points *ret_points, struct hl_err *err);

/* A payload: an object, its text as it came; null is none. */
enum hl_code hl_payload_read(const struct hl_field *field, struct hl_text *ret_payload,
                             struct hl_err *err);

#endif
