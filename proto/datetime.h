/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HL_PROTO_DATETIME_H
#define HL_PROTO_DATETIME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A moment as payloads and filters spell it, in microseconds since 1970 in UTC.
 *
 * RFC 3339, and what Qdrant takes beside it: a space for the T, an offset without colon or
 * minutes, no offset at all (UTC then), `2024-05-01 12:30`, `2024-05-01`. Digits behind the
 * microseconds are cut off. False when the text is none of these. Pure, any thread. */
bool hl_datetime_parse(const char *text, size_t len, int64_t *ret_us);

#endif
