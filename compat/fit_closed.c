/* SPDX-License-Identifier: Apache-2.0 */
#include "compat/fit_part.h"
#include "compat/linalg.h"
#include "proto/alloc.h"

#include <math.h>
#include <string.h>

/* Maps that follow from the statistics alone. */

static enum hl_code no_memory(const struct hl_fit_stats *s, struct hl_err *err)
{
    return hl_fail(err, HL_NO_MEMORY, "no memory for a map from %zu to %zu dimensions",
                   s->dim_from, s->dim_to);
}

/* p as floats, and c = mean_t - p·mean_x. */
static enum hl_code make_map(const struct hl_fit_stats *s, const double *p,
                             struct hl_map **ret_map, struct hl_err *err)
{
    struct hl_map *map;
    enum hl_code code = hl_map_new(s->dim_from, s->dim_to, 0, &map, err);

    if (code != HL_OK)
        return code;
    for (size_t i = 0; i < s->dim_to; i++) {
        const double *row = p + i * s->dim_from;

        for (size_t j = 0; j < s->dim_from; j++)
            map->p[i * s->dim_from + j] = (float)row[j];
        map->c[i] =
            (float)(s->mean_t[i] - hl_linalg_dot_double(row, s->mean_x, s->dim_from));
    }
    *ret_map = map;
    return HL_OK;
}

enum hl_code hl_fit_factor(const struct hl_fit_stats *s, double share, double **ret_l,
                           struct hl_err *err)
{
    size_t n = s->dim_from;
    double *l = hl_alloc_zeroed(n * n, sizeof *l), trace = 0;
    enum hl_code code;

    if (!l)
        return no_memory(s, err);
    memcpy(l, s->xx, n * n * sizeof *l);
    for (size_t i = 0; i < n; i++)
        trace += l[i * n + i];
    for (size_t i = 0; i < n; i++)
        l[i * n + i] += share * trace / (double)n + 1e-12;
    code = hl_linalg_cholesky(l, n, "the covariance of the new vectors", err);
    if (code == HL_OK)
        *ret_l = l;
    else
        hl_free(l);
    return code;
}

/* tr(p · xx · p^T), what a map makes of the spread of x. */
static double mapped_spread(const struct hl_fit_stats *s, const double *p, double *room)
{
    size_t from = s->dim_from, to = s->dim_to;

    hl_linalg_multiply_double(
        &(struct hl_product){.m = to, .n = from, .k = from, .alpha = 1}, p, s->xx, room);
    return hl_linalg_dot_double(room, p, to * from);
}

enum hl_code hl_fit_procrustes(const struct hl_fit_stats *s, struct hl_map **ret_map,
                               struct hl_err *err)
{
    size_t from = s->dim_from, to = s->dim_to, r = from < to ? from : to;
    double *room = hl_alloc_zeroed(2 * to * from + r * (1 + from + to), sizeof *room);
    double *p = room, *copy, scale;
    struct hl_svd svd = {.m = to, .n = from};
    enum hl_code code;

    if (!room)
        return no_memory(s, err);
    copy = p + to * from;
    svd.u = copy + to * from;
    svd.s = svd.u + to * r;
    svd.vt = svd.s + r;
    memcpy(copy, s->tx, to * from * sizeof *copy);
    code = hl_linalg_svd(&svd, copy, err);
    if (code == HL_OK) {
        hl_linalg_multiply_double(
            &(struct hl_product){.m = to, .n = from, .k = r, .alpha = 1}, svd.u, svd.vt, p);
        scale = sqrt(s->spread_t / mapped_spread(s, p, copy));
        for (size_t i = 0; i < to * from; i++)
            p[i] *= scale;
        code = make_map(s, p, ret_map, err);
    }
    hl_free(room);
    return code;
}

/* tx · (l·l^T)^-1 into `p`. */
static void regress(const struct hl_fit_stats *s, const double *l, double *p)
{
    memcpy(p, s->tx, s->dim_to * s->dim_from * sizeof *p);
    hl_linalg_solve_right(l, s->dim_from, true, p, s->dim_to);
    hl_linalg_solve_right(l, s->dim_from, false, p, s->dim_to);
}

enum hl_code hl_fit_ridge(const struct hl_fit_stats *s, double share,
                          struct hl_map **ret_map, struct hl_err *err)
{
    double *l = NULL, *p = hl_alloc_zeroed(s->dim_to * s->dim_from, sizeof *p);
    enum hl_code code = p ? hl_fit_factor(s, share, &l, err) : no_memory(s, err);

    if (code == HL_OK) {
        regress(s, l, p);
        code = make_map(s, p, ret_map, err);
    }
    hl_free(l);
    hl_free(p);
    return code;
}

/* Of the regression only what it says in its `rank` strongest directions of `to`: with
 * y = p·l (tx·l^-T) = u·s·vt, those are the first columns of u. */
static enum hl_code reduce(const struct hl_fit_stats *s, const double *l, size_t rank,
                           double *p, struct hl_err *err)
{
    size_t from = s->dim_from, to = s->dim_to, r = from < to ? from : to;
    double *room = hl_alloc_zeroed(2 * to * from + r * (1 + from + to), sizeof *room);
    struct hl_svd svd = {.m = to, .n = from};
    double *y, *inner;
    enum hl_code code;

    if (!room)
        return no_memory(s, err);
    y = room;
    inner = y + to * from;
    svd.u = inner + to * from;
    svd.s = svd.u + to * r;
    svd.vt = svd.s + r;
    memcpy(y, s->tx, to * from * sizeof *y);
    hl_linalg_solve_right(l, from, true, y, to);
    code = hl_linalg_svd(&svd, y, err);
    if (code == HL_OK) {
        for (size_t i = 0; i < to; i++)
            for (size_t j = rank; j < r; j++)
                svd.u[i * r + j] = 0;
        hl_linalg_multiply_double(
            &(struct hl_product){
                .m = r, .n = from, .k = to, .is_a_turned = true, .alpha = 1},
            svd.u, p, inner);
        hl_linalg_multiply_double(
            &(struct hl_product){.m = to, .n = from, .k = r, .alpha = 1}, svd.u, inner, p);
    }
    hl_free(room);
    return code;
}

enum hl_code hl_fit_lowrank(const struct hl_fit_stats *s, size_t rank,
                            struct hl_map **ret_map, struct hl_err *err)
{
    double *l = NULL, *p = hl_alloc_zeroed(s->dim_to * s->dim_from, sizeof *p);
    enum hl_code code = p ? hl_fit_factor(s, 1e-4, &l, err) : no_memory(s, err);

    if (code == HL_OK) {
        regress(s, l, p);
        code = reduce(s, l, rank, p, err);
    }
    if (code == HL_OK)
        code = make_map(s, p, ret_map, err);
    hl_free(l);
    hl_free(p);
    return code;
}
