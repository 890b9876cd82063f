/* SPDX-License-Identifier: Apache-2.0 */
#include "server/bridges.h"

#include <math.h>

/* Which models a bridge can join. Vectors are looked at here and there, because those that
 * came late may be of another length than those that came first. */
enum { STRETCHES = 16, STRETCH = 16 };

static enum hl_code check_joinable(const struct hl_model *model, struct hl_err *err)
{
    if (model->distance != HL_MANHATTAN)
        return HL_OK;
    return hl_fail(err, HL_INVALID,
                   "the vector \"%.200s\" is of Manhattan distance: bridges join Cosine "
                   "vectors, and Dot and Euclid ones of length 1",
                   model->shown);
}

enum hl_code hl_bridges_pair_of(const struct hl_holdings *holdings,
                                const struct hl_span *from, const struct hl_span *to,
                                struct hl_bridge_pair *ret_pair, struct hl_err *err)
{
    struct hl_bridge_pair pair = {.from = {.space = 0}};
    enum hl_code code = hl_holdings_model(holdings, from, &pair.from, err);

    if (code == HL_OK)
        code = hl_holdings_model(holdings, to, &pair.to, err);
    if (code == HL_OK && pair.from.space == pair.to.space)
        code = hl_fail(err, HL_INVALID,
                       "a bridge leads from one model to another, not from \"%.200s\" to "
                       "itself",
                       pair.from.shown);
    if (code == HL_OK)
        code = check_joinable(&pair.from, err);
    if (code == HL_OK)
        code = check_joinable(&pair.to, err);
    if (code == HL_OK)
        *ret_pair = pair;
    return code;
}

enum hl_code hl_bridges_pair(const struct hl_holdings *holdings,
                             const struct hl_request *request,
                             struct hl_bridge_pair *ret_pair, struct hl_err *err)
{
    return hl_bridges_pair_of(holdings, &request->params[1], &request->params[2], ret_pair,
                              err);
}

struct norms {
    size_t n, n_off;
    size_t n_left; /* of the stretch */
    uint64_t last; /* row */
};

static bool add_norm(void *self, const struct hl_store_row *row)
{
    struct norms *norms = self;
    double sum = 0;

    for (uint32_t i = 0; i < row->vector.n; i++)
        sum += (double)row->vector.values[i] * (double)row->vector.values[i];
    norms->n_off += fabs(sqrt(sum) - 1) > 1e-3;
    norms->n++;
    norms->last = row->row;
    return --norms->n_left > 0;
}

static bool note_row(void *self, const struct hl_store_row *row)
{
    (void)row;
    *(bool *)self = true;
    return false;
}

/* A power of two behind which there is none. */
static enum hl_code find_end(struct hl_reader *reader, struct hl_reader_rows rows,
                             uint64_t *ret_end, struct hl_err *err)
{
    bool has_more = true;
    enum hl_code code = HL_OK;

    for (rows.after = STRETCHES; code == HL_OK && has_more; rows.after *= 2) {
        has_more = false;
        code = hl_reader_rows(reader, &rows, note_row, &has_more, err);
    }
    *ret_end = rows.after;
    return code;
}

static enum hl_code sample_norms(struct hl_reader *reader, struct hl_reader_rows rows,
                                 struct norms *norms, struct hl_err *err)
{
    uint64_t end;
    enum hl_code code = find_end(reader, rows, &end, err);

    for (uint64_t i = 0; code == HL_OK && i < STRETCHES; i++) {
        const uint64_t from = end / STRETCHES * i;

        rows.after = from > norms->last ? from : norms->last;
        norms->n_left = STRETCH;
        code = hl_reader_rows(reader, &rows, add_norm, norms, err);
    }
    return code;
}

enum hl_code hl_bridges_check_norms(const struct hl_holdings *holdings,
                                    const struct hl_bridge_pair *pair,
                                    const struct hl_deadline *deadline, struct hl_err *err)
{
    const struct hl_model *models[] = {&pair->from, &pair->to};
    enum hl_code code = HL_OK;

    for (size_t i = 0; code == HL_OK && i < 2; i++) {
        const struct hl_reader_rows rows = {
            .space = models[i]->space, .last = UINT64_MAX, .deadline = deadline};
        struct norms norms = {.n = 0};

        if (models[i]->distance != HL_COSINE)
            code = sample_norms(holdings->reader, rows, &norms, err);
        if (code == HL_OK && norms.n_off > 0)
            code =
                hl_fail(err, HL_INVALID,
                        "%zu of %zu sampled vectors of \"%.200s\" are not of length 1: "
                        "bridges join Cosine vectors, and Dot and Euclid ones of length 1",
                        norms.n_off, norms.n, models[i]->shown);
    }
    return code;
}
