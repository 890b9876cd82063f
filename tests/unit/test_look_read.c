/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "proto/buf.h"
#include "tests/unit/looking.h"

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
    s->wish = (struct hl_look_wish){
        .filters = &s->filter, .n_filters = 1, .facet = &parsed, .facet_limit = limit};
    if (hl_look_open(s->collection, &s->wish, &s->look, &s->err) != HL_OK ||
        hl_look_facet(s->look, s->arena, &never, &hits, &n, &s->err) != HL_OK)
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

/* More values than an index counts under the lock; then payloads are read. */
static void a_facet_of_many_values_is_counted_alike(void **state)
{
    enum { N_POINTS = 6000, N_VALUES = 5000, AT_ONCE = 1000 };
    static const char later[] = "{\"must\":[{\"key\":\"n\",\"range\":{\"gte\":4998}}]}";
    struct stand *s = *state;
    struct hl_arena *little = hl_arena_new((size_t)64 << 10);
    const struct hl_facet_hit *hits = NULL;
    struct hl_path name;
    size_t n = 0;

    add_index(s, "n", "integer");
    add_index(s, "name", "keyword");
    for (int first = 0; first < N_POINTS; first += AT_ONCE) {
        struct hl_buf body;

        hl_buf_init(&body, (size_t)1 << 22);
        hl_buf_print(&body, "{\"upsert\":{\"points\":[");
        for (int i = first; i < first + AT_ONCE; i++)
            hl_buf_print(
                &body,
                "%s{\"id\":%d,\"payload\":{\"n\":%d,\"name\":\"v%05d\"},\"vector\":{}}",
                i == first ? "" : ",", i, i % N_VALUES, i % N_VALUES);
        hl_buf_print(&body, "]}}");
        assert_true(change_points(s, body.data) > 0);
        hl_buf_done(&body);
    }
    assert_string_equal(facet(s, "n", NULL, 3), "0:2 1:2 2:2");
    assert_string_equal(facet(s, "name", NULL, 2), "\"v00000\":2 \"v00001\":2");
    assert_string_equal(facet(s, "n", later, 9), "4998:1 4999:1");
    assert_string_equal(facet(s, "name", later, 9), "\"v04998\":1 \"v04999\":1");
    assert_non_null(little);
    s->filter = NULL;
    assert_int_equal(hl_path_parse("name", 4, s->arena, &name, &s->err), HL_OK);
    s->wish.facet = &name;
    assert_int_equal(hl_look_open(s->collection, &s->wish, &s->look, &s->err), HL_OK);
    assert_int_not_equal(hl_look_facet(s->look, little, &never, &hits, &n, &s->err), HL_OK);
    assert_non_null(strstr(s->err.msg, "the values of a facet"));
    hl_arena_free(little);
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

static void fill_oddly(struct stand *s)
{
    add_index(s, "i", "integer");
    add_index(s, "x", "float");
    add_index(s, "at", "datetime");
    add_index(s, "colour", "keyword");
    add_index(s, "tags[]", "integer");
    fill(s, 1, 20);
    assert_true(
        change_points(s, "{\"set_payload\":{\"points\":[1,3,5,7,9],\"payload\":{"
                         "\"x\":[1.5,7],\"at\":\"2024-01-02T03:04:05Z\"}}},"
                         "{\"set_payload\":{\"points\":[2,3,11],\"payload\":{"
                         "\"x\":\"no number\",\"i\":[4.5,-3,8,\"8\"],\"colour\":7}}}") > 0);
}

enum { N_KEYS = 3, N_ORDERS = 7, N_SAID = N_KEYS * N_ORDERS + N_KEYS };

/* Every order and facet there is, of the odd points. */
static void ask_everything(struct stand *s, const char *said[N_SAID])
{
    static const char odd[] = "{\"must\":[{\"key\":\"odd\",\"match\":{\"value\":true}}]}";
    static const struct hl_order orders[N_ORDERS] = {
        {.start = HL_START_NOWHERE},
        {.is_descending = true},
        {.start = HL_START_NUMBER, .is_whole = true, .integer = 7, .number = 7},
        {.start = HL_START_NUMBER, .number = 6.5},
        {.start = HL_START_NUMBER, .number = 6.5, .is_descending = true},
        {.start = HL_START_NUMBER,
         .is_whole = true,
         .integer = 7,
         .number = 7,
         .is_descending = true},
        {.start = HL_START_NUMBER, .is_whole = true, .integer = 900, .number = 900}};
    static const char *const keys[N_KEYS] = {"i", "x", "at"};
    static const char *const facets[N_KEYS] = {"colour", "i", "tags[]"};

    for (size_t i = 0; i < (size_t)N_KEYS * N_ORDERS; i++) {
        s->filter = filter_of(s, odd);
        said[i] = ordered(s, orders[i % N_ORDERS], keys[i / N_ORDERS], 50);
    }
    for (size_t i = 0; i < N_KEYS; i++)
        said[(size_t)N_KEYS * N_ORDERS + i] = facet(s, facets[i], odd, 50);
}

/* Without an index of the filter's key payloads are asked. */
static void an_index_says_what_payloads_say(void **state)
{
    struct stand *s = *state;
    const char *payloads[N_SAID], *indexes[N_SAID];

    fill_oddly(s);
    ask_everything(s, payloads);
    add_index(s, "odd", "bool");
    ask_everything(s, indexes);
    for (int i = 0; i < N_SAID; i++)
        if (strcmp(payloads[i], indexes[i]) != 0)
            fail_msg("%d: \"%s\", \"%s\"", i, payloads[i], indexes[i]);
    assert_string_equal(indexes[0], "3 11 1 5 7 3 11 9 13 15 17 19");
    assert_string_equal(indexes[1], "19 17 15 13 9 11 3 7 5 1 11 3");
    assert_string_equal(indexes[(size_t)N_KEYS * N_ORDERS],
                        "\"green\":4 \"blue\":2 \"red\":2");
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(pages_go_by_id_and_begin_where_they_are_told),
        TEST(pages_of_many_matches_are_walked_in_the_store),
        TEST(a_facet_counts_points_by_value),
        TEST(a_facet_of_many_values_is_counted_alike),
        TEST(a_facet_needs_an_index_that_counts_values),
        TEST(points_come_in_the_order_of_a_value),
        TEST(an_index_says_what_payloads_say),
        TEST(an_order_needs_an_index_of_ranges),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
