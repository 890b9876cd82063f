/* SPDX-License-Identifier: Apache-2.0 */
#include "compat/report.h"

#include "compat/report_members.h"
#include "proto/alloc.h"
#include "proto/members.h"

#include <float.h>
#include <math.h>
#include <string.h>

static enum hl_code read_figure_member(const struct hl_field *member, size_t which,
                                       void *self, struct hl_err *err)
{
    struct hl_figure *figure = self;
    double *values[] = {&figure->value, &figure->low, &figure->high};

    return which < 3 ? hl_field_double(member, -DBL_MAX, DBL_MAX, values[which], err)
                     : hl_field_u64(member, 0, UINT64_MAX, &figure->of, err);
}

static enum hl_code read_figure(const struct hl_field *field, struct hl_figure *figure,
                                struct hl_err *err)
{
    static const char *const names[] = {"value", "low", "high", "of"};
    static const struct hl_members members = {
        HL_MEMBERS_OF(names), HL_MEMBER(0) | HL_MEMBER(3), read_figure_member};

    *figure = (struct hl_figure){0, (double)NAN, (double)NAN, 0};
    return hl_members_read(field, &members, figure, err);
}

/* ---- parts with names of their own ---- */

/* Where a member goes; NULL: it is not known, and another release's. */
static void *part_of(const struct hl_report_members *members, const struct hl_field *member,
                     void *whole)
{
    for (size_t i = 0; i < members->n; i++) {
        const struct hl_report_member *item = &members->items[i];

        if (strlen(item->key) == member->name_len &&
            memcmp(item->key, member->name, member->name_len) == 0)
            return (char *)whole + item->offset;
    }
    return NULL;
}

/* Calls `read` for each member. */
static enum hl_code read_each(const struct hl_field *field,
                              enum hl_code (*read)(const struct hl_field *member,
                                                   void *whole, struct hl_err *err),
                              void *whole, struct hl_err *err)
{
    const struct hl_field *member = NULL;
    struct hl_object object;
    enum hl_code code = hl_object_begin(field, NULL, 0, &object, err);

    if (code == HL_OK)
        code = hl_object_next(&object, &member, err);
    while (code == HL_OK && member) {
        code = read(member, whole, err);
        if (code == HL_OK)
            code = hl_object_next(&object, &member, err);
    }
    return code;
}

static enum hl_code read_retrieval(const struct hl_field *member, void *whole,
                                   struct hl_err *err)
{
    struct hl_figure *figure = part_of(&hl_retrieval_members, member, whole);

    return figure ? read_figure(member, figure, err) : HL_OK;
}

static enum hl_code read_step(const struct hl_field *member, void *whole,
                              struct hl_err *err)
{
    struct hl_figure *figure = part_of(&hl_step_members, member, whole);

    return figure ? read_figure(member, figure, err) : HL_OK;
}

static enum hl_code read_group(const struct hl_field *member, void *whole,
                               struct hl_err *err)
{
    struct hl_retrieval *retrieval = part_of(&hl_group_retrievals, member, whole);
    struct hl_figure *figure = part_of(&hl_group_figures, member, whole);

    if (retrieval)
        return read_each(member, read_retrieval, retrieval, err);
    return figure ? read_figure(member, figure, err) : HL_OK;
}

/* "all" comes first, whether it is there or not. */
static enum hl_code read_groups(const struct hl_field *field, struct hl_report *report,
                                struct hl_err *err)
{
    const struct hl_field *member = NULL;
    struct hl_object object;
    enum hl_code code =
        hl_object_begin(field, hl_report_group_names, HL_REPORT_GROUPS, &object, err);

    if (code == HL_OK)
        code = hl_object_next(&object, &member, err);
    while (code == HL_OK && member) {
        if (object.which > 0 && object.which < HL_REPORT_GROUPS)
            report->groups[report->n_groups++].name = hl_report_group_names[object.which];
        if (object.which < HL_REPORT_GROUPS)
            code = read_each(member, read_group,
                             &report->groups[object.which > 0 ? report->n_groups - 1 : 0],
                             err);
        if (code == HL_OK)
            code = hl_object_next(&object, &member, err);
    }
    return code;
}

/* ---- the whole ---- */

static enum hl_code read_members(const struct hl_field *field, struct hl_report *report,
                                 struct hl_err *err)
{
    static const char *const names[] = {"has_labels", "has_head", "has_bridge", "groups",
                                        "served"};
    bool *const flags[] = {&report->has_labels, &report->has_head, &report->has_bridge};
    const struct hl_field *member = NULL;
    struct hl_object object;
    enum hl_code code =
        hl_object_begin(field, names, sizeof names / sizeof *names, &object, err);

    if (code == HL_OK)
        code = hl_object_next(&object, &member, err);
    while (code == HL_OK && member) {
        if (object.which < 3)
            code = hl_field_bool(member, flags[object.which], err);
        else if (object.which == 3)
            code = read_groups(member, report, err);
        else if (object.which == 4)
            code = read_each(member, read_step, &report->served, err);
        if (code == HL_OK)
            code = hl_object_next(&object, &member, err);
    }
    return code;
}

enum hl_code hl_report_read(const struct hl_field *field, struct hl_report **ret_report,
                            struct hl_err *err)
{
    struct hl_report *report = hl_alloc_zeroed(1, sizeof *report);
    enum hl_code code;

    if (!report)
        return hl_fail(err, HL_NO_MEMORY, "no memory for a report");
    report->is_brief = true;
    report->n_groups = 1;
    report->groups[0].name = hl_report_group_names[0];
    code = read_members(field, report, err);
    if (code == HL_OK)
        *ret_report = report;
    else
        hl_report_free(report);
    return code;
}
