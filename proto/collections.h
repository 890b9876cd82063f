/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HL_PROTO_COLLECTIONS_H
#define HL_PROTO_COLLECTIONS_H

#include "proto/path.h"
#include "proto/tuning.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What a request wants a collection to be: its creation, changes of its configuration, one
 * more named vector, payload indexes, aliases.
 *
 * Plain data in the arena of the tokens. A text whose `text` is NULL was not there. Texts
 * are checked and kept as they came; what would change an answer and is not ours
 * (multivectors, other datatypes than float32, the idf modifier, custom shards, more than
 * one copy, strict mode) is HL_NOT_SUPPORTED. */
enum hl_distance { HL_COSINE, HL_EUCLID, HL_DOT, HL_MANHATTAN };

#define HL_VECTOR_SIZE_MAX     65536
#define HL_VECTOR_NAME_MAX     255
#define HL_VECTOR_REVISION_MAX 128

/* "Cosine" … and back. */
const char *hl_distance_name(enum hl_distance distance);

struct hl_vector_config {
    struct hl_text name; /* "" for the unnamed one; no control characters */
    bool is_sparse;      /* then size is 0, and distance HL_DOT */
    uint32_t size;
    enum hl_distance distance;
    bool is_on_disk;     /* its floats need not be in memory: as "memory" says, or else */
    bool has_memory;     /* "on_disk"; whether "memory" said it */
    struct hl_text text; /* the object that says so */
    struct hl_text revision; /* the caller's word for this version of the model; or empty */
};

/* "on_disk" (false) or "memory" (true) of such an object, in any order. */
enum hl_code hl_vector_place_read(const struct hl_field *member, bool is_memory,
                                  struct hl_vector_config *config, struct hl_err *err);

/* Names differ, dense and sparse ones together. */
struct hl_vector_configs {
    const struct hl_vector_config *items;
    size_t n;
};

struct hl_collection_settings {
    struct hl_text hnsw_config;
    struct hl_text optimizers_config;
    struct hl_text wal_config;
    struct hl_text quantization_config; /* of a patch "\"Disabled\"" as well */
    struct hl_text strict_mode_config;
    struct hl_text payload;
    struct hl_text metadata; /* an object */
    bool has_on_disk_payload;
    bool on_disk_payload;
};

struct hl_create_collection {
    struct hl_vector_configs vectors;
    bool is_unnamed; /* the one dense vector was given bare, and is printed so */
    struct hl_collection_settings settings;
};

enum hl_code hl_create_collection_read(const struct hl_field *field,
                                       struct hl_create_collection *ret_create,
                                       struct hl_err *err);

/* Settings of a vector that there must be. */
struct hl_vector_patch {
    struct hl_text name;
    bool is_sparse;
    struct hl_text text;
};

struct hl_update_collection {
    const struct hl_vector_patch *vectors;
    size_t n_vectors;
    struct hl_text params;
    struct hl_collection_settings settings; /* without wal_config and payload */
};

enum hl_code hl_update_collection_read(const struct hl_field *field,
                                       struct hl_update_collection *ret_update,
                                       struct hl_err *err);

/* `{"dense":{…}}` or `{"sparse":{…}}`, perhaps with a "revision"; the name is the caller's,
 * who checks it by hl_vector_name_check. */
enum hl_code hl_vector_config_read(const struct hl_field *field,
                                   struct hl_vector_config *ret_config, struct hl_err *err);

/* What stands behind "dense" alone, `{"size":…,"distance":…}`. */
enum hl_code hl_dense_config_read(const struct hl_field *field,
                                  struct hl_vector_config *ret_config, struct hl_err *err);

/* HL_INVALID for what cannot name a vector: "@default", which means the unnamed one in
 * paths, control characters, more than HL_VECTOR_NAME_MAX bytes. */
enum hl_code hl_vector_name_check(const struct hl_text *name, struct hl_err *err);

#endif
