/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/bench/codes.h"

#include <faiss/IndexHNSW.h>

#include <algorithm>
#include <exception>
#include <memory>

namespace
{

using count = faiss::Index::idx_t;

constexpr size_t STEP = 1024; /* as many rows at a time as the product adds */

} /* namespace */

struct codes {
    faiss::IndexHNSWSQ graph;

    codes(size_t dim, size_t n_links)
        : graph(static_cast<int>(dim), faiss::ScalarQuantizer::QT_8bit,
                static_cast<int>(n_links))
    {
    }
};

extern "C" struct codes *codes_build(const float *rows, size_t n_rows, size_t dim,
                                     size_t n_links, size_t ef_construction)
{
    try {
        auto made = std::make_unique<codes>(dim, n_links);

        made->graph.hnsw.efConstruction = static_cast<int>(ef_construction);
        made->graph.train(static_cast<count>(n_rows), rows);
        for (size_t row = 0; row < n_rows; row += STEP)
            made->graph.add(static_cast<count>(std::min(STEP, n_rows - row)),
                            rows + row * dim);
        return made.release();
    } catch (const std::exception &) {
        return nullptr;
    }
}

extern "C" void codes_free(struct codes *codes)
{
    delete codes;
}

extern "C" struct hl_graph_view codes_view(const struct codes *codes)
{
    const faiss::HNSW &hnsw = codes->graph.hnsw;
    struct hl_graph_view view = {};

    view.n_rows = hnsw.levels.size();
    view.dim = static_cast<size_t>(codes->graph.d);
    view.levels = hnsw.levels.data();
    view.offsets = hnsw.offsets.data();
    view.neighbors = hnsw.neighbors.data();
    view.n_neighbors = hnsw.neighbors.size();
    view.before = hnsw.cum_nneighbor_per_level.data();
    view.n_before = hnsw.cum_nneighbor_per_level.size();
    view.entry = hnsw.entry_point;
    view.max_level = hnsw.max_level;
    return view;
}
