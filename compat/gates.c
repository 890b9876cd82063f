/* SPDX-License-Identifier: Apache-2.0 */
#include "compat/report.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* Everything that fails goes into one sentence: whoever asked wants to know how far off it
 * is. */
struct refusal {
    char text[HL_ERR_MSG_SIZE];
    size_t len;
};

__attribute__((format(printf, 2, 3))) static void refuse(struct refusal *refusal,
                                                         const char *format, ...)
{
    size_t size = sizeof refusal->text - refusal->len;
    va_list arguments;
    int n;

    if (refusal->len > 0 && size > 3) {
        memcpy(refusal->text + refusal->len, "; ", 3);
        refusal->len += 2;
        size -= 2;
    }
    va_start(arguments, format);
    n = vsnprintf(refusal->text + refusal->len, size, format, arguments);
    va_end(arguments);
    if (n > 0)
        refusal->len += (size_t)n < size ? (size_t)n : size - 1;
}

/* A figure before the bridge, through its judged map, and as served. */
struct trio {
    const char *what;
    const struct hl_figure *old, *new, *served;
};

static void check_trio(const struct trio *trio, const char *group, struct refusal *refusal)
{
    double old = trio->old->value, new = trio->new->value, served = trio->served->value;

    if (trio->new->of == 0)
        refuse(refusal, "%s of %s cannot be said: no query of the group was ranked",
               trio->what, group);
    else if (!(new > old))
        refuse(refusal, "%s of %s is %.4f, and %.4f without the bridge", trio->what, group,
               new, old);
    else if (!(served > old))
        refuse(refusal, "%s of %s is %.4f as served, and %.4f without the bridge",
               trio->what, group, served, old);
}

/* By the judged map alone, and at the fidelity that is served: what a group gains at one
 * end of the dial it can lose further on. */
static void check_criterion(const struct hl_report *report, struct refusal *refusal)
{
    if (report->groups[0].old_old.top1.of == 0)
        refuse(refusal, "no query has an item of its label in the gallery");
    for (size_t i = 0; i < report->n_groups; i++) {
        const struct hl_report_group *group = &report->groups[i];
        const struct trio top1 = {"top1", &group->old_old.top1, &group->new_old.top1,
                                  &group->served.top1};
        const struct trio map = {"mAP", &group->old_old.map, &group->new_old.map,
                                 &group->served.map};

        if (group->old_old.top1.of == 0)
            continue;
        check_trio(&top1, group->name, refusal);
        check_trio(&map, group->name, refusal);
    }
}

static void check_gain(const struct hl_gates *gates, const struct hl_report_group *all,
                       struct refusal *refusal)
{
    if (isnan(gates->min_gain))
        return;
    if (all->map_gain.of == 0)
        refuse(refusal,
               "the gain in mAP cannot be said: the new model's own is %.4f, the old one's "
               "%.4f",
               all->new_new.map.value, all->old_old.map.value);
    else if (!(all->map_gain.value >= gates->min_gain))
        refuse(refusal, "the gain in mAP is %.4f, at least %.4f was asked",
               all->map_gain.value, gates->min_gain);
}

static void check_flips(const struct hl_gates *gates, const struct hl_report_group *all,
                        struct refusal *refusal)
{
    if (!isnan(gates->max_negative_flips) &&
        !(all->negative_flips.of > 0 &&
          all->negative_flips.value <= gates->max_negative_flips))
        refuse(refusal, "negative flips are %.4f, at most %.4f was asked",
               all->negative_flips.value, gates->max_negative_flips);
}

/* Without labels there is one thing to go by; what else was asked is not passed over. */
static void check_self(const struct hl_gates *gates, const struct hl_figure *self10,
                       struct refusal *refusal)
{
    if (!isnan(gates->min_gain))
        refuse(refusal, "the gain in mAP cannot be said without labels");
    if (!isnan(gates->max_negative_flips))
        refuse(refusal, "negative flips cannot be said without labels");
    if (isnan(gates->min_self)) {
        if (gates->criterion)
            refuse(refusal, "the criterion cannot be said without labels, and no self@10 "
                            "was asked");
        return;
    }
    if (!(self10->of > 0 && self10->value >= gates->min_self))
        refuse(refusal, "self@10 is %.4f, at least %.4f was asked", self10->value,
               gates->min_self);
}

enum hl_code hl_gates_check(const struct hl_gates *gates, const struct hl_report *report,
                            struct hl_err *err)
{
    const struct hl_report_group *all = &report->groups[0];
    struct refusal refusal = {.len = 0};

    if (!report->has_bridge)
        return hl_fail(err, HL_CONFLICT, "gates are for bridges: the report is of none");
    if (!report->has_labels) {
        check_self(gates, &report->served.self10, &refusal);
    } else {
        if (gates->criterion)
            check_criterion(report, &refusal);
        check_gain(gates, all, &refusal);
        check_flips(gates, all, &refusal);
    }
    if (refusal.len == 0)
        return HL_OK;
    return hl_fail(err, HL_CONFLICT, "%s", refusal.text);
}
