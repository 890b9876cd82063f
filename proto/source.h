/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HL_PROTO_SOURCE_H
#define HL_PROTO_SOURCE_H

#include "proto/err.h"
#include "proto/file.h"

#include <stddef.h>
#include <stdint.h>

/* Bytes at offsets: what the readers of vector files read from, whether that is a file or
 * memory.
 *
 * A source borrows what it reads from. It is as thread-safe as that: files and memory may
 * be read by any number of threads at once. */
struct hl_source {
    enum hl_code (*read_at)(const void *self, void *bytes, size_t size, uint64_t offset,
                            struct hl_err *err); /* all of them, or an error */
    const void *self;
    uint64_t size;
    const char *name; /* for error sentences: a path, or what a caller called the upload */
};

/* HL_BAD_FILE when fewer bytes are there than were wanted. */
enum hl_code hl_source_read(const struct hl_source *source, void *bytes, size_t size,
                            uint64_t offset, struct hl_err *err);

/* Good while the file is open. */
enum hl_code hl_source_of_file(const struct hl_file *file, struct hl_source *ret_source,
                               struct hl_err *err);

/* Good while the memory is. `memory` is a plain record that the caller keeps beside it. */
struct hl_memory {
    const void *bytes;
    size_t size;
};
struct hl_source hl_source_of_memory(const struct hl_memory *memory, const char *name);

#endif
