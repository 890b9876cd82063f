/* SPDX-License-Identifier: Apache-2.0 */
#include "server/cli_demo.h"

#include "server/cli_send.h"

#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { BATCH = 500, BODY_SIZE = 64 << 10, REPLY_ROOM = 1 << 20 };

enum flag { URL, API_KEY, COLLECTION, DATA, RESTART, N_FLAGS };

static const struct hl_tool_flag flags[N_FLAGS] = {
    [URL] = {"--url", "URL", "where the server is (" HL_REMOTE_URL ")", false},
    [API_KEY] = {"--api-key", "KEY",
                 "a key that may write; else the variable HEIRLOOM_API_KEY is asked",
                 false},
    [COLLECTION] = {"--collection", "NAME", "another name for it (demo)", false},
    [DATA] = {"--data", "DIR",
              "the folder of its files; else the variable HEIRLOOM_DEMO, else the one "
              "that came with the program",
              false},
    [RESTART] = {"--restart", NULL,
                 "deletes the collection first, with all that was done to it", false},
};

/* From the program's folder: where it is installed, and where it was built. */
static const char *const beside[] = {"../share/heirloom/demo", "../../../deploy/demo"};

/* In the collection's metadata, so that what was loaded once is not touched again. */
#define MARK           "heirloom_demo"
#define MEMBERS(state) "\"metadata\":{\"" MARK "\":\"" state "\"}"

struct demo {
    const struct hl_tool_words *words;
    const char *url, *name;
    char gallery[PATH_MAX], payloads[PATH_MAX];
    struct hl_remote remote;
    struct hl_feed *feed;
};

/* ---- its files ---- */

static bool set_folder(struct demo *demo, const char *folder)
{
    int a = snprintf(demo->gallery, PATH_MAX, "%s/gallery.npy", folder);
    int b = snprintf(demo->payloads, PATH_MAX, "%s/gallery.ndjson", folder);

    return a > 0 && a < PATH_MAX && b > 0 && b < PATH_MAX;
}

static enum hl_code find_beside(struct demo *demo, struct hl_err *err)
{
    char program[PATH_MAX], folder[PATH_MAX];
    ssize_t len = readlink("/proc/self/exe", program, sizeof program - 1);
    char *name;

    program[len > 0 ? len : 0] = '\0';
    name = strrchr(program, '/');
    if (name)
        *name = '\0';
    for (size_t i = 0; name && i < sizeof beside / sizeof beside[0]; i++) {
        int n = snprintf(folder, sizeof folder, "%s/%s", program, beside[i]);

        if (n > 0 && (size_t)n < sizeof folder && set_folder(demo, folder) &&
            access(demo->gallery, R_OK) == 0)
            return HL_OK;
    }
    return hl_fail(err, HL_NOT_FOUND,
                   "the demo's files are not beside the program in \"%.512s\": name their "
                   "folder by --data or HEIRLOOM_DEMO (it is deploy/demo of the sources)",
                   program);
}

static enum hl_code open_files(struct demo *demo, struct hl_err *err)
{
    const struct hl_feed_options options = {
        .path = demo->gallery, .vector = "", .payloads = demo->payloads};
    const char *folder = demo->words->values[DATA];
    enum hl_code code = HL_OK;

    if (!folder)
        folder = getenv("HEIRLOOM_DEMO"); /* NOLINT(concurrency-mt-unsafe) */
    if (!folder || !*folder)
        code = find_beside(demo, err);
    else if (!set_folder(demo, folder))
        code = hl_fail(err, HL_INVALID, "the path \"%.64s…\" is too long", folder);
    return code == HL_OK ? hl_feed_open(&options, &demo->feed, err) : code;
}

/* ---- the collection ---- */

static enum hl_code tell(struct demo *demo, const char *method, const char *behind,
                         const char *text, struct hl_err *err)
{
    struct hl_span reply;
    struct hl_buf body;
    enum hl_code code;

    hl_buf_init(&body, BODY_SIZE);
    hl_buf_add_text(&body, text);
    code = hl_buf_check(&body, "the request", err);
    if (code == HL_OK)
        code = hl_remote_ask(&demo->remote, method, behind, &body, &reply, err);
    hl_buf_done(&body);
    return code;
}

static bool is_text(const struct hl_span *json, const char *text)
{
    return json->data && json->len == strlen(text) + 2 &&
           memcmp(json->data + 1, text, json->len - 2) == 0;
}

/* What was begun goes on, what is whole stays as it is, and what is somebody else's is not
 * touched. */
static enum hl_code read_mark(struct demo *demo, bool *ret_is_loaded, struct hl_err *err)
{
    static const char *const path[] = {"result", "config", "metadata", MARK};
    struct hl_arena *arena = hl_arena_new(REPLY_ROOM);
    struct hl_span reply, mark = {0};
    enum hl_code code =
        arena ? hl_remote_ask(&demo->remote, "GET", "", NULL, &reply, err)
              : hl_fail(err, HL_NO_MEMORY, "no memory to read the collection's metadata");

    if (code == HL_OK)
        code = hl_reply_find(&reply, path, sizeof path / sizeof path[0], arena, &mark, err);
    if (code == HL_OK && !is_text(&mark, "loading") && !is_text(&mark, "loaded"))
        code = hl_fail(err, HL_CONFLICT,
                       "collection \"%s\" is there and is not the demo's: --collection "
                       "loads it under another name",
                       demo->name);
    if (code == HL_OK)
        *ret_is_loaded = is_text(&mark, "loaded");
    hl_arena_free(arena);
    return code;
}

static enum hl_code load(struct demo *demo, struct hl_err *err)
{
    struct hl_send send = {
        .remote = &demo->remote, .feed = demo->feed, .what = demo->name, .batch = BATCH};
    bool exists = false, is_loaded = false;
    enum hl_code code = hl_remote_exists(&demo->remote, &exists, err);

    if (code == HL_OK && exists)
        code = read_mark(demo, &is_loaded, err);
    if (code == HL_OK && exists && demo->words->values[RESTART]) {
        code = tell(demo, "DELETE", "", "", err);
        exists = is_loaded = false;
    }
    if (code == HL_OK && !exists)
        code = hl_send_create(&send, "Cosine", MEMBERS("loading"), err);
    if (code != HL_OK || is_loaded)
        return code;
    code = tell(demo, "PUT", "/index?wait=true",
                "{\"field_name\":\"label\",\"field_schema\":\"keyword\"}", err);
    if (code == HL_OK)
        code = hl_send_points(&send, err);
    return code == HL_OK ? tell(demo, "PATCH", "", "{" MEMBERS("loaded") "}", err) : code;
}

/* ---- what to do with it ---- */

static enum hl_code say_what_next(struct demo *demo, struct hl_err *err)
{
    uint64_t n = 0;
    enum hl_code code = hl_remote_count(&demo->remote, NULL, &n, err);

    if (code != HL_OK)
        return code;
    printf(
        "%" PRIu64 " photographs of clothes are in %s/collections/%s, as the old model "
        "sees them.\n"
        "    what looks like the one numbered 17:\n"
        "        curl -X POST %s/collections/%s/points/query -d "
        "'{\"query\":17,\"limit\":5,\"with_payload\":true}'\n"
        "    the move to the new model, and back: README.md, \"A new model, and back\"\n",
        n, demo->url, demo->name, demo->url, demo->name);
    return HL_OK;
}

static enum hl_code run_demo(const struct hl_tool_words *words, struct hl_err *err)
{
    struct demo demo = {.words = words,
                        .url = words->values[URL] ? words->values[URL] : HL_REMOTE_URL,
                        .name =
                            words->values[COLLECTION] ? words->values[COLLECTION] : "demo"};
    enum hl_code code = hl_remote_init(&demo.remote, words->values[URL],
                                       words->values[API_KEY], demo.name, err);

    if (code == HL_OK)
        code = open_files(&demo, err);
    if (code == HL_OK)
        code = load(&demo, err);
    if (code == HL_OK)
        code = say_what_next(&demo, err);
    hl_feed_close(demo.feed);
    hl_remote_done(&demo.remote);
    return code;
}

const struct hl_tool hl_cli_demo = {
    .name = "demo",
    .summary = "a gallery of photographs to try it on",
    .usage = "[FLAG …]",
    .text =
        "Loads 10,000 photographs of clothes, as an old model sees them, into a running\n"
        "server: the collection \"demo\", whose vectors have no name. What an "
        "interrupted\n"
        "run began, the next one goes on with; what is loaded is left as it is. Beside "
        "the\n"
        "gallery lie a newer model's vectors, pairs to learn a bridge from, the old "
        "model's\n"
        "head, queries and probes: README.md of the folder says which.\n"
        "\n"
        "examples:\n"
        "    heirloom demo\n"
        "    heirloom demo --url http://127.0.0.1:7000 --collection clothes\n"
        "    heirloom demo --restart\n",
    .flags = flags,
    .n_flags = N_FLAGS,
    .run = run_demo};
