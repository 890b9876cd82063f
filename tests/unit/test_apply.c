/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "index/apply.h"
#include "proto/dir.h"
#include "proto/fail.h"
#include "tests/unit/reading.h"

#include <stdlib.h>

enum { DUMP = 4096, NOBODY = 4000000 };

/* A store with an unnamed Cosine space of two dimensions, a Euclid one of three and a
 * sparse one; what the tests do is never committed. */
struct rig {
    struct reading *r;
    char folder[40], path[64], dump[DUMP];
    struct hl_store *store;
    struct hl_layout *layout;
    struct hl_deadline *deadline;
    bool is_sure; /* the candidates meet the filter for certain */
    struct hl_err err;
};

static void add_space(struct rig *rig, const char *name, uint32_t dim,
                      enum hl_distance distance)
{
    const struct hl_store_space space = {.dim = dim, .name = name, .settings = "{}"};
    const struct hl_vector_config config = {.name = {name, strlen(name)},
                                            .is_sparse = dim == 0,
                                            .size = dim,
                                            .distance = distance,
                                            .text = {"{}", 2}};
    uint32_t id;

    assert_int_equal(hl_store_add_space(rig->store, &space, &id, &rig->err), HL_OK);
    assert_int_equal(hl_layout_add_space(rig->layout, id, &config, &rig->err), HL_OK);
}

static int set_up(void **state)
{
    struct rig *rig = calloc(1, sizeof *rig);
    void *reading;
    uint64_t commit;

    *state = rig;
    start_reading(&reading);
    rig->r = reading;
    snprintf(rig->folder, sizeof rig->folder, "/tmp/heirloom-apply-XXXXXX");
    assert_non_null(mkdtemp(rig->folder));
    snprintf(rig->path, sizeof rig->path, "%s/points.db", rig->folder);
    assert_int_equal(hl_store_create(rig->path, &rig->err), HL_OK);
    assert_int_equal(hl_store_open(rig->path, &rig->store, &rig->err), HL_OK);
    assert_int_equal(hl_store_begin(rig->store, &commit, &rig->err), HL_OK);
    rig->layout = hl_layout_new();
    add_space(rig, "", 2, HL_COSINE);
    add_space(rig, "e", 3, HL_EUCLID);
    add_space(rig, "s", 0, HL_DOT);
    assert_int_equal(hl_store_commit(rig->store, &commit, &rig->err), HL_OK);
    assert_int_equal(hl_store_begin(rig->store, &commit, &rig->err), HL_OK);
    return 0;
}

static int tear_down(void **state)
{
    struct rig *rig = *state;
    void *reading = rig->r;

    hl_layout_unref(rig->layout);
    hl_store_close(rig->store);
    assert_int_equal(hl_dir_remove(rig->folder, &rig->err), HL_OK);
    stop_reading(&reading);
    free(rig);
    return 0;
}

static bool add_number(void *self, const struct hl_store_point *point)
{
    struct hl_err err;

    return hl_rows_add(self, point->number, &err) == HL_OK;
}

/* Everybody, and one that there is not, as a number that went in this transaction is. */
static enum hl_code find_candidates(void *self, const struct hl_filter *filter,
                                    struct hl_matches *ret_matches, struct hl_err *err)
{
    const struct rig *rig = self;
    const struct hl_reader_scan scan = {.order = HL_READ_BY_NUMBER};
    struct hl_matches matches = {hl_rows_new(), hl_rows_new()};
    struct hl_rows *set = rig->is_sure ? matches.sure : matches.unsure;
    enum hl_code code = HL_NO_MEMORY;

    (void)filter;
    if (matches.sure && matches.unsure)
        code = hl_rows_add(set, NOBODY, err);
    else
        hl_fail(err, HL_NO_MEMORY, "no memory");
    if (code == HL_OK)
        code = hl_reader_scan(hl_store_inside(rig->store), &scan, add_number, set, err);
    if (code == HL_OK)
        *ret_matches = matches;
    else
        hl_matches_done(&matches);
    return code;
}

static void read_ops(struct rig *rig, const char *operations, struct hl_write_ops *ops)
{
    char body[DUMP];

    snprintf(body, sizeof body, "{\"operations\":[%s]}", operations);
    if (hl_write_ops_read(reading_of(rig->r, body), ops, &rig->err) != HL_OK)
        fail_msg("%s: %s", body, rig->err.msg);
}

static enum hl_code apply_ops(struct rig *rig, const struct hl_write_ops *ops)
{
    const struct hl_apply apply = {.store = rig->store,
                                   .layout = rig->layout,
                                   .arena = rig->r->arena,
                                   .deadline = rig->deadline,
                                   .candidates = find_candidates,
                                   .self = rig};

    return hl_apply_ops(&apply, ops, &rig->err);
}

/* What `/points/batch` takes between its brackets, as one request: all of it or nothing. */
static enum hl_code apply(struct rig *rig, const char *operations)
{
    struct hl_write_ops ops;
    struct hl_err undone;
    enum hl_code code;

    read_ops(rig, operations, &ops);
    assert_int_equal(hl_store_save(rig->store, &rig->err), HL_OK);
    code = apply_ops(rig, &ops);
    if (code == HL_OK)
        assert_int_equal(hl_store_keep(rig->store, &rig->err), HL_OK);
    else
        assert_int_equal(hl_store_undo(rig->store, &undone), HL_OK);
    return code;
}

static void must(struct rig *rig, const char *operations)
{
    if (apply(rig, operations) != HL_OK)
        fail_msg("%s\n    was refused: %s", operations, rig->err.msg);
}

static void assert_refused(struct rig *rig, const char *operations, enum hl_code code,
                           const char *sentence)
{
    assert_int_equal(apply(rig, operations), code);
    assert_string_equal(rig->err.msg, sentence);
}

__attribute__((format(printf, 2, 3))) static void put(struct rig *rig, const char *format,
                                                      ...)
{
    size_t len = strlen(rig->dump);
    va_list args;

    va_start(args, format);
    vsnprintf(rig->dump + len, sizeof rig->dump - len, format, args);
    va_end(args);
}

static void put_vector(struct rig *rig, const struct hl_store_place *place)
{
    struct hl_store_vector vector;

    assert_int_equal(
        hl_reader_vector(hl_store_inside(rig->store), place->row, &vector, &rig->err),
        HL_OK);
    put(rig, " %s[", hl_layout_space(rig->layout, place->space)->name);
    for (uint32_t i = 0; i < vector.n; i++) {
        put(rig, i ? " " : "");
        if (vector.indices)
            put(rig, "%u:", vector.indices[i]);
        put(rig, "%g", (double)vector.values[i]);
    }
    put(rig, "]");
}

static bool put_point(void *self, const struct hl_store_point *point)
{
    struct rig *rig = self;
    char id[HL_ID_TEXT_SIZE];

    hl_id_print(&point->id, id);
    put(rig, "%s%s %.*s", *rig->dump ? " | " : "", id, (int)point->payload.len,
        point->payload.text ? point->payload.text : "");
    for (size_t i = 0; i < point->n_places; i++)
        put_vector(rig, &point->places[i]);
    return true;
}

/* Every point: id, payload, vectors. */
static void assert_points(struct rig *rig, const char *wanted)
{
    const struct hl_reader_scan scan = {.order = HL_READ_BY_ID};

    *rig->dump = '\0';
    assert_int_equal(
        hl_reader_scan(hl_store_inside(rig->store), &scan, put_point, rig, &rig->err),
        HL_OK);
    assert_string_equal(rig->dump, wanted);
}

#define UPSERT(points) "{\"upsert\":{\"points\":[" points "]}}"
#define TWO                                                                                \
    UPSERT("{\"id\":1,\"vector\":{\"\":[3,4],\"e\":[1,2,3]},\"payload\":{\"a\": 1}},"      \
           "{\"id\":2,\"vector\":{\"e\":[4,5,6]},\"payload\":{\"a\":2,\"b\":[1]}}")
#define ONE_IS "1 {\"a\": 1} [0.6 0.8] e[1 2 3]"
#define TWO_IS "2 {\"a\":2,\"b\":[1]} e[4 5 6]"

static void an_upsert_replaces_the_whole_point(void **state)
{
    struct rig *rig = *state;

    must(rig, TWO);
    assert_points(rig, ONE_IS " | " TWO_IS);
    must(rig, UPSERT("{\"id\":1,\"vector\":[0,-2]}"));
    assert_points(rig, "1  [0 -1] | " TWO_IS);
    must(rig, UPSERT("{\"id\":3,\"vector\":{},\"payload\":{\"n\":null}}"));
    assert_points(rig, "1  [0 -1] | " TWO_IS " | 3 {\"n\":null}");
}

static void cosine_vectors_get_length_one_and_zero_stays(void **state)
{
    struct rig *rig = *state;

    must(rig, UPSERT("{\"id\":1,\"vector\":[0,0]},{\"id\":2,\"vector\":[3e38,3e38]},"
                     "{\"id\":3,\"vector\":[1e-30,0]}"));
    assert_points(rig, "1  [0 0] | 2  [0.707107 0.707107] | 3  [1 0]");
}

static void sparse_vectors_are_kept_even_empty(void **state)
{
    struct rig *rig = *state;

    must(rig, UPSERT("{\"id\":1,\"vector\":{\"s\":{\"indices\":[7,3],\"values\":[1,2]}}},"
                     "{\"id\":2,\"vector\":{\"s\":{\"indices\":[],\"values\":[]}}}"));
    assert_points(rig, "1  s[3:2 7:1] | 2  s[]");
}

static void the_mode_of_an_upsert_says_which_points_may_be_there(void **state)
{
    struct rig *rig = *state;

    must(rig, TWO);
    must(rig, "{\"upsert\":{\"points\":[{\"id\":2,\"vector\":{}},{\"id\":3,\"vector\":{}}],"
              "\"update_mode\":\"insert_only\"}}");
    assert_points(rig, ONE_IS " | " TWO_IS " | 3 ");
    must(rig, "{\"upsert\":{\"points\":[{\"id\":2,\"vector\":{}},{\"id\":4,\"vector\":{}}],"
              "\"update_mode\":\"update_only\"}}");
    assert_points(rig, ONE_IS " | 2  | 3 ");
}

#define A_IS(n) "{\"must\":[{\"key\":\"a\",\"match\":{\"value\":" n "}}]}"

static void an_update_filter_spares_points_that_it_does_not_find(void **state)
{
    struct rig *rig = *state;

    must(rig, TWO);
    must(rig, "{\"upsert\":{\"points\":[{\"id\":1,\"vector\":{}},{\"id\":2,\"vector\":{}},"
              "{\"id\":3,\"vector\":{}}],\"update_filter\":" A_IS("1") "}}");
    assert_points(rig, "1  | " TWO_IS " | 3 ");
    must(rig, "{\"update_vectors\":{\"points\":[{\"id\":1,\"vector\":{\"e\":[7,7,7]}},"
              "{\"id\":2,\"vector\":{\"e\":[8,8,8]}}],\"update_filter\":" A_IS("2") "}}");
    assert_points(rig, "1  | 2 {\"a\":2,\"b\":[1]} e[8 8 8] | 3 ");
}

static void updated_vectors_leave_the_others(void **state)
{
    struct rig *rig = *state;

    must(rig, TWO);
    must(rig, "{\"update_vectors\":{\"points\":[{\"id\":1,\"vector\":{\"e\":[7,8,9]}},"
              "{\"id\":2,\"vector\":[4,3]}]}}");
    assert_points(rig, "1 {\"a\": 1} [0.6 0.8] e[7 8 9] | "
                       "2 {\"a\":2,\"b\":[1]} [0.8 0.6] e[4 5 6]");
    assert_refused(rig,
                   "{\"update_vectors\":{\"points\":[{\"id\":1,\"vector\":{\"e\":[0,0,0]}},"
                   "{\"id\":9,\"vector\":[1,1]}]}}",
                   HL_NOT_FOUND, "Not found: No point with id 9 found");
    assert_points(rig, "1 {\"a\": 1} [0.6 0.8] e[7 8 9] | "
                       "2 {\"a\":2,\"b\":[1]} [0.8 0.6] e[4 5 6]");
}

static void vectors_are_deleted_by_name(void **state)
{
    struct rig *rig = *state;

    must(rig, TWO);
    must(rig, "{\"delete_vectors\":{\"points\":[1,2,9],\"vector\":[\"\",\"s\"]}}");
    assert_points(rig, "1 {\"a\": 1} e[1 2 3] | " TWO_IS);
    must(rig, "{\"delete_vectors\":{\"filter\":" A_IS("2") ",\"vector\":[\"e\"]}}");
    assert_points(rig, "1 {\"a\": 1} e[1 2 3] | 2 {\"a\":2,\"b\":[1]}");
}

static void vectors_that_do_not_fit_are_refused_and_nothing_is_changed(void **state)
{
    struct rig *rig = *state;

    must(rig, TWO);
    assert_refused(rig,
                   UPSERT("{\"id\":7,\"vector\":{}},{\"id\":8,\"vector\":{\"x\":[1]}}"),
                   HL_UNKNOWN_VECTOR, "Wrong input: Not existing vector name error: x");
    assert_refused(rig, UPSERT("{\"id\":7,\"vector\":[1,2,3]}"), HL_DIMENSION_MISMATCH,
                   "Wrong input: Vector dimension error: expected dim: 2, got 3");
    assert_refused(
        rig, UPSERT("{\"id\":7,\"vector\":{\"s\":[1,2]}}"), HL_WRONG_INPUT,
        "Wrong input: Conversion between sparse and regular vectors failed: vector "
        "\"s\" is sparse");
    assert_refused(rig,
                   UPSERT("{\"id\":7,\"vector\":{\"e\":{\"indices\":[1],\"values\":[1]}}}"),
                   HL_WRONG_INPUT,
                   "Wrong input: Conversion between sparse and regular vectors failed: "
                   "vector \"e\" is "
                   "dense");
    assert_refused(rig, "{\"delete_vectors\":{\"points\":[1],\"vector\":[\"e\",\"y\"]}}",
                   HL_UNKNOWN_VECTOR, "Wrong input: Not existing vector name error: y");
    assert_points(rig, ONE_IS " | " TWO_IS);
}

static void points_are_deleted_by_id_and_by_filter(void **state)
{
    struct rig *rig = *state;

    must(rig, TWO "," UPSERT("{\"id\":3,\"vector\":{}}"));
    must(rig, "{\"delete\":{\"points\":[3,3,9]}}");
    assert_points(rig, ONE_IS " | " TWO_IS);
    must(rig, "{\"delete\":{\"filter\":" A_IS("2") "}}");
    assert_points(rig, ONE_IS);
    must(rig, "{\"delete\":{\"filter\":{\"must\":[{\"has_vector\":\"s\"}]}}}");
    assert_points(rig, ONE_IS);
    must(rig, "{\"delete\":{\"filter\":{\"must\":[{\"has_vector\":\"\"}]}}}");
    assert_points(rig, "");
}

static void candidates_that_are_sure_are_not_tested_again(void **state)
{
    struct rig *rig = *state;

    must(rig, TWO);
    rig->is_sure = true;
    must(rig, "{\"delete\":{\"filter\":" A_IS("5") "}}");
    assert_points(rig, "");
}

static void payloads_are_set_overwritten_and_cleared(void **state)
{
    struct rig *rig = *state;

    must(rig, TWO);
    assert_refused(rig, "{\"set_payload\":{\"payload\":{\"c\":2},\"points\":[1,9]}}",
                   HL_NOT_FOUND, "Not found: No point with id 9 found");
    assert_refused(rig, "{\"clear_payload\":{\"points\":[1,9]}}", HL_NOT_FOUND,
                   "Not found: No point with id 9 found");
    must(rig, "{\"set_payload\":{\"payload\":{\"c\":{\"d\":1}},\"points\":[1]}}");
    must(rig, "{\"set_payload\":{\"payload\":{\"e\":2},\"key\":\"c\",\"filter\":" A_IS(
                  "1") "}}");
    assert_points(rig, "1 {\"a\":1,\"c\":{\"d\":1,\"e\":2}} [0.6 0.8] e[1 2 3] | " TWO_IS);
    must(rig, "{\"overwrite_payload\":{\"payload\":{\"z\": []},\"points\":[1]}}");
    assert_points(rig, "1 {\"z\": []} [0.6 0.8] e[1 2 3] | " TWO_IS);
    must(rig, "{\"delete_payload\":{\"keys\":[\"b[0]\",\"a\"],\"points\":[1,2]}}");
    assert_points(rig, "1 {\"z\":[]} [0.6 0.8] e[1 2 3] | 2 {\"b\":[]} e[4 5 6]");
    must(rig, "{\"clear_payload\":{\"points\":[1,2,1]}}");
    assert_points(rig, "1  [0.6 0.8] e[1 2 3] | 2  e[4 5 6]");
    assert_refused(
        rig, "{\"overwrite_payload\":{\"payload\":{},\"key\":\"a\",\"points\":[1]}}",
        HL_NOT_SUPPORTED, "\"key\" is not supported: a payload is overwritten whole");
}

static void an_operation_sees_what_those_before_it_did(void **state)
{
    struct rig *rig = *state;

    must(rig,
         TWO ",{\"set_payload\":{\"payload\":{\"a\":5},\"points\":[2]}},"
             "{\"delete\":{\"filter\":" A_IS(
                 "2") "}},"
                      "{\"delete\":{\"filter\":" A_IS(
                          "1") "}},"
                               "{\"set_payload\":{\"payload\":{\"f\":1},\"filter\":" A_IS(
                                   "5") "}}");
    assert_points(rig, "2 {\"a\":5,\"b\":[1],\"f\":1} e[4 5 6]");
}

static int64_t no_time(void *self)
{
    (void)self;
    return 0;
}

static void a_change_that_is_cancelled_stops(void **state)
{
    struct rig *rig = *state;
    const struct hl_clock clock = {.now_us = no_time};
    atomic_bool cancelled = true;
    struct hl_deadline deadline = {&clock, HL_DEADLINE_NEVER, &cancelled};

    must(rig, TWO);
    rig->deadline = &deadline;
    assert_int_equal(apply(rig, "{\"delete\":{\"points\":[1]}}"), HL_CANCELLED);
    assert_int_equal(apply(rig, "{\"delete\":{\"filter\":" A_IS("1") "}}"), HL_CANCELLED);
    assert_int_equal(apply(rig, UPSERT("{\"id\":3,\"vector\":{}}")), HL_CANCELLED);
    assert_points(rig, ONE_IS " | " TWO_IS);
}

static void an_operation_without_memory_says_so(void **state)
{
    struct rig *rig = *state;
    enum hl_code code = HL_NO_MEMORY;
    int n_refused = -1;

    for (int n = 1; code != HL_OK; n++, n_refused++) {
        struct hl_write_ops ops;
        uint64_t commit;
        char rule[32];

        hl_store_rollback(rig->store);
        assert_int_equal(hl_store_begin(rig->store, &commit, &rig->err), HL_OK);
        read_ops(rig,
                 TWO ",{\"set_payload\":{\"payload\":{\"a\":5},\"filter\":" A_IS(
                     "2") "}},"
                          "{\"delete_vectors\":{\"points\":[2],\"vector\":[\"e\"]}},"
                          "{\"delete\":{\"points\":[1]}}",
                 &ops);
        snprintf(rule, sizeof rule, "alloc=%d:fail", n);
        assert_int_equal(hl_failpoint_arm(rule, &rig->err), HL_OK);
        code = apply_ops(rig, &ops);
        hl_failpoint_disarm();
        assert_true(code == HL_OK || code == HL_NO_MEMORY);
    }
    assert_true(n_refused > 3);
    assert_points(rig, "2 {\"a\":5,\"b\":[1]}");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(an_upsert_replaces_the_whole_point, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(cosine_vectors_get_length_one_and_zero_stays,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(sparse_vectors_are_kept_even_empty, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(
            the_mode_of_an_upsert_says_which_points_may_be_there, set_up, tear_down),
        cmocka_unit_test_setup_teardown(
            an_update_filter_spares_points_that_it_does_not_find, set_up, tear_down),
        cmocka_unit_test_setup_teardown(updated_vectors_leave_the_others, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(vectors_are_deleted_by_name, set_up, tear_down),
        cmocka_unit_test_setup_teardown(
            vectors_that_do_not_fit_are_refused_and_nothing_is_changed, set_up, tear_down),
        cmocka_unit_test_setup_teardown(points_are_deleted_by_id_and_by_filter, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(candidates_that_are_sure_are_not_tested_again,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(payloads_are_set_overwritten_and_cleared, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(an_operation_sees_what_those_before_it_did, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_change_that_is_cancelled_stops, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(an_operation_without_memory_says_so, set_up,
                                        tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
