/* SPDX-License-Identifier: Apache-2.0 */
/* Keys replaced under load, over the wire.
 *
 * View g of the keys holds three: "shared", key g and key g + 1. So a client that asks with
 * key k knows what it must hear: it is right in the views k - 1 and k and wrong in all
 * others. The main thread publishes how far the swaps are known to have come and how far
 * they may have come; between the two a client accepts either answer, outside neither. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/support/client.h"
#include "tests/support/daemon.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>

enum {
    N_CALLERS = 6,
    N_VIEWS = 24,
    LIMIT_MS = 20000,
    TEXT_SIZE = 512,
    ASKS_PER_CONNECTION = 50
};

struct stage {
    struct hl_daemon daemon;
    atomic_int known;    /* this view or a later one is served */
    atomic_int possible; /* this view or an earlier one is served */
    atomic_bool is_over;
    atomic_size_t n_asked;
    atomic_size_t n_faults;
};

struct caller {
    struct stage *stage;
    pthread_t thread;
    int n;
};

static void print_config(int view, char *ret_text)
{
    snprintf(ret_text, TEXT_SIZE,
             "[keys.shared]\nsecret = shared-secret-0000\naccess = full\n"
             "[keys.one]\nsecret = turning-secret-%04d\naccess = full\n"
             "[keys.two]\nsecret = turning-secret-%04d\naccess = read_only\n",
             view, view + 1);
}

/* key < 0: the shared one. */
static int ask_on(struct hl_client *client, int key)
{
    char request[TEXT_SIZE];
    char secret[64] = "shared-secret-0000";
    struct hl_client_reply reply;
    enum hl_client_got got;
    int status;

    if (key >= 0)
        snprintf(secret, sizeof secret, "turning-secret-%04d", key);
    snprintf(request, sizeof request,
             "GET /limits HTTP/1.1\r\nHost: x\r\napi-key: %s\r\n\r\n", secret);
    if (!hl_client_send_text(client, request))
        return -1;
    got = hl_client_read(client, false, LIMIT_MS, &reply);
    status = got == HL_CLIENT_REPLY ? reply.status : -(int)got;
    hl_client_reply_done(&reply);
    return status;
}

static bool holds(int view, int key)
{
    return key < 0 || key == view || key == view + 1;
}

static bool is_right(struct stage *stage, struct hl_client *client, int key)
{
    int known = atomic_load(&stage->known);
    int status = ask_on(client, key);
    int possible = atomic_load(&stage->possible);
    bool may_pass = false;
    bool may_fail = false;

    for (int view = known; view <= possible; view++) {
        may_pass = may_pass || holds(view, key);
        may_fail = may_fail || !holds(view, key);
    }
    atomic_fetch_add(&stage->n_asked, 1);
    if ((status == 200 && may_pass) || (status == 401 && may_fail))
        return true;
    printf("# key %d, views %d to %d: status %d\n", key, known, possible, status);
    return false;
}

static void *run_caller(void *self)
{
    struct caller *caller = self;
    struct stage *stage = caller->stage;
    int turn = caller->n;

    while (!atomic_load(&stage->is_over)) {
        struct hl_client client;

        if (!hl_client_open(&client, stage->daemon.port)) {
            atomic_fetch_add(&stage->n_faults, 1);
            continue;
        }
        for (int i = 0; i < ASKS_PER_CONNECTION && !atomic_load(&stage->is_over); i++) {
            /* The shared key, and those around what is served now. */
            int key = turn++ % 2 == 0 ? -1 : atomic_load(&stage->known) + turn % 5 - 2;

            if (!is_right(stage, &client, key < -1 ? 0 : key)) {
                atomic_fetch_add(&stage->n_faults, 1);
                break;
            }
        }
        hl_client_close(&client);
    }
    return NULL;
}

/* Whether the key that only this view and the next hold was accepted within the limit. */
static bool await_view(struct stage *stage, int view)
{
    int64_t until = hl_now_ms() + LIMIT_MS;
    struct hl_client client;
    int status = 0;

    if (!hl_client_open(&client, stage->daemon.port))
        return false;
    while (status != 200 && status >= 0 && hl_now_ms() < until)
        status = ask_on(&client, view + 1);
    hl_client_close(&client);
    return status == 200;
}

static bool swap_to(struct stage *stage, int view)
{
    char config[TEXT_SIZE];

    print_config(view, config);
    atomic_store(&stage->possible, view);
    if (!hl_process_write(&stage->daemon.process, "next.ini", config) ||
        !hl_process_rename(&stage->daemon.process, "next.ini", "config.ini") ||
        !hl_process_signal(&stage->daemon.process, SIGHUP) || !await_view(stage, view))
        return false;
    atomic_store(&stage->known, view);
    return true;
}

static void a_key_that_both_views_hold_never_fails_while_they_are_swapped(void **state)
{
    struct stage stage = {.known = 0};
    struct caller callers[N_CALLERS];
    char config[TEXT_SIZE];
    bool has_swapped = true;

    print_config(0, config);
    assert_true(hl_daemon_start(
        &stage.daemon, &(struct hl_daemon_setup){.program = *state, .config = config}));
    for (int i = 0; i < N_CALLERS; i++) {
        callers[i] = (struct caller){.stage = &stage, .n = i};
        assert_int_equal(pthread_create(&callers[i].thread, NULL, run_caller, &callers[i]),
                         0);
    }
    for (int view = 1; view < N_VIEWS && has_swapped; view++)
        has_swapped = swap_to(&stage, view);
    atomic_store(&stage.is_over, true);
    for (int i = 0; i < N_CALLERS; i++)
        pthread_join(callers[i].thread, NULL);
    if (!has_swapped || atomic_load(&stage.n_faults) > 0)
        hl_daemon_show(&stage.daemon);
    assert_true(has_swapped);
    assert_int_equal(atomic_load(&stage.n_faults), 0);
    assert_true(atomic_load(&stage.n_asked) > (size_t)N_VIEWS);
    assert_true(hl_daemon_stop(&stage.daemon));
    hl_daemon_done(&stage.daemon);
}

static void a_file_that_cannot_be_read_changes_nothing(void **state)
{
    struct stage stage = {.known = 0};
    char config[TEXT_SIZE];
    struct hl_client client;

    print_config(0, config);
    assert_true(hl_daemon_start(
        &stage.daemon, &(struct hl_daemon_setup){.program = *state, .config = config}));
    assert_true(
        hl_process_write(&stage.daemon.process, "config.ini", "[keys.one]\nsecrt=1"));
    assert_true(hl_process_signal(&stage.daemon.process, SIGHUP));
    assert_true(hl_process_await(&stage.daemon.process, "err", "secrt", LIMIT_MS));
    assert_true(hl_client_open(&client, stage.daemon.port));
    assert_int_equal(ask_on(&client, 0), 200);
    assert_int_equal(ask_on(&client, -1), 200);
    assert_int_equal(ask_on(&client, 2), 401);
    hl_client_close(&client);
    assert_true(swap_to(&stage, 2));
    assert_true(hl_daemon_stop(&stage.daemon));
    hl_daemon_done(&stage.daemon);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_prestate(a_file_that_cannot_be_read_changes_nothing, argv[1]),
        cmocka_unit_test_prestate(
            a_key_that_both_views_hold_never_fails_while_they_are_swapped, argv[1]),
    };

    return argc == 2 ? cmocka_run_group_tests(tests, NULL, NULL) : 2;
}
