/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/bench/other.h"

#include <hnswlib/hnswlib.h>

#include <exception>
#include <memory>

struct other {
    hnswlib::L2Space space;
    hnswlib::HierarchicalNSW<float> graph;

    other(size_t n_rows, size_t dim, size_t n_links, size_t ef_construction)
        : space(dim), graph(&space, n_rows, n_links, ef_construction)
    {
    }
};

extern "C" struct other *other_new(const float *rows, size_t n_rows, size_t dim,
                                   size_t n_links, size_t ef_construction)
{
    try {
        auto made = std::make_unique<other>(n_rows, dim, n_links, ef_construction);

        for (size_t row = 0; row < n_rows; row++)
            made->graph.addPoint(rows + row * dim, row);
        return made.release();
    } catch (const std::exception &) {
        return nullptr;
    }
}

extern "C" void other_free(struct other *other)
{
    delete other;
}

extern "C" void other_search(struct other *other, const float *query, size_t beam, size_t k,
                             int64_t *ret_rows)
{
    other->graph.setEf(beam);
    auto found = other->graph.searchKnn(query, k);

    for (size_t i = found.size(); i < k; i++)
        ret_rows[i] = -1;
    while (!found.empty()) {
        ret_rows[found.size() - 1] = static_cast<int64_t>(found.top().second);
        found.pop();
    }
}
