/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HL_TESTS_BENCH_CODES_H
#define HL_TESTS_BENCH_CODES_H

#include "index/graph.h"

#include <stddef.h>

/* FAISS's HNSW over its own scalar quantizer, 8 bits with a range for each dimension, for
 * squared distances, by one thread. For bench_graphs alone. */
#ifdef __cplusplus
extern "C" {
#endif

struct codes;

/* NULL: it could not. */
struct codes *codes_build(const float *rows, size_t n_rows, size_t dim, size_t n_links,
                          size_t ef_construction);
void codes_free(struct codes *codes);

/* The graph without its rows; good until codes_free. */
struct hl_graph_view codes_view(const struct codes *codes);

#ifdef __cplusplus
}
#endif

#endif
