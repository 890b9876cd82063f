/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HL_PROTO_DIR_H
#define HL_PROTO_DIR_H

#include "proto/err.h"

#include <stdbool.h>
#include <stddef.h>

/* Folders: what is in them, and taking them away. hl_dir_make and hl_dir_sync are in
 * file.h. Every call passes a failpoint. Any thread, as long as nobody else changes the
 * folder. */

/* Called with each name, "." and ".." left out, in no order. False ends the walk.
 * HL_NOT_FOUND when there is no such folder. */
typedef bool hl_dir_entry_fn(void *self, const char *name);
enum hl_code hl_dir_walk(const char *path, hl_dir_entry_fn *each, void *self,
                         struct hl_err *err);

/* How many entries it has. Likewise HL_NOT_FOUND. */
enum hl_code hl_dir_count(const char *path, size_t *ret_n, struct hl_err *err);

/* Removing what is not there is HL_OK. What stays after a crash in the middle is removed by
 * the next call. Symbolic links are removed, never followed; more than eight folders within
 * each other are refused. */
enum hl_code hl_file_remove(const char *path, struct hl_err *err);
enum hl_code hl_dir_remove(const char *path, struct hl_err *err);

/* Within one file system, over what is at `to`; the folder is synced. */
enum hl_code hl_file_move(const char *from, const char *to, struct hl_err *err);

/* Makes an entry of the folder that `path` is in survive a crash. */
enum hl_code hl_dir_sync_above(const char *path, struct hl_err *err);

/* The first bytes of a file in one of the kernel's own folders, with a zero byte behind
 * them; as many as there were, 0 when there is no such file. No failpoint is passed: what
 * the system is like is looked at by the clock, and a test counts work. */
size_t hl_dir_glance(const char *path, char *text, size_t size);

#endif
