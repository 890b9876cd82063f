/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HL_INDEX_LAYOUT_H
#define HL_INDEX_LAYOUT_H

#include "index/image.h"
#include "index/shelf.h"
#include "index/sparse.h"
#include "proto/collections.h"

#include <stdatomic.h>

/* What a collection consists of: its spaces, each with the shelf it is searched on, and the
 * server's own text about the collection.
 *
 * Immutable once published, and counted: readers hold a reference for one request, the next
 * layout is built aside from the one before and takes its place. Any thread may read one it
 * holds a reference to. */
struct hl_space {
    uint32_t id;          /* the store's, never used twice */
    uint32_t dim;         /* 0: sparse */
    const char *name;     /* "" for the unnamed one */
    const char *settings; /* the text of the object that declared it */
    char *texts;          /* the two above */
    enum hl_distance distance;
    bool is_on_disk;          /* as it was declared: of the segments that are opened */
    struct hl_shelf shelf;    /* of a dense space */
    struct hl_sparse *sparse; /* of a sparse one, else NULL; a reference */
    struct hl_image image;    /* `into` 0: a space of vectors that points were given */
};

struct hl_layout {
    atomic_size_t n_refs;
    uint64_t number; /* 1 for the first, then counting */
    size_t n_spaces, n_images;
    struct hl_space *spaces; /* n_spaces that callers know, then n_images of images; each in
                                the order they were made */
    char *config;            /* the server's text, "" until it says one */
    struct hl_companion *companion; /* likewise its; a reference, or NULL */
};

/* Without spaces; one reference, the caller's. NULL: no memory. */
struct hl_layout *hl_layout_new(void);

/* The next one, as the one before: the caller may change it until it is published. NULL: no
 * memory. */
struct hl_layout *hl_layout_copy(const struct hl_layout *layout);
struct hl_layout *hl_layout_ref(struct hl_layout *layout);
void hl_layout_unref(struct hl_layout *layout); /* NULL is accepted */

static inline size_t hl_layout_n_all(const struct hl_layout *layout)
{
    return layout->n_spaces + layout->n_images;
}

/* By name, of those that callers know; NULL when there is none. */
const struct hl_space *hl_layout_find(const struct hl_layout *layout,
                                      const struct hl_text *name);
const struct hl_space *hl_layout_space(const struct hl_layout *layout, uint32_t id);

/* The images that are served of a pair of spaces; NULL when there are none. */
const struct hl_space *hl_layout_image(const struct hl_layout *layout, uint32_t into,
                                       uint32_t from);

/* ---- changes of one that is not published ---- */

/* A space without rows; `settings` is read for its distance. */
enum hl_code hl_layout_add_space(struct hl_layout *layout, uint32_t id,
                                 const struct hl_vector_config *config, struct hl_err *err);
enum hl_code hl_layout_set_space(struct hl_layout *layout, uint32_t id,
                                 const struct hl_text *settings, struct hl_err *err);

/* A space of images, of the size and distance of image->into, which is there. It takes a
 * reference to the mapper. */
enum hl_code hl_layout_add_image(struct hl_layout *layout, uint32_t id,
                                 const struct hl_image *image,
                                 const struct hl_text *settings, struct hl_err *err);
void hl_layout_drop_space(struct hl_layout *layout, uint32_t id);

/* They are served from now on. */
void hl_layout_serve_image(struct hl_layout *layout, uint32_t id);

/* Takes a reference; NULL: none. */
void hl_layout_set_companion(struct hl_layout *layout, struct hl_companion *companion);
enum hl_code hl_layout_set_config(struct hl_layout *layout, const struct hl_text *config,
                                  struct hl_err *err);

/* The shelf of a space gets one more part at its end, or `part` (NULL: nothing) in the
 * place of the `n` parts from `at` on. The layout takes a reference of its own. */
enum hl_code hl_layout_add_part(struct hl_layout *layout, uint32_t id, struct hl_part *part,
                                struct hl_err *err);
enum hl_code hl_layout_swap_parts(struct hl_layout *layout, uint32_t id,
                                  struct hl_part *const *olds, size_t n,
                                  struct hl_part *part, struct hl_err *err);

#endif
