/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HL_PROTO_HEX_H
#define HL_PROTO_HEX_H

/* The worth of a hexadecimal digit in either case, -1 for any other byte. */
static inline int hl_hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

#endif
