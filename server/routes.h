/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HL_SERVER_ROUTES_H
#define HL_SERVER_ROUTES_H

#include "server/request.h"

#include <stddef.h>

/* The one table of what the server answers, and the way through it.
 *
 * Everything that must know the calls asks this table: matching, 404 and 405 with `Allow`,
 * who may call, on which thread a call runs, the labels of metrics, and the test that holds
 * the table against openapi.yaml. Immutable; any thread. */

enum hl_place {
    HL_PLACE_WORKER,  /* on the HTTP thread: microseconds, never waits */
    HL_PLACE_READER,  /* on a reader thread, the connection suspended meanwhile */
    HL_PLACE_BY_SIZE, /* on the HTTP thread while the body is small, else on a reader */
    HL_PLACE_UPLOAD   /* on a reader; the body is a file, request->upload */
};

enum hl_door {
    HL_DOOR_OPEN, /* no key needed */
    HL_DOOR_READ, /* any key */
    HL_DOOR_WRITE /* a full key */
};

struct hl_route {
    enum hl_method method; /* a GET route answers HEAD as well */
    enum hl_place place;
    enum hl_door door;
    const char
        *path; /* `/collections/{name}`: braces match one segment, never an empty one */

    /* Answers one request, or begins to. On failure the reply becomes the error, whatever
     * it held. */
    enum hl_code (*handler)(struct hl_server *server, struct hl_request *request,
                            struct hl_reply *reply, struct hl_err *err);
};

/* All routes of the server; their index is the label of metrics. */
extern const struct hl_route hl_routes[];
extern const size_t hl_n_routes;

/* A table prepared for matching: a tree of segments, literal ones before braces. */
struct hl_router;

/* Refuses two routes that would answer the same request. `routes` is borrowed. */
enum hl_code hl_router_new(const struct hl_route *routes, size_t n_routes,
                           struct hl_router **ret_router, struct hl_err *err);
void hl_router_free(struct hl_router *router);

/* The place of a route in the table: the label of its metrics. NULL is beyond the last. */
size_t hl_router_place(const struct hl_router *router, const struct hl_route *route);

/* Fills request->route and request->params from request->method and request->target.
 * HL_NOT_FOUND when no route has that path. HL_METHOD_NOT_ALLOWED when one has, but not
 * with this method: `ret_allow` is then the list for the `Allow` header. OPTIONS is never a
 * route: it ends there too, and its caller answers it with that list. */
enum hl_code hl_router_match(const struct hl_router *router, struct hl_request *request,
                             const char **ret_allow, struct hl_err *err);

#endif
