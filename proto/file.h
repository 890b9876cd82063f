/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HL_PROTO_FILE_H
#define HL_PROTO_FILE_H

#include "proto/buf.h"
#include "proto/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Files, and the only place that touches them.
 *
 * Every call passes a failpoint, retries what a signal interrupted, finishes what the
 * kernel did by halves, and answers in a sentence that names the path. A file is used by
 * one thread at a time, but hl_file_read_at, which any number may call at once. */
struct hl_file;

enum hl_file_mode {
    HL_FILE_READ,   /* must exist */
    HL_FILE_CREATE, /* must not exist; 0640; for writing */
    HL_FILE_APPEND  /* made if absent; every write goes behind what is there */
};

/* HL_NOT_FOUND when it is missing, HL_EXISTS when HL_FILE_CREATE meets one. Only regular
 * files are opened: HL_IO otherwise. */
enum hl_code hl_file_open(const char *path, enum hl_file_mode mode,
                          struct hl_file **ret_file, struct hl_err *err);

/* Closing a written file reports nothing: sync first where it matters. NULL is accepted. */
void hl_file_close(struct hl_file *file);

const char *hl_file_path(const struct hl_file *file); /* good until hl_file_close */
enum hl_code hl_file_size(const struct hl_file *file, uint64_t *ret_size,
                          struct hl_err *err);

/* Up to `size` bytes from `offset`; fewer only where the file ends. */
enum hl_code hl_file_read_at(const struct hl_file *file, void *bytes, size_t size,
                             uint64_t offset, size_t *ret_n_read, struct hl_err *err);

/* The whole file as memory that only reads it and outlives hl_file_close. Nothing is read
 * before it is looked at. The file must not be empty. */
enum hl_code hl_file_map(const struct hl_file *file, void **ret_bytes, size_t *ret_size,
                         struct hl_err *err);
void hl_file_unmap(void *bytes, size_t size); /* NULL is accepted */

/* All of `size` bytes behind what was written before, or an error. */
enum hl_code hl_file_write(struct hl_file *file, const void *bytes, size_t size,
                           struct hl_err *err);
enum hl_code hl_file_sync(struct hl_file *file, struct hl_err *err);

/* Over `size` bytes from `offset` that were written before; not of HL_FILE_APPEND. */
enum hl_code hl_file_rewrite(struct hl_file *file, const void *bytes, size_t size,
                             uint64_t offset, struct hl_err *err);

/* A whole file into an empty buffer, HL_TOO_LARGE beyond the buffer's ceiling. */
enum hl_code hl_file_load(const char *path, struct hl_buf *buf, struct hl_err *err);

/* A file that appears whole or not at all: written beside its place under a name that
 * ends in ".new", synced, renamed over `path`, and the folder synced. The disk writes it
 * while it comes, so that the sync at its end is no longer than that of a small one. */
struct hl_replacement;

enum hl_code hl_replacement_open(const char *path, struct hl_replacement **ret_replacement,
                                 struct hl_err *err);
struct hl_file *hl_replacement_file(struct hl_replacement *replacement);

/* After HL_OK the new file is at its place and survives a crash. After a failure the old
 * one is, or, if only the folder could not be synced, the new one that a crash may yet
 * undo; one of them, whole, and nothing aside. Either way `replacement` is gone. */
enum hl_code hl_replacement_commit(struct hl_replacement *replacement, struct hl_err *err);
void hl_replacement_abandon(struct hl_replacement *replacement); /* NULL is accepted */

/* Folders. hl_dir_make makes the last component (0750) and is content when it is there. */
enum hl_code hl_dir_make(const char *path, struct hl_err *err);
enum hl_code hl_dir_sync(const char *path, struct hl_err *err);

/* The right to be the only process that works in a folder: an exclusive lock on `path`,
 * which is made if absent and left in place. HL_CONFLICT, with the holder's process id,
 * when another process has it. Held until hl_lock_close or the process ends, however it
 * ends. */
struct hl_lock;

enum hl_code hl_lock_open(const char *path, struct hl_lock **ret_lock, struct hl_err *err);
void hl_lock_close(struct hl_lock *lock);

#endif
