/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HL_COMPAT_REPORT_H
#define HL_COMPAT_REPORT_H

#include "compat/bridge.h"
#include "compat/exam.h"
#include "compat/head.h"
#include "proto/buf.h"
#include "proto/field.h"

/* How good a bridge is, on rows that no fit saw: what the API, the command line and the
 * dashboard show, and what gates look at.
 *
 * Every number carries what it is a share of and a 95 % interval. */
struct hl_figure {
    double value, low, high; /* low and high NaN: of too few to say */
    uint64_t of;             /* the denominator; 0: cannot be said */
};

struct hl_retrieval {
    struct hl_figure top1, recall10, map;
};

/* One group of queries: all, classes the old head knows, classes it does not, a modality.
 *
 * "new" means: through the bridge, judged map alone. Without a bridge new_old and the gains
 * cannot be said, and differences and flips compare new_new with old_old. */
struct hl_report_group {
    const char *name; /* "all" "known" "unknown" "image" "text" */
    struct hl_retrieval old_old, new_old, new_new;
    struct hl_retrieval old_new, old_mixed; /* old queries, when all or every second item is
                                               the faithful image of a new vector */
    struct hl_figure top1_difference, map_difference; /* new_old - old_old, paired */
    struct hl_figure top1_gain, map_gain; /* of what the new model could bring */
    struct hl_figure negative_flips, positive_flips, relative_flips; /* in retrieval */
    struct hl_figure old_accuracy, new_accuracy,
        own_accuracy; /* old head on old and on mapped rows; new head on new rows */
    struct hl_figure head_negative_flips, head_positive_flips, head_relative_flips;
    struct hl_figure self1, self10;
    struct hl_figure overlap10, old_overlap10; /* with the new model's own neighbours */
    bool meets_top1, meets_map;                /* the criterion: M(new,old) > M(old,old) */
    struct hl_figure forward_top1_difference,
        forward_map_difference; /* old_new - new_new */
    bool meets_forward; /* queries of `to` find more among images than those of `from` do
                           among their own, in top1 and mAP: `forward` serves better */
    struct hl_retrieval served; /* new_old at the bridge's own fidelity, as are flips */
    struct hl_figure served_negative_flips;
};

struct hl_report_step { /* of the fidelity sweep */
    float fidelity;
    struct hl_figure top1, recall10, map, negative_flips, self1, self10, overlap10;
};

/* What each strategy finds when a share of the gallery has the new vector alone and the
 * rest the old one alone (compat/mixes.h): chosen by chance, or class after class. */
struct hl_mix_figures {
    struct hl_figure top1, map, top1_by_class;
};
struct hl_mix {
    double share;
    struct hl_mix_figures backward, dual;
};
enum { HL_N_MIXES = 3 };
struct hl_mixes {
    struct hl_mix mixes[HL_N_MIXES];
    struct hl_figure lead, lead_by_class; /* top1 of dual over backward, query by query */
    enum hl_bridge_strategy chosen;       /* what the bridge says is the better one */
};

enum { HL_REPORT_GROUPS = 5, HL_REPORT_THRESHOLDS = 41, HL_REPORT_FARS = 3 };

struct hl_report_threshold {
    double threshold; /* of mapped queries' scores */
    struct hl_figure precision, recall;
};

struct hl_report_far {
    double false_accepts;                       /* .01, .001, .0001 */
    struct hl_figure old_old, new_old, new_new; /* true accepts at that rate */
};

struct hl_report {
    size_t n_rows, n_queries, n_gallery, n_ranked;
    size_t n_groups;
    struct hl_report_group groups[HL_REPORT_GROUPS]; /* [0] is all; judged map alone */
    struct hl_report_step served; /* at the bridge's own fidelity, each of a chain at its */
    struct hl_report_step sweep[HL_N_FIDELITIES];
    struct hl_report_threshold thresholds[HL_REPORT_THRESHOLDS];
    struct hl_report_far fars[HL_REPORT_FARS];
    struct hl_mixes mixes;
    float fidelity; /* what `auto` is: that of thresholds and true accepts */
    bool has_labels, has_head, has_bridge;
    bool is_brief; /* no sweep, thresholds, true accepts or mixes */
    bool is_dealt; /* every second row was a query, because rows lie sorted by label */
};

/* What to judge. Without a bridge two models are compared as they are: should one upgrade
 * at all? The chain (`then`) is bridge and then this one, with lengths 1 between them. */
struct hl_report_task {
    const struct hl_exam *exam;
    const struct hl_bridge *bridge, *then; /* NULL: none */
    const struct hl_head *head;            /* of `to`, its own rows; NULL */
    const struct hl_head *own_head;        /* of `from`; NULL */
    const int32_t *own_classes; /* the label of each of its rows; NULL: row i is label i */
    bool is_brief;              /* groups alone: what a choice between bridges looks at */
    struct hl_errand errand;
};

/* HL_INVALID when an exam, a bridge and a head do not belong together. */
enum hl_code hl_report_make(const struct hl_report_task *task,
                            struct hl_report **ret_report, struct hl_err *err);
void hl_report_free(struct hl_report *report); /* NULL is accepted */

/* JSON, one object; and the same as a table for people. */
void hl_report_print(const struct hl_report *report, struct hl_buf *json);
void hl_report_print_mixes(const struct hl_mixes *mixes, struct hl_buf *json); /* of them */
void hl_report_print_table(const struct hl_report *report, struct hl_buf *text);

/* What gates look at, back from an object that hl_report_print made, or an older release's:
 * which parts there are, the groups' retrievals and figures, and what is served. Other
 * members are passed over, and what is not there cannot be said. Names of groups are
 * constants. HL_MALFORMED, or as the tokens say. */
enum hl_code hl_report_read(const struct hl_field *field, struct hl_report **ret_report,
                            struct hl_err *err);

/* ---- what a fit asks on its holdout ---- */

/* Chooses among the fidelity steps as design says, measures the scales of the ways and of
 * both models, and the weight of the old vector where both are sent: sets them in
 * `bridge`. */
enum hl_code hl_report_tune(const struct hl_report_task *task, struct hl_bridge *bridge,
                            struct hl_err *err);

/* ---- gates ---- */

struct hl_gates {
    bool criterion;  /* in every group that has queries, by the judged map and as served */
    double min_gain; /* of mAP; NaN: not asked */
    double max_negative_flips; /* in retrieval; NaN: not asked */
    double min_self; /* self@10 as served, where there are no labels; NaN: not asked */
};

/* HL_OK, or HL_CONFLICT with the figures that fail. */
enum hl_code hl_gates_check(const struct hl_gates *gates, const struct hl_report *report,
                            struct hl_err *err);

#endif
