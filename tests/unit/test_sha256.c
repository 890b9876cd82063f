/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "proto/sha256.h"

#include <string.h>

/* In pieces of `step` bytes. */
static void assert_sum(const void *bytes, size_t size, size_t step, const char *wanted)
{
    struct hl_sha256 sha;
    char text[HL_SHA256_TEXT_SIZE];

    hl_sha256_init(&sha);
    for (size_t at = 0; at < size; at += step)
        hl_sha256_add(&sha, (const char *)bytes + at, size - at < step ? size - at : step);
    hl_sha256_finish_text(&sha, text);
    assert_string_equal(text, wanted);
}

/* The examples of the standard. */
static void sums_are_those_of_the_standard(void **state)
{
    static const char two_blocks[] =
        "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq";

    (void)state;
    assert_sum("", 0, 1,
               "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    assert_sum("abc", 3, 3,
               "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    assert_sum(two_blocks, strlen(two_blocks), 100,
               "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
}

static void a_sum_does_not_depend_on_the_pieces(void **state)
{
    static char many[1000000];

    (void)state;
    memset(many, 'a', sizeof many);
    for (size_t step = 1; step < 200; step += 31)
        assert_sum(many, sizeof many, step,
                   "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
    assert_sum(many, sizeof many, sizeof many,
               "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

/* Sums from 55 to 65 bytes: the length fits the last block, just not, or has its own. */
static void padding_goes_over_the_end_of_a_block(void **state)
{
    static const struct {
        size_t size;
        const char *sum;
    } cases[] = {
        {55, "d5e285683cd4efc02d021a5c62014694958901005d6f71e89e0989fac77e4072"},
        {56, "04c26261370ee7541549d16dee320c723e3fd14671e66a099afe0a377c16888e"},
        {63, "75220b47218278e656f2013bb8f0c455a25eaf01e86c64924e9d48d89776d6f2"},
        {64, "7ce100971f64e7001e8fe5a51973ecdfe1ced42befe7ee8d5fd6219506b5393c"},
        {65, "9537c5fdf120482f7d58d25e9ed583f52c02b4e304ea814db1633ad565aed7e9"},
        {119, "000b48d4edf0fa7bee3c6236ecd2785baa5db4eeb8bb54341b029e0d9fa5fb0c"},
        {120, "13f05a0b594787f5ecd315edc96141bd3243203d1b7d4f0836f37308b276ba98"},
    };
    char text[128];

    (void)state;
    memset(text, 'x', sizeof text);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        assert_sum(text, cases[i].size, 7, cases[i].sum);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sums_are_those_of_the_standard),
        cmocka_unit_test(a_sum_does_not_depend_on_the_pieces),
        cmocka_unit_test(padding_goes_over_the_end_of_a_block),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
