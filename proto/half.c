/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/half.h"

#include <string.h>

static uint32_t bits_of(float value)
{
    uint32_t bits;

    memcpy(&bits, &value, sizeof bits);
    return bits;
}

static float float_of(uint32_t bits)
{
    float value;

    memcpy(&value, &bits, sizeof value);
    return value;
}

static float float_of_half(uint16_t half)
{
    uint32_t sign = (uint32_t)(half & 0x8000U) << 16;
    uint32_t exponent = (half >> 10) & 0x1fU;
    uint32_t fraction = half & 0x3ffU;

    if (exponent == 0x1f)
        return float_of(sign | 0x7f800000U | fraction << 13);
    if (exponent == 0) /* a multiple of 2^-24, which a float holds exactly */
        return float_of(sign | bits_of((float)fraction * 0x1p-24F));
    return float_of(sign | (exponent + 112) << 23 | fraction << 13);
}

/* `bits >> shift`, to the nearest, a tie to even. */
static uint32_t shift_rounding(uint32_t bits, unsigned shift)
{
    uint32_t kept = bits >> shift;
    uint32_t lost = bits & ((1U << shift) - 1);
    uint32_t tie = 1U << (shift - 1);

    return kept + (lost > tie || (lost == tie && (kept & 1U)));
}

static uint16_t half_of_float(float value)
{
    uint32_t bits = bits_of(value);
    uint32_t sign = bits >> 16 & 0x8000U;
    uint32_t size = bits & 0x7fffffffU;
    uint32_t half;

    if (size > 0x7f800000U) {
        half = 0x7c00U | (size >> 13 & 0x3ffU);
        if (half == 0x7c00U) /* its payload was in the lower bits alone */
            half = 0x7e00U;
    } else if (size >= 0x477ff000U) /* 65520, from where the nearest is infinity */
        half = 0x7c00U;
    else if (size >= 0x38800000U) /* 2^-14, the smallest normal half */
        half = shift_rounding(size - (112U << 23), 13);
    else if (size > 0x33000000U) /* above 2^-25, which is a tie with 0 */
        half = shift_rounding((size & 0x7fffffU) | 0x800000U, 126 - (size >> 23));
    else
        half = 0;
    return (uint16_t)(sign | half);
}

static uint16_t bfloat_of_float(float value)
{
    uint32_t bits = bits_of(value);

    if ((bits & 0x7fffffffU) > 0x7f800000U)
        return (uint16_t)(bits >> 16 | ((bits & 0x7f0000U) ? 0 : 0x40U));
    return (uint16_t)shift_rounding(bits, 16);
}

void hl_half_to_floats(const uint16_t *halves, size_t n, float *ret_values)
{
    for (size_t i = 0; i < n; i++)
        ret_values[i] = float_of_half(halves[i]);
}

void hl_half_from_floats(const float *values, size_t n, uint16_t *ret_halves)
{
    for (size_t i = 0; i < n; i++)
        ret_halves[i] = half_of_float(values[i]);
}

void hl_bfloat_to_floats(const uint16_t *bfloats, size_t n, float *ret_values)
{
    for (size_t i = 0; i < n; i++)
        ret_values[i] = float_of((uint32_t)bfloats[i] << 16);
}

void hl_bfloat_from_floats(const float *values, size_t n, uint16_t *ret_bfloats)
{
    for (size_t i = 0; i < n; i++)
        ret_bfloats[i] = bfloat_of_float(values[i]);
}
