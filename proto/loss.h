/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HL_PROTO_LOSS_H
#define HL_PROTO_LOSS_H

#include "proto/field.h"

#include <stdint.h>

/* What becomes of a vector that an upsert does not bring again, while queries of other
 * models find the point by it: a replaced point is only what replaced it, and whoever
 * writes with one model may not know of another's vectors.
 *
 * A collection says so in its metadata, `"on_vector_loss":"keep"`, which is where the
 * official clients let it through. */
enum hl_loss {
    HL_LOSS_ALLOW, /* it goes, as in Qdrant, and is counted; the default */
    HL_LOSS_KEEP,  /* it stays, with what was made of it */
    HL_LOSS_REFUSE /* nothing of the request is written */
};

/* The rule for one request, and what was lost under HL_LOSS_ALLOW. */
struct hl_losses {
    enum hl_loss rule;
    uint64_t n_points, n_vectors;
};

/* What a collection's metadata, an object, say; HL_LOSS_ALLOW where they say nothing.
 * Another word is refused in the wire's grammar. */
enum hl_code hl_loss_read(const struct hl_field *field, enum hl_loss *ret_loss,
                          struct hl_err *err);

#endif
