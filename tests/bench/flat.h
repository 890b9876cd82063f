/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HL_TESTS_BENCH_FLAT_H
#define HL_TESTS_BENCH_FLAT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* FAISS's flat index, which compares all rows as floats, several queries at a time as a
 * product of matrices. For bench_exact alone. */
#ifdef __cplusplus
extern "C" {
#endif

struct flat;

/* NULL: it could not. The rows are copied. */
struct flat *flat_new(const float *rows, size_t n_rows, size_t dim, bool is_dot);
void flat_free(struct flat *flat);

/* False: it could not. */
bool flat_search(const struct flat *flat, const float *queries, size_t n_queries, size_t k,
                 float *ret_scores, int64_t *ret_rows);

#ifdef __cplusplus
}
#endif

#endif
