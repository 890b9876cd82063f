/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HL_INDEX_WRITING_H
#define HL_INDEX_WRITING_H

#include "index/collection.h"
#include "proto/loss.h"

/* What a change may do while it runs: everything here is part of the same transaction and
 * seen by the next call. For `run` of a struct hl_change alone, on its thread.
 *
 * After any error the change returns it; its part of the transaction is undone. */

/* The operations of one request, in order. The arena is for its work. Refuses with the
 * wire's sentences what does not fit the collection: unknown vector names
 * (HL_UNKNOWN_VECTOR), sizes (HL_DIMENSION_MISMATCH), and so on.
 *
 * `losses` (NULL: HL_LOSS_ALLOW, not counted) is about points that are replaced while
 * images are served: of those vectors that are in a space with images, or are what images
 * are made of. HL_CONFLICT where its rule refuses. */
enum hl_code hl_writing_apply(struct hl_writing *writing, const struct hl_write_ops *ops,
                              struct hl_losses *losses, struct hl_arena *arena,
                              struct hl_err *err);

/* HL_EXISTS when a space has the name. */
enum hl_code hl_writing_add_space(struct hl_writing *writing,
                                  const struct hl_vector_config *config,
                                  struct hl_err *err);

/* Replaces the text that declared it; name, size and distance stay. HL_NOT_FOUND. */
enum hl_code hl_writing_set_space(struct hl_writing *writing, const struct hl_text *name,
                                  const struct hl_text *settings, struct hl_err *err);

/* HL_CONFLICT with a count while points have no other vector; HL_NOT_FOUND. */
enum hl_code hl_writing_drop_space(struct hl_writing *writing, const struct hl_text *name,
                                   struct hl_err *err);

/* ---- images (index/image.h) ---- */

/* A space of images, empty and not served: the points there are get theirs by
 * hl_writing_express, those that change by the change. What is not served when a collection
 * is opened goes. `image->into` and `from` are dense spaces of the layout; `settings` is
 * the caller's text, JSON, by which the mapper is found again. */
enum hl_code hl_writing_add_image(struct hl_writing *writing, const struct hl_image *image,
                                  const struct hl_text *settings, uint32_t *ret_space,
                                  struct hl_err *err);

/* In one space the images that are not served take the place of those that are: of all,
 * though there be none. And the other way back: what is not served goes, of all spaces. */
enum hl_code hl_writing_serve_images(struct hl_writing *writing, uint32_t into,
                                     struct hl_err *err);
enum hl_code hl_writing_drop_unserved(struct hl_writing *writing, struct hl_err *err);

/* What is published with the layout; NULL: nothing. */
enum hl_code hl_writing_set_companion(struct hl_writing *writing,
                                      struct hl_companion *companion, struct hl_err *err);

/* Puts the images of points right, by their numbers from `*next` on, until about a
 * hundred were written or some thousands looked at: whoever writes meanwhile waits as long.
 * *next is where to go on, 0 at the end. */
enum hl_code hl_writing_express(struct hl_writing *writing, struct hl_arena *arena,
                                uint32_t *next, struct hl_err *err);

/* Removes some of what images that went left in the store: *ret_is_done when nothing is
 * left that no look can see. It is done by and by beside other changes and when there are
 * none; who makes many at once does it before, or the store grows. */
enum hl_code hl_writing_clean(struct hl_writing *writing, bool *ret_is_done,
                              struct hl_err *err);

/* As the same index already is there: nothing. As another: it takes its place. */
enum hl_code hl_writing_add_index(struct hl_writing *writing,
                                  const struct hl_payload_index *index, struct hl_err *err);
enum hl_code hl_writing_drop_index(struct hl_writing *writing, const struct hl_text *path,
                                   bool *ret_existed, struct hl_err *err);

/* The server's text about the collection; hl_layout has it as `config`. */
enum hl_code hl_writing_set_config(struct hl_writing *writing, const struct hl_text *config,
                                   struct hl_err *err);

/* The layout as this transaction leaves it so far; good until the next call. */
const struct hl_layout *hl_writing_layout(const struct hl_writing *writing);

/* The store and its commit, for records and for those who must look before they write. */
struct hl_store *hl_writing_store(struct hl_writing *writing);
uint64_t hl_writing_commit(const struct hl_writing *writing);

#endif
