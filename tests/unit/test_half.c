/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "proto/half.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

/* What such a number is worth by its definition, in double. */
static double worth(uint16_t bits, int n_fraction, int bias)
{
    int n_exponent = 15 - n_fraction;
    int exponent = (bits >> n_fraction) & ((1 << n_exponent) - 1);
    double fraction = bits & ((1 << n_fraction) - 1);
    double sign = bits & 0x8000 ? -1.0 : 1.0;

    if (exponent == (1 << n_exponent) - 1)
        return fraction > 0.0 ? (double)NAN : sign * (double)INFINITY;
    if (exponent == 0)
        return sign * ldexp(fraction, 1 - bias - n_fraction);
    return sign * ldexp(fraction + (1 << n_fraction), exponent - bias - n_fraction);
}

static uint64_t bits_of(double value)
{
    uint64_t bits;

    memcpy(&bits, &value, sizeof bits);
    return bits;
}

struct kind {
    int n_fraction, bias;
    void (*up)(const uint16_t *, size_t, float *);
    void (*down)(const float *, size_t, uint16_t *);
};

static const struct kind kinds[] = {
    {10, 15, hl_half_to_floats, hl_half_from_floats},
    {7, 127, hl_bfloat_to_floats, hl_bfloat_from_floats},
};

static void check_all_values(const struct kind *kind)
{
    for (unsigned i = 0; i < 65536; i++) {
        uint16_t bits = (uint16_t)i, back;
        double wanted = worth(bits, kind->n_fraction, kind->bias);
        float value;

        kind->up(&bits, 1, &value);
        kind->down(&value, 1, &back);
        assert_int_equal(back, bits);
        if (isnan(wanted))
            assert_true(isnan(value));
        else
            assert_true(bits_of(wanted) == bits_of((double)value));
    }
}

static void every_one_of_them_is_read_exactly_and_comes_back(void **state)
{
    (void)state;
    check_all_values(&kinds[0]);
    check_all_values(&kinds[1]);
}

/* The largest finite one counts, for rounding, as if the next one up were a number. */
static double worth_or_beyond(const struct kind *kind, uint16_t bits)
{
    double value = worth(bits, kind->n_fraction, kind->bias);

    if (!isinf(value))
        return value;
    return copysign(ldexp(1.0, (1 << (14 - kind->n_fraction))), value);
}

static void check_nearest(const struct kind *kind, float value)
{
    uint16_t got, low, high;
    double off, off_low, off_high;

    kind->down(&value, 1, &got);
    assert_int_equal(signbit(value) != 0, got >> 15);
    low = (got & 0x7fffU) == 0 ? got : (uint16_t)(got - 1);
    high = isinf(worth(got, kind->n_fraction, kind->bias)) ? got : (uint16_t)(got + 1);
    off = fabs(worth_or_beyond(kind, got) - (double)value);
    off_low = fabs(worth_or_beyond(kind, low) - (double)value);
    off_high = fabs(worth_or_beyond(kind, high) - (double)value);
    if (isinf(worth(got, kind->n_fraction, kind->bias)))
        off = fabs((double)value) >= fabs(worth_or_beyond(kind, got)) ? 0.0 : off;
    assert_true(low == got || off < off_low || (off <= off_low && !(got & 1U)));
    assert_true(high == got || off < off_high || (off <= off_high && !(got & 1U)));
}

/* Each value's neighbourhood: the value, halfway to the next, and a step to each side. */
static void check_around(const struct kind *kind, uint16_t bits)
{
    double here = worth(bits, kind->n_fraction, kind->bias);
    double next = worth_or_beyond(kind, (uint16_t)(bits + 1));
    float tie = (float)((here + next) / 2);

    if (isnan(here) || isinf(here))
        return;
    check_nearest(kind, (float)here);
    check_nearest(kind, tie);
    check_nearest(kind, nextafterf(tie, 0.0F));
    check_nearest(kind, nextafterf(tie, tie > 0 ? INFINITY : -INFINITY));
}

static void what_lies_between_goes_to_the_nearest_and_ties_to_even(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 65536; i++) {
        check_around(&kinds[0], (uint16_t)i);
        check_around(&kinds[1], (uint16_t)i);
    }
}

static void any_float_goes_to_the_nearest(void **state)
{
    uint64_t seed = 7;

    (void)state;
    for (unsigned i = 0; i < 1000000; i++) {
        uint32_t bits;
        float value;

        seed = seed * 6364136223846793005U + 1442695040888963407U;
        bits = (uint32_t)(seed >> 32);
        memcpy(&value, &bits, sizeof value);
        if (isnan(value))
            continue;
        check_nearest(&kinds[0], value);
        check_nearest(&kinds[1], value);
    }
}

static void known_values_round_as_the_standard_says(void **state)
{
    static const struct {
        float value;
        uint16_t half;
    } rows[] = {
        {1.0F, 0x3c00},           {-2.0F, 0xc000},
        {65504.0F, 0x7bff},       {65519.996F, 0x7bff},
        {65520.0F, 0x7c00},       {-65520.0F, 0xfc00},
        {0x1p-24F, 0x0001},       {0x1p-25F, 0x0000},
        {0x1.8p-25F, 0x0001},     {0x1.000002p-25F, 0x0001},
        {-0.0F, 0x8000},          {0x1p-14F, 0x0400},
        {INFINITY, 0x7c00},       {1.00048828125F, 0x3c00},
        {1.00146484375F, 0x3c02},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        uint16_t half;

        hl_half_from_floats(&rows[i].value, 1, &half);
        assert_int_equal(half, rows[i].half);
    }
}

static void not_a_number_never_becomes_infinite(void **state)
{
    static const uint32_t nans[] = {0x7f800001, 0xff800001, 0x7fc00000, 0x7fffffff,
                                    0x7f801fff};

    (void)state;
    for (size_t i = 0; i < sizeof nans / sizeof *nans; i++) {
        uint16_t half, bfloat;
        float value;

        memcpy(&value, &nans[i], sizeof value);
        hl_half_from_floats(&value, 1, &half);
        hl_bfloat_from_floats(&value, 1, &bfloat);
        assert_true((half & 0x7fffU) > 0x7c00U && half >> 15 == nans[i] >> 31);
        assert_true((bfloat & 0x7fffU) > 0x7f80U && bfloat >> 15 == nans[i] >> 31);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_one_of_them_is_read_exactly_and_comes_back),
        cmocka_unit_test(what_lies_between_goes_to_the_nearest_and_ties_to_even),
        cmocka_unit_test(any_float_goes_to_the_nearest),
        cmocka_unit_test(known_values_round_as_the_standard_says),
        cmocka_unit_test(not_a_number_never_becomes_infinite),
    };

    return cmocka_run_group_tests_name("half", tests, NULL, NULL);
}
