/* SPDX-License-Identifier: Apache-2.0 */
#include "index/image.h"

struct hl_mapper *hl_mapper_ref(struct hl_mapper *mapper)
{
    atomic_fetch_add(&mapper->n_refs, 1);
    return mapper;
}

void hl_mapper_unref(struct hl_mapper *mapper)
{
    if (mapper && atomic_fetch_sub(&mapper->n_refs, 1) == 1)
        mapper->free(mapper);
}
