/* SPDX-License-Identifier: Apache-2.0 */
/* A load on servers that do all that a server should not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "proto/fail.h"
#include "server/bench_load.h"

#include "tests/unit/answering.h"

#include <stdlib.h>
#include <string.h>

enum { CONNECTIONS = 3, SIZE = 4 };

#define REPLY(head, body) "HTTP/1.1 200 OK\r\n" head "\r\n" body
#define WELL              "{\"result\":1,\"status\":\"ok\",\"time\":0.1}"
#define WELL_LENGTH       "Content-Length: 37\r\n"

struct manner {
    const char *reply; /* to everything; NULL: nothing */
    bool is_piecemeal;
    bool hangs_up;
};

struct fixture {
    struct hl_bench bench;
    struct hl_address address;
    float values[SIZE];
    struct hl_bench_stock stock;
    struct hl_bench_tally tally;
    struct hl_bench_pool *pool;
    struct hl_answering server;
    const char *reply;
    struct hl_err err;
};

static const char *say_the_same(void *self, const char *request)
{
    const struct fixture *f = self;

    (void)request;
    return f->reply;
}

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);

    *state = f;
    f->bench = (struct hl_bench){.collection = "c",
                                 .using_name = "",
                                 .weights = {[HL_BENCH_SEARCH] = 1},
                                 .n_connections = CONNECTIONS,
                                 .limit = 1,
                                 .seconds = .3,
                                 .patience_s = 20,
                                 .seed = 1};
    f->stock = (struct hl_bench_stock){.values = f->values, .n_rows = 1, .dim = SIZE};
    hl_answering_init(&f->server);
    f->server.reply = say_the_same;
    f->server.self = f;
    f->address = (struct hl_address){.host = "127.0.0.1"};
    memcpy(f->address.port, f->server.port, sizeof f->address.port);
    assert_int_equal(hl_bench_tally_init(&f->tally, &f->err), HL_OK);
    assert_int_equal(
        hl_bench_pool_new(&f->bench, &f->address, &f->stock, &f->pool, &f->err), HL_OK);
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;

    hl_failpoint_disarm();
    hl_answering_done(&f->server);
    hl_bench_pool_free(f->pool);
    hl_bench_tally_done(&f->tally);
    free(f);
    return 0;
}

static enum hl_code run_load(struct fixture *f)
{
    enum hl_code code;

    hl_answering_begin(&f->server);
    code = hl_bench_load(&f->bench, &f->address, f->pool, &f->tally, &f->err);
    hl_answering_end(&f->server);
    return code;
}

/* What a load on such a server comes to. */
static const struct hl_bench_count *load(struct fixture *f, struct manner manner)
{
    f->reply = manner.reply;
    f->server.is_piecemeal = manner.is_piecemeal;
    f->server.hangs_up = manner.hangs_up;
    if (run_load(f) != HL_OK)
        fail_msg("%s", f->err.msg);
    return &f->tally.kinds[HL_BENCH_SEARCH];
}

static void assert_all_failed(const struct fixture *f, const struct hl_bench_count *count,
                              int status, const char *sentence)
{
    assert_true(count->n_requests > 0);
    assert_int_equal(count->n_failed, count->n_requests);
    assert_int_equal(f->tally.n_failures, 1);
    assert_int_equal(f->tally.failures[0].n, count->n_failed);
    assert_int_equal(f->tally.failures[0].status, status);
    if (!strstr(f->tally.failures[0].sentence, sentence))
        fail_msg("\"%s\" is not in \"%s\"", sentence, f->tally.failures[0].sentence);
}

/* ---- what comes of it ---- */

static void answers_are_counted_and_connections_kept(void **state)
{
    struct fixture *f = *state;
    const struct hl_bench_count *count =
        load(f, (struct manner){.reply = REPLY(WELL_LENGTH, WELL)});

    assert_true(count->n_requests > CONNECTIONS);
    assert_int_equal(count->n_failed, 0);
    assert_int_equal(hl_hist_count(count->latency), count->n_requests);
    assert_in_range(count->n_finished, count->n_requests - CONNECTIONS, count->n_requests);
    assert_int_equal(f->server.n_connections, CONNECTIONS + 1); /* one looked where it is */
}

static void a_reply_in_many_pieces_is_one_reply(void **state)
{
    struct fixture *f = *state;
    const struct hl_bench_count *count =
        load(f, (struct manner){.reply = REPLY(WELL_LENGTH, WELL), .is_piecemeal = true});

    assert_true(count->n_requests > 0);
    assert_int_equal(count->n_failed, 0);
}

/* Ten megabytes are more than a socket takes in one piece. */
static void a_request_that_is_too_large_to_go_at_once_goes_in_pieces(void **state)
{
    struct fixture *f = *state;
    char filter[1000];

    snprintf(filter, sizeof filter, "{%*s}", (int)sizeof filter - 3, "");
    f->bench.filter = filter;
    f->bench.batch = 10000;
    f->bench.weights[HL_BENCH_SEARCH] = 0;
    f->bench.weights[HL_BENCH_BATCH] = 1;
    hl_bench_pool_free(f->pool);
    assert_int_equal(
        hl_bench_pool_new(&f->bench, &f->address, &f->stock, &f->pool, &f->err), HL_OK);
    (void)load(f, (struct manner){.reply = REPLY(WELL_LENGTH, WELL)});
    assert_true(f->tally.kinds[HL_BENCH_BATCH].n_requests >= CONNECTIONS);
    assert_int_equal(f->tally.kinds[HL_BENCH_BATCH].n_failed, 0);
}

static void whoever_closes_behind_each_reply_is_called_again(void **state)
{
    struct fixture *f = *state;
    const struct hl_bench_count *count =
        load(f, (struct manner){.reply = REPLY("Connection: close\r\n" WELL_LENGTH, WELL),
                                .hangs_up = true});

    assert_true(count->n_requests > CONNECTIONS);
    assert_int_equal(count->n_failed, 0);
    assert_true((uint64_t)f->server.n_connections >= count->n_requests);
}

static void a_connection_that_was_closed_while_it_rested_is_no_failure(void **state)
{
    struct fixture *f = *state;
    const struct hl_bench_count *count =
        load(f, (struct manner){.reply = REPLY(WELL_LENGTH, WELL), .hangs_up = true});

    assert_true(count->n_requests > CONNECTIONS);
    assert_int_equal(count->n_failed, 0);
}

static void a_refusal_is_told_in_the_words_of_the_server(void **state)
{
    struct fixture *f = *state;

    assert_all_failed(
        f,
        load(f, (struct manner){.reply = "HTTP/1.1 429 Too Many Requests\r\n"
                                         "Content-Length: 29\r\n\r\n"
                                         "{\"status\":{\"error\":\"too fast\"}}"}),
        429, "too fast");
}

static void a_200_that_does_not_say_ok_has_failed(void **state)
{
    struct fixture *f = *state;

    assert_all_failed(
        f, load(f, (struct manner){.reply = REPLY("Content-Length: 2\r\n", "{}")}), 200,
        "does not say");
}

static void what_is_no_reply_is_a_failure_without_a_status(void **state)
{
    struct fixture *f = *state;

    assert_all_failed(f, load(f, (struct manner){.reply = "220 mail.example.org\r\n\r\n"}),
                      0, "no server of ours");
}

static void a_reply_without_a_length_is_a_failure(void **state)
{
    struct fixture *f = *state;

    assert_all_failed(
        f,
        load(f, (struct manner){.reply =
                                    REPLY("Transfer-Encoding: chunked\r\n", "0\r\n\r\n")}),
        0, "does not say its length");
}

static void whoever_hangs_up_without_a_word_is_a_failure(void **state)
{
    struct fixture *f = *state;

    /* With what was sent unread the kernel may say so more harshly. */
    assert_all_failed(f, load(f, (struct manner){.hangs_up = true}), 0, "connection");
}

static void nobody_is_waited_for_longer_than_the_patience(void **state)
{
    struct fixture *f = *state;
    const struct hl_bench_count *count;

    f->bench.patience_s = .3;
    count = load(f, (struct manner){.reply = NULL});

    assert_all_failed(f, count, 0, "within the patience");
    assert_int_equal(hl_hist_count(count->latency), count->n_failed);
    assert_true(hl_hist_at(count->latency, 0) >= 250000000);
}

static void an_open_load_counts_all_that_were_meant_to_begin(void **state)
{
    struct fixture *f = *state;
    const struct hl_bench_count *count;

    f->bench.rate = 200;
    f->bench.warm_up_s = .1;
    count = load(f, (struct manner){.reply = REPLY(WELL_LENGTH, WELL)});
    assert_int_equal(count->n_requests, 60);
    assert_int_equal(count->n_failed, 0);
    assert_in_range(hl_hist_count(f->tally.late), 1, 60);
}

static void
those_that_could_not_even_be_sent_have_failed_with_the_time_they_waited(void **state)
{
    struct fixture *f = *state;
    const struct hl_bench_count *count;

    f->bench.rate = 100;
    f->bench.patience_s = .3;
    count = load(f, (struct manner){.reply = NULL});
    assert_int_equal(count->n_requests, 30);
    assert_int_equal(count->n_failed, 30);
    assert_int_equal(hl_hist_count(count->latency), 30);
    assert_true(hl_hist_max(count->latency) >= 300000000);
}

static void a_load_that_spins_is_not_busy_while_it_waits(void **state)
{
    struct fixture *f = *state;

    f->bench.spins = true;
    f->bench.rate = 20;
    (void)load(f, (struct manner){.reply = REPLY(WELL_LENGTH, WELL)});
    assert_true(f->tally.busy < .5);
}

static void where_nobody_listens_there_is_no_load(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(hl_bench_load(&f->bench, &f->address, f->pool, &f->tally, &f->err),
                     HL_UNAVAILABLE);
}

static void without_memory_there_is_no_load_or_a_failure_that_is_counted(void **state)
{
    struct fixture *f = *state;
    const struct hl_bench_count *count = &f->tally.kinds[HL_BENCH_SEARCH];
    uint64_t n_failed = 0;
    char rule[32];

    f->reply = REPLY(WELL_LENGTH, WELL);
    f->bench.seconds = .05;
    for (int n = 1; n < 20; n++) {
        snprintf(rule, sizeof rule, "alloc=%d:fail", n);
        assert_int_equal(hl_failpoint_arm(rule, &f->err), HL_OK);
        if (n <= 2) {
            assert_int_equal(run_load(f), HL_NO_MEMORY);
            continue;
        }
        assert_int_equal(run_load(f), HL_OK);
        if (hl_failpoint_count(HL_FAIL_ALLOC) < (uint64_t)n)
            break;
        assert_true(count->n_failed > n_failed);
        n_failed = count->n_failed;
    }
    assert_true(n_failed >= 2); /* a request and a reply */
    assert_non_null(strstr(f->tally.failures[0].sentence, "no memory for"));
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(answers_are_counted_and_connections_kept),
        TEST(a_reply_in_many_pieces_is_one_reply),
        TEST(a_request_that_is_too_large_to_go_at_once_goes_in_pieces),
        TEST(whoever_closes_behind_each_reply_is_called_again),
        TEST(a_connection_that_was_closed_while_it_rested_is_no_failure),
        TEST(a_refusal_is_told_in_the_words_of_the_server),
        TEST(a_200_that_does_not_say_ok_has_failed),
        TEST(what_is_no_reply_is_a_failure_without_a_status),
        TEST(a_reply_without_a_length_is_a_failure),
        TEST(whoever_hangs_up_without_a_word_is_a_failure),
        TEST(nobody_is_waited_for_longer_than_the_patience),
        TEST(an_open_load_counts_all_that_were_meant_to_begin),
        TEST(those_that_could_not_even_be_sent_have_failed_with_the_time_they_waited),
        TEST(a_load_that_spins_is_not_busy_while_it_waits),
        TEST(where_nobody_listens_there_is_no_load),
        TEST(without_memory_there_is_no_load_or_a_failure_that_is_counted),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
