/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/bench/flat.h"

#include <faiss/IndexFlat.h>

#include <exception>
#include <memory>

struct flat {
    faiss::IndexFlat index;

    flat(size_t dim, bool is_dot)
        : index(static_cast<faiss::Index::idx_t>(dim),
                is_dot ? faiss::METRIC_INNER_PRODUCT : faiss::METRIC_L2)
    {
    }
};

extern "C" struct flat *flat_new(const float *rows, size_t n_rows, size_t dim, bool is_dot)
{
    try {
        auto made = std::make_unique<flat>(dim, is_dot);

        made->index.add(static_cast<faiss::Index::idx_t>(n_rows), rows);
        return made.release();
    } catch (const std::exception &) {
        return nullptr;
    }
}

extern "C" void flat_free(struct flat *flat)
{
    delete flat;
}

extern "C" bool flat_search(const struct flat *flat, const float *queries, size_t n_queries,
                            size_t k, float *ret_scores, int64_t *ret_rows)
{
    try {
        flat->index.search(static_cast<faiss::Index::idx_t>(n_queries), queries,
                           static_cast<faiss::Index::idx_t>(k), ret_scores, ret_rows);
        return true;
    } catch (const std::exception &) {
        return false;
    }
}
