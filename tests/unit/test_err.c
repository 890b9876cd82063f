/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "proto/err.h"
#include "proto/utf8.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

static void every_code_has_a_status_and_a_name_of_its_own(void **state)
{
    (void)state;
    for (int a = 0; a < HL_N_CODES; a++) {
        int status = hl_code_status((enum hl_code)a);

        assert_true(status == 200 || (status >= 400 && status < 600));
        assert_true(*hl_code_name((enum hl_code)a) != '\0');
        for (int b = 0; b < a; b++)
            assert_string_not_equal(hl_code_name((enum hl_code)a),
                                    hl_code_name((enum hl_code)b));
    }
}

static void a_failure_carries_its_code_and_its_words(void **state)
{
    struct hl_err err;

    (void)state;
    assert_int_equal(hl_fail(&err, HL_INVALID, "%d came", 3), HL_INVALID);
    assert_int_equal(err.code, HL_INVALID);
    assert_string_equal(err.msg, "3 came");
}

static void words_in_front_keep_the_code(void **state)
{
    struct hl_err err;

    (void)state;
    (void)hl_fail(&err, HL_NOT_FOUND, "it does not exist");
    assert_int_equal(hl_fail_in(&err, "could not load \"%s\"", "a"), HL_NOT_FOUND);
    assert_string_equal(err.msg, "could not load \"a\": it does not exist");
}

static void an_errno_becomes_a_code_and_a_reason(void **state)
{
    static const struct {
        int error;
        enum hl_code code;
        const char *msg;
    } rows[] = {
        {ENOSPC, HL_DISK_FULL, "could not write \"f\": No space left on device"},
        {EDQUOT, HL_DISK_FULL, "could not write \"f\": Disk quota exceeded"},
        {EFBIG, HL_DISK_FULL, "could not write \"f\": File too large"},
        {ENOMEM, HL_NO_MEMORY, "could not write \"f\": Cannot allocate memory"},
        {EACCES, HL_IO, "could not write \"f\": Permission denied"},
    };
    struct hl_err err;

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        assert_int_equal(hl_fail_errno(&err, rows[i].error, "could not write \"%s\"", "f"),
                         rows[i].code);
        assert_string_equal(err.msg, rows[i].msg);
    }
}

/* `character` again and again behind `n_before` single bytes, until nothing more fits. */
static void check_cut(const char *character, size_t n_before)
{
    char text[2 * HL_ERR_MSG_SIZE] = {0};
    size_t size = strlen(character), len = n_before;
    struct hl_err err;

    memset(text, 'x', n_before);
    for (; len + 1 < sizeof text; len++)
        text[len] = character[(len - n_before) % size];
    (void)hl_fail(&err, HL_INVALID, "%s", text);
    len = strlen(err.msg);
    assert_true(len < sizeof err.msg);
    assert_true(len + 2 * size >= sizeof err.msg);
    assert_int_equal(hl_utf8_valid_len(err.msg, len), len);
    assert_memory_equal(err.msg, text, len);
}

static void what_is_too_long_is_cut_between_characters(void **state)
{
    (void)state;
    for (size_t n_before = 0; n_before < 8; n_before++) {
        check_cut("x", n_before);
        check_cut("\xc3\xa9", n_before);
        check_cut("\xe2\x82\xac", n_before);
        check_cut("\xf0\x9f\x98\x80", n_before);
    }
}

static void words_in_front_push_the_end_out_between_characters(void **state)
{
    (void)state;
    for (size_t n_before = 480; n_before < 530; n_before++) {
        char front[600] = {0};
        struct hl_err err;
        size_t len;

        memset(front, 'f', n_before);
        (void)hl_fail(&err, HL_INVALID, "\xf0\x9f\x98\x80\xe2\x82\xac\xc3\xa9 and more");
        (void)hl_fail_in(&err, "%s", front);
        len = strlen(err.msg);
        assert_true(len < sizeof err.msg && len + 5 >= (n_before < 490 ? n_before : 511));
        assert_int_equal(hl_utf8_valid_len(err.msg, len), len);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_code_has_a_status_and_a_name_of_its_own),
        cmocka_unit_test(a_failure_carries_its_code_and_its_words),
        cmocka_unit_test(words_in_front_keep_the_code),
        cmocka_unit_test(an_errno_becomes_a_code_and_a_reason),
        cmocka_unit_test(what_is_too_long_is_cut_between_characters),
        cmocka_unit_test(words_in_front_push_the_end_out_between_characters),
    };

    return cmocka_run_group_tests_name("err", tests, NULL, NULL);
}
