/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HL_SERVER_SEARCH_PART_H
#define HL_SERVER_SEARCH_PART_H

#include "index/look.h"
#include "server/request.h"

/* What the files of a search share; for them alone.
 *
 *   search.c         the flow
 *   search_body.c    bytes -> queries
 *   search_aim.c     a query -> what is looked for in which space
 *   search_mix.c     examples -> one vector
 *   search_rank.c    examples -> a score of every point
 *   search_find.c    what is looked for -> hits
 *   search_group.c   hits -> groups
 *   search_show.c    hits and groups -> bytes
 *
 * Everything lives in the request's arena. One thread at a time. */

struct hl_search { /* one request */
    struct hl_queries queries;
    bool is_batch;        /* the reply is a list of what each query answers */
    bool is_bare;         /* hits without `{"points":…}` around them */
    size_t scratch_bytes; /* what one step may take beside the request's arena */
    struct hl_arena *arena;
    const struct hl_deadline *deadline;
    struct hl_collection *collection; /* a reference */
    struct hl_look *look;             /* NULL before it is opened */
};

struct hl_hits {
    const struct hl_hit *items; /* best first */
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

enum hl_aim_kind {
    HL_AIM_ALL,    /* no query: points in the order of their ids */
    HL_AIM_VECTOR, /* what is near `vector` */
    HL_AIM_RANK    /* every point by its scores for the examples */
};

struct hl_aim {
    enum hl_aim_kind kind;
    const struct hl_query *query;
    size_t which;                 /* the query's filter in the look */
    const struct hl_space *space; /* NULL for HL_AIM_ALL */
    struct hl_vector vector;
    float scale; /* of the scores that `vector` gives: 1, but for summed ones */
    const struct hl_vector *positive;
    size_t n_positive;
    const struct hl_vector *negative;
    size_t n_negative;
    const struct hl_id *excluded; /* ascending: points that were examples */
    size_t n_excluded;
};

/* Finds the space and takes ids for the vectors of their points, which reads the disk. */
enum hl_code hl_aim_take(struct hl_search *search, size_t which, struct hl_aim *ret_aim,
                         struct hl_err *err);

/* ---- search_mix.c ---- */

/* The mean of the positive ones; with negative ones, twice it less their mean. All of one
 * size, or all sparse. */
enum hl_code hl_mix_average(struct hl_arena *arena, const struct hl_aim *aim,
                            struct hl_vector *ret_vector, struct hl_err *err);

/* The positive ones less the negative ones, each of length 1 before if `is_cosine`; the
 * length of the sum then too. What is not cosine has 1 as its length. */
enum hl_code hl_mix_sum(struct hl_arena *arena, const struct hl_aim *aim, bool is_cosine,
                        struct hl_vector *ret_vector, float *ret_length,
                        struct hl_err *err);

/* ---- search_rank.c ---- */

/* How near a point is to the examples, as it is gathered one example after the other. */
struct hl_rank {
    uint32_t number;
    uint32_t n_positive; /* examples that scored it */
    uint32_t n_negative;
    float best_positive; /* where any scored it */
    float best_negative;
    float sum;
};

/* Qdrant's score of it. An example that did not score a point, as sparse ones do, gives 0.
 */
float hl_rank_score(const struct hl_rank *rank, const struct hl_aim *aim);

/* All points by their score, best first, in the arena; at most k. */
enum hl_code hl_rank_find(struct hl_search *search, const struct hl_aim *aim, size_t k,
                          struct hl_arena *arena, struct hl_hits *ret_hits,
                          struct hl_err *err);

/* ---- search_find.c ---- */

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

#endif
