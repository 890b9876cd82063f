/* SPDX-License-Identifier: Apache-2.0 */
#include "server/cli_import.h"

#include "proto/dir.h"
#include "proto/file.h"
#include "proto/number.h"
#include "server/cli_send.h"

#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

enum { STANDARD_BATCH = 500, NOTE_SIZE = 64 << 10 };

enum flag {
    COLLECTION,
    URL,
    API_KEY,
    CREATE,
    VECTOR,
    IDS,
    FIRST_ID,
    PAYLOADS,
    BATCH,
    RESTART,
    N_FLAGS
};

static const struct hl_tool_flag flags[N_FLAGS] = {
    [COLLECTION] = {"--collection", "NAME", "the collection, or an alias of it", true},
    [URL] = {"--url", "URL", "where the server is (" HL_REMOTE_URL ")", false},
    [API_KEY] = {"--api-key", "KEY",
                 "a key that may write; else the variable HEIRLOOM_API_KEY is asked",
                 false},
    [CREATE] = {"--create", "DISTANCE",
                "makes the collection when it is not there: Cosine, Dot, Euclid or "
                "Manhattan, with the sizes the file has",
                false},
    [VECTOR] = {"--vector", "NAME",
                "of .npy: the name of its vectors (else they are the unnamed one)", false},
    [IDS] =
        {"--ids", "FILE",
         "an id for each row: .npy of whole numbers, or text with an id a line, a number "
         "or a UUID between quotes",
         false},
    [FIRST_ID] = {"--first-id", "N",
                  "the id of the first row, the others count from it (0)", false},
    [PAYLOADS] = {"--payloads", "FILE", "NDJSON: one object for each row", false},
    [BATCH] = {"--batch", "N", "points in one request (500)", false},
    [RESTART] = {"--restart", NULL,
                 "begins with the first point even if an earlier run came further", false},
};

struct import {
    const struct hl_tool_words *words;
    const char *path;
    struct hl_remote remote;
    struct hl_feed *feed;
    struct hl_send send;
    char note[PATH_MAX]; /* where it is written how far this came */
};

/* ---- how far an earlier run came ---- */

/* What a note must say to be about this import: everything that decides which point goes
 * where. The number of points that are there follows it. */
static enum hl_code print_note(const struct import *import, struct hl_buf *buf,
                               struct hl_err *err)
{
    const struct hl_tool_words *words = import->words;
    struct hl_file *file = NULL;
    uint64_t size = 0;
    enum hl_code code = hl_file_open(import->path, HL_FILE_READ, &file, err);

    if (code == HL_OK)
        code = hl_file_size(file, &size, err);
    hl_file_close(file);
    if (code != HL_OK)
        return code;
    hl_buf_print(buf, "heirloom import 1\nurl %s\nbytes %" PRIu64 "\n",
                 words->values[URL] ? words->values[URL] : HL_REMOTE_URL, size);
    for (size_t i = 0; i < N_FLAGS; i++)
        if (i != URL && i != API_KEY && i != BATCH && i != RESTART && i != CREATE)
            hl_buf_print(buf, "%s %s\n", flags[i].name,
                         words->values[i] ? words->values[i] : "-");
    hl_buf_add_text(buf, "points ");
    return hl_buf_check(buf, "the note of the import", err);
}

static enum hl_code save_note(void *self, uint64_t done, struct hl_err *err)
{
    struct import *import = self;
    struct hl_replacement *replacement = NULL;
    struct hl_buf text;
    enum hl_code code;

    hl_buf_init(&text, NOTE_SIZE);
    code = print_note(import, &text, err);
    hl_buf_print(&text, "%" PRIu64 "\n", done);
    if (code == HL_OK)
        code = hl_replacement_open(import->note, &replacement, err);
    if (code == HL_OK) {
        code = hl_file_write(hl_replacement_file(replacement), text.data, text.len, err);
        if (code == HL_OK)
            code = hl_replacement_commit(replacement, err);
        else
            hl_replacement_abandon(replacement);
    }
    hl_buf_done(&text);
    return code;
}

static enum hl_code compare_note(struct import *import, const struct hl_buf *old,
                                 struct hl_err *err)
{
    struct hl_buf wanted;
    enum hl_code code;

    hl_buf_init(&wanted, NOTE_SIZE);
    code = print_note(import, &wanted, err);
    if (code == HL_OK && (old->len <= wanted.len + 1 || old->data[old->len - 1] != '\n' ||
                          memcmp(old->data, wanted.data, wanted.len) != 0 ||
                          !hl_number_u64(old->data + wanted.len, old->len - wanted.len - 1,
                                         &import->send.done)))
        code =
            hl_fail(err, HL_CONFLICT,
                    "\"%s\" is the note of another import of this file: --restart begins "
                    "anew, or remove it",
                    import->note);
    hl_buf_done(&wanted);
    return code;
}

static enum hl_code load_note(struct import *import, struct hl_err *err)
{
    struct hl_buf old;
    enum hl_code code;
    int len = snprintf(import->note, sizeof import->note, "%s.importing", import->path);

    if (len < 0 || (size_t)len >= sizeof import->note)
        return hl_fail(err, HL_INVALID, "the path \"%.64s…\" is too long", import->path);
    if (import->words->values[RESTART])
        return HL_OK;
    hl_buf_init(&old, NOTE_SIZE);
    code = hl_file_load(import->note, &old, err);
    if (code == HL_OK)
        code = compare_note(import, &old, err);
    else if (code == HL_NOT_FOUND)
        code = HL_OK;
    hl_buf_done(&old);
    if (code == HL_OK && import->send.done > 0)
        fprintf(stderr, "%" PRIu64 " points of %s are there already\n", import->send.done,
                import->path);
    return code;
}

/* ---- the collection ---- */

static enum hl_code create_if_wanted(struct import *import, struct hl_err *err)
{
    const char *distance = import->words->values[CREATE];
    bool exists = false;
    enum hl_code code;

    if (!distance)
        return HL_OK;
    code = hl_remote_exists(&import->remote, &exists, err);
    return code == HL_OK && !exists ? hl_send_create(&import->send, distance, NULL, err)
                                    : code;
}

/* ---- the points ---- */

static enum hl_code send_all(struct import *import, struct hl_err *err)
{
    enum hl_code code = hl_send_points(&import->send, err);

    if (code == HL_OK)
        return hl_file_remove(import->note, err);
    return hl_fail_in(err, "%s: behind point %" PRIu64 " (the same command goes on there)",
                      import->path, import->send.done);
}

static enum hl_code prepare(struct import *import, struct hl_err *err)
{
    const struct hl_tool_words *words = import->words;
    struct hl_feed_options options = {
        .path = import->path,
        .vector = words->values[VECTOR] ? words->values[VECTOR] : "",
        .ids = words->values[IDS],
        .payloads = words->values[PAYLOADS]};
    enum hl_code code =
        hl_tool_number(&hl_cli_import, words, FIRST_ID, 0, &options.first_id, err);

    if (code == HL_OK)
        code = hl_tool_number(&hl_cli_import, words, BATCH, STANDARD_BATCH,
                              &import->send.batch, err);
    if (code == HL_OK && import->send.batch == 0)
        return hl_fail(err, HL_INVALID, "\"--batch\" wants 1 or more");
    if (code == HL_OK)
        code = hl_remote_init(&import->remote, words->values[URL], words->values[API_KEY],
                              words->values[COLLECTION], err);
    if (code == HL_OK)
        code = hl_feed_open(&options, &import->feed, err);
    import->send.feed = import->feed;
    if (code == HL_OK)
        code = load_note(import, err);
    return code == HL_OK ? create_if_wanted(import, err) : code;
}

static enum hl_code run_import(const struct hl_tool_words *words, struct hl_err *err)
{
    struct import import = {.words = words, .path = words->files[0]};
    enum hl_code code;

    import.send = (struct hl_send){
        .remote = &import.remote, .what = import.path, .note = save_note, .self = &import};
    code = prepare(&import, err);
    if (code == HL_OK)
        code = send_all(&import, err);
    hl_feed_close(import.feed);
    hl_remote_done(&import.remote);
    return code;
}

const struct hl_tool hl_cli_import = {
    .name = "import",
    .summary = "points from a file into a running server",
    .usage = "--collection NAME [FLAG …] FILE",
    .text =
        "FILE is .npy (one vector a row), .safetensors (one tensor of rows for each named\n"
        "vector, \"@default\" for the unnamed one, and whole numbers called \"ids\" if "
        "there\n"
        "are any), or NDJSON: one point a line, {\"id\":…,\"vector\":…,\"payload\":…}.\n"
        "\n"
        "Every request is on disk when the next one goes out, and FILE.importing says how\n"
        "far it came: the same command goes on there. It is removed at the end.\n"
        "\n"
        "examples:\n"
        "    heirloom import photos.npy --collection photos --create Cosine\n"
        "    heirloom import v2.npy --collection photos --vector v2 --ids ids.npy\n"
        "    heirloom import photos.ndjson --collection photos --url "
        "http://127.0.0.1:6333\n",
    .flags = flags,
    .n_flags = N_FLAGS,
    .min_files = 1,
    .max_files = 1,
    .run = run_import};
