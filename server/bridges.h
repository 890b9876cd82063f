/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HL_SERVER_BRIDGES_H
#define HL_SERVER_BRIDGES_H

#include "compat/bridge.h"
#include "compat/bridge_file.h"
#include "server/bridge_body.h"
#include "server/holdings.h"

/* Bridges as records of a collection: revisions that count up for each pair of models, and
 * which of them is served. The newest eight revisions are kept, and those that are or were
 * active last. */
struct hl_bridge_pair {
    struct hl_model from, to;
};

/* From a path's parameters 1 and 2. HL_NOT_FOUND; HL_INVALID when both are the same, or of
 * kinds that cannot be joined. */
enum hl_code hl_bridges_pair(const struct hl_holdings *holdings,
                             const struct hl_request *request,
                             struct hl_bridge_pair *ret_pair, struct hl_err *err);

enum hl_code hl_bridges_pair_of(const struct hl_holdings *holdings,
                                const struct hl_span *from, const struct hl_span *to,
                                struct hl_bridge_pair *ret_pair, struct hl_err *err);

/* HL_INVALID when sampled vectors of one of the two are not of length 1 and need to be,
 * which are Dot and Euclid ones. */
enum hl_code hl_bridges_check_norms(const struct hl_holdings *holdings,
                                    const struct hl_bridge_pair *pair,
                                    const struct hl_deadline *deadline, struct hl_err *err);

/* The latest revision that is there, 0: none. */
enum hl_code hl_bridges_latest(const struct hl_holdings *holdings,
                               const struct hl_bridge_pair *pair, uint64_t *ret_revision,
                               struct hl_err *err);

/* `*revision` 0 becomes the latest. HL_NOT_FOUND when it is not there. */
enum hl_code hl_bridges_find(const struct hl_holdings *holdings,
                             const struct hl_bridge_pair *pair, uint64_t *revision,
                             struct hl_err *err);

/* A bridge with its file's bytes. */
enum hl_code hl_bridges_load(const struct hl_holdings *holdings,
                             const struct hl_bridge_pair *pair, uint64_t revision,
                             struct hl_bridge **ret_bridge, struct hl_err *err);

/* Whether it was learnt from the dataset with that sum: a judgement on it is no news. */
enum hl_code hl_bridges_saw(const struct hl_holdings *holdings,
                            const struct hl_bridge_pair *pair, uint64_t revision,
                            const char *sha256, bool *ret_saw, struct hl_err *err);

/* In a change: a new revision. `file` is its safetensors form. */
struct hl_bridge_entry {
    const struct hl_bridge_pair *pair;
    const struct hl_bridge *bridge;
    struct hl_span file;
    bool is_learnt_here;
    const char *data_sha256; /* of the dataset it was learnt from; NULL: another way */
};
enum hl_code hl_bridges_add(struct hl_writing *writing, const struct hl_bridge_entry *entry,
                            uint64_t *ret_revision, struct hl_err *err);

/* In a change: one revision, or all when it is 0. HL_NOT_FOUND; HL_CONFLICT for one that is
 * active. */
enum hl_code hl_bridges_remove(struct hl_writing *writing,
                               const struct hl_bridge_pair *pair, uint64_t revision,
                               struct hl_err *err);

/* One object about a revision, with or without its report. */
enum hl_code hl_bridges_print(const struct hl_holdings *holdings,
                              const struct hl_bridge_pair *pair, uint64_t revision,
                              bool has_report, struct hl_buf *buf, struct hl_err *err);

#endif
