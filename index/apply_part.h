/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HL_INDEX_APPLY_PART_H
#define HL_INDEX_APPLY_PART_H

#include "index/apply.h"

/* What the files of apply share; for them alone.
 *
 *   apply.c          points and vectors
 *   apply_loss.c     points that are replaced while their vectors have images
 *   apply_payload.c  payloads
 *   apply_targets.c  which points are meant */

/* One operation at a time. `scratch` is for one point and emptied for the next: an
 * operation may touch every point there is. */
struct hl_applying {
    const struct hl_apply *apply;
    struct hl_arena *scratch;
    struct hl_reader *reader; /* the store's own */
    size_t n_done;            /* points, to ask the deadline now and then */
};

enum hl_code hl_applying_tick(struct hl_applying *applying, struct hl_err *err);

struct hl_visit {
    /* The point is good until the first write. */
    enum hl_code (*each)(struct hl_applying *applying, const struct hl_store_point *point,
                         void *self, struct hl_err *err);
    void *self;
    bool needs_all; /* an id that is not there is an error, as in Qdrant for payloads */
};

/* Calls it with each point that is meant and there. Those of a filter are decided before
 * the first call. */
enum hl_code hl_applying_visit(struct hl_applying *applying,
                               const struct hl_write_target *target,
                               const struct hl_visit *visit, struct hl_err *err);

/* Whether a filter (NULL: yes) finds a point. Uses the scratch. */
enum hl_code hl_applying_test(struct hl_applying *applying, const struct hl_filter *filter,
                              const struct hl_store_point *point, bool *ret_is_met,
                              struct hl_err *err);

/* A point is about to be replaced: obeys the rule about vectors that `content` does not
 * bring again. *ret_is_written: the point is as it should be, else it is to be written. */
enum hl_code hl_apply_loss(struct hl_applying *applying, const struct hl_store_point *old,
                           const struct hl_store_content *content, bool *ret_is_written,
                           struct hl_err *err);

/* The four operations on payloads. */
enum hl_code hl_apply_payload(struct hl_applying *applying, const struct hl_write_op *op,
                              struct hl_err *err);

#endif
