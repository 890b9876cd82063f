/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "server/change.h"
#include "tests/unit/parking.h"

/* A request's way to the writer and back. */
struct errand {
    struct hl_pending pending; /* first */
    enum hl_code code;         /* what its change ends in */
    size_t n_printed;          /* bytes of its answer */
    unsigned n_run, n_committed, n_let_go;
    bool was_committed_first; /* before it was printed */
};

static enum hl_code run_errand(struct hl_pending *pending, struct hl_writing *writing,
                               struct hl_err *err)
{
    struct errand *errand = (struct errand *)pending;

    errand->n_run++;
    assert_non_null(hl_writing_layout(writing));
    return errand->code == HL_OK ? HL_OK : hl_fail(err, errand->code, "it cannot be");
}

static void hear_commit(struct hl_pending *pending)
{
    ((struct errand *)pending)->n_committed++;
}

static void print_errand(const struct hl_pending *pending, struct hl_buf *buf)
{
    struct errand *errand = (struct errand *)pending->self;

    errand->was_committed_first = errand->n_committed == 1;
    hl_buf_add_char(buf, '"');
    for (size_t i = 0; i < errand->n_printed; i++)
        hl_buf_add_char(buf, 'x');
    hl_buf_add_char(buf, '"');
}

static void leave_errand(struct hl_pending *pending)
{
    ((struct errand *)pending)->n_let_go++;
}

static struct errand *the_errand;

static enum hl_code take_errand(struct hl_server *server, struct hl_request *request,
                                struct hl_reply *reply, struct hl_err *err)
{
    (void)reply;
    return hl_pending_park(server, request, &the_errand->pending, err);
}

static struct errand new_errand(enum hl_code code, size_t n_printed)
{
    return (struct errand){.pending = {.run = run_errand,
                                       .committed = hear_commit,
                                       .print = print_errand,
                                       .let_go = leave_errand},
                           .code = code,
                           .n_printed = n_printed};
}

static const char *send(struct stand *s, struct errand *errand, struct parked *parked)
{
    errand->pending.self = errand;
    the_errand = errand;
    return handle(parked, s, take_errand);
}

static void a_change_is_run_told_and_printed_once(void **state)
{
    struct stand *s = *state;
    struct errand errand = new_errand(HL_OK, 3);
    struct parked parked;

    begin_parked(&parked, s, "");
    assert_non_null(
        strstr(send(s, &errand, &parked), "{\"result\":\"xxx\",\"status\":\"ok\""));
    assert_int_equal(parked.code, HL_OK);
    assert_int_equal(parked.n_finished, 1);
    assert_int_equal(errand.n_run, 1);
    assert_int_equal(errand.n_committed, 1);
    assert_true(errand.was_committed_first);
    assert_int_equal(errand.n_let_go, 1);
}

static void a_change_that_fails_is_answered_with_its_error(void **state)
{
    struct stand *s = *state;
    struct errand errand = new_errand(HL_CONFLICT, 3);
    struct parked parked;

    begin_parked(&parked, s, "");
    assert_string_equal(send(s, &errand, &parked), "it cannot be");
    assert_int_equal(parked.code, HL_CONFLICT);
    assert_int_equal(parked.n_finished, 1);
    assert_int_equal(errand.n_committed, 0);
    assert_int_equal(errand.n_let_go, 1);
}

/* It is committed all the same, and the answer says so to nobody. */
static void an_answer_without_room_is_an_error(void **state)
{
    struct stand *s = *state;
    struct errand errand = new_errand(HL_OK, 2 << 20);
    struct parked parked;

    begin_parked(&parked, s, "");
    (void)send(s, &errand, &parked);
    assert_int_not_equal(parked.code, HL_OK);
    assert_int_equal(parked.n_finished, 1);
    assert_int_equal(errand.n_committed, 1);
    assert_int_equal(errand.n_let_go, 1);
}

static void a_collection_that_is_not_there_parks_nothing(void **state)
{
    struct stand *s = *state;
    struct errand errand = new_errand(HL_OK, 3);
    struct parked parked;

    begin_parked(&parked, s, "");
    parked.request.params[0] = (struct hl_span){"nobody", 6};
    assert_string_equal(send(s, &errand, &parked), "there is no \"nobody\"");
    assert_null(parked.request.park);
    assert_int_equal(parked.n_finished, 0);
    assert_int_equal(errand.n_run, 0);
    assert_int_equal(errand.n_let_go, 0);
}

static void what_comes_too_late_is_not_run(void **state)
{
    struct stand *s = *state;
    struct errand errand = new_errand(HL_OK, 3);
    struct parked parked;

    begin_parked(&parked, s, "");
    parked.request.deadline = (struct hl_deadline){&hl_still, -1, NULL};
    (void)send(s, &errand, &parked);
    assert_int_equal(parked.code, HL_TIMEOUT);
    assert_int_equal(errand.n_run, 0);
    assert_int_equal(errand.n_let_go, 1);
}

/* ---- without a request ---- */

static enum hl_code answer(void *self, struct hl_writing *writing, struct hl_err *err)
{
    const enum hl_code *code = self;

    assert_non_null(hl_writing_store(writing));
    return *code == HL_OK ? HL_OK : hl_fail(err, *code, "not now");
}

static void a_change_without_a_request_is_waited_for(void **state)
{
    static enum hl_code (*const ways[])(
        struct hl_collection * collection,
        enum hl_code(*run)(void *self, struct hl_writing *writing, struct hl_err *err),
        void *self, struct hl_err *err) = {hl_pending_run_now, hl_pending_upsert_now};
    enum hl_code well = HL_OK, badly = HL_INVALID;
    struct stand *s = *state;

    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(ways[i](s->collection, answer, &well, &s->err), HL_OK);
        assert_int_equal(ways[i](s->collection, answer, &badly, &s->err), HL_INVALID);
        assert_string_equal(s->err.msg, "not now");
    }
}

static void the_two_results_are_printed_as_qdrant_does(void **state)
{
    struct hl_pending pending = {.change.commit = 17, .waits = true};
    struct hl_buf buf;

    (void)state;
    hl_buf_init(&buf, 1 << 10);
    hl_pending_print_update(&pending, &buf);
    pending.waits = false;
    hl_pending_print_update(&pending, &buf);
    hl_pending_print_true(&pending, &buf);
    assert_string_equal(buf.data, "{\"operation_id\":17,\"status\":\"completed\"}"
                                  "{\"operation_id\":17,\"status\":\"acknowledged\"}true");
    hl_buf_done(&buf);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_change_is_run_told_and_printed_once),
        TEST(a_change_that_fails_is_answered_with_its_error),
        TEST(an_answer_without_room_is_an_error),
        TEST(a_collection_that_is_not_there_parks_nothing),
        TEST(what_comes_too_late_is_not_run),
        TEST(a_change_without_a_request_is_waited_for),
        cmocka_unit_test(the_two_results_are_printed_as_qdrant_does),
    };

    return cmocka_run_group_tests_name("change", tests, NULL, NULL);
}
