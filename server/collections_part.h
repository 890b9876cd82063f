/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HL_SERVER_COLLECTIONS_PART_H
#define HL_SERVER_COLLECTIONS_PART_H

#include "server/collections.h"

#include <pthread.h>

/* The table of names, for the files of the registry alone. */
enum { HL_LONGEST_NAME = 255 };

/* A name in the table: of a collection, or an alias of one. */
struct hl_entry {
    char *name;
    bool is_alias;
    struct hl_collection *collection; /* a reference */
};

struct hl_collections {
    struct hl_collections_options options;

    /* Guards the table, and is held for a look into it. */
    pthread_rwlock_t lock;
    struct hl_entry *entries; /* by name */
    size_t n;
    size_t room;

    /* Guards the catalog, and is held while the disk is waited for: one change of names at
     * a time. Taken before `lock`. */
    pthread_mutex_t desk;
    struct hl_catalog *catalog;
};

/* The caller has `lock`. */
struct hl_entry *hl_entries_find(const struct hl_collections *collections,
                                 const struct hl_span *name); /* NULL: there is none */
bool hl_entries_reserve(struct hl_collections *collections, size_t n);
void hl_entries_insert(struct hl_collections *collections, struct hl_entry entry);
void hl_entries_remove(struct hl_collections *collections, size_t at);

/* HL_INVALID for what cannot name a collection, nor be a new alias of one. */
enum hl_code hl_collections_check_name(const char *name, size_t len, struct hl_err *err);

enum hl_code hl_collections_fail_no_memory(struct hl_err *err);

#endif
