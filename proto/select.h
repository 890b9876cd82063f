/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HL_PROTO_SELECT_H
#define HL_PROTO_SELECT_H

#include "proto/path.h"
#include "proto/text.h"

#include <stddef.h>

/* What of a point a reply shall show: `with_payload` and `with_vector`. Plain data in the
 * arena of the tokens. */
enum hl_select_kind {
    HL_SELECT_NONE,
    HL_SELECT_ALL,
    HL_SELECT_ONLY, /* these */
    HL_SELECT_BUT   /* all but these; of payloads alone */
};

struct hl_paths {
    const struct hl_path *items;
    size_t n;
};

struct hl_payload_select {
    enum hl_select_kind kind;
    struct hl_paths paths;
};

struct hl_vector_select {
    enum hl_select_kind kind;
    struct hl_texts names; /* as they came, "" for the unnamed one */
};

/* `true`, `false`, an array of keys, `{"include":[…]}` or `{"exclude":[…]}`. */
enum hl_code hl_payload_select_read(const struct hl_field *field,
                                    struct hl_payload_select *ret_select,
                                    struct hl_err *err);

/* `true`, `false` or an array of names. */
enum hl_code hl_vector_select_read(const struct hl_field *field,
                                   struct hl_vector_select *ret_select, struct hl_err *err);

/* An array of payload keys. */
enum hl_code hl_paths_read(const struct hl_field *field, struct hl_paths *ret_paths,
                           struct hl_err *err);

#endif
