/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/decimals.h"

#include "proto/floats.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

uint64_t decimal_next(uint64_t *seed)
{
    *seed ^= *seed << 13;
    *seed ^= *seed >> 7;
    *seed ^= *seed << 17;
    return *seed * UINT64_C(0x2545F4914F6CDD1D);
}

static unsigned below(uint64_t *seed, unsigned limit)
{
    return (unsigned)((decimal_next(seed) >> 33) % limit);
}

static char *put_digits(uint64_t *seed, char *to, unsigned n)
{
    /* Runs of one digit are where carries are long. */
    bool is_run = below(seed, 8) == 0;
    char same = (char)('0' + below(seed, 2) * 9);

    for (unsigned i = 0; i < n; i++) {
        char any = (char)('0' + below(seed, 10));

        to[i] = same;
        if (!is_run)
            to[i] = any;
    }
    return to + n;
}

void decimal_random(uint64_t *seed, char text[DECIMAL_ROOM])
{
    unsigned n_digits = 1 + below(seed, 40), n_whole = below(seed, n_digits + 1);
    char *to = text;

    if (below(seed, 2))
        *to++ = '-';
    if (n_whole == 0 || below(seed, 4) == 0) {
        *to++ = '0';
        n_whole = 0;
    } else {
        *to++ = (char)('1' + below(seed, 9));
        to = put_digits(seed, to, n_whole - 1);
    }
    if (n_digits > n_whole) {
        *to++ = '.';
        to = put_digits(seed, to, n_digits - n_whole);
    }
    *to = '\0';
    if (below(seed, 3) == 0)
        return;
    snprintf(to, 16, "%c%s%d", below(seed, 2) ? 'e' : 'E', below(seed, 2) ? "-" : "",
             (int)below(seed, below(seed, 16) ? 50 : 1000));
}

/* The float with these bits, and 2^128 behind the largest. */
static double widen(uint32_t bits)
{
    float value;

    if (bits == UINT32_C(0x7F800000))
        return 0x1p128;
    memcpy(&value, &bits, sizeof value);
    return (double)value;
}

static uint32_t pick_bits(uint64_t *seed)
{
    uint32_t any = (uint32_t)(decimal_next(seed) >> 32);

    switch (below(seed, 6)) {
    case 0:
        return any % 4; /* the smallest */
    case 1:
        return any % UINT32_C(0x00800000); /* subnormal */
    case 2:
        return UINT32_C(0x007FFFFE) + any % 4; /* where normal begins */
    case 3:
        return UINT32_C(0x7F7FFFFF) - any % 4; /* the largest */
    case 4:
        return UINT32_C(0x3F800000) - any % UINT32_C(0x08000000); /* everyday */
    default:
        return any % UINT32_C(0x7F800000);
    }
}

void decimal_near_half(uint64_t *seed, char text[DECIMAL_ROOM])
{
    uint32_t bits = pick_bits(seed);
    double half = widen(bits) / 2 + widen(bits + 1) / 2; /* exact */
    unsigned side = below(seed, 3), far = below(seed, 8) ? below(seed, 40) : 900;
    char digits[256], exponent[16];
    char *last;

    snprintf(digits, sizeof digits, "%s%.150e", below(seed, 2) ? "-" : "", half);
    last = strchr(digits, 'e');
    snprintf(exponent, sizeof exponent, "%s", last);
    while (last[-1] == '0' && last[-2] != '.')
        last--;
    *last = '\0';
    /* Only "d.0" still ends in 0, and has no last digit to take one from. */
    if (side == 1 && last[-1] == '0')
        side = 2;
    if (side == 1)
        last[-1]--;
    snprintf(text, DECIMAL_ROOM, "%s", digits);
    if (side != 0) {
        memset(text + (last - digits), side == 1 ? '9' : '0', far);
        text[(last - digits) + (ptrdiff_t)far] = side == 1 ? '9' : '1';
        text[(last - digits) + (ptrdiff_t)far + 1] = '\0';
    }
    strncat(text, exponent, DECIMAL_ROOM - strlen(text) - 1);
}

static bool is_same(float a, float b)
{
    uint32_t a_bits, b_bits;

    memcpy(&a_bits, &a, sizeof a_bits);
    memcpy(&b_bits, &b, sizeof b_bits);
    return a_bits == b_bits;
}

static bool is_read_as(const char *body, size_t len, float wanted)
{
    size_t n = 0;
    char *exact = malloc(len); /* so that a sanitizer sees the end */
    float values[2] = {0, 0};
    struct hl_tokens tokens;
    struct hl_field root;
    struct hl_err err;
    enum hl_code code;

    if (!exact)
        return false;
    memcpy(exact, body, len);
    hl_tokens_init(&tokens, exact, len, NULL);
    root = hl_field_root(&tokens);
    code = hl_floats_fill(&root, values, 2, &n, &err);
    free(exact);
    if (isinf(wanted))
        return code == HL_INVALID;
    return code == HL_OK && n == 2 && is_same(values[0], wanted) &&
           is_same(values[1], wanted);
}

bool decimal_agrees(const char *text)
{
    char body[2 * DECIMAL_ROOM + 256];

    int len = snprintf(body, sizeof body, "[%s,%130s%s]", text, "", text);

    return is_read_as(body, (size_t)len, strtof(text, NULL));
}
