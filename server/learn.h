/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HL_SERVER_LEARN_H
#define HL_SERVER_LEARN_H

#include "compat/fit.h"
#include "compat/labels.h"
#include "compat/report.h"
#include "proto/buf.h"

/* Learning and judging from beginning to end, the same for the server's jobs and for the
 * command line: rows are split, a bridge is fitted, tuned on the rows to choose by, judged
 * on the rows to report on, and given its report.
 *
 * Everything that is handed in is borrowed for the call. One thread; it knows neither
 * files nor HTTP. */

/* Where rows came from, for the report. `sha256` is NULL where there is no file. */
struct hl_learn_input {
    const char *name, *sha256;
};

enum { HL_LEARN_INPUTS = 16 };

struct hl_learn_source {
    struct hl_learn_input inputs[HL_LEARN_INPUTS];
    size_t n_inputs;
    /* The classes that the lessons' labels are numbers of. A head's rows must have been
     * added first (hl_learn_add_head), before any label. NULL when nothing has labels and
     * there are no heads. */
    struct hl_labels *labels;
    const struct hl_head *head;     /* of `to`; NULL */
    const struct hl_head *own_head; /* of `from`; NULL. Only reports look at it */
};

/* The head's classes become the first ones. Into empty labels. */
enum hl_code hl_learn_add_head(struct hl_labels *labels, const struct hl_head *head,
                               struct hl_err *err);

/* Whole numbers as a file has them become class numbers; negative ones, unknown, are -1. */
enum hl_code hl_learn_add_labels(struct hl_labels *labels, const int64_t *names, size_t n,
                                 int32_t *classes, struct hl_err *err);

/* ---- learning ---- */

struct hl_learn {
    const char *from, *to;             /* names of models */
    const char *from_print, *to_print; /* fingerprints; "" where not known */
    struct hl_lesson data;             /* pairs, or labelled rows of `from` alone */
    struct hl_lesson items;            /* labelled rows of `to` alone; n_rows 0: none */
    struct hl_lesson choose, report; /* pairs; n_rows 0: a tenth of the data each, if those
                                        are pairs, or labelled rows of both models */
    struct hl_learn_source source;
    enum hl_kind kind;
    enum hl_task task;
    struct hl_focal focal; /* zeros: none */
    size_t n_hidden, rank; /* 0: chosen */
    uint64_t seed;
    size_t max_bytes; /* of working memory; 0: the fit's standard */
    struct hl_errand errand;
};

/* What came of it. */
struct hl_learnt {
    struct hl_bridge *bridge; /* `report` is its JSON: story, seed, seconds, rows, inputs,
                                 measured */
    struct hl_fit_story story;
    struct hl_mixes mixes;    /* on the rows it was chosen by; zeros: there were none */
    struct hl_report *report; /* NULL: there was nothing to judge on */
    size_t n_fit, n_choose, n_report;
    double seconds;
};

/* HL_INVALID where the data cannot teach it, with what to do about it. */
enum hl_code hl_learn_bridge(const struct hl_learn *learn, struct hl_learnt *ret_learnt,
                             struct hl_err *err);
void hl_learnt_done(struct hl_learnt *learnt);

/* ---- judging ---- */

struct hl_judging {
    const char *from, *to; /* names of models */
    struct hl_lesson data; /* pairs that the bridge was not learnt from */
    struct hl_learn_source source;
    const struct hl_bridge *bridge, *then; /* `then` behind it; NULL: none. No bridge: two
                                              models are compared as they are */
    uint64_t seed;                         /* which rows, of more than HL_SPLIT_MAX */
    struct hl_errand errand;
};

/* `json` gets an object like a bridge's report, without a story. */
enum hl_code hl_learn_judge(const struct hl_judging *judging, struct hl_report **ret_report,
                            struct hl_buf *json, struct hl_err *err);

#endif
