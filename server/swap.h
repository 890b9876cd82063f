/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HL_SERVER_SWAP_H
#define HL_SERVER_SWAP_H

#include "server/bridges.h"
#include "server/coverage.h"
#include "server/jobs.h"
#include "server/rollout.h"
#include "server/snapshot_folder.h"

/* The whole migration from one model to another as one job: a snapshot, a bridge from the
 * new model to the old one, the gate on its report, its activation, and a rollout that
 * begins in shadow. It stops at the first thing that is not met. What is done is a record
 * of the collection, written by the commit that did it where there is one, so that the same
 * body again goes on behind it, after a crash too.
 *
 *   swap_body.c    what was asked
 *   swap_record.c  what is done
 *   swap_state.c   which steps are so now
 *   swap_blocks.c  what keeps the others from being done
 *   swap_job.c     doing them
 *   swap_show.c    how it looks
 *   swap_calls.c   the calls */
enum hl_swap_step {
    HL_SWAP_SNAPSHOT,
    HL_SWAP_FIT,
    HL_SWAP_GATE,
    HL_SWAP_ACTIVATE,
    HL_SWAP_SHADOW,
    HL_N_SWAP_STEPS
};
const char *hl_swap_step_name(enum hl_swap_step step);

/* ---- what was asked ---- */

/* Texts are in the arena of the tokens or in the body. */
struct hl_swap_order {
    struct hl_text from, to;         /* names of models, as bodies write them */
    bool makes_model;                /* `to` is made where there is none */
    struct hl_vector_config model;   /* as this; its name is `to`'s */
    struct hl_span fit;              /* the body of learning */
    struct hl_span serving;          /* the body of activating, but for the revision */
    struct hl_activation activation; /* the same */
    struct hl_text dataset;          /* of the data; text NULL: none */
    bool needs_pairs;                /* points that carry both vectors */
    bool has_label;                  /* points have one */
    enum hl_kind kind;
    struct hl_rollout wanted;  /* gate, guard, probes, sample, ttl_s are set */
    struct hl_span gate;       /* the same as far as the gate looks at it; JSON */
    enum hl_swap_step stop_at; /* the last step that is done */
    bool is_dry, is_anew;
    struct hl_span asked; /* the body again, but for stop_at, dry_run and anew */
};
enum hl_code hl_swap_order_read(const struct hl_field *field,
                                struct hl_swap_order *ret_order, struct hl_err *err);

/* ---- what is done ---- */

#define HL_HOLDING_SWAP "swap" /* JSON; one of a collection */

struct hl_swap {
    bool is_there;             /* there was one */
    uint32_t from, to;         /* spaces */
    struct hl_span asked, fit; /* as of the order */
    char began_at[HL_MOMENT], changed_at[HL_MOMENT];
    char by[HL_KEY_ID_SIZE]; /* a key's id, or "" */
    enum hl_swap_step stop_at;
    bool is_over; /* every step up to `stop_at` was done */

    char snapshot[HL_SNAPSHOT_NAME]; /* "": none */
    uint64_t revision;               /* 0: none */
    struct hl_span gate;             /* the settings that the revision met; empty: none */
    struct hl_span figures;          /* of the gate, met or not; JSON or empty */
    uint64_t rollout;                /* 0: none */

    bool is_stopped; /* by an error, in the step */
    enum hl_swap_step stopped_at;
    struct hl_err why;
};

/* Texts go into the arena. Reads the disk. */
enum hl_code hl_swap_load(struct hl_reader *reader, struct hl_arena *arena,
                          struct hl_swap *ret_swap, struct hl_err *err);
enum hl_code hl_swap_save(struct hl_writing *writing, const struct hl_swap *swap,
                          struct hl_err *err);

/* ---- how it stands ---- */

/* A call as somebody can make it. Texts are in an arena. */
struct hl_swap_call {
    const char *method; /* NULL: there is none */
    const char *path;
    const char *body; /* JSON; NULL: none, or what a file holds */
    const char *why;
};

/* What keeps a step from being done, and the call that takes it out of the way. */
struct hl_swap_block {
    enum hl_swap_step step;
    struct hl_err err;
    struct hl_swap_call next;
};
enum { HL_SWAP_BLOCKS = 8 };

/* All there is to say at one moment. Texts are in the arena it was made with. */
struct hl_swap_state {
    struct hl_server *server;
    struct hl_arena *arena;
    const char *base;           /* "/collections/NAME" */
    struct hl_swap swap;        /* as it is recorded */
    bool is_same;               /* and of the same models and learning as the order's */
    bool is_same_body;          /* and of the same thresholds, and to the same end */
    struct hl_swap_order order; /* what is asked now, or was */
    struct hl_rollout rollout;
    const char *rollout_words;  /* about it, for sentences */
    struct hl_text from, to;    /* models, as paths write them; text NULL: there are none */
    bool has_models;            /* both are there, and what follows is set: */
    struct hl_bridge_pair pair; /* from the new model to the old one */
    struct hl_coverage coverage;
    bool is_mine;                  /* the rollout is from and to these models */
    bool is_done[HL_N_SWAP_STEPS]; /* it is so, whoever did it */
    uint64_t job;                  /* that is queued or runs; 0: none */
    struct hl_swap_block blocks[HL_SWAP_BLOCKS];
    size_t n_blocks;
};

/* Of the collection that `name` is, as it is asked for (NULL: as was asked for last, if
 * anything was). Reads the disk; a reader's thread or a job's. */
struct hl_swap_look {
    struct hl_server *server;
    const struct hl_span *name;
    const struct hl_swap_order *order;
    const struct hl_deadline *deadline;
    struct hl_arena *arena;
};
enum hl_code hl_swap_look(const struct hl_swap_look *look, struct hl_swap_state *ret_state,
                          struct hl_err *err);

/* Fills state->blocks with what keeps from being done what is not done yet. */
enum hl_code hl_swap_find_blocks(const struct hl_swap_look *look,
                                 const struct hl_holdings *holdings,
                                 struct hl_swap_state *state, struct hl_err *err);

/* The collection's path, what is behind it, and a name, if there is one, escaped. NULL: no
 * memory. */
const char *hl_swap_path(const struct hl_swap_state *state, const char *behind,
                         const struct hl_text *name);

/* Of POST …/refresh for the new model; `limit` and what stands behind it. */
const char *hl_swap_refresh_body(const struct hl_swap_state *state, const char *limit);

/* The next call of the migration, whatever stage it is in. */
struct hl_swap_call hl_swap_next(const struct hl_swap_state *state);

/* What GET says, and what a dry run says. */
enum hl_code hl_swap_print(const struct hl_swap_state *state, struct hl_buf *buf,
                           struct hl_err *err);
enum hl_code hl_swap_print_dry(const struct hl_swap_state *state, struct hl_buf *buf,
                               struct hl_err *err);

/* ---- doing it ---- */

/* The work of what a body asks, for who adds the job. That it was asked for is recorded at
 * once: HL_CONFLICT while something else is recorded and not over. */
struct hl_swap_task {
    struct hl_server *server;
    const struct hl_span *name, *body;
    const char *by; /* the id of a key */
    const struct hl_deadline *deadline;
};
enum hl_code hl_swap_new(const struct hl_swap_task *task, struct hl_work **ret_work,
                         struct hl_err *err);

#endif
