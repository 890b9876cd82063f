/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/fail.h"
#include "server/routes.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static const struct hl_route table[] = {
    {.method = HL_METHOD_GET, .path = "/"},
    {.method = HL_METHOD_GET, .path = "/collections"},
    {.method = HL_METHOD_GET, .path = "/collections/{name}"},
    {.method = HL_METHOD_PUT, .path = "/collections/{name}"},
    {.method = HL_METHOD_DELETE, .path = "/collections/{name}"},
    {.method = HL_METHOD_POST, .path = "/collections/aliases"},
    {.method = HL_METHOD_GET, .path = "/collections/{name}/points/{id}"},
    {.method = HL_METHOD_POST, .path = "/collections/{name}/points/query"},
    {.method = HL_METHOD_PUT, .path = "/collections/{name}/vectors/{model}/head"},
    {.method = HL_METHOD_GET, .path = "/collections/{name}/points/query/batch"},
};

struct fixture {
    struct hl_router *router;
    struct hl_arena *arena;
    struct hl_request request;
    struct hl_err err;
    const char *allow;
    char seen[512];
};

static int make_router(void **state)
{
    static struct fixture fixture;

    fixture = (struct fixture){.arena = hl_arena_new(1 << 20)};
    *state = &fixture;
    return hl_router_new(table, sizeof table / sizeof *table, &fixture.router,
                         &fixture.err) == HL_OK
               ? 0
               : -1;
}

static int free_router(void **state)
{
    struct fixture *f = *state;

    hl_router_free(f->router);
    hl_arena_free(f->arena);
    return 0;
}

/* The template that answers, then what its braces matched; or why none does. */
static const char *match(struct fixture *f, const char *method, const char *path)
{
    char *text = hl_arena_copy(f->arena, path, strlen(path));
    size_t len;

    f->request = (struct hl_request){.method = hl_method_of(method)};
    f->allow = NULL;
    if (hl_target_decode(text, strlen(path), f->arena, &f->request.target, &f->err) !=
            HL_OK ||
        hl_router_match(f->router, &f->request, &f->allow, &f->err) != HL_OK)
        return hl_code_name(f->err.code);
    len = (size_t)snprintf(f->seen, sizeof f->seen, "%s", f->request.route->path);
    for (size_t i = 0; i < HL_MAX_PARAMS && f->request.params[i].data; i++)
        len += (size_t)snprintf(f->seen + len, sizeof f->seen - len, " %s",
                                f->request.params[i].data);
    return f->seen;
}

static void a_request_finds_its_route_and_its_parameters(void **state)
{
    struct fixture *f = *state;

    assert_string_equal(match(f, "GET", "/"), "/");
    assert_string_equal(match(f, "GET", "/collections"), "/collections");
    assert_string_equal(match(f, "PUT", "/collections/a"), "/collections/{name} a");
    assert_string_equal(match(f, "GET", "/collections/a%2Fb/points/7"),
                        "/collections/{name}/points/{id} a/b 7");
    assert_string_equal(match(f, "PUT", "/collections/a/vectors/v2/head"),
                        "/collections/{name}/vectors/{model}/head a v2");
}

static void a_literal_wins_over_braces(void **state)
{
    struct fixture *f = *state;

    assert_string_equal(match(f, "POST", "/collections/a/points/query"),
                        "/collections/{name}/points/query a");
    assert_string_equal(match(f, "POST", "/collections/aliases"), "/collections/aliases");
}

static void a_literal_that_leads_nowhere_gives_way_to_braces(void **state)
{
    struct fixture *f = *state;

    assert_string_equal(match(f, "GET", "/collections/aliases/points/7"),
                        "/collections/{name}/points/{id} aliases 7");
    assert_string_equal(match(f, "GET", "/collections/a/points/query/batch"),
                        "/collections/{name}/points/query/batch a");
}

static void head_is_answered_by_the_route_of_get(void **state)
{
    struct fixture *f = *state;

    assert_string_equal(match(f, "HEAD", "/collections/a"), "/collections/{name} a");
    assert_int_equal(f->request.route->method, HL_METHOD_GET);
    assert_int_equal(f->request.method, HL_METHOD_HEAD);
    assert_string_equal(match(f, "HEAD", "/collections/aliases"), "method_not_allowed");
}

static void an_unknown_path_is_not_found(void **state)
{
    static const char *const paths[] = {
        "/nothing",
        "/collections/",
        "/collections//points/7",
        "/collections/a/",
        "/Collections",
        "/collections/a/points",
        "/collections/a/b/c",
        "//",
        "/collections/a/points/7/8",
    };
    struct fixture *f = *state;

    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++)
        assert_string_equal(match(f, "GET", paths[i]), "not_found");
}

static void another_method_is_told_which_there_are(void **state)
{
    struct fixture *f = *state;

    assert_string_equal(match(f, "POST", "/collections/a"), "method_not_allowed");
    assert_string_equal(f->allow, "GET, HEAD, PUT, DELETE, OPTIONS");
    assert_string_equal(match(f, "BREW", "/"), "method_not_allowed");
    assert_string_equal(f->allow, "GET, HEAD, OPTIONS");
    assert_string_equal(match(f, "OPTIONS", "/collections/aliases"), "method_not_allowed");
    assert_string_equal(f->allow, "POST, OPTIONS");
    assert_string_equal(match(f, "get", "/"), "method_not_allowed");
}

static void two_routes_for_one_request_are_refused(void **state)
{
    static const struct hl_route twice[] = {
        {.method = HL_METHOD_GET, .path = "/a/{x}"},
        {.method = HL_METHOD_GET, .path = "/a/{y}"},
    };
    struct hl_router *router = NULL;
    struct hl_err err;

    (void)state;
    assert_int_equal(hl_router_new(twice, 2, &router, &err), HL_INTERNAL);
    assert_string_equal(err.msg, "two routes answer GET \"/a/{y}\"");
    assert_null(router);
}

static void the_servers_own_table_is_sound(void **state)
{
    struct hl_router *router = NULL;
    struct hl_err err;

    (void)state;
    assert_int_equal(hl_router_new(hl_routes, hl_n_routes, &router, &err), HL_OK);
    hl_router_free(router);
    for (size_t i = 0; i < hl_n_routes; i++) {
        assert_int_equal(hl_routes[i].path[0], '/');
        assert_non_null(hl_routes[i].handler);
        /* Whoever changes something shows a full key. */
        if (hl_routes[i].method != HL_METHOD_GET && hl_routes[i].method != HL_METHOD_POST)
            assert_int_equal(hl_routes[i].door, HL_DOOR_WRITE);
    }
}

static void no_memory_for_the_table_is_an_error_and_no_leak(void **state)
{
    struct hl_router *router = NULL;
    struct hl_err err;
    char rule[32];
    int n = 0;
    enum hl_code code;

    (void)state;
    do {
        snprintf(rule, sizeof rule, "alloc=%d:fail", ++n);
        assert_int_equal(hl_failpoint_arm(rule, &err), HL_OK);
        code = hl_router_new(table, sizeof table / sizeof *table, &router, &err);
        hl_failpoint_disarm();
        assert_true(code == HL_OK || code == HL_NO_MEMORY);
    } while (code != HL_OK);
    assert_true(n > 1);
    hl_router_free(router);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_request_finds_its_route_and_its_parameters),
        cmocka_unit_test(a_literal_wins_over_braces),
        cmocka_unit_test(a_literal_that_leads_nowhere_gives_way_to_braces),
        cmocka_unit_test(head_is_answered_by_the_route_of_get),
        cmocka_unit_test(an_unknown_path_is_not_found),
        cmocka_unit_test(another_method_is_told_which_there_are),
        cmocka_unit_test(two_routes_for_one_request_are_refused),
        cmocka_unit_test(the_servers_own_table_is_sound),
        cmocka_unit_test(no_memory_for_the_table_is_an_error_and_no_leak),
    };

    return cmocka_run_group_tests_name("routes", tests, make_router, free_router);
}
