/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HL_PROTO_NPY_H
#define HL_PROTO_NPY_H

#include "proto/dtype.h"

/* NumPy's .npy files, versions 1 to 3, streamed.
 *
 * Reading: one array of shape (N,) or (N, D), D at least 1, of f2 f4 f8 or whole numbers of
 * 1 to 8 bytes, little- or big-endian, in C or Fortran order. Nothing in the file is
 * trusted: the header is parsed strictly and the file must be exactly as long as it says.
 * What a file holds beyond that (objects, records, more dimensions) is refused by name. Any
 * number of threads may read one struct hl_npy at once; it borrows the source. */
enum { HL_NPY_MAX_HEADER = 10000 /* as numpy's own limit */ };

struct hl_npy {
    struct hl_numbers numbers;
    bool is_fortran;
    bool is_flat; /* of shape (N,): rows of one number */
    uint64_t n_rows;
    size_t dim;
};

/* HL_BAD_FILE for whatever is wrong with the file. */
enum hl_code hl_npy_init(const struct hl_source *source, struct hl_npy *ret_npy,
                         struct hl_err *err);

/* `n_rows` rows from row `first` on, row after row, `n_rows` * dim values whichever order
 * the file is in. HL_BAD_FILE when they are not all there, when the file holds the other
 * kind of numbers, or, with row and column, for a number too large for a float or int64.
 * NaN and infinity pass: hl_batch_check_finite asks about them. After a failure the values
 * are of no use. Fortran order costs a read for each column of a call: ask for many rows
 * at once. */
enum hl_code hl_npy_floats(const struct hl_npy *npy, uint64_t first, size_t n_rows,
                           float *values, struct hl_err *err);
enum hl_code hl_npy_i64(const struct hl_npy *npy, uint64_t first, size_t n_rows,
                        int64_t *values, struct hl_err *err);

/* Writing: a file of shape (N, D) in C order, version 1, that appears whole or not at all.
 * N is said at the start, and commit refuses (HL_INVALID) unless so many rows have come and
 * no addition failed. One thread. The type is F32 or F16; a finite number that is too large
 * for F16 is refused with row and column (HL_INVALID). */
struct hl_npy_writer;

enum hl_code hl_npy_writer_open(const char *path, enum hl_dtype type, uint64_t n_rows,
                                size_t dim, struct hl_npy_writer **ret_writer,
                                struct hl_err *err);
enum hl_code hl_npy_writer_add(struct hl_npy_writer *writer, const float *rows,
                               size_t n_rows, struct hl_err *err);

/* Either way the writer is gone, as with hl_replacement_commit. */
enum hl_code hl_npy_writer_commit(struct hl_npy_writer *writer, struct hl_err *err);
void hl_npy_writer_abandon(struct hl_npy_writer *writer); /* NULL is accepted */

#endif
