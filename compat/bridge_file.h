/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HL_COMPAT_BRIDGE_FILE_H
#define HL_COMPAT_BRIDGE_FILE_H

#include "compat/bridge.h"
#include "proto/buf.h"

/* A bridge as a safetensors file: compat/FILES.md has its layout, for whoever writes or
 * reads one elsewhere. */
enum { HL_BRIDGE_FORMAT = 1 };

/* Into a file that appears whole or not at all, or behind what is in a buffer. */
enum hl_code hl_bridge_save(const struct hl_bridge *bridge, const char *path,
                            struct hl_err *err);
enum hl_code hl_bridge_print(const struct hl_bridge *bridge, struct hl_buf *buf,
                             struct hl_err *err);

/* What a bridge must be; NULL and 0: whatever it is. `from_print` and `to_print` are the
 * fingerprints of the two models. */
struct hl_bridge_wanted {
    const char *from, *to;
    size_t dim_from, dim_to;
    const char *from_print, *to_print;
    bool needs_prints; /* a bridge that does not say which models it is for is refused */
};

/* HL_CONFLICT: of another direction or other models. HL_DIMENSION_MISMATCH: of other sizes.
 * HL_NOT_SUPPORTED: of a newer format. HL_INVALID: numbers that are not finite, or a layout
 * that is not ours. HL_BAD_FILE: no sound safetensors. */
enum hl_code hl_bridge_load(const struct hl_source *source,
                            const struct hl_bridge_wanted *wanted,
                            struct hl_bridge **ret_bridge, struct hl_err *err);

#endif
