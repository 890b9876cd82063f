/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HL_SERVER_BODIES_H
#define HL_SERVER_BODIES_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

/* What the bodies of all requests have of memory at once, and the bound on it.
 *
 * Plain storage of the server, read and changed by any thread. A body takes its room before
 * it comes and has it until its request is answered, since that is how long its bytes are
 * kept. Nobody waits for room: who finds none is told to come back. */
struct hl_bodies {
    atomic_size_t held;
    size_t most;
};

void hl_bodies_init(struct hl_bodies *bodies, size_t most);

/* Room for `more` bytes of a body that has `mine` already. While no other has any it is
 * given whatever the bound is, so that no body waits for ever. False when there is none:
 * then *ret_held is what all have. */
bool hl_bodies_take(struct hl_bodies *bodies, size_t mine, size_t more, size_t *ret_held);
void hl_bodies_give(struct hl_bodies *bodies, size_t mine);

size_t hl_bodies_held(const struct hl_bodies *bodies);

#endif
