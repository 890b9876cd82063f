/* SPDX-License-Identifier: Apache-2.0 */
/* What decodes is spelled again byte for byte, and a decoder that goes bit by bit agrees
 * about what decodes at all. */

#include "proto/base64.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool claim)
{
    if (!claim)
        abort();
}

/* The bytes of sound base64, one bit after another; false when it is not sound. */
static bool decode_slowly(const char *text, size_t len, uint8_t *bytes, size_t *ret_n)
{
    static const char alphabet[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    size_t n_bits = 0, n_padded = 0;

    if (len % 4 != 0)
        return false;
    while (n_padded < 2 && n_padded < len && text[len - 1 - n_padded] == '=')
        n_padded++;
    memset(bytes, 0, len + 1);
    for (size_t i = 0; i < len - n_padded; i++) {
        const char *found = text[i] ? strchr(alphabet, text[i]) : NULL;

        if (!found)
            return false;
        for (int bit = 5; bit >= 0; bit--, n_bits++) {
            if ((found - alphabet) >> bit & 1)
                bytes[n_bits / 8] |= (uint8_t)(0x80 >> n_bits % 8);
        }
    }
    *ret_n = n_bits / 8;
    return n_bits % 8 == 0 || (bytes[n_bits / 8] == 0 && n_bits % 8 < 6);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *text = (const char *)data;
    uint8_t *wanted = malloc(size + 1);
    float *values = malloc(size + sizeof(float));
    size_t n_values = 0, n_bytes = 0;
    struct hl_buf buf;
    struct hl_err err;
    bool is_sound, is_read;

    require(wanted && values);
    is_sound = decode_slowly(text, size, wanted, &n_bytes) && n_bytes && n_bytes % 4 == 0;
    is_read = hl_base64_count(text, size, &n_values, &err) == HL_OK &&
              hl_base64_decode(text, size, n_values, values, &err) == HL_OK;
    require(is_sound == is_read);
    if (is_read) {
        require(n_values * sizeof(float) == n_bytes);
        require(memcmp(values, wanted, n_bytes) == 0);
        hl_buf_init(&buf, size);
        hl_base64_encode(values, n_values, &buf);
        require(buf.len == size && memcmp(buf.data, text, size) == 0);
        hl_buf_done(&buf);
        require(hl_base64_decode(text, size, n_values + 1, values, &err) ==
                HL_DIMENSION_MISMATCH);
    }
    free(values);
    free(wanted);
    return 0;
}
