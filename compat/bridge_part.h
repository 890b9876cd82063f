/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HL_COMPAT_BRIDGE_PART_H
#define HL_COMPAT_BRIDGE_PART_H

#include "compat/bridge_file.h"
#include "proto/tensors.h"

/* What a bridge's file calls things; for those who write and read one. */

#define HL_BRIDGE_UNNAMED "@default" /* the model "" */
const char *hl_bridge_shown(const char *model);

enum {
    HL_BRIDGE_NAME = 40,         /* bytes of the name of a tensor, at most */
    HL_BRIDGE_HEADER = 32 << 20, /* a report is in it */
    HL_BRIDGE_MAX_TENSORS = 64
};

/* The tensors of one map, by what stands behind "judged." or "faithful.". */
enum hl_bridge_piece {
    HL_PIECE_WEIGHT,
    HL_PIECE_BIAS,
    HL_PIECE_DOWN_WEIGHT,
    HL_PIECE_DOWN_BIAS,
    HL_PIECE_UP_WEIGHT,
    HL_PIECE_SLOPE,
    HL_N_PIECES
};

/* Which map of which way it is. */
struct hl_bridge_place {
    enum hl_modality modality;
    bool is_judged;
};

/* Writes the tensor's name into `name`, which has HL_BRIDGE_NAME bytes, and says where its
 * numbers are: NULL when the map has none. n_dims 0 is a single number. */
void hl_bridge_name_piece(struct hl_bridge_place place, enum hl_bridge_piece piece,
                          char *name);
float *hl_bridge_piece(struct hl_map *map, enum hl_bridge_piece piece,
                       struct hl_tensor *ret_shape);

/* The scales: seven tensors of [11, 2] or [2]. */
enum { HL_N_BRIDGE_SCALES = 7 };
const char *hl_bridge_scales(struct hl_bridge *bridge, size_t i,
                             struct hl_scale **ret_scales, size_t *ret_n);

/* A bridge without maps and scales, as the metadata describe it. */
enum hl_code hl_bridge_read_words(const struct hl_tensors *tensors,
                                  const struct hl_bridge_wanted *wanted,
                                  struct hl_bridge **ret_bridge, struct hl_err *err);

#endif
