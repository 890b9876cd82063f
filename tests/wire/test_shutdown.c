/* SPDX-License-Identifier: Apache-2.0 */
/* How a server ends, and what it leaves to the next one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/support/client.h"
#include "tests/support/daemon.h"

#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { LIMIT_MS = 20000, SLOW_LIMIT_MS = 60000, ENDED_BY_TERM = 128 + SIGTERM };

static const char health[] = "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n";
static const char ready[] = "GET /readyz HTTP/1.1\r\nHost: x\r\n\r\n";
static const char telemetry[] = "GET /telemetry HTTP/1.1\r\nHost: x\r\n\r\n";

static struct hl_daemon start(void **state, const char *config, const char *const *env)
{
    struct hl_daemon daemon;

    assert_true(hl_daemon_start(
        &daemon,
        &(struct hl_daemon_setup){.program = *state, .config = config, .env = env}));
    return daemon;
}

static void assert_ends(struct hl_daemon *daemon, int status)
{
    assert_true(hl_process_wait(&daemon->process, SLOW_LIMIT_MS));
    if (daemon->process.status != status)
        hl_daemon_show(daemon);
    assert_int_equal(daemon->process.status, status);
}

static int status_on(struct hl_client *client, const char *request)
{
    struct hl_client_reply reply;
    enum hl_client_got got = HL_CLIENT_CLOSED;
    int status;

    (void)hl_client_send_text(client, request);
    got = hl_client_read(client, false, LIMIT_MS, &reply);
    status = got == HL_CLIENT_REPLY ? reply.status : -(int)got;
    hl_client_reply_done(&reply);
    return status;
}

static void both_signals_end_an_idle_server_with_status_0(void **state)
{
    static const int signals[] = {SIGTERM, SIGINT};

    for (size_t i = 0; i < 2; i++) {
        struct hl_daemon daemon = start(state, NULL, NULL);

        assert_true(hl_process_signal(&daemon.process, signals[i]));
        assert_ends(&daemon, 0);
        hl_daemon_done(&daemon);
    }
}

static void a_kept_connection_does_not_hold_up_the_end(void **state)
{
    struct hl_daemon daemon = start(state, NULL, NULL);
    struct hl_client client;
    int64_t began;

    assert_true(hl_client_open(&client, daemon.port));
    assert_int_equal(status_on(&client, health), 200);
    began = hl_now_ms();
    assert_true(hl_process_signal(&daemon.process, SIGTERM));
    assert_ends(&daemon, 0);
    assert_true(hl_now_ms() - began < 15000);
    hl_client_close(&client);
    hl_daemon_done(&daemon);
}

struct crowd {
    unsigned port;
    atomic_size_t n_answered;
};

/* Asks until nobody answers any more. */
static void *ask_until_the_end(void *self)
{
    struct crowd *crowd = self;

    while (hl_client_ask(crowd->port, health, LIMIT_MS, NULL) == 200)
        atomic_fetch_add(&crowd->n_answered, 1);
    return NULL;
}

/* Its threads are then still busy with the socket that is taken from them. */
static void a_busy_server_ends_with_status_0(void **state)
{
    enum { N_ROUNDS = 8, N_CALLERS = 8 };

    for (int round = 0; round < N_ROUNDS; round++) {
        struct hl_daemon daemon = start(state, "[service]\nworkers = 8\n", NULL);
        struct crowd crowd = {.port = daemon.port};
        pthread_t callers[N_CALLERS];

        for (int i = 0; i < N_CALLERS; i++)
            assert_int_equal(pthread_create(&callers[i], NULL, ask_until_the_end, &crowd),
                             0);
        while (atomic_load(&crowd.n_answered) < N_CALLERS)
            hl_rest();
        assert_true(hl_process_signal(&daemon.process, SIGTERM));
        assert_ends(&daemon, 0);
        for (int i = 0; i < N_CALLERS; i++)
            pthread_join(callers[i], NULL);
        hl_daemon_done(&daemon);
    }
}

/* One client waits for a long answer and another has a connection open when SIGTERM comes.
 */
/* Until a reader has the long request: a signal before that finds nothing to wait for. */
static void wait_for_busy_reader(struct hl_client *client)
{
    static const char limits[] = "GET /limits HTTP/1.1\r\nHost: x\r\n\r\n";
    const int64_t until = hl_now_ms() + LIMIT_MS;
    bool is_busy = false;

    while (!is_busy && hl_now_ms() < until) {
        struct hl_client_reply reply;
        const char *readers;

        assert_true(hl_client_send_text(client, limits));
        assert_int_equal(hl_client_read(client, false, LIMIT_MS, &reply), HL_CLIENT_REPLY);
        readers = strstr(reply.body, "\"readers\":");
        assert_non_null(readers);
        readers = strstr(readers, "\"in_use\":");
        is_busy = readers && strncmp(readers, "\"in_use\":1}", 11) == 0;
        hl_client_reply_done(&reply);
    }
    assert_true(is_busy);
}

/* An answer that was on its way when the end began is the last of its connection and still
 * says 200: then it is asked again on another that was opened before. */
static void wait_until_not_ready(struct hl_client *kept, struct hl_client *spare)
{
    const int64_t until = hl_now_ms() + LIMIT_MS;
    int status = 200;

    while (status == 200 && hl_now_ms() < until)
        status = status_on(kept, ready);
    if (status == -(int)HL_CLIENT_CLOSED)
        status = status_on(spare, ready);
    assert_int_equal(status, 503);
}

static void readiness_goes_first_and_the_running_request_finishes(void **state)
{
    static const char *const env[] = {"HEIRLOOM_FAILPOINTS=reader.run=1:stall2500", NULL};
    struct hl_daemon daemon = start(state, "[log]\nlevel = debug\n", env);
    struct hl_client slow, kept, spare;
    struct hl_client_reply reply;

    assert_true(hl_client_open(&slow, daemon.port));
    assert_true(hl_client_open(&kept, daemon.port));
    assert_true(hl_client_open(&spare, daemon.port));
    assert_int_equal(status_on(&kept, ready), 200);
    assert_true(hl_client_send_text(&slow, telemetry));
    wait_for_busy_reader(&kept);
    assert_true(hl_process_signal(&daemon.process, SIGTERM));
    wait_until_not_ready(&kept, &spare);
    assert_false(hl_process_wait(&daemon.process, 0));
    assert_int_equal(hl_client_read(&slow, false, LIMIT_MS, &reply), HL_CLIENT_REPLY);
    assert_int_equal(reply.status, 200);
    hl_client_reply_done(&reply);
    assert_ends(&daemon, 0);
    hl_client_close(&slow);
    hl_client_close(&kept);
    hl_client_close(&spare);
    hl_daemon_done(&daemon);
}

static void a_second_signal_ends_it_at_once(void **state)
{
    static const char *const env[] = {"HEIRLOOM_FAILPOINTS=reader.run=1:stall60000", NULL};
    struct hl_daemon daemon = start(state, NULL, env);
    struct hl_client slow, kept, spare;
    int64_t began;

    assert_true(hl_client_open(&slow, daemon.port));
    assert_true(hl_client_open(&kept, daemon.port));
    assert_true(hl_client_open(&spare, daemon.port));
    assert_true(hl_client_send_text(&slow, telemetry));
    wait_for_busy_reader(&kept);
    assert_true(hl_process_signal(&daemon.process, SIGTERM));
    wait_until_not_ready(&kept, &spare);
    began = hl_now_ms();
    assert_true(hl_process_signal(&daemon.process, SIGTERM));
    assert_ends(&daemon, ENDED_BY_TERM);
    assert_true(hl_now_ms() - began < 5000);
    hl_client_close(&slow);
    hl_client_close(&kept);
    hl_client_close(&spare);
    hl_daemon_done(&daemon);
}

static void a_request_that_outlasts_the_grace_is_let_down(void **state)
{
    static const char *const env[] = {"HEIRLOOM_FAILPOINTS=reader.run=1:stall4000", NULL};
    struct hl_daemon daemon = start(state, "[service]\nshutdown_grace_s = 1\n", env);
    struct hl_client slow;

    assert_true(hl_client_open(&slow, daemon.port));
    assert_true(hl_client_send_text(&slow, telemetry));
    assert_int_equal(hl_client_ask(daemon.port, health, LIMIT_MS, NULL), 200);
    assert_true(hl_process_signal(&daemon.process, SIGTERM));
    assert_true(hl_process_wait(&daemon.process, SLOW_LIMIT_MS));
    hl_client_close(&slow);
    hl_daemon_done(&daemon);
}

static void a_data_directory_has_one_server(void **state)
{
    struct hl_daemon daemon = start(state, NULL, NULL);
    struct hl_process second;
    char data[HL_PROCESS_PATH_SIZE];
    char holder[64];
    char *said;

    hl_process_path(&daemon.process, "data", data);
    assert_true(hl_process_init(&second));
    assert_true(hl_process_start(
        &second,
        (const char *const[]){*state, "serve", "--port", "0", "--data", data, NULL}, NULL));
    assert_true(hl_process_wait(&second, SLOW_LIMIT_MS));
    said = hl_process_read(&second, "err");
    snprintf(holder, sizeof holder, "%d", (int)daemon.process.pid);
    if (!strstr(said, holder))
        printf("# it said: %s\n", said);
    assert_non_null(strstr(said, holder));
    assert_true(second.status > 0 && second.status < 126);
    free(said);
    hl_process_done(&second);
    assert_int_equal(hl_client_ask(daemon.port, health, LIMIT_MS, NULL), 200);
    assert_true(hl_daemon_stop(&daemon));
    hl_daemon_done(&daemon);
}

static void after_kill_9_the_next_server_takes_over(void **state)
{
    const struct hl_daemon_setup setup = {.program = *state};
    struct hl_daemon daemon = start(state, NULL, NULL);

    assert_int_equal(hl_client_ask(daemon.port, telemetry, LIMIT_MS, NULL), 200);
    assert_true(hl_process_signal(&daemon.process, SIGKILL));
    assert_ends(&daemon, 128 + SIGKILL);
    assert_true(hl_daemon_restart(&daemon, &setup));
    assert_int_equal(hl_client_ask(daemon.port, telemetry, LIMIT_MS, NULL), 200);
    assert_true(hl_daemon_stop(&daemon));
    assert_true(hl_daemon_restart(&daemon, &setup));
    assert_true(hl_daemon_stop(&daemon));
    hl_daemon_done(&daemon);
}

static void a_port_in_use_is_said_in_a_sentence(void **state)
{
    struct hl_daemon daemon = start(state, NULL, NULL);
    struct hl_process second;
    char data[HL_PROCESS_PATH_SIZE];
    char port[16];
    char *said;

    assert_true(hl_process_init(&second));
    hl_process_path(&second, "data", data);
    snprintf(port, sizeof port, "%u", daemon.port);
    assert_true(hl_process_start(
        &second,
        (const char *const[]){*state, "serve", "--port", port, "--data", data, NULL},
        NULL));
    assert_true(hl_process_wait(&second, SLOW_LIMIT_MS));
    said = hl_process_read(&second, "err");
    if (!strstr(said, port) || !strstr(said, "in use"))
        printf("# it said: %s\n", said);
    assert_non_null(strstr(said, port));
    assert_non_null(strstr(said, "in use"));
    assert_true(second.status > 0 && second.status < 126);
    free(said);
    hl_process_done(&second);
    assert_true(hl_daemon_stop(&daemon));
    hl_daemon_done(&daemon);
}

/* Reads one datagram within the limit; "" when none came. */
static void read_notice(int fd, char *ret_text, size_t size)
{
    struct pollfd waiting = {.fd = fd, .events = POLLIN};
    ssize_t got = -1;

    if (poll(&waiting, 1, LIMIT_MS) > 0)
        got = recv(fd, ret_text, size - 1, 0);
    ret_text[got > 0 ? got : 0] = '\0';
}

static bool has_line(const char *text, const char *line)
{
    const char *at = strstr(text, line);

    return at && (at == text || at[-1] == '\n') &&
           (at[strlen(line)] == '\0' || at[strlen(line)] == '\n');
}

static void systemd_hears_when_it_is_ready_and_when_it_stops(void **state)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    char env_line[sizeof address.sun_path + 32];
    const char *const env[] = {env_line, NULL};
    struct hl_process dir; /* only for its directory */
    struct hl_daemon daemon;
    char text[512];
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

    assert_true(fd >= 0);
    assert_true(hl_process_init(&dir));
    snprintf(address.sun_path, sizeof address.sun_path, "%s/notify", dir.dir);
    assert_int_equal(bind(fd, (const struct sockaddr *)&address, sizeof address), 0);
    snprintf(env_line, sizeof env_line, "NOTIFY_SOCKET=%s", address.sun_path);
    daemon = start(state, NULL, env);
    read_notice(fd, text, sizeof text);
    assert_true(has_line(text, "READY=1"));
    assert_true(hl_process_signal(&daemon.process, SIGTERM));
    read_notice(fd, text, sizeof text);
    assert_true(has_line(text, "STOPPING=1"));
    assert_ends(&daemon, 0);
    hl_daemon_done(&daemon);
    hl_process_done(&dir);
    close(fd);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_prestate(both_signals_end_an_idle_server_with_status_0, argv[1]),
        cmocka_unit_test_prestate(a_busy_server_ends_with_status_0, argv[1]),
        cmocka_unit_test_prestate(a_kept_connection_does_not_hold_up_the_end, argv[1]),
        cmocka_unit_test_prestate(readiness_goes_first_and_the_running_request_finishes,
                                  argv[1]),
        cmocka_unit_test_prestate(a_second_signal_ends_it_at_once, argv[1]),
        cmocka_unit_test_prestate(a_request_that_outlasts_the_grace_is_let_down, argv[1]),
        cmocka_unit_test_prestate(a_data_directory_has_one_server, argv[1]),
        cmocka_unit_test_prestate(after_kill_9_the_next_server_takes_over, argv[1]),
        cmocka_unit_test_prestate(a_port_in_use_is_said_in_a_sentence, argv[1]),
        cmocka_unit_test_prestate(systemd_hears_when_it_is_ready_and_when_it_stops,
                                  argv[1]),
    };

    return argc == 2 ? cmocka_run_group_tests(tests, NULL, NULL) : 2;
}
