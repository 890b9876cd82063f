/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HL_SERVER_GALLERY_CONFIG_H
#define HL_SERVER_GALLERY_CONFIG_H

#include "index/layout.h"
#include "proto/buf.h"
#include "proto/collections.h"
#include "proto/loss.h"

/* What a collection was told about itself and cannot change an answer, but for one rule in
 * its metadata: kept as it came, merged by patches, and echoed with Qdrant's defaults. It
 * is the text that a layout has as `config`: an object whose members are these parts. Pure
 * functions over an arena. */
enum hl_config_part {
    HL_PART_HNSW,
    HL_PART_OPTIMIZERS,
    HL_PART_WAL,
    HL_PART_QUANTIZATION,
    HL_PART_STRICT_MODE,
    HL_PART_PAYLOAD,
    HL_PART_METADATA,
    HL_PART_ON_DISK_PAYLOAD,
    HL_PART_PARAMS,
    HL_N_PARTS
};

struct hl_gallery_config {
    struct hl_text parts[HL_N_PARTS]; /* JSON texts; NULL: nothing was said */
};

/* HL_DAMAGED when the text is none of ours. "" is an empty one. */
enum hl_code hl_gallery_config_decode(const char *text, struct hl_arena *arena,
                                      struct hl_gallery_config *ret_config,
                                      struct hl_err *err);
enum hl_code hl_gallery_config_encode(const struct hl_gallery_config *config,
                                      struct hl_buf *buf, struct hl_err *err);

/* What was said takes the place of what was there, member by member; null removes from
 * metadata, and is as good as absent elsewhere. */
enum hl_code hl_gallery_config_merge(struct hl_gallery_config *config,
                                     const struct hl_collection_settings *settings,
                                     const struct hl_text *params, struct hl_arena *arena,
                                     struct hl_err *err);

/* What its metadata say about vectors that an upsert does not bring again. A word that is
 * none of the rule's cannot be told a collection any more: it is as good as none. */
enum hl_code hl_gallery_config_loss(const struct hl_layout *layout, struct hl_arena *arena,
                                    enum hl_loss *ret_loss, struct hl_err *err);

/* `{"params":…,"hnsw_config":…, …}` as GET prints it. */
enum hl_code hl_gallery_config_print(const struct hl_layout *layout, struct hl_arena *arena,
                                     struct hl_buf *buf, struct hl_err *err);

#endif
