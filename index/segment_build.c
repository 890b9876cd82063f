/* SPDX-License-Identifier: Apache-2.0 */
/* Making a segment: FAISS builds the graph, its links are laid out as the walk wants them,
 * and everything is written aside and put in place at once. */
#include "index/segment.h"

#include "index/ann.h"
#include "index/segment_file.h"
#include "proto/alloc.h"
#include "proto/crc.h"
#include "proto/file.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

/* The sections that are not already in the caller's hands. */
struct draft {
    struct hl_segment_header header;
    uint32_t *by_number;
    uint8_t *levels;
    uint32_t *above;
    uint32_t *upper;
    uint32_t *links;
    unsigned char *sketches;
};

static void free_draft(struct draft *draft)
{
    hl_free(draft->by_number);
    hl_free(draft->levels);
    hl_free(draft->above);
    hl_free(draft->upper);
    hl_free(draft->links);
    hl_free(draft->sketches);
}

static size_t count_upper(const struct hl_graph_view *graph)
{
    size_t n_upper = 0;

    for (size_t row = 0; row < graph->n_rows; row++)
        n_upper += (size_t)graph->levels[row] - 1;
    return n_upper;
}

static bool allocate(struct draft *draft)
{
    const size_t n_rows = draft->header.n_rows, n_links = draft->header.n_links;

    draft->by_number = hl_alloc_zeroed(n_rows, sizeof *draft->by_number);
    draft->levels = hl_alloc_zeroed(n_rows, sizeof *draft->levels);
    draft->above = hl_alloc_zeroed(n_rows, sizeof *draft->above);
    draft->upper = hl_alloc_zeroed(draft->header.n_upper * n_links, sizeof *draft->upper);
    draft->links = hl_alloc_zeroed(n_rows * 2 * n_links, sizeof *draft->links);
    return draft->by_number && draft->levels && draft->above && draft->upper &&
           draft->links;
}

/* The links of one row on one level, the ends filled up. FAISS's levels count from 1. */
static void lay_block(const struct hl_graph_view *graph, size_t row, unsigned level,
                      uint32_t *ret_links, size_t n_links)
{
    const int32_t *from = graph->neighbors + graph->offsets[row] + graph->before[level];
    const size_t n = (size_t)(graph->before[level + 1] - graph->before[level]);
    size_t i = 0;

    assert(n == n_links);
    for (; i < n && from[i] >= 0; i++)
        ret_links[i] = (uint32_t)from[i];
    for (; i < n_links; i++)
        ret_links[i] = HL_NO_POSITION;
}

static void lay_graph(struct draft *draft, const struct hl_graph_view *graph)
{
    const size_t n_links = draft->header.n_links;
    uint32_t n_upper = 0;

    for (size_t row = 0; row < graph->n_rows; row++) {
        const unsigned top = (unsigned)graph->levels[row] - 1;

        lay_block(graph, row, 0, draft->links + row * 2 * n_links, 2 * n_links);
        draft->levels[row] = (uint8_t)top;
        draft->above[row] = top > 0 ? n_upper : HL_NO_POSITION;
        for (unsigned level = 1; level <= top; level++)
            lay_block(graph, row, level, draft->upper + n_upper++ * n_links, n_links);
    }
    draft->header.entry = (uint32_t)graph->entry;
}

static enum hl_code lay_sketches(struct draft *draft, const struct hl_batch *values,
                                 struct hl_err *err)
{
    const size_t stride = hl_sketch_stride(values->dim);

    draft->sketches = hl_alloc_zeroed(values->n_rows, stride);
    if (!draft->sketches)
        return hl_fail(err, HL_NO_MEMORY, "no memory to sketch %zu rows", values->n_rows);
    for (size_t row = 0; row < values->n_rows; row++)
        hl_sketch_write(hl_batch_row(values, row), values->dim,
                        (struct hl_sketch *)(void *)(draft->sketches + row * stride));
    return HL_OK;
}

static int compare_by_number(const void *a, const void *b, void *content)
{
    const uint32_t left = *(const uint32_t *)a, right = *(const uint32_t *)b;
    const uint32_t *of = ((const struct hl_segment_content *)content)->numbers;

    if (of[left] != of[right])
        return of[left] < of[right] ? -1 : 1;
    return left < right ? -1 : left > right;
}

static void lay_by_number(struct draft *draft, const struct hl_segment_content *content)
{
    struct hl_segment_content order = *content;

    for (uint32_t row = 0; row < draft->header.n_rows; row++)
        draft->by_number[row] = row;
    qsort_r(draft->by_number, draft->header.n_rows, sizeof *draft->by_number,
            compare_by_number, &order);
}

/* The graph is built over what the walk will read. */
static enum hl_code draft_content(struct draft *draft,
                                  const struct hl_segment_content *content,
                                  const struct hl_deadline *deadline, struct hl_err *err)
{
    const struct hl_ann_options options = {content->metric, content->n_links,
                                           content->ef_construction, content->pause};
    struct hl_ann_sketches rows = {NULL, content->values->n_rows, content->values->dim};
    const struct hl_graph_view *graph;
    struct hl_ann *ann = NULL;
    enum hl_code code = hl_batch_check_finite(content->values, err);

    if (code == HL_OK)
        code = lay_sketches(draft, content->values, err);
    rows.sketches = draft->sketches;
    if (code == HL_OK)
        code = hl_ann_build_sketched(&rows, &options, deadline, &ann, err);
    if (code != HL_OK)
        return code;
    graph = hl_ann_view(ann);
    draft->header.n_upper = (uint32_t)count_upper(graph);
    if (!allocate(draft)) {
        code = hl_fail(err, HL_NO_MEMORY, "no memory to lay out %zu rows",
                       content->values->n_rows);
    } else {
        lay_graph(draft, graph);
        lay_by_number(draft, content);
    }
    hl_ann_free(ann);
    return code;
}

static void place_sections(struct draft *draft, const struct hl_segment_content *content,
                           const void *sections[HL_N_SECTIONS])
{
    struct hl_segment_header *header = &draft->header;
    const uint64_t n_rows = header->n_rows, n_links = header->n_links;
    const uint64_t sizes[HL_N_SECTIONS] = {
        [HL_SECTION_ROWS] = n_rows * sizeof *content->rows,
        [HL_SECTION_NUMBERS] = n_rows * sizeof *content->numbers,
        [HL_SECTION_BY_NUMBER] = n_rows * sizeof *draft->by_number,
        [HL_SECTION_LEVELS] = n_rows * sizeof *draft->levels,
        [HL_SECTION_ABOVE] = n_rows * sizeof *draft->above,
        [HL_SECTION_UPPER] = header->n_upper * n_links * sizeof *draft->upper,
        [HL_SECTION_LINKS] = n_rows * 2 * n_links * sizeof *draft->links,
        [HL_SECTION_SKETCHES] = n_rows * hl_sketch_stride(header->dim),
        [HL_SECTION_VALUES] = n_rows * header->dim * sizeof(float),
    };
    uint64_t offset = sizeof *header;

    sections[HL_SECTION_ROWS] = content->rows;
    sections[HL_SECTION_NUMBERS] = content->numbers;
    sections[HL_SECTION_BY_NUMBER] = draft->by_number;
    sections[HL_SECTION_LEVELS] = draft->levels;
    sections[HL_SECTION_ABOVE] = draft->above;
    sections[HL_SECTION_UPPER] = draft->upper;
    sections[HL_SECTION_LINKS] = draft->links;
    sections[HL_SECTION_SKETCHES] = draft->sketches;
    sections[HL_SECTION_VALUES] = content->values->values;
    for (int i = 0; i < HL_N_SECTIONS; i++) {
        offset = (offset + HL_SEGMENT_ALIGN - 1) / HL_SEGMENT_ALIGN * HL_SEGMENT_ALIGN;
        header->places[i] = (struct hl_segment_place){
            .offset = offset, .size = sizes[i], .crc = hl_crc(0, sections[i], sizes[i])};
        offset += sizes[i];
    }
    header->file_size = offset;
    header->crc = hl_crc(0, header, sizeof *header);
}

static enum hl_code write_sections(struct hl_file *file, const struct draft *draft,
                                   const void *const sections[HL_N_SECTIONS],
                                   struct hl_err *err)
{
    static const char padding[HL_SEGMENT_ALIGN] = {0};
    uint64_t at = sizeof draft->header;
    enum hl_code code = hl_file_write(file, &draft->header, sizeof draft->header, err);

    for (int i = 0; code == HL_OK && i < HL_N_SECTIONS; i++) {
        const struct hl_segment_place *place = &draft->header.places[i];

        code = hl_file_write(file, padding, (size_t)(place->offset - at), err);
        if (code == HL_OK)
            code = hl_file_write(file, sections[i], (size_t)place->size, err);
        at = place->offset + place->size;
    }
    return code;
}

static enum hl_code write_file(struct draft *draft,
                               const struct hl_segment_content *content, const char *path,
                               struct hl_err *err)
{
    const void *sections[HL_N_SECTIONS];
    struct hl_replacement *aside;
    enum hl_code code = hl_replacement_open(path, &aside, err);

    if (code != HL_OK)
        return code;
    place_sections(draft, content, sections);
    code = write_sections(hl_replacement_file(aside), draft, sections, err);
    if (code == HL_OK)
        return hl_replacement_commit(aside, err);
    hl_replacement_abandon(aside);
    return code;
}

enum hl_code hl_segment_build(const struct hl_segment_content *content, const char *path,
                              const struct hl_deadline *deadline, struct hl_err *err)
{
    struct draft draft = {.header = {.magic = {0},
                                     .version = HL_SEGMENT_VERSION,
                                     .metric = content->metric == HL_METRIC_DOT,
                                     .dim = (uint32_t)content->values->dim,
                                     .n_rows = (uint32_t)content->values->n_rows,
                                     .n_links = content->n_links}};
    enum hl_code code;

    if (content->values->n_rows == 0 || content->values->dim > HL_SKETCH_MAX_DIM)
        return hl_fail(
            err, HL_INVALID,
            "a segment takes 1 row or more of at most %d numbers, got %zu of %zu",
            HL_SKETCH_MAX_DIM, content->values->n_rows, content->values->dim);
    memcpy(draft.header.magic, HL_SEGMENT_MAGIC, sizeof draft.header.magic);
    code = draft_content(&draft, content, deadline, err);
    if (code == HL_OK)
        code = write_file(&draft, content, path, err);
    free_draft(&draft);
    return code;
}
