/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/floats_part.h"

#ifdef __x86_64__
#include <immintrin.h>

#define AVX2 __attribute__((target("avx2")))

/* The worth of the digits that stand before `end`, n of them, 32 at most, and 32 bytes can
 * be read there; false when not all of them are digits, or where they are more than 18. */
AVX2 static inline bool read_digits(const char *end, size_t n, uint64_t *ret_worth)
{
    static const signed char is_in[64] = {
        0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,
        0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,
        -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1,
        -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1};
    const __m256i bytes = _mm256_and_si256(
        _mm256_sub_epi8(_mm256_loadu_si256((const __m256i *)(const void *)(end - 32)),
                        _mm256_set1_epi8('0')),
        _mm256_loadu_si256((const __m256i *)(const void *)(is_in + n)));
    const __m256i is_digit =
        _mm256_cmpeq_epi8(_mm256_min_epu8(bytes, _mm256_set1_epi8(9)), bytes);
    const __m256i twos = _mm256_maddubs_epi16(bytes, _mm256_set1_epi16(0x010A)); /* 10, 1 */
    const __m256i fours =
        _mm256_madd_epi16(twos, _mm256_set1_epi32(0x00010064)); /* 100, 1 */
    const __m256i eights = _mm256_madd_epi16(_mm256_packus_epi32(fours, fours),
                                             _mm256_set1_epi32(0x00012710)); /* 10000, 1 */
    const uint64_t low = (uint64_t)_mm256_extract_epi64(eights, 2);
    const uint64_t high = (uint64_t)_mm256_extract_epi64(eights, 0);

    if (_mm256_movemask_epi8(is_digit) != -1 || (high & UINT32_MAX) != 0 ||
        high >> 32 >= 100)
        return false;
    *ret_worth = (high >> 32) * UINT64_C(10000000000000000) +
                 (low & UINT32_MAX) * UINT64_C(100000000) + (low >> 32);
    return true;
}

/* Where commas stand among 64 bytes. */
AVX2 static inline uint64_t commas_among(const char *at)
{
    const __m256i comma = _mm256_set1_epi8(',');
    const __m256i first = _mm256_loadu_si256((const __m256i *)(const void *)at);
    const __m256i second = _mm256_loadu_si256((const __m256i *)(const void *)(at + 32));

    return (uint32_t)_mm256_movemask_epi8(_mm256_cmpeq_epi8(first, comma)) |
           (uint64_t)(uint32_t)_mm256_movemask_epi8(_mm256_cmpeq_epi8(second, comma)) << 32;
}

/* Where each number ends is known from the commas, before it is read: so the processor is
 * at several at a time. Marked by itself, so that nothing else comes to need these
 * instructions. */
AVX2 static const char *read_plain_run(const char *at, const char *last,
                                       struct hl_floats_sink *sink)
{
    while (at <= last) {
        const char *from = at;
        uint64_t commas = commas_among(from);

        if (!commas)
            return at;
        for (; commas; commas &= commas - 1) {
            const char *end = from + __builtin_ctzll(commas);
            const bool is_negative = *at == '-';
            const char *digits = at + is_negative + 2;
            uint64_t mantissa;
            float value;

            if (digits[-2] != '0' || digits[-1] != '.' || digits >= end ||
                end - digits > 32 || end - sink->text < 32 ||
                !read_digits(end, (size_t)(end - digits), &mantissa) ||
                !hl_floats_make(mantissa, (int)(digits - end), is_negative, &value))
                return at;
            hl_floats_keep(sink, value);
            at = end + 1;
            if (*at == ' ')
                at++;
        }
    }
    return at;
}

const char *hl_floats_plain(const char *at, const char *last, struct hl_floats_sink *sink)
{
    const char *digit;

    if (at > last)
        return at;
    digit = at + (*at == '-');
    if (digit[0] != '0' || digit[1] != '.' || !__builtin_cpu_supports("avx2"))
        return at;
    return read_plain_run(at, last, sink);
}
#else
const char *hl_floats_plain(const char *at, const char *last, struct hl_floats_sink *sink)
{
    (void)last;
    (void)sink;
    return at;
}
#endif
