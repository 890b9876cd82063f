/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/fail.h"
#include "server/watch.h"

#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

enum { RECEIVE_US = 600000, MOST = 3 };

static int64_t now_us(void *self)
{
    struct timespec now;

    (void)self;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

static const struct hl_clock wall = {.now_us = now_us};

/* Both ends of a connection over the loopback. */
struct line {
    struct hl_conn conn; /* first; its socket is ours */
    int far;
    atomic_int n_cut;
    atomic_int n_gone;
};

static void count_cut(struct hl_conn *conn)
{
    atomic_fetch_add(&((struct line *)conn)->n_cut, 1);
}

static void count_gone(struct hl_conn *conn)
{
    atomic_fetch_add(&((struct line *)conn)->n_gone, 1);
}

static void open_line(struct line *line)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    int listener = socket(AF_INET, SOCK_STREAM, 0);

    assert_int_equal(bind(listener, (struct sockaddr *)&address, size), 0);
    assert_int_equal(listen(listener, 1), 0);
    assert_int_equal(getsockname(listener, (struct sockaddr *)&address, &size), 0);
    *line = (struct line){.far = socket(AF_INET, SOCK_STREAM, 0)};
    assert_int_equal(connect(line->far, (struct sockaddr *)&address, size), 0);
    line->conn.fd = accept(listener, NULL, NULL);
    assert_true(line->conn.fd >= 0);
    line->conn.cut = count_cut;
    line->conn.gone = count_gone;
    close(listener);
}

static void close_line(struct hl_watch *watch, struct line *line)
{
    hl_watch_remove(watch, &line->conn);
    close(line->conn.fd);
    if (line->far >= 0)
        close(line->far);
}

static int start_watch(void **state)
{
    const struct hl_watch_options options = {
        .clock = &wall, .receive_us = RECEIVE_US, .max_connections = MOST};
    struct hl_watch *watch = NULL;
    struct hl_err err;

    if (hl_watch_new(&options, &watch, &err) != HL_OK)
        return -1;
    *state = watch;
    return 0;
}

static int stop_watch(void **state)
{
    hl_watch_free(*state);
    return 0;
}

static void wait_until(atomic_int *count, int wanted)
{
    const struct timespec pause = {.tv_nsec = 1000000};

    for (int ms = 0; ms < 10000 && atomic_load(count) < wanted; ms++)
        nanosleep(&pause, NULL);
    assert_int_equal(atomic_load(count), wanted);
}

static void send_byte(int fd)
{
    assert_int_equal(send(fd, "G", 1, MSG_NOSIGNAL), 1);
}

static void expect_end(int fd)
{
    char byte;

    assert_int_equal(recv(fd, &byte, 1, 0), 0);
}

static void a_request_that_takes_too_long_to_come_is_cut(void **state)
{
    struct line line;
    int64_t start_us = now_us(NULL);

    open_line(&line);
    assert_true(hl_watch_add(*state, &line.conn));
    assert_true(hl_conn_receives(&line.conn, start_us));
    expect_end(line.far);
    assert_int_equal(atomic_load(&line.n_cut), 1);
    assert_true(now_us(NULL) - start_us >= RECEIVE_US);
    /* From now on the serving thread is told to send nothing. */
    assert_false(hl_conn_is_served(&line.conn));
    assert_false(hl_conn_receives(&line.conn, start_us));
    close_line(*state, &line);
}

static void a_few_bytes_on_a_fresh_connection_count_as_a_request(void **state)
{
    struct line line;

    open_line(&line);
    assert_true(hl_watch_add(*state, &line.conn));
    send_byte(line.far);
    expect_end(line.far);
    assert_int_equal(atomic_load(&line.n_cut), 1);
    close_line(*state, &line);
}

static void silence_is_not_a_request(void **state)
{
    struct line silent, speaking;

    open_line(&silent);
    open_line(&speaking);
    assert_true(hl_watch_add(*state, &silent.conn));
    assert_true(hl_watch_add(*state, &speaking.conn));
    /* By the time this one is cut, the silent one has been looked at as often. */
    send_byte(speaking.far);
    wait_until(&speaking.n_cut, 1);
    assert_int_equal(atomic_load(&silent.n_cut), 0);
    assert_true(hl_conn_receives(&silent.conn, now_us(NULL)));
    close_line(*state, &silent);
    close_line(*state, &speaking);
}

static void a_request_that_is_complete_is_left_alone(void **state)
{
    struct line served, slow;

    open_line(&served);
    open_line(&slow);
    assert_true(hl_watch_add(*state, &served.conn));
    assert_true(hl_watch_add(*state, &slow.conn));
    assert_true(hl_conn_receives(&served.conn, now_us(NULL)));
    assert_true(hl_conn_is_served(&served.conn));
    assert_true(hl_conn_receives(&slow.conn, now_us(NULL)));
    wait_until(&slow.n_cut, 1);
    assert_int_equal(atomic_load(&served.n_cut), 0);
    hl_conn_rests(&served.conn, now_us(NULL));
    assert_true(hl_conn_receives(&served.conn, now_us(NULL)));
    close_line(*state, &served);
    close_line(*state, &slow);
}

static void who_was_answered_early_may_send_until_its_time_is_over(void **state)
{
    struct line line, ended;
    int64_t start_us = now_us(NULL);

    open_line(&line);
    open_line(&ended);
    assert_true(hl_watch_add(*state, &line.conn));
    assert_true(hl_watch_add(*state, &ended.conn));
    assert_true(hl_conn_is_served(&ended.conn));
    hl_conn_lingers(&ended.conn, start_us + 100 * (int64_t)RECEIVE_US);
    assert_int_equal(shutdown(ended.far, SHUT_WR), 0);
    expect_end(ended.far);
    assert_true(now_us(NULL) - start_us < 50 * (int64_t)RECEIVE_US);
    start_us = now_us(NULL);
    assert_true(hl_conn_receives(&line.conn, start_us));
    assert_true(hl_conn_is_served(&line.conn));
    hl_conn_lingers(&line.conn, start_us + 2 * (int64_t)RECEIVE_US);
    assert_false(hl_conn_is_served(&line.conn));
    assert_int_equal(hl_watch_active(*state), 0);
    expect_end(line.far);
    assert_true(now_us(NULL) - start_us >= 2 * (int64_t)RECEIVE_US);
    assert_int_equal(atomic_load(&line.n_cut), 0);
    close_line(*state, &line);
    close_line(*state, &ended);
}

static void who_hangs_up_amid_a_request_is_noticed_once_all_is_read(void **state)
{
    struct line unread, gone;
    int64_t later_us = now_us(NULL) + 60000000; /* its own time is not what ends it */
    char byte;

    open_line(&unread);
    open_line(&gone);
    assert_true(hl_watch_add(*state, &unread.conn));
    assert_true(hl_watch_add(*state, &gone.conn));
    assert_true(hl_conn_receives(&unread.conn, later_us));
    assert_true(hl_conn_receives(&gone.conn, later_us));
    send_byte(unread.far);
    assert_int_equal(shutdown(unread.far, SHUT_WR), 0);
    assert_int_equal(shutdown(gone.far, SHUT_WR), 0);
    expect_end(gone.far);
    assert_false(hl_conn_is_served(&gone.conn));
    assert_int_equal(atomic_load(&gone.n_cut), 0);
    /* This one was looked at as often, but its byte may complete the request. */
    assert_int_equal(recv(unread.conn.fd, &byte, 1, 0), 1);
    assert_true(hl_conn_is_served(&unread.conn));
    close_line(*state, &unread);
    close_line(*state, &gone);
}

static void who_hangs_up_while_waiting_is_noticed(void **state)
{
    struct line line;

    open_line(&line);
    assert_true(hl_watch_add(*state, &line.conn));
    assert_true(hl_conn_receives(&line.conn, now_us(NULL)));
    assert_true(hl_conn_is_served(&line.conn));
    hl_conn_waits(&line.conn);
    assert_int_equal(hl_watch_active(*state), 1);
    assert_int_equal(atomic_load(&line.n_gone), 0);
    close(line.far);
    line.far = -1;
    wait_until(&line.n_gone, 1);
    hl_conn_is_answered(&line.conn);
    close_line(*state, &line);
}

static void cancelling_all_reaches_those_that_wait_and_no_others(void **state)
{
    struct line waiting, idle;

    open_line(&waiting);
    open_line(&idle);
    assert_true(hl_watch_add(*state, &waiting.conn));
    assert_true(hl_watch_add(*state, &idle.conn));
    hl_conn_waits(&waiting.conn);
    hl_watch_cancel_all(*state);
    assert_int_equal(atomic_load(&waiting.n_gone), 1);
    assert_int_equal(atomic_load(&idle.n_gone), 0);
    close_line(*state, &waiting);
    close_line(*state, &idle);
}

static void one_connection_too_many_is_turned_away_and_ends(void **state)
{
    struct line lines[MOST + 1];

    for (int i = 0; i <= MOST; i++) {
        open_line(&lines[i]);
        assert_int_equal(hl_watch_add(*state, &lines[i].conn), i < MOST);
    }
    assert_false(hl_conn_receives(&lines[MOST].conn, now_us(NULL)));
    expect_end(lines[MOST].far);
    assert_int_equal(hl_watch_count(*state), MOST + 1);
    for (int i = 0; i <= MOST; i++)
        close_line(*state, &lines[i]);
    assert_int_equal(hl_watch_count(*state), 0);
}

static void a_watch_that_cannot_be_built_says_so(void **state)
{
    const struct hl_watch_options options = {.clock = &wall};
    struct hl_watch *watch = NULL;
    struct hl_err err;

    (void)state;
    assert_int_equal(hl_failpoint_arm("alloc=1:fail", &err), HL_OK);
    assert_int_equal(hl_watch_new(&options, &watch, &err), HL_NO_MEMORY);
    hl_failpoint_disarm();
    assert_null(watch);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_request_that_takes_too_long_to_come_is_cut),
        cmocka_unit_test(a_few_bytes_on_a_fresh_connection_count_as_a_request),
        cmocka_unit_test(silence_is_not_a_request),
        cmocka_unit_test(a_request_that_is_complete_is_left_alone),
        cmocka_unit_test(who_was_answered_early_may_send_until_its_time_is_over),
        cmocka_unit_test(who_hangs_up_amid_a_request_is_noticed_once_all_is_read),
        cmocka_unit_test(who_hangs_up_while_waiting_is_noticed),
        cmocka_unit_test(cancelling_all_reaches_those_that_wait_and_no_others),
        cmocka_unit_test(one_connection_too_many_is_turned_away_and_ends),
        cmocka_unit_test(a_watch_that_cannot_be_built_says_so),
    };

    return cmocka_run_group_tests_name("watch", tests, start_watch, stop_watch);
}
