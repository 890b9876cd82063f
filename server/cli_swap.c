/* SPDX-License-Identifier: Apache-2.0 */
#include "server/cli_swap.h"

#include "proto/encode.h"
#include "server/cli_json.h"
#include "server/cli_progress.h"
#include "server/cli_remote.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

enum { BODY_SIZE = 64 << 10, REPLY_MEMORY = 8 << 20, POLL_NS = 200000000 };

enum flag {
    COLLECTION,
    FROM,
    TO,
    SIZE,
    DISTANCE,
    DATASET,
    PAIRS,
    ITEMS,
    LABEL,
    LIMIT,
    CHOOSE,
    REPORT,
    KIND,
    TASK,
    SEED,
    STRATEGY,
    FIDELITY,
    PROBES,
    GATES,
    GUARD,
    SAMPLE,
    TTL,
    STOP_AT,
    DRY_RUN,
    ANEW,
    URL,
    API_KEY,
    N_FLAGS
};

static const struct hl_tool_flag flags[N_FLAGS] = {
    [COLLECTION] = {"--collection", "NAME", "whose models they are", true},
    [FROM] = {"--from", "MODEL", "the one that serves now (@default: the unnamed vector)",
              false},
    [TO] = {"--to", "MODEL", "the new one", true},
    [SIZE] = {"--size", "N", "makes the new one, with vectors of so many numbers", false},
    [DISTANCE] = {"--distance", "WORD", "of the vector that is made (Cosine)", false},
    [DATASET] = {"--dataset", "NAME", "what the bridge is learnt from: an uploaded dataset",
                 false},
    [PAIRS] = {"--pairs", NULL, "or points that carry both vectors", false},
    [ITEMS] = {"--items", NULL, "or labelled points of either model", false},
    [LABEL] = {"--label", "PATH", "where points have their label: payload.KEY", false},
    [LIMIT] = {"--limit", "N", "of the points so many, chosen by the seed", false},
    [CHOOSE] = {"--choose", "NAME", "a dataset to choose by; else a tenth of the data",
                false},
    [REPORT] = {"--report", "NAME", "a dataset to report on; else a tenth of the data",
                false},
    [KIND] = {"--kind", "KIND", "of the bridge (auto)", false},
    [TASK] = {"--task", "WORD", "similar or same", false},
    [SEED] = {"--seed", "N", "(1)", false},
    [STRATEGY] = {"--strategy", "WORD", "auto, backward, dual or forward", false},
    [FIDELITY] = {"--fidelity", "X", "0 to 1, else the bridge's own", false},
    [PROBES] = {"--probes", "SET", "queries that the new model must not lose", false},
    [GATES] = {"--gates", "JSON", "{\"min_gain\":0.3,\"max_negative_flips\":0.08,…}",
               false},
    [GUARD] = {"--guard", "JSON", "{\"excess_flips\":0.01,…}, of the rollout", false},
    [SAMPLE] = {"--sample", "X", "of the searches the share that is compared: 0 to 1",
                false},
    [TTL] = {"--ttl", "SECONDS", "how long callers may keep a route", false},
    [STOP_AT] = {"--stop-at", "STEP", "snapshot, fit, gate, activate or shadow (shadow)",
                 false},
    [DRY_RUN] = {"--dry-run", NULL, "says what it would do and what is missing", false},
    [ANEW] = {"--anew", NULL, "begins at the beginning, whatever is done already", false},
    [URL] = {"--url", "URL", "where the server is (" HL_REMOTE_URL ")", false},
    [API_KEY] = {"--api-key", "KEY",
                 "a key that may write; else the variable HEIRLOOM_API_KEY is asked",
                 false},
};

struct swap {
    const struct hl_tool_words *words;
    struct hl_remote remote;
    struct hl_buf body;
    struct hl_arena *arena; /* of the last reply */
    struct hl_span result;  /* of the last reply */
};

/* ---- the body ---- */

static void print_data(const struct swap *swap, struct hl_buf *buf)
{
    static const struct hl_cli_member members[] = {
        {"dataset", DATASET, true}, {"label", LABEL, true}, {"limit", LIMIT, false}};

    hl_buf_add_text(buf, ",\"data\":{");
    hl_cli_print_members(swap->words, members, sizeof members / sizeof members[0], buf);
    if (swap->words->values[PAIRS])
        hl_buf_print(buf, "%s\"pairs\":\"points\"",
                     buf->data[buf->len - 1] == '{' ? "" : ",");
    if (swap->words->values[ITEMS])
        hl_buf_print(buf, "%s\"items\":\"points\"",
                     buf->data[buf->len - 1] == '{' ? "" : ",");
    hl_buf_add_char(buf, '}');
}

static void print_dataset(const struct swap *swap, enum flag flag, const char *name,
                          struct hl_buf *buf)
{
    if (!swap->words->values[flag])
        return;
    hl_buf_print(buf, ",\"%s\":{\"dataset\":", name);
    hl_encode_string(buf, swap->words->values[flag]);
    hl_buf_add_char(buf, '}');
}

static void print_model(const struct swap *swap, struct hl_buf *buf)
{
    const char *const *values = swap->words->values;

    if (!values[SIZE])
        return;
    hl_buf_print(buf, ",\"to_model\":{\"size\":%s,\"distance\":", values[SIZE]);
    hl_encode_string(buf, values[DISTANCE] ? values[DISTANCE] : "Cosine");
    hl_buf_add_char(buf, '}');
}

static enum hl_code print_body(struct swap *swap, struct hl_err *err)
{
    static const struct hl_cli_member members[] = {
        {"kind", KIND, true},          {"task", TASK, true},
        {"seed", SEED, false},         {"strategy", STRATEGY, true},
        {"fidelity", FIDELITY, false}, {"probes", PROBES, true},
        {"gates", GATES, false},       {"guard", GUARD, false},
        {"sample", SAMPLE, false},     {"ttl_s", TTL, false},
        {"stop_at", STOP_AT, true},    {"dry_run", DRY_RUN, false},
        {"anew", ANEW, false}};
    const char *const *values = swap->words->values;
    struct hl_buf *buf = &swap->body;

    if (!values[DATASET] && !values[PAIRS] && !values[ITEMS])
        return hl_fail(err, HL_INVALID,
                       "swap wants \"--dataset NAME\", \"--pairs\" or \"--items\": what "
                       "the bridge is learnt from");
    hl_buf_add_text(buf, "{\"from\":");
    hl_encode_string(buf, values[FROM] ? values[FROM] : "@default");
    hl_buf_add_text(buf, ",\"to\":");
    hl_encode_string(buf, values[TO]);
    print_model(swap, buf);
    print_data(swap, buf);
    print_dataset(swap, CHOOSE, "choose", buf);
    print_dataset(swap, REPORT, "report", buf);
    hl_cli_print_members(swap->words, members, sizeof members / sizeof members[0], buf);
    hl_buf_add_char(buf, '}');
    return hl_buf_check(buf, "the request", err);
}

/* ---- asking ---- */

static enum hl_code ask(struct swap *swap, const char *method, const struct hl_buf *body,
                        struct hl_err *err)
{
    struct hl_span reply = {NULL, 0};
    enum hl_code code = hl_remote_ask(&swap->remote, method, "/swap", body, &reply, err);

    if (code != HL_OK)
        return code;
    hl_arena_reset(swap->arena);
    swap->result = hl_cli_find(&reply, "result", swap->arena);
    return HL_OK;
}

static const char *text_of(const struct swap *swap, const struct hl_span *json,
                           const char *path)
{
    const char *text = hl_cli_text(json, path, swap->arena);

    return text ? text : "";
}

static void show_call(const struct swap *swap, const struct hl_span *json,
                      const char *before)
{
    const struct hl_span next = hl_cli_find(json, "next", swap->arena);
    const struct hl_span body = hl_cli_find(&next, "body", swap->arena);
    const char *why = text_of(swap, &next, "why");

    if (text_of(swap, &next, "method")[0] == '\0')
        return;
    printf("%s%s %s%s%.*s\n", before, text_of(swap, &next, "method"),
           text_of(swap, &next, "path"), body.len > 0 ? " " : "", (int)body.len,
           body.len > 0 ? body.data : "");
    if (why[0])
        printf("%*s(%s)\n", (int)strlen(before), "", why);
}

static void show_steps(const struct swap *swap)
{
    const struct hl_span steps = hl_cli_find(&swap->result, "steps", swap->arena);
    struct hl_span step;
    size_t at = 0;

    while (hl_cli_next(&steps, &at, swap->arena, &step)) {
        const double revision = hl_cli_number(&step, "revision", swap->arena);
        const char *does = text_of(swap, &step, "does");

        printf("%-9s %s", text_of(swap, &step, "step"), text_of(swap, &step, "state"));
        if (does[0])
            printf(": %s", does);
        if (text_of(swap, &step, "snapshot")[0])
            printf(" (%s)", text_of(swap, &step, "snapshot"));
        if (!isnan(revision))
            printf(" (revision %.0f)", revision);
        putchar('\n');
    }
}

static void show_end(const struct swap *swap)
{
    const struct hl_span *result = &swap->result;
    const struct hl_span blocks = hl_cli_find(result, "blocks", swap->arena);
    struct hl_span block;
    size_t at = 0;

    show_steps(swap);
    if (hl_cli_find(result, "coverage.points", swap->arena).len > 0)
        printf("%-9s %.0f of %.0f points have a vector of %s, its queries reach %.0f\n",
               "coverage", hl_cli_number(result, "coverage.own", swap->arena),
               hl_cli_number(result, "coverage.points", swap->arena),
               text_of(swap, result, "to"),
               hl_cli_number(result, "coverage.reached", swap->arena));
    while (hl_cli_next(&blocks, &at, swap->arena, &block)) {
        printf("%-9s %s: %s\n", "blocked", text_of(swap, &block, "step"),
               text_of(swap, &block, "error"));
        show_call(swap, &block, "          ");
    }
    show_call(swap, result, "next      ");
}

/* ---- following ---- */

static enum hl_code follow(struct swap *swap, struct hl_err *err)
{
    const struct timespec pause = {.tv_nsec = POLL_NS};
    struct hl_progress progress;
    enum hl_code code = ask(swap, "GET", NULL, err);

    hl_progress_init(&progress, "swap", 0, 0);
    while (code == HL_OK && strcmp(text_of(swap, &swap->result, "state"), "running") == 0) {
        const double share = hl_cli_number(&swap->result, "job.progress", swap->arena);

        hl_progress_share(&progress, isnan(share) ? 0 : share,
                          text_of(swap, &swap->result, "job.phase"));
        (void)nanosleep(&pause, NULL);
        code = ask(swap, "GET", NULL, err);
    }
    hl_progress_leave(&progress);
    return code;
}

/* What stopped it is the command's error. */
static enum hl_code check_end(const struct swap *swap, struct hl_err *err)
{
    const struct hl_span blocks = hl_cli_find(&swap->result, "blocks", swap->arena);
    struct hl_span block;
    size_t at = 0;

    if (strcmp(text_of(swap, &swap->result, "state"), "done") == 0)
        return HL_OK;
    if (hl_cli_next(&blocks, &at, swap->arena, &block))
        return hl_fail(err, HL_CONFLICT, "it stopped at \"%s\": %s",
                       text_of(swap, &block, "step"), text_of(swap, &block, "error"));
    return hl_fail(err, HL_CANCELLED,
                   "it was stopped before its end: the same command goes on there");
}

static enum hl_code do_swap(struct swap *swap, struct hl_err *err)
{
    enum hl_code code = print_body(swap, err);

    if (code == HL_OK)
        code = ask(swap, "POST", &swap->body, err);
    if (code != HL_OK)
        return code;
    if (!swap->words->values[DRY_RUN])
        code = follow(swap, err);
    if (code == HL_OK)
        show_end(swap);
    if (code != HL_OK || swap->words->values[DRY_RUN])
        return code;
    return check_end(swap, err);
}

static enum hl_code run_swap(const struct hl_tool_words *words, struct hl_err *err)
{
    struct swap swap = {.words = words, .arena = hl_arena_new(REPLY_MEMORY)};
    enum hl_code code;

    if (!swap.arena)
        return hl_fail(err, HL_NO_MEMORY, "no memory for a swap");
    hl_buf_init(&swap.body, BODY_SIZE);
    code = hl_remote_init(&swap.remote, words->values[URL], words->values[API_KEY],
                          words->values[COLLECTION], err);
    if (code == HL_OK)
        code = do_swap(&swap, err);
    hl_remote_done(&swap.remote);
    hl_buf_done(&swap.body);
    hl_arena_free(swap.arena);
    return code;
}

const struct hl_tool hl_cli_swap = {
    .name = "swap",
    .summary = "move a running collection to another model, step by step",
    .usage = "--collection NAME --to MODEL --dataset NAME [FLAG …]",
    .text =
        "Takes a snapshot, learns a bridge from the new model to the one that serves,\n"
        "holds its report against the gates, serves through it, and begins a rollout in\n"
        "shadow, where no caller is moved yet: heirloom rollout goes on from there. It\n"
        "stops at the first thing that is not met, says so and which call comes next, and\n"
        "ends with status 1. The same command again goes on behind what is done.\n"
        "\n"
        "examples:\n"
        "    heirloom swap --collection photos --to v2 --dataset pairs --dry-run\n"
        "    heirloom swap --collection photos --to v2 --dataset pairs --probes golden\n"
        "    heirloom swap --collection photos --from v1 --to v2 --pairs --stop-at gate\n",
    .flags = flags,
    .n_flags = N_FLAGS,
    .run = run_swap};
