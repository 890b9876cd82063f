/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HL_TESTS_BENCH_OTHER_H
#define HL_TESTS_BENCH_OTHER_H

#include <stddef.h>
#include <stdint.h>

/* hnswlib, as Debian ships it, behind functions that C can call: squared distances, one
 * thread. For bench_walk alone. */
#ifdef __cplusplus
extern "C" {
#endif

struct other;

struct other *other_new(const float *rows, size_t n_rows, size_t dim, size_t n_links,
                        size_t ef_construction); /* NULL: it could not */
void other_free(struct other *other);

/* The k nearest, nearest first, -1 where there are fewer. */
void other_search(struct other *other, const float *query, size_t beam, size_t k,
                  int64_t *ret_rows);

#ifdef __cplusplus
}
#endif

#endif
