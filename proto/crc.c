/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/crc.h"

#include <string.h>

#ifdef __x86_64__
#include <nmmintrin.h>
#endif

/* The polynomial with its bits reversed, as the register shifts to the right. */
static const uint32_t polynomial = 0x82F63B78U;

/* Four bits at a time: a table of sixteen, made as it is needed, costs nothing to keep. */
uint32_t hl_crc_portable(uint32_t crc, const void *bytes, size_t size)
{
    const unsigned char *at = bytes;
    uint32_t table[16];

    for (uint32_t nibble = 0; nibble < 16; nibble++) {
        uint32_t entry = nibble;

        for (int bit = 0; bit < 4; bit++)
            entry = entry & 1U ? (entry >> 1) ^ polynomial : entry >> 1;
        table[nibble] = entry;
    }
    crc = ~crc;
    for (size_t i = 0; i < size; i++) {
        crc ^= at[i];
        crc = table[crc & 15U] ^ (crc >> 4);
        crc = table[crc & 15U] ^ (crc >> 4);
    }
    return ~crc;
}

#ifdef __x86_64__
__attribute__((target("sse4.2"))) static uint32_t crc_sse42(uint32_t crc, const void *bytes,
                                                            size_t size)
{
    const unsigned char *at = bytes;
    uint64_t sum = ~crc;

    for (; size >= sizeof(uint64_t); size -= sizeof(uint64_t), at += sizeof(uint64_t)) {
        uint64_t word;

        memcpy(&word, at, sizeof word);
        sum = _mm_crc32_u64(sum, word);
    }
    for (; size; size--, at++)
        sum = _mm_crc32_u8((uint32_t)sum, *at);
    return ~(uint32_t)sum;
}
#endif

uint32_t hl_crc(uint32_t crc, const void *bytes, size_t size)
{
#ifdef __x86_64__
    if (__builtin_cpu_supports("sse4.2"))
        return crc_sse42(crc, bytes, size);
#endif
    return hl_crc_portable(crc, bytes, size);
}
