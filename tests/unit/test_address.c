/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "server/address.h"

#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static void assert_is(const char *url, const char *host, const char *port,
                      const char *prefix)
{
    struct hl_address address;
    struct hl_err err;

    assert_int_equal(hl_address_read(url, &address, &err), HL_OK);
    assert_string_equal(address.host, host);
    assert_string_equal(address.port, port);
    assert_string_equal(address.prefix, prefix);
}

static void a_url_is_a_host_a_port_and_what_is_in_front_of_paths(void **state)
{
    (void)state;
    assert_is("http://localhost", "localhost", "6333", "");
    assert_is("http://127.0.0.1:80/", "127.0.0.1", "80", "");
    assert_is("http://[::1]:7", "::1", "7", "");
    assert_is("http://[::1]/search//", "::1", "6333", "/search");
    assert_is("http://photos.example.org:8080/a/b", "photos.example.org", "8080", "/a/b");
}

static void what_is_none_is_refused(void **state)
{
    static const char *const urls[] = {
        "",           "localhost:6333", "https://localhost", "http://",
        "http://:80", "http://a:",      "http://a:b",        "http://a:1234567"};

    (void)state;
    for (size_t i = 0; i < sizeof urls / sizeof urls[0]; i++) {
        struct hl_address address = {.host = "kept"};
        struct hl_err err;

        assert_int_equal(hl_address_read(urls[i], &address, &err), HL_INVALID);
        assert_non_null(strstr(err.msg, "it must be http://HOST:PORT"));
        assert_string_equal(address.host, "kept");
    }
}

/* A socket that listens on a free port. */
static int listen_somewhere(struct hl_address *address)
{
    struct sockaddr_in to = {.sin_family = AF_INET,
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof to;
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    assert_true(fd >= 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&to, sizeof to), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&to, &len), 0);
    *address = (struct hl_address){.host = "127.0.0.1"};
    snprintf(address->port, sizeof address->port, "%d", ntohs(to.sin_port));
    return fd;
}

static void somebody_who_listens_is_reached_and_nobody_is_said_to_be(void **state)
{
    struct hl_address address;
    struct hl_err err;
    int listener = listen_somewhere(&address), fd = -1;

    (void)state;
    assert_int_equal(hl_address_dial(&address, &fd, &err), HL_UNAVAILABLE);
    assert_non_null(strstr(err.msg, "could not reach a server at 127.0.0.1 port "));
    assert_int_equal(fd, -1);
    assert_int_equal(listen(listener, 1), 0);
    assert_int_equal(hl_address_dial(&address, &fd, &err), HL_OK);
    assert_true(fd >= 0);
    close(fd);
    close(listener);
}

static void a_name_that_nobody_has_is_said_to_be(void **state)
{
    struct hl_address address = {.host = "nobody.invalid", .port = "1"};
    struct hl_err err;
    int fd = -1;

    (void)state;
    assert_int_equal(hl_address_dial(&address, &fd, &err), HL_UNAVAILABLE);
    assert_non_null(strstr(err.msg, "could not find \"nobody.invalid\""));
}

static void a_head_says_what_there_is_to_say(void **state)
{
    const struct hl_address address = {.host = "h", .port = "1", .prefix = "/p"};
    struct hl_buf text;

    (void)state;
    hl_buf_init(&text, 1 << 12);
    hl_address_print_head(&address, &(struct hl_request_head){.method = "GET", .path = "/"},
                          &text);
    assert_string_equal(text.data, "GET /p/ HTTP/1.1\r\nHost: h:1\r\nContent-Length: ");
    hl_buf_clear(&text, 1 << 12);
    hl_address_print_head(
        &address,
        &(struct hl_request_head){
            .method = "PUT", .path = "/x?a=b", .type = "text/plain", .key = "secret"},
        &text);
    assert_string_equal(text.data,
                        "PUT /p/x?a=b HTTP/1.1\r\nHost: h:1\r\napi-key: secret\r\n"
                        "Content-Type: text/plain\r\nContent-Length: ");
    hl_buf_done(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_url_is_a_host_a_port_and_what_is_in_front_of_paths),
        cmocka_unit_test(what_is_none_is_refused),
        cmocka_unit_test(somebody_who_listens_is_reached_and_nobody_is_said_to_be),
        cmocka_unit_test(a_name_that_nobody_has_is_said_to_be),
        cmocka_unit_test(a_head_says_what_there_is_to_say),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
