/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "proto/query.h"

#include "tests/unit/reading.h"

struct read_query {
    enum hl_query_form form;
    struct hl_query query;
};

static enum hl_code read_query(const struct hl_field *field, void *out, struct hl_err *err)
{
    struct read_query *read = out;

    return hl_query_read(field, read->form, &read->query, err);
}

static enum hl_code read_queries(const struct hl_field *field, void *out,
                                 struct hl_err *err)
{
    return hl_queries_read(field, HL_FORM_QUERY, out, err);
}

static struct hl_query query_of(struct reading *r, enum hl_query_form form,
                                const char *body)
{
    struct reading_case accepted = {body, 200, NULL};
    struct read_query read = {.form = form};

    assert_reading(r, &accepted, read_query, &read);
    return read.query;
}

static void a_silent_body_has_the_defaults(void **state)
{
    struct hl_query q = query_of(*state, HL_FORM_QUERY, "{}");

    assert_int_equal(q.kind, HL_QUERY_NONE);
    assert_int_equal(q.limit, 10);
    assert_int_equal(q.offset, 0);
    assert_null(q.using_name.text);
    assert_null(q.filter);
    assert_false(q.has_threshold);
    assert_int_equal(q.with_payload.kind, HL_SELECT_NONE);
    assert_int_equal(q.with_vector.kind, HL_SELECT_NONE);
    assert_int_equal(q.params.hnsw_ef, 0);
    assert_false(q.params.exact);
    assert_false(q.is_grouped);
}

static void every_member_is_read(void **state)
{
    struct hl_query q = query_of(
        *state, HL_FORM_QUERY,
        "{\"query\":[1,2],\"using\":\"v2\",\"filter\":{\"must\":{\"has_id\":[1]}},"
        "\"params\":{\"hnsw_ef\":64,\"exact\":true,\"indexed_only\":true,"
        "\"quantization\":{\"ignore\":false,\"rescore\":true,\"oversampling\":2.5},"
        "\"acorn\":{\"enable\":true,\"max_selectivity\":0.4},\"idf\":\"global\"},"
        "\"score_threshold\":-0.5,\"limit\":99999999999,\"offset\":7,"
        "\"with_payload\":[\"a\"],\"with_vectors\":true,\"prefetch\":[],"
        "\"lookup_from\":null,\"shard_key\":null}");

    assert_int_equal(q.kind, HL_QUERY_NEAREST);
    assert_false(q.nearest.is_id);
    assert_int_equal(q.nearest.vector.n, 2);
    assert_true(hl_text_is(&q.using_name, "v2"));
    assert_int_equal(q.filter->must.n, 1);
    assert_int_equal(q.params.hnsw_ef, 64);
    assert_true(q.params.exact && q.params.indexed_only);
    assert_true(q.has_threshold && q.threshold < -0.4F);
    assert_true(q.limit == UINT32_MAX);
    assert_int_equal(q.offset, 7);
    assert_int_equal(q.with_payload.kind, HL_SELECT_ONLY);
    assert_int_equal(q.with_vector.kind, HL_SELECT_ALL);
}

static void a_query_is_a_vector_or_an_id(void **state)
{
    static const struct {
        const char *body;
        bool is_id, is_sparse;
    } cases[] = {
        {"{\"query\":[1,2]}", false, false},
        {"{\"query\":\"AACAPwAAAL8=\"}", false, false},
        {"{\"query\":{\"indices\":[1],\"values\":[2]}}", false, true},
        {"{\"query\":18446744073709551615}", true, false},
        {"{\"query\":\"550e8400-e29b-41d4-a716-446655440000\"}", true, false},
        {"{\"query\":\"550e8400e29b41d4a716446655440000\"}", true, false},
        {"{\"query\":{\"nearest\":[1]}}", false, false},
        {"{\"query\":{\"nearest\":7,\"mmr\":null}}", true, false},
        {"{\"query\":{\"nearest\":{\"values\":[2],\"indices\":[1]}}}", false, true},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct hl_query q = query_of(*state, HL_FORM_QUERY, cases[i].body);

        assert_int_equal(q.kind, HL_QUERY_NEAREST);
        assert_int_equal(q.nearest.is_id, cases[i].is_id);
        assert_int_equal(q.nearest.vector.is_sparse, cases[i].is_sparse);
    }
}

static void a_silent_query_goes_across_and_leaves_the_rest_to_what_is_active(void **state)
{
    struct hl_query q = query_of(*state, HL_FORM_QUERY, "{\"query\":[1],\"params\":{}}");

    assert_false(q.params.is_own_only);
    assert_false(q.params.explains);
    assert_int_equal(q.params.dial, HL_DIAL_UNSAID);
    assert_null(q.params.score_scale.text);
    assert_false(q.params.is_text);
    assert_int_equal(q.params.task, HL_QUERY_TASK_UNSAID);
    assert_null(q.params.key.text);
    assert_int_equal(q.vectors.n, 0);
}

static void what_is_ours_stands_in_params(void **state)
{
    struct hl_query q = query_of(
        *state, HL_FORM_QUERY,
        "{\"query\":[1],\"params\":{\"across\":false,\"explain\":true,\"fidelity\":"
        "0.25,\"score_scale\":\"v1\",\"modality\":\"text\",\"task\":\"same\","
        "\"key\":\"k\"}}");

    assert_true(q.params.is_own_only && q.params.explains && q.params.is_text);
    assert_int_equal(q.params.dial, HL_DIAL_SET);
    assert_true(q.params.fidelity > 0.24F && q.params.fidelity < 0.26F);
    assert_true(hl_text_is(&q.params.score_scale, "v1"));
    assert_int_equal(q.params.task, HL_QUERY_TASK_SAME);
    assert_true(hl_text_is(&q.params.key, "k"));
    q = query_of(*state, HL_FORM_SEARCH,
                 "{\"vector\":[1],\"limit\":1,\"params\":{\"across\":true,\"fidelity\":"
                 "\"auto\",\"score_scale\":\"@default\",\"modality\":\"image\",\"task\":"
                 "\"similar\",\"explain\":false}}");
    assert_false(q.params.is_own_only || q.params.is_text || q.params.explains);
    assert_int_equal(q.params.dial, HL_DIAL_AUTO);
    assert_non_null(q.params.score_scale.text);
    assert_int_equal(q.params.score_scale.len, 0);
    assert_int_equal(q.params.task, HL_QUERY_TASK_SIMILAR);
}

static void one_may_send_what_several_models_see(void **state)
{
    static const char *const bodies[] = {
        "{\"query\":{\"vectors\":{\"@default\":[1,2],\"v2\":\"AACAPwAAAL8=\",\"v3\":null}}"
        "}",
        "{\"query\":{\"nearest\":{\"vectors\":{\"\":[1,2],\"v2\":\"AACAPwAAAL8=\"}}}}",
    };

    for (size_t i = 0; i < 2; i++) {
        struct hl_query q = query_of(*state, HL_FORM_QUERY, bodies[i]);

        assert_int_equal(q.kind, HL_QUERY_NEAREST);
        assert_int_equal(q.vectors.n, 2);
        assert_int_equal(q.vectors.items[0].name.len, 0);
        assert_true(hl_text_is(&q.vectors.items[1].name, "v2"));
        assert_int_equal(q.vectors.items[1].n, 2);
    }
}

static void what_is_not_theirs_to_take_is_refused(void **state)
{
    static const struct reading_case cases[] = {
        {"{\"params\":{\"across\":1}}", 400,
         "params.across: expected true or false, got 1"},
        {"{\"params\":{\"fidelity\":1.5}}", 422,
         "[params.fidelity: value 1.5 invalid, must be from 0 to 1]"},
        {"{\"params\":{\"fidelity\":\"best\"}}", 422,
         "[params.fidelity: value \"best\" invalid, must be one of \"auto\"]"},
        {"{\"params\":{\"fidelity\":true}}", 400,
         "params.fidelity: expected a number or \"auto\", got true"},
        {"{\"params\":{\"modality\":\"sound\"}}", 422,
         "[params.modality: value \"sound\" invalid, must be one of \"image\", \"text\"]"},
        {"{\"params\":{\"task\":\"other\"}}", 422,
         "[params.task: value \"other\" invalid, must be one of \"similar\", \"same\"]"},
        {"{\"params\":{\"score_scale\":1}}", 400,
         "params.score_scale: expected a string, got 1"},
        {"{\"params\":{\"key\":[]}}", 400, "params.key: expected a string, got an array"},
        {"{\"query\":{\"vectors\":{}}}", 422,
         "[query.vectors: value an object invalid, must be at least one vector]"},
        {"{\"query\":{\"vectors\":{\"v1\":null}}}", 422,
         "[query.vectors: value an object invalid, must be at least one vector]"},
        {"{\"query\":{\"vectors\":{\"\":[1],\"@default\":[1]}}}", 422,
         "[query.vectors: value an object invalid, must be one vector of each model]"},
        {"{\"query\":{\"vectors\":[1]}}", 400,
         "query.vectors: expected an object of vectors by model, got an array"},
        {"{\"query\":{\"vectors\":{\"v1\":7}}}", 400,
         "query.vectors.v1: expected a vector, got 7"},
        {"{\"query\":{\"vectors\":{\"v1\":[1]},\"recommend\":{\"positive\":[1]}}}", 422,
         "[query: value an object invalid, must be one query]"},
        {"{\"query\":{\"nearest\":{\"vectors\":{\"v1\":[1]},\"mmr\":1}}}", 400,
         "query.nearest.mmr: unknown field"},
    };
    struct read_query read = {.form = HL_FORM_QUERY};

    ASSERT_READINGS(*state, cases, read_query, &read);
}

static void only_what_has_room_beside_its_points_is_explained(void **state)
{
    static const struct reading_case refused = {
        "{\"vector\":[1],\"limit\":1,\"group_by\":\"a\",\"group_size\":1,"
        "\"params\":{\"explain\":true}}",
        400,
        "\"params.explain\" is not supported: this reply has no room beside its hits, ask "
        "/points/query"};
    struct read_query read = {.form = HL_FORM_SEARCH_GROUPS};

    assert_reading(*state, &refused, read_query, &read);
}

static void examples_are_recommended_by(void **state)
{
    struct hl_query q =
        query_of(*state, HL_FORM_QUERY,
                 "{\"query\":{\"recommend\":{\"positive\":[1,[0.5]],\"negative\":[2],"
                 "\"strategy\":\"best_score\"}}}");

    assert_int_equal(q.kind, HL_QUERY_RECOMMEND);
    assert_int_equal(q.positive.n, 2);
    assert_true(q.positive.items[0].is_id && !q.positive.items[1].is_id);
    assert_int_equal(q.negative.n, 1);
    assert_int_equal(q.strategy, HL_STRATEGY_BEST);
    q = query_of(*state, HL_FORM_RECOMMEND,
                 "{\"positive\":[1],\"limit\":3,\"using\":\"a\",\"offset\":1}");
    assert_int_equal(q.kind, HL_QUERY_RECOMMEND);
    assert_int_equal(q.strategy, HL_STRATEGY_AVERAGE);
    assert_int_equal(q.limit, 3);
}

static void the_older_search_names_its_vector_inside(void **state)
{
    struct hl_query q = query_of(*state, HL_FORM_SEARCH, "{\"vector\":[1,2],\"limit\":3}");

    assert_int_equal(q.kind, HL_QUERY_NEAREST);
    assert_null(q.using_name.text);
    assert_int_equal(q.nearest.vector.n, 2);
    q = query_of(*state, HL_FORM_SEARCH,
                 "{\"vector\":{\"vector\":{\"indices\":[1],\"values\":[1]},"
                 "\"name\":\"s\"},\"limit\":3}");
    assert_true(hl_text_is(&q.using_name, "s"));
    assert_true(q.nearest.vector.is_sparse);
}

static void groups_have_a_key_and_a_size(void **state)
{
    struct hl_query q =
        query_of(*state, HL_FORM_QUERY_GROUPS, "{\"query\":1,\"group_by\":\"a.b\"}");

    assert_true(q.is_grouped);
    assert_int_equal(q.group_by.n_steps, 2);
    assert_int_equal(q.group_size, 3);
    assert_int_equal(q.limit, 10);
    q = query_of(*state, HL_FORM_SEARCH_GROUPS,
                 "{\"vector\":[1],\"group_by\":\"a\",\"group_size\":2,\"limit\":4}");
    assert_int_equal(q.group_size, 2);
    assert_int_equal(q.limit, 4);
}

static void recommended_points_are_grouped_too(void **state)
{
    struct hl_query q =
        query_of(*state, HL_FORM_RECOMMEND_GROUPS,
                 "{\"negative\":[1],\"strategy\":\"sum_scores\",\"limit\":2,"
                 "\"group_by\":\"a\",\"group_size\":4}");

    assert_true(q.is_grouped);
    assert_int_equal(q.kind, HL_QUERY_RECOMMEND);
    assert_int_equal(q.negative.n, 1);
    assert_int_equal(q.group_size, 4);
}

static void a_batch_has_queries_in_their_order(void **state)
{
    static const struct reading_case accepted = {
        "{\"searches\":[{\"query\":1},{\"query\":[1],\"limit\":2}]}", 200, NULL};
    static const struct reading_case cases[] = {
        {"{}", 400, "missing field \"searches\""},
        {"{\"searches\":[{\"limit\":0}]}", 422,
         "[searches[0].limit: value 0 invalid, must be 1 or larger]"},
    };
    struct hl_queries queries;

    assert_reading(*state, &accepted, read_queries, &queries);
    assert_int_equal(queries.n, 2);
    assert_int_equal(queries.items[1].limit, 2);
    ASSERT_READINGS(*state, cases, read_queries, &queries);
}

static void what_is_no_query_is_refused(void **state)
{
    static const struct reading_case cases[] = {
        {"{\"query\":true}", 400, "query: expected a vector or a point id, got true"},
        {"{\"query\":\"x\"}", 400,
         "query: 1 characters of base64 came, a multiple of 4 was wanted"},
        {"{\"query\":{\"nearest\":1,\"recommend\":{\"positive\":[1]}}}", 422,
         "[query: value an object invalid, must be one query]"},
        {"{\"query\":{\"recommend\":{}}}", 422,
         "[query.recommend: value an object invalid, must be at least one positive "
         "example]"},
        {"{\"query\":{\"recommend\":{\"strategy\":\"sum_scores\"}}}", 422,
         "[query.recommend: value an object invalid, must be at least one positive or "
         "negative example]"},
        {"{\"query\":{\"recommend\":{\"strategy\":\"worst\"}}}", 422,
         "[query.recommend.strategy: value \"worst\" invalid, must be one of "
         "\"average_vector\", \"best_score\", \"sum_scores\"]"},
        {"{\"query\":[1],\"limit\":0}", 422,
         "[limit: value 0 invalid, must be 1 or larger]"},
        {"{\"query\":[1],\"limit\":-1}", 422,
         "[limit: value -1 invalid, must be 1 or larger]"},
        {"{\"query\":[1],\"limit\":1.5}", 400, "limit: expected a whole number, got 1.5"},
        {"{\"query\":[1],\"fliter\":{}}", 400, "fliter: unknown field"},
        {"{\"query\":[1],\"vector\":[1]}", 400, "vector: unknown field"},
        {"{\"query\":[1],\"with_vector\":true,\"with_vectors\":true}", 400,
         "with_vectors: duplicate field"},
        {"{\"query\":[1],\"params\":{\"hnsw_ef\":0}}", 422,
         "[params.hnsw_ef: value 0 invalid, must be 1 or larger]"},
        {"{\"query\":[1],\"params\":{\"ef\":9}}", 400, "params.ef: unknown field"},
        {"{\"query\":[1],\"params\":{\"quantization\":{\"oversampling\":0.5}}}", 422,
         "[params.quantization.oversampling: value 0.5 invalid, must be 1 or larger]"},
        {"{\"query\":[1],\"params\":{\"acorn\":{\"max_selectivity\":2}}}", 422,
         "[params.acorn.max_selectivity: value 2 invalid, must be from 0 to 1]"},
        {"{\"query\":[1],\"score_threshold\":1e39}", 422,
         "[score_threshold: value 1e39 invalid, must be from -3.40282e+38 to 3.40282e+38]"},
        {"{\"query\":[1],\"group_by\":\"a\"}", 400, "group_by: unknown field"},
    };
    struct read_query read = {.form = HL_FORM_QUERY};

    ASSERT_READINGS(*state, cases, read_query, &read);
}

static void what_is_not_ours_is_refused_by_its_name(void **state)
{
    static const char *const cases[] = {
        "{\"query\":{\"fusion\":\"rrf\"}}",
        "{\"query\":{\"rrf\":{}}}",
        "{\"query\":{\"formula\":{}}}",
        "{\"query\":{\"sample\":\"random\"}}",
        "{\"query\":{\"discover\":{}}}",
        "{\"query\":{\"context\":[]}}",
        "{\"query\":{\"order_by\":\"a\"}}",
        "{\"query\":{\"relevance_feedback\":{}}}",
        "{\"query\":{\"nearest\":1,\"mmr\":{}}}",
        "{\"query\":{\"text\":\"a\",\"model\":\"m\"}}",
        "{\"query\":[[1],[2]]}",
        "{\"prefetch\":{}}",
        "{\"prefetch\":[{}]}",
        "{\"lookup_from\":{\"collection\":\"a\"}}",
        "{\"shard_key\":\"a\"}",
        "{\"params\":{\"idf\":{\"corpus\":{}}}}",
    };
    struct reading *r = *state;

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct hl_query query;
        enum hl_code code =
            hl_query_read(reading_of(r, cases[i]), HL_FORM_QUERY, &query, &r->err);

        if (code != HL_NOT_SUPPORTED || !strstr(r->err.msg, " is not supported: "))
            fail_msg("%s: %s", cases[i], r->err.msg);
    }
}

static void what_the_older_calls_need_is_asked_for(void **state)
{
    static const struct {
        enum hl_query_form form;
        struct reading_case wanted;
    } cases[] = {
        {HL_FORM_SEARCH, {"{\"limit\":1}", 400, "missing field \"vector\""}},
        {HL_FORM_SEARCH, {"{\"vector\":[1]}", 400, "missing field \"limit\""}},
        {HL_FORM_SEARCH,
         {"{\"vector\":{\"vector\":[1]},\"limit\":1}", 400,
          "vector: missing field \"name\""}},
        {HL_FORM_SEARCH,
         {"{\"vector\":[1],\"limit\":1,\"using\":\"a\"}", 400, "using: unknown field"}},
        {HL_FORM_RECOMMEND,
         {"{\"limit\":1}", 422,
          "[value an object invalid, must be at least one positive example]"}},
        {HL_FORM_QUERY_GROUPS, {"{\"query\":1}", 400, "missing field \"group_by\""}},
        {HL_FORM_QUERY_GROUPS,
         {"{\"group_by\":\"a\",\"with_lookup\":\"b\"}", 400,
          "\"with_lookup\" is not supported: a query reads one collection"}},
        {HL_FORM_RECOMMEND_GROUPS,
         {"{\"positive\":[1],\"limit\":1,\"group_size\":1}", 400,
          "missing field \"group_by\""}},
        {HL_FORM_RECOMMEND_GROUPS,
         {"{\"limit\":1,\"offset\":1}", 400, "offset: unknown field"}},
        {HL_FORM_SEARCH_GROUPS,
         {"{\"vector\":[1],\"limit\":1,\"group_by\":\"a\"}", 400,
          "missing field \"group_size\""}},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct read_query read = {.form = cases[i].form};

        assert_reading(*state, &cases[i].wanted, read_query, &read);
    }
}

static void queries_run_out_of_room_in_a_sentence(void **state)
{
    static const char body[] =
        "{\"searches\":[{\"query\":[1,2],\"filter\":{\"must\":{\"has_id\":[2,1]}},"
        "\"with_payload\":{\"exclude\":[\"a\",\"b.c\"]},\"with_vector\":[\"x\"]},"
        "{\"query\":{\"recommend\":{\"positive\":[1,[2],{\"indices\":[2,1],"
        "\"values\":[1,2]},\"AACAPw==\"]}},\"using\":\"\\u0061\"},"
        "{\"query\":{\"vectors\":{\"@default\":[1,2],\"b\":[3]}},"
        "\"params\":{\"key\":\"\\u0061\",\"score_scale\":\"\\u0062\"}}]}";
    struct hl_queries queries;

    assert_reading_under_ceilings(*state, body, 65536, read_queries, &queries);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, start_reading, stop_reading)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_silent_body_has_the_defaults),
        TEST(every_member_is_read),
        TEST(a_query_is_a_vector_or_an_id),
        TEST(a_silent_query_goes_across_and_leaves_the_rest_to_what_is_active),
        TEST(what_is_ours_stands_in_params),
        TEST(one_may_send_what_several_models_see),
        TEST(what_is_not_theirs_to_take_is_refused),
        TEST(only_what_has_room_beside_its_points_is_explained),
        TEST(examples_are_recommended_by),
        TEST(the_older_search_names_its_vector_inside),
        TEST(groups_have_a_key_and_a_size),
        TEST(recommended_points_are_grouped_too),
        TEST(a_batch_has_queries_in_their_order),
        TEST(what_is_no_query_is_refused),
        TEST(what_is_not_ours_is_refused_by_its_name),
        TEST(what_the_older_calls_need_is_asked_for),
        TEST(queries_run_out_of_room_in_a_sentence),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
