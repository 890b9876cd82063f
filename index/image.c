/* SPDX-License-Identifier: Apache-2.0 */
#include "index/image.h"

struct hl_mapper *hl_mapper_ref(struct hl_mapper *mapper)
{
    atomic_fetch_add(&mapper->n_refs, 1);
    return mapper;
}

struct hl_companion *hl_companion_ref(struct hl_companion *companion)
{
    atomic_fetch_add(&companion->n_refs, 1);
    return companion;
}

void hl_companion_unref(struct hl_companion *companion)
{
    if (companion && atomic_fetch_sub(&companion->n_refs, 1) == 1)
        companion->free(companion);
}

void hl_mapper_unref(struct hl_mapper *mapper)
{
    if (mapper && atomic_fetch_sub(&mapper->n_refs, 1) == 1)
        mapper->free(mapper);
}
