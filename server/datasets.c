/* SPDX-License-Identifier: Apache-2.0 */
#include "server/datasets.h"

#include "index/snapshot.h"
#include "proto/alloc.h"
#include "proto/dir.h"
#include "server/datasets_part.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char ending[] = ".safetensors";

void hl_datasets_init(struct hl_datasets *datasets)
{
    pthread_mutex_init(&datasets->lock, NULL);
}

void hl_datasets_done(struct hl_datasets *datasets)
{
    pthread_mutex_destroy(&datasets->lock);
}

enum hl_code hl_dataset_check_name(const struct hl_span *name, struct hl_err *err)
{
    return hl_target_check_name(name, "a dataset", HL_DATASET_NAME, err);
}

/* ---- the folder ---- */

static enum hl_code print_path(char path[PATH_MAX], const struct hl_collection *collection,
                               const char *file, struct hl_err *err)
{
    int len = snprintf(path, PATH_MAX, "%s/datasets%s%s", hl_collection_folder(collection),
                       file ? "/" : "", file ? file : "");

    return len < 0 || len >= PATH_MAX
               ? hl_fail(err, HL_INVALID, "the path of a dataset is too long")
               : HL_OK;
}

/* NAME@GENERATION-SHA256.safetensors; false for what is none. */
static bool parse_file(const char *file, struct hl_dataset *found)
{
    const char *at = strchr(file, '@');
    const size_t name = at ? (size_t)(at - file) : 0;
    char *end;

    if (name == 0 || name > HL_DATASET_NAME)
        return false;
    found->generation = strtoull(at + 1, &end, 10);
    if (*end != '-' || strlen(end + 1) != HL_SHA256_TEXT_SIZE - 1 + sizeof ending - 1 ||
        strcmp(end + HL_SHA256_TEXT_SIZE, ending) != 0)
        return false;
    memcpy(found->name, file, name);
    found->name[name] = '\0';
    memcpy(found->sha256, end + 1, HL_SHA256_TEXT_SIZE - 1);
    found->sha256[HL_SHA256_TEXT_SIZE - 1] = '\0';
    return true;
}

/* What the folder has: one entry a name, of the highest generation. */
struct walk {
    const char *only; /* NULL: every name */
    struct hl_dataset *found;
    size_t n, room;
    bool is_out_of_memory;
};

static bool add_file(void *self, const char *file)
{
    struct walk *walk = self;
    struct hl_dataset one = {.n_rows = 0};
    size_t i = 0;

    if (!parse_file(file, &one) || (walk->only && strcmp(walk->only, one.name) != 0))
        return true;
    while (i < walk->n && strcmp(walk->found[i].name, one.name) != 0)
        i++;
    if (i == walk->n && walk->n == walk->room) {
        const size_t room = walk->room ? walk->room * 2 : 8;
        struct hl_dataset *found = hl_realloc(walk->found, room * sizeof *found);

        walk->is_out_of_memory = !found;
        if (!found)
            return false;
        walk->found = found;
        walk->room = room;
    }
    if (i == walk->n)
        walk->n++;
    else if (walk->found[i].generation > one.generation)
        return true;
    walk->found[i] = one;
    return true;
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(((const struct hl_dataset *)a)->name,
                  ((const struct hl_dataset *)b)->name);
}

static enum hl_code look_round(const struct hl_collection *collection, struct walk *walk,
                               struct hl_err *err)
{
    char folder[PATH_MAX];
    struct hl_err why;
    enum hl_code code = print_path(folder, collection, NULL, err);

    if (code != HL_OK)
        return code;
    code = hl_dir_walk(folder, add_file, walk, &why);
    if (code == HL_NOT_FOUND)
        return HL_OK; /* none was ever put */
    if (code != HL_OK) {
        *err = why;
        return code;
    }
    if (walk->is_out_of_memory)
        return hl_fail(err, HL_NO_MEMORY, "no memory for the names of datasets");
    if (walk->n > 1)
        qsort(walk->found, walk->n, sizeof *walk->found, compare_names);
    return HL_OK;
}

/* ---- one of them ---- */

static enum hl_code fail_missing(const char *name, struct hl_err *err)
{
    return hl_fail(err, HL_NOT_FOUND, "Not found: there is no dataset \"%.120s\"", name);
}

void hl_dataset_close(struct hl_dataset *dataset)
{
    if (!dataset)
        return;
    hl_tensors_free(dataset->tensors);
    hl_file_close(dataset->file);
    hl_free(dataset);
}

enum hl_code hl_dataset_load(const char *path, struct hl_dataset **ret_dataset,
                             struct hl_err *err)
{
    struct hl_dataset *dataset = hl_alloc_zeroed(1, sizeof *dataset);
    enum hl_code code;

    if (!dataset)
        return hl_fail(err, HL_NO_MEMORY, "no memory for a dataset");
    code = hl_file_open(path, HL_FILE_READ, &dataset->file, err);
    if (code == HL_OK)
        code = hl_source_of_file(dataset->file, &dataset->source, err);
    dataset->source.name = "the dataset";
    if (code == HL_OK)
        code =
            hl_tensors_new(&dataset->source, HL_TENSORS_MAX_HEADER, &dataset->tensors, err);
    if (code != HL_OK) {
        hl_dataset_close(dataset);
        return code;
    }
    (void)snprintf(dataset->path, sizeof dataset->path, "%s", path);
    dataset->size = dataset->source.size;
    hl_dataset_note_tensors(dataset);
    *ret_dataset = dataset;
    return HL_OK;
}

static enum hl_code open_found(const struct hl_collection *collection,
                               const struct hl_dataset *found,
                               struct hl_dataset **ret_dataset, struct hl_err *err)
{
    char file[HL_DATASET_NAME + HL_SHA256_TEXT_SIZE + 64], path[PATH_MAX];
    struct hl_dataset *dataset;
    enum hl_code code;

    (void)snprintf(file, sizeof file, "%s@%" PRIu64 "-%s%s", found->name, found->generation,
                   found->sha256, ending);
    code = print_path(path, collection, file, err);
    if (code == HL_OK)
        code = hl_dataset_load(path, &dataset, err);
    if (code != HL_OK)
        return code;
    memcpy(dataset->name, found->name, sizeof dataset->name);
    memcpy(dataset->sha256, found->sha256, sizeof dataset->sha256);
    dataset->generation = found->generation;
    *ret_dataset = dataset;
    return HL_OK;
}

enum hl_code hl_dataset_open(const struct hl_collection *collection,
                             const struct hl_span *name, struct hl_dataset **ret_dataset,
                             struct hl_err *err)
{
    struct walk walk = {.only = name->data};
    enum hl_code code = look_round(collection, &walk, err);

    if (code == HL_OK && walk.n == 0)
        code = fail_missing(name->data, err);
    if (code == HL_OK)
        code = open_found(collection, &walk.found[0], ret_dataset, err);
    hl_free(walk.found);
    /* Replaced between the look and the opening: the next look finds its successor. */
    return code;
}

enum hl_code hl_datasets_each(const struct hl_collection *collection, hl_dataset_fn *each,
                              void *self, struct hl_err *err)
{
    struct walk walk = {.only = NULL};
    enum hl_code code = look_round(collection, &walk, err);
    bool goes_on = true;

    for (size_t i = 0; code == HL_OK && goes_on && i < walk.n; i++) {
        struct hl_dataset *dataset = NULL;
        struct hl_err why;

        code = open_found(collection, &walk.found[i], &dataset, &why);
        if (code == HL_OK) {
            goes_on = each(self, dataset, NULL);
        } else if (code == HL_NO_MEMORY) {
            *err = why;
        } else {
            /* Deleted since the look, or what a list has to say. */
            if (code != HL_NOT_FOUND)
                goes_on = each(self, &walk.found[i], &why);
            code = HL_OK;
        }
        hl_dataset_close(dataset);
    }
    hl_free(walk.found);
    return code;
}

/* ---- putting and deleting: with the lock ---- */

struct removal {
    const struct hl_collection *collection;
    const char *name;
    uint64_t kept; /* generation; 0: none is kept */
    size_t n;
    enum hl_code code;
    struct hl_err err;
};

static bool remove_file(void *self, const char *file)
{
    struct removal *removal = self;
    struct hl_dataset found = {.n_rows = 0};
    char path[PATH_MAX];

    if (!parse_file(file, &found) || strcmp(found.name, removal->name) != 0 ||
        (removal->kept != 0 && found.generation == removal->kept))
        return true;
    removal->code = print_path(path, removal->collection, file, &removal->err);
    if (removal->code == HL_OK)
        removal->code = hl_file_remove(path, &removal->err);
    removal->n++;
    return removal->code == HL_OK;
}

static enum hl_code remove_files(struct removal *removal, struct hl_err *err)
{
    char folder[PATH_MAX];
    enum hl_code code = print_path(folder, removal->collection, NULL, err);

    if (code == HL_OK)
        code = hl_dir_walk(folder, remove_file, removal, err);
    if (code == HL_NOT_FOUND)
        return HL_OK;
    if (code == HL_OK && removal->code != HL_OK) {
        *err = removal->err;
        return removal->code;
    }
    return code == HL_OK && removal->n > 0 ? hl_dir_sync(folder, err) : code;
}

/* The new one first: at no moment is there none. */
static enum hl_code place(const struct hl_collection *collection,
                          const struct hl_dataset_offer *offer,
                          const struct hl_archive_sum *sum, struct hl_err *err)
{
    struct removal olds = {.collection = collection, .name = offer->name->data};
    struct walk walk = {.only = offer->name->data};
    struct hl_err ignored;
    char file[HL_DATASET_NAME + HL_SHA256_TEXT_SIZE + 64], path[PATH_MAX];
    enum hl_code code = print_path(path, collection, NULL, err);

    if (code == HL_OK)
        code = hl_dir_make(path, err);
    if (code == HL_OK)
        code = hl_dir_sync_above(path, err);
    if (code == HL_OK)
        code = look_round(collection, &walk, err);
    olds.kept = walk.n > 0 ? walk.found[0].generation + 1 : 1;
    hl_free(walk.found);
    (void)snprintf(file, sizeof file, "%s@%" PRIu64 "-%s%s", offer->name->data, olds.kept,
                   sum->sha256, ending);
    if (code == HL_OK)
        code = print_path(path, collection, file, err);
    if (code == HL_OK)
        code = hl_file_move(offer->path, path, err);
    if (code == HL_OK)
        (void)remove_files(&olds, &ignored); /* nobody sees them; the next one does it */
    return code;
}

enum hl_code hl_dataset_put(struct hl_datasets *datasets,
                            const struct hl_collection *collection,
                            const struct hl_dataset_offer *offer, struct hl_err *err)
{
    struct hl_archive_sum sum;
    struct hl_dataset *dataset = NULL;
    enum hl_code code = hl_dataset_check_name(offer->name, err);

    if (code == HL_OK)
        code = hl_dataset_load(offer->path, &dataset, err);
    if (code == HL_OK)
        code = hl_dataset_check(dataset, offer->layout, offer->deadline, err);
    hl_dataset_close(dataset);
    if (code == HL_OK)
        code = hl_snapshot_sum(offer->path, offer->deadline, &sum, err);
    if (code != HL_OK)
        return code;
    pthread_mutex_lock(&datasets->lock);
    code = place(collection, offer, &sum, err);
    pthread_mutex_unlock(&datasets->lock);
    return code;
}

enum hl_code hl_dataset_delete(struct hl_datasets *datasets,
                               const struct hl_collection *collection,
                               const struct hl_span *name, struct hl_err *err)
{
    struct removal all = {.collection = collection, .name = name->data};
    enum hl_code code;

    pthread_mutex_lock(&datasets->lock);
    code = remove_files(&all, err);
    pthread_mutex_unlock(&datasets->lock);
    return code == HL_OK && all.n == 0 ? fail_missing(name->data, err) : code;
}
