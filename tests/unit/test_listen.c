/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/fail.h"
#include "server/listen.h"

#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <unistd.h>

#include <cmocka.h>

static void count_and_close(void *to, int fd, const struct sockaddr *address,
                            socklen_t size)
{
    (void)address;
    (void)size;
    atomic_fetch_add((atomic_int *)to, 1);
    close(fd);
}

/* A connected socket, or -1 with errno. */
static int connect_to(uint16_t port)
{
    const struct sockaddr_in address = {.sin_family = AF_INET,
                                        .sin_port = htons(port),
                                        .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    if (connect(fd, (const struct sockaddr *)&address, sizeof address) == 0)
        return fd;
    close(fd);
    return -1;
}

static void all_that_connected_before_the_stop_are_given_and_none_after(void **state)
{
    enum { N = 20 };
    atomic_int n_given = 0;
    const struct hl_accepted accepted = {.give = count_and_close, .to = &n_given};
    struct hl_listener *listener = NULL;
    int fds[N];
    struct hl_err err;
    uint16_t port;

    (void)state;
    assert_int_equal(hl_listener_open("127.0.0.1", 0, &listener, &err), HL_OK);
    port = hl_listener_port(listener);
    assert_int_not_equal(port, 0);
    /* Some wait in the queue before anyone accepts. */
    for (int i = 0; i < N / 2; i++)
        assert_true((fds[i] = connect_to(port)) >= 0);
    assert_int_equal(hl_listener_start(listener, &accepted, &err), HL_OK);
    for (int i = N / 2; i < N; i++)
        assert_true((fds[i] = connect_to(port)) >= 0);
    hl_listener_stop(listener);
    assert_int_equal(atomic_load(&n_given), N);
    assert_int_equal(connect_to(port), -1);
    hl_listener_close(listener);
    for (int i = 0; i < N; i++)
        close(fds[i]);
}

static void a_taken_port_and_a_strange_host_are_named(void **state)
{
    struct hl_listener *first = NULL, *second = NULL;
    struct hl_err err;
    char wanted[HL_ERR_MSG_SIZE];

    (void)state;
    assert_int_equal(hl_listener_open("127.0.0.1", 0, &first, &err), HL_OK);
    assert_int_equal(hl_listener_open("127.0.0.1", hl_listener_port(first), &second, &err),
                     HL_IO);
    snprintf(wanted, sizeof wanted,
             "host \"127.0.0.1\" port %u: could not listen there: Address already in use",
             (unsigned)hl_listener_port(first));
    assert_string_equal(err.msg, wanted);
    assert_int_equal(hl_listener_open("256.0.0.1.", 0, &second, &err), HL_WRONG_INPUT);
    assert_null(second);
    hl_listener_close(first);
}

static void no_memory_is_an_error(void **state)
{
    struct hl_listener *listener = NULL;
    struct hl_err err;

    (void)state;
    assert_int_equal(hl_failpoint_arm("alloc=1:fail", &err), HL_OK);
    assert_int_equal(hl_listener_open("127.0.0.1", 0, &listener, &err), HL_NO_MEMORY);
    hl_failpoint_disarm();
    assert_null(listener);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_that_connected_before_the_stop_are_given_and_none_after),
        cmocka_unit_test(a_taken_port_and_a_strange_host_are_named),
        cmocka_unit_test(no_memory_is_an_error),
    };

    return cmocka_run_group_tests_name("listen", tests, NULL, NULL);
}
