/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "server/reply_head.h"

#include <string.h>

#define OK_LINE "HTTP/1.1 200 OK\r\n"

static struct hl_reply_head read_head(const char *text)
{
    struct hl_reply_head head = {.len = 99};
    struct hl_err err;

    assert_int_equal(hl_reply_head_read(text, strlen(text), &head, &err), HL_OK);
    return head;
}

static void assert_garbled(const char *text, const char *why)
{
    struct hl_reply_head head = {.len = 99};
    struct hl_err err;

    assert_int_equal(hl_reply_head_read(text, strlen(text), &head, &err), HL_UNAVAILABLE);
    assert_non_null(strstr(err.msg, why));
    assert_int_equal(head.len, 99);
}

static void status_length_and_what_a_client_heeds_are_read(void **state)
{
    static const char text[] = "HTTP/1.1 503 Service Unavailable\r\n"
                               "Date: Sat, 21 Nov 2026 20:00:00 GMT\r\n"
                               "content-length:  123\r\n"
                               "Retry-After: 7\r\n"
                               "Connection: close\r\n"
                               "\r\n{\"status\":1}";
    struct hl_reply_head head = read_head(text);

    (void)state;
    assert_int_equal(head.status, 503);
    assert_int_equal(head.body_len, 123);
    assert_int_equal(head.retry_after_s, 7);
    assert_true(head.must_close);
    assert_int_equal(head.len, strstr(text, "{") - text);
}

static void what_is_not_said_is_nothing(void **state)
{
    struct hl_reply_head head = read_head(OK_LINE "\r\n");

    (void)state;
    assert_int_equal(head.status, 200);
    assert_int_equal(head.body_len, 0);
    assert_int_equal(head.retry_after_s, 0);
    assert_false(head.must_close);
}

static void a_body_in_chunks_is_told_from_one_with_a_length(void **state)
{
    (void)state;
    assert_true(read_head(OK_LINE "Transfer-Encoding: chunked\r\n\r\n").body_len ==
                HL_REPLY_IN_CHUNKS);
    assert_false(read_head(OK_LINE "Connection: keep-alive\r\n\r\n").must_close);
}

static void a_part_of_a_head_is_waited_for(void **state)
{
    static const char text[] = OK_LINE "Content-Length: 5\r\n\r\n";
    char part[sizeof text];

    (void)state;
    for (size_t len = 0; len < sizeof text - 1; len++) {
        memcpy(part, text, len);
        part[len] = '\0';
        assert_int_equal(read_head(part).len, 0);
    }
    assert_int_equal(read_head(text).len, sizeof text - 1);
}

static void what_is_no_reply_is_refused(void **state)
{
    static char endless[(64 << 10) + 2];

    (void)state;
    assert_garbled("220 mail.example.org\r\n\r\n", "does not begin with a status");
    assert_garbled("HTTP/1.1 abc OK\r\n\r\n", "does not begin with a status");
    assert_garbled("HTTP/1.1\r\n\r\n", "does not begin with a status");
    assert_garbled(OK_LINE "Content-Length: many\r\n\r\n", "without its number");
    assert_garbled(OK_LINE "Content-Length: 99999999999999999999\r\n\r\n",
                   "without its number");
    memset(endless, 'x', sizeof endless - 1);
    assert_garbled(endless, "does not end");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(status_length_and_what_a_client_heeds_are_read),
        cmocka_unit_test(what_is_not_said_is_nothing),
        cmocka_unit_test(a_body_in_chunks_is_told_from_one_with_a_length),
        cmocka_unit_test(a_part_of_a_head_is_waited_for),
        cmocka_unit_test(what_is_no_reply_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
