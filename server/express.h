/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HL_SERVER_EXPRESS_H
#define HL_SERVER_EXPRESS_H

#include "server/reach.h"

/* The images that a set of activations wants, made beside those that are served and put in
 * their place at once (index/image.h). Where the set of ways into a space is another, all
 * of the images there are made anew, because which of a point's it is depends on the
 * others.
 *
 * For one job, on its thread; the storage is the caller's. */
struct hl_express_image {
    uint32_t into, from;
    struct hl_way *way; /* a reference */
};

struct hl_express {
    struct hl_collection *collection; /* a reference */
    struct hl_arena *arena;
    struct hl_models changed;        /* spaces with another set of ways */
    struct hl_express_image *images; /* all ways into those */
    size_t n_images;
    uint64_t n_points; /* when it began */
};

/* What is to be done; ways that are served already are taken as they are, others loaded. */
enum hl_code hl_express_init(struct hl_express *express, const struct hl_holdings *holdings,
                             const struct hl_activations *next, struct hl_err *err);
void hl_express_done(struct hl_express *express); /* zeros are accepted */

/* Makes them, in changes between which others have their turn. Tells how far it is from 0
 * to
 * 1. After a failure call hl_express_drop. */
enum hl_code hl_express_make(struct hl_express *express, const struct hl_errand *errand,
                             struct hl_err *err);

/* In a change: they are served from now on. */
enum hl_code hl_express_serve(const struct hl_express *express, struct hl_writing *writing,
                              struct hl_err *err);

/* What was made goes. What cannot go now goes when the collection is opened. */
enum hl_code hl_express_drop(struct hl_express *express, struct hl_err *err);

#endif
