/* SPDX-License-Identifier: Apache-2.0 */
#include "compat/cover.h"

#include "compat/linalg.h"
#include "proto/alloc.h"

#include <stdbool.h>

/* Rows are compared so many at once, between looks at the deadline. */
enum { BLOCK = 256 };

/* What taking an item would bring: never more than when it was last worked out, because
 * whatever was taken since has brought some of it already. */
struct offer {
    float gain;
    uint32_t index;
};

struct work {
    const struct hl_cover *cover;
    float *cosines; /* n x n */
    float *nearest; /* n: the cosine to the nearest that is taken */
    struct offer *heap;
    size_t n_left;
};

static void done(struct work *work)
{
    hl_free(work->cosines);
    hl_free(work->nearest);
    hl_free(work->heap);
}

static enum hl_code check(const struct work *work, struct hl_err *err)
{
    return hl_deadline_check(work->cover->deadline, "covering the gallery", err);
}

static void bring(struct work *work, const float *cosines)
{
    for (size_t i = 0; i < work->cover->n; i++)
        if (cosines[i] > work->nearest[i])
            work->nearest[i] = cosines[i];
}

static enum hl_code compare(struct work *work, const float *rows, size_t n_rows,
                            bool are_taken, struct hl_err *err)
{
    const struct hl_cover *cover = work->cover;
    enum hl_code code = HL_OK;

    for (size_t first = 0; code == HL_OK && first < n_rows; first += BLOCK) {
        const size_t n = n_rows - first < BLOCK ? n_rows - first : BLOCK;
        const struct hl_product product = {
            .m = n, .n = cover->n, .k = cover->dim, .is_b_turned = true, .alpha = 1};
        /* Of those that were taken nothing but the nearest is kept. */
        float *cosines = work->cosines + (are_taken ? 0 : first * cover->n);

        hl_linalg_multiply(&product, rows + first * cover->dim, cover->rows, cosines);
        for (size_t i = 0; are_taken && i < n; i++)
            bring(work, cosines + i * cover->n);
        code = check(work, err);
    }
    return code;
}

static float gain_of(const struct work *work, uint32_t index)
{
    const float *cosines = work->cosines + index * work->cover->n;
    float gain = 0;

    for (size_t i = 0; i < work->cover->n; i++)
        gain += cosines[i] > work->nearest[i] ? cosines[i] - work->nearest[i] : 0;
    return gain;
}

/* ---- the best offer on top ---- */

static bool is_better(const struct offer *a, const struct offer *b)
{
    return a->gain > b->gain || (!(b->gain > a->gain) && a->index < b->index);
}

static void sink(struct work *work, size_t i)
{
    struct offer *heap = work->heap;
    size_t child;

    while ((child = 2 * i + 1) < work->n_left) {
        const struct offer offer = heap[i];

        if (child + 1 < work->n_left && is_better(&heap[child + 1], &heap[child]))
            child++;
        if (!is_better(&heap[child], &offer))
            return;
        heap[i] = heap[child];
        heap[child] = offer;
        i = child;
    }
}

static void make_offers(struct work *work)
{
    work->n_left = work->cover->n;
    for (size_t i = 0; i < work->n_left; i++)
        work->heap[i] = (struct offer){gain_of(work, (uint32_t)i), (uint32_t)i};
    for (size_t i = work->n_left / 2; i > 0; i--)
        sink(work, i - 1);
}

/* The best one is known when it is still on top after it was worked out again. */
static uint32_t take_best(struct work *work)
{
    struct offer *top = &work->heap[0];
    uint32_t index;

    do {
        index = top->index;
        top->gain = gain_of(work, index);
        sink(work, 0);
    } while (top->index != index);
    work->heap[0] = work->heap[--work->n_left];
    sink(work, 0);
    bring(work, work->cosines + index * work->cover->n);
    return index;
}

enum hl_code hl_cover_order(const struct hl_cover *cover, uint32_t *order,
                            struct hl_err *err)
{
    const size_t n_rows = cover->n > BLOCK ? cover->n : BLOCK; /* room for taken ones */
    struct work work = {
        .cover = cover,
        .cosines = hl_alloc_zeroed(n_rows, (cover->n + 1) * sizeof *work.cosines),
        .nearest = hl_alloc_zeroed(cover->n + 1, sizeof *work.nearest),
        .heap = hl_alloc_zeroed(cover->n + 1, sizeof *work.heap),
    };
    enum hl_code code = HL_OK;

    if (!work.cosines || !work.nearest || !work.heap)
        code = hl_fail(err, HL_NO_MEMORY, "no memory to cover %zu items", cover->n);
    for (size_t i = 0; code == HL_OK && i < cover->n; i++)
        work.nearest[i] = -1;
    if (code == HL_OK)
        code = compare(&work, cover->taken, cover->n_taken, true, err);
    if (code == HL_OK)
        code = compare(&work, cover->rows, cover->n, false, err);
    if (code == HL_OK)
        make_offers(&work);
    for (size_t i = 0; code == HL_OK && i < cover->n_wanted; i++) {
        order[i] = take_best(&work);
        code = check(&work, err);
    }
    done(&work);
    return code;
}
