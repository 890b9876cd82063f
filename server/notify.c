/* SPDX-License-Identifier: Apache-2.0 */
#include "server/notify.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static enum hl_code address_of(const char *name, struct sockaddr_un *ret_address,
                               socklen_t *ret_len, struct hl_err *err)
{
    size_t len = strlen(name);

    if ((name[0] != '/' && name[0] != '@') || len < 2 ||
        len >= sizeof ret_address->sun_path)
        return hl_fail(err, HL_IO,
                       "could not notify \"%s\": must be a path or \"@\" and a name, of at "
                       "most %zu bytes",
                       name, sizeof ret_address->sun_path - 1);
    *ret_address = (struct sockaddr_un){.sun_family = AF_UNIX};
    memcpy(ret_address->sun_path, name, len);
    /* The abstract kind begins with a zero byte and is exactly as long as it is said to be.
     */
    if (name[0] == '@')
        ret_address->sun_path[0] = '\0';
    *ret_len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len +
                           (name[0] == '@' ? 0 : 1));
    return HL_OK;
}

enum hl_code hl_notify(const char *socket_name, const char *message, struct hl_err *err)
{
    struct sockaddr_un address;
    socklen_t address_len;
    enum hl_code code;
    ssize_t sent;
    int fd;

    if (!socket_name || !*socket_name)
        return HL_OK;
    code = address_of(socket_name, &address, &address_len, err);
    if (code != HL_OK)
        return code;
    fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return hl_fail_errno(err, errno, "could not notify \"%s\"", socket_name);
    do
        sent = sendto(fd, message, strlen(message), MSG_NOSIGNAL,
                      (const struct sockaddr *)&address, address_len);
    while (sent < 0 && errno == EINTR);
    if (sent < 0)
        code = hl_fail_errno(err, errno, "could not notify \"%s\"", socket_name);
    (void)close(fd);
    return code;
}

enum hl_code hl_notify_ready(const char *socket_name, struct hl_err *err)
{
    return hl_notify(socket_name, "READY=1", err);
}

enum hl_code hl_notify_stopping(const char *socket_name, struct hl_err *err)
{
    return hl_notify(socket_name, "STOPPING=1", err);
}

enum hl_code hl_notify_reloading(const char *socket_name, int64_t monotonic_us,
                                 struct hl_err *err)
{
    char message[64];

    snprintf(message, sizeof message, "RELOADING=1\nMONOTONIC_USEC=%lld",
             (long long)monotonic_us);
    return hl_notify(socket_name, message, err);
}
