/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "proto/base64.h"
#include "proto/fail.h"

#include <stdio.h>
#include <string.h>

static void assert_reads(const char *text, const float *wanted, size_t n)
{
    float values[4];
    size_t n_came;
    struct hl_buf buf;
    struct hl_err err;

    assert_int_equal(hl_base64_count(text, strlen(text), &n_came, &err), HL_OK);
    assert_int_equal(n_came, n);
    assert_int_equal(hl_base64_decode(text, strlen(text), n, values, &err), HL_OK);
    assert_memory_equal(values, wanted, n * sizeof *values);
    hl_buf_init(&buf, 1000);
    hl_base64_encode(values, n, &buf);
    assert_string_equal(buf.data, text);
    hl_buf_done(&buf);
}

static void floats_go_both_ways(void **state)
{
    (void)state;
    assert_reads("AACAPw==", (const float[]){1.0F}, 1);
    assert_reads("AACAPwAAAMA=", (const float[]){1.0F, -2.0F}, 2);
    assert_reads("AACAPwAAAMAAAAA/", (const float[]){1.0F, -2.0F, 0.5F}, 3);
    assert_reads("AACAPwAAAMAAAAA/zczMPQ==", (const float[]){1.0F, -2.0F, 0.5F, 0.1F}, 4);
}

static void every_length_and_byte_comes_back(void **state)
{
    uint32_t seed = 1, bits[100];
    float values[100], back[100];

    (void)state;
    for (size_t n = 1; n <= 100; n++) {
        struct hl_buf buf;
        struct hl_err err;

        for (size_t i = 0; i < n; i++)
            bits[i] = seed = seed * 1664525U + 1013904223U;
        memcpy(values, bits, sizeof bits);
        hl_buf_init(&buf, 1000);
        hl_base64_encode(values, n, &buf);
        assert_int_equal(buf.len, (n * 4 + 2) / 3 * 4);
        assert_int_equal(hl_base64_decode(buf.data, buf.len, n, back, &err), HL_OK);
        assert_memory_equal(back, values, n * sizeof *values);
        hl_buf_done(&buf);
    }
}

static void what_is_not_exactly_base64_is_refused_with_its_place(void **state)
{
    static const struct {
        const char *text, *msg;
    } rows[] = {
        {"AACAP", "5 characters of base64 came, a multiple of 4 was wanted"},
        {"", "0 bytes came as base64, a multiple of 4 was wanted: float32, little-endian"},
        {"AAAA",
         "3 bytes came as base64, a multiple of 4 was wanted: float32, little-endian"},
        {"A===",
         "1 bytes came as base64, a multiple of 4 was wanted: float32, little-endian"},
        {"AA-APw==", "character 2 of base64 is \"-\""},
        {"AACA Pw=", "5 bytes came as base64, a multiple of 4 was wanted: float32, "
                     "little-endian"},
        {"AACA\nw==", "character 4 of base64 is the byte 0x0a"},
        {"AACA\x80w==", "character 4 of base64 is the byte 0x80"},
        {"AA=APw==", "base64 is padded at character 2, before its end"},
        {"AAAA====", "base64 is padded at character 4, before its end"},
        {"AACAPx==",
         "character 5 of base64 is \"x\": its last bits belong to no byte and are "
         "not zero"},
        {"AACAPwAAAMB=",
         "character 10 of base64 is \"B\": its last bits belong to no byte and "
         "are not zero"},
        {"AACAPwAAAM_=", "character 10 of base64 is \"_\""},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        float values[4];
        struct hl_err err;
        size_t n = strlen(rows[i].text) > 8 ? 2 : 1;

        assert_int_equal(
            hl_base64_decode(rows[i].text, strlen(rows[i].text), n, values, &err),
            HL_MALFORMED);
        assert_string_equal(err.msg, rows[i].msg);
    }
}

static void another_number_of_floats_is_a_dimension_mismatch(void **state)
{
    float values[4];
    struct hl_err err;

    (void)state;
    assert_int_equal(hl_base64_decode("AACAPw==", 8, 2, values, &err),
                     HL_DIMENSION_MISMATCH);
    assert_string_equal(err.msg, "1 numbers came as base64, 2 were wanted");
}

static void each_bad_byte_is_found_at_each_place(void **state)
{
    (void)state;
    for (size_t at = 0; at < 16; at++) {
        for (int byte = 0; byte < 256; byte++) {
            char text[] = "AACAPwAAAMAAAAA/";
            float values[3];
            struct hl_err err;
            int is_good = byte != 0 && byte != '=' &&
                          strchr("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
                                 "0123456789+/",
                                 byte) != NULL;

            text[at] = (char)byte;
            assert_int_equal(hl_base64_decode(text, 16, 3, values, &err) == HL_OK, is_good);
        }
    }
}

/* Long enough for the way that takes many characters at once, and for what it leaves. */
static void a_bad_byte_of_a_long_text_is_named_by_its_place(void **state)
{
    static const char bad[] = {'-', '_', '=', ' ', '\n',   '@',   '[',
                               '`', '{', '.', ':', '\x80', '\xff'};
    enum { LEN = 160, N = LEN / 4 * 3 / 4 };
    float values[N];

    (void)state;
    for (size_t i = 0; i < sizeof bad * LEN; i++) {
        char text[LEN + 1], place[40];
        const size_t at = i / sizeof bad;
        struct hl_err err;

        memset(text, 'z', LEN);
        text[LEN] = text[at] = bad[i % sizeof bad];
        if (text[at] == '=' && at == LEN - 1)
            continue; /* that is padding */
        snprintf(place, sizeof place, "character %zu%s", at,
                 text[at] == '=' ? ", before its end" : " of base64");
        assert_int_equal(hl_base64_decode(text, LEN, N, values, &err), HL_MALFORMED);
        assert_non_null(strstr(err.msg, place));
    }
}

static void a_buffer_without_room_remembers_it(void **state)
{
    struct hl_buf buf;
    struct hl_err err;

    (void)state;
    hl_buf_init(&buf, 7);
    hl_base64_encode((const float[]){1.0F}, 1, &buf);
    assert_int_equal(hl_buf_check(&buf, "it", &err), HL_TOO_LARGE);
    hl_buf_done(&buf);
    hl_buf_init(&buf, 8);
    assert_int_equal(hl_failpoint_arm("alloc=1:fail", &err), HL_OK);
    hl_base64_encode((const float[]){1.0F}, 1, &buf);
    assert_int_equal(hl_buf_check(&buf, "it", &err), HL_NO_MEMORY);
    hl_failpoint_disarm();
    hl_buf_done(&buf);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(floats_go_both_ways),
        cmocka_unit_test(every_length_and_byte_comes_back),
        cmocka_unit_test(what_is_not_exactly_base64_is_refused_with_its_place),
        cmocka_unit_test(another_number_of_floats_is_a_dimension_mismatch),
        cmocka_unit_test(each_bad_byte_is_found_at_each_place),
        cmocka_unit_test(a_bad_byte_of_a_long_text_is_named_by_its_place),
        cmocka_unit_test(a_buffer_without_room_remembers_it),
    };

    return cmocka_run_group_tests_name("base64", tests, NULL, NULL);
}
