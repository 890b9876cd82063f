/* SPDX-License-Identifier: Apache-2.0 */
#include "index/sketch.h"

#include <assert.h>
#include <float.h>
#include <math.h>
#include <string.h>

enum { ALIGNMENT = 16, LARGEST_BYTE = 127, SHIFT = 128, LANES = 8 };

size_t hl_sketch_stride(size_t dim)
{
    return (sizeof(struct hl_sketch) + dim + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
}

static float largest_of(const float *values, size_t dim)
{
    float lanes[LANES] = {0}, largest = 0;
    size_t i = 0;

    /* Side by side, so that the compiler keeps them in registers. */
    for (; i + LANES <= dim; i += LANES)
        for (size_t j = 0; j < LANES; j++)
            lanes[j] = fabsf(values[i + j]) > lanes[j] ? fabsf(values[i + j]) : lanes[j];
    for (; i < dim; i++)
        largest = fmaxf(largest, fabsf(values[i]));
    for (size_t j = 0; j < LANES; j++)
        largest = fmaxf(largest, lanes[j]);
    return largest;
}

/* The nearest whole number, of two the even one: to where floats are so large that they are
 * whole, and back. That is lrintf for several at once. What is no number is 0. */
static int32_t round_step(float step)
{
    const float whole = 0x1.8p23F, rounded = (step + whole) - whole;

    return (int32_t)(fabsf(rounded) <= LARGEST_BYTE ? rounded : 0);
}

/* How many steps of 1 make the value, or 0 for a row of zeros. Values below the smallest
 * normal float would make the inverse overflow: they count as zeros. */
static float steps_per_value(float largest)
{
    return largest < 1e-30F ? 0 : LARGEST_BYTE / largest;
}

bool hl_sketch_is_usual(double length)
{
    return !(length > 0) ? length >= 0 : length >= 1e-9 && length <= 1e9;
}

/* Four sums side by side: their order does not matter, and they need not wait for each
 * other. */
struct squares {
    double values[4], gaps[4];
};

static void add_squares(struct squares *squares, size_t lane, double value, double meant)
{
    squares->values[lane] += value * value;
    squares->gaps[lane] += (value - meant) * (value - meant);
}

static double length_of(const double sums[4])
{
    return sqrt((sums[0] + sums[1]) + (sums[2] + sums[3]));
}

/* Up to the next float and a little more, for the roundings of the sum; never 0. */
static float residual_of(const struct squares *squares)
{
    return hl_sketch_is_usual(length_of(squares->values))
               ? fmaxf((float)(length_of(squares->gaps) * (1 + 1e-6)), FLT_MIN)
               : 0;
}

void hl_sketch_write(const float *values, size_t dim, struct hl_sketch *ret_sketch)
{
    const float largest = largest_of(values, dim), steps = steps_per_value(largest);
    const float scale = largest / LARGEST_BYTE;
    struct squares squares = {{0}, {0}};
    int32_t sum = 0, norm = 0;

    for (size_t i = 0; i < dim; i++) {
        ret_sketch->bytes[i] = (int8_t)round_step(values[i] * steps);
        sum += ret_sketch->bytes[i];
        norm += ret_sketch->bytes[i] * ret_sketch->bytes[i];
        add_squares(&squares, i % 4, (double)values[i],
                    (double)scale * ret_sketch->bytes[i]);
    }
    memset(ret_sketch->bytes + dim, 0, hl_sketch_stride(dim) - sizeof *ret_sketch - dim);
    ret_sketch->scale = scale;
    ret_sketch->norm = scale * scale * (float)norm;
    ret_sketch->sum = sum;
    ret_sketch->residual = residual_of(&squares);
}

void hl_sketch_query_init(struct hl_sketch_query *query, const struct hl_kernels *kernels,
                          enum hl_metric metric, const float *values, size_t dim,
                          uint8_t *bytes)
{
    const float largest = largest_of(values, dim), steps = steps_per_value(largest);
    const size_t n_bytes = hl_sketch_stride(dim) - sizeof(struct hl_sketch);
    int32_t norm = 0;

    *query = (struct hl_sketch_query){.kernels = kernels,
                                      .bytes_dot = kernels->bytes_dot
                                                       ? kernels->bytes_dot
                                                       : hl_kernels_portable.bytes_dot,
                                      .metric = metric,
                                      .values = values,
                                      .dim = dim,
                                      .n_bytes = n_bytes,
                                      .bytes = bytes,
                                      .scale = largest / LARGEST_BYTE};
    for (size_t i = 0; i < dim; i++) {
        const int32_t byte = round_step(values[i] * steps);

        bytes[i] = (uint8_t)(byte + SHIFT);
        norm += byte * byte;
    }
    memset(bytes + dim, 0, n_bytes - dim);
    query->norm = query->scale * query->scale * (float)norm;
}

void hl_sketch_query_lengths(const struct hl_sketch_query *query, double *ret_residual,
                             double *ret_length)
{
    struct squares squares = {{0}, {0}};

    for (size_t i = 0; i < query->dim; i++)
        add_squares(&squares, i % 4, (double)query->values[i],
                    (double)query->scale * (query->bytes[i] - SHIFT));
    *ret_residual = length_of(squares.gaps);
    *ret_length = length_of(squares.values);
}

static inline int32_t shift_back(const struct hl_sketch *sketch, int32_t shifted)
{
    return (int32_t)(shifted - SHIFT * (int64_t)sketch->sum);
}

int32_t hl_sketch_product(const struct hl_sketch_query *query,
                          const struct hl_sketch *sketch)
{
    return shift_back(sketch,
                      query->bytes_dot(query->bytes, sketch->bytes, query->n_bytes));
}

static inline float score_of(const struct hl_sketch_query *query,
                             const struct hl_sketch *sketch, int32_t product)
{
    const float dot = query->scale * sketch->scale * (float)product;

    return query->metric == HL_METRIC_DOT ? dot : 2 * dot - query->norm - sketch->norm;
}

float hl_sketch_score(const struct hl_sketch_query *query, const struct hl_sketch *sketch)
{
    return score_of(query, sketch, hl_sketch_product(query, sketch));
}

void hl_sketch_scores(const struct hl_sketch_query *query, const struct hl_sketch *sketches,
                      size_t stride, size_t n_rows, float *ret_scores)
{
    const unsigned char *bytes = (const unsigned char *)sketches;
    int32_t shifted[HL_SKETCH_RUN];

    assert(n_rows <= HL_SKETCH_RUN);
    if (query->kernels->bytes_dots)
        query->kernels->bytes_dots(query->bytes, sketches->bytes, stride, n_rows,
                                   query->n_bytes, shifted);
    for (size_t i = 0; i < n_rows; i++) {
        const struct hl_sketch *sketch =
            (const struct hl_sketch *)(const void *)(bytes + i * stride);

        ret_scores[i] = query->kernels->bytes_dots
                            ? score_of(query, sketch, shift_back(sketch, shifted[i]))
                            : hl_sketch_score(query, sketch);
    }
}

/* Eight sums side by side, so that the compiler can keep them in one register. */
static float l1_distance(const float *x, const float *y, size_t dim)
{
    float sums[8] = {0}, sum = 0;
    size_t i = 0;

    for (; i + 8 <= dim; i += 8)
        for (size_t j = 0; j < 8; j++)
            sums[j] += fabsf(x[i + j] - y[i + j]);
    for (; i < dim; i++)
        sum += fabsf(x[i] - y[i]);
    for (size_t j = 0; j < 8; j++)
        sum += sums[j];
    return sum;
}

static float exact_score(const struct hl_sketch_query *query, const float *values)
{
    switch (query->metric) {
    case HL_METRIC_L2:
        return -query->kernels->l2(query->values, values, query->dim);
    case HL_METRIC_L1:
        return -l1_distance(query->values, values, query->dim);
    case HL_METRIC_DOT:
    default:
        return query->kernels->dot(query->values, values, query->dim);
    }
}

float hl_sketch_exact(const struct hl_sketch_query *query, const float *values)
{
    const float score = exact_score(query, values);

    return isnan(score) ? -INFINITY : score;
}
