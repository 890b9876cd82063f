/* SPDX-License-Identifier: Apache-2.0 */
#include "index/upkeep.h"

enum { NEIGHBOURS = 4, SMALLEST_REWRITE = 1024 };

/* 0 up to one sealed tail, 1 up to four of them, and so on. */
static size_t tier_of(size_t n_rows, size_t seal_rows)
{
    size_t tier = 0;

    for (size_t size = seal_rows; size < n_rows; size *= NEIGHBOURS)
        tier++;
    return tier;
}

static bool is_mergeable(const struct hl_upkeep_part *part, size_t seal_rows, size_t tier)
{
    return !part->is_tail && tier_of(part->n_rows - part->n_dead, seal_rows) <= tier;
}

/* The first run of neighbours that are all of this tier or below. */
static struct hl_upkeep_choice find_run(const struct hl_upkeep_part *parts, size_t n_parts,
                                        size_t seal_rows, size_t tier)
{
    size_t n = 0;

    for (size_t i = 0; i < n_parts; i++) {
        n = is_mergeable(&parts[i], seal_rows, tier) ? n + 1 : 0;
        if (n == NEIGHBOURS)
            return (struct hl_upkeep_choice){i + 1 - n, n};
    }
    return (struct hl_upkeep_choice){0, 0};
}

struct hl_upkeep_choice hl_upkeep_choose(const struct hl_upkeep_part *parts, size_t n_parts,
                                         size_t seal_rows)
{
    struct hl_upkeep_choice run = {0, 0};
    size_t highest = 0;

    for (size_t i = 0; i < n_parts; i++) {
        size_t tier = tier_of(parts[i].n_rows, seal_rows);

        if (parts[i].is_tail && parts[i].is_full)
            return (struct hl_upkeep_choice){i, 1};
        highest = tier > highest ? tier : highest;
    }
    for (size_t tier = 0; run.n == 0 && tier <= highest; tier++)
        run = find_run(parts, n_parts, seal_rows, tier);
    for (size_t i = 0; run.n == 0 && i < n_parts; i++)
        if (!parts[i].is_tail && parts[i].n_dead * 3 > parts[i].n_rows &&
            (parts[i].n_rows >= SMALLEST_REWRITE || parts[i].n_dead == parts[i].n_rows))
            run = (struct hl_upkeep_choice){i, 1};
    return run;
}
