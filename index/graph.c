/* SPDX-License-Identifier: Apache-2.0 */
#include "index/graph.h"

struct hl_graph_block hl_graph_block(const struct hl_graph_view *view, size_t row,
                                     unsigned level)
{
    struct hl_graph_block block = {
        .links = view->neighbors + view->offsets[row] + view->before[level],
        .n_room = (size_t)(view->before[level + 1] - view->before[level])};

    while (block.n < block.n_room && block.links[block.n] >= 0)
        block.n++;
    return block;
}

static enum hl_code check_row(const struct hl_graph_view *view, size_t row,
                              struct hl_err *err)
{
    const size_t begin = view->offsets[row];
    const size_t end = view->offsets[row + 1];
    const int32_t level = view->levels[row];

    if (level < 1 || (size_t)level >= view->n_before)
        return hl_fail(err, HL_DAMAGED, "row %zu is on level %d of %zu", row, level,
                       view->n_before);
    if (begin > end || end > view->n_neighbors ||
        end - begin != (size_t)view->before[level])
        return hl_fail(err, HL_DAMAGED, "row %zu has its links at %zu to %zu of %zu", row,
                       begin, end, view->n_neighbors);
    for (int32_t at = 0; at < level; at++)
        for (size_t i = begin + (size_t)view->before[at];
             i < begin + (size_t)view->before[at + 1]; i++) {
            const int32_t to = view->neighbors[i];

            if (to < -1 || to >= (int64_t)view->n_rows ||
                (to >= 0 && view->levels[to] <= at))
                return hl_fail(err, HL_DAMAGED, "row %zu links to row %d on level %d", row,
                               to, at);
        }
    return HL_OK;
}

enum hl_code hl_graph_check(const struct hl_graph_view *view, struct hl_err *err)
{
    if (view->n_before == 0 || view->before[0] != 0)
        return hl_fail(err, HL_DAMAGED, "the graph has no levels");
    for (size_t i = 1; i < view->n_before; i++)
        if (view->before[i] < view->before[i - 1])
            return hl_fail(err, HL_DAMAGED, "the graph's levels overlap");
    if (view->n_rows == 0)
        return view->entry == -1
                   ? HL_OK
                   : hl_fail(err, HL_DAMAGED, "an empty graph is entered at row %d",
                             view->entry);
    if (view->offsets[0] != 0)
        return hl_fail(err, HL_DAMAGED, "the links of row 0 are missing");
    if (view->entry < 0 || (size_t)view->entry >= view->n_rows ||
        view->levels[view->entry] != (int64_t)view->max_level + 1)
        return hl_fail(err, HL_DAMAGED, "the graph is entered at row %d of %zu, level %d",
                       view->entry, view->n_rows, view->max_level);
    for (size_t row = 0; row < view->n_rows; row++) {
        const enum hl_code code = check_row(view, row, err);

        if (code != HL_OK)
            return code;
    }
    return HL_OK;
}
