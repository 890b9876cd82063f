/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HL_PROTO_TUNING_H
#define HL_PROTO_TUNING_H

#include "proto/buf.h"
#include "proto/field.h"
#include "proto/text.h"

/* The parts of a collection's configuration that cannot change an answer here: every member
 * is checked against the contract, and the text is kept as it came, to be echoed. What
 * would change an answer is HL_NOT_SUPPORTED. */
enum hl_tuning_kind {
    HL_TUNING_HNSW,
    HL_TUNING_OPTIMIZERS,
    HL_TUNING_WAL,
    HL_TUNING_QUANTIZATION,
    HL_TUNING_QUANTIZATION_PATCH, /* "Disabled" as well */
    HL_TUNING_STRICT_MODE,        /* not enabled */
    HL_TUNING_PAYLOAD,
    HL_TUNING_PARAMS,       /* of a patch: copies, fan-out, on_disk_payload */
    HL_TUNING_VECTOR_PATCH, /* of one vector */
    HL_TUNING_SPARSE_INDEX
};

enum hl_code hl_tuning_read(const struct hl_field *field, enum hl_tuning_kind kind,
                            struct hl_text *ret_text, struct hl_err *err);

enum hl_merge_null {
    HL_MERGE_NULL_REMOVES, /* as metadata has it */
    HL_MERGE_NULL_ABSENT   /* as configuration has it */
};

/* Puts one object's members over another's: those of `patch` replace those of `old`, which
 * are taken whole, in the order of their names. Both are texts of JSON objects. The arena
 * is for the work of one call. */
enum hl_code hl_tuning_merge(const struct hl_text *old, const struct hl_text *patch,
                             enum hl_merge_null null, struct hl_arena *arena,
                             struct hl_buf *buf, struct hl_err *err);

#endif
