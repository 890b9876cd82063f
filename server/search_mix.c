/* SPDX-License-Identifier: Apache-2.0 */
#include "server/search_part.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* A weighted sum, gathered one vector after the other. */
struct mix {
    struct hl_arena *arena;
    bool is_sparse;
    size_t n;     /* of a sparse one: entries so far */
    double *sums; /* of a dense one: n of them */
    struct entry {
        uint32_t index;
        double value;
    } * entries;
};

static size_t count_values(const struct hl_aim_leg *leg)
{
    size_t n = 0;

    for (size_t i = 0; i < leg->n_positive; i++)
        n += leg->positive[i].n;
    for (size_t i = 0; i < leg->n_negative; i++)
        n += leg->negative[i].n;
    return n;
}

static enum hl_code begin_mix(struct hl_arena *arena, const struct hl_aim_leg *leg,
                              struct mix *ret_mix, struct hl_err *err)
{
    const struct hl_vector *any = leg->n_positive > 0 ? leg->positive : leg->negative;
    struct mix mix = {.arena = arena, .is_sparse = any->is_sparse};
    size_t n = mix.is_sparse ? count_values(leg) : any->n;

    if (mix.is_sparse) {
        mix.entries = hl_arena_array(arena, n ? n : 1, sizeof *mix.entries);
    } else {
        mix.sums = hl_arena_array(arena, n, sizeof *mix.sums);
        mix.n = n;
    }
    if (!mix.entries && !mix.sums)
        return hl_arena_fail(arena, err, "the mixture of the examples");
    for (size_t i = 0; i < mix.n; i++)
        mix.sums[i] = 0;
    *ret_mix = mix;
    return HL_OK;
}

static void add_vector(struct mix *mix, const struct hl_vector *vector, double weight)
{
    for (size_t i = 0; i < vector->n; i++) {
        double value = weight * (double)vector->values[i];

        if (mix->is_sparse)
            mix->entries[mix->n++] = (struct entry){vector->indices[i], value};
        else
            mix->sums[i] += value;
    }
}

static int compare_entries(const void *a, const void *b)
{
    const struct entry *one = a, *other = b;

    return (one->index > other->index) - (one->index < other->index);
}

/* Each index once. */
static void join_entries(struct mix *mix)
{
    size_t n = 0;

    if (mix->n > 0)
        qsort(mix->entries, mix->n, sizeof *mix->entries, compare_entries);
    for (size_t i = 0; i < mix->n; i++) {
        if (n > 0 && mix->entries[n - 1].index == mix->entries[i].index)
            mix->entries[n - 1].value += mix->entries[i].value;
        else
            mix->entries[n++] = mix->entries[i];
    }
    mix->n = n;
}

static enum hl_code end_mix(struct mix *mix, struct hl_vector *ret_vector,
                            struct hl_err *err)
{
    uint32_t *indices = NULL;
    float *values;

    if (mix->is_sparse)
        join_entries(mix);
    values = hl_arena_floats(mix->arena, 1, mix->n ? mix->n : 1);
    if (mix->is_sparse)
        indices = hl_arena_array(mix->arena, mix->n ? mix->n : 1, sizeof *indices);
    if (!values || (mix->is_sparse && !indices))
        return hl_arena_fail(mix->arena, err, "the mixture of the examples");
    for (size_t i = 0; i < mix->n; i++) {
        values[i] = (float)(mix->is_sparse ? mix->entries[i].value : mix->sums[i]);
        if (indices)
            indices[i] = mix->entries[i].index;
        if (!isfinite(values[i]))
            return hl_fail(err, HL_WRONG_INPUT,
                           "Wrong input: the examples are too large to be mixed");
    }
    *ret_vector = (struct hl_vector){
        .values = values, .n = mix->n, .indices = indices, .is_sparse = mix->is_sparse};
    return HL_OK;
}

enum hl_code hl_mix_average(struct hl_arena *arena, const struct hl_aim_leg *leg,
                            struct hl_vector *ret_vector, struct hl_err *err)
{
    struct mix mix = {0};
    enum hl_code code = begin_mix(arena, leg, &mix, err);

    if (code != HL_OK)
        return code;
    for (size_t i = 0; i < leg->n_positive; i++)
        add_vector(&mix, &leg->positive[i],
                   (leg->n_negative > 0 ? 2.0 : 1.0) / (double)leg->n_positive);
    for (size_t i = 0; i < leg->n_negative; i++)
        add_vector(&mix, &leg->negative[i], -1.0 / (double)leg->n_negative);
    return end_mix(&mix, ret_vector, err);
}

static double length_of(const struct hl_vector *vector)
{
    double sum = 0;

    for (size_t i = 0; i < vector->n; i++)
        sum += (double)vector->values[i] * (double)vector->values[i];
    return sqrt(sum);
}

static void add_all(struct mix *mix, const struct hl_vector *vectors, size_t n, double sign,
                    bool is_cosine)
{
    for (size_t i = 0; i < n; i++) {
        double length = is_cosine ? length_of(&vectors[i]) : 1;

        add_vector(mix, &vectors[i], length > 0 ? sign / length : 0);
    }
}

enum hl_code hl_mix_sum(struct hl_arena *arena, const struct hl_aim_leg *leg,
                        bool is_cosine, struct hl_vector *ret_vector, float *ret_length,
                        struct hl_err *err)
{
    struct mix mix = {0};
    struct hl_vector vector = {0};
    enum hl_code code = begin_mix(arena, leg, &mix, err);

    if (code != HL_OK)
        return code;
    add_all(&mix, leg->positive, leg->n_positive, 1, is_cosine);
    add_all(&mix, leg->negative, leg->n_negative, -1, is_cosine);
    code = end_mix(&mix, &vector, err);
    if (code != HL_OK)
        return code;
    *ret_length = is_cosine ? (float)length_of(&vector) : 1;
    *ret_vector = vector;
    return HL_OK;
}
