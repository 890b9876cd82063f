/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HL_SERVER_ACTIVATE_H
#define HL_SERVER_ACTIVATE_H

#include "server/bridge_work.h"

/* Beginning to serve through a bridge, or ending it, for who adds the job: the work is
 * prompt and goes to hl_jobs_add, which frees it. The body is that of the call. What can be
 * refused at once is. Reads the disk. */
enum hl_code hl_activating_new(const struct hl_bridge_ask *ask, bool is_activation,
                               struct hl_work **ret_work, struct hl_err *err);

#endif
