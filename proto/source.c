/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/source.h"

#include <string.h>

enum hl_code hl_source_read(const struct hl_source *source, void *bytes, size_t size,
                            uint64_t offset, struct hl_err *err)
{
    if (offset > source->size || source->size - offset < size)
        return hl_fail(
            err, HL_BAD_FILE,
            "\"%s\" ends too early: %zu bytes were wanted at offset %llu of %llu",
            source->name, size, (unsigned long long)offset,
            (unsigned long long)source->size);
    return source->read_at(source->self, bytes, size, offset, err);
}

static enum hl_code read_file_at(const void *self, void *bytes, size_t size,
                                 uint64_t offset, struct hl_err *err)
{
    const struct hl_file *file = self;
    size_t n_read;
    enum hl_code code = hl_file_read_at(file, bytes, size, offset, &n_read, err);

    if (code == HL_OK && n_read < size)
        return hl_fail(err, HL_BAD_FILE, "\"%s\" became shorter while it was read",
                       hl_file_path(file));
    return code;
}

enum hl_code hl_source_of_file(const struct hl_file *file, struct hl_source *ret_source,
                               struct hl_err *err)
{
    uint64_t size;
    enum hl_code code = hl_file_size(file, &size, err);

    if (code != HL_OK)
        return code;
    *ret_source = (struct hl_source){
        .read_at = read_file_at, .self = file, .size = size, .name = hl_file_path(file)};
    return HL_OK;
}

static enum hl_code read_memory_at(const void *self, void *bytes, size_t size,
                                   uint64_t offset, struct hl_err *err)
{
    const struct hl_memory *memory = self;

    (void)err;
    if (size)
        memcpy(bytes, (const unsigned char *)memory->bytes + offset, size);
    return HL_OK;
}

struct hl_source hl_source_of_memory(const struct hl_memory *memory, const char *name)
{
    return (struct hl_source){
        .read_at = read_memory_at, .self = memory, .size = memory->size, .name = name};
}
