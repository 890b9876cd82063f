/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HL_PROTO_MODEL_NAME_H
#define HL_PROTO_MODEL_NAME_H

#include "proto/text.h"

#include <string.h>

/* The unnamed vector's model has an empty name, which paths and files cannot hold: there it
 * is written "@default", and no other model may be named so. */

static inline const char *hl_model_shown(const char *name)
{
    return name[0] ? name : "@default";
}

static inline const char *hl_model_meant(const char *written)
{
    return strcmp(written, "@default") == 0 ? "" : written;
}

static inline struct hl_text hl_model_meant_by(const struct hl_text *written)
{
    return hl_text_is(written, "@default") ? (struct hl_text){"", 0} : *written;
}

#endif
