/* SPDX-License-Identifier: Apache-2.0 */
#include "index/segment.h"

#include "index/segment_file.h"
#include "proto/alloc.h"
#include "proto/crc.h"
#include "proto/file.h"

#include <string.h>

struct hl_segment {
    unsigned char *bytes; /* the mapped file */
    size_t size;
    unsigned char *held; /* what is in front of the floats; NULL: it is not held */
    size_t held_size;
    struct hl_allowance *allowance; /* what it was taken from */
    struct hl_segment_view view;
};

static enum hl_code damaged(const char *path, const char *what, struct hl_err *err)
{
    return hl_fail(err, HL_DAMAGED, "segment \"%s\" is damaged: %s", path, what);
}

static enum hl_code check_header(const struct hl_segment *segment, const char *path,
                                 struct hl_segment_header *ret_header, struct hl_err *err)
{
    struct hl_segment_header header;
    uint32_t crc;

    if (segment->size < sizeof header)
        return damaged(path, "it is shorter than its header", err);
    memcpy(&header, segment->bytes, sizeof header);
    if (memcmp(header.magic, HL_SEGMENT_MAGIC, sizeof header.magic) != 0)
        return damaged(path, "it does not begin as a segment does", err);
    if (header.version > HL_SEGMENT_VERSION)
        return hl_fail(err, HL_NEWER_FORMAT,
                       "segment \"%s\" has format %u, this heirloom knows %u", path,
                       header.version, HL_SEGMENT_VERSION);
    crc = header.crc;
    header.crc = 0;
    if (hl_crc(0, &header, sizeof header) != crc)
        return damaged(path, "the checksum of its header is wrong", err);
    if (header.file_size != segment->size)
        return damaged(path, "its size is not what its header says", err);
    if (header.version == 0 || header.metric > 1 || header.dim == 0 ||
        header.dim > HL_SKETCH_MAX_DIM || header.n_rows == 0 || header.n_links < 2 ||
        header.n_links > 128 || header.entry >= header.n_rows)
        return damaged(path, "its header makes no sense", err);
    *ret_header = header;
    return HL_OK;
}

/* What each section must have, given the header. Products of 32-bit numbers by small ones:
 * no overflow in 64 bits, as rows times size of a row is checked against the file. */
static uint64_t wanted_size(const struct hl_segment_header *header,
                            enum hl_segment_section section)
{
    const uint64_t n_rows = header->n_rows;

    switch (section) {
    case HL_SECTION_ROWS:
        return n_rows * sizeof(uint64_t);
    case HL_SECTION_NUMBERS:
    case HL_SECTION_BY_NUMBER:
    case HL_SECTION_ABOVE:
        return n_rows * sizeof(uint32_t);
    case HL_SECTION_LEVELS:
        return n_rows;
    case HL_SECTION_UPPER:
        return (uint64_t)header->n_upper * header->n_links * sizeof(uint32_t);
    case HL_SECTION_LINKS:
        return n_rows * 2 * header->n_links * sizeof(uint32_t);
    case HL_SECTION_SKETCHES:
        return n_rows * hl_sketch_stride(header->dim);
    case HL_SECTION_VALUES:
    case HL_N_SECTIONS:
    default:
        return n_rows * header->dim * sizeof(float);
    }
}

/* Floats stay in the file: they are most of it, and of each search only a few are read. */
static const unsigned char *section_of(const struct hl_segment *segment,
                                       const struct hl_segment_header *header,
                                       enum hl_segment_section section)
{
    const unsigned char *bytes =
        segment->held && section != HL_SECTION_VALUES ? segment->held : segment->bytes;

    return bytes + header->places[section].offset;
}

static enum hl_code check_places(const struct hl_segment *segment,
                                 const struct hl_segment_header *header, const char *path,
                                 struct hl_err *err)
{
    const uint64_t front = header->places[HL_SECTION_VALUES].offset;

    for (int i = 0; i < HL_N_SECTIONS; i++) {
        const struct hl_segment_place *place = &header->places[i];

        if (place->offset % HL_SEGMENT_ALIGN != 0 || place->offset > segment->size ||
            place->size > segment->size - place->offset ||
            place->size != wanted_size(header, (enum hl_segment_section)i))
            return damaged(path, "a section is not where or what it should be", err);
        if (i != HL_SECTION_VALUES && place->offset + place->size > front)
            return damaged(path, "the floats are not behind everything else", err);
    }
    return HL_OK;
}

static enum hl_code check_sums(const struct hl_segment *segment,
                               const struct hl_segment_header *header, const char *path,
                               struct hl_err *err)
{
    for (int i = 0; i < HL_N_SECTIONS; i++) {
        const struct hl_segment_place *place = &header->places[i];

        if (hl_crc(0, section_of(segment, header, (enum hl_segment_section)i),
                   (size_t)place->size) != place->crc)
            return damaged(path, "the checksum of a section is wrong", err);
    }
    return HL_OK;
}

/* Without memory for it the segment is read from its mapping: slower and as right. */
static enum hl_code hold_front(struct hl_segment *segment, const struct hl_file *file,
                               const struct hl_segment_hold *hold, size_t front,
                               struct hl_err *err)
{
    struct hl_allowance *allowance = hold->allowance;
    size_t n_read = 0;
    enum hl_code code;

    if (!allowance || !hl_allowance_take(allowance, front, hold->lent))
        return HL_OK;
    segment->held = hl_pages_new(front);
    if (!segment->held) {
        hl_allowance_give(allowance, front);
        return HL_OK;
    }
    segment->held_size = front;
    segment->allowance = allowance;
    code = hl_file_read_at(file, segment->held, front, 0, &n_read, err);
    if (code == HL_OK && n_read < front)
        return damaged(hl_file_path(file), "it became shorter", err);
    return code;
}

static void set_view(struct hl_segment *segment, const struct hl_segment_header *header)
{
    segment->view = (struct hl_segment_view){
        .metric = header->metric == 1 ? HL_METRIC_DOT : HL_METRIC_L2,
        .dim = header->dim,
        .n_rows = header->n_rows,
        .rows = (const void *)section_of(segment, header, HL_SECTION_ROWS),
        .numbers = (const void *)section_of(segment, header, HL_SECTION_NUMBERS),
        .by_number = (const void *)section_of(segment, header, HL_SECTION_BY_NUMBER),
        .sketches = section_of(segment, header, HL_SECTION_SKETCHES),
        .stride = hl_sketch_stride(header->dim),
        .values = (const void *)section_of(segment, header, HL_SECTION_VALUES),
        .n_links = header->n_links,
        .links = (const void *)section_of(segment, header, HL_SECTION_LINKS),
        .above = (const void *)section_of(segment, header, HL_SECTION_ABOVE),
        .upper = (const void *)section_of(segment, header, HL_SECTION_UPPER),
        .n_upper = header->n_upper,
        .levels = section_of(segment, header, HL_SECTION_LEVELS),
        .entry = header->entry,
    };
}

/* Links of one block: rows that reach `level`, then nothing but ends. */
static bool is_block_sound(const struct hl_segment_view *view, const hl_link *links,
                           size_t n_links, unsigned level)
{
    bool is_over = false;

    for (size_t i = 0; i < n_links; i++) {
        const uint32_t to = hl_link_get(&links[i]);

        if (to == HL_NO_POSITION) {
            is_over = true;
            continue;
        }
        if (is_over || to >= view->n_rows || view->levels[to] < level)
            return false;
    }
    return true;
}

/* Products add a multiple of the sum up, without a look at what comes out. */
static bool is_sketch_sound(const struct hl_segment_view *view, uint32_t row)
{
    const int64_t most = 128 * (int64_t)view->dim, sum = hl_segment_sketch(view, row)->sum;

    return -most <= sum && sum <= most;
}

static bool is_row_sound(const struct hl_segment_view *view, uint32_t row)
{
    const size_t n_links = view->n_links;
    const unsigned n_levels = view->levels[row];

    if (!is_sketch_sound(view, row))
        return false;
    if (row > 0 && view->rows[row - 1] >= view->rows[row])
        return false;
    if (view->by_number[row] >= view->n_rows ||
        view->levels[row] > view->levels[view->entry])
        return false;
    if (!is_block_sound(view, view->links + (size_t)row * 2 * n_links, 2 * n_links, 0))
        return false;
    if (n_levels == 0)
        return true;
    if (view->above[row] > view->n_upper || view->n_upper - view->above[row] < n_levels)
        return false;
    for (unsigned level = 1; level <= n_levels; level++) {
        const size_t block = (size_t)view->above[row] + level - 1;

        if (!is_block_sound(view, view->upper + block * n_links, n_links, level))
            return false;
    }
    return true;
}

/* Checksums only say that the file is as it was written. A file may come from anywhere, in
 * a snapshot, so nothing in it may lead a walk out of the arrays. */
static enum hl_code check_content(const struct hl_segment *segment, const char *path,
                                  struct hl_err *err)
{
    const struct hl_segment_view *view = &segment->view;

    for (uint32_t row = 0; row < view->n_rows; row++)
        if (!is_row_sound(view, row))
            return damaged(path, "a row or a link of it leads nowhere", err);
    for (size_t i = 1; i < view->n_rows; i++) {
        const uint32_t before = view->by_number[i - 1], now = view->by_number[i];

        if (view->numbers[before] > view->numbers[now] ||
            (before >= now && view->numbers[before] == view->numbers[now]))
            return damaged(path, "its points are out of order", err);
    }
    return HL_OK;
}

static enum hl_code open_mapped(const struct hl_file *file,
                                const struct hl_segment_hold *hold,
                                struct hl_segment *segment, struct hl_err *err)
{
    const char *path = hl_file_path(file);
    struct hl_segment_header header;
    enum hl_code code = check_header(segment, path, &header, err);

    if (code == HL_OK)
        code = check_places(segment, &header, path, err);
    if (code == HL_OK)
        code = hold_front(segment, file, hold,
                          (size_t)header.places[HL_SECTION_VALUES].offset, err);
    if (code == HL_OK)
        code = check_sums(segment, &header, path, err);
    if (code != HL_OK)
        return code;
    set_view(segment, &header);
    segment->view.is_cold = hold->is_on_disk || (hold->allowance && !segment->held);
    hl_pages_scatter(segment->bytes, segment->size);
    if (hold->is_on_disk)
        hl_pages_cool(segment->bytes + header.places[HL_SECTION_VALUES].offset,
                      (size_t)header.places[HL_SECTION_VALUES].size);
    return check_content(segment, path, err);
}

static enum hl_code open_checked(const char *path, const struct hl_segment_hold *hold,
                                 struct hl_segment *segment, struct hl_err *err)
{
    struct hl_file *file;
    void *bytes;
    enum hl_code code = hl_file_open(path, HL_FILE_READ, &file, err);

    if (code != HL_OK)
        return code;
    code = hl_file_map(file, &bytes, &segment->size, err);
    if (code == HL_BAD_FILE)
        code = damaged(path, "it is empty", err);
    else if (code == HL_OK) {
        segment->bytes = bytes;
        code = open_mapped(file, hold, segment, err);
    }
    hl_file_close(file);
    return code;
}

enum hl_code hl_segment_open(const char *path, const struct hl_segment_hold *hold,
                             struct hl_segment **ret_segment, struct hl_err *err)
{
    static const struct hl_segment_hold nothing = {0};
    struct hl_segment *segment = hl_alloc_zeroed(1, sizeof *segment);
    enum hl_code code;

    if (!segment)
        return hl_fail(err, HL_NO_MEMORY, "no memory to open segment \"%s\"", path);
    code = open_checked(path, hold ? hold : &nothing, segment, err);
    if (code != HL_OK) {
        hl_segment_close(segment);
        return code;
    }
    *ret_segment = segment;
    return HL_OK;
}

void hl_segment_close(struct hl_segment *segment)
{
    if (!segment)
        return;
    if (segment->held)
        hl_allowance_give(segment->allowance, segment->held_size);
    hl_pages_free(segment->held, segment->held_size);
    hl_file_unmap(segment->bytes, segment->size);
    hl_free(segment);
}

size_t hl_segment_held(const struct hl_segment *segment)
{
    return segment->held_size;
}

struct hl_allowance *hl_segment_allowance(const struct hl_segment *segment)
{
    return segment->allowance;
}

size_t hl_segment_mapped(const struct hl_segment *segment)
{
    return segment->size - segment->held_size;
}

const struct hl_segment_view *hl_segment_view(const struct hl_segment *segment)
{
    return &segment->view;
}

uint32_t hl_segment_find(const struct hl_segment_view *view, uint64_t row)
{
    size_t from = 0, to = view->n_rows;

    while (from < to) {
        const size_t middle = from + (to - from) / 2;

        if (view->rows[middle] < row)
            from = middle + 1;
        else
            to = middle;
    }
    return from < view->n_rows && view->rows[from] == row ? (uint32_t)from : HL_NO_POSITION;
}
