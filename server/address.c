/* SPDX-License-Identifier: Apache-2.0 */
#include "server/address.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static enum hl_code refuse_url(const char *url, struct hl_err *err)
{
    return hl_fail(err, HL_INVALID, "\"%.200s\" is no address, it must be http://HOST:PORT",
                   url);
}

static bool take_part(char *to, size_t size, const char *from, size_t len)
{
    if (len >= size)
        return false;
    memcpy(to, from, len);
    to[len] = '\0';
    return true;
}

enum hl_code hl_address_read(const char *url, struct hl_address *ret_address,
                             struct hl_err *err)
{
    static const char scheme[] = "http://";
    const char *host = url + sizeof scheme - 1, *end, *port;
    struct hl_address address = {0};
    size_t host_len, port_len;

    if (strncmp(url, scheme, sizeof scheme - 1) != 0)
        return refuse_url(url, err);
    end = host + strcspn(host, "/");
    if (*host == '[') {
        host++;
        host_len = strcspn(host, "]/");
        port = host + host_len + (host[host_len] == ']');
    } else {
        host_len = strcspn(host, ":/");
        port = host + host_len;
    }
    port_len = *port == ':' ? (size_t)(end - port) - 1 : 0;
    if (host_len == 0 || (port < end && *port != ':') || (*port == ':' && port_len == 0) ||
        (port_len > 0 && strspn(port + 1, "0123456789") < port_len) ||
        !take_part(address.host, sizeof address.host, host, host_len) ||
        !take_part(address.port, sizeof address.port, port_len ? port + 1 : "6333",
                   port_len ? port_len : 4))
        return refuse_url(url, err);
    port_len = strlen(end);
    while (port_len > 0 && end[port_len - 1] == '/')
        port_len--;
    if (!take_part(address.prefix, sizeof address.prefix, end, port_len))
        return refuse_url(url, err);
    *ret_address = address;
    return HL_OK;
}

static int connect_to(const struct addrinfo *address)
{
    int fd = socket(address->ai_family, address->ai_socktype | SOCK_CLOEXEC, 0);
    int one = 1;

    if (fd < 0)
        return -1;
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    if (connect(fd, address->ai_addr, address->ai_addrlen) == 0)
        return fd;
    close(fd);
    return -1;
}

enum hl_code hl_address_dial(const struct hl_address *address, int *ret_fd,
                             struct hl_err *err)
{
    const struct addrinfo wanted = {.ai_socktype = SOCK_STREAM};
    struct addrinfo *addresses = NULL;
    int failed = getaddrinfo(address->host, address->port, &wanted, &addresses);
    int fd = -1;

    if (failed != 0)
        return hl_fail(err, HL_UNAVAILABLE, "could not find \"%s\": %s", address->host,
                       gai_strerror(failed));
    for (const struct addrinfo *a = addresses; a && fd < 0; a = a->ai_next)
        fd = connect_to(a);
    failed = errno;
    freeaddrinfo(addresses);
    if (fd < 0)
        return hl_fail(err, HL_UNAVAILABLE, "could not reach a server at %s port %s: %s",
                       address->host, address->port,
                       strerrordesc_np(failed) ? strerrordesc_np(failed) : "unknown error");
    *ret_fd = fd;
    return HL_OK;
}

void hl_address_print_head(const struct hl_address *address,
                           const struct hl_request_head *head, struct hl_buf *buf)
{
    hl_buf_print(buf, "%s %s%s HTTP/1.1\r\nHost: %s:%s\r\n", head->method, address->prefix,
                 head->path, address->host, address->port);
    if (head->key)
        hl_buf_print(buf, "api-key: %s\r\n", head->key);
    if (head->type)
        hl_buf_print(buf, "Content-Type: %s\r\n", head->type);
    hl_buf_add_text(buf, "Content-Length: ");
}
