/* SPDX-License-Identifier: Apache-2.0 */
#include "server/probe_batch.h"

#include "proto/encode.h"
#include "server/show.h"

#include <inttypes.h>
#include <string.h>

enum { FILTERS_EACH = 3 };

enum hl_code hl_probe_batch_init(struct hl_probe_batch *batch,
                                 const struct hl_probe_task *task, struct hl_arena *arena,
                                 struct hl_err *err)
{
    const size_t room = (size_t)HL_PROBE_BATCH * FILTERS_EACH;

    *batch = (struct hl_probe_batch){
        .task = task,
        .arena = arena,
        .items = hl_arena_array(arena, HL_PROBE_BATCH, sizeof *batch->items),
        .filters = hl_arena_array(arena, room, sizeof(const struct hl_filter *)),
        .sources = hl_arena_array(arena, room, sizeof *batch->sources)};
    return batch->items && batch->filters && batch->sources
               ? HL_OK
               : hl_arena_fail(arena, err, "%d queries of a probe set",
                               (int)HL_PROBE_BATCH);
}

/* ---- what is relevant ---- */

static struct hl_filter *new_filter(struct hl_arena *arena, size_t n,
                                    struct hl_condition **ret_conditions,
                                    struct hl_err *err)
{
    struct hl_filter *filter = hl_arena_alloc(arena, sizeof *filter);
    struct hl_condition *conditions = hl_arena_array(arena, n, sizeof *conditions);

    if (!filter || !conditions) {
        (void)hl_arena_fail(arena, err, "a filter");
        return NULL;
    }
    *filter = (struct hl_filter){.min_count = 0};
    *ret_conditions = conditions;
    return filter;
}

/* `either` one of some, and what the query's own filter lets through. */
static enum hl_code join(struct hl_arena *arena, const struct hl_condition *either,
                         size_t n, const struct hl_filter *own,
                         const struct hl_filter **ret_filter, struct hl_err *err)
{
    struct hl_condition *conditions;
    struct hl_filter *filter = new_filter(arena, n + 1, &conditions, err);

    if (!filter)
        return hl_err_code(err);
    memcpy(conditions, either, n * sizeof *either);
    filter->should = (struct hl_clause){conditions, n};
    if (own) {
        conditions[n] = (struct hl_condition){.kind = HL_CONDITION_FILTER, .filter = own};
        filter->must = (struct hl_clause){conditions + n, 1};
    }
    *ret_filter = filter;
    return HL_OK;
}

/* A class of a thousand queries is found once, not a thousand times. */
static bool find_source(const struct hl_probe_batch *batch, const struct hl_probe *probe,
                        size_t *ret_which)
{
    if (probe->relevant.n > 0)
        return false;
    for (size_t i = 0; i < batch->n_filters; i++)
        if (batch->sources[i][0].text &&
            hl_text_compare(&batch->sources[i][0], &probe->relevant_if_text) == 0 &&
            hl_text_compare(&batch->sources[i][1], &probe->filter_text) == 0) {
            *ret_which = i;
            return true;
        }
    return false;
}

static size_t add_filter(struct hl_probe_batch *batch, const struct hl_filter *filter)
{
    batch->filters[batch->n_filters] = filter;
    batch->sources[batch->n_filters][0] = (struct hl_text){NULL, 0};
    batch->sources[batch->n_filters][1] = (struct hl_text){NULL, 0};
    return batch->n_filters++;
}

static enum hl_code add_relevant(struct hl_probe_batch *batch, struct hl_probe_ask *query,
                                 struct hl_err *err)
{
    const struct hl_probe *probe = &query->probe;
    struct hl_condition either[2];
    const struct hl_filter *filter;
    size_t n = 0;
    enum hl_code code;

    if (find_source(batch, probe, &query->relevant))
        return HL_OK;
    if (probe->relevant.n > 0)
        either[n++] =
            (struct hl_condition){.kind = HL_CONDITION_HAS_ID, .ids = probe->relevant};
    if (probe->relevant_if)
        either[n++] = (struct hl_condition){.kind = HL_CONDITION_FILTER,
                                            .filter = probe->relevant_if};
    code = join(batch->arena, either, n, probe->filter, &filter, err);
    if (code != HL_OK)
        return code;
    query->relevant = add_filter(batch, filter);
    if (probe->relevant.n == 0) {
        batch->sources[query->relevant][0] = probe->relevant_if_text;
        batch->sources[query->relevant][1] = probe->filter_text;
    }
    return HL_OK;
}

/* How many of the ids are points, and how many of those the filter leaves. */
static enum hl_code add_named(struct hl_probe_batch *batch, struct hl_probe_ask *query,
                              struct hl_err *err)
{
    const struct hl_condition ids = {.kind = HL_CONDITION_HAS_ID,
                                     .ids = query->probe.relevant};
    const struct hl_filter *filter;
    enum hl_code code;

    if (query->probe.relevant.n == 0)
        return HL_OK;
    code = join(batch->arena, &ids, 1, NULL, &filter, err);
    if (code != HL_OK)
        return code;
    query->named = query->reached = add_filter(batch, filter);
    if (!query->probe.filter)
        return HL_OK;
    code = join(batch->arena, &ids, 1, query->probe.filter, &filter, err);
    if (code == HL_OK)
        query->reached = add_filter(batch, filter);
    return code;
}

enum hl_code hl_probe_batch_add(struct hl_probe_batch *batch, const struct hl_probe *probe,
                                uint64_t index, struct hl_err *err)
{
    struct hl_probe_ask *query = &batch->items[batch->n];
    enum hl_code code;

    *query = (struct hl_probe_ask){.index = index, .probe = *probe};
    code = add_relevant(batch, query, err);
    if (code == HL_OK)
        code = add_named(batch, query, err);
    batch->n += code == HL_OK;
    return code;
}

/* ---- asking ---- */

enum hl_code hl_probe_batch_open(struct hl_probe_batch *batch, uint32_t k,
                                 struct hl_err *err)
{
    struct hl_query *queries = hl_arena_array(batch->arena, batch->n, sizeof *queries);
    struct hl_ask_task task = {.server = batch->task->server,
                               .collection = batch->task->collection,
                               .queries = {queries, batch->n},
                               .filters = batch->filters,
                               .n_filters = batch->n_filters,
                               .deadline = batch->task->errand.deadline,
                               .arena = batch->arena};

    if (!queries)
        return hl_arena_fail(batch->arena, err, "%zu queries", batch->n);
    for (size_t i = 0; i < batch->n; i++)
        queries[i] = (struct hl_query){.kind = HL_QUERY_NEAREST,
                                       .vectors = batch->items[i].probe.vectors,
                                       .filter = batch->items[i].probe.filter,
                                       .limit = k};
    return hl_ask_open(&task, &batch->ask, err);
}

void hl_probe_batch_close(struct hl_probe_batch *batch)
{
    hl_ask_close(batch->ask);
    batch->ask = NULL;
}

static size_t at_most(size_t n, size_t most)
{
    return n < most ? n : most;
}

static enum hl_code ask_side(struct hl_probe_batch *batch, size_t which, uint32_t space,
                             const struct hl_probe_settings *settings,
                             struct hl_probe_side *side, struct hl_err *err)
{
    const size_t room = settings->k > HL_PROBE_TOP ? settings->k : HL_PROBE_TOP;
    const struct hl_ask_query query = {.which = which, .space = space, .k = room};
    struct hl_answer *answers = hl_arena_array(batch->arena, room, sizeof *answers);
    bool *is_relevant = hl_arena_array(batch->arena, room, sizeof *is_relevant);
    size_t n_all = 0;
    enum hl_code code;

    if (!answers || !is_relevant)
        return hl_arena_fail(batch->arena, err, "%zu answers", room);
    code = hl_ask_as(batch->ask, &query, answers, &n_all, err);
    if (code != HL_OK)
        return code;
    *side = (struct hl_probe_side){.answers = answers,
                                   .is_relevant = is_relevant,
                                   .n = at_most(n_all, settings->k),
                                   .n_all = n_all};
    for (size_t i = 0; i < side->n; i++) {
        is_relevant[i] =
            hl_ask_is_match(batch->ask, batch->items[which].relevant, answers[i].number);
        side->n_found += is_relevant[i];
        side->is_right = side->is_right || (i < settings->flip_at && is_relevant[i]);
    }
    return HL_OK;
}

static bool is_among(const struct hl_answer *answer, const struct hl_answer *answers,
                     size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (answers[i].number == answer->number)
            return true;
    return false;
}

static enum hl_code count_relevant(struct hl_probe_batch *batch,
                                   struct hl_probe_verdict *verdict, struct hl_err *err)
{
    const struct hl_probe_ask *query = verdict->query;
    uint64_t n_named = 0, n_reached = 0;
    enum hl_code code =
        hl_ask_matches(batch->ask, query->relevant, &verdict->n_relevant, err);

    if (code != HL_OK || query->probe.relevant.n == 0)
        return code;
    code = hl_ask_matches(batch->ask, query->named, &n_named, err);
    if (code == HL_OK)
        code = hl_ask_matches(batch->ask, query->reached, &n_reached, err);
    verdict->n_missing = query->probe.relevant.n - n_named;
    verdict->n_excluded = n_named - n_reached;
    return code;
}

enum hl_code hl_probe_batch_judge(struct hl_probe_batch *batch, size_t which,
                                  const struct hl_probe_settings *settings,
                                  struct hl_probe_verdict *ret_verdict, struct hl_err *err)
{
    struct hl_probe_verdict verdict = {.query = &batch->items[which]};
    enum hl_code code = count_relevant(batch, &verdict, err);

    if (code == HL_OK && verdict.n_relevant > 0) {
        code = ask_side(batch, which, batch->task->from, settings, &verdict.from, err);
        if (code == HL_OK)
            code = ask_side(batch, which, batch->task->to, settings, &verdict.to, err);
        if (code == HL_OK)
            verdict.has_lost_top = verdict.from.n_all > 0 &&
                                   !is_among(&verdict.from.answers[0], verdict.to.answers,
                                             at_most(verdict.to.n_all, HL_PROBE_TOP));
    }
    if (code != HL_OK)
        return hl_fail_in(err, "query %" PRIu64, verdict.query->index);
    *ret_verdict = verdict;
    return HL_OK;
}

/* ---- printing ---- */

/* The relevant ones that one found and the other did not. */
static void print_difference(struct hl_buf *buf, const char *name,
                             const struct hl_probe_side *has,
                             const struct hl_probe_side *lacks)
{
    size_t n = 0;

    hl_buf_print(buf, ",\"%s\":[", name);
    for (size_t i = 0; i < has->n; i++) {
        if (!has->is_relevant[i] || is_among(&has->answers[i], lacks->answers, lacks->n))
            continue;
        hl_buf_add_text(buf, n++ > 0 ? "," : "");
        hl_show_id(buf, &has->answers[i].id);
    }
    hl_buf_add_char(buf, ']');
}

static void print_side(struct hl_buf *buf, const char *name,
                       const struct hl_probe_side *side)
{
    hl_buf_print(buf, ",\"%s\":[", name);
    for (size_t i = 0; i < side->n; i++) {
        hl_buf_add_text(buf, i > 0 ? ",{\"id\":" : "{\"id\":");
        hl_show_id(buf, &side->answers[i].id);
        hl_buf_add_text(buf, ",\"score\":");
        hl_encode_float(buf, side->answers[i].score);
        hl_buf_add_text(buf, ",\"relevant\":");
        hl_encode_bool(buf, side->is_relevant[i]);
        hl_buf_add_char(buf, '}');
    }
    hl_buf_add_char(buf, ']');
}

void hl_probe_verdict_print(const struct hl_probe_verdict *verdict, struct hl_buf *buf)
{
    const struct hl_probe_ask *query = verdict->query;

    hl_buf_print(buf, "{\"query\":%" PRIu64 ",\"id\":", query->index);
    if (query->probe.id.text)
        hl_encode_text(buf, query->probe.id.text, query->probe.id.len);
    else
        hl_encode_null(buf);
    hl_buf_print(buf, ",\"flip\":\"%s\",\"relevant\":%" PRIu64,
                 verdict->from.is_right ? "negative" : "positive", verdict->n_relevant);
    print_difference(buf, "lost", &verdict->from, &verdict->to);
    print_difference(buf, "won", &verdict->to, &verdict->from);
    print_side(buf, "from", &verdict->from);
    print_side(buf, "to", &verdict->to);
    hl_buf_add_char(buf, '}');
}
