/* SPDX-License-Identifier: Apache-2.0 */
#include "index/sprout.h"

#include "proto/alloc.h"

#include <assert.h>

struct hl_sprout {
    struct hl_sprout_options options;
    struct hl_ann *ann;
    struct hl_segment_view view;
    atomic_size_t n_rows; /* written last */

    /* What the view shows, for writing. */
    hl_link *links, *upper;
    uint32_t *above;
    uint8_t *levels;
};

static size_t bytes_of_links(const struct hl_sprout_options *options)
{
    return options->most_rows * 2 * options->n_links * sizeof(hl_link);
}

/* Blocks on all levels above 0 together. One in n_links of the rows of a level is on the
 * next as well: with two links, the fewest, that is a block a row, more or less. Pages that
 * nobody writes to take no memory. */
static size_t most_upper(const struct hl_sprout_options *options)
{
    return 2 * options->most_rows;
}

static size_t bytes_of_upper(const struct hl_sprout_options *options)
{
    return most_upper(options) * options->n_links * sizeof(hl_link);
}

size_t hl_sprout_bytes(const struct hl_sprout_options *options)
{
    return options->most_rows * hl_segment_build_bytes(options->dim, options->n_links) +
           bytes_of_links(options);
}

void hl_sprout_free(struct hl_sprout *sprout)
{
    if (!sprout)
        return;
    hl_ann_free(sprout->ann);
    hl_pages_free(sprout->links, bytes_of_links(&sprout->options));
    hl_pages_free(sprout->upper, bytes_of_upper(&sprout->options));
    hl_free(sprout->above);
    hl_free(sprout->levels);
    hl_free(sprout);
}

static bool make_room(struct hl_sprout *sprout)
{
    const size_t most_rows = sprout->options.most_rows;

    sprout->links = hl_pages_new(bytes_of_links(&sprout->options));
    sprout->upper = hl_pages_new(bytes_of_upper(&sprout->options));
    sprout->above = hl_alloc_zeroed(most_rows, sizeof *sprout->above);
    sprout->levels = hl_alloc_zeroed(most_rows, sizeof *sprout->levels);
    return sprout->links && sprout->upper && sprout->above && sprout->levels;
}

static void begin_view(struct hl_sprout *sprout)
{
    const struct hl_sprout_options *options = &sprout->options;

    sprout->view = (struct hl_segment_view){.metric = options->metric,
                                            .dim = options->dim,
                                            .n_rows = options->most_rows,
                                            .stride = hl_sketch_stride(options->dim),
                                            .n_links = options->n_links,
                                            .links = sprout->links,
                                            .above = sprout->above,
                                            .upper = sprout->upper,
                                            .levels = sprout->levels};
}

enum hl_code hl_sprout_new(const struct hl_sprout_options *options,
                           struct hl_sprout **ret_sprout, struct hl_err *err)
{
    const struct hl_ann_options graph = {.metric = options->metric,
                                         .n_links = options->n_links,
                                         .ef_construction = options->ef_construction};
    struct hl_sprout *sprout = hl_alloc_zeroed(1, sizeof *sprout);
    enum hl_code code;

    if (!sprout)
        return hl_fail(err, HL_NO_MEMORY, "no memory for the graph of a tail");
    sprout->options = *options;
    code =
        hl_ann_begin_sketched(options->dim, options->most_rows, &graph, &sprout->ann, err);
    if (code == HL_OK && !make_room(sprout))
        code = hl_fail(err, HL_NO_MEMORY, "no memory for the graph of a tail of %zu rows",
                       options->most_rows);
    if (code != HL_OK) {
        hl_sprout_free(sprout);
        return code;
    }
    begin_view(sprout);
    *ret_sprout = sprout;
    return HL_OK;
}

static void store_link(hl_link *link, uint32_t to)
{
    if (atomic_load_explicit(link, memory_order_relaxed) != to)
        atomic_store_explicit(link, to, memory_order_release);
}

/* Blocks of new rows, which lead nowhere as yet. False: there is no room. */
static bool lay_levels(struct hl_sprout *sprout, const struct hl_graph_view *graph,
                       size_t first)
{
    struct hl_segment_view *view = &sprout->view;
    const size_t n_links = view->n_links;

    for (size_t row = first; row < graph->n_rows; row++) {
        const unsigned top = (unsigned)graph->levels[row] - 1;

        if (view->n_upper + top > most_upper(&sprout->options))
            return false;
        sprout->levels[row] = (uint8_t)top;
        sprout->above[row] = top > 0 ? (uint32_t)view->n_upper : HL_NO_POSITION;
        for (size_t i = 0; i < top * n_links; i++)
            store_link(&sprout->upper[view->n_upper * n_links + i], HL_NO_POSITION);
        view->n_upper += top;
    }
    return true;
}

static void lay_block(const struct hl_graph_view *graph, size_t row, unsigned level,
                      hl_link *links)
{
    const struct hl_graph_block block = hl_graph_block(graph, row, level);

    for (size_t i = 0; i < block.n_room; i++)
        store_link(&links[i], i < block.n ? (uint32_t)block.links[i] : HL_NO_POSITION);
}

static void lay_links(struct hl_sprout *sprout, const struct hl_graph_view *graph,
                      size_t row)
{
    const size_t n_links = sprout->view.n_links;

    lay_block(graph, row, 0, sprout->links + row * 2 * n_links);
    for (unsigned level = 1; level <= sprout->levels[row]; level++)
        lay_block(graph, row, level,
                  sprout->upper + (sprout->above[row] + level - 1) * n_links);
}

enum hl_code hl_sprout_grow(struct hl_sprout *sprout, const unsigned char *sketches,
                            size_t n, struct hl_err *err)
{
    const struct hl_graph_view *graph = hl_ann_view(sprout->ann);
    const size_t first = graph->n_rows;
    const enum hl_code code = hl_ann_extend(sprout->ann, sketches, n, err);

    if (code != HL_OK)
        return code;
    if (first == 0)
        sprout->view.sketches = hl_ann_sketches(sprout->ann);
    assert(sprout->view.sketches == hl_ann_sketches(sprout->ann));
    if (!lay_levels(sprout, graph, first))
        return hl_fail(err, HL_TOO_MANY, "the graph of a tail has no room on its levels");
    for (size_t row = first; row < graph->n_rows; row++)
        lay_links(sprout, graph, row);
    for (size_t row = 0; row < first; row++) /* and now somebody finds the way to them */
        lay_links(sprout, graph, row);
    store_link(&sprout->view.entry, (uint32_t)graph->entry);
    atomic_store(&sprout->n_rows, graph->n_rows);
    return HL_OK;
}

size_t hl_sprout_count(const struct hl_sprout *sprout)
{
    return atomic_load(&sprout->n_rows);
}

const struct hl_segment_view *hl_sprout_view(const struct hl_sprout *sprout)
{
    return &sprout->view;
}

const struct hl_ann *hl_sprout_graph(const struct hl_sprout *sprout)
{
    return sprout->ann;
}
