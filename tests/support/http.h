/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HL_TESTS_SUPPORT_HTTP_H
#define HL_TESTS_SUPPORT_HTTP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A client that sends exactly the bytes it is given and reads replies with a deadline.
 *
 * It shares no code with the server, so that a mistake there cannot hide itself here. It
 * never waits longer than it was told. One thread for each connection. */

enum hl_http_got {
    HL_HTTP_REPLY,
    HL_HTTP_CLOSED,  /* the server closed before or within a reply */
    HL_HTTP_LATE,    /* the limit passed first */
    HL_HTTP_GARBAGE, /* bytes that are no HTTP reply */
};

struct hl_http {
    int fd;
    char *in; /* bytes received and not yet part of a reply */
    size_t n_in;
    size_t cap;
};

enum { HL_HTTP_MAX_HEADERS = 64 };

struct hl_http_header {
    const char *name;
    const char *value;
};

/* Owns its text; freed by hl_http_reply_done, reusable after it. */
struct hl_http_reply {
    int status;
    size_t n_headers;
    struct hl_http_header headers[HL_HTTP_MAX_HEADERS]; /* into `head` */
    char *head;
    char *body; /* terminated; chunks joined */
    size_t n_body;
};

/* To 127.0.0.1. False: refused. */
bool hl_http_open(struct hl_http *http, unsigned port);

/* Likewise, with a receive buffer of about that many bytes: a reader that does not keep up.
 */
bool hl_http_open_narrow(struct hl_http *http, unsigned port, int receive_bytes);

void hl_http_close(struct hl_http *http); /* accepts one that is closed */

/* False: the server does not listen any more, or took none of it for five seconds. */
bool hl_http_send(struct hl_http *http, const void *bytes, size_t size);
bool hl_http_send_text(struct hl_http *http, const char *text);

/* No more will be sent; replies can still be read. */
void hl_http_shut(struct hl_http *http);

/* The next reply. `is_head`: its headers speak of a body that does not come. */
enum hl_http_got hl_http_read(struct hl_http *http, bool is_head, int64_t limit_ms,
                              struct hl_http_reply *ret_reply);

/* HL_HTTP_CLOSED when the server closes within the limit and sends nothing before. */
enum hl_http_got hl_http_read_end(struct hl_http *http, int64_t limit_ms);

void hl_http_reply_done(struct hl_http_reply *reply);

/* The value of the first header of that name, in any case, or NULL. */
const char *hl_http_header(const struct hl_http_reply *reply, const char *name);

/* A connection for one request, its reply, and no more. The status, or minus the
 * hl_http_got that came instead (-1 closed or refused, -2 late, -3 garbage). `ret_reply`
 * may be NULL. */
int hl_http_ask(unsigned port, const char *request, int64_t limit_ms,
                struct hl_http_reply *ret_reply);

#endif
