/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/bench/laid.h"

#include "proto/pages.h"

#include <stdlib.h>

static void lay_block(const struct hl_graph_view *graph, size_t row, unsigned level,
                      hl_link *ret_links)
{
    const struct hl_graph_block block = hl_graph_block(graph, row, level);

    for (size_t i = 0; i < block.n_room; i++)
        ret_links[i] = i < block.n ? (uint32_t)block.links[i] : HL_NO_POSITION;
}

static void lay_rows(struct laid *laid, const struct hl_graph_view *graph, unsigned n_links)
{
    size_t upper = 0;

    for (size_t row = 0; row < graph->n_rows; row++) {
        const unsigned top = (unsigned)graph->levels[row] - 1;

        lay_block(graph, row, 0, laid->links + row * 2 * n_links);
        laid->levels[row] = (uint8_t)top;
        laid->above[row] = (uint32_t)upper;
        for (unsigned level = 1; level <= top; level++)
            lay_block(graph, row, level, laid->upper + upper++ * n_links);
    }
}

static size_t links_bytes(size_t n_rows, unsigned n_links)
{
    return n_rows * 2 * n_links * sizeof(hl_link);
}

bool laid_init(struct laid *laid, const struct hl_graph_view *graph,
               const struct laid_rows *rows, unsigned n_links)
{
    const size_t n_rows = graph->n_rows;
    size_t n_upper = 0;

    *laid = (struct laid){0};
    if (n_rows == 0)
        return false;
    for (size_t row = 0; row < n_rows; row++)
        n_upper += (size_t)graph->levels[row] - 1;
    *laid = (struct laid){.view = {.n_rows = n_rows, .n_links = n_links},
                          .links = hl_pages_new(links_bytes(n_rows, n_links)),
                          .above = calloc(n_rows, sizeof *laid->above),
                          .upper = calloc(n_upper * n_links + 1, sizeof *laid->upper),
                          .levels = calloc(n_rows, 1)};
    if (!laid->links || !laid->above || !laid->upper || !laid->levels) {
        laid_done(laid);
        return false;
    }
    lay_rows(laid, graph, n_links);
    laid->view = (struct hl_segment_view){.metric = HL_METRIC_L2,
                                          .dim = rows->dim,
                                          .n_rows = n_rows,
                                          .sketches = rows->sketches,
                                          .stride = hl_sketch_stride(rows->dim),
                                          .values = rows->values,
                                          .n_links = n_links,
                                          .links = laid->links,
                                          .above = laid->above,
                                          .upper = laid->upper,
                                          .n_upper = n_upper,
                                          .levels = laid->levels,
                                          .entry = (uint32_t)graph->entry};
    return true;
}

void laid_done(struct laid *laid)
{
    hl_pages_free(laid->links, links_bytes(laid->view.n_rows, laid->view.n_links));
    free(laid->above);
    free(laid->upper);
    free(laid->levels);
    *laid = (struct laid){0};
}

unsigned char *laid_sketches(const float *values, size_t n_rows, size_t dim)
{
    const size_t stride = hl_sketch_stride(dim);
    unsigned char *sketches = hl_pages_new(n_rows * stride);

    for (size_t row = 0; sketches && row < n_rows; row++)
        hl_sketch_write(values + row * dim, dim,
                        (struct hl_sketch *)(void *)(sketches + row * stride));
    return sketches;
}

void laid_free_sketches(unsigned char *sketches, size_t n_rows, size_t dim)
{
    hl_pages_free(sketches, n_rows * hl_sketch_stride(dim));
}
