/* SPDX-License-Identifier: Apache-2.0 */
/* Memory for a graph before it is built: the part of faiss_gap.h that FAISS's C API leaves
 * out of adding rows. */
extern "C" {
#include "index/faiss_gap.h"
}

#include <faiss/Index.h>
#include <faiss/IndexFlat.h>
#include <faiss/IndexHNSW.h>

#include <sys/mman.h>

#include <exception>
#include <vector>

namespace
{

constexpr size_t page = 4096, huge_page = size_t{2} << 20;

/* Later versions of FAISS keep their arrays in a class that may also borrow them. */
template <class T> std::vector<T> &vector_of(std::vector<T> &array)
{
    return array;
}

template <class A> auto vector_of(A &array) -> decltype((array.owned_data))
{
    return array.owned_data;
}

/* The whole pages of what was reserved and is still empty. A refusal leaves small ones. */
template <class A> void reserve_huge(A &array, size_t n)
{
    auto &room = vector_of(array);

    room.reserve(n);
    auto *const first = reinterpret_cast<char *>(room.data());
    const size_t before = (page - reinterpret_cast<uintptr_t>(first) % page) % page;
    const size_t bytes = room.capacity() * sizeof(room[0]);

    if (bytes >= before + huge_page)
        (void)madvise(first + before, (bytes - before) / page * page, MADV_HUGEPAGE);
}

} /* namespace */

/* A row has links on one level more with a probability of 1 / n_links: room for a little
 * more than what follows from it. */
extern "C" enum hl_code hl_gap_reserve(FaissIndex_H *index, size_t n_rows,
                                       struct hl_err *err)
{
    auto *const graph =
        dynamic_cast<faiss::IndexHNSW *>(reinterpret_cast<faiss::Index *>(index));
    auto *const flat =
        graph != nullptr ? dynamic_cast<faiss::IndexFlat *>(graph->storage) : nullptr;

    if (flat == nullptr)
        return hl_fail(err, HL_BAD_FILE, "the index is no HNSW graph over rows of floats");
    try {
        const auto lowest = static_cast<size_t>(graph->hnsw.nb_neighbors(0));
        const auto above = static_cast<size_t>(graph->hnsw.nb_neighbors(1));

        reserve_huge(flat->codes, n_rows * sizeof(float) * static_cast<size_t>(flat->d));
        reserve_huge(graph->hnsw.neighbors, n_rows * (lowest + 2) + 64 * above);
        reserve_huge(graph->hnsw.offsets, n_rows + 1);
        reserve_huge(graph->hnsw.levels, n_rows);
    } catch (const std::exception &) {
        return hl_fail(err, HL_NO_MEMORY, "no memory for a graph of %zu rows", n_rows);
    }
    return HL_OK;
}
