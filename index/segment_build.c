/* SPDX-License-Identifier: Apache-2.0 */
/* Making a segment: FAISS builds the graph, its links are laid out as the walk wants them,
 * and everything is written aside and put in place at once.
 *
 * A gallery may be larger than memory, so nothing is held that need not be: floats go from
 * where they are into the file, sketches and links from FAISS's arrays, a piece at a time.
 */
#include "index/segment.h"

#include "index/ann.h"
#include "index/segment_file.h"
#include "proto/alloc.h"
#include "proto/crc.h"
#include "proto/file.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { PIECE = 256 << 10, FETCHED = 2 << 20 };

/* What is made in one go, because it is small or read in another order than written. */
struct draft {
    const struct hl_segment_content *content;
    struct hl_ann *built;     /* NULL: the content has one */
    const struct hl_ann *ann; /* the one or the other */
    const struct hl_graph_view *graph;
    struct hl_segment_header header;
    uint32_t *by_number;
    uint8_t *levels;
    uint32_t *above;
};

static void free_draft(struct draft *draft)
{
    hl_free(draft->by_number);
    hl_free(draft->levels);
    hl_free(draft->above);
    hl_ann_free(draft->built);
}

size_t hl_segment_build_bytes(size_t dim, unsigned n_links)
{
    const size_t of_graph =
        ((size_t)2 * n_links + 2) * sizeof(int32_t) + sizeof(size_t) + 4;
    const size_t of_draft = 2 * sizeof(uint32_t) + 1;
    const size_t of_content = 2 * sizeof(void *) + sizeof(uint64_t) + sizeof(uint32_t);

    return hl_sketch_stride(dim) + of_graph + of_draft + of_content;
}

static bool allocate(struct draft *draft)
{
    const size_t n_rows = draft->header.n_rows;

    draft->by_number = hl_alloc_zeroed(n_rows, sizeof *draft->by_number);
    draft->levels = hl_alloc_zeroed(n_rows, sizeof *draft->levels);
    draft->above = hl_alloc_zeroed(n_rows, sizeof *draft->above);
    return draft->by_number && draft->levels && draft->above;
}

/* FAISS's levels count from 1. */
static unsigned top_of(const struct hl_graph_view *graph, size_t row)
{
    return (unsigned)graph->levels[row] - 1;
}

static void lay_levels(struct draft *draft)
{
    const struct hl_graph_view *graph = draft->graph;

    for (size_t row = 0; row < graph->n_rows; row++) {
        const unsigned top = top_of(graph, row);

        draft->levels[row] = (uint8_t)top;
        draft->above[row] = top > 0 ? draft->header.n_upper : HL_NO_POSITION;
        draft->header.n_upper += top;
    }
    draft->header.entry = (uint32_t)graph->entry;
}

static int compare_by_number(const void *a, const void *b, void *draft)
{
    const uint32_t left = *(const uint32_t *)a, right = *(const uint32_t *)b;
    const uint32_t *of = ((const struct draft *)draft)->content->numbers;

    if (of[left] != of[right])
        return of[left] < of[right] ? -1 : 1;
    return left < right ? -1 : left > right;
}

static void lay_by_number(struct draft *draft)
{
    for (uint32_t row = 0; row < draft->header.n_rows; row++)
        draft->by_number[row] = row;
    qsort_r(draft->by_number, draft->header.n_rows, sizeof *draft->by_number,
            compare_by_number, draft);
}

/* A sketch that is there is the one that would be made, unless it is from before residuals
 * were known or from a file that somebody else wrote. */
static bool is_usable(const struct hl_sketch *sketch)
{
    return sketch && isfinite(sketch->scale) && isfinite(sketch->norm) &&
           sketch->residual > 0 && isfinite(sketch->residual);
}

static enum hl_code check_values(const struct hl_segment_content *content, size_t row,
                                 struct hl_err *err)
{
    for (size_t i = 0; i < content->dim; i++)
        if (!isfinite(content->values[row][i]))
            return hl_fail(err, HL_INVALID,
                           "number %zu of row %zu is not finite, so no graph can have it",
                           i, row);
    return HL_OK;
}

static enum hl_code lay_sketches(void *self, size_t first, size_t n,
                                 unsigned char *ret_sketches, struct hl_err *err)
{
    const struct hl_segment_content *content = ((const struct draft *)self)->content;
    const size_t stride = hl_sketch_stride(content->dim);

    for (size_t i = 0; i < n; i++) {
        const struct hl_sketch *sketch =
            content->sketches ? content->sketches[first + i] : NULL;
        enum hl_code code;

        if (is_usable(sketch)) {
            memcpy(ret_sketches + i * stride, sketch, stride);
            continue;
        }
        code = check_values(content, first + i, err);
        if (code != HL_OK)
            return code;
        hl_sketch_write(content->values[first + i], content->dim,
                        (void *)(ret_sketches + i * stride));
    }
    return HL_OK;
}

/* Over what the walk will read. */
static enum hl_code build_graph(struct draft *draft, const struct hl_deadline *deadline,
                                struct hl_err *err)
{
    const struct hl_segment_content *content = draft->content;
    const struct hl_ann_options options = {content->metric, content->n_links,
                                           content->ef_construction, content->pause};
    const struct hl_ann_sketches rows = {
        .n_rows = content->n_rows, .dim = content->dim, .lay = lay_sketches, .self = draft};

    return hl_ann_build_sketched(&rows, &options, deadline, &draft->built, err);
}

static enum hl_code draft_content(struct draft *draft, const struct hl_deadline *deadline,
                                  struct hl_err *err)
{
    const struct hl_segment_content *content = draft->content;
    const enum hl_code code = content->graph ? HL_OK : build_graph(draft, deadline, err);

    if (code != HL_OK)
        return code;
    draft->ann = content->graph ? content->graph : draft->built;
    draft->graph = hl_ann_view(draft->ann);
    assert(draft->graph->n_rows == content->n_rows);
    if (!allocate(draft))
        return hl_fail(err, HL_NO_MEMORY, "no memory to lay out %zu rows", content->n_rows);
    lay_levels(draft);
    lay_by_number(draft);
    return HL_OK;
}

/* ---- the file, a section after the other, each through one piece of memory ---- */

struct output {
    struct hl_file *file;
    struct hl_segment_header *header;
    uint64_t at;
    struct hl_segment_place *place; /* of the section that is being written */
    unsigned char *piece;
    size_t n_piece;
};

static enum hl_code flush(struct output *out, struct hl_err *err)
{
    const enum hl_code code = hl_file_write(out->file, out->piece, out->n_piece, err);

    out->at += out->n_piece;
    out->n_piece = 0;
    return code;
}

static enum hl_code put(struct output *out, const void *bytes, size_t size,
                        struct hl_err *err)
{
    const unsigned char *from = bytes;
    enum hl_code code = HL_OK;

    while (code == HL_OK && size > 0) {
        const size_t room = PIECE - out->n_piece, n = size < room ? size : room;

        memcpy(out->piece + out->n_piece, from, n);
        out->n_piece += n;
        from += n;
        size -= n;
        if (out->n_piece == PIECE)
            code = flush(out, err);
    }
    return code;
}

static enum hl_code put_in_section(struct output *out, const void *bytes, size_t size,
                                   struct hl_err *err)
{
    out->place->crc = hl_crc(out->place->crc, bytes, size);
    out->place->size += size;
    return put(out, bytes, size, err);
}

static enum hl_code begin_section(struct output *out, enum hl_segment_section section,
                                  struct hl_err *err)
{
    static const char padding[HL_SEGMENT_ALIGN] = {0};
    const uint64_t at = out->at + out->n_piece;
    const size_t over = (size_t)(at % HL_SEGMENT_ALIGN);
    const size_t gap = over ? HL_SEGMENT_ALIGN - over : 0;

    out->place = &out->header->places[section];
    out->place->offset = at + gap;
    return put(out, padding, gap, err);
}

/* The links of one row on one level, the ends filled up. */
static enum hl_code put_links(struct output *out, const struct hl_graph_view *graph,
                              size_t row, unsigned level, struct hl_err *err)
{
    const struct hl_graph_block block = hl_graph_block(graph, row, level);
    uint32_t links[256];

    assert(block.n_room == (level == 0 ? 2 : 1) * (size_t)out->header->n_links);
    for (size_t i = 0; i < block.n_room; i++)
        links[i] = i < block.n ? (uint32_t)block.links[i] : HL_NO_POSITION;
    return put_in_section(out, links, block.n_room * sizeof *links, err);
}

static enum hl_code put_graph(struct output *out, const struct draft *draft,
                              enum hl_segment_section section, struct hl_err *err)
{
    enum hl_code code = HL_OK;

    for (size_t row = 0; row < draft->header.n_rows; row++) {
        const unsigned first = section == HL_SECTION_UPPER ? 1 : 0;
        const unsigned last = section == HL_SECTION_UPPER ? draft->levels[row] : 0;

        for (unsigned level = first; code == HL_OK && level <= last; level++)
            code = put_links(out, draft->graph, row, level, err);
    }
    return code;
}

/* Rows of one part lie one behind the other, but for the dead: what comes next is read
 * while what is there is written. */
static void fetch_some(const struct hl_segment_content *content, size_t first)
{
    const size_t step = FETCHED / (content->dim * sizeof(float)) + 1;
    const size_t left = content->n_rows - first, n = left < step ? left : step;
    const float *from = content->values[first], *to = content->values[first + n - 1];

    if (first % step == 0 && to >= from && (size_t)(to - from) < 2 * n * content->dim)
        hl_pages_fetch(from, (size_t)(to + content->dim - from) * sizeof *from);
}

static enum hl_code put_values(struct output *out, const struct draft *draft,
                               struct hl_err *err)
{
    const struct hl_segment_content *content = draft->content;
    enum hl_code code = HL_OK;

    for (size_t row = 0; code == HL_OK && row < content->n_rows; row++) {
        fetch_some(content, row);
        code = put_in_section(out, content->values[row], content->dim * sizeof(float), err);
    }
    return code;
}

static enum hl_code put_section(struct output *out, const struct draft *draft,
                                enum hl_segment_section section, struct hl_err *err)
{
    const struct hl_segment_content *content = draft->content;
    const size_t n = content->n_rows;

    switch (section) {
    case HL_SECTION_ROWS:
        return put_in_section(out, content->rows, n * sizeof *content->rows, err);
    case HL_SECTION_NUMBERS:
        return put_in_section(out, content->numbers, n * sizeof *content->numbers, err);
    case HL_SECTION_BY_NUMBER:
        return put_in_section(out, draft->by_number, n * sizeof *draft->by_number, err);
    case HL_SECTION_LEVELS:
        return put_in_section(out, draft->levels, n, err);
    case HL_SECTION_ABOVE:
        return put_in_section(out, draft->above, n * sizeof *draft->above, err);
    case HL_SECTION_UPPER:
    case HL_SECTION_LINKS:
        return put_graph(out, draft, section, err);
    case HL_SECTION_SKETCHES:
        return put_in_section(out, hl_ann_sketches(draft->ann),
                              n * hl_sketch_stride(content->dim), err);
    case HL_SECTION_VALUES:
    case HL_N_SECTIONS:
    default:
        return put_values(out, draft, err);
    }
}

/* The header has the checksums of what comes after it: its place is kept, and it is written
 * last. */
static enum hl_code write_sections(struct hl_file *file, struct draft *draft,
                                   struct hl_err *err)
{
    struct hl_segment_header *header = &draft->header;
    struct output out = {.file = file, .header = header, .piece = hl_alloc(PIECE)};
    enum hl_code code = HL_OK;

    if (!out.piece)
        return hl_fail(err, HL_NO_MEMORY, "no memory to write a segment");
    code = put(&out, header, sizeof *header, err);
    for (int i = 0; code == HL_OK && i < HL_N_SECTIONS; i++) {
        code = begin_section(&out, (enum hl_segment_section)i, err);
        if (code == HL_OK)
            code = put_section(&out, draft, (enum hl_segment_section)i, err);
    }
    if (code == HL_OK)
        code = flush(&out, err);
    hl_free(out.piece);
    if (code != HL_OK)
        return code;
    header->file_size = out.at;
    header->crc = hl_crc(0, header, sizeof *header);
    return hl_file_rewrite(file, header, sizeof *header, 0, err);
}

static enum hl_code write_file(struct draft *draft, const char *path, struct hl_err *err)
{
    struct hl_replacement *aside;
    enum hl_code code = hl_replacement_open(path, &aside, err);

    if (code != HL_OK)
        return code;
    code = write_sections(hl_replacement_file(aside), draft, err);
    if (code == HL_OK)
        return hl_replacement_commit(aside, err);
    hl_replacement_abandon(aside);
    return code;
}

enum hl_code hl_segment_build(const struct hl_segment_content *content, const char *path,
                              const struct hl_deadline *deadline, struct hl_err *err)
{
    struct draft draft = {.content = content,
                          .header = {.magic = {0},
                                     .version = HL_SEGMENT_VERSION,
                                     .metric = content->metric == HL_METRIC_DOT,
                                     .dim = (uint32_t)content->dim,
                                     .n_rows = (uint32_t)content->n_rows,
                                     .n_links = content->n_links}};
    enum hl_code code;

    if (content->n_rows == 0 || content->dim > HL_SKETCH_MAX_DIM)
        return hl_fail(
            err, HL_INVALID,
            "a segment takes 1 row or more of at most %d numbers, got %zu of %zu",
            HL_SKETCH_MAX_DIM, content->n_rows, content->dim);
    memcpy(draft.header.magic, HL_SEGMENT_MAGIC, sizeof draft.header.magic);
    code = draft_content(&draft, deadline, err);
    if (code == HL_OK)
        code = write_file(&draft, path, err);
    free_draft(&draft);
    return code;
}
