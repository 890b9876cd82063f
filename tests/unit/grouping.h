/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HL_TESTS_UNIT_GROUPING_H
#define HL_TESTS_UNIT_GROUPING_H

/* The changes that tests of groups are made of. Include it behind cmocka.h. */
#include "tests/unit/changing.h"

static inline void reopen(struct stand *s)
{
    close_stand(s);
    if (open_stand(s) != HL_OK)
        fail_msg("%s", s->err.msg);
}

/* Point `id`, with its id wherever a number may be. */
static inline const char *upsert(struct stand *s, int id)
{
    return hl_arena_print(s->arena,
                          "{\"upsert\":{\"points\":[{\"id\":%d,\"payload\":{\"i\":%d},"
                          "\"vector\":{\"e\":[%d,0],\"s\":{\"indices\":[1],\"values\":[%d]}"
                          "}}]}}",
                          id, id, id, id);
}

/* Is refused, and with it all that stands before it in the same change. */
static const char spoils[] =
    "{\"upsert\":{\"points\":[{\"id\":8,\"vector\":{\"nobody\":[1,2]}}]}}";

#endif
