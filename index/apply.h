/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HL_INDEX_APPLY_H
#define HL_INDEX_APPLY_H

#include "index/filter.h"
#include "index/layout.h"
#include "index/store.h"
#include "proto/loss.h"
#include "proto/write.h"

/* The operations of a request, done to the store: what Qdrant means by an upsert, by a
 * payload set under a key, by a deletion of what a filter finds.
 *
 * For the writer, inside of a transaction. Knows names and sizes from the layout and reads
 * the points through the store's own reader, so an operation sees what those before it did.
 */
struct hl_apply {
    struct hl_store *store;
    const struct hl_layout *layout;
    struct hl_arena *arena; /* for the work, and for vectors that are normalised */
    const struct hl_deadline *deadline; /* NULL: none */
    struct hl_losses *losses; /* NULL: vectors may be lost, and nobody counts them */

    /* Numbers that may meet the filter, every one that does among them, as the transaction
     * stands: those of `sure` do for certain. */
    enum hl_code (*candidates)(void *self, const struct hl_filter *filter,
                               struct hl_matches *ret_matches, struct hl_err *err);
    void *self;
};

/* The images of the points that were touched since touch `first` of the transaction. */
enum hl_code hl_apply_images(const struct hl_apply *apply, size_t first,
                             struct hl_err *err);

/* Those of one point. *ret_n is how many were written or dropped. */
enum hl_code hl_apply_image(const struct hl_apply *apply, uint32_t number, size_t *ret_n,
                            struct hl_err *err);

/* Whether a point's images are as they should be. */
bool hl_apply_is_expressed(const struct hl_layout *layout,
                           const struct hl_store_point *point);

enum hl_code hl_apply_ops(const struct hl_apply *apply, const struct hl_write_ops *ops,
                          struct hl_err *err);

#endif
