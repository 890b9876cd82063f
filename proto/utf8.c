/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/utf8.h"

#include <assert.h>
#include <stdbool.h>
#include <string.h>

static bool is_tail(unsigned char byte)
{
    return (byte & 0xC0U) == 0x80U;
}

static bool is_three(const unsigned char *at)
{
    if (at[0] == 0xE0U && at[1] < 0xA0U)
        return false; /* overlong */
    if (at[0] == 0xEDU && at[1] > 0x9FU)
        return false; /* a surrogate */
    return is_tail(at[1]) && is_tail(at[2]);
}

static bool is_four(const unsigned char *at)
{
    if (at[0] == 0xF0U && at[1] < 0x90U)
        return false; /* overlong */
    if (at[0] == 0xF4U && at[1] > 0x8FU)
        return false; /* above U+10FFFF */
    return is_tail(at[1]) && is_tail(at[2]) && is_tail(at[3]);
}

size_t hl_utf8_char_len(const char *text, size_t len)
{
    const unsigned char *at = (const unsigned char *)text;

    if (len == 0)
        return 0;
    if (at[0] < 0x80U)
        return 1;
    if (at[0] < 0xC2U || at[0] > 0xF4U)
        return 0;
    if (at[0] < 0xE0U)
        return len >= 2 && is_tail(at[1]) ? 2 : 0;
    if (at[0] < 0xF0U)
        return len >= 3 && is_three(at) ? 3 : 0;
    return len >= 4 && is_four(at) ? 4 : 0;
}

size_t hl_utf8_valid_len(const char *text, size_t len)
{
    size_t at = 0;

    while (at < len) {
        uint64_t eight;
        size_t n;

        if (len - at >= sizeof eight) {
            memcpy(&eight, text + at, sizeof eight);
            if (!(eight & UINT64_C(0x8080808080808080))) {
                at += sizeof eight;
                continue;
            }
        }
        n = hl_utf8_char_len(text + at, len - at);
        if (n == 0)
            break;
        at += n;
    }
    return at;
}

size_t hl_utf8_put(uint32_t code_point, char *ret_bytes)
{
    unsigned char *to = (unsigned char *)ret_bytes;

    assert(code_point <= 0x10FFFFU && (code_point < 0xD800U || code_point > 0xDFFFU));
    if (code_point < 0x80U) {
        to[0] = (unsigned char)code_point;
        return 1;
    }
    if (code_point < 0x800U) {
        to[0] = (unsigned char)(0xC0U | (code_point >> 6));
        to[1] = (unsigned char)(0x80U | (code_point & 0x3FU));
        return 2;
    }
    if (code_point < 0x10000U) {
        to[0] = (unsigned char)(0xE0U | (code_point >> 12));
        to[1] = (unsigned char)(0x80U | ((code_point >> 6) & 0x3FU));
        to[2] = (unsigned char)(0x80U | (code_point & 0x3FU));
        return 3;
    }
    to[0] = (unsigned char)(0xF0U | (code_point >> 18));
    to[1] = (unsigned char)(0x80U | ((code_point >> 12) & 0x3FU));
    to[2] = (unsigned char)(0x80U | ((code_point >> 6) & 0x3FU));
    to[3] = (unsigned char)(0x80U | (code_point & 0x3FU));
    return 4;
}
