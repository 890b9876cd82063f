/* SPDX-License-Identifier: Apache-2.0 */
#include "server/search_part.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

struct fixture {
    struct hl_request request;
    struct hl_queries queries;
    struct hl_err err;
};

static int set_up(void **state)
{
    static struct fixture f;

    f = (struct fixture){
        .request = {.arena = hl_arena_new(1 << 20), .content_type = "application/json"}};
    *state = &f;
    return f.request.arena ? 0 : -1;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;

    hl_arena_free(f->request.arena);
    return 0;
}

static enum hl_code decode(struct fixture *f, enum hl_query_form form, const char *body)
{
    const struct hl_search_call call = {form, false, true};

    f->request.body = (struct hl_span){body, strlen(body)};
    return hl_search_decode(&f->request, &call, &f->queries, &f->err);
}

static void what_needs_the_disk_or_time_is_long(void **state)
{
    static const struct {
        const char *body;
        bool is_long;
    } cases[] = {
        {"{\"query\":[1,0]}", false},
        {"{\"query\":{\"recommend\":{\"positive\":[[1,0]]}}}", false},
        {"{\"query\":[1,0],\"filter\":{\"must\":{\"has_id\":[1]}}}", false},
        {"{\"query\":[1,0],\"limit\":1000,\"offset\":24}", false},
        {"{\"query\":[1,0],\"limit\":1000,\"offset\":25}", true},
        {"{\"query\":[1,0],\"params\":{\"hnsw_ef\":2000}}", true},
        {"{\"query\":[1,0],\"params\":{\"exact\":true}}", true},
        {"{\"query\":[1,0],\"with_payload\":true}", true},
        {"{\"query\":[1,0],\"with_vector\":[\"v\"]}", true},
        {"{\"query\":1}", true},
        {"{}", true},
        {"{\"query\":{\"recommend\":{\"positive\":[1]}}}", true},
        {"{\"query\":{\"recommend\":{\"positive\":[[1]],\"negative\":[1]}}}", true},
        {"{\"query\":{\"recommend\":{\"positive\":[[1]],\"strategy\":\"sum_scores\"}}}",
         true},
    };
    struct fixture *f = *state;

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_int_equal(decode(f, HL_FORM_QUERY, cases[i].body), HL_OK);
        if (hl_search_is_long(&f->queries) != cases[i].is_long)
            fail_msg("%s", cases[i].body);
    }
}

static enum hl_code decode_raw(struct fixture *f, const char *target, const char *bytes,
                               size_t len)
{
    const struct hl_search_call call = {HL_FORM_QUERY, false, true};
    char *copy = hl_arena_copy(f->request.arena, target, strlen(target));
    enum hl_code code =
        hl_target_decode(copy, strlen(copy), f->request.arena, &f->request.target, &f->err);

    f->request.content_type = "application/octet-stream";
    f->request.body = (struct hl_span){bytes, len};
    return code == HL_OK ? hl_search_decode(&f->request, &call, &f->queries, &f->err)
                         : code;
}

static void raw_bytes_are_a_vector(void **state)
{
    struct fixture *f = *state;
    const struct hl_query *query;

    assert_int_equal(decode_raw(f, "/?using=v&limit=3&offset=2&hnsw_ef=70&exact=true",
                                "\0\0\x80\x3f\0\0\0\xbf", 8),
                     HL_OK);
    query = f->queries.items;
    assert_int_equal(query->kind, HL_QUERY_NEAREST);
    assert_int_equal(query->nearest.vector.n, 2);
    assert_float_equal(query->nearest.vector.values[0], 1, 0);
    assert_float_equal(query->nearest.vector.values[1], -0.5, 0);
    assert_true(hl_text_is(&query->using_name, "v"));
    assert_int_equal(query->limit, 3);
    assert_int_equal(query->offset, 2);
    assert_int_equal(query->params.hnsw_ef, 70);
    assert_true(query->params.exact);
    assert_int_equal(decode_raw(f, "/", "\0\0\x80\x3f", 4), HL_OK);
    query = f->queries.items;
    assert_int_equal(query->limit, 10);
    assert_null(query->using_name.text);
    assert_false(query->params.exact);
}

static void the_url_of_raw_bytes_says_what_params_say(void **state)
{
    struct fixture *f = *state;
    const struct hl_query_params *params;

    assert_int_equal(decode_raw(f,
                                "/?across=false&explain=true&fidelity=0.25&score_scale="
                                "@default&modality=text&task=same&key=k",
                                "\0\0\x80\x3f", 4),
                     HL_OK);
    params = &f->queries.items[0].params;
    assert_true(params->is_own_only && params->explains && params->is_text);
    assert_int_equal(params->dial, HL_DIAL_SET);
    assert_float_equal(params->fidelity, 0.25, 0);
    assert_true(hl_text_is(&params->score_scale, ""));
    assert_int_equal(params->task, HL_QUERY_TASK_SAME);
    assert_true(hl_text_is(&params->key, "k"));
    assert_int_equal(decode_raw(f,
                                "/?across=true&fidelity=auto&modality=image&task=similar",
                                "\0\0\x80\x3f", 4),
                     HL_OK);
    params = &f->queries.items[0].params;
    assert_false(params->is_own_only || params->explains || params->is_text);
    assert_int_equal(params->dial, HL_DIAL_AUTO);
    assert_int_equal(params->task, HL_QUERY_TASK_SIMILAR);
    assert_null(params->score_scale.text);
    assert_null(params->key.text);
}

static void raw_bytes_that_are_no_vector_are_refused(void **state)
{
    static const struct {
        const char *target;
        size_t len;
        const char *sentence;
    } cases[] = {
        {"/", 0,
         "Format error in body: expected a vector of float32, 4 bytes each, got 0 bytes"},
        {"/", 6,
         "Format error in body: expected a vector of float32, 4 bytes each, got 6 bytes"},
        {"/", 8, "Validation error in body: [value 1 is not finite]"},
        {"/?limit=0", 4,
         "Format error in query parameters: limit: expected a positive number, got \"0\""},
        {"/?limit=1x", 4,
         "Format error in query parameters: limit: expected a positive number, got \"1x\""},
        {"/?offset=", 4,
         "Format error in query parameters: offset: expected a whole number, got \"\""},
        {"/?exact=1", 4,
         "Format error in query parameters: exact: expected true or false, got \"1\""},
        {"/?across=no", 4,
         "Format error in query parameters: across: expected true or false, got \"no\""},
        {"/?fidelity=2", 4,
         "Format error in query parameters: fidelity: expected a number from 0 to 1, or "
         "auto, got \"2\""},
        {"/?fidelity=nan", 4,
         "Format error in query parameters: fidelity: expected a number from 0 to 1, or "
         "auto, got \"nan\""},
        {"/?modality=sound", 4,
         "Format error in query parameters: modality: expected image or text, got "
         "\"sound\""},
        {"/?task=", 4,
         "Format error in query parameters: task: expected similar or same, got \"\""},
    };
    struct fixture *f = *state;

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_int_not_equal(
            decode_raw(f, cases[i].target, "\0\0\x80\x3f\0\0\x80\x7f", cases[i].len),
            HL_OK);
        assert_string_equal(f->err.msg, cases[i].sentence);
    }
}

static void a_timeout_in_the_url_brings_the_deadline_nearer(void **state)
{
    struct fixture *f = *state;

    f->request.started_us = 5000000;
    f->request.deadline.at_us = 9000000;
    assert_int_equal(decode_raw(f, "/?timeout=60", "\0\0\x80\x3f", 4), HL_OK);
    assert_int_equal(f->request.deadline.at_us, 9000000);
    assert_int_equal(decode_raw(f, "/?timeout=3", "\0\0\x80\x3f", 4), HL_OK);
    assert_int_equal(f->request.deadline.at_us, 8000000);
    assert_int_equal(decode_raw(f, "/?timeout=x", "\0\0\x80\x3f", 4), HL_MALFORMED);
}

static void a_batch_of_many_is_long(void **state)
{
    static const struct hl_search_call call = {HL_FORM_SEARCH, true, false};
    static const char body[] =
        "{\"searches\":[{\"vector\":[1],\"limit\":1},{\"vector\":[1],\"limit\":2},"
        "{\"vector\":[1],\"limit\":3},{\"vector\":[1],\"limit\":4},"
        "{\"vector\":[1],\"limit\":5},{\"vector\":[1],\"limit\":6},"
        "{\"vector\":[1],\"limit\":7},{\"vector\":[1],\"limit\":8},"
        "{\"vector\":[1],\"limit\":9}]}";
    struct fixture *f = *state;

    f->request.body = (struct hl_span){body, sizeof body - 1};
    assert_int_equal(hl_search_decode(&f->request, &call, &f->queries, &f->err), HL_OK);
    assert_int_equal(f->queries.n, 9);
    assert_int_equal(f->queries.items[8].limit, 9);
    assert_true(hl_search_is_long(&f->queries));
    f->queries.n = 8;
    assert_false(hl_search_is_long(&f->queries));
}

static void what_follows_a_body_is_refused(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(decode(f, HL_FORM_QUERY, "{} {}"), HL_MALFORMED);
    assert_int_equal(decode(f, HL_FORM_QUERY, ""), HL_MALFORMED);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(what_needs_the_disk_or_time_is_long),
        TEST(raw_bytes_are_a_vector),
        TEST(the_url_of_raw_bytes_says_what_params_say),
        TEST(raw_bytes_that_are_no_vector_are_refused),
        TEST(a_timeout_in_the_url_brings_the_deadline_nearer),
        TEST(a_batch_of_many_is_long),
        TEST(what_follows_a_body_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
