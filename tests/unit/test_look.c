/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "proto/buf.h"
#include "proto/fail.h"
#include "tests/support/stand.h"

/* Spaces "c" (Cosine), "e" (Euclid), "d" (Dot) and "m" (Manhattan) of two numbers, and "s",
 * a sparse one. */
static int set_up(void **state)
{
    struct stand *s = calloc(1, sizeof *s);

    *state = s;
    if (!s || !init_stand(s))
        return -1;
    add_dense(s, "c", 2, "Cosine");
    add_dense(s, "e", 2, "Euclid");
    add_dense(s, "d", 2, "Dot");
    add_dense(s, "m", 2, "Manhattan");
    add_sparse(s, "s");
    return 0;
}

static int tear_down(void **state)
{
    struct stand *s = *state;

    done_stand(s);
    free(s);
    return 0;
}

/* Ids 1 … n. Point i: at (i, 0) in "e" and "m", at (i, 1) in "c" and "d"; "s" has i at 1
 * and, when i is even, 1 at 2. Payload: i, whether it is odd, a colour. */
static void fill(struct stand *s, int first, int last)
{
    static const char *const colours[] = {"red", "green", "blue"};

    for (int i = first; i <= last; i++)
        assert_true(
            change_points(
                s, hl_arena_print(
                       s->arena,
                       "{\"upsert\":{\"points\":[{\"id\":%d,\"payload\":{\"i\":%d,"
                       "\"odd\":%s,\"colour\":\"%s\",\"tags\":[%d,\"t\"]},\"vector\":{"
                       "\"c\":[%d,1],\"d\":[%d,1],\"e\":[%d,0],\"m\":[%d,0],"
                       "\"s\":{\"indices\":[1%s],\"values\":[%d%s]}}}]}}",
                       i, i, i % 2 ? "true" : "false", colours[i % 3], i % 4, i, i, i, i,
                       i % 2 ? "" : ",2", i, i % 2 ? "" : ",1")) > 0);
}

static const char red[] = "{\"must\":[{\"key\":\"colour\",\"match\":{\"value\":\"red\"}}]}";

/* "id:score …", or the sentence of the refusal. */
static const char *find(struct stand *s, struct hl_find find, const char *space)
{
    const struct hl_text name = {space, strlen(space)};
    const struct hl_hit *hits = NULL;
    size_t n = 0, len = 0;
    char *text = hl_arena_alloc(s->arena, 4096);

    assert_non_null(text);
    text[0] = '\0';
    find.space = hl_layout_find(hl_look_layout(s->look), &name);
    find.deadline = &never;
    assert_non_null(find.space);
    if (hl_look_find(s->look, &find, s->arena, &hits, &n, &s->err) != HL_OK)
        return s->err.msg;
    for (size_t i = 0; i < n; i++) {
        const struct hl_id id = hl_look_id(s->look, hits[i].number);

        len += (size_t)snprintf(text + len, 4096 - len, "%s%d:%.3f", i ? " " : "",
                                (int)hl_id_value(&id), (double)hits[i].score);
    }
    return text;
}

static struct hl_find query(const float *values, size_t n, size_t k)
{
    return (struct hl_find){.values = values, .n = n, .k = k};
}

/* ---- one moment ---- */

static void a_look_into_an_empty_collection_finds_nothing(void **state)
{
    struct stand *s = *state;
    const float at[] = {1, 0};

    look(s, red);
    assert_true(hl_look_is_settled(s->look, 0));
    assert_int_equal(hl_look_n_points(s->look), 0);
    assert_int_equal(count(s), 0);
    assert_string_equal(scroll(s, NULL, 10), "");
    assert_string_equal(find(s, query(at, 2, 10), "e"), "");
    look(s, NULL);
    assert_string_equal(scroll(s, NULL, 10), "");
    assert_string_equal(find(s, query(at, 2, 10), "c"), "");
    hl_look_close(NULL);
}

static void a_look_stays_at_its_moment(void **state)
{
    struct stand *s = *state;
    const float at[] = {0, 0};
    uint64_t commit;

    fill(s, 1, 6);
    look(s, red);
    commit = hl_look_commit(s->look);
    assert_int_equal(
        change_points(
            s, "{\"delete\":{\"points\":[1,2,3,4,5]}},"
               "{\"upsert\":{\"points\":[{\"id\":6,\"vector\":{\"e\":[1,1]}},"
               "{\"id\":7,\"payload\":{\"colour\":\"red\"},\"vector\":{\"e\":[0,0]}}]}}"),
        commit + 1);
    assert_int_equal(hl_look_commit(s->look), commit);
    assert_int_equal(hl_look_n_points(s->look), 6);
    assert_string_equal(scroll(s, NULL, 10), "3 6");
    assert_string_equal(find(s, query(at, 2, 9), "e"), "3:3.000 6:6.000");
    look(s, red);
    assert_int_equal(hl_look_commit(s->look), commit + 1);
    assert_int_equal(hl_look_n_points(s->look), 2);
    assert_string_equal(scroll(s, NULL, 10), "7");
    assert_string_equal(find(s, query(at, 2, 9), "e"), "7:0.000");
}

static void what_a_look_reads_is_kept_for_it(void **state)
{
    struct stand *s = *state;
    struct hl_reader *reader = NULL, *again = NULL;
    struct hl_store_point point;
    const struct hl_id two = hl_id_number(2);

    fill(s, 1, 3);
    look(s, NULL);
    assert_true(change_points(s, "{\"delete\":{\"points\":[2]}}") > 0);
    for (int i = 0; i < 5; i++) /* old versions would be cleaned away now */
        fill(s, 1, 3);
    assert_int_equal(hl_look_reader(s->look, &reader, &s->err), HL_OK);
    assert_int_equal(hl_look_reader(s->look, &again, &s->err), HL_OK);
    assert_ptr_equal(reader, again);
    assert_int_equal(hl_reader_find(reader, &two, &point, &s->err), HL_OK);
    assert_int_equal(point.n_places, 5);
    assert_string_equal(scroll(s, NULL, 10), "1 2 3");
}

static void a_look_outlives_the_last_other_reference(void **state)
{
    struct stand *s = *state;

    fill(s, 1, 3);
    look(s, red);
    hl_collection_unref(s->collection);
    s->collection = NULL;
    assert_string_equal(scroll(s, NULL, 10), "3");
}

/* ---- filters ---- */

static void a_filter_without_an_index_is_settled_by_payloads(void **state)
{
    struct stand *s = *state;

    fill(s, 1, 12);
    look(s, red);
    assert_false(hl_look_is_settled(s->look, 0));
    assert_int_equal(count(s), 4);
    assert_true(hl_look_is_settled(s->look, 0));
    assert_string_equal(scroll(s, NULL, 10), "3 6 9 12");
    assert_int_equal(hl_look_settle(s->look, 0, &never, &s->err), HL_OK);
    assert_int_equal(count(s), 4);
}

static void a_filter_with_an_index_is_settled_at_once(void **state)
{
    struct stand *s = *state;

    add_index(s, "colour", "keyword");
    fill(s, 1, 12);
    look(s, red);
    assert_true(hl_look_is_settled(s->look, 0));
    assert_int_equal(hl_look_count(s->look, 0), 4);
    assert_string_equal(scroll(s, NULL, 10), "3 6 9 12");
}

static void filters_of_one_look_are_told_apart(void **state)
{
    struct stand *s = *state;
    const struct hl_filter *filters[3] = {filter_of(s, red), NULL,
                                          filter_of(s, "{\"must\":[{\"has_id\":[2,99]}]}")};
    const struct hl_look_wish wish = {.filters = filters, .n_filters = 3};

    fill(s, 1, 7);
    assert_int_equal(hl_look_open(s->collection, &wish, &s->look, &s->err), HL_OK);
    assert_false(hl_look_is_settled(s->look, 0));
    assert_true(hl_look_is_settled(s->look, 1));
    assert_null(hl_look_matches(s->look, 1));
    assert_int_equal(hl_look_count(s->look, 1), 7);
    assert_int_equal(hl_look_count(s->look, 2), 1);
    assert_int_equal(count(s), 2);
}

static void whether_a_point_has_a_vector_is_known_at_once(void **state)
{
    struct stand *s = *state;

    fill(s, 1, 3);
    assert_true(change_points(s,
                              "{\"delete_vectors\":{\"points\":[2],\"vector\":[\"s\"]}},"
                              "{\"upsert\":{\"points\":[{\"id\":8,\"vector\":{}}]}}") > 0);
    look(s, "{\"must\":[{\"has_vector\":\"s\"}]}");
    assert_true(hl_look_is_settled(s->look, 0));
    assert_string_equal(scroll(s, NULL, 10), "1 3");
    look(s, "{\"must_not\":[{\"has_vector\":\"s\"}]}");
    assert_string_equal(scroll(s, NULL, 10), "2 8");
    look(s, "{\"must\":[{\"has_vector\":\"nobody\"}]}");
    assert_string_equal(scroll(s, NULL, 10), "");
}

/* ---- search ---- */

static void scores_are_on_the_scale_of_the_wire(void **state)
{
    struct stand *s = *state;
    const float at[] = {3, 4}, zero[] = {0, 0};

    fill(s, 1, 3);
    look(s, NULL);
    assert_string_equal(find(s, query(at, 2, 2), "d"), "3:13.000 2:10.000");
    assert_string_equal(find(s, query(at, 2, 2), "c"), "1:0.990 2:0.894");
    assert_string_equal(find(s, query(at, 2, 2), "e"), "3:4.000 2:4.123");
    assert_string_equal(find(s, query(at, 2, 2), "m"), "3:4.000 2:5.000");
    assert_string_equal(find(s, query(zero, 2, 9), "c"), "1:0.000 2:0.000 3:0.000");
    assert_string_equal(find(s, query(zero, 2, 9), "e"), "1:1.000 2:2.000 3:3.000");
}

static void a_threshold_leaves_out_what_is_worse(void **state)
{
    struct stand *s = *state;
    const float at[] = {0, 0}, along[] = {1, 0};
    struct hl_find near = query(at, 2, 9), far = query(along, 2, 9);

    fill(s, 1, 4);
    look(s, NULL);
    near.has_threshold = far.has_threshold = true;
    near.threshold = 2;
    far.threshold = 3;
    assert_string_equal(find(s, near, "e"), "1:1.000 2:2.000");
    assert_string_equal(find(s, near, "m"), "1:1.000 2:2.000");
    assert_string_equal(find(s, far, "d"), "4:4.000 3:3.000");
    near.threshold = -1;
    assert_string_equal(find(s, near, "e"), "");
}

static void a_sparse_search_finds_what_it_has_in_common(void **state)
{
    struct stand *s = *state;
    const uint32_t both[] = {1, 2}, two[] = {2}, none[] = {9};
    const float weights[] = {1, 100};
    struct hl_find find_both = query(weights, 2, 3), find_two = query(weights, 1, 9);

    fill(s, 1, 4);
    look(s, NULL);
    find_both.indices = both;
    assert_string_equal(find(s, find_both, "s"), "4:104.000 2:102.000 3:3.000");
    find_two.indices = two;
    assert_string_equal(find(s, find_two, "s"), "2:1.000 4:1.000");
    find_two.indices = none;
    assert_string_equal(find(s, find_two, "s"), "");
}

static void a_filter_bounds_what_is_found(void **state)
{
    struct stand *s = *state;
    const float at[] = {0, 0}, weights[] = {1};
    const uint32_t one[] = {1};
    struct hl_find sparse = query(weights, 1, 2);

    fill(s, 1, 150); /* more than two segments */
    look(s, red);
    assert_int_equal(count(s), 50);
    assert_string_equal(find(s, query(at, 2, 3), "e"), "3:3.000 6:6.000 9:9.000");
    assert_string_equal(find(s, query(at, 2, 3), "m"), "3:3.000 6:6.000 9:9.000");
    sparse.indices = one;
    assert_string_equal(find(s, sparse, "s"), "150:150.000 147:147.000");
}

static void a_query_that_does_not_fit_is_refused(void **state)
{
    struct stand *s = *state;
    const float values[] = {1, 2, 3};
    const uint32_t indices[] = {1, 2, 3};
    struct hl_find sparse = query(values, 3, 1);

    sparse.indices = indices;
    look(s, NULL);
    assert_string_equal(find(s, query(values, 3, 1), "c"),
                        "Wrong input: Vector dimension error: expected dim: 2, got 3");
    assert_int_equal(s->err.code, HL_DIMENSION_MISMATCH);
    (void)find(s, query(values, 2, 1), "s");
    assert_int_equal(s->err.code, HL_WRONG_INPUT);
    s->err.code = HL_OK;
    (void)find(s, sparse, "e");
    assert_int_equal(s->err.code, HL_WRONG_INPUT);
}

static void a_search_of_what_is_indexed_leaves_out_tails(void **state)
{
    struct stand *s = *state;
    const float at[] = {0, 0};
    struct hl_find indexed = query(at, 2, 2);

    fill(s, 1, 2);
    look(s, NULL);
    indexed.is_indexed_only = true;
    assert_string_equal(find(s, indexed, "e"), "");
    indexed.is_indexed_only = false;
    indexed.is_exact = true;
    assert_string_equal(find(s, indexed, "e"), "1:1.000 2:2.000");
}

static void smaller_distances_and_larger_products_are_better(void **state)
{
    (void)state;
    assert_true(hl_distance_is_better(HL_EUCLID, 1, 2));
    assert_false(hl_distance_is_better(HL_EUCLID, 2, 1));
    assert_true(hl_distance_is_better(HL_MANHATTAN, 1, 2));
    assert_true(hl_distance_is_better(HL_COSINE, 2, 1));
    assert_true(hl_distance_is_better(HL_DOT, 2, 1));
    assert_false(hl_distance_is_better(HL_DOT, 1, 1));
}

/* ---- pages ---- */

static void pages_go_by_id_and_begin_where_they_are_told(void **state)
{
    struct stand *s = *state;
    const struct hl_id five = hl_id_number(5), none = hl_id_number(99);

    fill(s, 6, 12); /* numbers are not in the order of the ids */
    fill(s, 1, 5);
    look(s, NULL);
    assert_string_equal(scroll(s, NULL, 3), "1 2 3");
    assert_string_equal(scroll(s, &five, 3), "5 6 7");
    assert_string_equal(scroll(s, &none, 3), "");
    look(s, red);
    assert_string_equal(scroll(s, NULL, 3), "3 6 9");
    assert_string_equal(scroll(s, &five, 9), "6 9 12");
    assert_string_equal(scroll(s, &none, 9), "");
}

/* More matches than are sorted in memory. */
static void pages_of_many_matches_are_walked_in_the_store(void **state)
{
    enum { N = 22000, AT_ONCE = 1000 };
    struct stand *s = *state;
    const struct hl_id last = hl_id_number(N - 2);

    for (int first = N; first > 0; first -= AT_ONCE) {
        struct hl_buf body;

        hl_buf_init(&body, (size_t)1 << 22);
        hl_buf_print(&body, "{\"upsert\":{\"points\":[");
        for (int i = first; i > first - AT_ONCE; i--)
            hl_buf_print(&body, "%s{\"id\":%d,\"payload\":{\"here\":%s},\"vector\":{}}",
                         i == first ? "" : ",", i, i == 2 ? "false" : "true");
        hl_buf_print(&body, "]}}");
        assert_true(change_points(s, body.data) > 0);
        hl_buf_done(&body);
    }
    look(s, "{\"must\":[{\"key\":\"here\",\"match\":{\"value\":true}}]}");
    assert_int_equal(count(s), N - 1);
    assert_string_equal(scroll(s, NULL, 4), "1 3 4 5");
    assert_string_equal(scroll(s, &last, 4), "21998 21999 22000");
}

/* ---- facets ---- */

/* "value:count …" of the look's filter. */
static const char *facet(struct stand *s, const char *path, const char *filter,
                         uint32_t limit)
{
    const struct hl_facet_hit *hits = NULL;
    struct hl_path parsed;
    size_t n = 0, len = 0;
    char *text = hl_arena_alloc(s->arena, 4096);

    assert_int_equal(hl_path_parse(path, strlen(path), s->arena, &parsed, &s->err), HL_OK);
    hl_look_close(s->look);
    s->look = NULL;
    s->filter = filter_of(s, filter);
    s->wish =
        (struct hl_look_wish){.filters = &s->filter, .n_filters = 1, .facet = &parsed};
    if (hl_look_open(s->collection, &s->wish, &s->look, &s->err) != HL_OK ||
        hl_look_facet(s->look, limit, s->arena, &never, &hits, &n, &s->err) != HL_OK)
        return s->err.msg;
    text[0] = '\0';
    for (size_t i = 0; i < n; i++)
        len += (size_t)snprintf(text + len, 4096 - len, "%s%.*s:%d", i ? " " : "",
                                (int)hits[i].len, hits[i].value, (int)hits[i].count);
    hl_look_close(s->look);
    s->look = NULL;
    return text;
}

static void a_facet_counts_points_by_value(void **state)
{
    struct stand *s = *state;

    add_index(s, "colour", "keyword");
    add_index(s, "odd", "bool");
    add_index(s, "tags[]", "integer");
    add_index(s, "i", "integer");
    fill(s, 1, 8);
    assert_string_equal(facet(s, "colour", NULL, 9), "\"blue\":3 \"green\":3 \"red\":2");
    assert_string_equal(facet(s, "colour", NULL, 1), "\"blue\":3");
    assert_string_equal(facet(s, "odd", NULL, 9), "false:4 true:4");
    assert_string_equal(facet(s, "i", red, 9), "3:1 6:1");
    assert_string_equal(facet(s, "odd", red, 9), "false:1 true:1");
}

static void a_facet_needs_an_index_that_counts_values(void **state)
{
    struct stand *s = *state;

    add_index(s, "i", "float");
    fill(s, 1, 2);
    assert_non_null(strstr(facet(s, "i", NULL, 9), "No appropriate index for faceting"));
    assert_int_equal(s->err.code, HL_WRONG_INPUT);
    assert_non_null(strstr(facet(s, "nobody", NULL, 9), "`nobody`"));
}

/* ---- orders ---- */

static const char *ordered(struct stand *s, struct hl_order order, const char *path,
                           uint32_t limit)
{
    const struct hl_ordered *points = NULL;
    size_t n = 0;
    uint32_t *numbers = hl_arena_array(s->arena, 1000, sizeof *numbers);
    enum hl_code code;

    assert_int_equal(hl_path_parse(path, strlen(path), s->arena, &order.key, &s->err),
                     HL_OK);
    hl_look_close(s->look);
    s->look = NULL;
    s->wish = (struct hl_look_wish){
        .filters = &s->filter, .n_filters = 1, .order = &order, .order_limit = limit};
    code = hl_look_open(s->collection, &s->wish, &s->look, &s->err);
    if (code == HL_OK)
        code = hl_look_ordered(s->look, s->arena, &never, &points, &n, &s->err);
    if (code != HL_OK)
        return s->err.msg;
    for (size_t i = 0; i < n; i++)
        numbers[i] = points[i].number;
    return ids_of(s, numbers, n);
}

static void points_come_in_the_order_of_a_value(void **state)
{
    struct stand *s = *state;
    const struct hl_order up = {0}, down = {.is_descending = true};
    const struct hl_order from = {
        .start = HL_START_NUMBER, .is_whole = true, .integer = 5, .number = 5};
    const struct hl_order down_from = {
        .start = HL_START_NUMBER, .is_descending = true, .number = 5.5};

    add_index(s, "i", "integer");
    fill(s, 4, 8);
    fill(s, 1, 3);
    s->filter = NULL;
    assert_string_equal(ordered(s, up, "i", 3), "1 2 3");
    assert_string_equal(ordered(s, down, "i", 3), "8 7 6");
    assert_string_equal(ordered(s, from, "i", 9), "5 6 7 8");
    assert_string_equal(ordered(s, down_from, "i", 2), "5 4");
    s->filter = filter_of(s, red);
    assert_string_equal(ordered(s, down, "i", 9), "6 3");
}

static void an_order_needs_an_index_of_ranges(void **state)
{
    struct stand *s = *state;
    const struct hl_order up = {0};

    add_index(s, "colour", "keyword");
    fill(s, 1, 2);
    assert_non_null(strstr(ordered(s, up, "colour", 3), "No range index for `order_by`"));
    assert_int_equal(s->err.code, HL_WRONG_INPUT);
    assert_null(s->look);
}

/* ---- failures ---- */

/* Everything a request may do, on its own. */
static enum hl_code do_all(struct stand *s)
{
    const float at[] = {1, 1};
    const struct hl_text name = {"c", 1};
    struct hl_arena *arena = hl_arena_new((size_t)1 << 24);
    struct hl_look *look = NULL;
    struct hl_find find = query(at, 2, 3);
    const struct hl_hit *hits = NULL;
    const uint32_t *numbers = NULL;
    size_t n = 0;
    enum hl_code code;

    if (!arena)
        return HL_NO_MEMORY;
    code = hl_look_open(s->collection, &s->wish, &look, &s->err);
    if (code == HL_OK)
        code = hl_look_settle(look, 0, &never, &s->err);
    if (code == HL_OK) {
        find.space = hl_layout_find(hl_look_layout(look), &name);
        find.deadline = &never;
        code = hl_look_find(look, &find, arena, &hits, &n, &s->err);
        assert_true(code != HL_OK || n == 3);
    }
    if (code == HL_OK) {
        code = hl_look_scroll(look, 0, NULL, 9, arena, &never, &numbers, &n, &s->err);
        assert_true(code != HL_OK || n == 4);
    }
    hl_look_close(look);
    hl_arena_free(arena);
    return code;
}

static void without_memory_a_request_fails_and_the_next_one_does_not(void **state)
{
    struct stand *s = *state;
    enum hl_code code = HL_NO_MEMORY;
    int n_failed = -1;

    fill(s, 1, 12);
    s->filter = filter_of(s, red);
    s->wish = (struct hl_look_wish){.filters = &s->filter, .n_filters = 1};
    for (int n = 1; code != HL_OK; n++) {
        char spec[32];

        snprintf(spec, sizeof spec, "alloc=%d:fail", n);
        assert_int_equal(hl_failpoint_arm(spec, &s->err), HL_OK);
        code = do_all(s);
        hl_failpoint_disarm();
        if (code != HL_OK && code != HL_NO_MEMORY)
            fail_msg("allocation %d: %s", n, s->err.msg);
        n_failed++;
        assert_int_equal(do_all(s), HL_OK);
        assert_true(n < 2000);
    }
    assert_true(n_failed > 5);
}

static void a_deadline_that_has_passed_ends_the_work(void **state)
{
    struct stand *s = *state;
    const struct hl_deadline past = {&hl_still, -1, NULL};

    fill(s, 1, 12);
    look(s, red);
    assert_int_equal(hl_look_settle(s->look, 0, &past, &s->err), HL_TIMEOUT);
    assert_int_equal(count(s), 4);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_look_into_an_empty_collection_finds_nothing),
        TEST(a_look_stays_at_its_moment),
        TEST(what_a_look_reads_is_kept_for_it),
        TEST(a_look_outlives_the_last_other_reference),
        TEST(a_filter_without_an_index_is_settled_by_payloads),
        TEST(a_filter_with_an_index_is_settled_at_once),
        TEST(filters_of_one_look_are_told_apart),
        TEST(whether_a_point_has_a_vector_is_known_at_once),
        TEST(scores_are_on_the_scale_of_the_wire),
        TEST(a_threshold_leaves_out_what_is_worse),
        TEST(a_sparse_search_finds_what_it_has_in_common),
        TEST(a_filter_bounds_what_is_found),
        TEST(a_query_that_does_not_fit_is_refused),
        TEST(a_search_of_what_is_indexed_leaves_out_tails),
        TEST(smaller_distances_and_larger_products_are_better),
        TEST(pages_go_by_id_and_begin_where_they_are_told),
        TEST(pages_of_many_matches_are_walked_in_the_store),
        TEST(a_facet_counts_points_by_value),
        TEST(a_facet_needs_an_index_that_counts_values),
        TEST(points_come_in_the_order_of_a_value),
        TEST(an_order_needs_an_index_of_ranges),
        TEST(without_memory_a_request_fails_and_the_next_one_does_not),
        TEST(a_deadline_that_has_passed_ends_the_work),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
