/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HL_INDEX_SKETCH_H
#define HL_INDEX_SKETCH_H

#include "index/kernels.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A vector as signed bytes, a quarter of its floats: what a search reads first.
 *
 * A search is bound by memory, so it ranks by bytes and asks the floats only about the few
 * it keeps. Each sketch carries its own scale and the length of what its bytes stand for,
 * so that the distance of two sketches is a distance and its error grows with it, and not
 * with how far from the origin both are. A score says "greater is nearer" for every metric:
 * the inner product, or minus the distance. Scores of sketches are estimates, but for
 * HL_METRIC_L1, which is never asked of one; hl_sketch_exact gives the true one.
 *
 * Plain functions of plain memory; any thread. */
enum hl_metric {
    HL_METRIC_L2,  /* squared Euclidean distance: less is nearer */
    HL_METRIC_DOT, /* inner product: more is nearer */
    HL_METRIC_L1   /* sum of the differences: less is nearer; no sketch can estimate it */
};

#define HL_SKETCH_MAX_DIM 65536

struct hl_sketch {
    float scale;    /* byte b stands for scale * b */
    float norm;     /* squared, of what the bytes stand for */
    int32_t sum;    /* of the bytes */
    float residual; /* the length of what they do not stand for, or more; 0: not known */
    int8_t bytes[]; /* dim of them, then zeros up to the stride */
};

/* From one sketch to the next in an array of them: a multiple of 16. */
size_t hl_sketch_stride(size_t dim);

/* Of a length of which the errors of products and distances are known: 0, or far from where
 * floats overflow or fade away. */
bool hl_sketch_is_usual(double length);

/* The residual is known where the length of the row is usual. */
void hl_sketch_write(const float *values, size_t dim, struct hl_sketch *ret_sketch);

/* A query made ready for many sketches. Borrows `values`; `bytes` is the caller's storage
 * of hl_sketch_stride(dim) bytes. */
struct hl_sketch_query {
    const struct hl_kernels *kernels;
    int32_t (*bytes_dot)(const uint8_t *x, const int8_t *y, size_t size);
    enum hl_metric metric;
    const float *values;
    size_t dim;
    size_t n_bytes; /* dim and the padding that sketches have too */
    uint8_t *bytes; /* shifted by 128, so that they are unsigned */
    float scale;
    float norm;
};

void hl_sketch_query_init(struct hl_sketch_query *query, const struct hl_kernels *kernels,
                          enum hl_metric metric, const float *values, size_t dim,
                          uint8_t *bytes);

/* The length of what the bytes of a query do not stand for, and that of its floats. */
void hl_sketch_query_lengths(const struct hl_sketch_query *query, double *ret_residual,
                             double *ret_length);

/* The product of its bytes and the sketch's. */
int32_t hl_sketch_product(const struct hl_sketch_query *query,
                          const struct hl_sketch *sketch);

float hl_sketch_score(const struct hl_sketch_query *query, const struct hl_sketch *sketch);

/* The same of each of n_rows sketches that begin `stride` bytes after each other. */
enum { HL_SKETCH_RUN = 64 }; /* at most */
void hl_sketch_scores(const struct hl_sketch_query *query, const struct hl_sketch *sketches,
                      size_t stride, size_t n_rows, float *ret_scores);

/* Of the floats. Where values are so large that nothing can be said, -infinity. */
float hl_sketch_exact(const struct hl_sketch_query *query, const float *values);

#endif
