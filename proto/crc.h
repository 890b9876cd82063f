/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HL_PROTO_CRC_H
#define HL_PROTO_CRC_H

#include <stddef.h>
#include <stdint.h>

/* CRC-32C (Castagnoli): notices a flipped bit in a file. Any thread.
 *
 * Start with 0 and hand the result back in for the next piece. Runs on the processor's own
 * instruction where it has one. */
uint32_t hl_crc(uint32_t crc, const void *bytes, size_t size);

/* The same without the instruction, which tests compare with. */
uint32_t hl_crc_portable(uint32_t crc, const void *bytes, size_t size);

#endif
