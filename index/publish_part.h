/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HL_INDEX_PUBLISH_PART_H
#define HL_INDEX_PUBLISH_PART_H

#include "index/writing_part.h"

/* A publication, for the two files that make one: publish_prepare.c works it out before the
 * commit, publish.c does it behind. */

/* A point that the transaction touched, from before it to behind it. */
struct hl_changed {
    uint32_t number;
    bool was, is;
    bool has_payload_changed;
    struct hl_id id;
    const struct hl_value *before, *behind; /* payloads, where an index wants them */
};

struct hl_publication {
    struct hl_writing *writing;
    struct hl_changed *points; /* by number */
    size_t n_points;
    struct hl_store_birth *births; /* without values */
    size_t n_births;
    struct hl_store_death *deaths; /* by row */
    size_t n_deaths;

    /* What takes the collection's place; after hl_publication_apply what was there. */
    struct hl_kept_index *kept;
    size_t n_kept;
    struct hl_carriers *carriers;
    size_t n_carriers;
    struct hl_layout *layout;

    struct hl_field_index **lost; /* that could not be kept up; room for all */
    size_t n_lost;
};

/* The order of `deaths`; qsort's. */
int hl_publication_by_row(const void *a, const void *b);

/* Whether the index that is number `at` of the new ones is dropped later in the
 * transaction; SIZE_MAX: a published one. */
bool hl_publication_drops(const struct hl_publication *publication,
                          const struct hl_kept_index *kept, size_t at);

#endif
