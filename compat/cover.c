/* SPDX-License-Identifier: Apache-2.0 */
#include "compat/cover.h"

#include "compat/linalg.h"
#include "proto/alloc.h"

#include <math.h>
#include <stdlib.h>

/* Taken rows are looked at so many at once. */
enum { BLOCK = 32 };

/* An item and what was taken nearest to it. */
struct place {
    uint32_t index;
    uint32_t cell; /* of the centres, or the number of them: of what was taken before */
    uint32_t turn; /* when its cell gives it */
    float cosine;  /* the nearest's; a centre's own is infinite: it goes first */
};

struct work {
    const struct hl_cover *cover;
    struct place *places;
    float *cosines; /* BLOCK x n */
    uint32_t *counts;
};

static void done(struct work *work)
{
    hl_free(work->places);
    hl_free(work->cosines);
    hl_free(work->counts);
}

/* What n rows as `centres` mean to all items. */
static void bring(struct work *work, const float *centres, size_t n, uint32_t cell)
{
    const struct hl_cover *cover = work->cover;
    const struct hl_product product = {
        .m = n, .n = cover->n, .k = cover->dim, .is_b_turned = true, .alpha = 1};

    hl_linalg_multiply(&product, centres, cover->rows, work->cosines);
    for (size_t row = 0; row < n; row++)
        for (size_t i = 0; i < cover->n; i++) {
            struct place *place = &work->places[i];

            if (!(work->cosines[row * cover->n + i] > place->cosine))
                continue;
            place->cosine = work->cosines[row * cover->n + i];
            place->cell = cell;
        }
}

static size_t find_farthest(const struct work *work)
{
    size_t farthest = 0;

    for (size_t i = 1; i < work->cover->n; i++)
        if (work->places[i].cosine < work->places[farthest].cosine)
            farthest = i;
    return farthest;
}

static enum hl_code place_all(struct work *work, size_t n_centres, struct hl_err *err)
{
    const struct hl_cover *cover = work->cover;
    enum hl_code code = HL_OK;

    for (size_t i = 0; i < cover->n; i++)
        work->places[i] = (struct place){
            .index = (uint32_t)i, .cell = (uint32_t)n_centres, .cosine = -INFINITY};
    for (size_t i = 0; code == HL_OK && i < cover->n_taken; i += BLOCK) {
        const size_t left = cover->n_taken - i;

        bring(work, cover->taken + i * cover->dim, left < BLOCK ? left : BLOCK,
              (uint32_t)n_centres);
        code = hl_deadline_check(cover->deadline, "spreading over the gallery", err);
    }
    for (size_t i = 0; code == HL_OK && i < n_centres; i++) {
        const size_t farthest = find_farthest(work);

        bring(work, cover->rows + farthest * cover->dim, 1, (uint32_t)i);
        work->places[farthest].cell = (uint32_t)i;
        work->places[farthest].cosine = INFINITY;
        code = hl_deadline_check(cover->deadline, "spreading over the gallery", err);
    }
    return code;
}

/* Cell by cell; in each its centre, then the farthest first. */
static int compare_cells(const void *a, const void *b)
{
    const struct place *x = a, *y = b;

    if (x->cell != y->cell)
        return x->cell < y->cell ? -1 : 1;
    if (isinf(x->cosine) != isinf(y->cosine))
        return isinf(x->cosine) ? -1 : 1;
    if (x->cosine < y->cosine || x->cosine > y->cosine)
        return x->cosine < y->cosine ? -1 : 1;
    return x->index < y->index ? -1 : 1;
}

static int compare_turns(const void *a, const void *b)
{
    const struct place *x = a, *y = b;

    if (x->turn != y->turn)
        return x->turn < y->turn ? -1 : 1;
    return x->cell < y->cell ? -1 : 1;
}

enum hl_code hl_cover_order(const struct hl_cover *cover, uint32_t *order,
                            struct hl_err *err)
{
    const size_t n_centres = cover->n_centres < cover->n ? cover->n_centres : cover->n;
    struct work work = {
        .cover = cover,
        .places = hl_alloc_zeroed(cover->n + 1, sizeof *work.places),
        .cosines = hl_alloc_zeroed(cover->n + 1, BLOCK * sizeof *work.cosines),
        .counts = hl_alloc_zeroed(n_centres + 1, sizeof *work.counts),
    };
    enum hl_code code = HL_OK;

    if (!work.places || !work.cosines || !work.counts)
        code = hl_fail(err, HL_NO_MEMORY, "no memory to spread over %zu items", cover->n);
    if (code == HL_OK)
        code = place_all(&work, n_centres, err);
    if (code == HL_OK) {
        qsort(work.places, cover->n, sizeof *work.places, compare_cells);
        for (size_t i = 0; i < cover->n; i++)
            work.places[i].turn = work.counts[work.places[i].cell]++;
        qsort(work.places, cover->n, sizeof *work.places, compare_turns);
        for (size_t i = 0; i < cover->n; i++)
            order[i] = work.places[i].index;
    }
    done(&work);
    return code;
}
