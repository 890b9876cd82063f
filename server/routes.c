/* SPDX-License-Identifier: Apache-2.0 */
#include "server/routes.h"

#include "proto/alloc.h"
#include "server/bridge_calls.h"
#include "server/collection_calls.h"
#include "server/dataset_calls.h"
#include "server/drift_calls.h"
#include "server/feedback_calls.h"
#include "server/head_calls.h"
#include "server/job_calls.h"
#include "server/points_read.h"
#include "server/points_write.h"
#include "server/probe_calls.h"
#include "server/refresh_calls.h"
#include "server/rollout_calls.h"
#include "server/search.h"
#include "server/service.h"
#include "server/snapshots.h"
#include "server/swap_calls.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

const struct hl_route hl_routes[] = {
    {HL_METHOD_GET, HL_PLACE_WORKER, HL_DOOR_OPEN, "/", hl_service_root},
    {HL_METHOD_GET, HL_PLACE_WORKER, HL_DOOR_OPEN, "/healthz", hl_service_healthz},
    {HL_METHOD_GET, HL_PLACE_WORKER, HL_DOOR_OPEN, "/livez", hl_service_healthz},
    {HL_METHOD_GET, HL_PLACE_WORKER, HL_DOOR_OPEN, "/readyz", hl_service_readyz},
    {HL_METHOD_GET, HL_PLACE_WORKER, HL_DOOR_READ, "/metrics", hl_service_metrics},
    {HL_METHOD_GET, HL_PLACE_READER, HL_DOOR_READ, "/telemetry", hl_service_telemetry},
    {HL_METHOD_GET, HL_PLACE_WORKER, HL_DOOR_READ, "/limits", hl_service_limits},
    {HL_METHOD_GET, HL_PLACE_WORKER, HL_DOOR_READ, "/openapi.json", hl_service_openapi},
    {HL_METHOD_GET, HL_PLACE_WORKER, HL_DOOR_READ, "/issues", hl_service_issues},
    {HL_METHOD_DELETE, HL_PLACE_WORKER, HL_DOOR_WRITE, "/issues", hl_service_issues},
    {HL_METHOD_GET, HL_PLACE_WORKER, HL_DOOR_READ, "/cluster", hl_collection_call_node},
    {HL_METHOD_GET, HL_PLACE_READER, HL_DOOR_READ, "/jobs", hl_job_call_list},
    {HL_METHOD_GET, HL_PLACE_READER, HL_DOOR_READ, "/jobs/{job_id}", hl_job_call_get},
    {HL_METHOD_DELETE, HL_PLACE_READER, HL_DOOR_WRITE, "/jobs/{job_id}",
     hl_job_call_cancel},
    {HL_METHOD_GET, HL_PLACE_WORKER, HL_DOOR_READ, "/collections", hl_collection_call_list},
    {HL_METHOD_POST, HL_PLACE_READER, HL_DOOR_WRITE, "/collections/aliases",
     hl_collection_call_change_aliases},
    {HL_METHOD_GET, HL_PLACE_READER, HL_DOOR_READ, "/aliases",
     hl_collection_call_list_aliases},
    {HL_METHOD_GET, HL_PLACE_WORKER, HL_DOOR_READ, "/collections/{collection_name}",
     hl_collection_call_info},
    {HL_METHOD_PUT, HL_PLACE_READER, HL_DOOR_WRITE, "/collections/{collection_name}",
     hl_collection_call_create},
    {HL_METHOD_PATCH, HL_PLACE_WORKER, HL_DOOR_WRITE, "/collections/{collection_name}",
     hl_collection_call_update},
    {HL_METHOD_DELETE, HL_PLACE_READER, HL_DOOR_WRITE, "/collections/{collection_name}",
     hl_collection_call_delete},
    {HL_METHOD_GET, HL_PLACE_WORKER, HL_DOOR_READ, "/collections/{collection_name}/exists",
     hl_collection_call_exists},
    {HL_METHOD_GET, HL_PLACE_READER, HL_DOOR_READ, "/collections/{collection_name}/aliases",
     hl_collection_call_list_own_aliases},
    {HL_METHOD_GET, HL_PLACE_WORKER, HL_DOOR_READ, "/collections/{collection_name}/cluster",
     hl_collection_call_cluster},
    {HL_METHOD_GET, HL_PLACE_READER, HL_DOOR_READ, "/collections/{collection_name}/models",
     hl_collection_call_models},
    {HL_METHOD_POST, HL_PLACE_READER, HL_DOOR_READ,
     "/collections/{collection_name}/refresh", hl_refresh_call},
    {HL_METHOD_POST, HL_PLACE_READER, HL_DOOR_READ,
     "/collections/{collection_name}/feedback", hl_feedback_call},
    {HL_METHOD_GET, HL_PLACE_READER, HL_DOOR_READ, "/collections/{collection_name}/swap",
     hl_swap_call_get},
    {HL_METHOD_POST, HL_PLACE_READER, HL_DOOR_WRITE, "/collections/{collection_name}/swap",
     hl_swap_call_post},
    {HL_METHOD_PUT, HL_PLACE_WORKER, HL_DOOR_WRITE, "/collections/{collection_name}/index",
     hl_collection_call_add_index},
    {HL_METHOD_DELETE, HL_PLACE_WORKER, HL_DOOR_WRITE,
     "/collections/{collection_name}/index/{field_name}", hl_collection_call_drop_index},
    {HL_METHOD_PUT, HL_PLACE_WORKER, HL_DOOR_WRITE,
     "/collections/{collection_name}/vectors/{vector_name}", hl_collection_call_add_vector},
    {HL_METHOD_DELETE, HL_PLACE_WORKER, HL_DOOR_WRITE,
     "/collections/{collection_name}/vectors/{vector_name}",
     hl_collection_call_drop_vector},
    {HL_METHOD_GET, HL_PLACE_READER, HL_DOOR_READ,
     "/collections/{collection_name}/vectors/{vector_name}/head", hl_head_call_get},
    {HL_METHOD_PUT, HL_PLACE_UPLOAD, HL_DOOR_WRITE,
     "/collections/{collection_name}/vectors/{vector_name}/head", hl_head_call_put},
    {HL_METHOD_DELETE, HL_PLACE_READER, HL_DOOR_WRITE,
     "/collections/{collection_name}/vectors/{vector_name}/head", hl_head_call_delete},
    {HL_METHOD_GET, HL_PLACE_READER, HL_DOOR_READ,
     "/collections/{collection_name}/vectors/{vector_name}/canary", hl_drift_call_get},
    {HL_METHOD_PUT, HL_PLACE_READER, HL_DOOR_WRITE,
     "/collections/{collection_name}/vectors/{vector_name}/canary", hl_drift_call_put},
    {HL_METHOD_DELETE, HL_PLACE_READER, HL_DOOR_WRITE,
     "/collections/{collection_name}/vectors/{vector_name}/canary", hl_drift_call_delete},
    {HL_METHOD_GET, HL_PLACE_READER, HL_DOOR_READ,
     "/collections/{collection_name}/datasets", hl_dataset_call_list},
    {HL_METHOD_GET, HL_PLACE_READER, HL_DOOR_READ,
     "/collections/{collection_name}/datasets/{dataset_name}", hl_dataset_call_get},
    {HL_METHOD_PUT, HL_PLACE_UPLOAD, HL_DOOR_WRITE,
     "/collections/{collection_name}/datasets/{dataset_name}", hl_dataset_call_put},
    {HL_METHOD_DELETE, HL_PLACE_READER, HL_DOOR_WRITE,
     "/collections/{collection_name}/datasets/{dataset_name}", hl_dataset_call_delete},
    {HL_METHOD_GET, HL_PLACE_READER, HL_DOOR_READ, "/collections/{collection_name}/probes",
     hl_probe_call_list},
    {HL_METHOD_GET, HL_PLACE_READER, HL_DOOR_READ,
     "/collections/{collection_name}/probes/{probe_set}", hl_probe_call_get},
    {HL_METHOD_PUT, HL_PLACE_UPLOAD, HL_DOOR_WRITE,
     "/collections/{collection_name}/probes/{probe_set}", hl_probe_call_put},
    {HL_METHOD_DELETE, HL_PLACE_READER, HL_DOOR_WRITE,
     "/collections/{collection_name}/probes/{probe_set}", hl_probe_call_delete},
    {HL_METHOD_POST, HL_PLACE_READER, HL_DOOR_WRITE,
     "/collections/{collection_name}/probes/{probe_set}/run", hl_probe_call_run},
    {HL_METHOD_GET, HL_PLACE_READER, HL_DOOR_READ, "/collections/{collection_name}/bridges",
     hl_bridge_call_list},
    {HL_METHOD_GET, HL_PLACE_READER, HL_DOOR_READ,
     "/collections/{collection_name}/bridges/{from}/{to}", hl_bridge_call_get},
    {HL_METHOD_PUT, HL_PLACE_UPLOAD, HL_DOOR_WRITE,
     "/collections/{collection_name}/bridges/{from}/{to}", hl_bridge_call_put},
    {HL_METHOD_POST, HL_PLACE_READER, HL_DOOR_WRITE,
     "/collections/{collection_name}/bridges/{from}/{to}", hl_bridge_call_learn},
    {HL_METHOD_DELETE, HL_PLACE_READER, HL_DOOR_WRITE,
     "/collections/{collection_name}/bridges/{from}/{to}", hl_bridge_call_delete},
    {HL_METHOD_POST, HL_PLACE_READER, HL_DOOR_WRITE,
     "/collections/{collection_name}/bridges/{from}/{to}/activate",
     hl_bridge_call_activate},
    {HL_METHOD_POST, HL_PLACE_READER, HL_DOOR_WRITE,
     "/collections/{collection_name}/bridges/{from}/{to}/deactivate",
     hl_bridge_call_deactivate},
    {HL_METHOD_POST, HL_PLACE_READER, HL_DOOR_WRITE,
     "/collections/{collection_name}/bridges/{from}/{to}/evaluate",
     hl_bridge_call_evaluate},
    {HL_METHOD_GET, HL_PLACE_WORKER, HL_DOOR_READ, "/collections/{collection_name}/route",
     hl_route_call},
    {HL_METHOD_GET, HL_PLACE_READER, HL_DOOR_READ, "/collections/{collection_name}/rollout",
     hl_rollout_call_get},
    {HL_METHOD_PUT, HL_PLACE_WORKER, HL_DOOR_WRITE,
     "/collections/{collection_name}/rollout", hl_rollout_call_put},
    {HL_METHOD_DELETE, HL_PLACE_WORKER, HL_DOOR_WRITE,
     "/collections/{collection_name}/rollout", hl_rollout_call_delete},
    {HL_METHOD_POST, HL_PLACE_READER, HL_DOOR_WRITE,
     "/collections/{collection_name}/rollout/advance", hl_rollout_call_advance},
    {HL_METHOD_POST, HL_PLACE_READER, HL_DOOR_WRITE,
     "/collections/{collection_name}/rollout/promote", hl_rollout_call_promote},
    {HL_METHOD_POST, HL_PLACE_WORKER, HL_DOOR_WRITE,
     "/collections/{collection_name}/rollout/rollback", hl_rollout_call_rollback},
    {HL_METHOD_POST, HL_PLACE_WORKER, HL_DOOR_WRITE,
     "/collections/{collection_name}/rollout/abort", hl_rollout_call_abort},
    {HL_METHOD_GET, HL_PLACE_READER, HL_DOOR_READ,
     "/collections/{collection_name}/rollout/events", hl_rollout_call_events},
    {HL_METHOD_GET, HL_PLACE_READER, HL_DOOR_READ,
     "/collections/{collection_name}/snapshots", hl_snapshots_list},
    {HL_METHOD_POST, HL_PLACE_READER, HL_DOOR_WRITE,
     "/collections/{collection_name}/snapshots", hl_snapshots_create},
    {HL_METHOD_PUT, HL_PLACE_READER, HL_DOOR_WRITE,
     "/collections/{collection_name}/snapshots/recover", hl_snapshots_recover},
    {HL_METHOD_GET, HL_PLACE_READER, HL_DOOR_READ,
     "/collections/{collection_name}/snapshots/{snapshot_name}", hl_snapshots_download},
    {HL_METHOD_DELETE, HL_PLACE_READER, HL_DOOR_WRITE,
     "/collections/{collection_name}/snapshots/{snapshot_name}", hl_snapshots_delete},
    {HL_METHOD_POST, HL_PLACE_UPLOAD, HL_DOOR_WRITE,
     "/collections/{collection_name}/snapshots/upload", hl_snapshots_upload},
    {HL_METHOD_GET, HL_PLACE_READER, HL_DOOR_READ, "/snapshots", hl_snapshots_full_list},
    {HL_METHOD_POST, HL_PLACE_READER, HL_DOOR_WRITE, "/snapshots",
     hl_snapshots_full_create},
    {HL_METHOD_GET, HL_PLACE_READER, HL_DOOR_READ, "/snapshots/{snapshot_name}",
     hl_snapshots_full_download},
    {HL_METHOD_DELETE, HL_PLACE_READER, HL_DOOR_WRITE, "/snapshots/{snapshot_name}",
     hl_snapshots_full_delete},
    {HL_METHOD_GET, HL_PLACE_READER, HL_DOOR_READ,
     "/collections/{collection_name}/points/{id}", hl_points_get},
    {HL_METHOD_POST, HL_PLACE_READER, HL_DOOR_READ, "/collections/{collection_name}/points",
     hl_points_retrieve},
    {HL_METHOD_PUT, HL_PLACE_BY_SIZE, HL_DOOR_WRITE,
     "/collections/{collection_name}/points", hl_points_upsert},
    {HL_METHOD_POST, HL_PLACE_BY_SIZE, HL_DOOR_WRITE,
     "/collections/{collection_name}/points/delete", hl_points_delete},
    {HL_METHOD_PUT, HL_PLACE_BY_SIZE, HL_DOOR_WRITE,
     "/collections/{collection_name}/points/vectors", hl_points_update_vectors},
    {HL_METHOD_POST, HL_PLACE_BY_SIZE, HL_DOOR_WRITE,
     "/collections/{collection_name}/points/vectors/delete", hl_points_delete_vectors},
    {HL_METHOD_POST, HL_PLACE_BY_SIZE, HL_DOOR_WRITE,
     "/collections/{collection_name}/points/payload", hl_points_set_payload},
    {HL_METHOD_PUT, HL_PLACE_BY_SIZE, HL_DOOR_WRITE,
     "/collections/{collection_name}/points/payload", hl_points_overwrite_payload},
    {HL_METHOD_POST, HL_PLACE_BY_SIZE, HL_DOOR_WRITE,
     "/collections/{collection_name}/points/payload/delete", hl_points_delete_payload},
    {HL_METHOD_POST, HL_PLACE_BY_SIZE, HL_DOOR_WRITE,
     "/collections/{collection_name}/points/payload/clear", hl_points_clear_payload},
    {HL_METHOD_POST, HL_PLACE_BY_SIZE, HL_DOOR_WRITE,
     "/collections/{collection_name}/points/batch", hl_points_batch},
    {HL_METHOD_POST, HL_PLACE_READER, HL_DOOR_READ,
     "/collections/{collection_name}/points/scroll", hl_points_scroll},
    {HL_METHOD_POST, HL_PLACE_READER, HL_DOOR_READ,
     "/collections/{collection_name}/points/count", hl_points_count},
    {HL_METHOD_POST, HL_PLACE_READER, HL_DOOR_READ, "/collections/{collection_name}/facet",
     hl_points_facet},
    {HL_METHOD_POST, HL_PLACE_BY_SIZE, HL_DOOR_READ,
     "/collections/{collection_name}/points/query", hl_search_query},
    {HL_METHOD_POST, HL_PLACE_BY_SIZE, HL_DOOR_READ,
     "/collections/{collection_name}/points/query/batch", hl_search_query_batch},
    {HL_METHOD_POST, HL_PLACE_BY_SIZE, HL_DOOR_READ,
     "/collections/{collection_name}/points/query/groups", hl_search_query_groups},
    {HL_METHOD_POST, HL_PLACE_BY_SIZE, HL_DOOR_READ,
     "/collections/{collection_name}/points/search", hl_search_search},
    {HL_METHOD_POST, HL_PLACE_BY_SIZE, HL_DOOR_READ,
     "/collections/{collection_name}/points/search/batch", hl_search_search_batch},
    {HL_METHOD_POST, HL_PLACE_BY_SIZE, HL_DOOR_READ,
     "/collections/{collection_name}/points/search/groups", hl_search_search_groups},
    {HL_METHOD_POST, HL_PLACE_BY_SIZE, HL_DOOR_READ,
     "/collections/{collection_name}/points/recommend", hl_search_recommend},
    {HL_METHOD_POST, HL_PLACE_BY_SIZE, HL_DOOR_READ,
     "/collections/{collection_name}/points/recommend/batch", hl_search_recommend_batch},
    {HL_METHOD_POST, HL_PLACE_BY_SIZE, HL_DOOR_READ,
     "/collections/{collection_name}/points/recommend/groups", hl_search_recommend_groups},
};
const size_t hl_n_routes = sizeof hl_routes / sizeof *hl_routes;

/* A place in the tree. Children stand in lists: a node has few of them, and a first
 * character and a length tell most apart before bytes are compared. */
enum { NONE = UINT16_MAX, ALLOW_SIZE = 64 };

struct node {
    const char *text; /* the literal segment, in the route's template; NULL for braces */
    size_t len;
    uint16_t sibling;
    uint16_t literals; /* first child with a text */
    uint16_t braces;   /* the child that matches any segment */
    bool is_path;      /* some route ends here */
    char allow[ALLOW_SIZE];
    const struct hl_route *by_method[HL_N_METHODS];
};

struct hl_router {
    const struct hl_route *routes;
    size_t n_routes;
    struct node *nodes; /* nodes[0] is "/" */
    size_t n_nodes;
    size_t size;
};

static const char *const method_names[HL_N_METHODS] = {
    [HL_METHOD_GET] = "GET",         [HL_METHOD_HEAD] = "HEAD",
    [HL_METHOD_POST] = "POST",       [HL_METHOD_PUT] = "PUT",
    [HL_METHOD_PATCH] = "PATCH",     [HL_METHOD_DELETE] = "DELETE",
    [HL_METHOD_OPTIONS] = "OPTIONS", [HL_METHOD_OTHER] = "other",
};

const char *hl_method_name(enum hl_method method)
{
    return method_names[method];
}

enum hl_method hl_method_of(const char *name)
{
    int method = HL_METHOD_GET;

    while (method < HL_METHOD_OTHER && strcmp(name, method_names[method]) != 0)
        method++;
    return (enum hl_method)method;
}

static enum hl_code add_node(struct hl_router *router, const char *text, size_t len,
                             uint16_t *ret_node, struct hl_err *err)
{
    if (router->n_nodes == router->size) {
        size_t size = router->size ? router->size * 2 : 32;
        struct node *nodes = hl_realloc(router->nodes, size * sizeof *nodes);

        if (!nodes)
            return hl_fail(err, HL_NO_MEMORY, "no memory for %zu routes", size);
        router->nodes = nodes;
        router->size = size;
    }
    router->nodes[router->n_nodes] = (struct node){
        .text = text, .len = len, .sibling = NONE, .literals = NONE, .braces = NONE};
    *ret_node = (uint16_t)router->n_nodes++;
    return HL_OK;
}

static uint16_t find_literal(const struct hl_router *router, const struct node *parent,
                             const char *text, size_t len)
{
    uint16_t child = parent->literals;

    while (child != NONE) {
        const struct node *node = &router->nodes[child];

        if (node->len == len && memcmp(node->text, text, len) == 0)
            break;
        child = node->sibling;
    }
    return child;
}

/* The child of `at` for one segment of a template, made when it is not there yet. */
static enum hl_code enter_segment(struct hl_router *router, uint16_t *at, const char *text,
                                  size_t len, struct hl_err *err)
{
    bool is_braces = text[0] == '{';
    struct node *parent = &router->nodes[*at];
    uint16_t child = is_braces ? parent->braces : find_literal(router, parent, text, len);
    enum hl_code code;

    if (child == NONE) {
        code = add_node(router, is_braces ? NULL : text, len, &child, err);
        if (code != HL_OK)
            return code;
        parent = &router->nodes[*at]; /* the nodes may have moved */
        if (is_braces) {
            parent->braces = child;
        } else {
            router->nodes[child].sibling = parent->literals;
            parent->literals = child;
        }
    }
    *at = child;
    return HL_OK;
}

static enum hl_code add_route(struct hl_router *router, const struct hl_route *route,
                              struct hl_err *err)
{
    const char *text = route->path + 1;
    uint16_t at = 0;
    struct node *node;

    while (*text) {
        size_t len = strcspn(text, "/");
        enum hl_code code = enter_segment(router, &at, text, len, err);

        if (code != HL_OK)
            return code;
        text += len;
        text += *text == '/';
    }
    node = &router->nodes[at];
    if (node->by_method[route->method])
        return hl_fail(err, HL_INTERNAL, "two routes answer %s \"%s\"",
                       hl_method_name(route->method), route->path);
    node->is_path = true;
    node->by_method[route->method] = route;
    if (route->method == HL_METHOD_GET)
        node->by_method[HL_METHOD_HEAD] = route;
    return HL_OK;
}

static void print_allow(struct node *node)
{
    size_t len = 0;

    for (int method = 0; method < HL_METHOD_OPTIONS; method++) {
        if (node->by_method[method])
            len += (size_t)snprintf(node->allow + len, sizeof node->allow - len, "%s, ",
                                    method_names[method]);
    }
    snprintf(node->allow + len, sizeof node->allow - len, "OPTIONS");
}

enum hl_code hl_router_new(const struct hl_route *routes, size_t n_routes,
                           struct hl_router **ret_router, struct hl_err *err)
{
    struct hl_router *router = hl_alloc_zeroed(1, sizeof *router);
    enum hl_code code;
    uint16_t root;

    if (!router)
        return hl_fail(err, HL_NO_MEMORY, "no memory for the routes");
    router->routes = routes;
    router->n_routes = n_routes;
    code = add_node(router, "", 0, &root, err);
    for (size_t i = 0; code == HL_OK && i < n_routes; i++)
        code = add_route(router, &routes[i], err);
    if (code != HL_OK) {
        hl_router_free(router);
        return code;
    }
    for (size_t i = 0; i < router->n_nodes; i++)
        print_allow(&router->nodes[i]);
    *ret_router = router;
    return HL_OK;
}

void hl_router_free(struct hl_router *router)
{
    if (!router)
        return;
    hl_free(router->nodes);
    hl_free(router);
}

size_t hl_router_place(const struct hl_router *router, const struct hl_route *route)
{
    return route ? (size_t)(route - router->routes) : router->n_routes;
}

/* Where a walk may turn back to: the braces beside a literal that led nowhere. */
struct fork {
    size_t depth;
    size_t n_params;
    uint16_t braces;
};

/* Literals first; when they lead nowhere, back to the nearest braces that were passed by.
 */
static uint16_t find_path(const struct hl_router *router, struct hl_request *request)
{
    const struct hl_target *target = &request->target;
    struct fork forks[HL_MAX_SEGMENTS];
    size_t n_forks = 0, depth = 0, n_params = 0;
    uint16_t at = 0;

    for (;;) {
        const struct node *node = &router->nodes[at];
        const struct hl_span *segment = &target->segments[depth];
        uint16_t next = NONE;

        if (depth == target->n_segments) {
            if (node->is_path)
                return at;
        } else {
            next = find_literal(router, node, segment->data, segment->len);
            if (node->braces != NONE && segment->len > 0 && n_params < HL_MAX_PARAMS)
                forks[n_forks++] = (struct fork){depth, n_params, node->braces};
        }
        if (next == NONE) {
            if (n_forks == 0)
                return NONE;
            n_forks--;
            depth = forks[n_forks].depth;
            n_params = forks[n_forks].n_params;
            next = forks[n_forks].braces;
            request->params[n_params++] = target->segments[depth];
        }
        at = next;
        depth++;
    }
}

enum hl_code hl_router_match(const struct hl_router *router, struct hl_request *request,
                             const char **ret_allow, struct hl_err *err)
{
    uint16_t at = find_path(router, request);
    const struct node *node;

    if (at == NONE)
        return hl_fail(err, HL_NOT_FOUND, "Not found: no call has this path");
    node = &router->nodes[at];
    if (!node->by_method[request->method]) {
        *ret_allow = node->allow;
        return hl_fail(err, HL_METHOD_NOT_ALLOWED,
                       "%s is not a method of this path: %s are",
                       request->method == HL_METHOD_OTHER ? "what came"
                                                          : hl_method_name(request->method),
                       node->allow);
    }
    request->route = node->by_method[request->method];
    return HL_OK;
}
