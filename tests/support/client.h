/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HL_TESTS_SUPPORT_CLIENT_H
#define HL_TESTS_SUPPORT_CLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A client that sends exactly the bytes it is given and reads replies with a deadline.
 *
 * It shares no code with the server, so that a mistake there cannot hide itself here. It
 * never waits longer than it was told. One thread for each connection. */

enum hl_client_got {
    HL_CLIENT_REPLY,
    HL_CLIENT_CLOSED,  /* the server closed before or within a reply */
    HL_CLIENT_LATE,    /* the limit passed first */
    HL_CLIENT_GARBAGE, /* bytes that are no HTTP reply */
};

struct hl_client {
    int fd;
    char *in; /* bytes received and not yet part of a reply */
    size_t n_in;
    size_t cap;
};

enum { HL_CLIENT_MAX_HEADERS = 64 };

struct hl_client_header {
    const char *name;
    const char *value;
};

/* Owns its text; freed by hl_client_reply_done, reusable after it. */
struct hl_client_reply {
    int status;
    size_t n_headers;
    struct hl_client_header headers[HL_CLIENT_MAX_HEADERS]; /* into `head` */
    char *head;
    char *body; /* terminated; chunks joined */
    size_t n_body;
};

/* To 127.0.0.1. False: refused. */
bool hl_client_open(struct hl_client *client, unsigned port);

/* Likewise, with a receive buffer of about that many bytes: a reader that does not keep up.
 */
bool hl_client_open_narrow(struct hl_client *client, unsigned port, int receive_bytes);

void hl_client_close(struct hl_client *client); /* accepts one that is closed */

/* False: the server does not listen any more, or took none of it for five seconds. */
bool hl_client_send(struct hl_client *client, const void *bytes, size_t size);
bool hl_client_send_text(struct hl_client *client, const char *text);

/* No more will be sent; replies can still be read. */
void hl_client_shut(struct hl_client *client);

/* The next reply. `is_head`: its headers speak of a body that does not come. */
enum hl_client_got hl_client_read(struct hl_client *client, bool is_head, int64_t limit_ms,
                                  struct hl_client_reply *ret_reply);

/* HL_CLIENT_CLOSED when the server closes within the limit and sends nothing before. */
enum hl_client_got hl_client_read_end(struct hl_client *client, int64_t limit_ms);

void hl_client_reply_done(struct hl_client_reply *reply);

/* The value of the first header of that name, in any case, or NULL. */
const char *hl_client_header(const struct hl_client_reply *reply, const char *name);

/* A connection for one request, its reply, and no more. The status, or minus the
 * hl_client_got that came instead (-1 closed or refused, -2 late, -3 garbage). `ret_reply`
 * may be NULL. */
int hl_client_ask(unsigned port, const char *request, int64_t limit_ms,
                  struct hl_client_reply *ret_reply);

#endif
