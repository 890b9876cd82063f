/* SPDX-License-Identifier: Apache-2.0 */
#include "compat/report_groups.h"

#include "compat/figure.h"
#include "compat/report_members.h"

#include <math.h>
#include <string.h>

/* ---- who belongs to a group ---- */

enum group { ALL, KNOWN, UNKNOWN, IMAGE, TEXT, N_GROUPS }; /* as they are named */

static bool is_known(const struct hl_sitting *sitting, size_t row)
{
    const struct hl_head *head = sitting->task->head;
    int32_t label = sitting->exam->labels[row];

    return head && label >= 0 && (size_t)label < head->n_rows;
}

static bool is_unknown(const struct hl_sitting *sitting, size_t row)
{
    return sitting->exam->labels[row] >= 0 && !is_known(sitting, row);
}

static bool is_in(const struct hl_sitting *sitting, enum group group, size_t row)
{
    switch (group) {
    case KNOWN:
        return is_known(sitting, row);
    case UNKNOWN:
        return is_unknown(sitting, row);
    case IMAGE:
        return sitting->exam->modalities[row] == HL_MODALITY_IMAGE;
    case TEXT:
        return sitting->exam->modalities[row] == HL_MODALITY_TEXT;
    case ALL:
    case N_GROUPS:
        break;
    }
    return true;
}

/* Known and unknown part ways only where there are unknown ones, image and text only where
 * there is text: else they would repeat what all says. */
static bool is_there(const struct hl_sitting *sitting, enum group group)
{
    const struct hl_exam *exam = sitting->exam;

    if (group == ALL)
        return true;
    if (group <= UNKNOWN && (!exam->labels || !sitting->task->head))
        return false;
    for (size_t row = 0; row < exam->n_rows; row++)
        if (is_in(sitting, group <= UNKNOWN ? UNKNOWN : TEXT, row))
            return true;
    return false;
}

/* ---- retrieval ---- */

/* The queries of a group that have an answer to find. */
struct crowd {
    const struct hl_sitting *sitting;
    enum group group;
};

static bool asks(const struct crowd *crowd, size_t query)
{
    return crowd->sitting->old_old[query].is_asked &&
           is_in(crowd->sitting, crowd->group, query);
}

static struct hl_retrieval retrieval_of(const struct crowd *crowd,
                                        const struct hl_answer *answers)
{
    uint64_t n = 0, n_top1 = 0, n_recall10 = 0;
    struct hl_tally ap = {0};

    for (size_t query = 0; query < crowd->sitting->exam->n_queries; query++) {
        if (!asks(crowd, query))
            continue;
        n++;
        n_top1 += answers[query].top1;
        n_recall10 += answers[query].recall10;
        if (!isnan(answers[query].ap))
            hl_tally_add(&ap, answers[query].ap, 0, 0);
    }
    return (struct hl_retrieval){hl_figure_share(n_top1, n), hl_figure_share(n_recall10, n),
                                 hl_figure_mean(&ap)};
}

/* Old against new, query by query. */
static void compare_retrieval(const struct crowd *crowd,
                              const struct hl_answer *new_answers,
                              struct hl_report_group *group)
{
    const struct hl_answer *old = crowd->sitting->old_old, *own = crowd->sitting->new_new;
    struct hl_tally top1 = {0}, map = {0}, flips = {0};
    uint64_t n_positive = 0;

    for (size_t query = 0; query < crowd->sitting->exam->n_queries; query++) {
        bool was = old[query].top1, is = new_answers[query].top1;

        if (!asks(crowd, query))
            continue;
        hl_tally_add(&top1, (double)is - (double)was, (double)own[query].top1 - (double)was,
                     0);
        hl_tally_add(&flips, was && !is, was, !is);
        n_positive += !was && is;
        if (!isnan(old[query].ap))
            hl_tally_add(&map, new_answers[query].ap - old[query].ap,
                         own[query].ap - old[query].ap, 0);
    }
    group->top1_difference = hl_figure_mean(&top1);
    group->map_difference = hl_figure_mean(&map);
    if (crowd->sitting->mapped) {
        group->top1_gain = hl_figure_ratio(&top1);
        group->map_gain = hl_figure_ratio(&map);
    }
    group->negative_flips = hl_figure_share((uint64_t)flips.a, flips.n);
    group->positive_flips = hl_figure_share(n_positive, flips.n);
    group->relative_flips = hl_figure_ratio_of_product(&flips);
    group->meets_top1 = top1.n > 0 && top1.a > 0;
    group->meets_map = map.n > 0 && map.a > 0;
}

/* What `forward` would serve, queries of `to` among images of all that `from` has, against
 * `from` as it is. */
static void compare_forward(const struct crowd *crowd, struct hl_report_group *group)
{
    const struct hl_answer *images = crowd->sitting->old_new,
                           *own = crowd->sitting->new_new;
    struct hl_tally top1 = {0}, map = {0};

    for (size_t query = 0; query < crowd->sitting->exam->n_queries; query++) {
        if (!asks(crowd, query))
            continue;
        hl_tally_add(&top1, (double)images[query].top1 - (double)own[query].top1, 0, 0);
        if (!isnan(own[query].ap))
            hl_tally_add(&map, images[query].ap - own[query].ap, 0, 0);
    }
    group->forward_top1_difference = hl_figure_mean(&top1);
    group->forward_map_difference = hl_figure_mean(&map);
    group->meets_forward = top1.a > 0 && map.a > 0;
}

/* ---- without labels ---- */

static struct hl_figure overlap_of(const struct crowd *crowd,
                                   const struct hl_answer *answers)
{
    const struct hl_sitting *sitting = crowd->sitting;
    size_t k = sitting->n_gallery < HL_TOP ? sitting->n_gallery : HL_TOP;
    struct hl_tally tally = {0};

    for (size_t query = 0; query < sitting->exam->n_queries; query++)
        if (is_in(sitting, crowd->group, query))
            hl_tally_add(
                &tally,
                (double)hl_answer_shared(&answers[query], &sitting->new_new[query]) /
                    (double)k,
                0, 0);
    return hl_figure_mean(&tally);
}

static struct hl_figure self_of(const struct crowd *crowd, size_t k)
{
    const struct hl_sitting *sitting = crowd->sitting;
    uint64_t n = 0, hits = 0;

    for (size_t row = 0; row < sitting->n_gallery; row++) {
        if (!is_in(sitting, crowd->group, sitting->exam->n_queries + row))
            continue;
        n++;
        hits += sitting->places[row] < k;
    }
    return hl_figure_share(hits, n);
}

/* ---- through the heads ---- */

struct count {
    uint64_t n, hits;
};

static void count(struct count *count, bool is_hit)
{
    count->n++;
    count->hits += is_hit;
}

/* Without a bridge the new head on new vectors stands for the new side. */
static void judge_group(const struct crowd *crowd, struct hl_report_group *group)
{
    const struct hl_sitting *sitting = crowd->sitting;
    bool has_old = sitting->task->head, has_new = has_old && sitting->mapped;
    unsigned new_right = has_new ? HL_RIGHT_NEW : HL_RIGHT_OWN;
    struct count old = {0}, new = {0}, own = {0}, positive = {0};
    struct hl_tally flips = {0};

    for (size_t row = 0; sitting->rights && row < sitting->exam->n_rows; row++) {
        unsigned rights = sitting->rights[row];
        bool is_asked = rights & HL_ASKED_OLD, is_asked_own = rights & HL_ASKED_OWN;
        bool was = rights & HL_RIGHT_OLD, is = rights & new_right;

        if (!is_in(sitting, crowd->group, row))
            continue;
        if (is_asked)
            count(&old, was);
        if (is_asked && has_new)
            count(&new, is);
        if (is_asked_own && (is_asked || !has_old))
            count(&own, rights & HL_RIGHT_OWN);
        if (is_asked && (has_new || is_asked_own)) {
            hl_tally_add(&flips, was && !is, was, !is);
            count(&positive, !was && is);
        }
    }
    group->old_accuracy = hl_figure_share(old.hits, old.n);
    group->new_accuracy = hl_figure_share(new.hits, new.n);
    group->own_accuracy = hl_figure_share(own.hits, own.n);
    group->head_negative_flips = hl_figure_share((uint64_t)flips.a, flips.n);
    group->head_positive_flips = hl_figure_share(positive.hits, positive.n);
    group->head_relative_flips = hl_figure_ratio_of_product(&flips);
}

/* ---- a group, a step ---- */

static void fill_group(const struct crowd *crowd, struct hl_report_group *group)
{
    const struct hl_sitting *sitting = crowd->sitting;
    bool has_bridge = sitting->mapped;

    group->name = hl_report_group_names[crowd->group];
    group->old_old = retrieval_of(crowd, sitting->old_old);
    group->new_new = retrieval_of(crowd, sitting->new_new);
    group->old_overlap10 = overlap_of(crowd, sitting->old_old);
    compare_retrieval(crowd, has_bridge ? sitting->new_old : sitting->new_new, group);
    judge_group(crowd, group);
    if (!has_bridge)
        return;
    group->new_old = retrieval_of(crowd, sitting->new_old);
    group->old_new = retrieval_of(crowd, sitting->old_new);
    group->old_mixed = retrieval_of(crowd, sitting->old_mixed);
    compare_forward(crowd, group);
    group->overlap10 = overlap_of(crowd, sitting->new_old);
    group->self1 = self_of(crowd, 1);
    group->self10 = self_of(crowd, HL_TOP);
}

static struct hl_figure negative_flips_of(const struct crowd *crowd)
{
    const struct hl_sitting *sitting = crowd->sitting;
    uint64_t n = 0, flips = 0;

    for (size_t query = 0; query < sitting->exam->n_queries; query++) {
        if (!asks(crowd, query))
            continue;
        n++;
        flips += sitting->old_old[query].top1 && !sitting->new_old[query].top1;
    }
    return hl_figure_share(flips, n);
}

void hl_report_fill_step(const struct hl_sitting *sitting, struct hl_report_step *step)
{
    struct crowd all = {sitting, ALL};
    struct hl_retrieval retrieval = retrieval_of(&all, sitting->new_old);

    step->top1 = retrieval.top1;
    step->recall10 = retrieval.recall10;
    step->map = retrieval.map;
    step->negative_flips = negative_flips_of(&all);
    step->self1 = self_of(&all, 1);
    step->self10 = self_of(&all, HL_TOP);
    step->overlap10 = overlap_of(&all, sitting->new_old);
}

void hl_report_fill_served(const struct hl_sitting *sitting, struct hl_report *report)
{
    size_t i = 0;

    for (enum group group = ALL; group < N_GROUPS; group++) {
        struct crowd crowd = {sitting, group};

        if (!is_there(sitting, group))
            continue;
        report->groups[i].served = retrieval_of(&crowd, sitting->new_old);
        report->groups[i++].served_negative_flips = negative_flips_of(&crowd);
    }
}

/* Old and new queries in old and new galleries. */
static enum hl_code take_answers(struct hl_sitting *sitting, struct hl_err *err)
{
    const struct hl_exam *exam = sitting->exam;
    const float *old_gallery = exam->to + exam->n_queries * exam->dim_to;
    const float *new_gallery = exam->from + exam->n_queries * exam->dim_from;
    size_t dim = exam->dim_to;
    enum hl_code code =
        hl_sitting_answer(sitting, exam->to, old_gallery, dim, sitting->old_old, err);

    if (code == HL_OK)
        code = hl_sitting_answer(sitting, exam->from, new_gallery, exam->dim_from,
                                 sitting->new_new, err);
    if (code != HL_OK || !sitting->mapped)
        return code;
    hl_sitting_map(sitting, 0);
    code = hl_sitting_answer(sitting, sitting->mapped, old_gallery, dim, sitting->new_old,
                             err);
    if (code == HL_OK)
        code = hl_sitting_answer(sitting, exam->to, sitting->images, dim, sitting->old_new,
                                 err);
    if (code == HL_OK)
        code = hl_sitting_answer(sitting, exam->to, sitting->mixed, dim, sitting->old_mixed,
                                 err);
    if (code == HL_OK)
        code = hl_sitting_find_selves(sitting, err);
    return code;
}

enum hl_code hl_report_take_groups(struct hl_sitting *sitting, struct hl_report *report,
                                   struct hl_err *err)
{
    enum hl_code code = take_answers(sitting, err);

    if (code == HL_OK)
        code = hl_sitting_judge(sitting, err);
    if (code != HL_OK)
        return code;
    for (enum group group = ALL; group < N_GROUPS; group++) {
        struct crowd crowd = {sitting, group};

        if (is_there(sitting, group))
            fill_group(&crowd, &report->groups[report->n_groups++]);
    }
    return HL_OK;
}
