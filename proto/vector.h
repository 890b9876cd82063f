/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HL_PROTO_VECTOR_H
#define HL_PROTO_VECTOR_H

#include "proto/field.h"
#include "proto/text.h"

#include <stddef.h>
#include <stdint.h>

/* Vectors of a body: an array of numbers, a string that holds base64 of little-endian
 * float32, or `{"indices":[…],"values":[…]}` for a sparse one.
 *
 * Plain data in the arena of the tokens. All values are finite. Whether a space of that
 * name exists, is dense or sparse, and has that size is for whoever knows the collection.
 * Multivectors and what would need a model (documents, images) are HL_NOT_SUPPORTED. */
struct hl_vector {
    struct hl_text name; /* empty: the unnamed one */
    const float *values;
    size_t n;
    const uint32_t *indices; /* ascending, each once; NULL for a dense vector */
    bool is_sparse;          /* with indices, or empty */
};

struct hl_vectors {
    const struct hl_vector *items; /* names differ */
    size_t n;
};

#define HL_VECTORS_MAX 256 /* of one point */

/* One; `ret_vector->name` is empty. */
enum hl_code hl_vector_read(const struct hl_field *field, struct hl_vector *ret_vector,
                            struct hl_err *err);

/* Those of a point: the unnamed one, or an object of named ones, of which null is absent.
 */
enum hl_code hl_vectors_read(const struct hl_field *field, struct hl_vectors *ret_vectors,
                             struct hl_err *err);

#endif
