/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HL_SERVER_SEARCH_PART_H
#define HL_SERVER_SEARCH_PART_H

#include "index/look.h"
#include "server/metrics.h"
#include "server/plan.h"
#include "server/request.h"

/* What the files of a search share; for them alone.
 *
 *   search.c         the flow
 *   search_body.c    bytes -> queries
 *   search_aim.c     a query -> whose it is, and its examples
 *   search_plan.c    examples -> what is looked for in which spaces, through which maps
 *   search_scale.c   what a score in one space is on the scale that is shown
 *   search_mix.c     examples -> one vector
 *   search_rank.c    examples -> a score of every point
 *   search_batch.c   what several queries look for alike -> what waits for them
 *   search_find.c    what is looked for -> hits
 *   search_merge.c   hits of several searches -> hits
 *   search_group.c   hits -> groups
 *   search_show.c    hits and groups -> bytes
 *   search_explain.c where hits came from -> bytes
 *
 * Everything lives in the request's arena. One thread at a time. */

struct hl_search { /* one request */
    struct hl_queries queries;
    enum hl_query_form form;
    bool is_batch;        /* the reply is a list of what each query answers */
    bool is_bare;         /* hits without `{"points":…}` around them */
    size_t scratch_bytes; /* what one step may take beside the request's arena */
    struct hl_arena *arena;
    const struct hl_deadline *deadline;
    struct hl_clock clock;
    struct hl_metrics *metrics;
    struct hl_collection *collection; /* a reference */
    struct hl_look *look;             /* NULL before it is opened */
    struct hl_ready *ready;           /* what was found before a query had its turn */
    size_t n_ready;
};

struct hl_pick { /* a hit as it is answered */
    float score; /* as it is shown */
    uint32_t number;
    float raw; /* what the search gave; NAN where several scores became one */
    uint16_t leg, shelf;
};

struct hl_hits {
    struct hl_pick *items; /* best first */
    size_t n;
};

/* ---- search_body.c ---- */

struct hl_search_call {
    enum hl_query_form form;
    bool is_batch;
    bool takes_raw; /* also takes a vector as application/octet-stream */
};

/* The queries of a body, or of a raw vector and its URL; `timeout` there brings the
 * deadline nearer. */
enum hl_code hl_search_decode(struct hl_request *request, const struct hl_search_call *call,
                              struct hl_queries *ret_queries, struct hl_err *err);

/* Whether it is more than a moment's work in memory, whatever the collection holds. */
bool hl_search_is_long(const struct hl_queries *queries);

/* ---- search_aim.c ---- */

/* From the scores of a search to those that are shown. */
struct hl_score_map {
    enum hl_distance raw, shown; /* where they differ, both are of vectors of length 1 */
    bool is_affine;
    struct hl_affine affine; /* of products */
};

enum hl_aim_kind {
    HL_AIM_VECTOR, /* what is near `vector` */
    HL_AIM_RANK    /* every point by its scores for the examples */
};

/* What is looked for in one space. Shelves are searched one by one with the same vector. */
struct hl_aim_leg {
    const struct hl_leg *plan;    /* NULL: there is none, it is as in Qdrant */
    const struct hl_space *space; /* that the vectors are of */
    const struct hl_space *const *shelves;
    const struct hl_score_map *maps; /* of what is found on each of them */
    size_t n_shelves;
    bool is_mapped; /* an example went through `plan->way`, with this fidelity */
    float fidelity;
    enum hl_aim_kind kind;
    struct hl_vector vector;
    float scale; /* of the scores that `vector` gives: 1, but for summed ones */
    float terms; /* how many scores one is the sum of: 1, but for summed ones */
    const struct hl_vector *positive;
    size_t n_positive;
    const struct hl_vector *negative;
    size_t n_negative;
};

/* A leg that an example could not be brought to. */
struct hl_left_leg {
    const struct hl_space *space;
    struct hl_id example; /* the first of them */
};

struct hl_aim {
    const struct hl_query *query;
    size_t which;                 /* the query's filter in the look */
    const struct hl_space *space; /* of the query's model; NULL: there is no query */
    const struct hl_plan *plan;   /* NULL: its own space alone */
    enum hl_distance order;       /* shown scores compare like this one's */
    bool is_mapped;               /* through a bridge, */
    int64_t map_us;               /* and what that took */
    const struct hl_aim_leg *legs;
    size_t n_legs;                  /* 0: no query, points in the order of their ids */
    const struct hl_left_leg *left; /* of the plan, which were left out */
    size_t n_left;
    const struct hl_id *excluded; /* ascending: points that were examples */
    size_t n_excluded;
};

/* The space of the query's model, in which no vector was checked yet. Of several vectors
 * that were sent without `using`, that of the model its caller is routed to
 * (server/rollout.h), else the newest model's that bridges serve, else the newest. */
enum hl_code hl_aim_model(const struct hl_layout *layout, const struct hl_query *query,
                          const struct hl_space **ret_space, struct hl_err *err);

/* Finds the space and takes ids for the vectors of their points, which reads the disk. */
enum hl_code hl_aim_take(struct hl_search *search, size_t which, struct hl_aim *ret_aim,
                         struct hl_err *err);

/* The row that a point has in a space, its own vector or an image; *ret_has is false where
 * it has none. HL_NOT_FOUND: there is no such point. */
enum hl_code hl_aim_load(struct hl_search *search, const struct hl_id *id,
                         const struct hl_space *space, struct hl_vector *ret_vector,
                         bool *ret_has, struct hl_err *err);

/* ---- search_plan.c ---- */

/* One example of a query. */
struct hl_example {
    bool is_id; /* a point, `id`; else it came as a vector */
    struct hl_id id;
    bool has_own;            /* `vector`; else its point has none of the query's model */
    struct hl_vector vector; /* of the query's model */
};

struct hl_examples {
    const struct hl_example *items; /* positive ones first */
    size_t n_positive, n_negative;
};

/* For hl_look_wish, `self` being the search: whose carriers the queries of a search may
 * have to leave out. */
size_t hl_plan_leave_out(void *self, const struct hl_layout *layout, uint32_t *spaces,
                         size_t room);

/* Fills the aim's legs: by its plan, else one of its own space alone. */
enum hl_code hl_plan_legs(struct hl_search *search, const struct hl_examples *examples,
                          struct hl_aim *aim, struct hl_err *err);

/* ---- search_scale.c ---- */

/* What the scores of each of a leg's shelves are shown as, into room for them: all of them
 * as they are, where one was never measured. HL_WRONG_INPUT where the query needs it. */
enum hl_code hl_score_maps_find(const struct hl_layout *layout, const struct hl_aim *aim,
                                const struct hl_aim_leg *leg, struct hl_score_map *maps,
                                struct hl_err *err);

/* The sum of `terms` scores. */
float hl_score_shown(const struct hl_score_map *map, float raw, float terms);

/* Whether a sum of scores can be shown without each of them. */
bool hl_score_map_is_linear(const struct hl_score_map *map);

/* ---- search_merge.c ---- */

/* Lists, each best first, become one: by score, equal ones by number; what stands in one
 * list keeps its order. */
enum hl_code hl_hits_merge(const struct hl_hits *lists, size_t n, enum hl_distance order,
                           struct hl_arena *arena, struct hl_hits *ret_hits,
                           struct hl_err *err);

/* ---- search_mix.c ---- */

/* The mean of the positive ones; with negative ones, twice it less their mean. All of one
 * size, or all sparse. */
enum hl_code hl_mix_average(struct hl_arena *arena, const struct hl_aim_leg *leg,
                            struct hl_vector *ret_vector, struct hl_err *err);

/* The positive ones less the negative ones, each of length 1 before if `is_cosine`; the
 * length of the sum then too. What is not cosine has 1 as its length. */
enum hl_code hl_mix_sum(struct hl_arena *arena, const struct hl_aim_leg *leg,
                        bool is_cosine, struct hl_vector *ret_vector, float *ret_length,
                        struct hl_err *err);

/* ---- search_rank.c ---- */

/* How near a point is to the examples, as it is gathered one example after the other. */
struct hl_rank {
    uint32_t number;
    uint16_t shelf;
    uint32_t n_positive; /* examples that scored it */
    uint32_t n_negative;
    float best_positive; /* where any scored it */
    float best_negative;
    float sum;
};

/* Qdrant's score of it. An example that did not score a point, as sparse ones do, gives 0.
 */
float hl_rank_score(const struct hl_rank *rank, const struct hl_aim_leg *leg,
                    enum hl_strategy strategy);

/* One leg of an aim being searched. */
struct hl_leg_search {
    struct hl_search *search;
    const struct hl_aim *aim;
    const struct hl_aim_leg *leg;
    size_t k;
    struct hl_arena *arena;
};

/* All points of a leg by their score, best first, in the arena; at most k. */
enum hl_code hl_rank_find(const struct hl_leg_search *work, struct hl_hits *ret_hits,
                          struct hl_err *err);

/* ---- search_batch.c ---- */

struct hl_ready {
    const struct hl_aim_leg *leg;
    size_t shelf;
    struct hl_found found;
};

/* Finds at once what exact queries of a batch look for alike; `aims` are of all queries and
 * stay where they are. */
enum hl_code hl_search_prepare(struct hl_search *search, const struct hl_aim *aims,
                               struct hl_err *err);

/* What was found for a leg on one of its shelves, maybe more than it wanted; NULL: it is
 * still to be found. */
const struct hl_found *hl_search_ready(const struct hl_search *search,
                                       const struct hl_aim_leg *leg, size_t shelf);

/* ---- search_find.c ---- */

/* What is near a vector of the leg on one of its shelves, as the query wants it. */
struct hl_find hl_leg_find(const struct hl_leg_search *work, size_t shelf,
                           const struct hl_vector *vector);

/* The k best, best first, without the examples, in `arena`. Fewer: there are no more. */
enum hl_code hl_aim_find(struct hl_search *search, const struct hl_aim *aim, size_t k,
                         struct hl_arena *arena, struct hl_hits *ret_hits,
                         struct hl_err *err);

/* ---- search_group.c ---- */

struct hl_group {
    bool is_text;
    struct hl_text key; /* of an integer its digits */
    struct hl_hits hits;
};

struct hl_groups {
    const struct hl_group *items; /* by their best hits */
    size_t n;
};

/* Searches further and further until the groups are full or there is nothing more. Reads
 * payloads. */
enum hl_code hl_aim_group(struct hl_search *search, const struct hl_aim *aim,
                          struct hl_groups *ret_groups, struct hl_err *err);

/* ---- search_show.c ---- */

/* Prints a list of points; reads the disk when the query wants more than ids and scores. */
enum hl_code hl_search_show_hits(struct hl_search *search, const struct hl_query *query,
                                 const struct hl_hits *hits, struct hl_buf *out,
                                 struct hl_err *err);
enum hl_code hl_search_show_groups(struct hl_search *search, const struct hl_query *query,
                                   const struct hl_groups *groups, struct hl_buf *out,
                                   struct hl_err *err);

/* ---- search_explain.c ---- */

/* Prints by which plan the hits were found, and of each where. */
void hl_search_explain(const struct hl_search *search, const struct hl_aim *aim,
                       const struct hl_hits *hits, struct hl_buf *out);

#endif
