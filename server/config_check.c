/* SPDX-License-Identifier: Apache-2.0 */
#include "server/config.h"

#include <arpa/inet.h>
#include <inttypes.h>
#include <string.h>

/* Of a name only "localhost" is believed: any other, "127.example.org" too, is whatever a
 * name server says. */
static bool is_loopback(const char *host)
{
    struct in_addr four;
    struct in6_addr six;

    if (inet_pton(AF_INET, host, &four) == 1)
        return ntohl(four.s_addr) >> 24 == 127;
    if (inet_pton(AF_INET6, host, &six) == 1)
        return memcmp(&six, &in6addr_loopback, sizeof six) == 0;
    return strcmp(host, "localhost") == 0;
}

enum hl_code hl_config_check(const struct hl_config *config, struct hl_err *err)
{
    if (config->service.max_request_size_mb >= config->limits.request_memory_mb)
        return hl_fail(err, HL_INVALID,
                       "a body of max_request_size_mb = %" PRIu64 " does not fit into "
                       "request_memory_mb = %" PRIu64,
                       config->service.max_request_size_mb,
                       config->limits.request_memory_mb);
    if (config->n_keys > 0 || config->service.allow_remote_without_key ||
        is_loopback(config->service.host))
        return HL_OK;
    return hl_fail(err, HL_INVALID,
                   "will not listen on host \"%s\" without a key: whoever reaches it could "
                   "read and delete everything; configure a key, or set "
                   "allow_remote_without_key = true in [service]",
                   config->service.host);
}
