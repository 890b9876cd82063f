/* SPDX-License-Identifier: Apache-2.0 */
#include "index/upkeep.h"

enum { NEIGHBOURS = 4, GROWTH = 3, SMALLEST_REWRITE = 1024, HUSK = 8 };

/* 0 up to one sealed tail, 1 up to four of them, and so on. */
static size_t tier_of(size_t n_rows, size_t seal_rows)
{
    size_t tier = 0;

    for (size_t size = seal_rows; size < n_rows; size *= NEIGHBOURS)
        tier++;
    return tier;
}

static size_t count_living(const struct hl_upkeep_part *part)
{
    return part->n_rows - part->n_dead;
}

/* Of many rows hardly any is left: searches list these and sift them, which costs several
 * times what they would in a graph of their own, and that is made in a moment. */
static bool is_husk(const struct hl_upkeep_part *part, size_t seal_rows)
{
    const size_t n_living = count_living(part);

    return !part->is_tail && part->n_rows >= SMALLEST_REWRITE && n_living <= seal_rows &&
           n_living * HUSK < part->n_rows;
}

static bool is_mergeable(const struct hl_upkeep_part *part, size_t seal_rows, size_t tier)
{
    return !part->is_tail && tier_of(count_living(part), seal_rows) <= tier;
}

/* Whether the largest grows enough by it: else it would be built anew for every few of the
 * small ones behind it, and a shelf would cost the square of its rows. */
static bool is_worth_it(const struct hl_upkeep_part *parts, size_t n)
{
    size_t sum = 0, largest = 0;

    for (size_t i = 0; i < n; i++) {
        const size_t n_living = count_living(&parts[i]);

        sum += n_living;
        largest = n_living > largest ? n_living : largest;
    }
    return n >= NEIGHBOURS && sum / GROWTH >= largest;
}

struct limits {
    size_t seal_rows, most_rows;
};

/* The first longest run of neighbours of this tier or below that is worth it. */
static struct hl_upkeep_choice find_run(const struct hl_upkeep_part *parts, size_t n_parts,
                                        const struct limits *limits, size_t tier)
{
    size_t n = 0, sum = 0;

    for (size_t i = 0; i <= n_parts; i++) {
        const bool is_one = i < n_parts && is_mergeable(&parts[i], limits->seal_rows, tier);
        const size_t n_living = is_one ? count_living(&parts[i]) : 0;

        if (is_one && sum + n_living <= limits->most_rows) {
            n++;
            sum += n_living;
            continue;
        }
        if (is_worth_it(&parts[i - n], n))
            return (struct hl_upkeep_choice){i - n, n};
        n = is_one && n_living <= limits->most_rows;
        sum = n ? n_living : 0;
    }
    return (struct hl_upkeep_choice){0, 0};
}

struct hl_upkeep_choice hl_upkeep_choose(const struct hl_upkeep_part *parts, size_t n_parts,
                                         size_t seal_rows, size_t most_rows)
{
    const struct limits limits = {seal_rows, most_rows};
    struct hl_upkeep_choice run = {0, 0};
    size_t highest = 0;

    for (size_t i = 0; i < n_parts; i++) {
        size_t tier = tier_of(parts[i].n_rows, seal_rows);

        if (parts[i].is_tail && parts[i].is_full)
            return (struct hl_upkeep_choice){i, 1};
        highest = tier > highest ? tier : highest;
    }
    for (size_t i = 0; i < n_parts; i++)
        if (is_husk(&parts[i], seal_rows))
            return (struct hl_upkeep_choice){i, 1};
    for (size_t tier = 0; run.n == 0 && tier <= highest; tier++)
        run = find_run(parts, n_parts, &limits, tier);
    for (size_t i = 0; run.n == 0 && i < n_parts; i++)
        if (!parts[i].is_tail && parts[i].n_dead * 3 > parts[i].n_rows &&
            (parts[i].n_rows >= SMALLEST_REWRITE || parts[i].n_dead == parts[i].n_rows))
            run = (struct hl_upkeep_choice){i, 1};
    return run;
}
