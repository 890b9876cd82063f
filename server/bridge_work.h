/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HL_SERVER_BRIDGE_WORK_H
#define HL_SERVER_BRIDGE_WORK_H

#include "server/bridges.h"
#include "server/datasets.h"
#include "server/jobs.h"
#include "server/learn.h"

/* What the jobs about bridges share: the models they are about, the body they were asked
 * with, and at the job's beginning the heads and the numbers of classes. For
 * bridge_learn.h, bridge_judge.c and activate.h alone. */
struct hl_bridge_work {
    struct hl_work work; /* first */
    struct hl_server *server;
    struct hl_collection *collection;
    struct hl_arena *arena; /* texts and the body */
    struct hl_bridge_pair pair;
    struct hl_tokens tokens; /* of the body's copy */
    struct hl_field body;

    /* hl_bridge_work_begin */
    struct hl_labels *labels;
    struct hl_head *head, *own_head; /* of `to` and of `from`; NULL */
    struct hl_learn_source source;
};

/* What is asked of such a job, by a call or on the way of a longer job. Borrowed. */
struct hl_bridge_ask {
    struct hl_server *server;
    struct hl_span collection;          /* as it is called by who asks */
    struct hl_span from, to;            /* names of models, as paths write them */
    struct hl_span body;                /* empty: none */
    const struct hl_deadline *deadline; /* of what is looked at before the job begins */
};
struct hl_bridge_ask hl_bridge_ask_of(struct hl_server *server,
                                      const struct hl_request *request);

/* On the thread of who asks: `holdings` is of the collection. What it keeps is copied. The
 * caller has zeroed the work. */
enum hl_code hl_bridge_work_init(struct hl_bridge_work *work,
                                 const struct hl_bridge_ask *ask,
                                 const struct hl_holdings *holdings, struct hl_err *err);
void hl_bridge_work_done(struct hl_bridge_work *work);

/* On the job's thread. HL_CONFLICT when a model changed meanwhile. */
enum hl_code hl_bridge_work_begin(struct hl_bridge_work *work, struct hl_err *err);

/* A dataset by a name of the body, as an input of the report too. */
enum hl_code hl_bridge_work_dataset(struct hl_bridge_work *work, const struct hl_text *name,
                                    struct hl_dataset **ret_dataset, struct hl_err *err);

/* HL_INVALID when the dataset has no vectors of the model. */
enum hl_code hl_bridge_work_needs(const struct hl_dataset *dataset,
                                  const struct hl_model *model, const char *why,
                                  struct hl_err *err);
void hl_bridge_work_note(struct hl_bridge_work *work, const char *name, const char *sha256);

#endif
