/* SPDX-License-Identifier: Apache-2.0 */
#include "compat/report_members.h"

#include "compat/report.h"

const char *const hl_report_group_names[HL_REPORT_GROUPS] = {"all", "known", "unknown",
                                                             "image", "text"};

#define AT(type, name) #name, offsetof(struct type, name)
#define ALL(members)                                                                       \
    {                                                                                      \
        members, sizeof(members) / sizeof(members)[0]                                      \
    }

static const struct hl_report_member retrieval_members[] = {
    {AT(hl_retrieval, top1), "top1"},
    {AT(hl_retrieval, recall10), "recall@10"},
    {AT(hl_retrieval, map), "mAP"},
};

static const struct hl_report_member group_retrievals[] = {
    {AT(hl_report_group, old_old), "old > old"},
    {AT(hl_report_group, new_old), "new > old"},
    {AT(hl_report_group, served), "new > old as served"},
    {AT(hl_report_group, new_new), "new > new"},
    {AT(hl_report_group, old_mixed), "old > half new"},
    {AT(hl_report_group, old_new), "old > all new"},
};

static const struct hl_report_member group_figures[] = {
    {AT(hl_report_group, top1_difference), "top1, new - old"},
    {AT(hl_report_group, map_difference), "mAP, new - old"},
    {AT(hl_report_group, forward_top1_difference), "top1, forward"},
    {AT(hl_report_group, forward_map_difference), "mAP, forward"},
    {AT(hl_report_group, top1_gain), "top1 gain"},
    {AT(hl_report_group, map_gain), "mAP gain"},
    {AT(hl_report_group, negative_flips), "negative flips"},
    {AT(hl_report_group, served_negative_flips), "negative flips as served"},
    {AT(hl_report_group, positive_flips), "positive flips"},
    {AT(hl_report_group, relative_flips), "relative flips"},
    {AT(hl_report_group, old_accuracy), "old head on old"},
    {AT(hl_report_group, new_accuracy), "old head on new"},
    {AT(hl_report_group, own_accuracy), "new head on new"},
    {AT(hl_report_group, head_negative_flips), "head, negative flips"},
    {AT(hl_report_group, head_positive_flips), "head, positive flips"},
    {AT(hl_report_group, head_relative_flips), "head, relative flips"},
    {AT(hl_report_group, self1), "self@1"},
    {AT(hl_report_group, self10), "self@10"},
    {AT(hl_report_group, overlap10), "overlap@10, new query"},
    {AT(hl_report_group, old_overlap10), "overlap@10, old query"},
};

static const struct hl_report_member step_members[] = {
    {AT(hl_report_step, top1), "top1"},
    {AT(hl_report_step, recall10), "recall@10"},
    {AT(hl_report_step, map), "mAP"},
    {AT(hl_report_step, negative_flips), "neg. flips"},
    {AT(hl_report_step, self1), "self@1"},
    {AT(hl_report_step, self10), "self@10"},
    {AT(hl_report_step, overlap10), "overlap@10"},
};

const struct hl_report_members hl_retrieval_members = ALL(retrieval_members);
const struct hl_report_members hl_group_retrievals = ALL(group_retrievals);
const struct hl_report_members hl_group_figures = ALL(group_figures);
const struct hl_report_members hl_step_members = ALL(step_members);
