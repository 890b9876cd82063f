/* SPDX-License-Identifier: Apache-2.0 */
#include "server/cli_check.h"

#include "index/catalog.h"
#include "index/examine.h"
#include "proto/dir.h"
#include "proto/file.h"

#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

enum flag { DATA, QUIET, N_FLAGS };

static const struct hl_tool_flag flags[N_FLAGS] = {
    [DATA] = {"--data", "DIR", "the folder of the data (./data)", false},
    [QUIET] = {"--quiet", NULL, "says nothing about files that are sound", false},
};

struct check {
    const char *folder;
    const char *collection;
    bool is_quiet;
    struct hl_catalog *catalog;
    struct hl_deadline deadline;
    size_t n_files, n_damaged, n_derived;
    enum hl_code code; /* of the walk over the collections */
    struct hl_err err;
};

static int64_t now_us(void *self)
{
    struct timespec now;

    (void)self;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

static const struct hl_clock clock_here = {now_us, NULL};

static void say(void *self, const struct hl_examined *examined)
{
    struct check *check = self;

    check->n_files++;
    if (!examined->err) {
        if (!check->is_quiet)
            printf("sound    %s: %s, %" PRIu64 " %s\n", check->collection, examined->path,
                   examined->n_rows, examined->is_derived ? "rows" : "points");
        return;
    }
    if (examined->is_derived)
        check->n_derived++;
    else
        check->n_damaged++;
    printf("%s  %s: %s\n", examined->is_derived ? "rebuild" : "DAMAGED", check->collection,
           examined->err->msg);
}

static bool check_collection(void *self, const struct hl_catalog_collection *collection)
{
    struct check *check = self;
    char path[PATH_MAX];

    check->collection = collection->name;
    check->code = hl_catalog_path(check->catalog, &collection->uuid, NULL, path,
                                  sizeof path, &check->err);
    if (check->code == HL_OK)
        check->code = hl_examine_folder(path, &check->deadline, say, check, &check->err);
    return check->code == HL_OK;
}

static enum hl_code check_catalog(struct check *check, struct hl_err *err)
{
    char path[PATH_MAX];
    struct hl_file *file = NULL;
    enum hl_code code;

    /* Opening a catalog makes one where there is none, and a check makes nothing. */
    snprintf(path, sizeof path, "%s/catalog.db", check->folder);
    code = hl_file_open(path, HL_FILE_READ, &file, err);
    hl_file_close(file);
    if (code == HL_OK)
        code = hl_catalog_open(check->folder, &check->catalog, err);
    if (code == HL_OK)
        code = hl_catalog_check(check->catalog, err);
    if (code == HL_OK && !check->is_quiet)
        printf("sound    the catalog\n");
    return code;
}

/* Its own sentence for what stays unsaid when all went well. */
static enum hl_code conclude(const struct check *check, struct hl_err *err)
{
    if (check->n_damaged > 0)
        return hl_fail(
            err, HL_DAMAGED,
            "%zu of %zu files are damaged: restore the collections they belong to "
            "from a snapshot",
            check->n_damaged, check->n_files);
    printf("%zu files are sound", check->n_files - check->n_derived);
    if (check->n_derived > 0)
        printf(", %zu will be rebuilt from the points by the next start", check->n_derived);
    printf("\n");
    return HL_OK;
}

static enum hl_code run_check(const struct hl_tool_words *words, struct hl_err *err)
{
    struct check check = {.folder = words->values[DATA] ? words->values[DATA] : "./data",
                          .is_quiet = words->values[QUIET] != NULL,
                          .deadline = {&clock_here, HL_DEADLINE_NEVER, NULL}};
    struct hl_lock *lock = NULL;
    char path[PATH_MAX];
    int len = snprintf(path, sizeof path, "%s/LOCK", check.folder);
    size_t n = 0;
    enum hl_code code;

    if (len < 0 || (size_t)len >= sizeof path)
        return hl_fail(err, HL_INVALID, "the path \"%.64s…\" is too long", check.folder);
    code = hl_dir_count(check.folder, &n, err);
    if (code == HL_OK)
        code = hl_lock_open(path, &lock, err);
    if (code == HL_OK)
        code = check_catalog(&check, err);
    if (code == HL_OK)
        code = hl_catalog_collections(check.catalog, check_collection, &check, err);
    if (code == HL_OK && check.code != HL_OK) {
        *err = check.err;
        code = check.code;
    }
    if (code == HL_OK)
        code = conclude(&check, err);
    hl_catalog_close(check.catalog);
    hl_lock_close(lock);
    return code;
}

const struct hl_tool hl_cli_check = {
    .name = "check",
    .summary = "reads a data folder that no server uses, and says what is wrong",
    .usage = "[--data DIR]",
    .text =
        "Reads every page of every database and every byte of every segment. A segment is\n"
        "derived: one that is not sound is rebuilt from the points by the next start. A\n"
        "database that is damaged is not: restore the collection from a snapshot.\n"
        "\n"
        "Exit status: 0 when nothing is lost, 1 when something is.\n"
        "\n"
        "examples:\n"
        "    heirloom check --data /var/lib/heirloom\n",
    .flags = flags,
    .n_flags = N_FLAGS,
    .run = run_check};
