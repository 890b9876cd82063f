/* SPDX-License-Identifier: Apache-2.0 */
extern "C" {
#include "index/faiss_gap.h"
}

#include <faiss/Index.h>
#include <faiss/IndexFlat.h>
#include <faiss/IndexHNSW.h>
#include <faiss/MetricType.h>
#include <faiss/impl/FaissException.h>
#include <faiss/impl/ScalarQuantizer.h>
#include <faiss/impl/io.h>
#include <faiss/index_factory.h>
#include <faiss/index_io.h>
#include <faiss/utils/distances.h>

#include <faiss/c_api/Index_c.h>
#include <faiss/c_api/error_c.h>
#include <faiss/c_api/index_factory_c.h>

#include <omp.h>

#include <atomic>
#include <cstring>
#include <exception>
#include <memory>
#include <new>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <vector>

/* ---- Kernels in place of FAISS's -------------------------------------------------------
 *
 * The linker's --wrap=NAME sends every call of NAME from another object file to
 * __wrap_NAME, and __real_NAME to the original; index/meson.build lists the names. Both are
 * declared here under names of our own and given theirs by an asm label, and the compiler
 * compares their types with FAISS's declarations. `used`, because only the linker knows of
 * the callers. */
#define WRAP(name) __asm__("__wrap_" name) __attribute__((used))
#define REAL(name) __asm__("__real_" name)

#define L2      "_ZN5faiss10fvec_L2sqrEPKfS1_m"
#define DOT     "_ZN5faiss18fvec_inner_productEPKfS1_m"
#define NORM    "_ZN5faiss15fvec_norm_L2sqrEPKfm"
#define L2_NY   "_ZN5faiss13fvec_L2sqr_nyEPfPKfS2_mm"
#define DOT_NY  "_ZN5faiss22fvec_inner_products_nyEPfPKfS2_mm"
#define NEAREST "_ZN5faiss21fvec_L2sqr_ny_nearestEPfPKfS2_mm"
#define CODES   "_ZNK5faiss15ScalarQuantizer21get_distance_computerENS_10MetricTypeE"

/* FAISS 1.7.4 came to measure four rows at a time. */
#if FAISS_VERSION_MAJOR > 1 || FAISS_VERSION_MINOR > 7 ||                                  \
    (FAISS_VERSION_MINOR == 7 && FAISS_VERSION_PATCH >= 4)
#define FAISS_HAS_BATCH_4 1
#else
#define FAISS_HAS_BATCH_4 0
#endif

using computer = faiss::ScalarQuantizer::SQDistanceComputer;

static_assert(
    std::is_same_v<decltype(&faiss::ScalarQuantizer::get_distance_computer),
                   computer *(faiss::ScalarQuantizer::*)(faiss::MetricType) const>);

extern "C" {
decltype(faiss::fvec_L2sqr) real_l2 REAL(L2), wrap_l2 WRAP(L2);
decltype(faiss::fvec_inner_product) real_dot REAL(DOT), wrap_dot WRAP(DOT);
decltype(faiss::fvec_norm_L2sqr) real_norm REAL(NORM), wrap_norm WRAP(NORM);
decltype(faiss::fvec_L2sqr_ny) real_l2_ny REAL(L2_NY), wrap_l2_ny WRAP(L2_NY);
decltype(faiss::fvec_inner_products_ny) real_dot_ny REAL(DOT_NY), wrap_dot_ny WRAP(DOT_NY);
decltype(faiss::fvec_L2sqr_ny_nearest) real_nearest REAL(NEAREST), wrap_nearest
    WRAP(NEAREST);
computer *real_codes(const faiss::ScalarQuantizer *, faiss::MetricType) REAL(CODES);
computer *wrap_codes(const faiss::ScalarQuantizer *, faiss::MetricType) WRAP(CODES);

const struct hl_kernels hl_gap_kernels_shipped = {
    "shipped", real_l2, real_dot, real_norm, real_l2_ny, real_dot_ny, real_nearest,
    nullptr,   nullptr, nullptr,  nullptr,   nullptr,    nullptr,
};
}

/* The mutable statics of index/: the functions above are called with nothing that could
 * carry the choice. */
static std::atomic<const struct hl_kernels *> current{&hl_kernels_portable};
static thread_local const struct hl_kernels *here;

/* Relaxed, because tables are constant: there is nothing behind the pointer to wait for. */
static inline const struct hl_kernels *kernels()
{
    return here != nullptr ? here : current.load(std::memory_order_relaxed);
}

extern "C" void hl_gap_use_kernels(const struct hl_kernels *kernels)
{
    current.store(kernels);
}

extern "C" const struct hl_kernels *hl_gap_kernels(void)
{
    return current.load(std::memory_order_relaxed);
}

extern "C" void hl_gap_use_here(const struct hl_kernels *kernels)
{
    here = kernels;
}

float wrap_l2(const float *x, const float *y, size_t dim)
{
    return kernels()->l2(x, y, dim);
}

float wrap_dot(const float *x, const float *y, size_t dim)
{
    return kernels()->dot(x, y, dim);
}

float wrap_norm(const float *x, size_t dim)
{
    return kernels()->norm(x, dim);
}

void wrap_l2_ny(float *ret, const float *x, const float *y, size_t dim, size_t ny)
{
    kernels()->l2_ny(ret, x, y, dim, ny);
}

void wrap_dot_ny(float *ret, const float *x, const float *y, size_t dim, size_t ny)
{
    kernels()->dot_ny(ret, x, y, dim, ny);
}

size_t wrap_nearest(float *ret, const float *x, const float *y, size_t dim, size_t ny)
{
    return kernels()->l2_ny_nearest(ret, x, y, dim, ny);
}

#if FAISS_HAS_BATCH_4
#define L2_4  "_ZN5faiss18fvec_L2sqr_batch_4EPKfS1_S1_S1_S1_mRfS2_S2_S2_"
#define DOT_4 "_ZN5faiss26fvec_inner_product_batch_4EPKfS1_S1_S1_S1_mRfS2_S2_S2_"

extern "C" {
decltype(faiss::fvec_L2sqr_batch_4) real_l2_4 REAL(L2_4), wrap_l2_4 WRAP(L2_4);
decltype(faiss::fvec_inner_product_batch_4) real_dot_4 REAL(DOT_4), wrap_dot_4 WRAP(DOT_4);
}

/* Their parameters are FAISS's, not ours to gather in a struct. */
void wrap_l2_4(const float *x, const float *y0, const float *y1, const float *y2,
               const float *y3, size_t dim, float &ret0, float &ret1, float &ret2,
               float &ret3)
{
    const struct hl_kernels *const now = kernels();

    if (now == &hl_gap_kernels_shipped)
        return real_l2_4(x, y0, y1, y2, y3, dim, ret0, ret1, ret2, ret3);
    ret0 = now->l2(x, y0, dim);
    ret1 = now->l2(x, y1, dim);
    ret2 = now->l2(x, y2, dim);
    ret3 = now->l2(x, y3, dim);
}

void wrap_dot_4(const float *x, const float *y0, const float *y1, const float *y2,
                const float *y3, size_t dim, float &ret0, float &ret1, float &ret2,
                float &ret3)
{
    const struct hl_kernels *const now = kernels();

    if (now == &hl_gap_kernels_shipped)
        return real_dot_4(x, y0, y1, y2, y3, dim, ret0, ret1, ret2, ret3);
    ret0 = now->dot(x, y0, dim);
    ret1 = now->dot(x, y1, dim);
    ret2 = now->dot(x, y2, dim);
    ret3 = now->dot(x, y3, dim);
}
#endif

namespace
{

/* Distances to rows of 8-bit codes. Code c at place i stands for base[i] + scale[i] * c,
 * where FAISS writes vmin + vdiff * (c + 0.5) / 255. */
struct code_computer : computer {
    const struct hl_kernels *kernels;
    std::vector<float> base, scale;
    std::vector<float> target; /* the query, made ready for the kernel */
    std::vector<float> row;    /* the same for the first row of symmetric_dis */
    float offset = 0;          /* what an inner product has whatever the codes are */

    code_computer(const faiss::ScalarQuantizer &quantizer, const struct hl_kernels *kernels)
        : kernels(kernels), base(quantizer.d), scale(quantizer.d), target(quantizer.d),
          row(quantizer.d)
    {
        for (size_t i = 0; i < quantizer.d; i++) {
            scale[i] = quantizer.trained[quantizer.d + i] / 255.0F;
            base[i] = quantizer.trained[i] + 0.5F * scale[i];
        }
    }
};

struct code_l2_computer final : code_computer {
    using code_computer::code_computer;

    void set_query(const float *x) override
    {
        q = x;
        for (size_t i = 0; i < base.size(); i++)
            target[i] = x[i] - base[i];
    }

    float query_to_code(const uint8_t *code) const override
    {
        return kernels->code_l2(target.data(), scale.data(), code, base.size());
    }

    float symmetric_dis(idx_t i, idx_t j) override
    {
        const uint8_t *const code = codes + static_cast<size_t>(i) * code_size;

        for (size_t at = 0; at < base.size(); at++)
            row[at] = scale[at] * static_cast<float>(code[at]);
        return kernels->code_l2(row.data(), scale.data(),
                                codes + static_cast<size_t>(j) * code_size, base.size());
    }
};

struct code_dot_computer final : code_computer {
    using code_computer::code_computer;

    void set_query(const float *x) override
    {
        q = x;
        offset = kernels->dot(x, base.data(), base.size());
        for (size_t i = 0; i < base.size(); i++)
            target[i] = x[i] * scale[i];
    }

    float query_to_code(const uint8_t *code) const override
    {
        return offset + kernels->code_dot(target.data(), code, base.size());
    }

    float symmetric_dis(idx_t i, idx_t j) override
    {
        const uint8_t *const code = codes + static_cast<size_t>(i) * code_size;
        float row_offset = 0;

        for (size_t at = 0; at < base.size(); at++)
            row[at] = base[at] + scale[at] * static_cast<float>(code[at]);
        row_offset = kernels->dot(row.data(), base.data(), base.size());
        for (size_t at = 0; at < base.size(); at++)
            row[at] *= scale[at];
        return row_offset + kernels->code_dot(row.data(),
                                              codes + static_cast<size_t>(j) * code_size,
                                              base.size());
    }
};

} /* namespace */

computer *wrap_codes(const faiss::ScalarQuantizer *quantizer, faiss::MetricType metric)
{
    const struct hl_kernels *const now = kernels();

    if (quantizer->qtype != faiss::ScalarQuantizer::QT_8bit || now->code_l2 == nullptr ||
        quantizer->trained.size() != 2 * quantizer->d)
        return real_codes(quantizer, metric);
    if (metric == faiss::METRIC_L2)
        return new code_l2_computer(*quantizer, now);
    return new code_dot_computer(*quantizer, now);
}

/* ---- What the C API has no words for ---- */

#define TEXT_OF(number)     #number
#define VERSION_OF(x, y, z) TEXT_OF(x) "." TEXT_OF(y) "." TEXT_OF(z)

extern "C" const char *hl_gap_version(void)
{
    return VERSION_OF(FAISS_VERSION_MAJOR, FAISS_VERSION_MINOR, FAISS_VERSION_PATCH);
}

extern "C" void hl_gap_hold_to_one_thread(void)
{
    omp_set_num_threads(1);
}

extern "C" const char *hl_gap_plain_text(const char *text)
{
    const char *plain = std::strstr(text, ".cpp:");

    plain = plain != nullptr ? std::strstr(plain, ": ") : nullptr;
    return plain != nullptr ? plain + 2 : text;
}

/* The exception under way as our error. */
static enum hl_code fail_caught(enum hl_code otherwise, const char *what,
                                struct hl_err *err) noexcept
{
    try {
        throw;
    } catch (const std::bad_alloc &) {
        return hl_fail(err, HL_NO_MEMORY, "no room to %s", what);
    } catch (const std::length_error &) {
        return hl_fail(err, otherwise, "could not %s: a size in it cannot be", what);
    } catch (const std::exception &e) {
        return hl_fail(err, otherwise, "could not %s: %s", what,
                       hl_gap_plain_text(e.what()));
    } catch (...) {
        return hl_fail(err, otherwise, "could not %s", what);
    }
}

static const faiss::IndexHNSW *graph_of(const FaissIndex *index)
{
    return dynamic_cast<const faiss::IndexHNSW *>(
        reinterpret_cast<const faiss::Index *>(index));
}

extern "C" enum hl_code hl_gap_view(const FaissIndex *index, struct hl_graph_view *ret_view,
                                    struct hl_err *err)
{
    const faiss::IndexHNSW *const graph = graph_of(index);
    const auto *const flat =
        graph != nullptr ? dynamic_cast<const faiss::IndexFlat *>(graph->storage) : nullptr;
    struct hl_graph_view view = {};

    if (flat == nullptr)
        return hl_fail(err, HL_BAD_FILE, "the index is no HNSW graph over rows of floats");
    view.n_rows = graph->hnsw.levels.size();
    view.dim = static_cast<size_t>(graph->d);
    if (graph->d < 1 || flat->d != graph->d || flat->metric_type != graph->metric_type ||
        (graph->metric_type != faiss::METRIC_L2 &&
         graph->metric_type != faiss::METRIC_INNER_PRODUCT) ||
        static_cast<size_t>(graph->ntotal) != view.n_rows ||
        static_cast<size_t>(flat->ntotal) != view.n_rows || view.n_rows > INT32_MAX ||
        flat->codes.size() / sizeof(float) / view.dim != view.n_rows ||
        graph->hnsw.offsets.size() != view.n_rows + 1)
        return hl_fail(err, HL_DAMAGED, "graph and rows do not belong together");
    view.rows = reinterpret_cast<const float *>(flat->codes.data());
    view.levels = graph->hnsw.levels.data();
    view.offsets = graph->hnsw.offsets.data();
    view.neighbors = graph->hnsw.neighbors.data();
    view.n_neighbors = graph->hnsw.neighbors.size();
    view.before = graph->hnsw.cum_nneighbor_per_level.data();
    view.n_before = graph->hnsw.cum_nneighbor_per_level.size();
    view.entry = graph->hnsw.entry_point;
    view.max_level = graph->hnsw.max_level;
    *ret_view = view;
    return HL_OK;
}

extern "C" void hl_gap_set_beam(FaissIndex *index, int ef_construction, int ef_search)
{
    auto *const graph =
        dynamic_cast<faiss::IndexHNSW *>(reinterpret_cast<faiss::Index *>(index));

    if (graph != nullptr && ef_construction > 0)
        graph->hnsw.efConstruction = ef_construction;
    if (graph != nullptr && ef_search > 0)
        graph->hnsw.efSearch = ef_search;
}

namespace
{

struct bytes_writer final : faiss::IOWriter {
    const struct hl_gap_bytes *to = nullptr;

    size_t operator()(const void *bytes, size_t size, size_t n) override
    {
        return size == 0 ? n
                         : to->move(to->self, const_cast<void *>(bytes), size * n) / size;
    }
};

struct bytes_reader final : faiss::IOReader {
    const struct hl_gap_bytes *from = nullptr;

    size_t operator()(void *bytes, size_t size, size_t n) override
    {
        return size == 0 ? n : from->move(from->self, bytes, size * n) / size;
    }
};

} /* namespace */

extern "C" enum hl_code hl_gap_write(const FaissIndex *index, const struct hl_gap_bytes *to,
                                     struct hl_err *err)
{
    try {
        bytes_writer writer;

        writer.to = to;
        faiss::write_index(reinterpret_cast<const faiss::Index *>(index), &writer);
        return HL_OK;
    } catch (...) {
        return fail_caught(HL_IO, "write the graph", err);
    }
}

extern "C" enum hl_code hl_gap_read(const struct hl_gap_bytes *from, FaissIndex **ret_index,
                                    struct hl_err *err)
{
    try {
        bytes_reader reader;

        reader.from = from;
        *ret_index = reinterpret_cast<FaissIndex *>(faiss::read_index(&reader));
        return HL_OK;
    } catch (...) {
        return fail_caught(HL_DAMAGED, "read the graph", err);
    }
}

/* ---- The C API itself, where its headers came without their code ---- */

#ifndef HL_FAISS_HAS_C_API

static thread_local std::string last_error;

static int keep_error(int code, const char *text) noexcept
{
    try {
        last_error = text;
    } catch (...) {
        last_error.clear();
    }
    return code;
}

/* Does what it is given and turns an exception into a code and the text of last_error. */
template <typename Work> static int guarded(Work work) noexcept
{
    try {
        work();
        return OK;
    } catch (const faiss::FaissException &e) {
        return keep_error(FAISS_EXCEPT, e.what());
    } catch (const std::exception &e) {
        return keep_error(STD_EXCEPT, e.what());
    } catch (...) {
        return keep_error(UNKNOWN_EXCEPT, "unknown error");
    }
}

static faiss::Index *index_of(FaissIndex *index)
{
    return reinterpret_cast<faiss::Index *>(index);
}

static const faiss::Index *index_of(const FaissIndex *index)
{
    return reinterpret_cast<const faiss::Index *>(index);
}

extern "C" const char *faiss_get_last_error()
{
    return last_error.c_str();
}

extern "C" int faiss_index_factory(FaissIndex **p_index, int d, const char *description,
                                   FaissMetricType metric)
{
    return guarded([&] {
        *p_index = reinterpret_cast<FaissIndex *>(
            faiss::index_factory(d, description, static_cast<faiss::MetricType>(metric)));
    });
}

extern "C" void faiss_Index_free(FaissIndex *obj)
{
    delete index_of(obj);
}

extern "C" FaissMetricType faiss_Index_metric_type(const FaissIndex *index)
{
    return static_cast<FaissMetricType>(index_of(index)->metric_type);
}

extern "C" int faiss_Index_train(FaissIndex *index, idx_t n, const float *x)
{
    return guarded([&] { index_of(index)->train(n, x); });
}

extern "C" int faiss_Index_add(FaissIndex *index, idx_t n, const float *x)
{
    return guarded([&] { index_of(index)->add(n, x); });
}

extern "C" int faiss_Index_search(const FaissIndex *index, idx_t n, const float *x, idx_t k,
                                  float *distances, idx_t *labels)
{
    return guarded([&] { index_of(index)->search(n, x, k, distances, labels); });
}

#endif
