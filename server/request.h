/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HL_SERVER_REQUEST_H
#define HL_SERVER_REQUEST_H

#include "proto/arena.h"
#include "proto/buf.h"
#include "proto/deadline.h"
#include "proto/err.h"
#include "proto/file.h"
#include "server/target.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* One request and its reply, as plain data.
 *
 * A handler gets both; it knows no HTTP library and no socket. Everything a request points
 * to lives in its arena or in the connection and is good until the handler returns; what
 * the reply points to must live as long as the arena, or for ever. One thread at a time. */

enum hl_method {
    HL_METHOD_GET,
    HL_METHOD_HEAD,
    HL_METHOD_POST,
    HL_METHOD_PUT,
    HL_METHOD_PATCH,
    HL_METHOD_DELETE,
    HL_METHOD_OPTIONS,
    HL_METHOD_OTHER,
    HL_N_METHODS
};

const char *hl_method_name(enum hl_method method);
enum hl_method hl_method_of(const char *name); /* HL_METHOD_OTHER when it is none of ours */

enum { HL_MAX_PARAMS = 4, HL_REQUEST_ID_SIZE = 129 };

struct hl_route;
struct hl_server;
struct hl_exchange;
struct hl_upload;
struct hl_request;
struct hl_reply;

struct hl_request {
    enum hl_method method; /* HEAD stays HEAD here; its handler is that of GET */
    const struct hl_route *route;
    struct hl_target target;
    struct hl_span params[HL_MAX_PARAMS]; /* what the template's braces matched, in order */

    struct hl_span body;
    struct hl_upload *upload;  /* the body of an HL_PLACE_UPLOAD route, else NULL */
    const char *content_type;  /* "" when there is none */
    const char *if_none_match; /* NULL when there is none */
    const char *id;            /* what X-Request-Id answers */
    const char *key;           /* the id of the key that opened the door, "" without keys */

    struct hl_arena *arena;
    struct hl_deadline deadline;
    int64_t started_us; /* by the deadline's clock: when the request line was there */

    /* How a handler goes on: it sets one of the first two and returns HL_OK, and the
     * connection rests meanwhile. `then` is called on a reader thread and is a handler like
     * the first. `park` starts work that somebody else ends, by hl_request_finish, maybe
     * before it returns; when it fails, nobody will. */
    enum hl_code (*then)(struct hl_server *server, struct hl_request *request,
                         struct hl_reply *reply, struct hl_err *err);
    enum hl_code (*park)(struct hl_server *server, struct hl_request *request,
                         struct hl_reply *reply, struct hl_err *err);
    void *state; /* the handler's own, for those two */

    /* Called once when the reply is there or never will be, on whichever thread that is;
     * NULL: nothing is to be let go. */
    void (*release)(struct hl_request *request);

    struct hl_exchange *exchange; /* whose request this is */
};

/* Ends what `park` began: the reply is printed (HL_OK) or becomes the error. Any thread,
 * once; the request is gone when it returns. */
void hl_request_finish(struct hl_request *request, enum hl_code code,
                       const struct hl_err *err);

/* Where a reply is printed that `park` began: hl_request_finish sends it. */
struct hl_reply *hl_request_reply(struct hl_request *request);

/* The value of a query parameter, or NULL. The last one wins when it stands there twice. */
const char *hl_request_query(const struct hl_request *request, const char *name);

/* The same as a whole number from 1 on, 0 when it is not there; and `?format=ONLY`, whether
 * it was asked for. HL_MALFORMED. */
enum hl_code hl_request_number(const struct hl_request *request, const char *name,
                               uint64_t *ret_number, struct hl_err *err);
enum hl_code hl_request_format(const struct hl_request *request, const char *only,
                               bool *ret_is_wanted, struct hl_err *err);

/* Whether the body was announced as that, with or without parameters. */
bool hl_request_is_of_type(const struct hl_request *request, const char *type);

/* Seconds since the request began, for the "time" of a reply. */
double hl_request_seconds(const struct hl_request *request);

struct hl_reply {
    int status;
    const char *content_type;
    struct hl_span text; /* fixed bytes; used when `body` is empty */
    struct hl_buf body;  /* printed bytes; leave the buffer's ceiling as it is */

    /* Sent instead of both, from its first byte to what was its last when the reply was
     * made; the reply closes it. NULL: none. */
    struct hl_file *file;
    uint64_t file_size;

    const char *etag, *cache_control; /* of a reply that is no error; NULL: none */
    const char *allow;                /* for 405 and OPTIONS, else NULL */
    int retry_after_s;                /* 0: no such header */
    bool must_close;                  /* the connection ends with this reply */
};

/* Bytes that are not held in memory, however many. HL_NOT_FOUND and so on as hl_file_open
 * says it; on failure the reply is as it was. */
enum hl_code hl_reply_file(struct hl_reply *reply, const char *content_type,
                           const char *path, struct hl_err *err);

/* How many bytes of body it has. */
uint64_t hl_reply_size(const struct hl_reply *reply);

/* When the caller has this very reply already, 304 without a body takes its place: the tag
 * in If-None-Match is the reply's. */
void hl_reply_tag(struct hl_reply *reply, const struct hl_request *request);

/* Fills `reply` with bytes that outlive it. */
void hl_reply_text(struct hl_reply *reply, const char *content_type, struct hl_span text);

/* `{"result":` … `}`: print the value into reply->body between the two calls. */
void hl_reply_begin(struct hl_reply *reply);
enum hl_code hl_reply_end(struct hl_reply *reply, const struct hl_request *request,
                          struct hl_err *err);

/* After how many seconds whoever got that error may ask again; 0: nothing is said of it. */
int hl_reply_retry_s(enum hl_code code);

/* The reply becomes the error, whatever it was before. */
void hl_reply_error(struct hl_reply *reply, const struct hl_err *err, double seconds);

#endif
