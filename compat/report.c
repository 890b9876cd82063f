/* SPDX-License-Identifier: Apache-2.0 */
#include "compat/report.h"

#include "compat/mixes.h"
#include "compat/report_groups.h"
#include "compat/report_pairs.h"
#include "proto/alloc.h"

#include <math.h>

/* Scans of a whole report and of a brief one, for progress. */
enum { BRIEF_STEPS = 8, WHOLE_STEPS = BRIEF_STEPS + 2 * (HL_N_FIDELITIES - 1) };

/* `new_old` and `places` at a fidelity. */
static enum hl_code take_step(struct hl_sitting *sitting, float fidelity,
                              struct hl_err *err)
{
    const struct hl_exam *exam = sitting->exam;
    enum hl_code code;

    hl_sitting_map(sitting, fidelity);
    code = hl_sitting_answer(sitting, sitting->mapped,
                             exam->to + exam->n_queries * exam->dim_to, exam->dim_to,
                             sitting->new_old, err);
    if (code == HL_OK)
        code = hl_sitting_find_selves(sitting, err);
    return code;
}

/* The first step is what the groups were taken from; where no way has two maps, every other
 * step is the same as that. */
static enum hl_code sweep(struct hl_sitting *sitting, struct hl_report *report,
                          struct hl_err *err)
{
    bool has_dial = hl_sitting_has_dial(sitting);
    enum hl_code code = HL_OK;

    for (size_t i = 0; i < HL_N_FIDELITIES && code == HL_OK && !report->is_brief; i++) {
        float fidelity = (float)i / (HL_N_FIDELITIES - 1);

        if (i > 0 && has_dial)
            code = take_step(sitting, fidelity, err);
        report->sweep[i].fidelity = fidelity;
        if (code == HL_OK)
            hl_report_fill_step(sitting, &report->sweep[i]);
    }
    if (code == HL_OK && has_dial)
        code = take_step(sitting, HL_OWN_FIDELITY, err);
    report->served.fidelity = report->fidelity;
    if (code != HL_OK)
        return code;
    hl_report_fill_step(sitting, &report->served);
    hl_report_fill_served(sitting, report);
    return HL_OK;
}

/* What is served where nobody turns the dial; NaN where two bridges do not agree on it. */
static float own_fidelity(const struct hl_report_task *task)
{
    if (!task->bridge ||
        (task->then && fabsf(task->then->fidelity - task->bridge->fidelity) > 1e-6F))
        return NAN;
    return task->bridge->fidelity;
}

static enum hl_code fill_report(struct hl_sitting *sitting, struct hl_report *report,
                                struct hl_err *err)
{
    enum hl_code code = hl_report_take_groups(sitting, report, err);

    if (code == HL_OK && sitting->mapped)
        code = sweep(sitting, report, err);
    if (code == HL_OK && report->has_labels && !report->is_brief)
        code = hl_report_take_pairs(sitting, report, err);
    if (code == HL_OK && !report->is_brief)
        code = hl_mixes_take(sitting, &report->mixes, err);
    return code;
}

enum hl_code hl_report_make(const struct hl_report_task *task,
                            struct hl_report **ret_report, struct hl_err *err)
{
    const struct hl_exam *exam = task->exam;
    struct hl_report *report = NULL;
    struct hl_sitting *sitting = NULL;
    enum hl_code code =
        hl_sitting_new(task, task->is_brief ? BRIEF_STEPS : WHOLE_STEPS, &sitting, err);

    if (code != HL_OK)
        return code;
    report = hl_alloc_zeroed(1, sizeof *report);
    if (report) {
        report->n_rows = exam->n_rows;
        report->n_queries = exam->n_queries;
        report->n_gallery = exam->n_rows - exam->n_queries;
        report->n_ranked = exam->n_ranked;
        report->fidelity = own_fidelity(task);
        report->has_labels = exam->labels != NULL;
        report->has_head = task->head != NULL;
        report->has_bridge = task->bridge != NULL;
        report->is_brief = task->is_brief;
        report->is_dealt = exam->is_dealt;
        code = fill_report(sitting, report, err);
    } else {
        code = hl_fail(err, HL_NO_MEMORY, "no memory for a report");
    }
    hl_sitting_free(sitting);
    if (code == HL_OK)
        *ret_report = report;
    else
        hl_report_free(report);
    return code;
}

void hl_report_free(struct hl_report *report)
{
    hl_free(report);
}
