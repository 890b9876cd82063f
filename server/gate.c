/* SPDX-License-Identifier: Apache-2.0 */
#include "server/gate.h"

#include "compat/evidence.h"
#include "proto/encode.h"
#include "proto/model_name.h"
#include "server/activations.h"
#include "server/probe_run.h"
#include "server/rollout_settings.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

enum { REPORT_MEMORY = 4 << 20, SHOWN_NAME = 64 };

struct gate {
    const struct hl_gate_task *task;
    char from[SHOWN_NAME], to[SHOWN_NAME]; /* names, for sentences */
    uint64_t revision;                     /* 0: no bridge */
    struct hl_report *report;              /* NULL: there is none */
    struct hl_probe_result probes;
    bool has_probes;
    struct hl_guard_check again[HL_N_SHADOW_GUARDS]; /* of shadow over the first one */
    struct hl_baseline baseline;
    const char *baseline_of; /* NULL: there is none */
    double excess;           /* of shadow over it, at least; NaN: not looked at */
    struct hl_err why;       /* all that is not met so far */
    bool is_unmet;
};

/* Behind what is there, or the first of it. */
static void refuse(struct gate *gate, const char *sentence)
{
    const struct hl_err before = gate->why;

    if (gate->is_unmet)
        hl_err_set(&gate->why, HL_GATE_UNMET, "%s; %s", before.msg, sentence);
    else
        hl_err_set(&gate->why, HL_GATE_UNMET,
                   "the gate from \"%s\" to \"%s\" is not met: %s", gate->from, gate->to,
                   sentence);
    gate->is_unmet = true;
}

static bool asks_report(const struct hl_gates *gates)
{
    return gates->criterion || !isnan(gates->min_gain) || !isnan(gates->min_self);
}

/* ---- the bridge and its report ---- */

static enum hl_code note_name(char name[SHOWN_NAME], const struct hl_holdings *holdings,
                              uint32_t space, struct hl_err *err)
{
    const struct hl_space *found = hl_layout_space(holdings->layout, space);

    if (!found)
        return hl_fail(err, HL_NOT_FOUND,
                       "Not found: one of the models of the rollout is gone");
    (void)snprintf(name, SHOWN_NAME, "%s", hl_model_shown(found->name));
    return HL_OK;
}

static enum hl_code find_revision(struct gate *gate, const struct hl_holdings *holdings,
                                  struct hl_err *err)
{
    const struct hl_gate_task *task = gate->task;
    struct hl_activations activations;
    const struct hl_active *active;
    enum hl_code code;

    gate->revision = task->revision;
    if (task->revision != 0)
        return HL_OK;
    code = hl_activations_load(holdings->reader, &activations, err);
    if (code != HL_OK)
        return code;
    active = hl_activations_find(&activations, task->to, task->from);
    gate->revision = active ? active->revision : 0;
    return HL_OK;
}

/* The record is what hl_learn_print made, or came with the bridge. */
static enum hl_code read_measured(struct gate *gate, const struct hl_store_record *record,
                                  struct hl_arena *arena, struct hl_err *err)
{
    static const char *const names[] = {"measured"};
    const struct hl_field *member = NULL;
    struct hl_tokens tokens;
    struct hl_object object;
    struct hl_field root;
    enum hl_code code;

    hl_tokens_init(&tokens, record->body, record->size, arena);
    tokens.what = "the report of the bridge";
    root = hl_field_root(&tokens);
    code = hl_object_begin(&root, names, 1, &object, err);
    if (code == HL_OK)
        code = hl_object_next(&object, &member, err);
    while (code == HL_OK && member) {
        if (object.which == 0)
            code = hl_report_read(member, &gate->report, err);
        if (code == HL_OK)
            code = hl_object_next(&object, &member, err);
    }
    return code;
}

/* A report that came with a bridge from elsewhere may be anything: one that cannot be read
 * is as good as none. */
static enum hl_code load_report(struct gate *gate, const struct hl_holdings *holdings,
                                struct hl_err *err)
{
    const struct hl_gate_task *task = gate->task;
    struct hl_store_record record;
    struct hl_arena *arena;
    struct hl_err why;
    char key[HL_HOLDING_KEY];
    enum hl_code code;

    hl_holding_bridge_key(task->to, task->from, gate->revision, key);
    code = hl_reader_record(holdings->reader, HL_HOLDING_BRIDGE_REPORT, key, &record, &why);
    if (code == HL_NOT_FOUND)
        return HL_OK;
    if (code != HL_OK) {
        *err = why;
        return code;
    }
    arena = hl_arena_new(REPORT_MEMORY);
    if (!arena)
        return hl_fail(err, HL_NO_MEMORY, "no memory for a report");
    code = read_measured(gate, &record, arena, &why);
    hl_arena_free(arena);
    if (code == HL_OK || code == HL_MALFORMED)
        return HL_OK;
    *err = why;
    return code;
}

/* What is known of it already would be taken back at once, and compares with nothing. */
static enum hl_code check_drift(struct gate *gate, const struct hl_holdings *holdings,
                                uint32_t space, const char *name, struct hl_err *err)
{
    char words[HL_GUARD_WORDS];
    struct hl_drift drift;
    enum hl_code code = hl_drift_seen(holdings->reader, space, &drift, err);

    if (code != HL_OK || !drift.was_compared || !drift.is_drifted)
        return code;
    hl_guard_describe_drift(name, &drift, words);
    refuse(gate, words);
    return HL_OK;
}

static enum hl_code load(struct gate *gate, struct hl_err *err)
{
    struct hl_holdings holdings;
    enum hl_code code = hl_holdings_look(gate->task->collection, &holdings, err);

    if (code != HL_OK)
        return code;
    code = note_name(gate->from, &holdings, gate->task->from, err);
    if (code == HL_OK)
        code = note_name(gate->to, &holdings, gate->task->to, err);
    if (code == HL_OK)
        code = find_revision(gate, &holdings, err);
    if (code == HL_OK && gate->revision != 0)
        code = load_report(gate, &holdings, err);
    if (code == HL_OK)
        code = check_drift(gate, &holdings, gate->task->from, gate->from, err);
    if (code == HL_OK)
        code = check_drift(gate, &holdings, gate->task->to, gate->to, err);
    hl_holdings_close(&holdings);
    return code;
}

static void note_report_baseline(struct gate *gate)
{
    const struct hl_figure *flips =
        gate->report ? &gate->report->groups[0].served_negative_flips : NULL;

    if (!flips || flips->of == 0 || gate->baseline_of)
        return;
    gate->baseline = (struct hl_baseline){
        flips->of, (uint64_t)llround(flips->value * (double)flips->of)};
    gate->baseline_of = "report";
}

static void check_report(struct gate *gate)
{
    const struct hl_gates *gates = gate->task->gates;
    char sentence[HL_ERR_MSG_SIZE + 64];
    struct hl_err why;

    if (gate->report) {
        if (hl_gates_check(gates, gate->report, &why) == HL_OK)
            return;
        (void)snprintf(sentence, sizeof sentence, "revision %" PRIu64 " of the bridge: %s",
                       gate->revision, why.msg);
        refuse(gate, sentence);
    } else if (asks_report(gates) ||
               (gate->revision && !isnan(gates->max_negative_flips))) {
        if (gate->revision)
            (void)snprintf(sentence, sizeof sentence,
                           "revision %" PRIu64
                           " of the bridge has no report to hold the thresholds against",
                           gate->revision);
        else
            (void)snprintf(sentence, sizeof sentence,
                           "no bridge is active from \"%s\" to \"%s\", whose report would "
                           "say them: where points have vectors of their own, ask no "
                           "\"criterion\", \"min_gain\" or \"min_self\"",
                           gate->to, gate->from);
        refuse(gate, sentence);
    }
}

/* ---- the probes ---- */

static void check_probes(struct gate *gate)
{
    const double most = gate->task->gates->max_negative_flips;
    const struct hl_probe_result *probes = &gate->probes;
    char sentence[HL_ERR_MSG_SIZE + 64];

    if (probes->n > 0) {
        gate->baseline = (struct hl_baseline){probes->n, probes->n_negative};
        gate->baseline_of = "probes";
    }
    if (isnan(most) || (probes->n > 0 && probes->negative_flips.value <= most))
        return;
    if (probes->n == 0)
        (void)snprintf(sentence, sizeof sentence,
                       "negative flips of the probes \"%s\" cannot be said: none of its "
                       "%" PRIu64 " queries could be judged",
                       gate->task->probes, probes->n_queries);
    else
        (void)snprintf(sentence, sizeof sentence,
                       "negative flips of the probes \"%s\" are %.4f (%" PRIu64
                       " of %" PRIu64 "), at most %.4f was asked",
                       gate->task->probes, probes->negative_flips.value, probes->n_negative,
                       probes->n, most);
    refuse(gate, sentence);
}

static enum hl_code run_probes(struct gate *gate, struct hl_err *err)
{
    const struct hl_gate_task *task = gate->task;
    const struct hl_probe_task run = {.server = task->server,
                                      .collection = task->collection,
                                      .set = task->probes,
                                      .from = task->from,
                                      .to = task->to,
                                      .by = task->by,
                                      .why = "gate",
                                      .errand = task->errand};
    enum hl_code code;

    if (!task->probes || task->probes[0] == '\0') {
        if (!gate->report && !gate->revision && !isnan(task->gates->max_negative_flips))
            refuse(gate, "negative flips cannot be said: there is neither a bridge with a "
                         "report nor a probe set");
        return HL_OK;
    }
    code = hl_probes_run(&run, &gate->probes, err);
    if (code != HL_OK)
        return code;
    gate->has_probes = true;
    check_probes(gate);
    return HL_OK;
}

/* ---- feedback in shadow ---- */

/* Of its sentence; the same as the guard's of flips. */
static const double ALPHA = 0.02;

static void check_excess(struct gate *gate)
{
    const struct hl_baseline *shadow = &gate->task->shadow, *base = &gate->baseline;
    const struct hl_guard_limits *guard = gate->task->guard;
    const uint64_t counts[2] = {shadow->n - shadow->flips, shadow->flips};
    const uint64_t accepted[2] = {base->n - base->flips, base->flips};
    char sentence[HL_ERR_MSG_SIZE];

    if (!guard || isnan(guard->excess_flips) || shadow->n == 0 || base->n == 0 ||
        shadow->n < guard->min_samples || base->n < guard->min_samples)
        return;
    gate->excess = hl_excess_at_least(accepted, counts, 2, ALPHA);
    if (gate->excess <= guard->excess_flips)
        return;
    (void)snprintf(sentence, sizeof sentence,
                   "negative flips in shadow are %.4f (%" PRIu64 " of %" PRIu64
                   "), at least %.4f more than the %.4f of the %s, %.4f more is the budget",
                   (double)shadow->flips / (double)shadow->n, shadow->flips, shadow->n,
                   gate->excess, (double)base->flips / (double)base->n, gate->baseline_of,
                   guard->excess_flips);
    refuse(gate, sentence);
    gate->baseline = *shadow;
    gate->baseline_of = "shadow";
}

/* By a bound: they are a sample, and not of anybody's choice. */
static void check_shadow(struct gate *gate)
{
    const double most = gate->task->gates->max_negative_flips;
    const struct hl_baseline *shadow = &gate->task->shadow;
    const uint64_t counts[2] = {shadow->n - shadow->flips, shadow->flips};

    gate->excess = (double)NAN;
    if (!isnan(most) && hl_mean_at_least(counts, 2, ALPHA) > most) {
        char sentence[HL_ERR_MSG_SIZE];

        (void)snprintf(sentence, sizeof sentence,
                       "negative flips in shadow are %.4f (%" PRIu64 " of %" PRIu64
                       "), at most %.4f was asked",
                       (double)shadow->flips / (double)shadow->n, shadow->flips, shadow->n,
                       most);
        refuse(gate, sentence);
    }
    check_excess(gate);
}

/* Probes are stored vectors, and say nothing of those that are sent now. */
static void check_again(struct gate *gate)
{
    char words[HL_GUARD_WORDS], sentence[HL_GUARD_WORDS + 16];

    if (!gate->task->facts)
        return;
    hl_guard_look_at_shadow(gate->task->facts, gate->again);
    for (int i = 0; i < HL_N_SHADOW_GUARDS; i++) {
        if (!gate->again[i].is_breached)
            continue;
        hl_guard_describe((enum hl_guard)i, &gate->again[i], words);
        (void)snprintf(sentence, sizeof sentence, "in shadow, %s", words);
        refuse(gate, sentence);
    }
}

/* ---- figures ---- */

static void print_retrieval(const struct hl_retrieval *retrieval, const char *key,
                            struct hl_buf *json)
{
    hl_encode_key(json, key);
    hl_buf_add_text(json, "{\"top1\":");
    hl_figure_print(&retrieval->top1, json);
    hl_buf_add_text(json, ",\"map\":");
    hl_figure_print(&retrieval->map, json);
    hl_buf_add_text(json, "},");
}

static void print_group(const struct hl_report_group *group, struct hl_buf *json)
{
    hl_encode_key(json, group->name);
    hl_buf_add_char(json, '{');
    print_retrieval(&group->old_old, "old_old", json);
    print_retrieval(&group->new_old, "new_old", json);
    print_retrieval(&group->served, "served", json);
    hl_buf_add_text(json, "\"map_gain\":");
    hl_figure_print(&group->map_gain, json);
    hl_buf_add_text(json, ",\"negative_flips\":");
    hl_figure_print(&group->negative_flips, json);
    hl_buf_add_text(json, ",\"served_negative_flips\":");
    hl_figure_print(&group->served_negative_flips, json);
    hl_buf_add_char(json, '}');
}

static void print_report(const struct gate *gate, struct hl_buf *json)
{
    const struct hl_report *report = gate->report;

    if (!gate->revision) {
        hl_encode_null(json);
        return;
    }
    hl_buf_print(json, "{\"revision\":%" PRIu64 ",\"report\":", gate->revision);
    if (report) {
        hl_buf_add_text(json, "{\"groups\":{");
        for (size_t i = 0; i < report->n_groups; i++) {
            hl_buf_add_text(json, i > 0 ? "," : "");
            print_group(&report->groups[i], json);
        }
        hl_buf_add_text(json, "},\"self10\":");
        hl_figure_print(&report->served.self10, json);
        hl_buf_add_char(json, '}');
    } else {
        hl_encode_null(json);
    }
    hl_buf_add_char(json, '}');
}

static void print_shadow(const struct gate *gate, struct hl_buf *json)
{
    const struct hl_baseline *shadow = &gate->task->shadow;

    if (shadow->n == 0) {
        hl_encode_null(json);
        return;
    }
    hl_buf_print(json, "{\"n\":%" PRIu64 ",\"flips\":%" PRIu64 ",\"excess\":", shadow->n,
                 shadow->flips);
    hl_encode_double(json, gate->excess);
    hl_buf_add_char(json, '}');
}

static void print_baseline(const struct gate *gate, struct hl_buf *json)
{
    if (!gate->baseline_of) {
        hl_encode_null(json);
        return;
    }
    hl_buf_print(json, "{\"of\":\"%s\",\"n\":%" PRIu64 ",\"flips\":%" PRIu64 "}",
                 gate->baseline_of, gate->baseline.n, gate->baseline.flips);
}

static void print_figures(const struct gate *gate, struct hl_buf *json)
{
    hl_buf_print(json, "{\"met\":%s,\"why\":", gate->is_unmet ? "false" : "true");
    if (gate->is_unmet)
        hl_encode_string(json, gate->why.msg);
    else
        hl_encode_null(json);
    hl_buf_add_text(json, ",\"asked\":");
    hl_gates_print(gate->task->gates, json);
    hl_buf_add_text(json, ",\"again\":");
    if (gate->task->facts)
        hl_guard_checks_print(gate->again, HL_N_SHADOW_GUARDS, json);
    else
        hl_encode_null(json);
    hl_buf_add_text(json, ",\"bridge\":");
    print_report(gate, json);
    hl_buf_add_text(json, ",\"probes\":");
    if (gate->has_probes)
        hl_buf_add(json, gate->probes.summary.data, gate->probes.summary.len);
    else
        hl_encode_null(json);
    hl_buf_add_text(json, ",\"shadow\":");
    print_shadow(gate, json);
    hl_buf_add_text(json, ",\"baseline\":");
    print_baseline(gate, json);
    hl_buf_add_char(json, '}');
}

static enum hl_code finish(const struct gate *gate, struct hl_buf *figures,
                           struct hl_baseline *ret_baseline, struct hl_err *err)
{
    enum hl_code code;

    print_figures(gate, figures);
    code = hl_buf_check(figures, "the figures of a gate", err);
    if (code != HL_OK)
        return code;
    *ret_baseline = gate->baseline;
    if (!gate->is_unmet)
        return HL_OK;
    *err = gate->why;
    return HL_GATE_UNMET;
}

enum hl_code hl_gate_check(const struct hl_gate_task *task, struct hl_buf *figures,
                           struct hl_baseline *ret_baseline, struct hl_err *err)
{
    struct gate gate = {.task = task};
    enum hl_code code = load(&gate, err);

    /* The probes first: what they say is short, and a sentence has an end. */
    if (code == HL_OK)
        code = run_probes(&gate, err);
    if (code == HL_OK) {
        note_report_baseline(&gate);
        check_shadow(&gate);
        check_again(&gate);
        check_report(&gate);
        code = finish(&gate, figures, ret_baseline, err);
    }
    if (gate.has_probes)
        hl_probe_result_done(&gate.probes);
    hl_report_free(gate.report);
    return code;
}
