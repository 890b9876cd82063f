/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/base64.h"

#include <stdint.h>
#include <string.h>
#ifdef __x86_64__
#include <immintrin.h>
#endif

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__,
               "a float in memory is taken for its bytes on the wire");

static const char alphabet[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/* VALID | the six bits a character stands for; 0 for one that stands for nothing. */
enum { VALID = 0x40, SIX_BITS = 0x3f };

#define V(bits) (VALID | (bits))
static const uint8_t meaning[256] = {
    ['A'] = V(0),  ['B'] = V(1),  ['C'] = V(2),  ['D'] = V(3),  ['E'] = V(4),
    ['F'] = V(5),  ['G'] = V(6),  ['H'] = V(7),  ['I'] = V(8),  ['J'] = V(9),
    ['K'] = V(10), ['L'] = V(11), ['M'] = V(12), ['N'] = V(13), ['O'] = V(14),
    ['P'] = V(15), ['Q'] = V(16), ['R'] = V(17), ['S'] = V(18), ['T'] = V(19),
    ['U'] = V(20), ['V'] = V(21), ['W'] = V(22), ['X'] = V(23), ['Y'] = V(24),
    ['Z'] = V(25), ['a'] = V(26), ['b'] = V(27), ['c'] = V(28), ['d'] = V(29),
    ['e'] = V(30), ['f'] = V(31), ['g'] = V(32), ['h'] = V(33), ['i'] = V(34),
    ['j'] = V(35), ['k'] = V(36), ['l'] = V(37), ['m'] = V(38), ['n'] = V(39),
    ['o'] = V(40), ['p'] = V(41), ['q'] = V(42), ['r'] = V(43), ['s'] = V(44),
    ['t'] = V(45), ['u'] = V(46), ['v'] = V(47), ['w'] = V(48), ['x'] = V(49),
    ['y'] = V(50), ['z'] = V(51), ['0'] = V(52), ['1'] = V(53), ['2'] = V(54),
    ['3'] = V(55), ['4'] = V(56), ['5'] = V(57), ['6'] = V(58), ['7'] = V(59),
    ['8'] = V(60), ['9'] = V(61), ['+'] = V(62), ['/'] = V(63),
};
#undef V

static size_t padding_of(const char *text, size_t len)
{
    if (len < 2 || text[len - 1] != '=')
        return 0;
    return text[len - 2] == '=' ? 2 : 1;
}

enum hl_code hl_base64_count(const char *text, size_t len, size_t *ret_n_values,
                             struct hl_err *err)
{
    size_t n_bytes;

    if (len % 4 != 0)
        return hl_fail(err, HL_MALFORMED,
                       "%zu characters of base64 came, a multiple of 4 was wanted", len);
    n_bytes = len / 4 * 3 - padding_of(text, len);
    if (n_bytes == 0 || n_bytes % sizeof(float) != 0)
        return hl_fail(err, HL_MALFORMED,
                       "%zu bytes came as base64, a multiple of 4 was wanted: "
                       "float32, little-endian",
                       n_bytes);
    *ret_n_values = n_bytes / sizeof(float);
    return HL_OK;
}

static enum hl_code fail_at_first_bad(const char *text, size_t len, struct hl_err *err)
{
    size_t at = 0;
    unsigned char c;

    while (at < len && meaning[(unsigned char)text[at]])
        at++;
    assert(at < len);
    c = (unsigned char)text[at];
    if (c == '=')
        return hl_fail(err, HL_MALFORMED,
                       "base64 is padded at character %zu, before its end", at);
    if (c > ' ' && c < 0x7f)
        return hl_fail(err, HL_MALFORMED, "character %zu of base64 is \"%c\"", at, c);
    return hl_fail(err, HL_MALFORMED, "character %zu of base64 is the byte 0x%02x", at, c);
}

/* Four characters as 24 bits, and whether all of them mean something. */
static uint32_t decode_four(const unsigned char *text, uint32_t *valid)
{
    uint32_t a = meaning[text[0]], b = meaning[text[1]];
    uint32_t c = meaning[text[2]], d = meaning[text[3]];

    *valid &= a & b & c & d;
    return (a & SIX_BITS) << 18 | (b & SIX_BITS) << 12 | (c & SIX_BITS) << 6 |
           (d & SIX_BITS);
}

/* The last group, of which `n_bytes` are bytes and the rest must be zero bits. */
static enum hl_code decode_padded(const char *text, size_t len, size_t n_bytes,
                                  unsigned char *bytes, struct hl_err *err)
{
    unsigned char four[4] = {'A', 'A', 'A', 'A'};
    uint32_t valid = VALID, bits;

    memcpy(four, text + len - 4, n_bytes + 1);
    bits = decode_four(four, &valid);
    if (!valid)
        return fail_at_first_bad(text, len, err);
    if (bits & (0xffffffU >> (8 * n_bytes)))
        return hl_fail(err, HL_MALFORMED,
                       "character %zu of base64 is \"%c\": its last bits belong to no byte "
                       "and are not zero",
                       len - 4 + n_bytes, four[n_bytes]);
    for (size_t i = 0; i < n_bytes; i++)
        bytes[i] = (unsigned char)(bits >> (16 - 8 * i));
    return HL_OK;
}

#ifdef __x86_64__
enum { AT_ONCE = 32, ROOM_BEHIND = 16 }; /* characters that 24 bytes come from, and more */

/* Thirty-two characters at a time, as Muła and Lemire do it: the halves of a character say
 * which of its alphabet's runs it stands in, and whether in any, and each run has its
 * distance from the bits it means. Stops before a character that means nothing and near the
 * end, since it writes 8 bytes too many. Marked by itself, so that nothing else comes to
 * need these instructions. */
__attribute__((target("avx2"))) static size_t decode_many(const char *text, size_t n_whole,
                                                          unsigned char *bytes)
{
    const __m256i low = _mm256_broadcastsi128_si256(
        _mm_setr_epi8(0x15, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0x13,
                      0x1A, 0x1B, 0x1B, 0x1B, 0x1A));
    const __m256i high = _mm256_broadcastsi128_si256(
        _mm_setr_epi8(0x10, 0x10, 0x01, 0x02, 0x04, 0x08, 0x04, 0x08, 0x10, 0x10, 0x10,
                      0x10, 0x10, 0x10, 0x10, 0x10));
    const __m256i distance = _mm256_broadcastsi128_si256(
        _mm_setr_epi8(0, 16, 19, 4, -65, -65, -71, -71, 0, 0, 0, 0, 0, 0, 0, 0));
    const __m256i order = _mm256_broadcastsi128_si256(
        _mm_setr_epi8(2, 1, 0, 6, 5, 4, 10, 9, 8, 14, 13, 12, -1, -1, -1, -1));
    const __m256i half = _mm256_set1_epi8(0x2F), slash = _mm256_set1_epi8('/');
    size_t at = 0;

    for (; at + AT_ONCE + ROOM_BEHIND <= n_whole; at += AT_ONCE) {
        __m256i in = _mm256_loadu_si256((const __m256i *)(const void *)(text + at));
        const __m256i upper = _mm256_and_si256(_mm256_srli_epi32(in, 4), half);
        const __m256i run = _mm256_add_epi8(_mm256_cmpeq_epi8(in, slash),
                                            upper); /* '/' is one of its own */

        if (!_mm256_testz_si256(_mm256_shuffle_epi8(low, _mm256_and_si256(in, half)),
                                _mm256_shuffle_epi8(high, upper)))
            break;
        in = _mm256_add_epi8(in, _mm256_shuffle_epi8(distance, run));
        in = _mm256_maddubs_epi16(in, _mm256_set1_epi32(0x01400140));
        in = _mm256_madd_epi16(in, _mm256_set1_epi32(0x00011000));
        in = _mm256_permutevar8x32_epi32(_mm256_shuffle_epi8(in, order),
                                         _mm256_setr_epi32(0, 1, 2, 4, 5, 6, -1, -1));
        _mm256_storeu_si256((__m256i *)(void *)(bytes + at / 4 * 3), in);
    }
    return at;
}

static size_t decode_fast(const char *text, size_t n_whole, unsigned char *bytes)
{
    return __builtin_cpu_supports("avx2") ? decode_many(text, n_whole, bytes) : 0;
}
#else
static size_t decode_fast(const char *text, size_t n_whole, unsigned char *bytes)
{
    (void)text;
    (void)n_whole;
    (void)bytes;
    return 0;
}
#endif

enum hl_code hl_base64_decode(const char *text, size_t len, size_t n_values, float *values,
                              struct hl_err *err)
{
    unsigned char *bytes = (unsigned char *)values;
    uint32_t valid = VALID;
    size_t n_came, n_padded, n_whole;
    enum hl_code code = hl_base64_count(text, len, &n_came, err);

    if (code != HL_OK)
        return code;
    if (n_came != n_values)
        return hl_fail(err, HL_DIMENSION_MISMATCH,
                       "%zu numbers came as base64, %zu were wanted", n_came, n_values);
    n_padded = padding_of(text, len);
    n_whole = len / 4 - (n_padded ? 1 : 0);
    for (size_t i = decode_fast(text, 4 * n_whole, bytes) / 4; i < n_whole; i++) {
        uint32_t bits = decode_four((const unsigned char *)text + 4 * i, &valid);

        bytes[3 * i] = (unsigned char)(bits >> 16);
        bytes[3 * i + 1] = (unsigned char)(bits >> 8);
        bytes[3 * i + 2] = (unsigned char)bits;
    }
    if (!valid)
        return fail_at_first_bad(text, len, err);
    return n_padded ? decode_padded(text, len, 3 - n_padded, bytes + 3 * n_whole, err)
                    : HL_OK;
}

static void encode_three(const unsigned char *bytes, char *text)
{
    uint32_t bits = (uint32_t)bytes[0] << 16 | (uint32_t)bytes[1] << 8 | bytes[2];

    text[0] = alphabet[bits >> 18];
    text[1] = alphabet[bits >> 12 & SIX_BITS];
    text[2] = alphabet[bits >> 6 & SIX_BITS];
    text[3] = alphabet[bits & SIX_BITS];
}

void hl_base64_encode(const float *values, size_t n_values, struct hl_buf *buf)
{
    const unsigned char *bytes = (const unsigned char *)values;
    size_t n_bytes = n_values * sizeof *values; /* they are in memory: it fits */
    size_t n_left = n_bytes % 3, len = (n_bytes + 2) / 3 * 4;
    unsigned char last[3] = {0};
    char *text = hl_buf_reserve(buf, len);

    if (!text)
        return;
    for (size_t i = 0; i < n_bytes / 3; i++)
        encode_three(bytes + 3 * i, text + 4 * i);
    if (n_left) {
        memcpy(last, bytes + n_bytes - n_left, n_left);
        encode_three(last, text + len - 4);
        memset(text + len - 3 + n_left, '=', 3 - n_left);
    }
    text[len] = '\0';
    buf->len += len;
}
