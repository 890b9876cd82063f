/* SPDX-License-Identifier: Apache-2.0 */
#include "server/bodies.h"

void hl_bodies_init(struct hl_bodies *bodies, size_t most)
{
    atomic_init(&bodies->held, 0);
    bodies->most = most;
}

bool hl_bodies_take(struct hl_bodies *bodies, size_t mine, size_t more, size_t *ret_held)
{
    size_t held = atomic_load(&bodies->held);

    do {
        if (held > mine && (more > bodies->most || held > bodies->most - more)) {
            *ret_held = held;
            return false;
        }
    } while (!atomic_compare_exchange_weak(&bodies->held, &held, held + more));
    return true;
}

void hl_bodies_give(struct hl_bodies *bodies, size_t mine)
{
    atomic_fetch_sub(&bodies->held, mine);
}

size_t hl_bodies_held(const struct hl_bodies *bodies)
{
    return atomic_load(&bodies->held);
}
