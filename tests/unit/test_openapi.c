/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "proto/openapi.h"
#include "proto/token.h"
#include "server/routes.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

enum { MAX_CALLS = 512, CALL_SIZE = 128 };

struct document {
    struct hl_arena *arena;
    struct hl_tokens tokens;
    size_t n_calls;
    char calls[MAX_CALLS][CALL_SIZE]; /* "GET /healthz" */
};

static struct hl_token next(struct document *document)
{
    struct hl_token token = {.kind = HL_TOKEN_END};
    struct hl_err err;

    assert_int_equal(hl_tokens_next(&document->tokens, &token, &err), HL_OK);
    return token;
}

static void enter(struct document *document, enum hl_token_kind kind)
{
    assert_int_equal(next(document).kind, kind);
}

static void pass_over(struct document *document)
{
    struct hl_err err;

    assert_int_equal(hl_tokens_skip(&document->tokens, &err), HL_OK);
}

/* Goes to the value of the key `name` of the object that comes next. */
static void find(struct document *document, const char *name)
{
    struct hl_token token;

    enter(document, HL_TOKEN_OBJECT_BEGIN);
    for (token = next(document);
         token.kind == HL_TOKEN_KEY &&
         (token.len != strlen(name) || memcmp(token.text, name, token.len) != 0);
         token = next(document))
        pass_over(document);
    assert_int_equal(token.kind, HL_TOKEN_KEY);
}

static void add_call(struct document *document, struct hl_token method,
                     struct hl_token path)
{
    char *call = document->calls[document->n_calls++];

    assert_true(document->n_calls <= MAX_CALLS);
    assert_true(method.len + path.len + 2 <= CALL_SIZE);
    for (size_t i = 0; i < method.len; i++)
        call[i] = (char)toupper((unsigned char)method.text[i]);
    call[method.len] = ' ';
    memcpy(call + method.len + 1, path.text, path.len);
    call[method.len + 1 + path.len] = '\0';
}

static void read_calls(struct document *document)
{
    struct hl_token path;
    struct hl_token method;

    find(document, "paths");
    enter(document, HL_TOKEN_OBJECT_BEGIN);
    for (path = next(document); path.kind == HL_TOKEN_KEY; path = next(document)) {
        enter(document, HL_TOKEN_OBJECT_BEGIN);
        for (method = next(document); method.kind == HL_TOKEN_KEY;
             method = next(document)) {
            add_call(document, method, path);
            pass_over(document);
        }
    }
}

static void open_document(struct document *document)
{
    size_t len;
    const char *json = hl_openapi_json(&len);

    document->n_calls = 0;
    document->arena = hl_arena_new(1 << 20);
    assert_non_null(document->arena);
    hl_tokens_init(&document->tokens, json, len, document->arena);
}

static bool is_described(const struct document *document, const char *call)
{
    for (size_t i = 0; i < document->n_calls; i++)
        if (strcmp(document->calls[i], call) == 0)
            return true;
    return false;
}

static bool is_served(const char *call)
{
    for (size_t i = 0; i < hl_n_routes; i++) {
        const char *method = hl_method_name(hl_routes[i].method);
        size_t len = strlen(method);

        if (strncmp(call, method, len) == 0 && call[len] == ' ' &&
            strcmp(call + len + 1, hl_routes[i].path) == 0)
            return true;
    }
    return false;
}

static void every_route_is_described(void **state)
{
    static struct document document;

    (void)state;
    open_document(&document);
    read_calls(&document);
    for (size_t i = 0; i < hl_n_routes; i++) {
        char call[CALL_SIZE];

        snprintf(call, sizeof call, "%s %s", hl_method_name(hl_routes[i].method),
                 hl_routes[i].path);
        if (!is_described(&document, call))
            fail_msg("\"%s\" is served and not described", call);
    }
    hl_arena_free(document.arena);
}

static void every_description_is_of_a_route(void **state)
{
    static struct document document;

    (void)state;
    open_document(&document);
    read_calls(&document);
    assert_true(document.n_calls > 0);
    for (size_t i = 0; i < document.n_calls; i++)
        if (!is_served(document.calls[i]))
            fail_msg("\"%s\" is described and not served", document.calls[i]);
    hl_arena_free(document.arena);
}

static void the_codes_of_errors_are_those_of_the_table(void **state)
{
    static struct document document;
    struct hl_token token;
    int code = HL_OK + 1;

    (void)state;
    open_document(&document);
    find(&document, "components");
    find(&document, "schemas");
    find(&document, "ErrorCode");
    find(&document, "enum");
    enter(&document, HL_TOKEN_ARRAY_BEGIN);
    for (token = next(&document); token.kind == HL_TOKEN_STRING; token = next(&document)) {
        char name[CALL_SIZE];

        assert_true(code < HL_N_CODES);
        snprintf(name, sizeof name, "%.*s", (int)token.len, token.text);
        assert_string_equal(name, hl_code_name((enum hl_code)code));
        code++;
    }
    assert_int_equal(code, HL_N_CODES);
    hl_arena_free(document.arena);
}

static void the_document_is_json_from_end_to_end(void **state)
{
    static struct document document;
    struct hl_err err;

    (void)state;
    open_document(&document);
    pass_over(&document);
    assert_int_equal(hl_tokens_finish(&document.tokens, &err), HL_OK);
    hl_arena_free(document.arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_route_is_described),
        cmocka_unit_test(every_description_is_of_a_route),
        cmocka_unit_test(the_codes_of_errors_are_those_of_the_table),
        cmocka_unit_test(the_document_is_json_from_end_to_end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
