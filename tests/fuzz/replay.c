/* SPDX-License-Identifier: Apache-2.0 */
/* Feeds every file of a folder to one fuzz target, so that what a fuzzer once found stays
 * found in every build, with or without libFuzzer. Usage: replay_NAME NAME FOLDER */

#include "proto/buf.h"
#include "proto/file.h"

#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LARGEST_INPUT = 16 << 20 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A copy of exactly that size, so that a sanitizer sees the first byte read too many. */
static bool feed_exactly(const struct hl_buf *input)
{
    uint8_t *exact = malloc(input->len ? input->len : 1);

    if (!exact)
        return false;
    memcpy(exact, input->data, input->len);
    (void)LLVMFuzzerTestOneInput(exact, input->len);
    free(exact);
    return true;
}

static bool feed(const char *path)
{
    struct hl_buf input;
    struct hl_err err;
    bool is_fed;

    hl_buf_init(&input, LARGEST_INPUT);
    is_fed = hl_file_load(path, &input, &err) == HL_OK;
    if (is_fed)
        is_fed = feed_exactly(&input);
    else
        printf("# %s\n", err.msg);
    hl_buf_done(&input);
    return is_fed;
}

static bool feed_all(const char *folder, size_t *ret_n_fed)
{
    DIR *dir = opendir(folder);
    const struct dirent *entry;
    bool all_fed = dir != NULL;
    size_t n_fed = 0;

    /* One thread walks a stream of its own, which readdir allows. */
    while (dir && (entry = readdir(dir)) != NULL) { /* NOLINT(concurrency-mt-unsafe) */
        char path[4096];

        if (entry->d_name[0] == '.')
            continue;
        snprintf(path, sizeof path, "%s/%s", folder, entry->d_name);
        all_fed = feed(path) && all_fed;
        n_fed++;
    }
    if (dir)
        closedir(dir);
    *ret_n_fed = n_fed;
    return all_fed && n_fed > 0;
}

int main(int argc, char **argv)
{
    size_t n_fed = 0;
    bool is_fed;

    if (argc != 3) {
        fprintf(stderr, "usage: %s NAME FOLDER\n", argv[0]);
        return 2;
    }
    puts("1..1");
    /* Whatever the target finds ends the process, and then there is no "ok". */
    is_fed = feed_all(argv[2], &n_fed);
    printf("%s 1 - %s holds on %zu inputs\n", is_fed ? "ok" : "not ok", argv[1], n_fed);
    return is_fed ? 0 : 1;
}
