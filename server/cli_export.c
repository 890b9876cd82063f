/* SPDX-License-Identifier: Apache-2.0 */
#include "server/cli_export.h"

#include "proto/dir.h"
#include "proto/encode.h"
#include "proto/file.h"
#include "server/cli_progress.h"
#include "server/cli_remote.h"
#include "server/harvest.h"
#include "server/show.h"

#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

enum { STANDARD_PAGE = 1000, BODY_SIZE = 1 << 20, LARGEST_PAGE = 512 << 20 };

enum flag { COLLECTION, URL, API_KEY, VECTOR, FILTER, PAGE, RESTART, N_FLAGS };

static const struct hl_tool_flag flags[N_FLAGS] = {
    [COLLECTION] = {"--collection", "NAME", "the collection, or an alias of it", true},
    [URL] = {"--url", "URL", "where the server is (" HL_REMOTE_URL ")", false},
    [API_KEY] = {"--api-key", "KEY",
                 "a key that may read; else the variable HEIRLOOM_API_KEY is asked", false},
    [VECTOR] = {"--vector", "NAME",
                "of .npy and .safetensors: which vectors (else the unnamed ones)", false},
    [FILTER] = {"--filter", "JSON", "only the points that this filter means", false},
    [PAGE] = {"--page", "N", "points in one request (1000)", false},
    [RESTART] = {"--restart", NULL,
                 "begins with the first point even if an earlier run came further", false},
};

struct export
{
    const struct hl_tool_words *words;
    const char *path;
    const char *vector;  /* NULL: whole points */
    char part[PATH_MAX]; /* the points so far, an earlier run's among them */
    char note[PATH_MAX]; /* what they are points of */
    struct hl_remote remote;
    struct hl_file *file;
    struct hl_progress progress;
    struct hl_buf body, lines;
    uint64_t page;
    uint64_t done;
    struct hl_id last;
};

static bool has_end(const char *path, const char *end)
{
    size_t len = strlen(path), end_len = strlen(end);

    return len >= end_len && strcmp(path + len - end_len, end) == 0;
}

/* ---- an earlier run ---- */

static void print_note(const struct export *export, struct hl_buf *buf)
{
    const struct hl_tool_words *words = export->words;

    hl_buf_add_text(buf, "heirloom export 1\n");
    for (size_t i = 0; i < N_FLAGS; i++)
        if (i != API_KEY && i != PAGE && i != RESTART)
            hl_buf_print(buf, "%s %s\n", flags[i].name,
                         words->values[i] ? words->values[i] : "-");
}

static enum hl_code save_note(const struct export *export, const struct hl_buf *text,
                              struct hl_err *err)
{
    struct hl_replacement *replacement = NULL;
    enum hl_code code = hl_replacement_open(export->note, &replacement, err);

    if (code == HL_OK)
        code = hl_file_write(hl_replacement_file(replacement), text->data, text->len, err);
    if (code == HL_OK)
        return hl_replacement_commit(replacement, err);
    hl_replacement_abandon(replacement);
    return code;
}

static enum hl_code forget_earlier(const struct export *export, struct hl_err *err)
{
    enum hl_code code = hl_file_remove(export->part, err);

    return code == HL_OK ? hl_file_remove(export->note, err) : code;
}

/* What an earlier run of the same command left is gone on with. */
static enum hl_code take_up(struct export *export, struct hl_err *err)
{
    struct hl_buf old, wanted;
    enum hl_code code;

    hl_buf_init(&old, BODY_SIZE);
    hl_buf_init(&wanted, BODY_SIZE);
    print_note(export, &wanted);
    code = hl_buf_check(&wanted, "the note of the export", err);
    if (code == HL_OK && export->words->values[RESTART])
        code = forget_earlier(export, err);
    if (code == HL_OK)
        code = hl_file_load(export->note, &old, err);
    if (code == HL_OK &&
        (old.len != wanted.len || memcmp(old.data, wanted.data, old.len) != 0))
        code =
            hl_fail(err, HL_CONFLICT,
                    "\"%s\" is the note of another export to this file: --restart begins "
                    "anew, or remove it",
                    export->note);
    else if (code == HL_OK)
        code = hl_harvest_salvage(export->part, &export->done, &export->last, err);
    else if (code == HL_NOT_FOUND && (code = hl_file_remove(export->part, err)) == HL_OK)
        code = save_note(export, &wanted, err);
    hl_buf_done(&old);
    hl_buf_done(&wanted);
    if (code == HL_OK && export->done > 0)
        fprintf(stderr, "%" PRIu64 " points of %s are there already\n", export->done,
                export->words->values[COLLECTION]);
    return code;
}

/* ---- pages ---- */

/* The points that are wanted: those with the vector, and of the filter. */
static void print_filter(const struct export *export, struct hl_buf *buf)
{
    const char *filter = export->words->values[FILTER];

    if (export->vector) {
        hl_buf_add_text(buf, "{\"must\":[{\"has_vector\":");
        hl_encode_string(buf, export->vector);
        hl_buf_print(buf, "}%s%s]}", filter ? "," : "", filter ? filter : "");
    } else {
        hl_buf_add_text(buf, filter);
    }
}

static enum hl_code print_page_request(struct export *export, const struct hl_id *from,
                                       struct hl_err *err)
{
    struct hl_buf *body = &export->body;

    hl_buf_clear(body, BODY_SIZE);
    hl_buf_print(body, "{\"limit\":%" PRIu64 ",\"with_payload\":%s,\"with_vector\":",
                 export->page, export->vector ? "false" : "true");
    if (export->vector) {
        hl_buf_add_char(body, '[');
        hl_encode_string(body, export->vector);
        hl_buf_add_char(body, ']');
    } else {
        hl_buf_add_text(body, "true");
    }
    if (from) {
        hl_buf_add_text(body, ",\"offset\":");
        hl_show_id(body, from);
    }
    if (export->vector || export->words->values[FILTER]) {
        hl_buf_add_text(body, ",\"filter\":");
        print_filter(export, body);
    }
    hl_buf_add_char(body, '}');
    return hl_buf_check(body, "the request", err);
}

static enum hl_code count_all(struct export *export, uint64_t *ret_total,
                              struct hl_err *err)
{
    struct hl_buf filter;
    enum hl_code code;
    bool has_filter = export->vector || export->words->values[FILTER];

    hl_buf_init(&filter, BODY_SIZE);
    if (has_filter)
        print_filter(export, &filter);
    code = hl_buf_check(&filter, "the filter", err);
    if (code == HL_OK)
        code = hl_remote_count(&export->remote, has_filter ? filter.data : NULL, ret_total,
                               err);
    hl_buf_done(&filter);
    return code;
}

/* A point that an earlier run ended with is where the next page begins. */
static enum hl_code fetch_all(struct export *export, struct hl_err *err)
{
    struct hl_harvest_page page = {.lines = &export->lines, .has_next = true};
    struct hl_span reply;
    bool is_first = true;
    enum hl_code code = HL_OK;

    if (export->done > 0) {
        page.last = &export->last;
        page.next = export->last;
    }
    while (code == HL_OK && page.has_next) {
        const struct hl_id *from = is_first && !page.last ? NULL : &page.next;

        code = print_page_request(export, from, err);
        if (code == HL_OK)
            code = hl_remote_ask(&export->remote, "POST", "/points/scroll", &export->body,
                                 &reply, err);
        hl_buf_clear(&export->lines, BODY_SIZE);
        if (code == HL_OK)
            code = hl_harvest_page(&reply, &page, err);
        if (code == HL_OK)
            code = hl_buf_check(&export->lines, "a page", err);
        if (code == HL_OK)
            code = hl_file_write(export->file, export->lines.data, export->lines.len, err);
        if (code != HL_OK)
            break;
        export->done += page.n;
        is_first = false;
        hl_progress_show(&export->progress, export->done);
    }
    return code;
}

static enum hl_code fetch(struct export *export, struct hl_err *err)
{
    uint64_t total = 0;
    enum hl_code code = count_all(export, &total, err);

    if (code == HL_OK)
        code = hl_file_open(export->part, HL_FILE_APPEND, &export->file, err);
    if (code != HL_OK)
        return code;
    hl_progress_init(&export->progress, export->path, total, export->done);
    code = fetch_all(export, err);
    hl_progress_end(&export->progress, export->done);
    if (code == HL_OK)
        return hl_file_sync(export->file, err);
    return hl_fail_in(err, "%s: behind point %" PRIu64 " (the same command goes on there)",
                      export->path, export->done);
}

/* ---- from one end to the other ---- */

static enum hl_code finish(struct export *export, struct hl_err *err)
{
    enum hl_code code =
        export->vector ? hl_harvest_vectors(export->part, export->path, export->vector, err)
                       : hl_file_move(export->part, export->path, err);

    return code == HL_OK ? forget_earlier(export, err) : code;
}

static enum hl_code prepare(struct export *export, struct hl_err *err)
{
    const struct hl_tool_words *words = export->words;
    const bool is_lines =
        !has_end(export->path, ".npy") && !has_end(export->path, ".safetensors");
    int part = snprintf(export->part, sizeof export->part, "%s.part", export->path);
    int note = snprintf(export->note, sizeof export->note, "%s.exporting", export->path);
    enum hl_code code;

    if (part < 0 || note < 0 || (size_t)note >= sizeof export->note)
        return hl_fail(err, HL_INVALID, "the path \"%.64s…\" is too long", export->path);
    if (is_lines && words->values[VECTOR])
        return hl_fail(
            err, HL_INVALID,
            "NDJSON holds whole points: \"--vector\" is for .npy and .safetensors");
    if (!is_lines)
        export->vector = words->values[VECTOR] ? words->values[VECTOR] : "";
    code = hl_tool_number(&hl_cli_export, words, PAGE, STANDARD_PAGE, &export->page, err);
    if (code == HL_OK && export->page == 0)
        return hl_fail(err, HL_INVALID, "\"--page\" wants 1 or more");
    if (code == HL_OK)
        code = hl_remote_init(&export->remote, words->values[URL], words->values[API_KEY],
                              words->values[COLLECTION], err);
    return code == HL_OK ? take_up(export, err) : code;
}

static enum hl_code run_export(const struct hl_tool_words *words, struct hl_err *err)
{
    struct export export = {.words = words, .path = words->files[0]};
    enum hl_code code;

    hl_buf_init(&export.body, BODY_SIZE);
    hl_buf_init(&export.lines, LARGEST_PAGE);
    code = prepare(&export, err);
    if (code == HL_OK)
        code = fetch(&export, err);
    if (code == HL_OK)
        code = finish(&export, err);
    hl_file_close(export.file);
    hl_remote_done(&export.remote);
    hl_buf_done(&export.body);
    hl_buf_done(&export.lines);
    return code;
}

const struct hl_tool hl_cli_export = {
    .name = "export",
    .summary = "points from a running server into a file",
    .usage = "--collection NAME [FLAG …] FILE",
    .text = "FILE ends in .npy (vectors; their ids go into FILE.ids, an id a line) or in\n"
            ".safetensors (vectors and whole numbers called \"ids\"); any other gets "
            "NDJSON: one\n"
            "point a line, with payload and all its vectors. All of them can be imported.\n"
            "\n"
            "Points are read in the order of their ids, page by page: what is written "
            "meanwhile\n"
            "may or may not be among them. FILE appears when it is whole; until then the "
            "points\n"
            "are in FILE.part, and the same command goes on behind them.\n"
            "\n"
            "examples:\n"
            "    heirloom export --collection photos photos.ndjson\n"
            "    heirloom export --collection photos --vector v2 v2.safetensors\n"
            "    heirloom export --collection photos \\\n"
            "        --filter '{\"must\":[{\"key\":\"user\",\"match\":{\"value\":7}}]}' "
            "user7.ndjson\n",
    .flags = flags,
    .n_flags = N_FLAGS,
    .min_files = 1,
    .max_files = 1,
    .run = run_export};
