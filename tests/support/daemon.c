/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/daemon.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Sanitizers and a busy machine are slow; what hangs, hangs for ever. */
enum { START_LIMIT_MS = 60000, STOP_LIMIT_MS = 60000, MAX_ARGS = 24 };

void hl_daemon_show(const struct hl_daemon *daemon)
{
    char *log = hl_process_read(&daemon->process, "err");
    char *rest = log;
    char *line;

    while ((line = strsep(&rest, "\n")))
        if (*line)
            printf("# server: %s\n", line);
    free(log);
}

/* The port of the last `event=listening` line: a server that was started again has two. */
static bool read_port(struct hl_daemon *daemon)
{
    char *log = hl_process_read(&daemon->process, "err");
    char *event = NULL;
    char *at = log;
    char *port;

    while ((at = strstr(at, "event=listening"))) {
        event = at;
        at++;
    }
    port = event ? strstr(event, " port=") : NULL;
    daemon->port = port ? (unsigned)strtoul(port + 6, NULL, 10) : 0;
    free(log);
    return daemon->port != 0;
}

/* The log is whole lines: the port may stand in a line that is half written. */
static bool await_port(struct hl_daemon *daemon, size_t log_before)
{
    int64_t until = hl_now_ms() + START_LIMIT_MS;
    bool is_listening = false;

    while (!is_listening) {
        bool is_over = hl_process_wait(&daemon->process, 0) || hl_now_ms() > until;
        char *log = hl_process_read(&daemon->process, "err");
        char *event =
            strlen(log) > log_before ? strstr(log + log_before, "event=listening") : NULL;

        is_listening = event && strchr(event, '\n');
        free(log);
        if (is_over)
            break;
        hl_rest();
    }
    return is_listening && read_port(daemon);
}

static bool start(struct hl_daemon *daemon, const struct hl_daemon_setup *setup)
{
    char config[HL_PROCESS_PATH_SIZE];
    char data[HL_PROCESS_PATH_SIZE];
    const char *argv[MAX_ARGS] = {setup->program, "serve", "--host", "127.0.0.1",
                                  "--port",       "0",     "--data", NULL};
    size_t n = 7;
    char *log = hl_process_read(&daemon->process, "err");
    size_t log_before = strlen(log);

    free(log);
    hl_process_path(&daemon->process, "data", data);
    argv[n++] = setup->data ? setup->data : data;
    if (setup->config) {
        hl_process_path(&daemon->process, "config.ini", config);
        argv[n++] = "--config";
        argv[n++] = config;
    }
    for (size_t i = 0; setup->flags && setup->flags[i] && n + 1 < MAX_ARGS; i++)
        argv[n++] = setup->flags[i];
    if (hl_process_start(&daemon->process, argv, setup->env) &&
        await_port(daemon, log_before))
        return true;
    printf("# the server did not start\n");
    hl_daemon_show(daemon);
    return false;
}

bool hl_daemon_start(struct hl_daemon *daemon, const struct hl_daemon_setup *setup)
{
    *daemon = (struct hl_daemon){0};
    if (!hl_process_init(&daemon->process))
        return false;
    if (setup->config && !hl_process_write(&daemon->process, "config.ini", setup->config))
        return false;
    return start(daemon, setup);
}

bool hl_daemon_restart(struct hl_daemon *daemon, const struct hl_daemon_setup *setup)
{
    return start(daemon, setup);
}

bool hl_daemon_is_sane(const struct hl_daemon *daemon)
{
    char *log = hl_process_read(&daemon->process, "err");
    bool is_sane = !strstr(log, "Sanitizer") && !strstr(log, "runtime error:");

    free(log);
    return is_sane;
}

bool hl_daemon_stop(struct hl_daemon *daemon)
{
    bool is_ended;

    hl_process_signal(&daemon->process, SIGTERM);
    is_ended = hl_process_wait(&daemon->process, STOP_LIMIT_MS);
    if (is_ended && daemon->process.status == 0 && hl_daemon_is_sane(daemon))
        return true;
    printf("# the server %s, status %d\n", is_ended ? "ended" : "did not end",
           daemon->process.status);
    hl_daemon_show(daemon);
    return false;
}

void hl_daemon_done(struct hl_daemon *daemon)
{
    hl_process_done(&daemon->process);
}
