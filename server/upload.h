/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HL_SERVER_UPLOAD_H
#define HL_SERVER_UPLOAD_H

#include "proto/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A body on its way to the disk, for routes of HL_PLACE_UPLOAD: what is larger than any
 * memory should be asked for.
 *
 * Bytes are gathered by the block on the HTTP thread, which never waits: when a block is
 * full the connection rests and a reader writes it. A handler of such a route runs on a
 * reader and finds the whole body as a file. One thread at a time. */
struct hl_upload;

/* Large enough that handing it to another thread costs nothing beside writing it. */
enum { HL_UPLOAD_BLOCK = 1 << 20 };

/* No file yet, and nothing of the disk is touched: FOLDER/NAME is made by the first spill,
 * FOLDER too. Texts are copied. */
enum hl_code hl_upload_new(const char *folder, const char *name,
                           struct hl_upload **ret_upload, struct hl_err *err);

/* Removes the file, unless it was moved away. NULL is accepted. */
void hl_upload_free(struct hl_upload *upload);

/* Keeps the bytes in memory. *ret_is_full: spill before anything is added. */
enum hl_code hl_upload_add(struct hl_upload *upload, const void *bytes, size_t n,
                           bool *ret_is_full, struct hl_err *err);

/* Writes what is gathered. */
enum hl_code hl_upload_spill(struct hl_upload *upload, struct hl_err *err);

/* Everything that came is in the file, and the file is synced. Again: nothing to do. */
enum hl_code hl_upload_finish(struct hl_upload *upload, struct hl_err *err);

uint64_t hl_upload_size(const struct hl_upload *upload);
const char *hl_upload_path(const struct hl_upload *upload); /* good until free */

/* At start: what uploads left that a crash cut off. */
enum hl_code hl_upload_sweep(const char *folder, struct hl_err *err);

#endif
