/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "server/collections.h"
#include "server/search.h"
#include "server/server.h"
#include "tests/unit/looking.h"

/* Whole requests over a collection as it is in service: its store, its shelves, its
 * filters. What the parts of a search do is asked in their own files. */

/* There is one collection, whatever its name. */
static struct hl_collection *the_one;

enum hl_code hl_collections_acquire(struct hl_collections *collections,
                                    const struct hl_span *name,
                                    struct hl_collection **ret_collection,
                                    struct hl_err *err)
{
    (void)collections, (void)name, (void)err;
    *ret_collection = hl_collection_ref(the_one);
    return HL_OK;
}

#define HANDLER(name)                                                                      \
    enum hl_code (*(name))(struct hl_server *, struct hl_request *, struct hl_reply *,     \
                           struct hl_err *)

static void print_hit(struct hl_buf *text, const struct hl_value *hit)
{
    const struct hl_value *id = hl_value_member(hit, "id", 2);
    const struct hl_value *score = hl_value_member(hit, "score", 5);

    hl_buf_print(text, "%s%.*s:%.3f", text->len > 0 ? " " : "", (int)id->len, id->text,
                 strtod(score->source, NULL));
}

/* "id:score …" of everything in the reply that has both, or the sentence. */
static const char *shorten(struct stand *s, const struct hl_buf *body)
{
    const struct hl_value *root, *at;
    struct hl_buf text;
    char *copy;

    hl_buf_init(&text, 1 << 16);
    assert_int_equal(hl_payload_parse(body->data, body->len, s->arena, &root, &s->err),
                     HL_OK);
    for (at = root->first; at != root;) {
        if (at->kind == HL_TOKEN_OBJECT_BEGIN && hl_value_member(at, "score", 5))
            print_hit(&text, at);
        if (at->first) {
            at = at->first;
            continue;
        }
        while (at != root && !at->next)
            at = at->parent;
        at = at != root ? at->next : root;
    }
    copy = hl_arena_copy(s->arena, text.data, text.len);
    hl_buf_done(&text);
    return copy;
}

static const char *answer(struct stand *s, HANDLER(handler), const char *body)
{
    struct hl_config config = {.limits.request_memory_mb = 64};
    struct hl_server server = {.config = &config, .clock = hl_still};
    struct hl_reply reply = {0};
    struct hl_request request = {.params = {{"c", 1}},
                                 .body = {body, strlen(body)},
                                 .content_type = "",
                                 .arena = s->arena,
                                 .deadline = never};
    enum hl_code code;
    const char *text;

    the_one = s->collection;
    hl_buf_init(&reply.body, 1 << 20);
    code = handler(&server, &request, &reply, &s->err);
    if (code == HL_OK && request.then)
        code = request.then(&server, &request, &reply, &s->err);
    if (request.release)
        request.release(&request);
    text = code == HL_OK ? shorten(s, &reply.body) : s->err.msg;
    hl_buf_done(&reply.body);
    return text;
}

struct whole_case {
    HANDLER(handler);
    const char *body;
    const char *wanted;
};

static void assert_answers(struct stand *s, const struct whole_case *cases, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        const char *got = answer(s, cases[i].handler, cases[i].body);

        if (strcmp(got, cases[i].wanted) != 0)
            fail_msg("%s\n    %s\n    instead of\n    %s", cases[i].body, got,
                     cases[i].wanted);
    }
}

#define ASSERT_ANSWERS(s, cases)                                                           \
    assert_answers((s), (cases), sizeof(cases) / sizeof((cases)[0]))

static const struct whole_case searches[] = {
    {hl_search_query, "{\"query\":[2,0],\"using\":\"e\",\"limit\":3}",
     "2:0.000 1:1.000 3:1.000"},
    {hl_search_query, "{\"query\":[2,1],\"using\":\"m\",\"limit\":2}", "2:1.000 1:2.000"},
    {hl_search_query, "{\"query\":[2,0],\"using\":\"d\",\"limit\":2}",
     "100:200.000 99:198.000"},
    {hl_search_query, "{\"query\":[0,7],\"using\":\"c\",\"limit\":2}", "1:0.707 2:0.447"},
    {hl_search_query,
     "{\"query\":{\"indices\":[1,2],\"values\":[1,500]},\"using\":\"s\",\"limit\":2}",
     "100:600.000 98:598.000"},
    {hl_search_query, "{\"query\":5,\"using\":\"e\",\"limit\":2}", "4:1.000 6:1.000"},
    {hl_search_query, "{\"query\":5,\"using\":\"s\",\"limit\":2}",
     "100:500.000 99:495.000"},
    {hl_search_query, "{\"limit\":2,\"offset\":1}", "2:1.000 3:1.000"},
    {hl_search_query,
     "{\"query\":[2,0],\"using\":\"e\",\"limit\":9,\"score_threshold\":1.5,"
     "\"with_payload\":true,\"with_vector\":true}",
     "2:0.000 1:1.000 3:1.000"},
    {hl_search_query,
     "{\"query\":[2,0],\"using\":\"e\",\"limit\":3,\"params\":{\"exact\":true},\"filter\":"
     "{\"must\":[{\"key\":\"colour\",\"match\":{\"value\":\"red\"}}]}}",
     "3:1.000 6:4.000 9:7.000"},
    {hl_search_recommend, "{\"positive\":[10,12],\"using\":\"e\",\"limit\":2}",
     "11:0.000 9:2.000"},
    {hl_search_recommend,
     "{\"positive\":[10],\"negative\":[100],\"strategy\":\"best_score\",\"using\":\"e\","
     "\"limit\":2}",
     "9:0.250 11:0.250"},
    {hl_search_recommend,
     "{\"positive\":[10],\"negative\":[[1,0]],\"strategy\":\"sum_scores\","
     "\"using\":\"m\",\"limit\":1}",
     "11:9.000"},
    {hl_search_recommend,
     "{\"positive\":[1,2],\"strategy\":\"sum_scores\",\"using\":\"d\",\"limit\":1}",
     "100:302.000"},
    {hl_search_query_groups,
     "{\"query\":[2,0],\"using\":\"e\",\"group_by\":\"colour\",\"group_size\":2,"
     "\"limit\":2}",
     "2:0.000 5:3.000 1:1.000 4:2.000"},
    {hl_search_query_batch,
     "{\"searches\":[{\"query\":[2,0],\"using\":\"e\",\"limit\":1},"
     "{\"query\":[9,0],\"using\":\"m\",\"limit\":1,\"filter\":{\"must_not\":[{\"has_id\":"
     "[9,8]}]}}]}",
     "2:0.000 10:1.000"},
    {hl_search_query_batch,
     "{\"searches\":[{\"query\":[2,0],\"using\":\"e\",\"limit\":1,\"params\":{\"exact\":"
     "true}},"
     "{\"query\":[5,0],\"using\":\"e\",\"limit\":2,\"offset\":1,\"params\":{\"exact\":true}"
     "},"
     "{\"query\":5,\"using\":\"e\",\"limit\":2,\"params\":{\"exact\":true}},"
     "{\"query\":[0,7],\"using\":\"c\",\"limit\":2,\"params\":{\"exact\":true}},"
     "{\"query\":[9,0],\"using\":\"m\",\"limit\":1,\"params\":{\"exact\":true}},"
     "{\"query\":[2,0],\"using\":\"e\",\"limit\":3,\"params\":{\"exact\":true},\"filter\":"
     "{\"must\":[{\"key\":\"colour\",\"match\":{\"value\":\"red\"}}]}}]}",
     "2:0.000 4:1.000 6:1.000 4:1.000 6:1.000 1:0.707 2:0.447 9:0.000 3:1.000 6:4.000 "
     "9:7.000"},
    {hl_search_query, "{\"query\":101,\"using\":\"e\"}",
     "Not found: No point with id 101 found"},
};

static void searches_answer_from_a_collection_in_service(void **state)
{
    struct stand *s = *state;

    fill(s, 1, 100);
    ASSERT_ANSWERS(s, searches);
}

static void they_answer_the_same_when_it_was_opened_again(void **state)
{
    struct stand *s = *state;

    fill(s, 1, 100);
    close_stand(s);
    assert_int_equal(open_stand(s), HL_OK);
    ASSERT_ANSWERS(s, searches);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(searches_answer_from_a_collection_in_service),
        TEST(they_answer_the_same_when_it_was_opened_again),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
