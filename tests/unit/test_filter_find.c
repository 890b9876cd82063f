/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "index/filter.h"
#include "index/filter_test.h"
#include "proto/alloc.h"
#include "proto/fail.h"
#include "tests/unit/reading.h"

enum { N_POINTS = 300, N_INDEXES = 8, TEXT_MAX = 4096 };

/* Points with payloads, indexed and not. Numbers lie apart, so that they fill pages. */
struct world {
    struct reading *r;
    struct hl_arena *arena; /* of the payloads */
    struct hl_field_index *indexes[N_INDEXES];
    struct hl_rows *points;
    struct hl_rows *with_vector;
    char *texts[N_POINTS];
    const struct hl_value *payloads[N_POINTS]; /* NULL: deleted */
    struct hl_id ids[N_POINTS];
    uint64_t seed;
    char body[TEXT_MAX];
    size_t len;
};

static uint32_t pick(struct world *w, uint32_t n)
{
    w->seed = w->seed * 6364136223846793005U + 1442695040888963407U;
    return (uint32_t)(w->seed >> 33) % n;
}

static uint32_t number_at(size_t i)
{
    return (uint32_t)(i * 700 + 1);
}

__attribute__((format(printf, 2, 3))) static void put(struct world *w, const char *format,
                                                      ...)
{
    va_list args;

    va_start(args, format);
    w->len += (size_t)vsnprintf(w->body + w->len, TEXT_MAX - w->len, format, args);
    va_end(args);
    assert_true(w->len < TEXT_MAX);
}

static const char *const keys[] = {"k", "i", "f", "b", "d", "g", "i[]", "u", "n"};

static void put_scalar(struct world *w)
{
    switch (pick(w, 11)) {
    case 0:
        put(w, "null");
        return;
    case 1:
        put(w, "%s", pick(w, 2) ? "true" : "false");
        return;
    case 2:
    case 3:
        put(w, "\"w%u\"", pick(w, 6));
        return;
    case 4:
        put(w, "\"2024-01-0%uT0%u:00:00Z\"", 1 + pick(w, 5), pick(w, 3));
        return;
    case 6:
        put(w, "{\"lon\":%d,\"lat\":%d.5}", (int)pick(w, 37) * 10 - 180,
            (int)pick(w, 17) * 10 - 80);
        return;
    case 7:
        put(w, "{\"lon\":%u.25,\"lat\":%u}", pick(w, 12), pick(w, 12));
        return;
    case 8:
        put(w, "%s", pick(w, 2) ? "9223372036854775807" : "9007199254740993");
        return;
    case 5:
        put(w, "%u.%u", pick(w, 6), pick(w, 3) * 5);
        return;
    default:
        put(w, "%d", (int)pick(w, 8) - 2);
    }
}

static void put_value(struct world *w)
{
    uint32_t n = pick(w, 5), kind = pick(w, 4);

    if (pick(w, 4)) {
        put_scalar(w);
        return;
    }
    put(w, "[");
    for (uint32_t i = 0; i < n; i++) {
        put(w, "%s", i ? "," : "");
        if (kind > 2 && pick(w, 6) == 0)
            put(w, "[1,\"w1\"]");
        else if (kind < 2)
            put(w, "%s%u%s", kind ? "\"w" : "", pick(w, 4), kind ? "\"" : "");
        else
            put_scalar(w);
    }
    put(w, "]");
}

static void make_payload(struct world *w, size_t i)
{
    w->len = 0;
    put(w, "{\"z\":0");
    for (size_t key = 0; key < sizeof keys / sizeof keys[0]; key++)
        if (pick(w, 3)) {
            put(w, ",\"%.1s\":", keys[key]);
            put_value(w);
        }
    put(w, "}");
    hl_free(w->texts[i]);
    w->texts[i] = hl_strdup(w->body);
    assert_int_equal(
        hl_payload_parse(w->texts[i], w->len, w->arena, &w->payloads[i], &w->r->err),
        HL_OK);
}

static void put_ring(struct world *w)
{
    uint32_t a = pick(w, 8), b = a + 1 + pick(w, 5);

    put(w,
        "\"geo_polygon\":{\"exterior\":{\"points\":[{\"lon\":%u,\"lat\":%u},{\"lon\":%u,"
        "\"lat\":%u},{\"lon\":%u,\"lat\":%u.5},{\"lon\":%u,\"lat\":%u}]}}",
        a, a, b, a, b, b, a, a);
}

static void put_test(struct world *w)
{
    static const char *const bounds[] = {"gt", "gte", "lt", "lte"};
    uint32_t low = pick(w, 2), high = 2 + pick(w, 2);

    switch (pick(w, 13)) {
    case 0:
        put(w, "\"match\":{\"value\":\"w%u\"}", pick(w, 6));
        return;
    case 1:
        put(w, "\"match\":{\"value\":%d}", (int)pick(w, 8) - 2);
        return;
    case 2:
        put(w, "\"match\":{\"value\":%s}", pick(w, 2) ? "true" : "false");
        return;
    case 3:
        put(w, "\"match\":{\"%s\":[\"w1\",\"w%u\"]}", pick(w, 2) ? "any" : "except",
            pick(w, 6));
        return;
    case 4:
        put(w, "\"match\":{\"%s\":[1,%u]}", pick(w, 2) ? "any" : "except", pick(w, 6));
        return;
    case 5:
        put(w, "\"match\":{\"prefix\":\"w%s\"}", pick(w, 2) ? "3" : "");
        return;
    case 6:
        put(w, "\"range\":{\"%s\":%d,\"%s\":%u.%u}", bounds[low], (int)pick(w, 5) - 2,
            bounds[high], pick(w, 7), pick(w, 2) * 5);
        return;
    case 7:
        put(w, "\"range\":{\"%s\":\"2024-01-0%uT0%u:00:00Z\"}", bounds[pick(w, 4)],
            1 + pick(w, 5), pick(w, 3));
        return;
    case 8:
        put(w,
            "\"geo_bounding_box\":{\"top_left\":{\"lon\":%d,\"lat\":80},\"bottom_right\":{"
            "\"lon\":%d,\"lat\":-%u}}",
            (int)pick(w, 37) * 10 - 180, (int)pick(w, 37) * 10 - 180, pick(w, 90));
        return;
    case 9:
        put(w, "\"geo_radius\":{\"center\":{\"lon\":%d,\"lat\":%d},\"radius\":%u}",
            (int)pick(w, 361) - 180, (int)pick(w, 181) - 90, pick(w, 6000) * 1000);
        return;
    case 10:
        put_ring(w);
        return;
    case 11:
        put(w, "\"values_count\":{\"%s\":%u}", bounds[pick(w, 4)], pick(w, 4));
        return;
    default:
        put(w, "\"%s\":%s", pick(w, 2) ? "is_null" : "is_empty",
            pick(w, 2) ? "true" : "false");
    }
}

static void put_filter(struct world *w, unsigned depth);

static void put_condition(struct world *w, unsigned depth)
{
    switch (pick(w, 12)) {
    case 0:
        put(w, "{\"has_id\":[%u,%u,%u]}", pick(w, 400), pick(w, 400), pick(w, 400));
        return;
    case 1:
        put(w, "{\"has_vector\":\"%s\"}", pick(w, 3) ? "v2" : "v9");
        return;
    case 2:
        put(w, "{\"slice\":{\"total\":3,\"index\":%u}}", pick(w, 3));
        return;
    case 3:
        if (depth < 3) {
            put_filter(w, depth + 1);
            return;
        }
        /* fallthrough */
    default:
        put(w, "{\"key\":\"%s\",", keys[pick(w, sizeof keys / sizeof keys[0])]);
        put_test(w);
        put(w, "}");
    }
}

static void put_clause(struct world *w, unsigned depth)
{
    uint32_t n = pick(w, 4);

    put(w, "[");
    for (uint32_t i = 0; i < n; i++) {
        put(w, "%s", i ? "," : "");
        put_condition(w, depth);
    }
    put(w, "]");
}

static void put_filter(struct world *w, unsigned depth)
{
    put(w, "{\"must\":");
    put_clause(w, depth);
    if (pick(w, 2)) {
        put(w, ",\"should\":");
        put_clause(w, depth);
    }
    if (pick(w, 2)) {
        put(w, ",\"must_not\":");
        put_clause(w, depth);
    }
    if (pick(w, 4) == 0) {
        put(w, ",\"min_should\":{\"conditions\":");
        put_clause(w, depth);
        put(w, ",\"min_count\":%u}", 1 + pick(w, 3));
    }
    put(w, "}");
}

static bool find_number(void *self, const struct hl_id *id, uint32_t *ret_number)
{
    const struct world *w = self;
    uint64_t i = hl_id_value(id);

    if (i >= N_POINTS || !w->payloads[i])
        return false;
    *ret_number = number_at(i);
    return true;
}

static const struct hl_id *id_of_number(void *self, uint32_t number)
{
    const struct world *w = self;

    return &w->ids[(number - 1) / 700];
}

static const struct hl_rows *rows_of_vector(void *self, const struct hl_text *name)
{
    const struct world *w = self;

    return hl_text_is(name, "v2") ? w->with_vector : NULL;
}

struct asked {
    const struct world *w;
    uint32_t number;
};

static bool has_vector(void *self, const struct hl_text *name)
{
    const struct asked *asked = self;

    return hl_text_is(name, "v2") && hl_rows_has(asked->w->with_vector, asked->number);
}

static bool is_meant(const struct world *w, const struct hl_filter *filter, size_t i)
{
    struct asked asked = {w, number_at(i)};
    struct hl_subject subject = {w->payloads[i], &w->ids[i], has_vector, &asked};

    return w->payloads[i] && hl_filter_test(filter, &subject);
}

static struct hl_filter_scope scope_of(struct world *w, size_t n_indexes)
{
    return (struct hl_filter_scope){.points = w->points,
                                    .indexes = w->indexes,
                                    .n_indexes = n_indexes,
                                    .number_of = find_number,
                                    .id_of = id_of_number,
                                    .with_vector = rows_of_vector,
                                    .self = w};
}

/* Sure ones are meant, unsure ones may be, and nobody else is. */
static void assert_found(struct world *w, const struct hl_filter *filter, size_t n_indexes)
{
    struct hl_filter_scope scope = scope_of(w, n_indexes);
    struct hl_matches matches;
    uint64_t n_meant = 0;

    assert_int_equal(hl_filter_find(filter, &scope, &matches, &w->r->err), HL_OK);
    for (size_t i = 0; i < N_POINTS; i++) {
        bool meant = is_meant(w, filter, i);
        bool is_sure = hl_rows_has(matches.sure, number_at(i));
        bool is_unsure = hl_rows_has(matches.unsure, number_at(i));

        n_meant += meant;
        if ((is_sure && (!meant || is_unsure)) || (meant && !is_sure && !is_unsure) ||
            (is_unsure && !w->payloads[i]))
            fail_msg("%s\n%s\n    meant %d, sure %d, unsure %d", w->body, w->texts[i],
                     meant, is_sure, is_unsure);
    }
    assert_true(hl_filter_estimate(filter, &scope) >= n_meant);
    hl_matches_done(&matches);
}

static void add_point(struct world *w, size_t i)
{
    make_payload(w, i);
    for (size_t index = 0; index < N_INDEXES; index++)
        assert_int_equal(
            hl_field_index_add(w->indexes[index], number_at(i), w->payloads[i], &w->r->err),
            HL_OK);
    assert_int_equal(hl_rows_add(w->points, number_at(i), &w->r->err), HL_OK);
    if (pick(w, 2))
        assert_int_equal(hl_rows_add(w->with_vector, number_at(i), &w->r->err), HL_OK);
}

static void remove_point(struct world *w, size_t i)
{
    for (size_t index = 0; index < N_INDEXES; index++)
        hl_field_index_remove(w->indexes[index], number_at(i), w->payloads[i]);
    hl_rows_remove(w->points, number_at(i));
    hl_rows_remove(w->with_vector, number_at(i));
    w->payloads[i] = NULL;
}

static struct world *start_world(struct reading *r)
{
    static const enum hl_field_kind kinds[N_INDEXES] = {
        HL_FIELD_KEYWORD,  HL_FIELD_INTEGER, HL_FIELD_FLOAT,   HL_FIELD_BOOL,
        HL_FIELD_DATETIME, HL_FIELD_GEO,     HL_FIELD_INTEGER, HL_FIELD_UUID};
    struct world *w = hl_alloc_zeroed(1, sizeof *w);

    w->r = r;
    w->seed = 7;
    w->arena = hl_arena_new(256 << 20);
    w->points = hl_rows_new();
    w->with_vector = hl_rows_new();
    for (size_t i = 0; i < N_INDEXES; i++)
        assert_int_equal(hl_field_index_new(keys[i], kinds[i], &w->indexes[i], &r->err),
                         HL_OK);
    for (size_t i = 0; i < N_POINTS; i++) {
        w->ids[i] = hl_id_number(i);
        add_point(w, i);
    }
    return w;
}

static void stop_world(struct world *w)
{
    for (size_t i = 0; i < N_POINTS; i++)
        hl_free(w->texts[i]);
    for (size_t i = 0; i < N_INDEXES; i++)
        hl_field_index_free(w->indexes[i]);
    hl_rows_free(w->points);
    hl_rows_free(w->with_vector);
    hl_arena_free(w->arena);
    hl_free(w);
}

static const struct hl_filter *make_filter(struct world *w)
{
    const struct hl_filter *filter;

    w->len = 0;
    put_filter(w, 0);
    if (hl_filter_read(reading_of(w->r, w->body), &filter, &w->r->err) != HL_OK)
        fail_msg("%s\n    was refused: %s", w->body, w->r->err.msg);
    return filter;
}

static void indexes_find_what_the_reference_says(void **state)
{
    struct world *w = start_world(*state);

    for (size_t round = 0; round < 3000; round++) {
        size_t i = pick(w, N_POINTS);

        if (w->payloads[i])
            remove_point(w, i);
        else
            add_point(w, i);
        assert_found(w, make_filter(w), pick(w, 8) ? N_INDEXES : pick(w, N_INDEXES));
    }
    stop_world(w);
}

static void removed_points_leave_nothing(void **state)
{
    struct world *w = start_world(*state);

    for (size_t i = 0; i < N_POINTS; i++)
        remove_point(w, i);
    for (size_t i = 0; i < N_INDEXES; i++)
        assert_int_equal(hl_field_index_count(w->indexes[i]), 0);
    for (size_t round = 0; round < 100; round++)
        assert_found(w, make_filter(w), N_INDEXES);
    stop_world(w);
}

static void arm(struct world *w, unsigned n)
{
    char rule[64];

    snprintf(rule, sizeof rule, "alloc=%u:fail", n);
    assert_int_equal(hl_failpoint_arm(rule, &w->r->err), HL_OK);
}

/* Each allocation of a search fails in turn. */
static void without_memory_a_search_fails_whole(void **state)
{
    struct world *w = start_world(*state);

    for (size_t round = 0; round < 60; round++) {
        const struct hl_filter *filter = make_filter(w);
        struct hl_filter_scope scope = scope_of(w, N_INDEXES);
        enum hl_code code = HL_NO_MEMORY;

        for (unsigned n = 1; code != HL_OK; n++) {
            struct hl_matches matches;

            arm(w, n);
            code = hl_filter_find(filter, &scope, &matches, &w->r->err);
            hl_failpoint_disarm();
            if (code == HL_OK)
                hl_matches_done(&matches);
            else
                assert_int_equal(code, HL_NO_MEMORY);
        }
    }
    stop_world(w);
}

/* Each allocation of an addition fails in turn, and then the point is not in there. */
static void without_memory_an_addition_fails_whole(void **state)
{
    struct world *w = start_world(*state);

    for (size_t i = 0; i < 40; i++)
        for (size_t at = 0; at < N_INDEXES; at++) {
            struct hl_field_index *index = w->indexes[at];
            enum hl_code code = HL_NO_MEMORY;

            hl_field_index_remove(index, number_at(i), w->payloads[i]);
            for (unsigned n = 1; code != HL_OK; n++) {
                uint64_t count = hl_field_index_count(index);

                arm(w, n);
                code = hl_field_index_add(index, number_at(i), w->payloads[i], &w->r->err);
                hl_failpoint_disarm();
                assert_true(code == HL_OK || hl_field_index_count(index) == count);
            }
        }
    for (size_t round = 0; round < 100; round++)
        assert_found(w, make_filter(w), N_INDEXES);
    stop_world(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(indexes_find_what_the_reference_says, start_reading,
                                        stop_reading),
        cmocka_unit_test_setup_teardown(removed_points_leave_nothing, start_reading,
                                        stop_reading),
        cmocka_unit_test_setup_teardown(without_memory_a_search_fails_whole, start_reading,
                                        stop_reading),
        cmocka_unit_test_setup_teardown(without_memory_an_addition_fails_whole,
                                        start_reading, stop_reading),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
