/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HL_INDEX_MANIFEST_H
#define HL_INDEX_MANIFEST_H

#include "index/collection_part.h"

/* Which sealed segments a collection has: records of its store, and the files they name.
 *
 * A record changes in the transaction that needs it, after its file is whole on disk; a
 * file that no record names is left over from a crash. For the files of a collection. */
#define HL_MANIFEST_KIND "segment"

enum { HL_MANIFEST_KEY = 48, HL_MANIFEST_FILE = 64, HL_MANIFEST_BODY = 320 };

struct hl_manifest {
    uint32_t space, source; /* whose rows, and whose vectors they come from */
    uint64_t first, last;   /* rows in here, and no others of the shelf between them */
    uint64_t n_rows;
    uint64_t until;              /* built from what lived at this commit, at least */
    char file[HL_MANIFEST_FILE]; /* below segments/ */
};

void hl_manifest_key(const struct hl_manifest *manifest, char key[HL_MANIFEST_KEY]);
size_t hl_manifest_encode(const struct hl_manifest *manifest, char body[HL_MANIFEST_BODY]);

/* HL_DAMAGED when it is not one. */
enum hl_code hl_manifest_decode(const void *body, size_t size,
                                struct hl_manifest *ret_manifest, struct hl_err *err);

/* FOLDER/segments/FILE. */
enum hl_code hl_manifest_path(const struct hl_collection *collection, const char *file,
                              char *path, size_t size, struct hl_err *err);

/* And back: the part of a path below segments/, wherever the folder itself may be. */
const char *hl_manifest_file(const char *path);

/* At start, while nobody else knows the collection: the parts of every dense space of
 * `layout`, the rows no segment has in tails, the rows of sparse ones, and the deaths. What
 * is not sound, segment or record, is told, and its rows stand in full tails, to be sealed
 * again; what lies about and cannot be removed is told and left. `reader` sees
 * the newest commit. */
enum hl_code hl_manifest_load(struct hl_collection *collection, struct hl_layout *layout,
                              struct hl_reader *reader, struct hl_err *err);

#endif
