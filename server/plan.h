/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HL_SERVER_PLAN_H
#define HL_SERVER_PLAN_H

#include "index/layout.h"
#include "server/reach.h"
#include "server/rollout.h"
#include "server/way.h"

/* How the queries of each model find the points of a collection, whichever models have seen
 * them: compiled from what is active, published with the layout that has the images.
 *
 * Immutable, counted, any thread. Whoever holds the layout holds its plans and their ways;
 * everything in them is good as long. */

/* One search of a plan. */
struct hl_leg {
    uint32_t space;           /* where: T */
    const struct hl_way *way; /* which the query goes through to there; NULL: as it came */
    struct hl_hop hops[HL_WAY_HOPS]; /* the way's */
    size_t n_hops;                   /* 0: it has none */
    float fidelity; /* as it was activated: 0 to 1, negative: the bridges' own */

    bool has_own;           /* T's own rows are searched, */
    const uint32_t *images; /* and those of these spaces, of images into T */
    size_t n_images;

    /* Points that carry a vector of one of these models are not looked for here: another
     * leg finds them. Of the rows of images that is settled already. */
    const uint32_t *without;
    size_t n_without;
};

struct hl_plan {
    uint32_t model;
    enum hl_serving strategy; /* HL_SERVING_AUTO: a model that needs no bridge */
    const struct hl_leg *legs;
    size_t n_legs; /* 1 or more; one over own rows comes first */
};

/* Which plan it is goes by how many points carry a vector of the query's model. */
enum hl_plan_case {
    HL_PLAN_SOME,
    HL_PLAN_ALL,  /* every point does: its own rows alone, as if there were no bridge */
    HL_PLAN_NONE, /* none does, or an example of a query does not: no own leg beside another
                   */
    HL_N_PLAN_CASES
};

struct hl_plan_cases {
    struct hl_plan of[HL_N_PLAN_CASES];
};

struct hl_plans {
    struct hl_companion companion; /* first */
    uint64_t number;               /* counts up with every activation, kept */
    struct hl_activations activations;
    struct hl_rollout rollout;          /* number 0: there never was one */
    const struct hl_plan_cases *models; /* those that an active way touches */
    size_t n_models;
    struct hl_way **ways; /* references, n_ways of them */
    size_t n_ways;
    struct hl_arena *arena; /* holds it all but these */
};

/* What is active over the images that the layout serves, which have the ways, with the
 * rollout there is; one reference, NULL when there is neither. HL_DAMAGED when images are
 * missing, HL_NO_MEMORY. */
enum hl_code hl_plans_compile(const struct hl_layout *layout,
                              const struct hl_activations *activations,
                              const struct hl_rollout *rollout, struct hl_plans **ret_plans,
                              struct hl_err *err);
void hl_plans_unref(struct hl_plans *plans); /* NULL is accepted */

/* Where what is active takes the queries of a model: the end of a chain, or of a bridge, or
 * nowhere, which is 0. */
uint32_t hl_plan_goal(const struct hl_activations *activations, uint32_t model);

/* How an active bridge is served beside the others: what began as `dual` is `backward` once
 * another bridge leads on from its end, because nothing was measured over both. */
enum hl_serving hl_plan_serving(const struct hl_activations *activations,
                                const struct hl_active *active);

/* Plans from the records of a collection that is opened: the engine's compile
 * (index/engine.h). */
enum hl_code hl_plans_open(void *self, struct hl_reader *reader,
                           const struct hl_layout *layout,
                           struct hl_companion **ret_companion, struct hl_err *err);

/* In a change: what its records say is published with its layout. */
enum hl_code hl_plans_publish(struct hl_writing *writing, uint64_t *ret_number,
                              struct hl_err *err);

/* What a layout was published with, or NULL. */
const struct hl_plans *hl_plans_of(const struct hl_layout *layout);

/* The plan of a model's queries; NULL: its own space alone, exactly as without bridges. The
 * counts are hl_look_n_carriers and hl_look_n_points. */
const struct hl_plan *hl_plan_of(const struct hl_plans *plans, uint32_t model,
                                 uint64_t n_carriers, uint64_t n_points);
const struct hl_plan *hl_plan_in(const struct hl_plans *plans, uint32_t model,
                                 enum hl_plan_case which);

/* The models whose vectors the legs find, of the layout that the plans came with. */
void hl_plan_found(const struct hl_plan *plan, const struct hl_layout *layout,
                   struct hl_models *ret_models);

#endif
