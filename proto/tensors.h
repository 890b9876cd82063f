/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HL_PROTO_TENSORS_H
#define HL_PROTO_TENSORS_H

#include "proto/buf.h"
#include "proto/dtype.h"

/* safetensors files, streamed.
 *
 * Reading trusts nothing: the header has a limit, its JSON is read strictly, no name or key
 * comes twice, every shape agrees with its bytes, and the tensors fill the file without
 * holes or overlaps. Only the header is kept in memory. */
enum {
    HL_TENSOR_MAX_DIMS = 8,
    HL_TENSORS_MAX_HEADER = 1 << 20 /* a limit that fits what heirloom reads */
};

struct hl_tensor {
    const char *name;
    enum hl_dtype type;
    unsigned n_dims;
    uint64_t shape[HL_TENSOR_MAX_DIMS];
    uint64_t begin, end; /* of its bytes, from the first tensor's on; a writer sets them */
};

struct hl_metadata {
    const char *key, *value;
};

/* What a file says it holds, in the file's order. Immutable: any number of threads. */
struct hl_tensors;

/* Borrows the source until hl_tensors_free. HL_BAD_FILE for whatever is wrong with the
 * file, a header of more than `max_header` bytes included. */
enum hl_code hl_tensors_new(const struct hl_source *source, size_t max_header,
                            struct hl_tensors **ret_tensors, struct hl_err *err);
void hl_tensors_free(struct hl_tensors *tensors); /* NULL is accepted */

/* All good until hl_tensors_free. */
size_t hl_tensors_count(const struct hl_tensors *tensors);
const struct hl_tensor *hl_tensors_at(const struct hl_tensors *tensors, size_t i);
const struct hl_tensor *hl_tensors_find(const struct hl_tensors *tensors,
                                        const char *name); /* NULL: there is none */
size_t hl_tensors_n_metadata(const struct hl_tensors *tensors);
const struct hl_metadata *hl_tensors_metadata_at(const struct hl_tensors *tensors,
                                                 size_t i);
const char *hl_tensors_metadata(const struct hl_tensors *tensors,
                                const char *key); /* NULL: there is none */

/* A row is what shares the first index: the product of all other sizes, 1 for a tensor of
 * one dimension or none. */
uint64_t hl_tensor_n_rows(const struct hl_tensor *tensor);
uint64_t hl_tensor_row_size(const struct hl_tensor *tensor);

/* `n_rows` rows from row `first` on, with the promises of hl_npy_floats and hl_npy_i64.
 * The tensor is one of these tensors. */
enum hl_code hl_tensors_floats(const struct hl_tensors *tensors,
                               const struct hl_tensor *tensor, uint64_t first,
                               size_t n_rows, float *values, struct hl_err *err);
enum hl_code hl_tensors_i64(const struct hl_tensors *tensors,
                            const struct hl_tensor *tensor, uint64_t first, size_t n_rows,
                            int64_t *values, struct hl_err *err);

/* Writing: all tensors are declared first, then their numbers are added in that order, in
 * pieces of any size, and the file appears whole or not at all. One thread. Declare wide
 * types before narrow ones if whoever maps the file should find them aligned; the first
 * tensor is aligned to 8 bytes. */
struct hl_tensors_plan {
    const struct hl_tensor *tensors;
    size_t n_tensors;
    const struct hl_metadata *metadata;
    size_t n_metadata;
};

struct hl_tensors_writer;

/* The plan is borrowed for the call. HL_INVALID when a name comes twice, is not UTF-8 or is
 * "__metadata__", or a size is too large. */
enum hl_code hl_tensors_writer_open(const char *path, const struct hl_tensors_plan *plan,
                                    struct hl_tensors_writer **ret_writer,
                                    struct hl_err *err);

/* The same behind what `buf` holds, which is the caller's, must stay while the writer is,
 * and after an abandoned writer keeps what had come. */
enum hl_code hl_tensors_writer_open_memory(struct hl_buf *buf,
                                           const struct hl_tensors_plan *plan,
                                           struct hl_tensors_writer **ret_writer,
                                           struct hl_err *err);

/* `n` more numbers; they may not reach into a tensor of the other kind. HL_INVALID for a
 * number that does not fit its type, or too many of them. After a failure only abandoning
 * helps. */
enum hl_code hl_tensors_writer_add_floats(struct hl_tensors_writer *writer,
                                          const float *values, size_t n,
                                          struct hl_err *err);
enum hl_code hl_tensors_writer_add_i64(struct hl_tensors_writer *writer,
                                       const int64_t *values, size_t n, struct hl_err *err);

/* HL_INVALID unless every number has come. Either way the writer is gone, as with
 * hl_replacement_commit. */
enum hl_code hl_tensors_writer_commit(struct hl_tensors_writer *writer, struct hl_err *err);
void hl_tensors_writer_abandon(struct hl_tensors_writer *writer); /* NULL is accepted */

#endif
