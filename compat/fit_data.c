/* SPDX-License-Identifier: Apache-2.0 */
#include "compat/fit_part.h"
#include "proto/alloc.h"
#include "proto/random.h"

#include <stdlib.h>

enum { BLOCK = 2048 };

static size_t row_bytes(const struct hl_lesson *lesson)
{
    return (lesson->from.dim + lesson->to.dim) * sizeof(float);
}

void hl_fit_tell(struct hl_fit_pace *pace, double progress)
{
    double now = pace->done + pace->share * progress;

    /* A step may be several descents, each of which begins at nothing. */
    pace->reached = now > pace->reached ? now : pace->reached;
    if (pace->errand->tell)
        pace->errand->tell(pace->errand->self, pace->phase, pace->reached);
}

enum hl_code hl_fit_go_on(struct hl_fit_pace *pace, struct hl_err *err)
{
    return pace->errand->deadline
               ? hl_deadline_check(pace->errand->deadline, "learning a bridge", err)
               : HL_OK;
}

static enum hl_code read_both(const struct hl_fit_data *data, size_t first, size_t n,
                              size_t at, struct hl_err *err)
{
    const struct hl_lesson *lesson = &data->lesson;
    enum hl_code code = hl_fit_go_on(data->pace, err);

    if (code == HL_OK && data->from)
        code = hl_rows_read_unit(&lesson->from, first, n,
                                 data->from + at * lesson->from.dim, err);
    if (code == HL_OK && data->to)
        code =
            hl_rows_read_unit(&lesson->to, first, n, data->to + at * lesson->to.dim, err);
    return code;
}

static size_t block_at(const struct hl_fit_data *data, size_t first)
{
    size_t left = (size_t)data->lesson.n_rows - first;

    return left < data->block ? left : data->block;
}

enum hl_code hl_fit_data_init(struct hl_fit_data *data, const struct hl_lesson *lesson,
                              size_t max_bytes, struct hl_fit_pace *pace,
                              struct hl_err *err)
{
    size_t room;
    enum hl_code code = HL_OK;

    *data = (struct hl_fit_data){.lesson = *lesson, .block = BLOCK, .pace = pace};
    data->is_whole = lesson->n_rows <= max_bytes / row_bytes(lesson);
    room = data->is_whole ? (size_t)lesson->n_rows : data->block;
    if (lesson->from.dim > 0)
        data->from = hl_alloc_zeroed(room, lesson->from.dim * sizeof(float));
    if (lesson->to.dim > 0)
        data->to = hl_alloc_zeroed(room, lesson->to.dim * sizeof(float));
    if ((lesson->from.dim > 0 && !data->from) || (lesson->to.dim > 0 && !data->to))
        code = hl_fail(err, HL_NO_MEMORY, "no memory for %zu rows to learn from", room);
    for (size_t first = 0; data->is_whole && first < lesson->n_rows && code == HL_OK;
         first += data->block)
        code = read_both(data, first, block_at(data, first), first, err);
    if (code != HL_OK)
        hl_fit_data_done(data);
    return code;
}

void hl_fit_data_done(struct hl_fit_data *data)
{
    hl_free(data->from);
    hl_free(data->to);
    data->from = data->to = NULL;
}

enum hl_code hl_fit_data_block(struct hl_fit_data *data, size_t first,
                               struct hl_fit_block *ret_block, struct hl_err *err)
{
    const struct hl_lesson *lesson = &data->lesson;
    size_t n = block_at(data, first), at = data->is_whole ? first : 0;
    enum hl_code code =
        data->is_whole ? hl_fit_go_on(data->pace, err) : read_both(data, first, n, 0, err);

    if (code != HL_OK)
        return code;
    *ret_block = (struct hl_fit_block){
        .first = first,
        .n = n,
        .x = data->from ? data->from + at * lesson->from.dim : NULL,
        .e = data->to ? data->to + at * lesson->to.dim : NULL,
        .labels = lesson->labels ? lesson->labels + first : NULL,
    };
    return HL_OK;
}

/* ---- a part of a lesson ---- */

static int by_number(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

    return (x > y) - (x < y);
}

/* `n` of the wanted numbers, each set as likely as any other, in rising order. */
static void draw_numbers(const struct hl_fit_sample *sample, const bool *wanted, size_t n,
                         uint64_t seed)
{
    struct hl_random random = {hl_random_mix(seed ^ 0x73616d706c65u)};
    size_t n_met = 0;

    for (size_t row = 0; row < sample->of.n_rows; row++) {
        size_t place;

        if (wanted && !wanted[row])
            continue;
        place = n_met < n ? n_met : hl_random_below(&random, (uint32_t)(n_met + 1));
        if (place < n)
            sample->numbers[place] = (uint32_t)row;
        n_met++;
    }
    qsort(sample->numbers, n, sizeof *sample->numbers, by_number);
}

enum hl_code hl_fit_sample_init(struct hl_fit_sample *sample, const struct hl_lesson *of,
                                const bool *wanted, size_t max_rows, uint64_t seed,
                                struct hl_err *err)
{
    size_t n = 0;

    *sample = (struct hl_fit_sample){.of = *of, .lesson = *of};
    for (size_t row = 0; row < of->n_rows; row++)
        n += !wanted || wanted[row];
    if (n == 0)
        return hl_fail(err, HL_INVALID,
                       "no row of \"%s\" is of a class that the old model is known by: "
                       "nothing joins the two",
                       of->from.name);
    n = n < max_rows ? n : max_rows;
    if (n == of->n_rows)
        return HL_OK;
    sample->numbers = hl_alloc_zeroed(n, sizeof *sample->numbers);
    sample->labels = of->labels ? hl_alloc_zeroed(n, sizeof *sample->labels) : NULL;
    sample->modalities = of->modalities ? hl_alloc_zeroed(n, 1) : NULL;
    if (!sample->numbers || (of->labels && !sample->labels) ||
        (of->modalities && !sample->modalities)) {
        hl_fit_sample_done(sample);
        return hl_fail(err, HL_NO_MEMORY, "no memory to choose %zu rows", n);
    }
    draw_numbers(sample, wanted, n, seed);
    for (size_t i = 0; i < n && of->labels; i++)
        sample->labels[i] = of->labels[sample->numbers[i]];
    for (size_t i = 0; i < n && of->modalities; i++)
        sample->modalities[i] = of->modalities[sample->numbers[i]];
    sample->from = (struct hl_rows_pick){&sample->of.from, sample->numbers};
    sample->to = (struct hl_rows_pick){&sample->of.to, sample->numbers};
    sample->lesson = (struct hl_lesson){
        .n_rows = n, .labels = sample->labels, .modalities = sample->modalities};
    if (of->from.dim > 0)
        sample->lesson.from = hl_rows_of_pick(&sample->from, n);
    if (of->to.dim > 0)
        sample->lesson.to = hl_rows_of_pick(&sample->to, n);
    return HL_OK;
}

void hl_fit_sample_done(struct hl_fit_sample *sample)
{
    hl_free(sample->numbers);
    hl_free(sample->labels);
    hl_free(sample->modalities);
    sample->numbers = NULL;
    sample->labels = NULL;
    sample->modalities = NULL;
}
