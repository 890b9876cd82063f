/* SPDX-License-Identifier: Apache-2.0 */
#include "server/probe_run.h"

#include "proto/alloc.h"
#include "proto/encode.h"
#include "proto/model_name.h"
#include "server/change.h"
#include "server/moment.h"
#include "server/probe_batch.h"
#include "server/probes.h"
#include "server/rollout.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum {
    LARGEST_SUMMARY = 64 << 10, /* a model's name may be long */
    LARGEST_RUN = 32 << 20,     /* flips beyond that are counted and not listed */
    WHOLE_ARENA = 8 << 20,
    BATCH_ARENA = 512 << 20
};

struct run {
    const struct hl_probe_task *task;
    struct hl_probe_result result;
    struct hl_arena *arena; /* the set, and the models' names */
    struct hl_arena *batch;
    struct hl_probe_set set;
    char *text; /* its lines */
    size_t len;
    struct hl_text from, to; /* the layout's names */
    struct hl_tally recall_from, recall_to;
    struct hl_buf flipped;
    uint64_t n_unlisted;
};

/* ---- what is run ---- */

static enum hl_code copy_name(struct run *run, const struct hl_space *space,
                              struct hl_text *ret_name, struct hl_err *err)
{
    const char *name;

    if (!space)
        return hl_fail(err, HL_NOT_FOUND,
                       "Not found: the probe set \"%s\" is to be run with a model that is "
                       "gone",
                       run->task->set);
    name = hl_arena_copy(run->arena, space->name, strlen(space->name));
    if (!name)
        return hl_arena_fail(run->arena, err, "the name of a model");
    *ret_name = (struct hl_text){name, strlen(name)};
    return HL_OK;
}

/* The model may have been deleted and made anew since. */
static enum hl_code check_model(const struct run *run, const struct hl_space *space,
                                struct hl_err *err)
{
    const struct hl_probe_model *model = hl_probe_set_model(&run->set, space->name);

    if (!model)
        return hl_fail(err, HL_CONFLICT,
                       "version %" PRIu64 " of the probe set \"%s\" has no vectors of "
                       "\"%.200s\"",
                       run->set.version, run->task->set, hl_model_shown(space->name));
    if (model->dim != space->dim)
        return hl_fail(err, HL_CONFLICT,
                       "version %" PRIu64 " of the probe set \"%s\" has vectors of %" PRIu32
                       " numbers for \"%.200s\", which has %" PRIu32,
                       run->set.version, run->task->set, model->dim,
                       hl_model_shown(space->name), space->dim);
    return HL_OK;
}

static enum hl_code copy_lines(struct run *run, const struct hl_holdings *holdings,
                               struct hl_err *err)
{
    struct hl_span text;
    enum hl_code code =
        hl_probes_text(holdings, run->task->set, run->set.version, &text, err);

    if (code != HL_OK)
        return code;
    run->text = hl_alloc(text.len);
    if (!run->text)
        return hl_fail(err, HL_NO_MEMORY, "no memory for a probe set of %zu bytes",
                       text.len);
    memcpy(run->text, text.data, text.len);
    run->len = text.len;
    return HL_OK;
}

static enum hl_code load_from(struct run *run, const struct hl_holdings *holdings,
                              struct hl_err *err)
{
    const struct hl_probe_task *task = run->task;
    const struct hl_space *from = hl_layout_space(holdings->layout, task->from);
    const struct hl_space *to = hl_layout_space(holdings->layout, task->to);
    enum hl_code code =
        hl_probes_find(holdings, task->set, task->version, run->arena, &run->set, err);

    if (code == HL_OK)
        code = copy_name(run, from, &run->from, err);
    if (code == HL_OK)
        code = copy_name(run, to, &run->to, err);
    if (code == HL_OK)
        code = check_model(run, from, err);
    if (code == HL_OK)
        code = check_model(run, to, err);
    return code == HL_OK ? copy_lines(run, holdings, err) : code;
}

static enum hl_code load(struct run *run, struct hl_err *err)
{
    struct hl_holdings holdings;
    enum hl_code code;

    run->arena = hl_arena_new(WHOLE_ARENA);
    run->batch = hl_arena_new(BATCH_ARENA);
    if (!run->arena || !run->batch)
        return hl_fail(err, HL_NO_MEMORY, "no memory to run a probe set");
    code = hl_holdings_look(run->task->collection, &holdings, err);
    if (code != HL_OK)
        return code;
    code = load_from(run, &holdings, err);
    hl_holdings_close(&holdings);
    return code;
}

/* ---- counting ---- */

static void list_flip(struct run *run, const struct hl_probe_verdict *verdict)
{
    struct hl_buf *buf = &run->flipped;
    const size_t len = buf->len;

    if (run->n_unlisted == 0) {
        hl_buf_add_text(buf, len > 0 ? "," : "");
        hl_probe_verdict_print(verdict, buf);
    }
    if (run->n_unlisted > 0 || buf->failed == HL_TOO_LARGE) {
        run->n_unlisted++;
        buf->len = len;
        buf->failed = HL_OK;
    }
}

static void count(struct run *run, const struct hl_probe_verdict *verdict)
{
    struct hl_probe_result *result = &run->result;
    const double most = verdict->n_relevant < run->set.settings.k
                            ? (double)verdict->n_relevant
                            : (double)run->set.settings.k;
    const bool from = verdict->from.is_right, to = verdict->to.is_right;

    result->n_missing += verdict->n_missing;
    result->n_excluded += verdict->n_excluded;
    if (verdict->n_relevant == 0) {
        result->n_unjudged++;
        return;
    }
    result->n++;
    result->n_lost_tops += verdict->has_lost_top;
    result->n_right_from += from;
    result->n_right_to += to;
    result->n_negative += from && !to;
    result->n_positive += to && !from;
    hl_tally_add(&run->recall_from, (double)verdict->from.n_found / most, 0, 0);
    hl_tally_add(&run->recall_to, (double)verdict->to.n_found / most, 0, 0);
    if (from != to)
        list_flip(run, verdict);
}

/* ---- batch by batch ---- */

static const struct hl_vector *vector_of(const struct hl_probe *probe,
                                         const struct hl_text *name)
{
    for (size_t i = 0; i < probe->vectors.n; i++)
        if (hl_text_compare(&probe->vectors.items[i].name, name) == 0)
            return &probe->vectors.items[i];
    return NULL;
}

/* With the two vectors alone. */
static enum hl_code add_probe(struct run *run, struct hl_probe_batch *batch,
                              struct hl_probe *probe, struct hl_err *err)
{
    const struct hl_vector *from = vector_of(probe, &run->from);
    const struct hl_vector *to = vector_of(probe, &run->to);
    const uint64_t index = run->result.n_queries++;
    struct hl_vector *both;

    if (!from || !to) {
        run->result.n_skipped++;
        return HL_OK;
    }
    both = hl_arena_array(batch->arena, 2, sizeof *both);
    if (!both)
        return hl_arena_fail(batch->arena, err, "two vectors");
    both[0] = *from;
    both[1] = *to;
    probe->vectors = (struct hl_vectors){both, from == to ? 1 : 2};
    return hl_probe_batch_add(batch, probe, index, err);
}

static enum hl_code take_batch(struct run *run, struct hl_probe_lines *lines,
                               struct hl_probe_batch *batch, bool *ret_has,
                               struct hl_err *err)
{
    struct hl_probe probe;
    enum hl_code code;

    hl_arena_reset(run->batch);
    code = hl_probe_batch_init(batch, run->task, run->batch, err);
    *ret_has = true;
    while (code == HL_OK && *ret_has && batch->n < HL_PROBE_BATCH &&
           hl_arena_used(run->batch) < HL_PROBE_BATCH_BYTES) {
        code = hl_probe_lines_next(lines, run->batch, &probe, ret_has, err);
        if (code == HL_OK && *ret_has)
            code = add_probe(run, batch, &probe, err);
    }
    return code;
}

static enum hl_code judge_batch(struct run *run, struct hl_probe_batch *batch,
                                struct hl_err *err)
{
    const struct hl_errand *errand = &run->task->errand;
    struct hl_probe_verdict verdict;
    enum hl_code code = hl_probe_batch_open(batch, run->set.settings.k, err);

    for (size_t i = 0; code == HL_OK && i < batch->n; i++) {
        code = hl_deadline_check(errand->deadline, "the run of a probe set", err);
        if (code == HL_OK)
            code = hl_probe_batch_judge(batch, i, &run->set.settings, &verdict, err);
        if (code == HL_OK)
            count(run, &verdict);
    }
    hl_probe_batch_close(batch);
    if (code == HL_OK && errand->tell)
        errand->tell(errand->self, "running",
                     (double)run->result.n_queries / (double)run->set.n_queries);
    return code;
}

static enum hl_code ask_all(struct run *run, struct hl_err *err)
{
    struct hl_probe_lines lines = {.text = run->text, .len = run->len};
    struct hl_probe_batch batch;
    bool has = true;
    enum hl_code code = HL_OK;

    while (code == HL_OK && has) {
        code = take_batch(run, &lines, &batch, &has, err);
        if (code == HL_OK && batch.n > 0)
            code = judge_batch(run, &batch, err);
    }
    return code;
}

/* ---- what came out ---- */

static void print_pair(struct hl_buf *buf, const char *name, const struct hl_figure *from,
                       const struct hl_figure *to)
{
    hl_buf_print(buf, ",\"%s\":{\"from\":", name);
    hl_figure_print(from, buf);
    hl_buf_add_text(buf, ",\"to\":");
    hl_figure_print(to, buf);
    hl_buf_add_char(buf, '}');
}

static void print_flips(struct hl_buf *buf, const char *name, uint64_t n,
                        const struct hl_figure *share)
{
    hl_buf_print(buf, ",\"%s\":{\"count\":%" PRIu64 ",\"share\":", name, n);
    hl_figure_print(share, buf);
    hl_buf_add_char(buf, '}');
}

/* Without the last brace. */
static void print_summary(const struct run *run, struct hl_buf *buf)
{
    const struct hl_probe_result *result = &run->result;
    char moment[HL_MOMENT];

    hl_moment_now(moment);
    hl_buf_add_text(buf, "{\"set\":");
    hl_encode_string(buf, run->task->set);
    hl_buf_print(buf, ",\"version\":%" PRIu64 ",\"from\":", result->version);
    hl_encode_string(buf, hl_model_shown(run->from.text));
    hl_buf_add_text(buf, ",\"to\":");
    hl_encode_string(buf, hl_model_shown(run->to.text));
    hl_buf_print(buf, ",\"at\":\"%s\",\"by\":", moment);
    hl_encode_string(buf, run->task->by);
    hl_buf_add_text(buf, ",\"why\":");
    hl_encode_string(buf, run->task->why);
    hl_buf_print(buf,
                 ",\"k\":%" PRIu32 ",\"flip_at\":%" PRIu32 ",\"queries\":%" PRIu64
                 ",\"judged\":%" PRIu64 ",\"skipped\":%" PRIu64 ",\"unjudged\":%" PRIu64
                 ",\"missing_ids\":%" PRIu64 ",\"excluded_ids\":%" PRIu64,
                 result->k, result->flip_at, result->n_queries, result->n,
                 result->n_skipped, result->n_unjudged, result->n_missing,
                 result->n_excluded);
    print_pair(buf, "recall", &result->recall_from, &result->recall_to);
    print_pair(buf, "right", &result->right_from, &result->right_to);
    print_flips(buf, "negative_flips", result->n_negative, &result->negative_flips);
    print_flips(buf, "positive_flips", result->n_positive, &result->positive_flips);
    hl_buf_print(buf, ",\"lost_top_hits\":%" PRIu64, result->n_lost_tops);
}

static enum hl_code conclude(struct run *run, struct hl_err *err)
{
    struct hl_probe_result *result = &run->result;
    enum hl_code code;

    result->version = run->set.version;
    result->k = run->set.settings.k;
    result->flip_at = run->set.settings.flip_at;
    result->recall_from = hl_figure_mean(&run->recall_from);
    result->recall_to = hl_figure_mean(&run->recall_to);
    result->right_from = hl_figure_share(result->n_right_from, result->n);
    result->right_to = hl_figure_share(result->n_right_to, result->n);
    result->negative_flips = hl_figure_share(result->n_negative, result->n);
    result->positive_flips = hl_figure_share(result->n_positive, result->n);
    code = hl_buf_check(&run->flipped, "the flips of a probe set", err);
    if (code != HL_OK)
        return code;
    print_summary(run, &result->summary);
    hl_buf_add(&result->run, result->summary.data, result->summary.len);
    hl_buf_add_char(&result->summary, '}');
    hl_buf_print(&result->run, ",\"unlisted\":%" PRIu64 ",\"flipped\":[", run->n_unlisted);
    hl_buf_add(&result->run, run->flipped.data, run->flipped.len);
    hl_buf_add_text(&result->run, "]}");
    code = hl_buf_check(&result->summary, "what a probe set gave", err);
    return code == HL_OK ? hl_buf_check(&result->run, "what a probe set gave", err) : code;
}

/* Which are no step of it. */
static enum hl_code note(const struct run *run, struct hl_writing *writing,
                         const struct hl_span *summary, struct hl_err *err)
{
    const struct hl_probe_task *task = run->task;
    const struct hl_probe_result *result = &run->result;
    struct hl_rollout_order order = {
        .action = HL_ROLLOUT_NOTE, .by = task->by, .what = "probes", .figures = summary};
    struct hl_rollout rollout;
    char why[HL_ERR_MSG_SIZE];
    enum hl_code code =
        hl_rollout_load(hl_store_inside(hl_writing_store(writing)), &rollout, err);

    if (code != HL_OK || !hl_rollout_is_running(&rollout) || rollout.from != task->from ||
        rollout.to != task->to)
        return code;
    (void)snprintf(
        why, sizeof why,
        "version %" PRIu64 " of the probe set \"%s\": of %" PRIu64 " queries %" PRIu64
        " are right by the old model alone, %" PRIu64 " by the new one alone",
        result->version, task->set, result->n, result->n_negative, result->n_positive);
    order.why = why;
    return hl_rollout_change(writing, &order, &rollout, err);
}

static enum hl_code keep(void *self, struct hl_writing *writing, struct hl_err *err)
{
    const struct run *run = self;
    const struct hl_probe_result *result = &run->result;
    const struct hl_span whole = {result->run.data, result->run.len};
    const struct hl_span summary = {result->summary.data, result->summary.len};
    enum hl_code code = hl_probes_keep_run(writing, run->task->set, &whole, &summary, err);

    return code == HL_OK && run->task->is_noted ? note(run, writing, &summary, err) : code;
}

void hl_probe_result_done(struct hl_probe_result *result)
{
    hl_buf_done(&result->summary);
    hl_buf_done(&result->run);
}

enum hl_code hl_probes_run(const struct hl_probe_task *task,
                           struct hl_probe_result *ret_result, struct hl_err *err)
{
    struct run run = {.task = task};
    enum hl_code code;

    hl_buf_init(&run.result.summary, LARGEST_SUMMARY);
    hl_buf_init(&run.result.run, (size_t)LARGEST_RUN + LARGEST_SUMMARY);
    hl_buf_init(&run.flipped, LARGEST_RUN);
    code = load(&run, err);
    if (code == HL_OK)
        code = ask_all(&run, err);
    if (code == HL_OK)
        code = conclude(&run, err);
    if (code == HL_OK)
        code = hl_pending_run_now(task->collection, keep, &run, err);
    hl_buf_done(&run.flipped);
    hl_free(run.text);
    hl_arena_free(run.batch);
    hl_arena_free(run.arena);
    if (code == HL_OK)
        *ret_result = run.result;
    else
        hl_probe_result_done(&run.result);
    return code;
}
