/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "proto/crc.h"

#include <string.h>

/* The values of RFC 3720, appendix B.4. */
static void known_sums_come_out(void **state)
{
    unsigned char bytes[32] = {0};

    (void)state;
    assert_int_equal(hl_crc(0, "123456789", 9), 0xE3069283U);
    assert_int_equal(hl_crc(0, bytes, sizeof bytes), 0x8A9136AAU);
    memset(bytes, 0xFF, sizeof bytes);
    assert_int_equal(hl_crc(0, bytes, sizeof bytes), 0x62A8AB43U);
    assert_int_equal(hl_crc(0, NULL, 0), 0);
}

static void both_ways_agree_at_every_length_and_start(void **state)
{
    unsigned char bytes[128];

    (void)state;
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (unsigned char)(i * 151 + 7);
    for (size_t start = 0; start < 9; start++)
        for (size_t size = 0; start + size <= sizeof bytes; size++)
            assert_int_equal(hl_crc(0, bytes + start, size),
                             hl_crc_portable(0, bytes + start, size));
}

static void pieces_make_the_whole(void **state)
{
    const char *text = "a photograph one would like to find again";
    const size_t len = strlen(text);

    (void)state;
    for (size_t cut = 0; cut <= len; cut++)
        assert_int_equal(hl_crc(hl_crc(0, text, cut), text + cut, len - cut),
                         hl_crc(0, text, len));
}

static void every_flipped_bit_shows(void **state)
{
    unsigned char bytes[64];
    uint32_t whole;

    (void)state;
    memset(bytes, 0x5A, sizeof bytes);
    whole = hl_crc(0, bytes, sizeof bytes);
    for (size_t bit = 0; bit < 8 * sizeof bytes; bit++) {
        bytes[bit / 8] ^= (unsigned char)(1U << bit % 8);
        assert_int_not_equal(hl_crc(0, bytes, sizeof bytes), whole);
        bytes[bit / 8] ^= (unsigned char)(1U << bit % 8);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(known_sums_come_out),
        cmocka_unit_test(both_ways_agree_at_every_length_and_start),
        cmocka_unit_test(pieces_make_the_whole),
        cmocka_unit_test(every_flipped_bit_shows),
    };

    return cmocka_run_group_tests_name("crc", tests, NULL, NULL);
}
