/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HL_INDEX_ARCHIVE_H
#define HL_INDEX_ARCHIVE_H

#include "proto/arena.h"
#include "proto/deadline.h"
#include "proto/file.h"
#include "proto/sha256.h"
#include "proto/source.h"
#include "proto/text.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A snapshot's file: several files in one, an uncompressed POSIX tar, so that `tar tvf`
 * lists it and a changed page of a database is a changed page of the archive.
 *
 * Its first entry, heirloom.json, says what this is, what is in it, how long each file is
 * and its CRC-32C; the files follow in that order, and nothing else. An archive may come
 * from anywhere, so a reader believes none of it: names are relative, of plain characters
 * and as the caller expects them, and whatever differs from what heirloom would have
 * written is refused as HL_BAD_FILE with the name of the file in it. One thread at a time.
 */
#define HL_ARCHIVE_FORMAT 1

struct hl_archive_file {
    const char *name; /* in the archive, such as "segments/1-1/7.seg" */
    uint64_t size;
    uint32_t crc;
};

struct hl_archive_head {
    const char *kind;      /* what it is a snapshot of: the caller's word */
    const char *version;   /* of the heirloom that wrote it */
    int64_t created_s;     /* since 1970 */
    struct hl_text config; /* JSON, the caller's own */
    const struct hl_archive_file *files;
    size_t n_files;
};

/* Where the content of a file comes from. */
struct hl_archive_input {
    const char *name;
    const struct hl_file *file; /* does not change meanwhile */
};

struct hl_archive_inputs {
    const struct hl_archive_input *items;
    size_t n;
};

struct hl_archive_sum {
    uint64_t size;
    char sha256[HL_SHA256_TEXT_SIZE];
};

/* Written aside, synced and renamed over `path`. `head->files` is not read. HL_INVALID: a
 * name that no reader would take. */
enum hl_code hl_archive_save(const char *path, const struct hl_archive_head *head,
                             const struct hl_archive_inputs *inputs,
                             const struct hl_deadline *deadline,
                             struct hl_archive_sum *ret_sum, struct hl_err *err);

/* What is in it, checked as far as that can be without reading the files: the list, every
 * entry's header, the size of the whole. What it says lives in the arena. HL_NEWER_FORMAT
 * when a later heirloom wrote it. */
enum hl_code hl_archive_look(const struct hl_source *source, struct hl_arena *arena,
                             struct hl_archive_head *ret_head, struct hl_err *err);

/* The files, each checked and synced, into a folder that is there, with the folders between
 * that are not. Not one of them may be there. What was written by a call that failed is for
 * the caller to remove, with the folder. `head` is what hl_archive_look said of the source.
 */
enum hl_code hl_archive_load(const struct hl_source *source,
                             const struct hl_archive_head *head, const char *folder,
                             const struct hl_deadline *deadline, struct hl_err *err);

#endif
