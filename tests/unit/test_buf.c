/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "proto/alloc.h"
#include "proto/buf.h"
#include "proto/fail.h"

#include <string.h>

static int disarm(void **state)
{
    (void)state;
    hl_failpoint_disarm();
    return 0;
}

static struct hl_buf buf_of(size_t ceiling)
{
    struct hl_buf buf;

    hl_buf_init(&buf, ceiling);
    return buf;
}

static void an_empty_buffer_is_an_empty_text(void **state)
{
    struct hl_buf buf = buf_of(10);

    (void)state;
    assert_string_equal(buf.data, "");
    hl_buf_done(&buf);
    assert_string_equal(buf.data, "");
    hl_buf_done(&buf);
}

static void pieces_stand_one_behind_another(void **state)
{
    struct hl_buf buf = buf_of(1000);
    struct hl_err err;

    (void)state;
    hl_buf_add_text(&buf, "a");
    hl_buf_add_char(&buf, '-');
    hl_buf_add(&buf, "bc", 2);
    hl_buf_add(&buf, NULL, 0);
    hl_buf_print(&buf, "[%d %s]", 7, "x");
    assert_int_equal(hl_buf_check(&buf, "it", &err), HL_OK);
    assert_string_equal(buf.data, "a-bc[7 x]");
    assert_int_equal(buf.len, 9);
    hl_buf_done(&buf);
}

static void growing_keeps_every_byte(void **state)
{
    struct hl_buf buf = buf_of(100000);

    (void)state;
    for (size_t i = 0; i < 100000; i++)
        hl_buf_add_char(&buf, (char)('a' + i % 26));
    assert_int_equal(buf.len, 100000);
    assert_int_equal(buf.data[buf.len], '\0');
    for (size_t i = 0; i < 100000; i++)
        assert_int_equal(buf.data[i], (char)('a' + i % 26));
    hl_buf_done(&buf);
}

static void adding_byte_by_byte_seldom_asks_for_memory(void **state)
{
    struct hl_buf buf = buf_of(1 << 20);
    size_t n_grown = 0;

    (void)state;
    for (size_t size = 0, i = 0; i < 100000; i++) {
        hl_buf_add_char(&buf, 'x');
        n_grown += buf.size != size;
        size = buf.size;
    }
    assert_int_equal(buf.len, 100000);
    assert_in_range(n_grown, 1, 12);
    hl_buf_done(&buf);
}

static void the_ceiling_is_exact(void **state)
{
    (void)state;
    for (size_t ceiling = 0; ceiling < 600; ceiling += 37) {
        struct hl_buf buf = buf_of(ceiling);
        struct hl_err err;

        for (size_t i = 0; i < ceiling; i++)
            hl_buf_add_char(&buf, 'x');
        assert_int_equal(hl_buf_check(&buf, "it", &err), HL_OK);
        assert_true(buf.size <= ceiling + 1);
        hl_buf_add_char(&buf, 'y');
        assert_int_equal(hl_buf_check(&buf, "it", &err), HL_TOO_LARGE);
        assert_int_equal(buf.len, ceiling);
        hl_buf_done(&buf);
    }
}

static void a_ceiling_of_everything_does_not_wrap(void **state)
{
    struct hl_buf buf = buf_of(SIZE_MAX);
    struct hl_err err;

    (void)state;
    hl_buf_add_text(&buf, "some");
    assert_string_equal(buf.data, "some");
    assert_null(hl_buf_reserve(&buf, SIZE_MAX - 4));
    assert_int_equal(hl_buf_check(&buf, "it", &err), HL_TOO_LARGE);
    hl_buf_done(&buf);
}

static void the_first_failure_is_kept(void **state)
{
    struct hl_buf buf = buf_of(10);
    struct hl_err err;

    (void)state;
    hl_buf_add_text(&buf, "12345678");
    hl_buf_add_text(&buf, "too long");
    hl_buf_add_char(&buf, 'x'); /* would fit, and comes too late */
    hl_buf_print(&buf, "%d", 1);
    assert_null(hl_buf_reserve(&buf, 0));
    assert_string_equal(buf.data, "12345678");
    assert_int_equal(hl_buf_check(&buf, "the reply", &err), HL_TOO_LARGE);
    assert_string_equal(err.msg, "could not hold the reply: more than 10 bytes");
    assert_null(hl_buf_take(&buf, &buf.len));
    hl_buf_done(&buf);
    hl_buf_add_char(&buf, 'x');
    assert_int_equal(hl_buf_check(&buf, "the reply", &err), HL_OK);
    hl_buf_done(&buf);
}

static void no_memory_is_another_failure_than_no_room(void **state)
{
    struct hl_buf buf = buf_of(1000);
    struct hl_err err;

    (void)state;
    hl_buf_add_text(&buf, "before");
    assert_int_equal(hl_failpoint_arm("alloc=1:fail", &err), HL_OK);
    assert_null(hl_buf_reserve(&buf, 500));
    assert_int_equal(hl_buf_check(&buf, "the reply", &err), HL_NO_MEMORY);
    assert_string_equal(err.msg, "no memory for the reply");
    assert_string_equal(buf.data, "before");
    hl_buf_done(&buf);
}

static void what_is_taken_is_the_caller_s(void **state)
{
    struct hl_buf buf = buf_of(1000);
    size_t len = 99;
    char *text = hl_buf_take(&buf, &len);

    (void)state;
    assert_string_equal(text, "");
    assert_int_equal(len, 0);
    hl_free(text);
    hl_buf_add_text(&buf, "mine");
    text = hl_buf_take(&buf, &len);
    assert_string_equal(text, "mine");
    assert_int_equal(len, 4);
    assert_string_equal(buf.data, "");
    hl_free(text);
    hl_buf_done(&buf);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_empty_buffer_is_an_empty_text),
        cmocka_unit_test(pieces_stand_one_behind_another),
        cmocka_unit_test(growing_keeps_every_byte),
        cmocka_unit_test(adding_byte_by_byte_seldom_asks_for_memory),
        cmocka_unit_test(the_ceiling_is_exact),
        cmocka_unit_test(a_ceiling_of_everything_does_not_wrap),
        cmocka_unit_test(the_first_failure_is_kept),
        cmocka_unit_test_teardown(no_memory_is_another_failure_than_no_room, disarm),
        cmocka_unit_test(what_is_taken_is_the_caller_s),
    };

    return cmocka_run_group_tests_name("buf", tests, NULL, NULL);
}
