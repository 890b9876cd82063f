/* SPDX-License-Identifier: Apache-2.0 */
#include "compat/report.h"

#include "compat/figure.h"
#include "compat/report_members.h"
#include "proto/encode.h"

#include <math.h>
#include <stddef.h>
#include <string.h>

/* ---- what there is to print, for both forms ---- */

#define AT(type, name) #name, offsetof(struct type, name)

static const struct hl_report_member threshold_items[] = {
    {AT(hl_report_threshold, precision), "precision"},
    {AT(hl_report_threshold, recall), "recall"},
};

static const struct hl_report_member far_items[] = {
    {AT(hl_report_far, old_old), "old > old"},
    {AT(hl_report_far, new_old), "new > old"},
    {AT(hl_report_far, new_new), "new > new"},
};

static const struct hl_report_member mix_items[] = {
    {AT(hl_mix_figures, top1), "top1"},
    {AT(hl_mix_figures, map), "mAP"},
    {AT(hl_mix_figures, top1_by_class), "by class"},
};

static const struct hl_report_member mix_lead_items[] = {
    {AT(hl_mixes, lead), NULL},
    {AT(hl_mixes, lead_by_class), NULL},
};

static const struct hl_report_member mix_strategies[] = {
    {AT(hl_mix, backward), "backward"},
    {AT(hl_mix, dual), "dual"},
};

#define N_MEMBERS(members) (sizeof(members) / sizeof *(members))

static const struct hl_report_members threshold_members = {threshold_items,
                                                           N_MEMBERS(threshold_items)},
                                      far_members = {far_items, N_MEMBERS(far_items)},
                                      mix_members = {mix_items, N_MEMBERS(mix_items)},
                                      mix_leads = {mix_lead_items,
                                                   N_MEMBERS(mix_lead_items)};

static const void *part_at(const void *whole, const struct hl_report_member *member)
{
    return (const char *)whole + member->offset;
}

/* ---- JSON ---- */

/* `"key":figure` for each, commas between them. */
static void print_members(const void *whole, const struct hl_report_members *members,
                          struct hl_buf *json)
{
    for (size_t i = 0; i < members->n; i++) {
        hl_encode_key(json, members->items[i].key);
        hl_figure_print(part_at(whole, &members->items[i]), json);
        if (i + 1 < members->n)
            hl_buf_add_char(json, ',');
    }
}

static void print_flag(const char *key, bool value, struct hl_buf *json)
{
    hl_encode_key(json, key);
    hl_encode_bool(json, value);
    hl_buf_add_char(json, ',');
}

static void print_number(const char *key, uint64_t value, struct hl_buf *json)
{
    hl_encode_key(json, key);
    hl_encode_u64(json, value);
    hl_buf_add_char(json, ',');
}

/* The criterion is about a bridge, and about queries with an answer. */
static void print_criterion(const char *key, bool is_met, const struct hl_figure *figure,
                            struct hl_buf *json)
{
    hl_encode_key(json, key);
    if (figure->of)
        hl_encode_bool(json, is_met);
    else
        hl_encode_null(json);
}

static void print_group(const struct hl_report_group *group, struct hl_buf *json)
{
    hl_encode_key(json, group->name);
    hl_buf_add_char(json, '{');
    for (size_t i = 0; i < hl_group_retrievals.n; i++) {
        hl_encode_key(json, hl_group_retrievals.items[i].key);
        hl_buf_add_char(json, '{');
        print_members(part_at(group, &hl_group_retrievals.items[i]), &hl_retrieval_members,
                      json);
        hl_buf_add_text(json, "},");
    }
    print_members(group, &hl_group_figures, json);
    hl_buf_add_char(json, ',');
    print_criterion("meets_top1", group->meets_top1, &group->new_old.top1, json);
    hl_buf_add_char(json, ',');
    print_criterion("meets_map", group->meets_map, &group->new_old.map, json);
    hl_buf_add_char(json, ',');
    print_criterion("meets_forward", group->meets_forward, &group->old_new.map, json);
    hl_buf_add_char(json, '}');
}

static void print_step(const struct hl_report_step *step, struct hl_buf *json)
{
    hl_buf_add_text(json, "{\"fidelity\":");
    hl_encode_float(json, step->fidelity);
    hl_buf_add_char(json, ',');
    print_members(step, &hl_step_members, json);
    hl_buf_add_char(json, '}');
}

static void print_served(const struct hl_report *report, struct hl_buf *json)
{
    hl_encode_key(json, "served");
    if (report->has_bridge)
        print_step(&report->served, json);
    else
        hl_encode_null(json);
}

static void print_sweep(const struct hl_report *report, struct hl_buf *json)
{
    hl_encode_key(json, "sweep");
    if (report->is_brief || !report->has_bridge) {
        hl_encode_null(json);
        return;
    }
    for (size_t i = 0; i < HL_N_FIDELITIES; i++) {
        hl_buf_add_char(json, i == 0 ? '[' : ',');
        print_step(&report->sweep[i], json);
    }
    hl_buf_add_char(json, ']');
}

static void print_thresholds(const struct hl_report *report, struct hl_buf *json)
{
    hl_encode_key(json, "thresholds");
    if (report->is_brief || !report->has_labels) {
        hl_encode_null(json);
        return;
    }
    for (size_t i = 0; i < HL_REPORT_THRESHOLDS; i++) {
        hl_buf_add_text(json, i == 0 ? "[{\"threshold\":" : ",{\"threshold\":");
        hl_encode_double(json, report->thresholds[i].threshold);
        hl_buf_add_char(json, ',');
        print_members(&report->thresholds[i], &threshold_members, json);
        hl_buf_add_char(json, '}');
    }
    hl_buf_add_char(json, ']');
}

static void print_true_accepts(const struct hl_report *report, struct hl_buf *json)
{
    hl_encode_key(json, "true_accepts");
    if (report->is_brief || !report->has_labels) {
        hl_encode_null(json);
        return;
    }
    for (size_t i = 0; i < HL_REPORT_FARS; i++) {
        hl_buf_add_text(json, i == 0 ? "[{\"false_accepts\":" : ",{\"false_accepts\":");
        hl_encode_double(json, report->fars[i].false_accepts);
        hl_buf_add_char(json, ',');
        print_members(&report->fars[i], &far_members, json);
        hl_buf_add_char(json, '}');
    }
    hl_buf_add_char(json, ']');
}

static bool has_mixes(const struct hl_mixes *mixes)
{
    return mixes->mixes[0].backward.map.of > 0;
}

void hl_report_print_mixes(const struct hl_mixes *mixes, struct hl_buf *json)
{
    if (!has_mixes(mixes)) {
        hl_encode_null(json);
        return;
    }
    hl_buf_add_text(json, "{\"auto\":");
    hl_encode_string(json, hl_bridge_strategy_name(mixes->chosen));
    hl_buf_add_char(json, ',');
    print_members(mixes, &mix_leads, json);
    hl_buf_add_text(json, ",\"mixes\":[");
    for (size_t i = 0; i < HL_N_MIXES; i++) {
        hl_buf_add_text(json, i == 0 ? "{\"share\":" : ",{\"share\":");
        hl_encode_double(json, mixes->mixes[i].share);
        for (size_t j = 0; j < N_MEMBERS(mix_strategies); j++) {
            hl_buf_add_char(json, ',');
            hl_encode_key(json, mix_strategies[j].key);
            hl_buf_add_char(json, '{');
            print_members(part_at(&mixes->mixes[i], &mix_strategies[j]), &mix_members,
                          json);
            hl_buf_add_char(json, '}');
        }
        hl_buf_add_char(json, '}');
    }
    hl_buf_add_text(json, "]}");
}

void hl_report_print(const struct hl_report *report, struct hl_buf *json)
{
    hl_buf_add_char(json, '{');
    print_number("rows", report->n_rows, json);
    print_number("queries", report->n_queries, json);
    print_number("ranked", report->n_ranked, json);
    print_number("gallery", report->n_gallery, json);
    print_flag("has_labels", report->has_labels, json);
    print_flag("has_head", report->has_head, json);
    print_flag("has_bridge", report->has_bridge, json);
    print_flag("is_dealt", report->is_dealt, json);
    hl_buf_add_text(json, "\"groups\":{");
    for (size_t i = 0; i < report->n_groups; i++) {
        if (i > 0)
            hl_buf_add_char(json, ',');
        print_group(&report->groups[i], json);
    }
    hl_buf_add_text(json, "},");
    print_served(report, json);
    hl_buf_add_char(json, ',');
    print_sweep(report, json);
    hl_buf_add_char(json, ',');
    print_thresholds(report, json);
    hl_buf_add_char(json, ',');
    print_true_accepts(report, json);
    hl_buf_add_text(json, ",\"strategies\":");
    hl_report_print_mixes(&report->mixes, json);
    hl_buf_add_char(json, '}');
}

/* ---- a table ---- */

/* "0.828 (0.817 … 0.838)", in a column of 28. */
static void add_cell(const struct hl_figure *figure, struct hl_buf *text)
{
    if (figure->of == 0)
        hl_buf_print(text, "%-28s", "-");
    else if (isnan(figure->low))
        hl_buf_print(text, "%7.4f%21s", figure->value, "");
    else
        hl_buf_print(text, "%7.4f (%.4f to %.4f)  ", figure->value, figure->low,
                     figure->high);
}

/* Blanks at the end of a line are dropped. */
static void end_line(struct hl_buf *text)
{
    while (text->len > 0 && text->data[text->len - 1] == ' ')
        text->data[--text->len] = '\0';
    hl_buf_add_char(text, '\n');
}

static bool is_said(const struct hl_retrieval *retrieval)
{
    return retrieval->top1.of > 0;
}

static void add_criterion(const struct hl_report_group *group, struct hl_buf *text)
{
    bool is_met = group->meets_top1 && group->meets_map;

    if (!is_said(&group->new_old))
        return;
    hl_buf_print(text, "  %-24s %s\n", "criterion",
                 is_met              ? "met"
                 : group->meets_top1 ? "not met in mAP"
                 : group->meets_map  ? "not met in top1"
                                     : "not met, neither in top1 nor in mAP");
    hl_buf_print(text, "  %-24s %s\n", "criterion, forward",
                 group->meets_forward ? "met" : "not met");
}

static void add_retrievals(const struct hl_report_group *group, struct hl_buf *text)
{
    if (!is_said(&group->old_old))
        return;
    hl_buf_print(text, "  %-24s", "");
    for (size_t i = 0; i < hl_retrieval_members.n; i++)
        hl_buf_print(text, " %-27s", hl_retrieval_members.items[i].words);
    end_line(text);
    for (size_t i = 0; i < hl_group_retrievals.n; i++) {
        const struct hl_retrieval *retrieval =
            part_at(group, &hl_group_retrievals.items[i]);

        if (!is_said(retrieval))
            continue;
        hl_buf_print(text, "  %-24s", hl_group_retrievals.items[i].words);
        for (size_t j = 0; j < hl_retrieval_members.n; j++)
            add_cell(part_at(retrieval, &hl_retrieval_members.items[j]), text);
        end_line(text);
    }
}

static void add_group(const struct hl_report_group *group, struct hl_buf *text)
{
    hl_buf_print(text, "\n%s\n", group->name);
    add_retrievals(group, text);
    add_criterion(group, text);
    for (size_t i = 0; i < hl_group_figures.n; i++) {
        const struct hl_figure *figure = part_at(group, &hl_group_figures.items[i]);

        if (figure->of == 0)
            continue;
        hl_buf_print(text, "  %-24s", hl_group_figures.items[i].words);
        add_cell(figure, text);
        hl_buf_print(text, "of %llu\n", (unsigned long long)figure->of);
    }
}

static void add_values(const void *whole, const struct hl_report_members *members,
                       struct hl_buf *text)
{
    for (size_t i = 0; i < members->n; i++) {
        const struct hl_figure *figure = part_at(whole, &members->items[i]);

        if (figure->of)
            hl_buf_print(text, " %11.4f", figure->value);
        else
            hl_buf_print(text, " %11s", "-");
    }
    end_line(text);
}

static void add_heads(const char *first, const struct hl_report_members *members,
                      struct hl_buf *text)
{
    hl_buf_print(text, "\n%-12s", first);
    for (size_t i = 0; i < members->n; i++)
        hl_buf_print(text, " %11s", members->items[i].words);
    end_line(text);
}

static void add_sweep(const struct hl_report *report, struct hl_buf *text)
{
    add_heads("fidelity", &hl_step_members, text);
    for (size_t i = 0; i < HL_N_FIDELITIES; i++) {
        const struct hl_report_step *step = &report->sweep[i];
        bool is_auto = fabsf(step->fidelity - report->fidelity) < 1e-6F;

        hl_buf_print(text, "%-4.1f%-8s", (double)step->fidelity, is_auto ? "auto" : "");
        add_values(step, &hl_step_members, text);
    }
}

/* Thresholds that every pair reaches, or none, are left out. */
static void add_thresholds(const struct hl_report *report, struct hl_buf *text)
{
    add_heads("threshold", &threshold_members, text);
    for (size_t i = 0; i < HL_REPORT_THRESHOLDS; i++) {
        const struct hl_report_threshold *at = &report->thresholds[i];
        bool is_last = i + 1 == HL_REPORT_THRESHOLDS;

        if (at->precision.of == 0 ||
            (!is_last && at[1].precision.of == report->thresholds[0].precision.of))
            continue;
        hl_buf_print(text, "%-12.2f", at->threshold);
        add_values(at, &threshold_members, text);
    }
    add_heads("false accepts", &far_members, text);
    for (size_t i = 0; i < HL_REPORT_FARS; i++) {
        hl_buf_print(text, "%-13.4g", report->fars[i].false_accepts);
        add_values(&report->fars[i], &far_members, text);
    }
}

/* By the share of items that are new. */
static void add_mixes(const struct hl_mixes *mixes, struct hl_buf *text)
{
    const struct hl_mix_figures leads = {.top1 = mixes->lead,
                                         .top1_by_class = mixes->lead_by_class};

    if (!has_mixes(mixes))
        return;
    add_heads("new served by     ", &mix_members, text);
    for (size_t i = 0; i < HL_N_MIXES; i++) {
        for (size_t j = 0; j < N_MEMBERS(mix_strategies); j++) {
            const char *words = mix_strategies[j].words;
            bool is_auto = strcmp(words, hl_bridge_strategy_name(mixes->chosen)) == 0;

            hl_buf_print(text, "%.2f %-8s %-4s", mixes->mixes[i].share, words,
                         is_auto ? "auto" : "");
            add_values(part_at(&mixes->mixes[i], &mix_strategies[j]), &mix_members, text);
        }
    }
    hl_buf_print(text, "%-18s", "dual over backward");
    add_values(&leads, &mix_members, text);
}

void hl_report_print_table(const struct hl_report *report, struct hl_buf *text)
{
    hl_buf_print(
        text, "%zu rows: %zu queries, %zu of them ranked whole, in a gallery of %zu%s\n",
        report->n_rows, report->n_queries, report->n_ranked, report->n_gallery,
        report->is_dealt ? "; rows lie sorted by label, so every second one asks" : "");
    if (!report->has_labels)
        hl_buf_add_text(text, "no labels: top1, recall@10, mAP, flips, accuracy and "
                              "thresholds cannot be said\n");
    else if (!report->has_head)
        hl_buf_add_text(text, "no head of the old model: accuracy through it and its known "
                              "and unknown classes cannot be said\n");
    if (!report->has_bridge)
        hl_buf_add_text(text, "no bridge: two models as they are\n");
    for (size_t i = 0; i < report->n_groups; i++)
        add_group(&report->groups[i], text);
    if (report->is_brief)
        return;
    if (report->has_bridge)
        add_sweep(report, text);
    if (report->has_labels)
        add_thresholds(report, text);
    add_mixes(&report->mixes, text);
}
