/* SPDX-License-Identifier: Apache-2.0 */
#include "server/bridge_learn.h"

#include "proto/alloc.h"
#include "proto/dir.h"
#include "server/bridge_calls.h"
#include "server/change.h"
#include "server/job_calls.h"
#include "server/lessons.h"
#include "server/sample.h"
#include "server/server.h"

#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

/* Learning a bridge as a job. */

enum { LARGEST_FILE = 1 << 30 };

struct learning {
    struct hl_bridge_work base; /* first */
    struct hl_bridge_order order;
    struct hl_dataset *data, *choose, *report; /* opened when it was asked for */
    struct hl_lesson_rows rows, items, choosing, reporting;
    uint64_t revision;
    enum hl_code (*added)(void *self, struct hl_writing *writing, uint64_t revision,
                          struct hl_err *err);
    void *self; /* of `added` */
    struct hl_learnt learnt;
    struct hl_buf file;
    struct hl_buf shown;
};

/* ---- rows from the gallery ---- */

static enum hl_code print_path(const struct learning *learning, const char *what,
                               char path[PATH_MAX], struct hl_err *err)
{
    char folder[HL_CONFIG_TEXT_SIZE + 16];

    (void)snprintf(folder, sizeof folder, "%s/uploads",
                   learning->base.server->config->storage.path);
    (void)snprintf(path, PATH_MAX, "%s/%s-%" PRIxPTR, folder, what, (uintptr_t)learning);
    return hl_dir_make(folder, err);
}

/* Vectors of `a`, and of `b` unless it is NULL, of points that have both. The file has no
 * name any more when this returns. */
static enum hl_code sample(struct learning *learning, const struct hl_model *a,
                           const struct hl_model *b, const struct hl_errand *errand,
                           struct hl_lesson_rows *rows, struct hl_err *err)
{
    struct hl_bridge_work *base = &learning->base;
    char path[PATH_MAX];
    struct hl_sample_task task = {
        .collection = base->collection,
        .models = {{a->space, a->dim, a->shown},
                   {b ? b->space : 0, b ? b->dim : 0, b ? b->shown : NULL}},
        .n_models = b ? 2 : 1,
        .label =
            learning->order.data.label.n_steps > 0 ? &learning->order.data.label : NULL,
        .needs_label = learning->order.data.has_items,
        .labels = base->labels,
        .limit = learning->order.data.limit,
        .seed = learning->order.seed,
        .path = path,
        .errand = errand};
    struct hl_dataset *dataset = NULL;
    struct hl_err ignored;
    int32_t *labels = NULL;
    uint64_t n = 0;
    enum hl_code code = print_path(learning, b ? "pairs" : "items", path, err);

    if (code == HL_OK)
        code = hl_sample_take(&task, &n, &labels, err);
    if (code == HL_OK)
        code = hl_dataset_load(path, &dataset, err);
    (void)hl_file_remove(path, &ignored); /* else the next start does */
    if (code == HL_OK)
        code = hl_lesson_rows_init(rows, dataset, &base->pair.from, &base->pair.to,
                                   base->labels, err);
    if (code != HL_OK) {
        hl_free(labels);
        return code;
    }
    rows->labels = labels;
    rows->lesson.labels = labels;
    return HL_OK;
}

static enum hl_code sample_all(struct learning *learning, const struct hl_errand *errand,
                               struct hl_err *err)
{
    const struct hl_bridge_data *data = &learning->order.data;
    const struct hl_bridge_pair *pair = &learning->base.pair;
    enum hl_code code = HL_OK;

    if (data->has_pairs || data->has_items)
        hl_bridge_work_note(&learning->base, "points", NULL);
    if (data->has_pairs)
        return sample(learning, &pair->from, &pair->to, errand, &learning->rows, err);
    if (data->has_items && !data->dataset.text)
        code = sample(learning, &pair->from, NULL, errand, &learning->rows, err);
    if (code == HL_OK && data->has_items)
        code = sample(learning, &pair->to, NULL, errand, &learning->items, err);
    return code;
}

/* ---- rows from datasets ---- */

/* The dataset goes to the rows. */
static enum hl_code take_dataset(struct learning *learning, struct hl_dataset **dataset,
                                 struct hl_lesson_rows *rows, struct hl_err *err)
{
    struct hl_dataset *taken = *dataset;

    *dataset = NULL;
    return taken ? hl_lesson_rows_init(rows, taken, &learning->base.pair.from,
                                       &learning->base.pair.to, learning->base.labels, err)
                 : HL_OK;
}

static enum hl_code gather(struct learning *learning, const struct hl_errand *errand,
                           struct hl_err *err)
{
    enum hl_code code = take_dataset(learning, &learning->data, &learning->rows, err);

    if (code == HL_OK)
        code = take_dataset(learning, &learning->choose, &learning->choosing, err);
    if (code == HL_OK)
        code = take_dataset(learning, &learning->report, &learning->reporting, err);
    return code == HL_OK ? sample_all(learning, errand, err) : code;
}

/* ---- the job ---- */

static enum hl_code add_bridge(void *self, struct hl_writing *writing, struct hl_err *err)
{
    struct learning *learning = self;
    const struct hl_holdings inside = hl_holdings_inside(writing);
    const struct hl_dataset *data = learning->rows.dataset;
    const struct hl_bridge_entry entry = {
        .pair = &learning->base.pair,
        .bridge = learning->learnt.bridge,
        .file = {learning->file.data, learning->file.len},
        .is_learnt_here = true,
        .data_sha256 = data && data->sha256[0] ? data->sha256 : NULL};
    enum hl_code code = hl_bridges_add(writing, &entry, &learning->revision, err);

    if (code == HL_OK && learning->added)
        code = learning->added(learning->self, writing, learning->revision, err);
    hl_buf_clear(&learning->shown, 0);
    if (code == HL_OK)
        code = hl_bridges_print(&inside, &learning->base.pair, learning->revision, true,
                                &learning->shown, err);
    return code == HL_OK ? hl_buf_check(&learning->shown, "the bridge", err) : code;
}

static enum hl_code learn(struct learning *learning, const struct hl_errand *errand,
                          struct hl_err *err)
{
    const struct hl_bridge_order *order = &learning->order;
    const struct hl_bridge_pair *pair = &learning->base.pair;
    const struct hl_learn task = {.from = pair->from.name,
                                  .to = pair->to.name,
                                  .from_print = pair->from.print,
                                  .to_print = pair->to.print,
                                  .data = learning->rows.lesson,
                                  .items = learning->items.lesson,
                                  .choose = learning->choosing.lesson,
                                  .report = learning->reporting.lesson,
                                  .source = learning->base.source,
                                  .kind = order->kind,
                                  .task = order->task,
                                  .focal = {order->alpha, order->beta},
                                  .n_hidden = (size_t)order->n_hidden,
                                  .rank = (size_t)order->rank,
                                  .seed = order->seed,
                                  .errand = *errand};

    return hl_learn_bridge(&task, &learning->learnt, err);
}

static enum hl_code run(struct hl_work *work, const struct hl_errand *errand,
                        struct hl_buf *result, struct hl_err *err)
{
    struct learning *learning = (struct learning *)work;
    enum hl_code code = hl_bridge_work_begin(&learning->base, err);

    if (code == HL_OK)
        code = gather(learning, errand, err);
    if (code == HL_OK)
        code = learn(learning, errand, err);
    if (code == HL_OK)
        code = hl_bridge_print(learning->learnt.bridge, &learning->file, err);
    if (code == HL_OK)
        code = hl_deadline_check(errand->deadline, "learning a bridge", err);
    if (code == HL_OK)
        code = hl_pending_run_now(learning->base.collection, add_bridge, learning, err);
    if (code == HL_OK)
        hl_buf_add(result, learning->shown.data, learning->shown.len);
    return code;
}

static void free_learning(struct hl_work *work)
{
    struct learning *learning = (struct learning *)work;

    hl_lesson_rows_done(&learning->rows);
    hl_lesson_rows_done(&learning->items);
    hl_lesson_rows_done(&learning->choosing);
    hl_lesson_rows_done(&learning->reporting);
    hl_dataset_close(learning->data);
    hl_dataset_close(learning->choose);
    hl_dataset_close(learning->report);
    hl_learnt_done(&learning->learnt);
    hl_buf_done(&learning->file);
    hl_buf_done(&learning->shown);
    hl_bridge_work_done(&learning->base);
    hl_free(learning);
}

/* ---- what can be refused at once ---- */

static enum hl_code open_dataset(struct learning *learning, const struct hl_text *name,
                                 struct hl_dataset **ret_dataset, struct hl_err *err)
{
    return name->text ? hl_bridge_work_dataset(&learning->base, name, ret_dataset, err)
                      : HL_OK;
}

static enum hl_code check_pairs(const struct learning *learning,
                                const struct hl_dataset *dataset, struct hl_err *err)
{
    static const char why[] = "rows to choose by and to report on are pairs";
    enum hl_code code = HL_OK;

    if (!dataset)
        return HL_OK;
    code = hl_bridge_work_needs(dataset, &learning->base.pair.from, why, err);
    return code == HL_OK ? hl_bridge_work_needs(dataset, &learning->base.pair.to, why, err)
                         : code;
}

static enum hl_code check_data(const struct learning *learning, struct hl_err *err)
{
    const struct hl_bridge_pair *pair = &learning->base.pair;
    enum hl_code code;

    if (!learning->data)
        return HL_OK;
    code = hl_bridge_work_needs(learning->data, &pair->from,
                                "a bridge is learnt from rows of the model it leads from",
                                err);
    if (code == HL_OK && !learning->order.data.has_items)
        code = hl_bridge_work_needs(
            learning->data, &pair->to,
            "send pairs, or labelled points of it as \"items\" beside the dataset", err);
    return code;
}

static enum hl_code open_all(struct learning *learning, struct hl_err *err)
{
    const struct hl_bridge_order *order = &learning->order;
    enum hl_code code = open_dataset(learning, &order->data.dataset, &learning->data, err);

    if (code == HL_OK)
        code = open_dataset(learning, &order->choose, &learning->choose, err);
    if (code == HL_OK)
        code = open_dataset(learning, &order->report, &learning->report, err);
    if (code == HL_OK)
        code = check_data(learning, err);
    if (code == HL_OK)
        code = check_pairs(learning, learning->choose, err);
    return code == HL_OK ? check_pairs(learning, learning->report, err) : code;
}

static enum hl_code prepare(struct learning *learning, const struct hl_bridge_ask *ask,
                            struct hl_err *err)
{
    struct hl_holdings holdings;
    enum hl_code code = hl_holdings_open(ask->server, &ask->collection, &holdings, err);

    if (code != HL_OK)
        return code;
    code = hl_bridge_work_init(&learning->base, ask, &holdings, err);
    if (code == HL_OK)
        code = hl_bridges_check_norms(&holdings, &learning->base.pair, ask->deadline, err);
    hl_holdings_close(&holdings);
    if (code == HL_OK)
        code = hl_bridge_order_read(&learning->base.body, &learning->order, err);
    if (code == HL_OK)
        code = hl_tokens_finish(&learning->base.tokens, err);
    return code == HL_OK ? open_all(learning, err) : code;
}

enum hl_code hl_learning_new(const struct hl_learning_order *order,
                             struct hl_work **ret_work, struct hl_err *err)
{
    struct learning *learning = hl_alloc_zeroed(1, sizeof *learning);
    enum hl_code code;

    if (!learning)
        return hl_fail(err, HL_NO_MEMORY, "no memory for a job");
    learning->base.work = (struct hl_work){run, free_learning, false};
    learning->added = order->added;
    learning->self = order->self;
    hl_buf_init(&learning->file, LARGEST_FILE);
    hl_buf_init(&learning->shown, (size_t)64 << 20);
    code = prepare(learning, &order->ask, err);
    if (code == HL_OK)
        *ret_work = &learning->base.work;
    else
        free_learning(&learning->base.work);
    return code;
}

enum hl_code hl_bridge_call_learn(struct hl_server *server, struct hl_request *request,
                                  struct hl_reply *reply, struct hl_err *err)
{
    const struct hl_learning_order order = {.ask = hl_bridge_ask_of(server, request)};
    struct hl_work *work = NULL;
    enum hl_code code = hl_learning_new(&order, &work, err);

    return code == HL_OK ? hl_job_begin(server, request, reply, "fit", work, err) : code;
}
