/* SPDX-License-Identifier: Apache-2.0 */
#include "server/learn_part.h"

#include "proto/alloc.h"
#include "proto/model_name.h"

#include <string.h>

enum { ROWS_LOOKED_AT = 64 };

/* One file given twice would make a bridge that is perfect and of no use. */
static enum hl_code check_not_same(const struct hl_lesson *data, struct hl_err *err)
{
    size_t n = data->n_rows < ROWS_LOOKED_AT ? (size_t)data->n_rows : ROWS_LOOKED_AT;
    size_t dim = data->from.dim;
    float *from, *to;
    enum hl_code code;

    if (dim != data->to.dim)
        return HL_OK;
    from = hl_alloc_zeroed(2 * n, dim * sizeof *from);
    if (!from)
        return hl_fail(err, HL_NO_MEMORY, "no memory to look at %zu rows", n);
    to = from + n * dim;
    code = data->from.read(data->from.self, 0, n, from, err);
    if (code == HL_OK)
        code = data->to.read(data->to.self, 0, n, to, err);
    if (code == HL_OK && memcmp(from, to, n * dim * sizeof *from) == 0)
        code = hl_fail(err, HL_INVALID,
                       "the first %zu rows of \"%s\" and of \"%s\" are the same numbers: "
                       "was one model's file given for both?",
                       n, data->from.name, data->to.name);
    hl_free(from);
    return code;
}

static enum hl_code check_models(const char *from, const char *to, struct hl_err *err)
{
    if (strcmp(from, to) == 0)
        return hl_fail(err, HL_INVALID, "both models are \"%s\": a bridge joins two models",
                       hl_model_shown(from));
    return HL_OK;
}

/* The head judges in the space that a bridge leads to. */
static enum hl_code check_head(const struct hl_head *head, const char *from, const char *to,
                               const struct hl_lesson *data, struct hl_err *err)
{
    if (!head || data->to.dim == 0 || head->dim == data->to.dim)
        return HL_OK;
    return hl_fail(err, HL_DIMENSION_MISMATCH,
                   "the head is for vectors of %zu dimensions, those of \"%s\", where the "
                   "bridge leads, have %zu%s%s%s",
                   head->dim, hl_model_shown(to), data->to.dim,
                   head->dim == data->from.dim ? " and those of \"" : "",
                   head->dim == data->from.dim ? hl_model_shown(from) : "",
                   head->dim == data->from.dim
                       ? "\" have so many: are the two models swapped? The head wanted is "
                         "that of the model a bridge leads to"
                       : "");
}

static enum hl_code check_pairs(const struct hl_lesson *rows, const struct hl_lesson *data,
                                const char *what, struct hl_err *err)
{
    if (rows->n_rows == 0)
        return HL_OK;
    if (rows->from.dim == 0 || rows->to.dim == 0)
        return hl_fail(err, HL_INVALID,
                       "the rows to %s must be pairs: vectors of both models of the same "
                       "photographs",
                       what);
    if ((data->from.dim > 0 && rows->from.dim != data->from.dim) ||
        (data->to.dim > 0 && rows->to.dim != data->to.dim))
        return hl_fail(err, HL_DIMENSION_MISMATCH,
                       "the rows to %s have %zu and %zu dimensions, those to learn from "
                       "%zu and %zu",
                       what, rows->from.dim, rows->to.dim, data->from.dim, data->to.dim);
    return HL_OK;
}

/* Two lessons that begin with the same rows: figures of rows that taught the bridge, or
 * that it was chosen by, praise it. */
static enum hl_code check_others(const struct hl_lesson *rows, const struct hl_lesson *used,
                                 const char *what, struct hl_err *err)
{
    size_t most = rows->n_rows < used->n_rows ? (size_t)rows->n_rows : (size_t)used->n_rows;
    size_t n = most < ROWS_LOOKED_AT ? most : ROWS_LOOKED_AT, dim = rows->from.dim;
    float *values;
    enum hl_code code;

    if (n == 0 || dim != used->from.dim)
        return HL_OK;
    values = hl_alloc_zeroed(2 * n, dim * sizeof *values);
    if (!values)
        return hl_fail(err, HL_NO_MEMORY, "no memory to look at %zu rows", n);
    code = rows->from.read(rows->from.self, 0, n, values, err);
    if (code == HL_OK)
        code = used->from.read(used->from.self, 0, n, values + n * dim, err);
    if (code == HL_OK && memcmp(values, values + n * dim, n * dim * sizeof *values) == 0)
        code = hl_fail(err, HL_INVALID,
                       "the rows %s: a bridge must be measured on rows that it has not "
                       "seen; send others, or leave them out and some are set aside",
                       what);
    hl_free(values);
    return code;
}

static enum hl_code check_unseen(const struct hl_learn *learn, struct hl_err *err)
{
    enum hl_code code = check_others(&learn->choose, &learn->data,
                                     "to choose by are those to learn from", err);

    if (code == HL_OK)
        code = check_others(&learn->report, &learn->data,
                            "to report on are those to learn from", err);
    return code == HL_OK ? check_others(&learn->report, &learn->choose,
                                        "to report on are those to choose by", err)
                         : code;
}

/* Labels by number and a head's by name, say: every row would be of an unknown class. */
static enum hl_code check_labels(const struct hl_learn_source *source,
                                 const struct hl_lesson *data, struct hl_err *err)
{
    const struct hl_head *head = source->head;
    int32_t first = -1;

    for (size_t i = 0; head && data->labels && i < data->n_rows; i++) {
        if (data->labels[i] >= 0 && (size_t)data->labels[i] < head->n_rows)
            return HL_OK;
        if (first < 0)
            first = data->labels[i];
    }
    if (first < 0)
        return HL_OK; /* who looks at labels says so */
    return hl_fail(
        err, HL_INVALID,
        "none of the rows' labels is a class of the head: there is \"%.64s\", and "
        "the head knows \"%.64s\", \"%.64s\" …: its metadata \"classes\" must "
        "call them the same",
        hl_labels_name(source->labels, first), head->classes[0], head->classes[1]);
}

enum hl_code hl_learn_check(const struct hl_learn *learn, struct hl_err *err)
{
    const struct hl_lesson *data = &learn->data;
    bool is_pairs = data->from.dim > 0 && data->to.dim > 0;
    enum hl_code code = check_models(learn->from, learn->to, err);

    if (code == HL_OK && data->n_rows == 0)
        return hl_fail(err, HL_INVALID,
                       "there are 0 rows to learn from: photographs are wanted that both "
                       "\"%s\" and \"%s\" have seen, 2000 and more are better",
                       hl_model_shown(learn->from), hl_model_shown(learn->to));
    if (code == HL_OK && data->n_rows > UINT32_MAX)
        return hl_fail(err, HL_INVALID, "there are more than 4294967295 rows: send fewer");
    if (code == HL_OK)
        code = check_head(learn->source.head, learn->from, learn->to,
                          data->to.dim > 0 ? data : &learn->items, err);
    if (code == HL_OK)
        code = check_labels(&learn->source, data, err);
    if (code == HL_OK && is_pairs)
        code = check_not_same(data, err);
    if (code == HL_OK)
        code = check_pairs(&learn->choose, data, "choose by", err);
    if (code == HL_OK)
        code = check_pairs(&learn->report, data, "report on", err);
    return code == HL_OK ? check_unseen(learn, err) : code;
}

static enum hl_code check_way(const struct hl_judging *judging, size_t dim_from,
                              size_t dim_to, struct hl_err *err)
{
    const struct hl_lesson *data = &judging->data;

    if (data->from.dim == dim_from && data->to.dim == dim_to)
        return HL_OK;
    return hl_fail(err, HL_DIMENSION_MISMATCH,
                   "the bridge leads from %zu dimensions to %zu, the rows of \"%s\" have "
                   "%zu and those of \"%s\" %zu%s",
                   dim_from, dim_to, hl_model_shown(judging->from), data->from.dim,
                   hl_model_shown(judging->to), data->to.dim,
                   data->from.dim == dim_to && data->to.dim == dim_from
                       ? ": they are swapped, the rows of the model it comes from go first"
                       : "");
}

enum hl_code hl_learn_check_judging(const struct hl_judging *judging, struct hl_err *err)
{
    const struct hl_bridge *bridge = judging->bridge, *then = judging->then;
    enum hl_code code = check_models(judging->from, judging->to, err);

    if (code == HL_OK && judging->data.n_rows == 0)
        return hl_fail(err, HL_INVALID,
                       "there are 0 rows to judge on: photographs are wanted that both "
                       "\"%s\" and \"%s\" have seen",
                       hl_model_shown(judging->from), hl_model_shown(judging->to));
    if (code == HL_OK)
        code = check_pairs(&judging->data, &judging->data, "judge on", err);
    if (code == HL_OK && bridge && then &&
        (strcmp(bridge->to, then->from) != 0 || bridge->dim_to != then->dim_from))
        return hl_fail(err, HL_CONFLICT,
                       "one bridge leads to \"%s\" (%zu dimensions), the next comes from "
                       "\"%s\" (%zu): they make no chain",
                       hl_model_shown(bridge->to), bridge->dim_to,
                       hl_model_shown(then->from), then->dim_from);
    if (code == HL_OK && bridge)
        code =
            check_way(judging, bridge->dim_from, then ? then->dim_to : bridge->dim_to, err);
    if (code == HL_OK)
        code = check_head(judging->source.head, judging->from, judging->to, &judging->data,
                          err);
    if (code == HL_OK)
        code = check_labels(&judging->source, &judging->data, err);
    return code == HL_OK ? check_not_same(&judging->data, err) : code;
}
