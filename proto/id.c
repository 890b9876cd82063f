/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/id.h"

#include "proto/hex.h"
#include "proto/number.h"

#include <assert.h>
#include <string.h>

static_assert(sizeof(struct hl_id) == HL_ID_ENCODED_MAX, "ids are compared as memory");

enum { NUMBER_BYTES = 8, UUID_BYTES = 16, HYPHENATED = 36, URN = 9 };

struct hl_id hl_id_number(uint64_t number)
{
    struct hl_id id = {.tag = HL_ID_NUMBER};

    for (int i = NUMBER_BYTES - 1; i >= 0; i--) {
        id.bytes[i] = (uint8_t)number;
        number >>= 8;
    }
    return id;
}

uint64_t hl_id_value(const struct hl_id *id)
{
    uint64_t number = 0;

    assert(id->tag == HL_ID_NUMBER);
    for (int i = 0; i < NUMBER_BYTES; i++)
        number = number << 8 | id->bytes[i];
    return number;
}

/* Whether the hyphenated form has a hyphen in front of this byte. */
static bool is_group_start(int byte)
{
    return byte == 4 || byte == 6 || byte == 8 || byte == 10;
}

static bool read_digits(const char *text, bool has_hyphens, uint8_t bytes[UUID_BYTES])
{
    for (int i = 0; i < UUID_BYTES; i++) {
        int high, low;

        if (has_hyphens && is_group_start(i) && *text++ != '-')
            return false;
        high = hl_hex_digit(text[0]);
        low = hl_hex_digit(text[1]);
        if (high < 0 || low < 0)
            return false;
        bytes[i] = (uint8_t)(high << 4 | low);
        text += 2;
    }
    return true;
}

bool hl_id_parse_uuid(const char *text, size_t len, struct hl_id *ret_id)
{
    struct hl_id id = {.tag = HL_ID_UUID};

    if (len == HYPHENATED + 2 && text[0] == '{' && text[len - 1] == '}') {
        text++;
        len -= 2;
    } else if (len == HYPHENATED + URN && memcmp(text, "urn:uuid:", URN) == 0) {
        text += URN;
        len -= URN;
    }
    if (len != HYPHENATED && len != (size_t)2 * UUID_BYTES)
        return false;
    if (!read_digits(text, len == HYPHENATED, id.bytes))
        return false;
    *ret_id = id;
    return true;
}

static size_t print_number(uint64_t number, char text[HL_ID_TEXT_SIZE])
{
    char digits[HL_NUMBER_DIGITS];
    const size_t at = hl_number_digits(number, digits), len = sizeof digits - at;

    memcpy(text, digits + at, len);
    text[len] = '\0';
    return len;
}

size_t hl_id_print(const struct hl_id *id, char text[HL_ID_TEXT_SIZE])
{
    static const char digits[] = "0123456789abcdef";
    char *at = text;

    if (id->tag == HL_ID_NUMBER)
        return print_number(hl_id_value(id), text);
    for (int i = 0; i < UUID_BYTES; i++) {
        if (is_group_start(i))
            *at++ = '-';
        *at++ = digits[id->bytes[i] >> 4];
        *at++ = digits[id->bytes[i] & 15];
    }
    *at = '\0';
    return (size_t)(at - text);
}

size_t hl_id_encode(const struct hl_id *id, uint8_t bytes[HL_ID_ENCODED_MAX])
{
    memcpy(bytes, id, sizeof *id);
    return id->tag == HL_ID_NUMBER ? 1 + NUMBER_BYTES : 1 + UUID_BYTES;
}

bool hl_id_decode(const void *bytes, size_t size, struct hl_id *ret_id)
{
    struct hl_id id = {0};
    size_t wanted;

    if (size < 1)
        return false;
    id.tag = *(const uint8_t *)bytes;
    wanted = id.tag == HL_ID_NUMBER ? 1 + NUMBER_BYTES : 1 + UUID_BYTES;
    if (id.tag > HL_ID_UUID || size != wanted)
        return false;
    memcpy(&id, bytes, size);
    *ret_id = id;
    return true;
}
