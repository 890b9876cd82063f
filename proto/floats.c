/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/floats.h"

#include "proto/floats_part.h"
#include "proto/number.h"

#include <endian.h>
#include <math.h>
#include <string.h>
#ifdef __SSE2__
#include <emmintrin.h>
#endif

enum {
    WINDOW = 128,   /* no number that the fast way reads is longer, its loads included */
    MAX_CHUNKS = 4, /* of eight digits behind the point: at most 31, as powers allow */
    FEW = 4096,     /* numbers; few vectors have more */
    BLOCK = 32,     /* numbers that are looked at together */
};

/* From 10^HL_FLOATS_MIN_TEN to 10^HL_FLOATS_MAX_TEN. Times a mantissa of 1 to 18 digits,
 * that is never a subnormal float nor too large for one. */
const double hl_floats_powers[] = {
    1e-37, 1e-36, 1e-35, 1e-34, 1e-33, 1e-32, 1e-31, 1e-30, 1e-29, 1e-28, 1e-27, 1e-26,
    1e-25, 1e-24, 1e-23, 1e-22, 1e-21, 1e-20, 1e-19, 1e-18, 1e-17, 1e-16, 1e-15, 1e-14,
    1e-13, 1e-12, 1e-11, 1e-10, 1e-9,  1e-8,  1e-7,  1e-6,  1e-5,  1e-4,  1e-3,  1e-2,
    1e-1,  1e0,   1e1,   1e2,   1e3,   1e4,   1e5,   1e6,   1e7,   1e8,   1e9,   1e10,
    1e11,  1e12,  1e13,  1e14,  1e15,  1e16,  1e17,  1e18,  1e19,
};

static const uint64_t tens[] = {1, 10, 100, 1000, 10000, 100000, 1000000, 10000000};

/* Mantissas below these have room for so many digits more, all in all 18. */
static const uint64_t room_for[] = {
    UINT64_C(1000000000000000000), UINT64_C(100000000000000000),
    UINT64_C(10000000000000000),   UINT64_C(1000000000000000),
    UINT64_C(100000000000000),     UINT64_C(10000000000000),
    UINT64_C(1000000000000),       UINT64_C(100000000000),
    UINT64_C(10000000000),
};

/* The worth of eight ASCII digits, already without their '0', the first in the lowest byte:
 * pairs, then fours, then all. */
static inline uint64_t worth_of_eight(uint64_t eight)
{
    const uint64_t pairs = UINT64_C(0x000000FF000000FF);
    const uint64_t high = UINT64_C(0x000F424000000064); /* 100, 1000000 */
    const uint64_t low = UINT64_C(0x0000271000000001);  /* 1, 10000 */

    eight = eight * 10 + (eight >> 8);
    return ((eight & pairs) * high + ((eight >> 16) & pairs) * low) >> 32;
}

#ifdef __SSE2__
/* The worth of sixteen digits at once; false when not all of them are digits. Every x86-64
 * has what this takes; elsewhere eight at a time do the same work. */
static inline bool read_sixteen(const char *at, uint64_t *ret_worth)
{
    __m128i bytes = _mm_sub_epi8(_mm_loadu_si128((const __m128i *)(const void *)at),
                                 _mm_set1_epi8('0'));
    __m128i is_digit = _mm_cmpeq_epi8(_mm_min_epu8(bytes, _mm_set1_epi8(9)), bytes);
    __m128i twos, fours, eights;
    uint64_t both;

    if (_mm_movemask_epi8(is_digit) != 0xFFFF)
        return false;
    twos = _mm_add_epi16(
        _mm_mullo_epi16(_mm_and_si128(bytes, _mm_set1_epi16(0xFF)), _mm_set1_epi16(10)),
        _mm_srli_epi16(bytes, 8));
    fours = _mm_madd_epi16(twos, _mm_set1_epi32(0x00010064)); /* 100, 1 */
    fours = _mm_packs_epi32(fours, fours);
    eights = _mm_madd_epi16(fours, _mm_set1_epi32(0x00012710)); /* 10000, 1 */
    both = (uint64_t)_mm_cvtsi128_si64(eights);
    *ret_worth = (uint32_t)both * UINT64_C(100000000) + (both >> 32);
    return true;
}

/* Where the first comma of 32 bytes would stand, if there is one: found without reading the
 * number before it, so that the processor can begin with the next one while that is still
 * in work. The empty statement keeps the compiler from proving this equal to the number's
 * end, and waiting for that after all. */
static inline const char *guess_comma(const char *at)
{
    const __m128i comma = _mm_set1_epi8(',');
    __m128i first = _mm_loadu_si128((const __m128i *)(const void *)at);
    __m128i second = _mm_loadu_si128((const __m128i *)(const void *)(at + 16));
    unsigned is_comma = (unsigned)_mm_movemask_epi8(_mm_cmpeq_epi8(first, comma)) |
                        (unsigned)_mm_movemask_epi8(_mm_cmpeq_epi8(second, comma)) << 16;
    const char *guess = at + __builtin_ctz(is_comma | 1U << 31);

    __asm__("" : "+r"(guess));
    return guess;
}
#else
static inline bool read_sixteen(const char *at, uint64_t *ret_worth)
{
    (void)at;
    (void)ret_worth;
    return false;
}

static inline const char *guess_comma(const char *at)
{
    return at; /* where no number ends */
}
#endif

/* Appends the digits that come to the mantissa. NULL when it has no room for them. */
static inline const char *add_digits(const char *at, uint64_t *mantissa)
{
    uint64_t eight, stop, sum = *mantissa;
    int n_chunks = 0;

    if (sum < 100 && read_sixteen(at, &eight)) {
        sum = sum * UINT64_C(10000000000000000) + eight;
        at += 16;
        n_chunks = 2;
    }
    for (; n_chunks < MAX_CHUNKS; n_chunks++) {
        unsigned bit;

        memcpy(&eight, at, sizeof eight);
        eight = le64toh(eight) ^ UINT64_C(0x3030303030303030);
        /* Above 9, a byte reaches its top bit. A carry spoils only bytes behind the first.
         */
        stop =
            ((eight + UINT64_C(0x7676767676767676)) | eight) & UINT64_C(0x8080808080808080);
        if (!stop) {
            if (sum >= room_for[8])
                return NULL;
            sum = sum * 100000000 + worth_of_eight(eight);
            at += 8;
            continue;
        }
        bit = (unsigned)__builtin_ctzll(stop); /* 8 * digits + 7 */
        if (sum >= room_for[8] && sum >= room_for[bit / 8])
            return NULL;
        /* The digits move to the end of the eight, zeros come in before them. */
        *mantissa = sum * tens[bit / 8] + worth_of_eight(eight << 8 << (63 - bit));
        return at + bit / 8;
    }
    return NULL;
}

/* The digits before the point behind the first, which may not be 0 then. */
static inline bool add_whole_digits(const char **at, uint64_t *mantissa)
{
    const char *digit = *at;

    for (; *digit >= '0' && *digit <= '9'; digit++) {
        if (*mantissa == 0 || *mantissa >= room_for[1])
            return false;
        *mantissa = *mantissa * 10 + (uint64_t)(*digit - '0');
    }
    *at = digit;
    return true;
}

/* Behind the 'e'. NULL when it is no exponent, or one that leads out of the powers. */
static const char *read_exponent(const char *at, int *exponent)
{
    bool is_negative = *at == '-';
    int value = 0, n = 0;

    if (*at == '-' || *at == '+')
        at++;
    for (; *at >= '0' && *at <= '9' && n < 4; n++)
        value = value * 10 + (*at++ - '0');
    if (n == 0 || n == 4)
        return NULL;
    *exponent += is_negative ? -value : value;
    return *exponent >= HL_FLOATS_MIN_TEN && *exponent <= HL_FLOATS_MAX_TEN ? at : NULL;
}

/* What follows the digits before the point. */
static inline const char *read_rest(const char *at, uint64_t mantissa, bool is_negative,
                                    float *ret_value)
{
    const char *point;
    int ten = 0;

    if (*at == '.') {
        point = at + 1;
        at = add_digits(point, &mantissa);
        if (!at || at == point)
            return NULL;
        ten = (int)(point - at);
    }
    if (*at != ',' && (*at == 'e' || *at == 'E')) {
        at = read_exponent(at + 1, &ten);
        if (!at)
            return NULL;
    }
    return hl_floats_make(mantissa, ten, is_negative, ret_value) ? at : NULL;
}

/* The number at `at`, from which WINDOW bytes can be read: where it ends, or NULL when it
 * is for somebody slower to say. */
static inline const char *read_number(const char *at, float *ret_value)
{
    bool is_negative = *at == '-';
    uint64_t mantissa;

    at += is_negative;
    if (at[0] == '0' && at[1] == '.') /* most numbers of a vector, with less to add up */
        return read_rest(at + 1, 0, is_negative, ret_value);
    mantissa = (uint64_t)(unsigned char)*at - '0';
    if (mantissa > 9)
        return NULL;
    at++;
    if (!add_whole_digits(&at, &mantissa))
        return NULL;
    return read_rest(at, mantissa, is_negative, ret_value);
}

static bool is_space(char c)
{
    return c == ' ' || c == '\n' || c == '\t' || c == '\r';
}

static const char *skip_space(const char *at, const char *end)
{
    while (at < end && is_space(*at))
        at++;
    return at;
}

/* Numbers and commas as long as that is all there is and the next one starts at `last` or
 * before. Stops before an item, or behind one that no comma follows. */
static const char *read_run(const char *at, const char *end, const char *last,
                            struct hl_floats_sink *sink, bool *ret_is_behind)
{
    const char *behind, *comma;
    float value = 0;

    *ret_is_behind = false;
    while ((at = hl_floats_plain(at, last, sink)) <= last) {
        comma = guess_comma(at);
        behind = read_number(at, &value);
        if (!behind) {
            if (!is_space(*at))
                return at;
            at = skip_space(at, end);
            continue;
        }
        hl_floats_keep(sink, value);
        if (behind == comma && *behind == ',') {
            at = comma + 1;
            if (*at == ' ')
                at++;
            continue;
        }
        at = skip_space(behind, end);
        *ret_is_behind = at == end || *at != ',';
        if (*ret_is_behind)
            return at;
        at++;
    }
    return at;
}

/* The last bytes of the text are read from a copy that has something around it. */
static const char *read_to_end(const struct hl_tokens *tokens, const char *at,
                               struct hl_floats_sink *sink, bool *ret_is_behind)
{
    const char *end = tokens->text + tokens->len;
    char copy[3 * WINDOW] = {0}, *to = copy + WINDOW;
    size_t len;

    sink->text = tokens->text;
    if (end - at >= WINDOW) {
        at = read_run(at, end, end - WINDOW, sink, ret_is_behind);
        if (*ret_is_behind || end - at >= WINDOW)
            return at;
    }
    len = (size_t)(end - at);
    memcpy(to, at, len);
    sink->text = copy;
    return at + (read_run(to, to + len, to + len, sink, ret_is_behind) - to);
}

/* The item that the fast way left, by the slow one. */
static enum hl_code keep_token(const struct hl_field *field, const struct hl_token *token,
                               struct hl_floats_sink *sink, struct hl_err *err)
{
    const struct hl_field item = {
        .parent = field, .tokens = field->tokens, .index = sink->n};
    float value;

    if (token->kind != HL_TOKEN_NUMBER)
        return hl_field_fail_type(&item, "a number", token, err);
    value = hl_number_float(token->text, token->len);
    if (!isfinite(value))
        return hl_field_fail_value(&item, token, "within the range of a 32-bit float", err);
    hl_floats_keep(sink, value);
    return HL_OK;
}

/* From behind the opening bracket to behind the closing one. */
static enum hl_code read_items(const struct hl_field *field, struct hl_floats_sink *sink,
                               struct hl_err *err)
{
    struct hl_tokens *tokens = field->tokens;
    const char *end = tokens->text + tokens->len, *at;
    struct hl_token token;
    enum hl_code code;
    bool is_behind;

    for (;;) {
        at = skip_space(tokens->text + tokens->at, end);
        is_behind = sink->n > 0;
        if (is_behind && at < end && *at == ',') {
            at = skip_space(at + 1, end);
            is_behind = false;
        }
        if (!is_behind)
            at = read_to_end(tokens, at, sink, &is_behind);
        if (is_behind)
            hl_tokens_resume_behind(tokens, (size_t)(at - tokens->text));
        else if (sink->n > 0)
            hl_tokens_resume_before(tokens, (size_t)(at - tokens->text));
        code = hl_tokens_next(tokens, &token, err);
        if (code != HL_OK || token.kind == HL_TOKEN_ARRAY_END)
            return code;
        code = keep_token(field, &token, sink, err);
        if (code != HL_OK)
            return code;
    }
}

static enum hl_code begin(const struct hl_field *field, struct hl_err *err)
{
    struct hl_token token;
    enum hl_code code = hl_tokens_next(field->tokens, &token, err);

    if (code == HL_OK && token.kind != HL_TOKEN_ARRAY_BEGIN)
        return hl_field_fail_type(field, "an array of numbers", &token, err);
    return code;
}

enum hl_code hl_floats_fill(const struct hl_field *field, float *values, size_t n_room,
                            size_t *ret_n, struct hl_err *err)
{
    enum hl_code code = begin(field, err);
    struct hl_floats_sink sink = {0};

    sink.values = values;
    sink.n_room = n_room;
    if (code == HL_OK)
        code = read_items(field, &sink, err);
    if (code == HL_OK)
        *ret_n = sink.n;
    return code;
}

/* How many there are is known behind the last one. Vectors are read into a room that is
 * there anyway; what is longer is read once more, into one that fits. */
enum hl_code hl_floats_read(const struct hl_field *field, float **ret_values, size_t *ret_n,
                            struct hl_err *err)
{
    const struct hl_tokens before = *field->tokens;
    float few[FEW], *values;
    size_t n = 0;
    enum hl_code code = hl_floats_fill(field, few, FEW, &n, err);

    if (code != HL_OK)
        return code;
    values = hl_arena_floats(before.arena, n ? n : 1, 1);
    if (!values)
        return hl_arena_fail(before.arena, err, "an array of %zu numbers", n);
    if (n > FEW) {
        *field->tokens = before;
        code = hl_floats_fill(field, values, n, &n, err);
        if (code != HL_OK)
            return code;
    } else {
        memcpy(values, few, n * sizeof *values);
    }
    *ret_values = values;
    *ret_n = n;
    return HL_OK;
}

/* Whole blocks first, without a branch in them. */
size_t hl_floats_count_finite(const float *values, size_t n)
{
    const uint32_t magnitude = UINT32_C(0x7FFFFFFF), largest = UINT32_C(0x7F7FFFFF);
    size_t at = 0;

    for (; n - at >= BLOCK; at += BLOCK) {
        uint32_t bits[BLOCK], is_wild = 0;

        memcpy(bits, values + at, sizeof bits);
        for (size_t i = 0; i < BLOCK; i++)
            is_wild |= (bits[i] & magnitude) > largest;
        if (is_wild)
            break;
    }
    while (at < n && isfinite(values[at]))
        at++;
    return at;
}
