/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HL_PROTO_TENSORS_HEADER_H
#define HL_PROTO_TENSORS_HEADER_H

#include "proto/arena.h"
#include "proto/tensors.h"

/* The JSON at the head of a safetensors file. For proto/tensors.c and its writer alone. */
struct hl_tensors_header {
    struct hl_tensor *tensors; /* in the order of their bytes */
    size_t n_tensors;
    struct hl_metadata *metadata;
    size_t n_metadata;
};

/* Everything lies in the arena, and in `text`. HL_BAD_FILE for what is wrong; `data_size`
 * is how many bytes the tensors must fill. */
enum hl_code hl_tensors_header_parse(const char *text, size_t len, uint64_t data_size,
                                     struct hl_arena *arena,
                                     struct hl_tensors_header *ret_header,
                                     struct hl_err *err);

/* Bytes of a tensor, false when they cannot be counted in 63 bits. */
bool hl_tensor_bytes(const struct hl_tensor *tensor, uint64_t *ret_bytes);

/* One that comes twice among `n` names, or NULL. Orders the pointers. */
const char *hl_tensors_twice(const char **names, size_t n);

#endif
