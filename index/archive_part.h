/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HL_INDEX_ARCHIVE_PART_H
#define HL_INDEX_ARCHIVE_PART_H

#include "index/archive.h"

/* What the two files of an archive share; for them alone: archive.c writes, archive_read.c
 * reads. */
enum {
    HL_TAR_BLOCK = 512,
    HL_ARCHIVE_PIECE = 1 << 20,     /* read and written at once */
    HL_ARCHIVE_MAX_LIST = 16 << 20, /* bytes of heirloom.json */
    HL_ARCHIVE_MAX_DEPTH = 6        /* folders of a name, and the file */
};

#define HL_ARCHIVE_LIST "heirloom.json"

/* The header of an entry: there is one way to write it, so a reader only has to compare.
 * The checksum stands where tar has the name of a user. */
void hl_archive_header(const struct hl_archive_file *file, int64_t created_s,
                       unsigned char header[HL_TAR_BLOCK]);

/* Relative, at most 99 bytes of [A-Za-z0-9_.-] in parts that do not begin with a dot. */
bool hl_archive_name_is_sound(const char *name, size_t len);

/* With what fills the last block; `size` is one that a file can have. */
static inline uint64_t hl_archive_padded(uint64_t size)
{
    return (size + HL_TAR_BLOCK - 1) / HL_TAR_BLOCK * HL_TAR_BLOCK;
}

#endif
