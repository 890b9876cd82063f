/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HL_INDEX_SEGMENT_FILE_H
#define HL_INDEX_SEGMENT_FILE_H

#include <stdint.h>

/* How a segment lies in its file, for the two files of index/ that write and read it.
 *
 * The header, then the sections in the order of the enum, each aligned to 64 bytes, all
 * little-endian. The header's checksum covers the header with that field zero. What is
 * reserved is zero until a later version needs it. */
#define HL_SEGMENT_MAGIC   "HLSEGMNT"
#define HL_SEGMENT_VERSION 1U
#define HL_SEGMENT_ALIGN   64U

enum hl_segment_section {
    HL_SECTION_ROWS,
    HL_SECTION_NUMBERS,
    HL_SECTION_BY_NUMBER,
    HL_SECTION_LEVELS,
    HL_SECTION_ABOVE,
    HL_SECTION_UPPER,
    HL_SECTION_LINKS,
    HL_SECTION_SKETCHES,
    HL_SECTION_VALUES,
    HL_N_SECTIONS
};

struct hl_segment_place {
    uint64_t offset;
    uint64_t size;
    uint32_t crc;
    uint32_t reserved;
};

struct hl_segment_header {
    char magic[8];
    uint32_t version;
    uint32_t crc;
    uint32_t metric; /* 0 squared distance, 1 inner product */
    uint32_t dim;
    uint32_t n_rows;
    uint32_t n_links;
    uint32_t n_upper;
    uint32_t entry;
    uint64_t file_size;
    struct hl_segment_place places[HL_N_SECTIONS];
    uint64_t reserved[4];
};

_Static_assert(sizeof(struct hl_segment_header) == 80 + 24 * HL_N_SECTIONS, "no padding");

#endif
