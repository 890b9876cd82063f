/* SPDX-License-Identifier: Apache-2.0 */
#include "server/cli_rollout.h"

#include "server/cli_json.h"
#include "server/cli_remote.h"
#include "server/cli_view.h"

#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <unistd.h>

enum {
    BODY_SIZE = 64 << 10,
    REPLY_MEMORY = 8 << 20,
    LARGEST_VIEW = 1 << 20,
    SHOWN_EVENTS = 5,
    MOST_EVENTS = 100
};

enum flag {
    COLLECTION,
    FROM,
    TO,
    PERCENT,
    PROBES,
    GATE,
    GUARD,
    SAMPLE,
    TTL,
    FORCE,
    EXPECT,
    WHY,
    EVERY,
    URL,
    API_KEY,
    N_FLAGS
};

static const struct hl_tool_flag flags[N_FLAGS] = {
    [COLLECTION] = {"--collection", "NAME", "whose rollout it is", true},
    [FROM] = {"--from", "MODEL", "of start: the one that serves (@default)", false},
    [TO] = {"--to", "MODEL", "of start: the new one", false},
    [PERCENT] = {"--percent", "P", "of advance: of the callers so many, to two places",
                 false},
    [PROBES] = {"--probes", "SET", "of start: queries that the new model must not lose",
                false},
    [GATE] = {"--gate", "JSON", "of start: {\"min_gain\":0.3,…}", false},
    [GUARD] = {"--guard", "JSON", "of start: {\"excess_flips\":0.01,…}", false},
    [SAMPLE] = {"--sample", "X",
                "of start: of the searches the share that is compared: 0 to 1", false},
    [TTL] = {"--ttl", "SECONDS", "of start: how long callers may keep a route", false},
    [FORCE] = {"--force", NULL, "of advance and promote: past a gate that is not met",
               false},
    [EXPECT] = {"--expect", "STEP", "only if it is at this step still", false},
    [WHY] = {"--why", "TEXT", "for the events", false},
    [EVERY] = {"--every", "SECONDS", "of watch: how often it looks (1)", false},
    [URL] = {"--url", "URL", "where the server is (" HL_REMOTE_URL ")", false},
    [API_KEY] = {"--api-key", "KEY",
                 "a key that may write; else the variable HEIRLOOM_API_KEY is asked",
                 false},
};

struct rolling {
    const struct hl_tool_words *words;
    struct hl_remote remote;
    struct hl_arena *arena;
    struct hl_buf rollout, events; /* the last replies */
    double last_event;             /* its number; 0: not known yet */
};

/* ---- asking ---- */

/* Replies are good until the next call. */
static enum hl_code keep_reply(struct rolling *r, const struct hl_span *reply,
                               const char *path, struct hl_buf *ret, struct hl_err *err)
{
    const struct hl_span found = hl_cli_find(reply, path, r->arena);

    hl_buf_clear(ret, LARGEST_VIEW);
    hl_buf_add(ret, found.data ? found.data : "", found.len);
    return hl_buf_check(ret, "a reply", err);
}

static enum hl_code ask_events(struct rolling *r, double since, struct hl_err *err)
{
    struct hl_span reply = {NULL, 0};
    char behind[64];
    enum hl_code code;

    (void)snprintf(behind, sizeof behind, "/rollout/events?since=%.0f&limit=%d",
                   since > 0 ? since : 0, (int)MOST_EVENTS);
    code = hl_remote_peek(&r->remote, behind, &reply, err);
    if (code == HL_OK)
        code = keep_reply(r, &reply, "result.events", &r->events, err);
    if (code == HL_OK)
        r->last_event = hl_cli_number(&reply, "result.last", r->arena);
    return code;
}

/* The last few: which those are is known from the reply before, and else asked first. */
static enum hl_code look_at_events(struct rolling *r, struct hl_err *err)
{
    const double known = r->last_event;
    enum hl_code code = ask_events(r, known - SHOWN_EVENTS, err);

    if (code == HL_OK && r->last_event > known - SHOWN_EVENTS + MOST_EVENTS)
        code = ask_events(r, r->last_event - SHOWN_EVENTS, err);
    return code;
}

static enum hl_code look(struct rolling *r, bool is_patient, struct hl_err *err)
{
    struct hl_span reply = {NULL, 0};
    enum hl_code code =
        is_patient ? hl_remote_ask(&r->remote, "GET", "/rollout", NULL, &reply, err)
                   : hl_remote_peek(&r->remote, "/rollout", &reply, err);

    hl_arena_reset(r->arena);
    if (code == HL_OK)
        code = keep_reply(r, &reply, "result", &r->rollout, err);
    if (code == HL_OK)
        code = look_at_events(r, err);
    return code;
}

static struct hl_rollout_view view_of(const struct rolling *r)
{
    return (struct hl_rollout_view){.collection = r->words->values[COLLECTION],
                                    .rollout = {r->rollout.data, r->rollout.len},
                                    .events = {r->events.data, r->events.len},
                                    .arena = r->arena};
}

/* ---- steps ---- */

struct action {
    const char *name, *method, *behind;
    struct hl_cli_member members[8];
    size_t n_members;
};

static const struct action actions[] = {
    {"start",
     "PUT",
     "/rollout",
     {{"from", FROM, true},
      {"to", TO, true},
      {"probes", PROBES, true},
      {"gate", GATE, false},
      {"guard", GUARD, false},
      {"sample", SAMPLE, false},
      {"ttl_s", TTL, false},
      {"expect", EXPECT, false}},
     8},
    {"advance",
     "POST",
     "/rollout/advance",
     {{"percent", PERCENT, false},
      {"force", FORCE, false},
      {"expect", EXPECT, false},
      {"why", WHY, true}},
     4},
    {"promote",
     "POST",
     "/rollout/promote",
     {{"force", FORCE, false}, {"expect", EXPECT, false}, {"why", WHY, true}},
     3},
    {"rollback",
     "POST",
     "/rollout/rollback",
     {{"expect", EXPECT, false}, {"why", WHY, true}},
     2},
    {"abort", "POST", "/rollout/abort", {{"expect", EXPECT, false}, {"why", WHY, true}}, 2},
    {"end", "DELETE", "/rollout", {{"expect", EXPECT, false}, {"why", WHY, true}}, 2},
};
enum { N_ACTIONS = sizeof actions / sizeof actions[0] };

/* What an action would pass over is a mistake. */
static enum hl_code check_flags(const struct hl_tool_words *words, const char *name,
                                const struct hl_cli_member *members, size_t n,
                                struct hl_err *err)
{
    for (size_t flag = FROM; flag < EVERY; flag++) {
        size_t i = 0;

        while (i < n && members[i].flag != flag)
            i++;
        if (words->values[flag] && i == n)
            return hl_fail(err, HL_INVALID, "\"%s\" does not go with \"%s\"",
                           flags[flag].name, name);
    }
    return HL_OK;
}

static enum hl_code show(struct rolling *r, struct hl_err *err)
{
    struct hl_rollout_view view;
    struct hl_buf buf;
    enum hl_code code = look(r, true, err);

    if (code != HL_OK)
        return code;
    view = view_of(r);
    hl_buf_init(&buf, LARGEST_VIEW);
    hl_view_print(&view, &buf);
    fputs(buf.data, stdout);
    hl_buf_done(&buf);
    return HL_OK;
}

static enum hl_code take_step(struct rolling *r, const struct action *action,
                              struct hl_err *err)
{
    struct hl_tool_words words = *r->words;
    struct hl_span reply = {NULL, 0};
    struct hl_buf body;
    enum hl_code code =
        check_flags(r->words, action->name, action->members, action->n_members, err);

    if (code != HL_OK)
        return code;
    if (!words.values[FROM])
        words.values[FROM] = "@default";
    hl_buf_init(&body, BODY_SIZE);
    hl_buf_add_char(&body, '{');
    hl_cli_print_members(&words, action->members, action->n_members, &body);
    hl_buf_add_char(&body, '}');
    code = hl_buf_check(&body, "the request", err);
    if (code == HL_OK)
        code =
            hl_remote_ask(&r->remote, action->method, action->behind, &body, &reply, err);
    hl_buf_done(&body);
    return code == HL_OK ? show(r, err) : code;
}

/* ---- watching ---- */

struct watching {
    struct rolling *rolling;
    int signals; /* SIGINT, SIGTERM and SIGWINCH */
    bool is_terminal;
    uint64_t every_s;
    struct hl_buf now, shown, screen;
};

/* Whether it goes on. What comes from the keyboard ends it at once, another size of the
 * terminal only shows it again. */
static bool rest(const struct watching *w)
{
    struct pollfd wanted = {.fd = w->signals, .events = POLLIN};
    struct signalfd_siginfo got;

    if (poll(&wanted, 1, (int)w->every_s * 1000) <= 0)
        return true;
    return read(w->signals, &got, sizeof got) == (ssize_t)sizeof got &&
           got.ssi_signo == SIGWINCH;
}

static void draw(struct watching *w)
{
    struct winsize size = {.ws_row = 24, .ws_col = 80};

    (void)ioctl(STDOUT_FILENO, TIOCGWINSZ, &size);
    hl_buf_clear(&w->screen, LARGEST_VIEW);
    hl_view_place(&w->now, size.ws_row ? size.ws_row : 24, size.ws_col ? size.ws_col : 80,
                  &w->screen);
    fputs(w->screen.data, stdout);
    fflush(stdout);
}

/* A server that is away for a while is no end of it. */
static void look_once(struct watching *w)
{
    struct hl_rollout_view view;
    struct hl_err err;

    hl_buf_clear(&w->now, LARGEST_VIEW);
    if (look(w->rolling, false, &err) != HL_OK) {
        hl_buf_print(&w->now, "%s%s", err.msg, w->is_terminal ? "\n" : "");
        return;
    }
    view = view_of(w->rolling);
    if (w->is_terminal)
        hl_view_print(&view, &w->now);
    else
        hl_view_print_line(&view, &w->now);
}

static void show_once(struct watching *w)
{
    look_once(w);
    if (w->is_terminal) {
        draw(w);
    } else if (strcmp(w->now.data, w->shown.data) != 0) {
        puts(w->now.data);
        fflush(stdout);
    }
    hl_buf_clear(&w->shown, LARGEST_VIEW);
    hl_buf_add(&w->shown, w->now.data, w->now.len);
}

static enum hl_code open_signals(int *ret_fd, struct hl_err *err)
{
    sigset_t wanted;

    sigemptyset(&wanted);
    sigaddset(&wanted, SIGINT);
    sigaddset(&wanted, SIGTERM);
    sigaddset(&wanted, SIGWINCH);
    (void)pthread_sigmask(SIG_BLOCK, &wanted, NULL); /* there is one thread */
    *ret_fd = signalfd(-1, &wanted, SFD_CLOEXEC);
    return *ret_fd >= 0 ? HL_OK : hl_fail(err, HL_IO, "could not listen to the keyboard");
}

static enum hl_code watch(struct rolling *r, struct hl_err *err)
{
    static const struct hl_cli_member every = {"", EVERY, false};
    struct watching w = {.rolling = r, .is_terminal = isatty(STDOUT_FILENO) == 1};
    enum hl_code code = check_flags(r->words, "watch", &every, 1, err);

    if (code == HL_OK)
        code = hl_tool_number(&hl_cli_rollout, r->words, EVERY, 1, &w.every_s, err);
    if (code == HL_OK && (w.every_s == 0 || w.every_s > 3600))
        code = hl_fail(err, HL_INVALID, "\"--every\" wants 1 to 3600 seconds");
    if (code == HL_OK)
        code = look(r, true, err); /* what cannot be watched is said, and ends it */
    if (code == HL_OK)
        code = open_signals(&w.signals, err);
    if (code != HL_OK)
        return code;
    hl_buf_init(&w.now, LARGEST_VIEW);
    hl_buf_init(&w.shown, LARGEST_VIEW);
    hl_buf_init(&w.screen, LARGEST_VIEW);
    if (w.is_terminal)
        fputs("\033[2J\033[?25l", stdout); /* empty, without a cursor */
    do
        show_once(&w);
    while (rest(&w));
    if (w.is_terminal)
        fputs("\033[?25h", stdout);
    fflush(stdout);
    (void)close(w.signals);
    hl_buf_done(&w.now);
    hl_buf_done(&w.shown);
    hl_buf_done(&w.screen);
    return HL_OK;
}

/* ---- the tool ---- */

static enum hl_code act(struct rolling *r, struct hl_err *err)
{
    const char *name = r->words->files[0];
    enum hl_code code;

    if (strcmp(name, "watch") == 0)
        return watch(r, err);
    if (strcmp(name, "status") == 0) {
        code = check_flags(r->words, name, NULL, 0, err);
        return code == HL_OK ? show(r, err) : code;
    }
    for (size_t i = 0; i < N_ACTIONS; i++)
        if (strcmp(name, actions[i].name) == 0)
            return take_step(r, &actions[i], err);
    return hl_fail(err, HL_INVALID,
                   "rollout does not know \"%.64s\": status, start, advance, promote, "
                   "rollback, abort, end and watch",
                   name);
}

static enum hl_code run_rollout(const struct hl_tool_words *words, struct hl_err *err)
{
    struct rolling r = {.words = words, .arena = hl_arena_new(REPLY_MEMORY)};
    enum hl_code code;

    if (!r.arena)
        return hl_fail(err, HL_NO_MEMORY, "no memory for a rollout");
    hl_buf_init(&r.rollout, LARGEST_VIEW);
    hl_buf_init(&r.events, LARGEST_VIEW);
    code = hl_remote_init(&r.remote, words->values[URL], words->values[API_KEY],
                          words->values[COLLECTION], err);
    if (code == HL_OK)
        code = act(&r, err);
    hl_remote_done(&r.remote);
    hl_buf_done(&r.rollout);
    hl_buf_done(&r.events);
    hl_arena_free(r.arena);
    return code;
}

const struct hl_tool hl_cli_rollout = {
    .name = "rollout",
    .summary = "move callers to another model, and watch it",
    .usage = "ACTION --collection NAME [FLAG …]",
    .text =
        "ACTION is status, start, advance, promote, rollback, abort, end or watch. Each "
        "step\n"
        "shows what it led to. watch shows it until ctrl-C: on a terminal it is drawn "
        "again\n"
        "in place, elsewhere there is a line for each change.\n"
        "\n"
        "examples:\n"
        "    heirloom rollout start --collection photos --from @default --to v2\n"
        "    heirloom rollout advance --collection photos --percent 5\n"
        "    heirloom rollout promote --collection photos --why \"a quiet week\"\n"
        "    heirloom rollout rollback --collection photos\n"
        "    heirloom rollout watch --collection photos\n",
    .flags = flags,
    .n_flags = N_FLAGS,
    .min_files = 1,
    .max_files = 1,
    .has_signals = true,
    .file = "an action",
    .run = run_rollout};
