/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HL_SERVER_BRIDGE_LEARN_H
#define HL_SERVER_BRIDGE_LEARN_H

#include "server/bridge_work.h"

/* Learning a bridge, as a job of its own or as a step of a longer one. */
struct hl_learning_order {
    struct hl_bridge_ask ask; /* the body is that of the call */

    /* In the commit that adds the bridge, once more if that is run again; NULL: nothing
     * more is done there. */
    enum hl_code (*added)(void *self, struct hl_writing *writing, uint64_t revision,
                          struct hl_err *err);
    void *self;
};

/* What can be refused at once is. The work is for the thread of jobs, and whoever gets it
 * frees it; what it prints is the bridge with its report. Reads the disk. */
enum hl_code hl_learning_new(const struct hl_learning_order *order,
                             struct hl_work **ret_work, struct hl_err *err);

#endif
