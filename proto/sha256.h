/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HL_PROTO_SHA256_H
#define HL_PROTO_SHA256_H

#include <stddef.h>
#include <stdint.h>

/* SHA-256 (FIPS 180-4), piece by piece: the checksum that a snapshot is handed round with.
 * Plain data of the caller; one thread at a time. */
struct hl_sha256 {
    uint32_t state[8];
    uint64_t n_bytes;
    unsigned char block[64]; /* what waits for the rest of its block */
};

#define HL_SHA256_SIZE      32
#define HL_SHA256_TEXT_SIZE 65 /* in lower-case hexadecimal digits, terminated */

void hl_sha256_init(struct hl_sha256 *sha);
void hl_sha256_add(struct hl_sha256 *sha, const void *bytes, size_t size);

/* The sum of all that was added; nothing may be added behind it. */
void hl_sha256_finish(struct hl_sha256 *sha, unsigned char sum[HL_SHA256_SIZE]);
void hl_sha256_finish_text(struct hl_sha256 *sha, char text[HL_SHA256_TEXT_SIZE]);

#endif
