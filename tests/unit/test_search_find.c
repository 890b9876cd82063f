/* SPDX-License-Identifier: Apache-2.0 */
#include "server/search_part.h"

#include "proto/alloc.h"

#include <inttypes.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "tests/unit/fake_look.h"

/* From a body to hits and groups, over points that lie on a quarter of a circle: point i at
 * i degrees, so that the nearest ones of a cosine are the neighbours in number. */
struct fixture {
    struct hl_collection collection;
    struct hl_search search;
    struct hl_request request;
    struct hl_deadline deadline;
    struct hl_aim aim;
    struct hl_hits hits;
    struct hl_groups groups;
    const struct hl_filter *filters[1];
    char text[512];
    struct hl_err err;
};

static int64_t frozen(void *self)
{
    (void)self;
    return 1000000;
}
static const struct hl_clock clock_ = {frozen, NULL};

static int set_up(void **state)
{
    struct fixture *f = hl_alloc_zeroed(1, sizeof *f);
    struct hl_collection *c = &f->collection;

    c->name = "c";
    c->spaces[0] = (struct hl_space){.id = 1, .dim = 2, .name = "v"};
    c->spaces[1] = (struct hl_space){.id = 2, .name = "s", .distance = HL_DOT};
    c->layout = (struct hl_layout){.n_spaces = 2, .spaces = c->spaces};
    for (uint32_t i = 0; i <= 90; i++) {
        double angle = i * acos(-1) / 180;

        c->points[i] = (struct fake_point){.id = hl_id_number(i),
                                           .values = {(float)cos(angle), (float)sin(angle)},
                                           .has_values = i != 13,
                                           .weight = (float)(i % 10)};
    }
    c->n_points = 91;
    f->deadline = (struct hl_deadline){.clock = &clock_, .at_us = HL_DEADLINE_NEVER};
    f->request = (struct hl_request){.arena = hl_arena_new(8 << 20),
                                     .content_type = "application/json"};
    f->search = (struct hl_search){.arena = f->request.arena,
                                   .scratch_bytes = 8 << 20,
                                   .deadline = &f->deadline,
                                   .collection = c};
    *state = f;
    return f->request.arena ? 0 : -1;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;

    hl_look_close(f->search.look);
    hl_arena_free(f->request.arena);
    hl_free(f);
    return 0;
}

/* ---- one query ---- */

static enum hl_code decode(struct fixture *f, enum hl_query_form form, const char *body)
{
    const struct hl_search_call call = {form, false, true};

    f->request.body = (struct hl_span){body, strlen(body)};
    return hl_search_decode(&f->request, &call, &f->search.queries, &f->err);
}

static enum hl_code begin(struct fixture *f, enum hl_query_form form, const char *body)
{
    const struct hl_look_wish wish = {.filters = f->filters, .n_filters = 1};
    enum hl_code code = decode(f, form, body);

    if (code != HL_OK)
        return code;
    f->filters[0] = f->search.queries.items[0].filter;
    hl_look_close(f->search.look);
    f->search.look = NULL;
    code = hl_look_open(&f->collection, &wish, &f->search.look, &f->err);
    return code == HL_OK ? hl_aim_take(&f->search, 0, &f->aim, &f->err) : code;
}

/* The numbers of the hits, with blanks between. */
static const char *found(struct fixture *f, enum hl_query_form form, const char *body)
{
    const struct hl_query *query;
    size_t len = 0;
    enum hl_code code = begin(f, form, body);

    query = f->search.queries.items;
    if (code == HL_OK)
        code = hl_aim_find(&f->search, &f->aim, (size_t)query->offset + query->limit,
                           f->search.arena, &f->hits, &f->err);
    if (code != HL_OK)
        return f->err.msg;
    f->text[0] = '\0';
    for (size_t i = 0; i < f->hits.n; i++)
        len += (size_t)snprintf(f->text + len, sizeof f->text - len, "%s%" PRIu32,
                                i > 0 ? " " : "", f->hits.items[i].number);
    return f->text;
}

struct search_case {
    enum hl_query_form form;
    const char *body;
    const char *wanted; /* numbers, or the sentence of a refusal */
};

#define ASSERT_FOUND(f, cases)                                                             \
    for (size_t i_case = 0; i_case < sizeof(cases) / sizeof((cases)[0]); i_case++)         \
    assert_string_equal(found((f), (cases)[i_case].form, (cases)[i_case].body),            \
                        (cases)[i_case].wanted)

#define NEAR(degrees, more) "{\"query\":" degrees ",\"using\":\"v\"," more "}"

static void a_vector_finds_what_is_near(void **state)
{
    static const struct search_case cases[] = {
        {HL_FORM_QUERY, NEAR("[1,0]", "\"limit\":3"), "0 1 2"},
        {HL_FORM_QUERY, NEAR("[0,9]", "\"limit\":2,\"offset\":1"), "90 89 88"},
        {HL_FORM_QUERY, NEAR("[1,0]", "\"limit\":3,\"filter\":{\"must\":{\"has_id\":[1]}}"),
         "0 2 4"},
        {HL_FORM_QUERY, NEAR("[1,0]", "\"score_threshold\":0.9993"), "0 1 2"},
        {HL_FORM_QUERY, NEAR("[1,0]", "\"score_threshold\":1.1"), ""},
        {HL_FORM_SEARCH, "{\"vector\":{\"name\":\"v\",\"vector\":[1,0]},\"limit\":2}",
         "0 1"},
    };

    ASSERT_FOUND(*state, cases);
}

static void of_distances_the_smaller_one_is_better(void **state)
{
    static const struct search_case cases[] = {
        {HL_FORM_QUERY, NEAR("[1,0]", "\"limit\":2"), "0 1"},
        {HL_FORM_QUERY, NEAR("[1,0]", "\"score_threshold\":0.04"), "0 1 2"},
    };
    struct fixture *f = *state;

    f->collection.spaces[0].distance = HL_EUCLID;
    ASSERT_FOUND(f, cases);
}

static void a_point_finds_its_neighbours_without_itself(void **state)
{
    static const struct search_case cases[] = {
        {HL_FORM_QUERY, NEAR("45", "\"limit\":2"), "44 46"},
        {HL_FORM_QUERY, NEAR("45", "\"limit\":1,\"offset\":1"), "44 46"},
        {HL_FORM_QUERY, NEAR("200", "\"limit\":2"),
         "Not found: No point with id 200 found"},
        {HL_FORM_QUERY, NEAR("13", "\"limit\":2"),
         "Not found: Vector with name \"v\" for point 13"},
        {HL_FORM_QUERY, "{\"query\":17,\"using\":\"s\",\"limit\":4}", "9 19 29 39"},
    };

    ASSERT_FOUND(*state, cases);
}

static void a_sparse_query_finds_by_the_product(void **state)
{
    static const struct search_case cases[] = {
        {HL_FORM_QUERY,
         "{\"query\":{\"indices\":[7],\"values\":[2]},\"using\":\"s\",\"limit\":3}",
         "9 19 29"},
        {HL_FORM_QUERY, "{\"query\":{\"indices\":[],\"values\":[]},\"using\":\"s\"}", ""},
        {HL_FORM_QUERY, "{\"query\":[1,2],\"using\":\"s\"}",
         "Wrong input: the vector \"s\" is sparse, the query's is dense"},
        {HL_FORM_QUERY, NEAR("{\"indices\":[7],\"values\":[2]}", "\"limit\":1"),
         "Wrong input: the vector \"v\" is dense, the query's is sparse"},
    };

    ASSERT_FOUND(*state, cases);
}

static void the_vector_must_be_one_that_is_there_and_of_its_size(void **state)
{
    static const struct search_case cases[] = {
        {HL_FORM_QUERY, NEAR("[1]", "\"limit\":1"),
         "Wrong input: Vector dimension error: expected dim: 2, got 1"},
        {HL_FORM_QUERY, "{\"query\":[1,2],\"using\":\"w\"}",
         "Wrong input: Not existing vector name error: w"},
        {HL_FORM_QUERY, "{\"query\":[1,2],\"using\":\"\"}",
         "Wrong input: Not existing vector name error: "},
        {HL_FORM_QUERY, "{\"query\":[1,2]}",
         "Wrong input: Not existing vector name error: there is no unnamed vector, "
         "\"using\" must be one of \"v\", \"s\""},
    };
    struct fixture *f = *state;

    ASSERT_FOUND(f, cases);
    f->collection.layout.n_spaces = 0;
    assert_int_equal(begin(f, HL_FORM_QUERY, "{\"query\":[1]}"), HL_UNKNOWN_VECTOR);
    f->collection.spaces[0].name = "";
    f->collection.layout.n_spaces = 1;
    assert_string_equal(found(f, HL_FORM_QUERY, "{\"query\":[1,0],\"limit\":1}"), "0");
}

static void without_a_query_points_come_by_their_ids(void **state)
{
    static const struct search_case cases[] = {
        {HL_FORM_QUERY, "{\"limit\":3}", "0 1 2"},
        {HL_FORM_QUERY,
         "{\"limit\":2,\"score_threshold\":7,\"filter\":{\"must\":{\"has_id\":[1]}}}",
         "0 2"},
    };

    ASSERT_FOUND(*state, cases);
}

/* ---- recommendations ---- */

#define RECOMMEND(strategy, examples, more)                                                \
    "{" examples ",\"strategy\":\"" strategy "\",\"using\":\"v\"," more "}"

static void examples_are_not_recommended(void **state)
{
    static const struct search_case cases[] = {
        {HL_FORM_RECOMMEND,
         RECOMMEND("average_vector", "\"positive\":[10,12]", "\"limit\":2"), "11 9"},
        {HL_FORM_RECOMMEND,
         RECOMMEND("best_score", "\"positive\":[[1,0],90]", "\"limit\":1"), "0"},
        {HL_FORM_RECOMMEND, RECOMMEND("sum_scores", "\"positive\":[44,46]", "\"limit\":3"),
         "45 43 47"},
        {HL_FORM_RECOMMEND,
         RECOMMEND("average_vector", "\"positive\":[[1,0]],\"negative\":[90]",
                   "\"limit\":3"),
         "0 1 2"},
        {HL_FORM_RECOMMEND, RECOMMEND("best_score", "\"negative\":[[1,0]]", "\"limit\":2"),
         "90 89"},
    };

    ASSERT_FOUND(*state, cases);
}

/* What the strategies' formulas give, computed here from the points alone. */
static double wanted_score(const struct fixture *f, enum hl_strategy strategy,
                           uint32_t number, bool is_euclid)
{
    static const uint32_t examples[] = {10, 40, 81}; /* the last one is negative */
    double best = -HUGE_VAL, sum = 0, negative = 0;

    for (size_t i = 0; i < 3; i++) {
        const float *a = f->collection.points[examples[i]].values;
        const float *b = f->collection.points[number].values;
        double dx = (double)a[0] - (double)b[0], dy = (double)a[1] - (double)b[1];
        double score = is_euclid
                           ? -(dx * dx + dy * dy)
                           : (double)a[0] * (double)b[0] + (double)a[1] * (double)b[1];

        if (i == 2)
            negative = score;
        else
            best = fmax(best, score);
        sum += i == 2 ? -score : score;
    }
    if (strategy == HL_STRATEGY_SUM)
        return sum;
    if (best > negative)
        return 0.5 * (best / (1 + fabs(best)) + 1);
    return -0.5 * (negative / (1 + fabs(negative)) + 1);
}

static void assert_strategy(struct fixture *f, const char *body, enum hl_strategy strategy,
                            bool is_euclid)
{
    (void)found(f, HL_FORM_RECOMMEND, body);
    assert_int_equal(f->hits.n, 87); /* without the examples and 13 */
    for (size_t i = 0; i < f->hits.n; i++) {
        assert_float_equal(f->hits.items[i].score,
                           wanted_score(f, strategy, f->hits.items[i].number, is_euclid),
                           1e-5);
        assert_true(i == 0 || f->hits.items[i - 1].score >= f->hits.items[i].score);
    }
}

static void strategies_score_as_their_formulas_say(void **state)
{
    static const char best[] =
        RECOMMEND("best_score", "\"positive\":[10,40],\"negative\":[81]", "\"limit\":100");
    static const char sum[] =
        RECOMMEND("sum_scores", "\"positive\":[10,40],\"negative\":[81]", "\"limit\":100");
    struct fixture *f = *state;

    assert_strategy(f, best, HL_STRATEGY_BEST, false);
    assert_strategy(f, sum, HL_STRATEGY_SUM, false);
    assert_int_equal(f->collection.n_finds, 4); /* the sum is one search, not three */
    f->collection.spaces[0].distance = HL_EUCLID;
    assert_strategy(f, best, HL_STRATEGY_BEST, true);
    assert_strategy(f, sum, HL_STRATEGY_SUM, true);
}

static void
of_strategies_the_larger_score_is_better_whatever_the_space_measures(void **state)
{
    static const struct search_case cases[] = {
        {HL_FORM_RECOMMEND,
         RECOMMEND("best_score", "\"positive\":[[1,0]]",
                   "\"limit\":9,\"score_threshold\":0.499"),
         "0 1 2"},
    };
    struct fixture *f = *state;

    f->collection.spaces[0].distance = HL_EUCLID;
    ASSERT_FOUND(f, cases);
}

static void sparse_examples_that_share_nothing_count_as_zero(void **state)
{
    struct fixture *f = *state;

    assert_string_equal(
        found(f, HL_FORM_RECOMMEND,
              "{\"positive\":[{\"indices\":[7],\"values\":[1]}],\"negative\":[{\"indices\":"
              "[8],\"values\":[1]}],\"strategy\":\"best_score\",\"using\":\"s\","
              "\"limit\":2}"),
        "9 19");
    assert_float_equal(f->hits.items[0].score, 0.95, 1e-6);
}

/* ---- groups ---- */

static const char *grouped(struct fixture *f, const char *body)
{
    enum hl_code code = begin(f, HL_FORM_QUERY_GROUPS, body);
    size_t len = 0;

    if (code == HL_OK)
        code = hl_aim_group(&f->search, &f->aim, &f->groups, &f->err);
    if (code != HL_OK)
        return f->err.msg;
    f->text[0] = '\0';
    for (size_t i = 0; i < f->groups.n; i++) {
        const struct hl_group *group = &f->groups.items[i];

        len += (size_t)snprintf(f->text + len, sizeof f->text - len,
                                group->is_text ? "%s\"%s\":" : "%s%s:", i > 0 ? " " : "",
                                group->key.text);
        for (size_t j = 0; j < group->hits.n; j++)
            len += (size_t)snprintf(f->text + len, sizeof f->text - len, "%s%" PRIu32,
                                    j > 0 ? "," : "", group->hits.items[j].number);
    }
    return f->text;
}

#define GROUPS(size, limit)                                                                \
    NEAR("[1,0]", "\"group_by\":\"a.b\",\"group_size\":" #size ",\"limit\":" #limit)

static void points_are_grouped_by_what_they_have(void **state)
{
    static const char *const payloads[] = {"{\"a\":{\"b\":\"x\"}}",
                                           "{\"a\":{\"b\":[7,\"x\",7]}}",
                                           "{\"a\":{\"b\":true}}",
                                           "{\"a\":1}",
                                           NULL,
                                           "{\"a\":{\"b\":7.5}}",
                                           "{\"a\":{\"b\":\"7\"}}",
                                           "{\"a\":{\"b\":18446744073709551615}}",
                                           "{\"a\":{\"b\":\"\\u0078\"}}"};
    struct fixture *f = *state;

    for (size_t i = 0; i < sizeof payloads / sizeof *payloads; i++)
        f->collection.points[i].payload = payloads[i];
    assert_string_equal(grouped(f, GROUPS(2, 9)),
                        "\"x\":0,1 7:1 \"7\":6 18446744073709551615:7");
    assert_string_equal(grouped(f, GROUPS(9, 1)), "\"x\":0,1,8");
    assert_string_equal(grouped(f, GROUPS(1, 2)), "\"x\":0 7:1");
}

static void the_search_goes_on_until_groups_are_full(void **state)
{
    struct fixture *f = *state;

    for (uint32_t i = 0; i < f->collection.n_points; i++)
        f->collection.points[i].payload =
            i < 70 ? "{\"a\":{\"b\":\"near\"}}" : "{\"a\":{\"b\":\"far\"}}";
    assert_string_equal(grouped(f, GROUPS(2, 1)), "\"near\":0,1");
    assert_int_equal(f->collection.n_finds, 1);
    assert_string_equal(grouped(f, GROUPS(2, 2)), "\"near\":0,1 \"far\":70,71");
    assert_int_equal(f->collection.n_finds, 3);
}

static void nothing_is_in_no_group(void **state)
{
    assert_string_equal(grouped(*state, GROUPS(2, 2)), "");
}

/* ---- limits ---- */

static void searches_end_in_time_and_run_out_of_room_in_a_sentence(void **state)
{
    static const char body[] =
        RECOMMEND("best_score", "\"positive\":[10,40]", "\"limit\":4");
    struct fixture *f = *state;
    size_t n_refused = 0;
    enum hl_code code = HL_TOO_LARGE;

    f->deadline.at_us = 1;
    assert_string_equal(found(f, HL_FORM_RECOMMEND, body) ? f->err.msg : "",
                        "the search took longer than it was given");
    f->deadline.at_us = HL_DEADLINE_NEVER;
    for (size_t ceiling = 0; ceiling < 262144 && code != HL_OK; ceiling += 64) {
        struct hl_arena *arena = f->request.arena;

        f->request.arena = f->search.arena = hl_arena_new(262144);
        f->search.scratch_bytes = ceiling;
        code = begin(f, HL_FORM_RECOMMEND, body);
        if (code == HL_OK)
            code = hl_aim_find(&f->search, &f->aim, 4, f->search.arena, &f->hits, &f->err);
        n_refused += code == HL_TOO_LARGE;
        hl_look_close(f->search.look);
        f->search.look = NULL;
        hl_arena_free(f->search.arena);
        f->request.arena = f->search.arena = arena;
    }
    assert_int_equal(code, HL_OK);
    assert_true(n_refused > 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_vector_finds_what_is_near),
        TEST(of_distances_the_smaller_one_is_better),
        TEST(a_point_finds_its_neighbours_without_itself),
        TEST(a_sparse_query_finds_by_the_product),
        TEST(the_vector_must_be_one_that_is_there_and_of_its_size),
        TEST(without_a_query_points_come_by_their_ids),
        TEST(examples_are_not_recommended),
        TEST(strategies_score_as_their_formulas_say),
        TEST(of_strategies_the_larger_score_is_better_whatever_the_space_measures),
        TEST(sparse_examples_that_share_nothing_count_as_zero),
        TEST(points_are_grouped_by_what_they_have),
        TEST(the_search_goes_on_until_groups_are_full),
        TEST(nothing_is_in_no_group),
        TEST(searches_end_in_time_and_run_out_of_room_in_a_sentence),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
