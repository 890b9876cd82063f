/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/server.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Sanitizers and a busy machine are slow; what hangs, hangs for ever. */
enum { START_LIMIT_MS = 60000, STOP_LIMIT_MS = 60000, MAX_ARGS = 24 };

void hl_server_show(const struct hl_server *server)
{
    char *log = hl_process_read(&server->process, "err");
    char *rest = log;
    char *line;

    while ((line = strsep(&rest, "\n")))
        if (*line)
            printf("# server: %s\n", line);
    free(log);
}

/* The port of the last `event=listening` line: a server that was started again has two. */
static bool read_port(struct hl_server *server)
{
    char *log = hl_process_read(&server->process, "err");
    char *event = NULL;
    char *at = log;
    char *port;

    while ((at = strstr(at, "event=listening"))) {
        event = at;
        at++;
    }
    port = event ? strstr(event, " port=") : NULL;
    server->port = port ? (unsigned)strtoul(port + 6, NULL, 10) : 0;
    free(log);
    return server->port != 0;
}

/* The log is whole lines: the port may stand in a line that is half written. */
static bool await_port(struct hl_server *server, size_t log_before)
{
    int64_t until = hl_now_ms() + START_LIMIT_MS;
    bool is_listening = false;

    while (!is_listening) {
        bool is_over = hl_process_wait(&server->process, 0) || hl_now_ms() > until;
        char *log = hl_process_read(&server->process, "err");
        char *event =
            strlen(log) > log_before ? strstr(log + log_before, "event=listening") : NULL;

        is_listening = event && strchr(event, '\n');
        free(log);
        if (is_over)
            break;
        hl_rest();
    }
    return is_listening && read_port(server);
}

static bool start(struct hl_server *server, const struct hl_server_setup *setup)
{
    char config[HL_PROCESS_PATH_SIZE];
    char data[HL_PROCESS_PATH_SIZE];
    const char *argv[MAX_ARGS] = {setup->program, "serve", "--host", "127.0.0.1",
                                  "--port",       "0",     "--data", NULL};
    size_t n = 7;
    char *log = hl_process_read(&server->process, "err");
    size_t log_before = strlen(log);

    free(log);
    hl_process_path(&server->process, "data", data);
    argv[n++] = setup->data ? setup->data : data;
    if (setup->config) {
        hl_process_path(&server->process, "config.ini", config);
        argv[n++] = "--config";
        argv[n++] = config;
    }
    for (size_t i = 0; setup->flags && setup->flags[i] && n + 1 < MAX_ARGS; i++)
        argv[n++] = setup->flags[i];
    if (hl_process_start(&server->process, argv, setup->env) &&
        await_port(server, log_before))
        return true;
    printf("# the server did not start\n");
    hl_server_show(server);
    return false;
}

bool hl_server_start(struct hl_server *server, const struct hl_server_setup *setup)
{
    *server = (struct hl_server){0};
    if (!hl_process_init(&server->process))
        return false;
    if (setup->config && !hl_process_write(&server->process, "config.ini", setup->config))
        return false;
    return start(server, setup);
}

bool hl_server_restart(struct hl_server *server, const struct hl_server_setup *setup)
{
    return start(server, setup);
}

bool hl_server_stop(struct hl_server *server)
{
    bool is_ended;

    hl_process_signal(&server->process, SIGTERM);
    is_ended = hl_process_wait(&server->process, STOP_LIMIT_MS);
    if (is_ended && server->process.status == 0)
        return true;
    printf("# the server %s, status %d\n", is_ended ? "ended" : "did not end",
           server->process.status);
    hl_server_show(server);
    return false;
}

void hl_server_done(struct hl_server *server)
{
    hl_process_done(&server->process);
}
