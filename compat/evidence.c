/* SPDX-License-Identifier: Apache-2.0 */
#include "compat/evidence.h"

#include <math.h>
#include <stdbool.h>

/* Betting against "the mean is at most m": who stakes the share c of what he has on a case
 * of value x gets 1 - c + c·x/m of it back, which is at most what he staked, on average, if
 * the claim is true. Wealth that began at 1 reaches 1/alpha with a chance of at most alpha,
 * ever (Ville). The share that wins fastest depends on what is true, so the wealth is
 * spread over a fixed list of shares: each loses no more than the logarithm of their
 * number. compat/README.md says how the list was chosen.
 *
 * In m, each share's wealth falls and the logarithm of it is convex; so is that of the sum.
 * The bound of a mean is therefore found by halving, and what is least likely to be refuted
 * of two means by narrowing. */
static const double shares[] = {.0004, .0008, .0016, .003, .006, .0125,
                                .025,  .05,   .1,    .2,   .4,   .8};

/* Halving comes within a millionth of a bound; golden sections within as much of the b
 * below, where what is missed of a minimum is the square of that. */
enum { N_SHARES = sizeof shares / sizeof shares[0], N_HALVINGS = 20, N_SECTIONS = 28 };

/* The claims that are tried: at the very ends every case is certain. */
static const double LEAST = 1e-9;

/* Cases as seen from below or, mirrored, from above. */
struct side {
    const uint64_t *counts;
    size_t n_values;
    bool is_mirrored;
};

/* Logarithm of what one share has made of its stake. */
static double wealth_of(const struct side *side, double share, double mean)
{
    double sum = 0;

    for (size_t i = 0; i < side->n_values; i++) {
        size_t from = side->is_mirrored ? side->n_values - 1 - i : i;
        double value = (double)i / (double)(side->n_values - 1);

        if (side->counts[from] > 0)
            sum += (double)side->counts[from] * log1p(share * (value / mean - 1));
    }
    return sum;
}

/* Logarithm of the wealth against "the mean is at most `mean`". */
static double wealth(const struct side *side, double mean)
{
    double each[N_SHARES], most = -HUGE_VAL, sum = 0;

    for (size_t i = 0; i < N_SHARES; i++) {
        each[i] = wealth_of(side, shares[i], mean);
        most = fmax(most, each[i]);
    }
    for (size_t i = 0; i < N_SHARES; i++)
        sum += exp(each[i] - most);
    return most + log(sum / N_SHARES);
}

static double refuted_below(const struct side *side, double alpha)
{
    double low = LEAST, high = 1, wanted = -log(alpha);

    if (!(wealth(side, low) >= wanted))
        return 0;
    for (int i = 0; i < N_HALVINGS; i++) {
        double middle = (low + high) / 2;

        if (wealth(side, middle) >= wanted)
            low = middle;
        else
            high = middle;
    }
    return low;
}

double hl_mean_at_least(const uint64_t *counts, size_t n_values, double alpha)
{
    const struct side side = {counts, n_values, false};

    return refuted_below(&side, alpha);
}

double hl_mean_at_most(const uint64_t *counts, size_t n_values, double alpha)
{
    const struct side side = {counts, n_values, true};

    return 1 - refuted_below(&side, alpha);
}

/* ---- two means ---- */

struct pair {
    struct side base, cases;
    double excess;
};

/* Against "the base's mean is at least b, and the cases' at most b + excess": two who bet
 * on cases that have nothing to do with each other multiply what they have. */
static double pair_wealth(const struct pair *pair, double b)
{
    return wealth(&pair->base, fmax(1 - b, LEAST)) +
           wealth(&pair->cases, fmax(b + pair->excess, LEAST));
}

/* The b that is refuted least, by golden sections of a convex function. */
static double least_wealth(const struct pair *pair)
{
    static const double golden = .6180339887498949;
    double low = fmax(0, -pair->excess), high = 1;
    double left = high - golden * (high - low), right = low + golden * (high - low);
    double at_left = pair_wealth(pair, left), at_right = pair_wealth(pair, right);

    for (int i = 0; i < N_SECTIONS; i++) {
        if (at_left <= at_right) {
            high = right;
            right = left;
            at_right = at_left;
            left = high - golden * (high - low);
            at_left = pair_wealth(pair, left);
        } else {
            low = left;
            left = right;
            at_left = at_right;
            right = low + golden * (high - low);
            at_right = pair_wealth(pair, right);
        }
    }
    return fmin(at_left, at_right);
}

double hl_excess_at_least(const uint64_t *base, const uint64_t *counts, size_t n_values,
                          double alpha)
{
    struct pair pair = {{base, n_values, true}, {counts, n_values, false}, 0};
    double low = -1, high = 1, wanted = -log(alpha);

    for (int i = 0; i < N_HALVINGS; i++) {
        pair.excess = (low + high) / 2;
        if (least_wealth(&pair) >= wanted)
            low = pair.excess;
        else
            high = pair.excess;
    }
    return low;
}
