/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HL_SERVER_ADDRESS_H
#define HL_SERVER_ADDRESS_H

#include "proto/buf.h"
#include "proto/err.h"

/* Where a server is, and how it is spoken to from the other end of the wire. Plain data and
 * functions of what they are given; any thread. */
struct hl_address {
    char host[256];
    char port[6];
    char prefix[512]; /* in front of every path, without a slash at its end */
};

/* `url` is http://HOST[:PORT][/PREFIX]; the port is 6333 when none is named. HL_INVALID. */
enum hl_code hl_address_read(const char *url, struct hl_address *ret_address,
                             struct hl_err *err);

/* A connected socket that blocks, the caller's to close. HL_UNAVAILABLE. */
enum hl_code hl_address_dial(const struct hl_address *address, int *ret_fd,
                             struct hl_err *err);

/* The head of a request up to its length, which follows with the empty line. */
struct hl_request_head {
    const char *method;
    const char *path; /* escaped already */
    const char *type; /* of the body; NULL: there is none */
    const char *key;  /* NULL: none */
};
void hl_address_print_head(const struct hl_address *address,
                           const struct hl_request_head *head, struct hl_buf *buf);

#endif
