/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/quoted.h"

#include "proto/hex.h"
#include "proto/utf8.h"

#include <stdint.h>
#include <string.h>
#ifdef __SSE2__
#include <emmintrin.h>
#endif

/* The four hexadecimal digits of a \u escape, -1 when they are not there. */
static int hex_four(const char *at, const char *end)
{
    int value = 0;

    if (end - at < 4)
        return -1;
    for (int i = 0; i < 4; i++) {
        int digit = hl_hex_digit(at[i]);

        if (digit < 0)
            return -1;
        value = value * 16 + digit;
    }
    return value;
}

/* What an escape means and how many bytes it took, its backslash being at `at`; 0 bytes
 * when it means nothing. */
static size_t read_escape(const char *at, const char *end, uint32_t *ret_code_point)
{
    static const char letters[] = "\"\\/bfnrt";
    static const char meanings[] = "\"\\/\b\f\n\r\t";
    const char *letter;
    int high, low;

    if (end - at < 2)
        return 0;
    if (at[1] != 'u') {
        letter = memchr(letters, at[1], sizeof letters - 1);
        if (!letter)
            return 0;
        *ret_code_point = (uint32_t)meanings[letter - letters];
        return 2;
    }
    high = hex_four(at + 2, end);
    if (high < 0 || (high >= 0xDC00 && high <= 0xDFFF))
        return 0;
    *ret_code_point = (uint32_t)high;
    if (high < 0xD800 || high > 0xDBFF)
        return 6;
    low = end - at >= 8 && at[6] == '\\' && at[7] == 'u' ? hex_four(at + 8, end) : -1;
    if (low < 0xDC00 || low > 0xDFFF)
        return 0;
    *ret_code_point =
        0x10000U + (((uint32_t)high - 0xD800U) << 10) + (uint32_t)low - 0xDC00U;
    return 12;
}

/* How many bytes are no quote, no backslash, no control and not beyond ASCII, or some
 * fewer.
 */
#ifdef __SSE2__
static size_t count_plain(const char *text, size_t len)
{
    size_t at = 0;
    unsigned special = 0;

    for (; special == 0 && len - at >= 16; at += 16) {
        const __m128i bytes = _mm_loadu_si128((const __m128i *)(const void *)(text + at));
        const __m128i quote = _mm_cmpeq_epi8(bytes, _mm_set1_epi8('"'));
        const __m128i slash = _mm_cmpeq_epi8(bytes, _mm_set1_epi8('\\'));
        const __m128i other = _mm_cmplt_epi8(bytes, _mm_set1_epi8(0x20)); /* signed */

        special =
            (unsigned)_mm_movemask_epi8(_mm_or_si128(_mm_or_si128(quote, slash), other));
    }
    return special ? at - 16 + (unsigned)__builtin_ctz(special) : at;
}
#else
/* The usual trick of borrowing into the top bit. */
static bool is_special_in(uint64_t eight)
{
    const uint64_t ones = UINT64_C(0x0101010101010101), tops = ones << 7;
    uint64_t quote = eight ^ (ones * '"'), slash = eight ^ (ones * '\\');

    return ((eight - ones * 0x20U) | (quote - ones) | (slash - ones) | eight) & tops;
}

static size_t count_plain(const char *text, size_t len)
{
    size_t at = 0;
    uint64_t eight;

    for (; len - at >= sizeof eight; at += sizeof eight) {
        memcpy(&eight, text + at, sizeof eight);
        if (is_special_in(eight))
            break;
    }
    return at;
}
#endif

const char *hl_quoted_scan(const char *text, size_t len, size_t *ret_end,
                           bool *ret_has_escapes)
{
    size_t at = 0, n = 1;
    bool has_escapes = false;
    uint32_t code_point;

    while (n) {
        at += count_plain(text + at, len - at);
        if (at == len || text[at] == '"')
            break;
        n = 0;
        if (text[at] == '\\') {
            n = read_escape(text + at, text + len, &code_point);
            has_escapes = true;
        } else if ((unsigned char)text[at] >= 0x20U) {
            n = hl_utf8_char_len(text + at, len - at);
        }
        at += n;
    }
    *ret_end = at;
    *ret_has_escapes = has_escapes;
    if (at >= len)
        return "expected a closing quote, got the end";
    if (text[at] == '"')
        return NULL;
    if (text[at] == '\\')
        return "invalid escape in a string";
    if ((unsigned char)text[at] < 0x20U)
        return "control character in a string";
    return "invalid UTF-8 in a string";
}

size_t hl_quoted_resolve(const char *text, size_t len, char *ret_bytes)
{
    const char *from = text, *end = text + len;
    char *to = ret_bytes;

    while (from < end) {
        const char *escape = memchr(from, '\\', (size_t)(end - from));
        size_t plain = (size_t)((escape ? escape : end) - from);
        uint32_t code_point = 0;

        memcpy(to, from, plain);
        to += plain;
        from += plain;
        if (!escape)
            break;
        from += read_escape(from, end, &code_point);
        to += hl_utf8_put(code_point, to);
    }
    return (size_t)(to - ret_bytes);
}
