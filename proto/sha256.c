/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/sha256.h"

#include <string.h>

enum { BLOCK = 64, LENGTH_AT = 56, N_ROUNDS = 64 };

static const uint32_t constants[N_ROUNDS] = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4,
    0xab1c5ed5, 0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe,
    0x9bdc06a7, 0xc19bf174, 0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f,
    0x4a7484aa, 0x5cb0a9dc, 0x76f988da, 0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7,
    0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967, 0x27b70a85, 0x2e1b2138, 0x4d2c6dfc,
    0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85, 0xa2bfe8a1, 0xa81a664b,
    0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070, 0x19a4c116,
    0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7,
    0xc67178f2};

static uint32_t turn(uint32_t x, unsigned n)
{
    return (x >> n) | (x << (32 - n));
}

static uint32_t read_u32(const unsigned char *bytes)
{
    return (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 |
           (uint32_t)bytes[3];
}

static void write_u32(unsigned char *bytes, uint32_t value)
{
    for (int i = 0; i < 4; i++)
        bytes[i] = (unsigned char)(value >> (24 - 8 * i));
}

static void spread(const unsigned char *block, uint32_t words[N_ROUNDS])
{
    for (int i = 0; i < 16; i++)
        words[i] = read_u32(block + 4 * (size_t)i);
    for (int i = 16; i < N_ROUNDS; i++) {
        uint32_t a = words[i - 15], b = words[i - 2];

        words[i] = words[i - 16] + (turn(a, 7) ^ turn(a, 18) ^ (a >> 3)) + words[i - 7] +
                   (turn(b, 17) ^ turn(b, 19) ^ (b >> 10));
    }
}

/* The standard's names of the eight words: s[0] is its a, s[7] its h. */
static void mix(uint32_t state[8], const unsigned char *block)
{
    uint32_t words[N_ROUNDS], s[8];

    spread(block, words);
    memcpy(s, state, sizeof s);
    for (int i = 0; i < N_ROUNDS; i++) {
        uint32_t choice = (s[4] & s[5]) ^ (~s[4] & s[6]);
        uint32_t majority = (s[0] & s[1]) ^ (s[0] & s[2]) ^ (s[1] & s[2]);
        uint32_t first = s[7] + (turn(s[4], 6) ^ turn(s[4], 11) ^ turn(s[4], 25)) + choice +
                         constants[i] + words[i];
        uint32_t second = (turn(s[0], 2) ^ turn(s[0], 13) ^ turn(s[0], 22)) + majority;

        memmove(s + 1, s, 7 * sizeof *s);
        s[4] += first;
        s[0] = first + second;
    }
    for (int i = 0; i < 8; i++)
        state[i] += s[i];
}

void hl_sha256_init(struct hl_sha256 *sha)
{
    *sha = (struct hl_sha256){.state = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
                                        0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19}};
}

void hl_sha256_add(struct hl_sha256 *sha, const void *bytes, size_t size)
{
    const unsigned char *at = bytes;
    size_t held = sha->n_bytes % BLOCK;

    sha->n_bytes += size;
    if (held > 0) {
        size_t n = size < BLOCK - held ? size : BLOCK - held;

        memcpy(sha->block + held, at, n);
        at += n;
        size -= n;
        if (held + n < BLOCK)
            return;
        mix(sha->state, sha->block);
    }
    for (; size >= BLOCK; at += BLOCK, size -= BLOCK)
        mix(sha->state, at);
    if (size > 0)
        memcpy(sha->block, at, size);
}

void hl_sha256_finish(struct hl_sha256 *sha, unsigned char sum[HL_SHA256_SIZE])
{
    static const unsigned char padding[BLOCK] = {0x80};
    const uint64_t n_bits = sha->n_bytes * 8;
    size_t held = sha->n_bytes % BLOCK;
    unsigned char length[8];

    write_u32(length, (uint32_t)(n_bits >> 32));
    write_u32(length + 4, (uint32_t)n_bits);
    hl_sha256_add(sha, padding,
                  held < LENGTH_AT ? LENGTH_AT - held : BLOCK + LENGTH_AT - held);
    hl_sha256_add(sha, length, sizeof length);
    for (size_t i = 0; i < 8; i++)
        write_u32(sum + 4 * i, sha->state[i]);
}

void hl_sha256_finish_text(struct hl_sha256 *sha, char text[HL_SHA256_TEXT_SIZE])
{
    static const char digits[] = "0123456789abcdef";
    unsigned char sum[HL_SHA256_SIZE];

    hl_sha256_finish(sha, sum);
    for (size_t i = 0; i < sizeof sum; i++) {
        text[2 * i] = digits[sum[i] >> 4];
        text[2 * i + 1] = digits[sum[i] & 15];
    }
    text[2 * sizeof sum] = '\0';
}
