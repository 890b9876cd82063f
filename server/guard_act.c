/* SPDX-License-Identifier: Apache-2.0 */
#include "server/change.h"
#include "server/guard.h"

#include <string.h>

/* The rollback of a breach; what is looked at before is guard.c's. */

struct rolling {
    const struct hl_guard_breach *breach;
    bool is_late; /* somebody changed the rollout first */
};

static enum hl_code roll_back(void *self, struct hl_writing *writing, struct hl_err *err)
{
    struct rolling *rolling = self;
    const struct hl_guard_breach *breach = rolling->breach;
    const struct hl_rollout *now = hl_rollout_of(hl_writing_layout(writing));
    const struct hl_rollout_order order = {.action = HL_ROLLOUT_ROLLBACK,
                                           .expect = breach->rollout->step,
                                           .by = "guard",
                                           .why = breach->why,
                                           .figures = breach->figures};
    struct hl_rollout after;

    rolling->is_late = !now || now->step != breach->rollout->step;
    return rolling->is_late ? HL_OK : hl_rollout_change(writing, &order, &after, err);
}

static enum hl_counter counter_of(const char *what)
{
    static const struct {
        const char *what;
        enum hl_counter counter;
    } rows[] = {{"flips", HL_METRIC_GUARD_FLIPS},
                {"disagreement", HL_METRIC_GUARD_DISAGREEMENT},
                {"slower", HL_METRIC_GUARD_SLOWER},
                {"errors", HL_METRIC_GUARD_ERRORS}};

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (strcmp(rows[i].what, what) == 0)
            return rows[i].counter;
    return HL_METRIC_GUARD_DRIFT;
}

enum hl_code hl_guard_act(struct hl_server *server, struct hl_collection *collection,
                          const struct hl_guard_breach *breach, bool *ret_is_back,
                          struct hl_err *err)
{
    struct rolling rolling = {.breach = breach};
    const struct hl_rollout *rollout = breach->rollout;
    enum hl_code code = hl_pending_run_now(collection, roll_back, &rolling, err);

    if (code != HL_OK)
        return code;
    *ret_is_back = !rolling.is_late;
    if (rolling.is_late)
        return HL_OK;
    hl_metrics_add(server->metrics, counter_of(breach->what), 1);
    hl_log(server->log, HL_LOG_WARN, hl_log_event("rolled_back"),
           hl_log_word("by", "guard"), hl_log_word("guard", breach->what),
           hl_log_text("collection", breach->collection),
           hl_log_u64("rollout", rollout->number),
           hl_log_word("stage", hl_stage_name(rollout->stage)),
           hl_log_text("why", breach->why));
    return HL_OK;
}
