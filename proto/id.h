/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HL_PROTO_ID_H
#define HL_PROTO_ID_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* The name a caller gave a point: an unsigned 64-bit number or a UUID.
 *
 * Plain data without padding, in the order that scrolling promises: numbers before UUIDs,
 * each by size. Unused bytes are zero, so two ids are equal when their memory is. Pure
 * functions, any thread. */
enum hl_id_tag { HL_ID_NUMBER = 0, HL_ID_UUID = 1 };

#define HL_ID_ENCODED_MAX 17
#define HL_ID_TEXT_SIZE   37 /* the longest in words, with its terminating zero */

struct hl_id {
    uint8_t tag;
    uint8_t bytes[16]; /* big-endian; a number has the first eight */
};

struct hl_id hl_id_number(uint64_t number);

/* The number of an id whose tag is HL_ID_NUMBER. */
uint64_t hl_id_value(const struct hl_id *id);

/* The spellings Qdrant takes, in either case: 8-4-4-4-12 digits, that in braces or behind
 * "urn:uuid:", and 32 digits without hyphens. */
bool hl_id_parse_uuid(const char *text, size_t len, struct hl_id *ret_id);

/* Digits, or lower case with hyphens; the length without the terminating zero. */
size_t hl_id_print(const struct hl_id *id, char text[HL_ID_TEXT_SIZE]);

static inline int hl_id_compare(const struct hl_id *a, const struct hl_id *b)
{
    return memcmp(a, b, sizeof *a);
}

/* Bytes for a file: the tag and what is used behind it, 9 or 17. Their order is the ids'.
 */
size_t hl_id_encode(const struct hl_id *id, uint8_t bytes[HL_ID_ENCODED_MAX]);

/* False when the bytes are not an encoded id. */
bool hl_id_decode(const void *bytes, size_t size, struct hl_id *ret_id);

#endif
