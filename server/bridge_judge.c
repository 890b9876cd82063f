/* SPDX-License-Identifier: Apache-2.0 */
#include "server/bridge_calls.h"

#include "proto/alloc.h"
#include "proto/encode.h"
#include "server/bridge_work.h"
#include "server/job_calls.h"
#include "server/lessons.h"
#include "server/server.h"

#include <inttypes.h>
#include <string.h>

/* Judging a bridge as a job. Whether it was learnt from the very dataset is said with it.
 */

struct judging {
    struct hl_bridge_work base; /* first */
    struct hl_evaluation order;
    uint64_t revision, then_revision; /* 0: none */
    struct hl_bridge *bridge, *then;
    bool has_seen; /* one of them was learnt from this very dataset */
    struct hl_dataset *data;
    struct hl_lesson_rows rows;
};

static void print_result(const struct judging *judging, const struct hl_buf *report,
                         struct hl_buf *result)
{
    hl_buf_add_text(result, "{\"from\":");
    hl_encode_string(result, judging->base.pair.from.shown);
    hl_buf_add_text(result, ",\"to\":");
    hl_encode_string(result, judging->base.pair.to.shown);
    hl_buf_add_text(result, ",\"through\":");
    if (judging->order.through.text)
        hl_encode_text(result, judging->order.through.text, judging->order.through.len);
    else
        hl_encode_null(result);
    hl_buf_add_text(result, ",\"revisions\":[");
    if (judging->bridge)
        hl_buf_print(result, "%" PRIu64, judging->revision);
    if (judging->then)
        hl_buf_print(result, ",%" PRIu64, judging->then_revision);
    hl_buf_print(result, "],\"was_learnt_from\":%s,\"report\":",
                 judging->has_seen ? "true" : "false");
    hl_buf_add(result, report->data, report->len);
    hl_buf_add_char(result, '}');
}

static enum hl_code judge(struct judging *judging, const struct hl_errand *errand,
                          struct hl_buf *result, struct hl_err *err)
{
    const struct hl_judging task = {.from = judging->base.pair.from.name,
                                    .to = judging->base.pair.to.name,
                                    .data = judging->rows.lesson,
                                    .source = judging->base.source,
                                    .bridge = judging->bridge,
                                    .then = judging->then,
                                    .seed = judging->order.seed,
                                    .errand = *errand};
    struct hl_report *report = NULL;
    struct hl_buf json;
    enum hl_code code;

    hl_buf_init(&json, (size_t)16 << 20);
    code = hl_learn_judge(&task, &report, &json, err);
    if (code == HL_OK)
        print_result(judging, &json, result);
    hl_report_free(report);
    hl_buf_done(&json);
    return code;
}

static enum hl_code run(struct hl_work *work, const struct hl_errand *errand,
                        struct hl_buf *result, struct hl_err *err)
{
    struct judging *judging = (struct judging *)work;
    struct hl_bridge_work *base = &judging->base;
    struct hl_dataset *data = judging->data;
    enum hl_code code = hl_bridge_work_begin(base, err);

    if (code != HL_OK)
        return code;
    judging->data = NULL;
    code = hl_lesson_rows_init(&judging->rows, data, &base->pair.from, &base->pair.to,
                               base->labels, err);
    return code == HL_OK ? judge(judging, errand, result, err) : code;
}

static void free_judging(struct hl_work *work)
{
    struct judging *judging = (struct judging *)work;

    hl_lesson_rows_done(&judging->rows);
    hl_dataset_close(judging->data);
    hl_bridge_free(judging->bridge);
    hl_bridge_free(judging->then);
    hl_bridge_work_done(&judging->base);
    hl_free(judging);
}

/* ---- what can be refused at once ---- */

static enum hl_code load_one(const struct hl_holdings *holdings,
                             const struct hl_bridge_pair *pair, uint64_t *revision,
                             struct hl_bridge **ret_bridge, struct hl_err *err)
{
    enum hl_code code = hl_bridges_find(holdings, pair, revision, err);

    return code == HL_OK ? hl_bridges_load(holdings, pair, *revision, ret_bridge, err)
                         : code;
}

static enum hl_code note_seen(struct judging *judging, const struct hl_holdings *holdings,
                              const struct hl_bridge_pair *pair, uint64_t revision,
                              struct hl_err *err)
{
    bool has_seen = false;
    enum hl_code code =
        hl_bridges_saw(holdings, pair, revision, judging->data->sha256, &has_seen, err);

    judging->has_seen = judging->has_seen || has_seen;
    return code;
}

/* The latest of both. */
static enum hl_code load_chain(struct judging *judging, const struct hl_holdings *holdings,
                               const struct hl_request *request, struct hl_err *err)
{
    const char *name = hl_arena_copy(judging->base.arena, judging->order.through.text,
                                     judging->order.through.len);
    const struct hl_span through = {name, judging->order.through.len};
    struct hl_bridge_pair first, second;
    enum hl_code code;

    if (!name)
        return hl_arena_fail(judging->base.arena, err, "the name of a model");
    code = hl_bridges_pair_of(holdings, &request->params[1], &through, &first, err);
    if (code == HL_OK)
        code = hl_bridges_pair_of(holdings, &through, &request->params[2], &second, err);
    if (code == HL_OK)
        code = load_one(holdings, &first, &judging->revision, &judging->bridge, err);
    if (code == HL_OK)
        code = load_one(holdings, &second, &judging->then_revision, &judging->then, err);
    if (code == HL_OK)
        code = note_seen(judging, holdings, &first, judging->revision, err);
    return code == HL_OK
               ? note_seen(judging, holdings, &second, judging->then_revision, err)
               : code;
}

static enum hl_code load_bridges(struct judging *judging,
                                 const struct hl_holdings *holdings,
                                 const struct hl_request *request, struct hl_err *err)
{
    enum hl_code code;

    if (judging->order.is_bare)
        return HL_OK;
    if (judging->order.through.text)
        return load_chain(judging, holdings, request, err);
    judging->revision = judging->order.revision;
    code =
        load_one(holdings, &judging->base.pair, &judging->revision, &judging->bridge, err);
    return code == HL_OK
               ? note_seen(judging, holdings, &judging->base.pair, judging->revision, err)
               : code;
}

static enum hl_code prepare(struct judging *judging, const struct hl_holdings *holdings,
                            const struct hl_request *request, struct hl_err *err)
{
    static const char why[] = "a bridge is judged on pairs";
    struct hl_bridge_work *base = &judging->base;
    enum hl_code code = hl_evaluation_read(&base->body, &judging->order, err);

    if (code == HL_OK)
        code = hl_tokens_finish(&base->tokens, err);
    if (code == HL_OK)
        code = hl_bridge_work_dataset(base, &judging->order.dataset, &judging->data, err);
    if (code == HL_OK)
        code = load_bridges(judging, holdings, request, err);
    if (code == HL_OK)
        code = hl_bridge_work_needs(judging->data, &base->pair.from, why, err);
    return code == HL_OK ? hl_bridge_work_needs(judging->data, &base->pair.to, why, err)
                         : code;
}

enum hl_code hl_bridge_call_evaluate(struct hl_server *server, struct hl_request *request,
                                     struct hl_reply *reply, struct hl_err *err)
{
    const struct hl_bridge_ask ask = hl_bridge_ask_of(server, request);
    struct judging *judging = hl_alloc_zeroed(1, sizeof *judging);
    struct hl_holdings holdings;
    enum hl_code code;

    if (!judging)
        return hl_fail(err, HL_NO_MEMORY, "no memory for a job");
    judging->base.work = (struct hl_work){run, free_judging, false};
    code = hl_holdings_open(server, &request->params[0], &holdings, err);
    if (code == HL_OK) {
        code = hl_bridge_work_init(&judging->base, &ask, &holdings, err);
        if (code == HL_OK)
            code = prepare(judging, &holdings, request, err);
        hl_holdings_close(&holdings);
    }
    if (code != HL_OK) {
        free_judging(&judging->base.work);
        return code;
    }
    return hl_job_begin(server, request, reply, "evaluate", &judging->base.work, err);
}
