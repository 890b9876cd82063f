/* SPDX-License-Identifier: Apache-2.0 */
#include "compat/applier.h"

#include "compat/gemv.h"
#include "compat/linalg.h"
#include "proto/alloc.h"

#include <math.h>
#include <string.h>

enum { N_STAGES = 2 };

/* A packed matrix: floats or bfloats. */
struct packed {
    void *w;
    size_t n_rows, n_columns; /* the rows filled up */
};

/* A map of a stage; where it has none, dim_out is 0. */
struct form {
    struct packed p, a, b;
    float *c, *a_bias; /* filled up with zeros */
    size_t dim_out;
    float slope;
};

/* What one bridge does. */
struct stage {
    struct form judged, faithful;
    size_t dim_in, dim_out;
    float fidelity;
};

struct hl_applier {
    const struct hl_gemv *gemv;
    struct stage stages[N_STAGES];
    size_t n_stages;
    size_t rows, hidden, between; /* the largest: outputs, hidden layer, first output */
    size_t n_bytes;
    bool is_bfloat;
};

/* ---- making ---- */

static enum hl_code pack(struct hl_applier *applier, const float *rows, size_t n_rows,
                         size_t n_columns, struct packed *packed)
{
    size_t size = applier->is_bfloat ? sizeof(uint16_t) : sizeof(float), bytes;

    packed->n_rows = hl_gemv_rows(n_rows);
    packed->n_columns = n_columns;
    if (!hl_size_mul(packed->n_rows, n_columns, &bytes) ||
        !hl_size_mul(bytes, size, &bytes))
        return HL_NO_MEMORY;
    packed->w = hl_alloc_aligned(HL_GEMV_ALIGNMENT, bytes);
    if (!packed->w)
        return HL_NO_MEMORY;
    applier->n_bytes += bytes;
    if (applier->is_bfloat)
        hl_gemv_pack_bfloats(rows, n_rows, n_columns, packed->w);
    else
        hl_gemv_pack_floats(rows, n_rows, n_columns, packed->w);
    return HL_OK;
}

static float *fill_up(const float *values, size_t n)
{
    float *filled = hl_alloc_zeroed(hl_gemv_rows(n), sizeof *filled);

    if (filled)
        memcpy(filled, values, n * sizeof *values);
    return filled;
}

static enum hl_code make_form(struct hl_applier *applier, const struct hl_map *map,
                              struct form *form)
{
    enum hl_code code = pack(applier, map->p, map->dim_out, map->dim_in, &form->p);

    form->dim_out = map->dim_out;
    form->slope = map->slope;
    form->c = fill_up(map->c, map->dim_out);
    if (!form->c)
        return HL_NO_MEMORY;
    if (code != HL_OK || map->n_hidden == 0)
        return code;
    form->a_bias = fill_up(map->a_bias, map->n_hidden);
    if (!form->a_bias)
        return HL_NO_MEMORY;
    code = pack(applier, map->a, map->n_hidden, map->dim_in, &form->a);
    if (code == HL_OK)
        code = pack(applier, map->b, map->dim_out, map->n_hidden, &form->b);
    if (form->a.n_rows > applier->hidden)
        applier->hidden = form->a.n_rows;
    return code;
}

static enum hl_code make_stage(struct hl_applier *applier, const struct hl_bridge *bridge,
                               enum hl_modality modality, struct hl_err *err)
{
    const struct hl_bridge_way *way = hl_bridge_way(bridge, modality);
    struct stage *stage = &applier->stages[applier->n_stages];
    enum hl_code code = HL_OK;

    if (!way->faithful)
        return hl_fail(err, HL_INVALID, "the bridge from \"%s\" to \"%s\" has no map",
                       bridge->from, bridge->to);
    applier->n_stages++;
    stage->dim_in = way->faithful->dim_in;
    stage->dim_out = way->faithful->dim_out;
    stage->fidelity = bridge->fidelity;
    code = make_form(applier, way->faithful, &stage->faithful);
    if (code == HL_OK && way->judged)
        code = make_form(applier, way->judged, &stage->judged);
    if (code != HL_OK)
        return hl_fail(err, code, "no memory to serve the bridge from \"%s\" to \"%s\"",
                       bridge->from, bridge->to);
    if (stage->faithful.p.n_rows > applier->rows)
        applier->rows = stage->faithful.p.n_rows;
    return HL_OK;
}

static enum hl_code make_stages(struct hl_applier *applier,
                                const struct hl_applier_plan *plan, struct hl_err *err)
{
    const struct hl_bridge *bridge = plan->bridge, *then = plan->then;
    enum hl_code code = make_stage(applier, bridge, plan->modality, err);

    if (code != HL_OK || !then)
        return code;
    code = make_stage(applier, then, plan->modality, err);
    if (code == HL_OK && applier->stages[0].dim_out != applier->stages[1].dim_in)
        code = hl_fail(err, HL_INVALID,
                       "the bridge to \"%s\" leads to %zu dimensions, the one from \"%s\" "
                       "starts from %zu",
                       bridge->to, applier->stages[0].dim_out, then->from,
                       applier->stages[1].dim_in);
    applier->between = applier->stages[0].dim_out;
    return code;
}

enum hl_code hl_applier_new(const struct hl_applier_plan *plan,
                            struct hl_applier **ret_applier, struct hl_err *err)
{
    struct hl_applier *applier;
    const struct hl_gemv *gemv = NULL;
    enum hl_code code = hl_gemv_find(plan->kernels ? plan->kernels : "auto", &gemv, err);

    if (code != HL_OK)
        return code;
    applier = hl_alloc_zeroed(1, sizeof *applier);
    if (!applier)
        return hl_fail(err, HL_NO_MEMORY,
                       "no memory to serve the bridge from \"%s\" to \"%s\"",
                       plan->bridge->from, plan->bridge->to);
    applier->gemv = gemv;
    applier->is_bfloat = plan->is_bfloat;
    code = make_stages(applier, plan, err);
    if (code == HL_OK) {
        *ret_applier = applier;
        applier = NULL;
    }
    hl_applier_free(applier);
    return code;
}

static void free_form(struct form *form)
{
    hl_free(form->p.w);
    hl_free(form->a.w);
    hl_free(form->b.w);
    hl_free(form->c);
    hl_free(form->a_bias);
}

void hl_applier_free(struct hl_applier *applier)
{
    if (!applier)
        return;
    for (size_t i = 0; i < N_STAGES; i++) {
        free_form(&applier->stages[i].judged);
        free_form(&applier->stages[i].faithful);
    }
    hl_free(applier);
}

size_t hl_applier_dim_in(const struct hl_applier *applier)
{
    return applier->stages[0].dim_in;
}

size_t hl_applier_dim_out(const struct hl_applier *applier)
{
    return applier->stages[applier->n_stages - 1].dim_out;
}

size_t hl_applier_bytes(const struct hl_applier *applier)
{
    return applier->n_bytes;
}

const char *hl_applier_kernels(const struct hl_applier *applier)
{
    return applier->gemv->name;
}

/* ---- mapping ---- */

static void multiply(const struct hl_applier *applier, const struct packed *packed,
                     const float *x, float *y)
{
    if (applier->is_bfloat)
        applier->gemv->bfloats(packed->w, packed->n_rows, packed->n_columns, x, y);
    else
        applier->gemv->floats(packed->w, packed->n_rows, packed->n_columns, x, y);
}

/* y is for the rows filled up. */
static void map_query(const struct hl_applier *applier, const struct form *form,
                      const float *x, float *hidden, float *y)
{
    memcpy(y, form->c, form->p.n_rows * sizeof *y);
    multiply(applier, &form->p, x, y);
    if (form->a.w) {
        memcpy(hidden, form->a_bias, form->a.n_rows * sizeof *hidden);
        multiply(applier, &form->a, x, hidden);
        for (size_t i = 0; i < form->a.n_rows; i++)
            hidden[i] = hidden[i] > 0 ? hidden[i] : form->slope * hidden[i];
        multiply(applier, &form->b, hidden, y);
    }
    hl_linalg_normalise(y, 1, form->dim_out, NULL);
}

static void pass_stage(const struct hl_applier *applier, const struct stage *stage,
                       float fidelity, const float *in, float *room, float *out)
{
    float *y = room, *other = room + applier->rows, *hidden = other + applier->rows;
    float dial = fidelity < 0 ? stage->fidelity : fidelity;
    bool has_judged = stage->judged.dim_out > 0 && dial < 1;

    map_query(applier, has_judged ? &stage->judged : &stage->faithful, in, hidden, y);
    if (has_judged && dial > 0) {
        map_query(applier, &stage->faithful, in, hidden, other);
        hl_map_blend(y, other, 1, stage->dim_out, dial);
    }
    memcpy(out, y, stage->dim_out * sizeof *out);
}

size_t hl_applier_room(const struct hl_applier *applier)
{
    return 2 * applier->rows + applier->hidden + applier->between;
}

static bool is_zero(const float *values, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (fabsf(values[i]) > 0)
            return false;
    return true;
}

void hl_applier_query(const struct hl_applier *applier, float fidelity, const float *query,
                      float *room, float *out)
{
    const struct stage *stages = applier->stages;
    float *between = room + 2 * applier->rows + applier->hidden;

    if (is_zero(query, hl_applier_dim_in(applier))) {
        memset(out, 0, hl_applier_dim_out(applier) * sizeof *out);
        return;
    }
    pass_stage(applier, &stages[0], fidelity, query, room,
               applier->n_stages > 1 ? between : out);
    if (applier->n_stages > 1)
        pass_stage(applier, &stages[1], fidelity, between, room, out);
}

void hl_applier_lean(float *mapped, const float *old, size_t dim, float old_weight)
{
    float cosine = fmaxf(-1, fminf(1, hl_linalg_dot(mapped, old, dim)));
    float angle = acosf(cosine), sine = sinf(angle);
    float keep = 1 - old_weight, add = old_weight;

    /* Next to each other, the circle is a line; opposite, there is no one circle. */
    if (sine > 1e-4F) {
        keep = sinf((1 - old_weight) * angle) / sine;
        add = sinf(old_weight * angle) / sine;
    }
    for (size_t i = 0; i < dim; i++)
        mapped[i] = keep * mapped[i] + add * old[i];
    hl_linalg_normalise(mapped, 1, dim, NULL);
}
