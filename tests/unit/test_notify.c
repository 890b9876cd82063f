/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "server/notify.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

/* What systemd has on its side: a datagram socket. */
struct manager {
    int fd;
    char folder[64];
    char name[128]; /* for NOTIFY_SOCKET */
};

static void listen_at(struct manager *manager, const struct sockaddr_un *address,
                      size_t len)
{
    const struct timeval patience = {.tv_sec = 10};

    manager->fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    assert_true(manager->fd >= 0);
    assert_int_equal(
        setsockopt(manager->fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience), 0);
    assert_int_equal(bind(manager->fd, (const struct sockaddr *)address,
                          (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len)),
                     0);
}

static void open_at_a_path(struct manager *manager)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};

    snprintf(manager->folder, sizeof manager->folder, "/tmp/heirloom-notify-XXXXXX");
    assert_non_null(mkdtemp(manager->folder));
    snprintf(manager->name, sizeof manager->name, "%s/socket", manager->folder);
    snprintf(address.sun_path, sizeof address.sun_path, "%s/socket", manager->folder);
    listen_at(manager, &address, strlen(manager->name) + 1);
}

static void open_at_an_abstract_name(struct manager *manager)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};

    manager->folder[0] = '\0';
    snprintf(manager->name, sizeof manager->name, "@heirloom-notify-%ld", (long)getpid());
    memcpy(address.sun_path + 1, manager->name + 1, strlen(manager->name) - 1);
    listen_at(manager, &address, strlen(manager->name));
}

static void close_manager(struct manager *manager)
{
    close(manager->fd);
    if (manager->folder[0] == '\0')
        return;
    unlink(manager->name);
    rmdir(manager->folder);
}

static void assert_hears(const struct manager *manager, const char *message)
{
    char heard[256];
    ssize_t len = recv(manager->fd, heard, sizeof heard - 1, 0);

    assert_true(len >= 0);
    heard[len] = '\0';
    assert_string_equal(heard, message);
}

static void all_is_said_to(const struct manager *manager)
{
    struct hl_err err;

    assert_int_equal(hl_notify_ready(manager->name, &err), HL_OK);
    assert_hears(manager, "READY=1");
    assert_int_equal(hl_notify_reloading(manager->name, 123456789, &err), HL_OK);
    assert_hears(manager, "RELOADING=1\nMONOTONIC_USEC=123456789");
    assert_int_equal(hl_notify_stopping(manager->name, &err), HL_OK);
    assert_hears(manager, "STOPPING=1");
}

static void a_socket_at_a_path_hears_everything(void **state)
{
    struct manager manager;

    (void)state;
    open_at_a_path(&manager);
    all_is_said_to(&manager);
    close_manager(&manager);
}

static void a_socket_of_an_abstract_name_hears_everything(void **state)
{
    struct manager manager;

    (void)state;
    open_at_an_abstract_name(&manager);
    all_is_said_to(&manager);
    close_manager(&manager);
}

static void without_a_socket_all_is_well(void **state)
{
    struct hl_err err;

    (void)state;
    assert_int_equal(hl_notify_ready(NULL, &err), HL_OK);
    assert_int_equal(hl_notify_ready("", &err), HL_OK);
}

static void a_socket_that_cannot_be_reached_is_an_error(void **state)
{
    char longest[200];
    struct hl_err err;

    (void)state;
    memset(longest, 'x', sizeof longest - 1);
    longest[0] = '/';
    longest[sizeof longest - 1] = '\0';
    assert_int_equal(hl_notify_ready("/nowhere/at/all", &err), HL_IO);
    assert_int_equal(hl_notify_ready("relative", &err), HL_IO);
    assert_int_equal(hl_notify_ready("@", &err), HL_IO);
    assert_int_equal(hl_notify_ready(longest, &err), HL_IO);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_socket_at_a_path_hears_everything),
        cmocka_unit_test(a_socket_of_an_abstract_name_hears_everything),
        cmocka_unit_test(without_a_socket_all_is_well),
        cmocka_unit_test(a_socket_that_cannot_be_reached_is_an_error),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
