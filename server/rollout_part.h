/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HL_SERVER_ROLLOUT_PART_H
#define HL_SERVER_ROLLOUT_PART_H

#include "server/rollout.h"

/* What the files of a rollout share; for them alone.
 *
 *   rollout.c          its steps
 *   rollout_serve.c    whom it serves with what
 *   rollout_record.c   its record
 *   rollout_events.c   what happened, one record each
 *   rollout_settings.c its thresholds as JSON
 *   rollout_show.c     how it looks */

/* `,"name":"text"`, or null where there is none; the name of a model, or null where it is
 * gone. */
void hl_rollout_print_text(struct hl_buf *buf, const char *name, const char *text);
void hl_rollout_print_model(struct hl_buf *buf, const char *name,
                            const struct hl_layout *layout, uint32_t id);

/* In a change. */
enum hl_code hl_rollout_save(struct hl_writing *writing, const struct hl_rollout *rollout,
                             struct hl_err *err);

/* In a change: one more event, of the order that made `before` into `after`; the oldest
 * goes where there are more than HL_MOST_EVENTS. `what` is a word for it. */
struct hl_rollout_step {
    const char *what;
    const struct hl_rollout *before, *after;
    const struct hl_rollout_order *order;
};
enum hl_code hl_rollout_tell(struct hl_writing *writing, const struct hl_rollout_step *step,
                             struct hl_err *err);

#endif
