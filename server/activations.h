/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HL_SERVER_ACTIVATIONS_H
#define HL_SERVER_ACTIVATIONS_H

#include "server/bridges.h"
#include "server/moment.h"

/* What is served through which bridges, as the records of a collection say it: for each
 * pair of models what is active, and what was before. Reads the disk. */
struct hl_active {
    uint32_t from, to; /* spaces */
    uint64_t revision;
    enum hl_serving strategy; /* what was asked for */
    enum hl_serving serving;  /* what auto came to, else the same */
    bool is_auto;             /* the bridge's own fidelity, else */
    double fidelity;
    char at[HL_MOMENT]; /* when */
};

enum { HL_MOST_ACTIVE = 64 };

struct hl_activations {
    struct hl_active list[HL_MOST_ACTIVE]; /* in the order of their spaces */
    size_t n;
    uint64_t number; /* counts the changes there ever were */
};

/* What was noted before there was anything served through it is no activation. */
enum hl_code hl_activations_load(struct hl_reader *reader,
                                 struct hl_activations *ret_activations,
                                 struct hl_err *err);

/* NULL: it is not active. */
const struct hl_active *hl_activations_find(const struct hl_activations *activations,
                                            uint32_t from, uint32_t to);

/* The same list with the pair's as it will be; NULL: without it. HL_CONFLICT when there are
 * too many. */
enum hl_code hl_activations_set(struct hl_activations *activations, uint32_t from,
                                uint32_t to, const struct hl_activation *activation,
                                struct hl_err *err);

/* But for the moment. */
bool hl_active_is(const struct hl_active *active, const struct hl_activation *activation);

/* In a change: NULL deactivates. Nothing changes when it is so already. The revision is
 * there. */
enum hl_code hl_activation_put(struct hl_writing *writing,
                               const struct hl_bridge_pair *pair,
                               const struct hl_activation *activation, struct hl_err *err);

/* `{"current":…,"previous":…}`, each an activation or null; the current one with how it is
 * served now. */
enum hl_code hl_activation_print(const struct hl_holdings *holdings,
                                 const struct hl_bridge_pair *pair, struct hl_buf *buf,
                                 struct hl_err *err);

/* 0: none. */
enum hl_code hl_activation_revisions(const struct hl_holdings *holdings,
                                     const struct hl_bridge_pair *pair,
                                     uint64_t *ret_current, uint64_t *ret_previous,
                                     struct hl_err *err);

/* In a change: what was active last is nothing to go back to once its revision is gone; 0:
 * whichever it is. */
enum hl_code hl_activation_forget(struct hl_writing *writing,
                                  const struct hl_bridge_pair *pair, uint64_t revision,
                                  struct hl_err *err);

#endif
