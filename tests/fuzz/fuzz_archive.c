/* SPDX-License-Identifier: Apache-2.0 */
/* What an archive says of itself is refused or holds: its files are as long as it says,
 * have the checksums it says, and lie inside of the folder. */

#include "index/archive.h"
#include "proto/crc.h"
#include "proto/dir.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool claim)
{
    if (!claim)
        abort();
}

static void check_files(const struct hl_archive_head *head, const char *folder)
{
    struct hl_err err;
    struct hl_buf buf;
    char path[256];

    for (size_t i = 0; i < head->n_files; i++) {
        require(!strstr(head->files[i].name, "..") && *head->files[i].name != '/');
        snprintf(path, sizeof path, "%s/%s", folder, head->files[i].name);
        hl_buf_init(&buf, 64 << 20);
        require(hl_file_load(path, &buf, &err) == HL_OK);
        require(buf.len == head->files[i].size &&
                hl_crc(0, buf.data, buf.len) == head->files[i].crc);
        hl_buf_done(&buf);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct hl_memory memory = {.bytes = data, .size = size};
    const struct hl_source source = hl_source_of_memory(&memory, "input");
    struct hl_arena *arena = hl_arena_new(64 << 20);
    struct hl_archive_head head;
    struct hl_err err;
    char folder[64];

    snprintf(folder, sizeof folder, "%s/heirloom_fuzz_archive.%ld",
             access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp", (long)getpid());
    if (hl_archive_look(&source, arena, &head, &err) != HL_OK) {
        require((err.code == HL_BAD_FILE || err.code == HL_NEWER_FORMAT ||
                 err.code == HL_TOO_LARGE) &&
                *err.msg);
    } else {
        require(hl_dir_make(folder, &err) == HL_OK);
        /* One name twice, or a file where another wants a folder, is found out here. */
        if (hl_archive_load(&source, &head, folder, NULL, &err) == HL_OK)
            check_files(&head, folder);
        else
            require(*err.msg);
        require(hl_dir_remove(folder, &err) == HL_OK);
    }
    hl_arena_free(arena);
    return 0;
}
