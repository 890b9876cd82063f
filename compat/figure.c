/* SPDX-License-Identifier: Apache-2.0 */
#include "compat/figure.h"

#include "proto/encode.h"

#include <math.h>

static const double Z = 1.96;

void hl_tally_add(struct hl_tally *tally, double a, double b, double c)
{
    tally->n++;
    tally->a += a;
    tally->b += b;
    tally->c += c;
    tally->aa += a * a;
    tally->bb += b * b;
    tally->cc += c * c;
    tally->ab += a * b;
    tally->ac += a * c;
    tally->bc += b * c;
}

struct hl_figure hl_figure_share(uint64_t hits, uint64_t n)
{
    double of = (double)n, share, middle, half;

    if (n == 0)
        return (struct hl_figure){0};
    share = (double)hits / of;
    middle = (share + Z * Z / (2 * of)) / (1 + Z * Z / of);
    half = Z / (1 + Z * Z / of) * sqrt(share * (1 - share) / of + Z * Z / (4 * of * of));
    /* Of none or of all the bound is the end itself, which rounding would miss. */
    return (struct hl_figure){share, hits > 0 ? fmax(middle - half, 0) : 0,
                              hits < n ? fmin(middle + half, 1) : 1, n};
}

/* Around a value whose cases scatter with that sum of squares about their mean. */
static struct hl_figure figure_around(double value, double squares, uint64_t n)
{
    double half = (double)NAN;

    if (n > 1)
        half = Z * sqrt(fmax(squares, 0) / (double)(n - 1) / (double)n);
    return (struct hl_figure){value, value - half, value + half, n};
}

struct hl_figure hl_figure_mean(const struct hl_tally *t)
{
    if (t->n == 0)
        return (struct hl_figure){0};
    return figure_around(t->a / (double)t->n, t->aa - t->a * t->a / (double)t->n, t->n);
}

/* Sum over cases of (x·a + y·b + z·c)², where x·a + y·b + z·c sums to 0. */
static double square_of(const struct hl_tally *t, double x, double y, double z)
{
    return x * x * t->aa + y * y * t->bb + z * z * t->cc +
           2 * (x * y * t->ab + x * z * t->ac + y * z * t->bc);
}

struct hl_figure hl_figure_ratio(const struct hl_tally *t)
{
    double mean, ratio;

    if (t->n == 0 || !(t->b > 0))
        return (struct hl_figure){0};
    mean = t->b / (double)t->n;
    ratio = t->a / t->b;
    return figure_around(ratio, square_of(t, 1 / mean, -ratio / mean, 0), t->n);
}

struct hl_figure hl_figure_ratio_of_product(const struct hl_tally *t)
{
    double n = (double)t->n, a, b, c, value, squares;

    if (t->n == 0 || !(t->b > 0) || !(t->c > 0))
        return (struct hl_figure){0};
    a = t->a / n;
    b = t->b / n;
    c = t->c / n;
    value = a / (b * c);
    /* value_i = value · (a_i/a - b_i/b - c_i/c + 1) to first order; its mean is value, and
     * without a: the share of a in it is 1/(b·c). */
    squares = square_of(t, 1 / (b * c), -value / b, -value / c) - n * value * value;
    return figure_around(value, squares, t->n);
}

void hl_figure_print(const struct hl_figure *figure, struct hl_buf *json)
{
    if (figure->of == 0) {
        hl_encode_null(json);
        return;
    }
    hl_buf_add_text(json, "{\"value\":");
    hl_encode_double(json, figure->value);
    hl_buf_add_text(json, ",\"low\":");
    hl_encode_double(json, figure->low);
    hl_buf_add_text(json, ",\"high\":");
    hl_encode_double(json, figure->high);
    hl_buf_add_text(json, ",\"of\":");
    hl_encode_u64(json, figure->of);
    hl_buf_add_char(json, '}');
}
