/* SPDX-License-Identifier: Apache-2.0 */
/* Plays case files against the real server and says in TAP which promises it kept.
 *
 *     play HEIRLOOM PATH…        each PATH a case file or a directory of them
 *     play --port N PATH…        against a server that runs already, whatever its settings
 *
 * Cases that want the same settings share one server, in the order of their names. At the
 * end of each server comes one more test: that it stopped when told, with status 0. */
#include "tests/support/client.h"
#include "tests/support/daemon.h"
#include "tests/wire/case.h"
#include "tests/wire/match.h"

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_CASES = 1024, LIMIT_MS = 20000, SHOWN_MAX = 2000 };

/* nftw hands its callback nothing of the caller's, so what it finds waits here. */
static char *found[MAX_CASES];
static size_t n_found;

static size_t n_tests;
static bool all_passed = true;

static void say(bool is_ok, const char *what, const char *where)
{
    printf("%s %zu - %s (%s)\n", is_ok ? "ok" : "not ok", ++n_tests, what, where);
    all_passed = all_passed && is_ok;
    fflush(stdout);
}

static void show(const char *label, const char *text, size_t size)
{
    printf("# %s: ", label);
    for (size_t i = 0; i < size && i < SHOWN_MAX; i++) {
        unsigned char byte = (unsigned char)text[i];

        if (byte == '\n' && i + 1 < size)
            printf("\n# %*s", (int)strlen(label) + 2, "");
        else if (byte >= 0x20 && byte != 0x7f)
            putchar(byte);
    }
    printf("%s\n", size > SHOWN_MAX ? " …" : "");
}

static void show_want(const struct hl_want *want)
{
    printf("# expected: status %d\n", want->status);
    for (size_t i = 0; i < want->n_headers; i++)
        show("expected header", want->headers[i], strlen(want->headers[i]));
    for (size_t i = 0; i < want->n_parts; i++)
        show("expected in the body", want->parts[i], strlen(want->parts[i]));
    if (want->text)
        show("expected body", want->text, strlen(want->text));
    if (want->json)
        show("expected json", want->json, strlen(want->json));
}

static void show_reply(const struct hl_client_reply *reply)
{
    printf("# received: status %d\n", reply->status);
    for (size_t i = 0; i < reply->n_headers; i++)
        printf("# received header: %s: %s\n", reply->headers[i].name,
               reply->headers[i].value);
    show("received body", reply->body, reply->n_body);
}

static const char *name_of(enum hl_client_got got)
{
    static const char *const names[] = {[HL_CLIENT_REPLY] = "bytes",
                                        [HL_CLIENT_CLOSED] = "a closed connection",
                                        [HL_CLIENT_LATE] = "nothing within the limit",
                                        [HL_CLIENT_GARBAGE] = "bytes that are no reply"};

    return names[got];
}

static bool play_reply(struct hl_client *client, const struct hl_step *step,
                       const char *path)
{
    struct hl_client_reply reply;
    char why[HL_WHY_SIZE] = "";
    enum hl_client_got got = hl_client_read(client, step->want.is_head, LIMIT_MS, &reply);
    bool is_ok = got == HL_CLIENT_REPLY && hl_match_reply(&step->want, &reply, why);

    if (!is_ok) {
        if (got != HL_CLIENT_REPLY)
            snprintf(why, sizeof why, "instead of a reply came %s", name_of(got));
        printf("# %s:%zu: %s\n", path, step->line, why);
        show_want(&step->want);
        show_reply(&reply);
    }
    hl_client_reply_done(&reply);
    return is_ok;
}

static bool play_refused(struct hl_client *client, const struct hl_step *step,
                         const char *path)
{
    struct hl_client_reply reply;
    const enum hl_client_got got = hl_client_read(client, false, LIMIT_MS, &reply);
    const bool is_ok =
        got == HL_CLIENT_CLOSED || (got == HL_CLIENT_REPLY && reply.status / 100 == 4);

    if (!is_ok) {
        printf("# %s:%zu: instead of a refusal came %s\n", path, step->line, name_of(got));
        show_reply(&reply);
    }
    hl_client_reply_done(&reply);
    return is_ok;
}

static bool play_step(struct hl_client *client, unsigned port, const struct hl_step *step,
                      const char *path)
{
    enum hl_client_got got;

    switch (step->kind) {
    case HL_STEP_CONNECT:
        hl_client_close(client);
        if (hl_client_open(client, port))
            return true;
        printf("# %s:%zu: the server refused a connection\n", path, step->line);
        return false;
    case HL_STEP_SEND:
        /* A server that answers early may close before it has taken all; the reply says. */
        (void)hl_client_send(client, step->bytes, step->n_bytes);
        return true;
    case HL_STEP_SHUT:
        hl_client_shut(client);
        return true;
    case HL_STEP_REPLY:
        return play_reply(client, step, path);
    case HL_STEP_REFUSED:
        return play_refused(client, step, path);
    case HL_STEP_CLOSED:
        got = hl_client_read_end(client, LIMIT_MS);
        if (got == HL_CLIENT_CLOSED)
            return true;
        printf("# %s:%zu: instead of the end came %s\n", path, step->line, name_of(got));
        return false;
    }
    return false;
}

static bool play_case(const struct hl_case *one, unsigned port)
{
    struct hl_client client = {.fd = -1};
    bool is_ok = hl_client_open(&client, port);

    if (!is_ok)
        printf("# %s: the server refused a connection\n", one->path);
    for (size_t i = 0; is_ok && i < one->n_steps; i++)
        is_ok = play_step(&client, port, &one->steps[i], one->path);
    hl_client_close(&client);
    return is_ok;
}

/* Every case from `first` on that shares its server and has not been played. */
static void play_group(struct hl_case **cases, size_t n_cases, size_t first,
                       const char *program)
{
    const struct hl_case *one = cases[first];
    const struct hl_daemon_setup setup = {
        .program = program, .config = one->config, .env = (const char *const *)one->env};
    struct hl_daemon daemon;
    bool has_started = hl_daemon_start(&daemon, &setup);
    bool has_failed = !has_started;

    for (size_t i = first; i < n_cases; i++) {
        bool is_ok;

        if (!cases[i] || !hl_case_shares_server(one, cases[i]))
            continue;
        is_ok = has_started && play_case(cases[i], daemon.port);
        say(is_ok, cases[i]->title, cases[i]->path);
        has_failed = has_failed || !is_ok;
        if (i != first) {
            hl_case_free(cases[i]);
            cases[i] = NULL;
        }
    }
    if (has_started && has_failed)
        hl_daemon_show(&daemon);
    if (has_started)
        say(hl_daemon_stop(&daemon), "the server of the cases above stops with status 0",
            one->path);
    hl_daemon_done(&daemon);
    hl_case_free(cases[first]);
    cases[first] = NULL;
}

static int note_file(const char *path, const struct stat *info, int flag, struct FTW *where)
{
    size_t len = strlen(path);

    (void)info;
    (void)where;
    if (flag != FTW_F || len < 5 || strcmp(path + len - 5, ".case") != 0)
        return 0;
    if (n_found == MAX_CASES) {
        printf("Bail out! more than %d cases\n", MAX_CASES);
        return 1;
    }
    found[n_found] = strdup(path);
    return found[n_found++] ? 0 : 1;
}

static int compare_paths(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static void load_cases(struct hl_case **cases)
{
    qsort(found, n_found, sizeof found[0], compare_paths);
    for (size_t i = 0; i < n_found; i++) {
        cases[i] = hl_case_load(found[i]);
        if (!cases[i])
            say(false, "a case file can be read", found[i]);
    }
}

int main(int argc, char **argv)
{
    static struct hl_case *cases[MAX_CASES];
    bool is_running = argc > 2 && strcmp(argv[1], "--port") == 0;
    unsigned port = is_running ? (unsigned)strtoul(argv[2], NULL, 10) : 0;

    for (int i = is_running ? 3 : 2; i < argc; i++)
        if (nftw(argv[i], note_file, 16, FTW_PHYS) != 0)
            return 2;
    if (n_found == 0) {
        printf("Bail out! no case to play\n");
        return 2;
    }
    load_cases(cases);
    for (size_t i = 0; i < n_found; i++) {
        if (cases[i] && is_running) {
            say(play_case(cases[i], port), cases[i]->title, cases[i]->path);
            hl_case_free(cases[i]);
        } else if (cases[i]) {
            play_group(cases, n_found, i, argv[1]);
        }
    }
    for (size_t i = 0; i < n_found; i++)
        free(found[i]);
    printf("1..%zu\n", n_tests);
    return all_passed ? 0 : 1;
}
