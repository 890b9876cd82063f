/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HL_INDEX_SNAPSHOT_H
#define HL_INDEX_SNAPSHOT_H

#include "index/archive.h"
#include "index/collection.h"

/* A collection as one file, and back: its database as it was at one moment, and the sealed
 * segments that it names, so that a recovered gallery need not be indexed anew.
 *
 * Saving goes on beside writes and searches and waits for none of them; it reads and writes
 * as many bytes as the collection has, so it belongs on a thread that may take long. */
#define HL_SNAPSHOT_KIND "collection"

struct hl_snapshot_options {
    const char *path;      /* the file to be made; PATH.db is written beside it meanwhile */
    const char *version;   /* of this heirloom */
    int64_t created_s;     /* since 1970 */
    struct hl_text config; /* JSON that tells people what was saved; "" for none */
    const struct hl_deadline *deadline; /* NULL: none */
};

/* The file appears whole, and behind it PATH.checksum, the SHA-256 that *ret_sum has. */
enum hl_code hl_snapshot_save(struct hl_collection *collection,
                              const struct hl_snapshot_options *options,
                              struct hl_archive_sum *ret_sum, struct hl_err *err);

/* Into a folder as hl_catalog_prepare makes it, which hl_collection_open then opens. The
 * snapshot may come from anywhere: sums, names and the whole database are checked, and what
 * is wrong is HL_BAD_FILE. `sha256`: 64 hexadecimal digits that the file must have, NULL:
 * unchecked. After an error the folder is to be discarded. */
enum hl_code hl_snapshot_load(const char *path, const char *sha256, const char *folder,
                              const struct hl_deadline *deadline, struct hl_err *err);

/* PATH.checksum: the digits and nothing else, as Qdrant keeps them. Whole or not there. */
enum hl_code hl_snapshot_save_sum(const char *path, const struct hl_archive_sum *sum,
                                  struct hl_err *err);

/* The SHA-256 of a file, read piece by piece. */
enum hl_code hl_snapshot_sum(const char *path, const struct hl_deadline *deadline,
                             struct hl_archive_sum *ret_sum, struct hl_err *err);

#endif
