/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "server/points_write.h"
#include "tests/unit/parking.h"

/* The calls that change points, each until it is committed. What the operations mean is
 * tested where they are applied; here is how a call is taken and answered. */

/* The answer without its times. */
static const char *ask(struct stand *s, HANDLER(handler), const char *body)
{
    struct parked parked;

    begin_parked(&parked, s, body);
    return handle(&parked, s, handler);
}

static const char *ids(struct stand *s, const char *filter)
{
    look(s, filter);
    return scroll(s, NULL, 20);
}

static void each_call_does_what_its_name_says(void **state)
{
    static const char payload[] = "{\"must\":[{\"key\":\"i\",\"match\":{\"value\":7}}]}";
    static const char with_e[] = "{\"must\":[{\"has_vector\":\"e\"}]}";
    static const struct {
        HANDLER(handler);
        const char *body, *filter, *ids; /* of whom the filter finds afterwards */
    } cases[] = {
        {hl_points_upsert, "{\"points\":[{\"id\":9,\"vector\":{\"e\":[9,0]}}]}", NULL,
         "1 2 3 9"},
        {hl_points_delete, "{\"points\":[9]}", NULL, "1 2 3"},
        {hl_points_set_payload, "{\"payload\":{\"i\":7},\"points\":[1,2]}", payload, "1 2"},
        {hl_points_overwrite_payload, "{\"payload\":{\"x\":1},\"points\":[1]}", payload,
         "2"},
        {hl_points_delete_payload, "{\"keys\":[\"i\"],\"points\":[2]}", payload, ""},
        {hl_points_clear_payload, "{\"points\":[3]}", red, ""},
        {hl_points_delete_vectors, "{\"vector\":[\"e\"],\"points\":[1]}", with_e, "2 3"},
        {hl_points_update_vectors, "{\"points\":[{\"id\":1,\"vector\":{\"e\":[1,1]}}]}",
         with_e, "1 2 3"},
    };
    struct stand *s = *state;

    fill(s, 1, 3);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const char *answer = ask(s, cases[i].handler, cases[i].body);

        if (!strstr(answer, "\"status\":\"acknowledged\"}"))
            fail_msg("%s: %s", cases[i].body, answer);
        assert_string_equal(ids(s, cases[i].filter), cases[i].ids);
    }
}

static void a_batch_answers_once_for_each_operation(void **state)
{
    struct stand *s = *state;
    const char *answer, *second;

    answer = ask(s, hl_points_batch,
                 "{\"operations\":[{\"upsert\":{\"points\":[{\"id\":1,\"vector\":{}},"
                 "{\"id\":2,\"vector\":{}}]}},{\"delete\":{\"points\":[1]}}]}");
    answer = strstr(answer, "[{\"operation_id\":");
    assert_non_null(answer);
    second = strstr(answer, "},{\"operation_id\":");
    assert_non_null(second);
    assert_null(strstr(second + 2, "},{"));
    assert_string_equal(ids(s, NULL), "2");
}

static void whoever_waits_is_told_that_it_is_complete(void **state)
{
    struct stand *s = *state;
    struct parked parked;

    begin_parked(&parked, s, "{\"points\":[{\"id\":1,\"vector\":{}}]}");
    parked.pairs[0] = (struct hl_target_pair){{"wait", 4}, {"true", 4}};
    parked.request.target.query = parked.pairs;
    parked.request.target.n_query = 1;
    assert_non_null(
        strstr(handle(&parked, s, hl_points_upsert), "\"status\":\"completed\"}"));
    assert_int_equal(parked.n_finished, 1);
}

static void what_is_refused_changes_nothing(void **state)
{
    static const struct {
        HANDLER(handler);
        const char *body, *sentence;
        enum hl_code code;
    } cases[] = {
        {hl_points_upsert, "{\"points\":[{\"id\":1,\"vector\":{}}]} x", "", HL_MALFORMED},
        {hl_points_upsert, "{\"points\":1}", "", HL_MALFORMED},
        {hl_points_upsert, "{\"points\":[{\"id\":1,\"vector\":{\"nobody\":[1]}}]}",
         "nobody", HL_UNKNOWN_VECTOR},
        {hl_points_set_payload, "{\"payload\":{\"a\":1},\"points\":[5]}",
         "No point with id", HL_NOT_FOUND},
        {hl_points_batch,
         "{\"operations\":[{\"upsert\":{\"points\":[{\"id\":1,\"vector\":{}}]}},"
         "{\"upsert\":{\"points\":[{\"id\":2,\"vector\":{\"nobody\":[1]}}]}}]}",
         "nobody", HL_UNKNOWN_VECTOR},
    };
    struct stand *s = *state;

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct parked parked;
        const char *said;

        begin_parked(&parked, s, cases[i].body);
        said = handle(&parked, s, cases[i].handler);
        if (parked.code != cases[i].code || !strstr(said, cases[i].sentence))
            fail_msg("%s: %d %s", cases[i].body, parked.code, said);
        assert_string_equal(ids(s, NULL), "");
    }
}

static void what_comes_too_late_changes_nothing(void **state)
{
    struct stand *s = *state;
    struct parked parked;

    begin_parked(&parked, s, "{\"points\":[{\"id\":1,\"vector\":{}}]}");
    parked.request.deadline = (struct hl_deadline){&hl_still, -1, NULL};
    assert_string_equal(handle(&parked, s, hl_points_upsert),
                        "the write took longer than it was given");
    assert_int_equal(parked.code, HL_TIMEOUT);
    assert_string_equal(ids(s, NULL), "");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(each_call_does_what_its_name_says),
        TEST(a_batch_answers_once_for_each_operation),
        TEST(whoever_waits_is_told_that_it_is_complete),
        TEST(what_is_refused_changes_nothing),
        TEST(what_comes_too_late_changes_nothing),
    };

    return cmocka_run_group_tests_name("points_write", tests, NULL, NULL);
}
