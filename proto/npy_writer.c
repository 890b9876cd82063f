/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/npy.h"

#include "proto/alloc.h"
#include "proto/file.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { ALIGNMENT = 64, HEADER_SIZE = 192, CHUNK_VALUES = 4096 };

struct hl_npy_writer {
    struct hl_replacement *replacement;
    enum hl_dtype type;
    uint64_t n_rows, n_written;
    size_t dim;
    bool is_broken; /* an addition failed halfway: what stands there is not what was said */
    unsigned char chunk[CHUNK_VALUES * sizeof(float)];
};

static enum hl_code write_header(struct hl_npy_writer *writer, struct hl_err *err)
{
    char header[HEADER_SIZE];
    const size_t before = 10; /* magic, version and length */
    size_t size, len;

    len = (size_t)snprintf(header + before, sizeof header - before,
                           "{'descr': '<f%zu', 'fortran_order': False, 'shape': (%" PRIu64
                           ", %zu), }",
                           hl_dtype_size(writer->type), writer->n_rows, writer->dim);
    /* The longest, with two sizes of 20 digits, is 96: room for it is asserted by sizes. */
    size = (before + len + 1 + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    assert(size <= sizeof header);
    memset(header + before + len, ' ', size - before - len);
    header[size - 1] = '\n';
    memcpy(header, "\x93NUMPY\x01", 8); /* with the zero behind it: version 1.0 */
    header[8] = (char)((size - before) & 0xff);
    header[9] = (char)((size - before) >> 8);
    return hl_file_write(hl_replacement_file(writer->replacement), header, size, err);
}

enum hl_code hl_npy_writer_open(const char *path, enum hl_dtype type, uint64_t n_rows,
                                size_t dim, struct hl_npy_writer **ret_writer,
                                struct hl_err *err)
{
    struct hl_npy_writer *writer;
    enum hl_code code;

    assert(type == HL_DTYPE_F32 || type == HL_DTYPE_F16);
    if (dim == 0)
        return hl_fail(err, HL_INVALID, "cannot write \"%s\": rows of 0 numbers", path);
    writer = hl_alloc_zeroed(1, sizeof *writer);
    if (!writer)
        return hl_fail(err, HL_NO_MEMORY, "no memory to write \"%s\"", path);
    writer->type = type;
    writer->n_rows = n_rows;
    writer->dim = dim;
    code = hl_replacement_open(path, &writer->replacement, err);
    if (code == HL_OK)
        code = write_header(writer, err);
    if (code != HL_OK) {
        hl_npy_writer_abandon(writer);
        return code;
    }
    *ret_writer = writer;
    return HL_OK;
}

enum hl_code hl_npy_writer_add(struct hl_npy_writer *writer, const float *rows,
                               size_t n_rows, struct hl_err *err)
{
    struct hl_file *file = hl_replacement_file(writer->replacement);
    size_t size = hl_dtype_size(writer->type), n = n_rows * writer->dim;

    if (writer->is_broken || n_rows > writer->n_rows - writer->n_written)
        return hl_fail(err, HL_INVALID,
                       "cannot write more than the %" PRIu64 " rows \"%s\" was opened for",
                       writer->n_rows, hl_file_path(file));
    writer->is_broken = true;
    for (size_t done = 0; done < n;) {
        size_t n_now = n - done < CHUNK_VALUES ? n - done : CHUNK_VALUES;
        size_t n_fit = hl_dtype_of_floats(writer->type, rows + done, n_now, writer->chunk);
        enum hl_code code;

        if (n_fit < n_now)
            return hl_fail(err, HL_INVALID,
                           "row %" PRIu64 ", column %zu is too large for %s",
                           writer->n_written + (done + n_fit) / writer->dim,
                           (done + n_fit) % writer->dim, hl_dtype_name(writer->type));
        code = hl_file_write(file, writer->chunk, n_now * size, err);
        if (code != HL_OK)
            return code;
        done += n_now;
    }
    writer->n_written += n_rows;
    writer->is_broken = false;
    return HL_OK;
}

enum hl_code hl_npy_writer_commit(struct hl_npy_writer *writer, struct hl_err *err)
{
    enum hl_code code = HL_OK;

    if (writer->is_broken || writer->n_written != writer->n_rows) {
        code = hl_fail(err, HL_INVALID,
                       "\"%s\" was opened for %" PRIu64 " rows and %" PRIu64 " came",
                       hl_file_path(hl_replacement_file(writer->replacement)),
                       writer->n_rows, writer->n_written);
    } else {
        code = hl_replacement_commit(writer->replacement, err);
        writer->replacement = NULL;
    }
    hl_npy_writer_abandon(writer);
    return code;
}

void hl_npy_writer_abandon(struct hl_npy_writer *writer)
{
    if (!writer)
        return;
    hl_replacement_abandon(writer->replacement);
    hl_free(writer);
}
