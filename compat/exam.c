/* SPDX-License-Identifier: Apache-2.0 */
#include "compat/exam.h"

#include "proto/alloc.h"
#include "proto/random.h"

#include <stdlib.h>
#include <string.h>

enum { MIN_ROWS = 4, READ_ROWS = 1024 };

/* ---- which rows ---- */

/* n of n_rows, each choice as likely as any other, rising. */
static void choose_rows(uint64_t n_rows, size_t n, uint64_t seed, uint64_t *rows)
{
    struct hl_random random = {seed};
    size_t chosen = 0;

    for (uint64_t row = 0; chosen < n; row++)
        if (hl_random_stride(&random) % (n_rows - row) < n - chosen)
            rows[chosen++] = row;
}

/* ---- queries and gallery ---- */

/* Row numbers in the order of the exam, as it grows. */
struct order {
    const struct hl_lesson *lesson;
    uint64_t *rows; /* what was chosen, rising */
    uint64_t *out;
    size_t n, n_queries, n_ranked;
    size_t n_images; /* of what was chosen; or of all, where all is text */
    bool is_all_text, is_dealt;
};

static bool is_image(const struct order *order, uint64_t row)
{
    return order->is_all_text || !order->lesson->modalities ||
           order->lesson->modalities[row] == HL_MODALITY_IMAGE;
}

/* Image number `image` of all of them. */
static bool is_query(const struct order *order, size_t image)
{
    return order->is_dealt ? image % 2 == 0 : image < order->n_images / 2;
}

static void count_images(struct order *order)
{
    for (size_t i = 0; i < order->n; i++)
        order->n_images += is_image(order, order->rows[i]);
    order->is_all_text = order->n_images == 0;
    if (order->is_all_text)
        order->n_images = order->n;
}

static int compare_labels(const void *a, const void *b)
{
    int32_t x = *(const int32_t *)a, y = *(const int32_t *)b;

    return (x > y) - (x < y);
}

/* How many image queries with a label find an item of it in the gallery; `room` is for n
 * labels. */
static size_t count_asked(const struct order *order, int32_t *room, size_t *ret_labelled)
{
    const int32_t *labels = order->lesson->labels;
    size_t n_gallery = 0, n_asked = 0, n_labelled = 0, image = 0;

    for (size_t i = 0; i < order->n; i++)
        if (is_image(order, order->rows[i]) && !is_query(order, image++))
            room[n_gallery++] = labels[order->rows[i]];
    qsort(room, n_gallery, sizeof *room, compare_labels);
    image = 0;
    for (size_t i = 0; i < order->n; i++) {
        uint64_t row = order->rows[i];

        if (!is_image(order, row) || !is_query(order, image++) || labels[row] < 0)
            continue;
        n_labelled++;
        n_asked +=
            bsearch(&labels[row], room, n_gallery, sizeof *room, compare_labels) != NULL;
    }
    *ret_labelled = n_labelled;
    return n_asked;
}

static enum hl_code decide_dealing(struct order *order, struct hl_err *err)
{
    size_t n_halves, n_dealt, n_labelled, n_again;
    int32_t *room;

    if (!order->lesson->labels)
        return HL_OK;
    room = hl_alloc_zeroed(order->n, sizeof *room);
    if (!room)
        return hl_fail(err, HL_NO_MEMORY, "no memory for %zu labels", order->n);
    n_halves = count_asked(order, room, &n_labelled);
    if (n_halves < n_labelled / 2) {
        order->is_dealt = true;
        n_dealt = count_asked(order, room, &n_again);
        order->is_dealt = n_dealt > n_halves;
    }
    hl_free(room);
    return HL_OK;
}

/* Whether query number `query` of its kind is ranked: the first ones; of dealt rows, which
 * lie sorted, evenly spread ones. */
static bool is_ranked(const struct order *order, size_t query, size_t n_queries)
{
    size_t step = order->is_dealt ? (n_queries + HL_EXAM_RANKED - 1) / HL_EXAM_RANKED : 1;

    step = step ? step : 1;
    return query % step == 0 && query / step < HL_EXAM_RANKED;
}

enum part { RANKED_IMAGES, RANKED_TEXTS, OTHER_IMAGES, OTHER_TEXTS, GALLERY, N_PARTS };

static enum part part_of(const struct order *order, bool is_an_image, size_t nth)
{
    size_t n_texts = order->n - order->n_images;

    if (!is_an_image)
        return is_ranked(order, nth, n_texts) ? RANKED_TEXTS : OTHER_TEXTS;
    if (!is_query(order, nth))
        return GALLERY;
    if (order->is_dealt)
        nth /= 2;
    return is_ranked(order, nth, order->n_images / 2) ? RANKED_IMAGES : OTHER_IMAGES;
}

static void put_in_order(struct order *order)
{
    size_t ends[N_PARTS], n = 0;

    for (enum part part = RANKED_IMAGES; part < N_PARTS; part++) {
        size_t n_images = 0, n_texts = 0;

        for (size_t i = 0; i < order->n; i++) {
            bool is_an_image = is_image(order, order->rows[i]);
            size_t nth = is_an_image ? n_images++ : n_texts++;

            if (part_of(order, is_an_image, nth) == part)
                order->out[n++] = order->rows[i];
        }
        ends[part] = n;
    }
    order->n_ranked = ends[RANKED_TEXTS];
    order->n_queries = ends[OTHER_TEXTS];
}

/* ---- what is in them ---- */

/* Rows that lie side by side are read together. */
static enum hl_code read_rows(const struct hl_rows *rows, const uint64_t *numbers, size_t n,
                              float **ret_values, struct hl_err *err)
{
    size_t n_values;
    float *values = NULL;
    enum hl_code code = HL_OK;

    if (rows->dim == 0)
        return HL_OK;
    if (hl_size_mul(n, rows->dim, &n_values))
        values = hl_alloc_zeroed(n_values, sizeof *values);
    if (!values)
        return hl_fail(err, HL_NO_MEMORY, "no memory for %zu vectors of %zu numbers", n,
                       rows->dim);
    for (size_t row = 0, run; row < n && code == HL_OK; row += run) {
        for (run = 1;
             row + run < n && run < READ_ROWS && numbers[row + run] == numbers[row] + run;
             run++)
            ;
        code = hl_rows_read_unit(rows, numbers[row], run, values + row * rows->dim, err);
    }
    if (code == HL_OK)
        *ret_values = values;
    else
        hl_free(values);
    return code;
}

/* Whether any label is known. */
static bool has_labels(const struct order *order)
{
    const int32_t *labels = order->lesson->labels;

    for (size_t i = 0; labels && i < order->n; i++)
        if (labels[order->out[i]] >= 0)
            return true;
    return false;
}

static enum hl_code fill_marks(struct hl_exam *exam, const struct order *order,
                               struct hl_err *err)
{
    const struct hl_lesson *lesson = order->lesson;

    exam->modalities = hl_alloc_zeroed(order->n, sizeof *exam->modalities);
    if (has_labels(order))
        exam->labels = hl_alloc_zeroed(order->n, sizeof *exam->labels);
    if (!exam->modalities || (has_labels(order) && !exam->labels))
        return hl_fail(err, HL_NO_MEMORY, "no memory for %zu labels", order->n);
    for (size_t i = 0; i < order->n; i++) {
        if (lesson->modalities)
            exam->modalities[i] = lesson->modalities[order->out[i]];
        if (exam->labels)
            exam->labels[i] = lesson->labels[order->out[i]];
    }
    return HL_OK;
}

static enum hl_code load_exam(struct order *order, struct hl_exam **ret_exam,
                              struct hl_err *err)
{
    struct hl_exam *exam = hl_alloc_zeroed(1, sizeof *exam);
    enum hl_code code = HL_OK;

    if (!exam)
        code = hl_fail(err, HL_NO_MEMORY, "no memory for an exam");
    if (code == HL_OK)
        code = decide_dealing(order, err);
    if (code == HL_OK) {
        put_in_order(order);
        *exam = (struct hl_exam){.n_rows = order->n,
                                 .n_queries = order->n_queries,
                                 .n_ranked = order->n_ranked,
                                 .dim_from = order->lesson->from.dim,
                                 .dim_to = order->lesson->to.dim,
                                 .is_dealt = order->is_dealt};
        code = fill_marks(exam, order, err);
    }
    if (code == HL_OK)
        code = read_rows(&order->lesson->from, order->out, order->n, &exam->from, err);
    if (code == HL_OK)
        code = read_rows(&order->lesson->to, order->out, order->n, &exam->to, err);
    if (code == HL_OK)
        *ret_exam = exam;
    else
        hl_exam_free(exam);
    return code;
}

enum hl_code hl_exam_load(const struct hl_lesson *lesson, size_t max_rows, uint64_t seed,
                          struct hl_exam **ret_exam, struct hl_err *err)
{
    struct order order = {.lesson = lesson,
                          .n = lesson->n_rows < max_rows ? (size_t)lesson->n_rows
                                                         : max_rows};
    enum hl_code code = HL_OK;

    if (order.n < MIN_ROWS)
        return hl_fail(err, HL_INVALID, "%zu rows to judge on: at least %d are needed",
                       order.n, (int)MIN_ROWS);
    order.rows = hl_alloc_zeroed(order.n, sizeof *order.rows);
    order.out = hl_alloc_zeroed(order.n, sizeof *order.out);
    if (order.rows && order.out) {
        choose_rows(lesson->n_rows, order.n, seed, order.rows);
        count_images(&order);
        if (order.n_images < 2)
            code = hl_fail(err, HL_INVALID,
                           "%zu images beside %zu texts to judge on: at least 2 are needed",
                           order.n_images, order.n - order.n_images);
    } else {
        code = hl_fail(err, HL_NO_MEMORY, "no memory to choose %zu rows", order.n);
    }
    if (code == HL_OK)
        code = load_exam(&order, ret_exam, err);
    hl_free(order.rows);
    hl_free(order.out);
    return code;
}

void hl_exam_free(struct hl_exam *exam)
{
    if (!exam)
        return;
    hl_free(exam->from);
    hl_free(exam->to);
    hl_free(exam->labels);
    hl_free(exam->modalities);
    hl_free(exam);
}
