/* SPDX-License-Identifier: Apache-2.0 */
#include "index/layout.h"

#include "proto/alloc.h"

#include <string.h>

/* Both in one piece of memory, in the place of what the space had. */
static bool set_texts(struct hl_space *space, const struct hl_text *name,
                      const struct hl_text *settings)
{
    char *texts = hl_alloc(name->len + settings->len + 2);

    if (!texts)
        return false;
    memcpy(texts, name->text, name->len);
    texts[name->len] = '\0';
    memcpy(texts + name->len + 1, settings->text, settings->len);
    texts[name->len + 1 + settings->len] = '\0';
    hl_free(space->texts);
    space->texts = texts;
    space->name = texts;
    space->settings = texts + name->len + 1;
    return true;
}

static struct hl_text text_of(const char *text)
{
    return (struct hl_text){text, strlen(text)};
}

static char *copy_text(const struct hl_text *text)
{
    char *copy = hl_alloc(text->len + 1);

    if (!copy)
        return NULL;
    if (text->len > 0)
        memcpy(copy, text->text, text->len);
    copy[text->len] = '\0';
    return copy;
}

struct hl_layout *hl_layout_new(void)
{
    struct hl_layout *layout = hl_alloc_zeroed(1, sizeof *layout);

    if (!layout)
        return NULL;
    atomic_init(&layout->n_refs, 1);
    layout->number = 1;
    layout->config = hl_strdup("");
    if (layout->config)
        return layout;
    hl_free(layout);
    return NULL;
}

static void drop_space(struct hl_space *space)
{
    for (size_t i = 0; i < space->shelf.n_parts; i++)
        hl_part_unref(space->shelf.parts[i]);
    hl_free(space->shelf.parts);
    hl_sparse_unref(space->sparse);
    hl_mapper_unref(space->image.mapper);
    hl_free(space->texts);
}

static bool copy_space(struct hl_space *to, const struct hl_space *from)
{
    const size_t n = from->shelf.n_parts;
    const struct hl_text name = text_of(from->name), settings = text_of(from->settings);

    *to = *from;
    to->shelf.n_parts = 0;
    to->shelf.parts = NULL;
    to->sparse = from->sparse ? hl_sparse_ref(from->sparse) : NULL;
    if (from->image.mapper)
        hl_mapper_ref(from->image.mapper);
    to->texts = NULL;
    if (n > 0)
        to->shelf.parts = hl_alloc_zeroed(n, sizeof(struct hl_part *));
    if (!set_texts(to, &name, &settings) || (n > 0 && !to->shelf.parts)) {
        drop_space(to);
        return false;
    }
    while (to->shelf.n_parts < n) {
        to->shelf.parts[to->shelf.n_parts] =
            hl_part_ref(from->shelf.parts[to->shelf.n_parts]);
        to->shelf.n_parts++;
    }
    return true;
}

struct hl_layout *hl_layout_copy(const struct hl_layout *layout)
{
    struct hl_layout *copy = hl_layout_new();
    const size_t n_all = hl_layout_n_all(layout);

    if (!copy)
        return NULL;
    copy->number = layout->number + 1;
    hl_free(copy->config);
    copy->config = hl_strdup(layout->config);
    hl_layout_set_companion(copy, layout->companion);
    if (n_all > 0)
        copy->spaces = hl_alloc_zeroed(n_all, sizeof *copy->spaces);
    if (!copy->config || (n_all > 0 && !copy->spaces)) {
        hl_layout_unref(copy);
        return NULL;
    }
    for (size_t i = 0; i < n_all; i++) {
        if (!copy_space(&copy->spaces[i], &layout->spaces[i])) {
            hl_layout_unref(copy);
            return NULL;
        }
        copy->n_spaces += i < layout->n_spaces;
        copy->n_images += i >= layout->n_spaces;
    }
    return copy;
}

struct hl_layout *hl_layout_ref(struct hl_layout *layout)
{
    atomic_fetch_add(&layout->n_refs, 1);
    return layout;
}

void hl_layout_unref(struct hl_layout *layout)
{
    if (!layout || atomic_fetch_sub(&layout->n_refs, 1) != 1)
        return;
    for (size_t i = 0; i < hl_layout_n_all(layout); i++)
        drop_space(&layout->spaces[i]);
    hl_companion_unref(layout->companion);
    hl_free(layout->spaces);
    hl_free(layout->config);
    hl_free(layout);
}

const struct hl_space *hl_layout_find(const struct hl_layout *layout,
                                      const struct hl_text *name)
{
    for (size_t i = 0; i < layout->n_spaces; i++)
        if (hl_text_is(name, layout->spaces[i].name))
            return &layout->spaces[i];
    return NULL;
}

static struct hl_space *space_of(struct hl_layout *layout, uint32_t id)
{
    for (size_t i = 0; i < hl_layout_n_all(layout); i++)
        if (layout->spaces[i].id == id)
            return &layout->spaces[i];
    return NULL;
}

const struct hl_space *hl_layout_space(const struct hl_layout *layout, uint32_t id)
{
    for (size_t i = 0; i < hl_layout_n_all(layout); i++)
        if (layout->spaces[i].id == id)
            return &layout->spaces[i];
    return NULL;
}

const struct hl_space *hl_layout_image(const struct hl_layout *layout, uint32_t into,
                                       uint32_t from)
{
    for (size_t i = layout->n_spaces; i < hl_layout_n_all(layout); i++)
        if (layout->spaces[i].image.into == into && layout->spaces[i].image.from == from &&
            layout->spaces[i].image.is_served)
            return &layout->spaces[i];
    return NULL;
}

/* ---- changes of one that is not published ---- */

static enum hl_code fail_no_memory(const char *name, struct hl_err *err)
{
    return hl_fail(err, HL_NO_MEMORY, "no memory for the vectors \"%.64s\"", name);
}

static enum hl_metric metric_of(enum hl_distance distance)
{
    switch (distance) {
    case HL_EUCLID:
        return HL_METRIC_L2;
    case HL_MANHATTAN:
        return HL_METRIC_L1;
    case HL_COSINE:
    case HL_DOT:
    default:
        return HL_METRIC_DOT;
    }
}

static enum hl_code fail_one_more(struct hl_err *err)
{
    return hl_fail(err, HL_NO_MEMORY, "no memory for one more kind of vectors");
}

/* Room for one more behind all. */
static bool make_room(struct hl_layout *layout)
{
    struct hl_space *spaces =
        hl_realloc(layout->spaces, (hl_layout_n_all(layout) + 1) * sizeof *spaces);

    if (spaces)
        layout->spaces = spaces;
    return spaces != NULL;
}

enum hl_code hl_layout_add_space(struct hl_layout *layout, uint32_t id,
                                 const struct hl_vector_config *config, struct hl_err *err)
{
    struct hl_space space = {.id = id,
                             .dim = config->is_sparse ? 0 : config->size,
                             .distance = config->distance,
                             .is_on_disk = config->is_on_disk,
                             .sparse = config->is_sparse ? hl_sparse_new() : NULL,
                             .shelf = {.metric = metric_of(config->distance),
                                       .dim = config->is_sparse ? 0 : config->size}};

    if (!make_room(layout) || !set_texts(&space, &config->name, &config->text) ||
        (config->is_sparse && !space.sparse)) {
        drop_space(&space);
        return fail_one_more(err);
    }
    memmove(&layout->spaces[layout->n_spaces + 1], &layout->spaces[layout->n_spaces],
            layout->n_images * sizeof *layout->spaces);
    layout->spaces[layout->n_spaces++] = space;
    return HL_OK;
}

enum hl_code hl_layout_add_image(struct hl_layout *layout, uint32_t id,
                                 const struct hl_image *image,
                                 const struct hl_text *settings, struct hl_err *err)
{
    const struct hl_space *into = hl_layout_space(layout, image->into);
    const struct hl_text unnamed = {"", 0};
    struct hl_space space = {.id = id,
                             .dim = into->dim,
                             .distance = into->distance,
                             .is_on_disk = into->is_on_disk,
                             .shelf = {.metric = into->shelf.metric, .dim = into->dim},
                             .image = *image};

    if (image->mapper)
        hl_mapper_ref(image->mapper);
    if (!make_room(layout) || !set_texts(&space, &unnamed, settings)) {
        drop_space(&space);
        return fail_one_more(err);
    }
    layout->spaces[hl_layout_n_all(layout)] = space;
    layout->n_images++;
    return HL_OK;
}

enum hl_code hl_layout_set_space(struct hl_layout *layout, uint32_t id,
                                 const struct hl_text *settings, struct hl_err *err)
{
    struct hl_space *space = space_of(layout, id);
    const struct hl_text name = text_of(space->name);

    return set_texts(space, &name, settings) ? HL_OK : fail_no_memory(space->name, err);
}

void hl_layout_serve_image(struct hl_layout *layout, uint32_t id)
{
    space_of(layout, id)->image.is_served = true;
}

void hl_layout_set_companion(struct hl_layout *layout, struct hl_companion *companion)
{
    struct hl_companion *old = layout->companion;

    layout->companion = companion ? hl_companion_ref(companion) : NULL;
    hl_companion_unref(old);
}

void hl_layout_drop_space(struct hl_layout *layout, uint32_t id)
{
    struct hl_space *space = space_of(layout, id);
    size_t at;

    if (!space)
        return;
    at = (size_t)(space - layout->spaces);
    drop_space(space);
    memmove(space, space + 1, (hl_layout_n_all(layout) - at - 1) * sizeof *space);
    if (at < layout->n_spaces)
        layout->n_spaces--;
    else
        layout->n_images--;
}

enum hl_code hl_layout_set_config(struct hl_layout *layout, const struct hl_text *config,
                                  struct hl_err *err)
{
    char *copy = copy_text(config);

    if (!copy)
        return hl_fail(err, HL_NO_MEMORY, "no memory for the collection's configuration");
    hl_free(layout->config);
    layout->config = copy;
    return HL_OK;
}

enum hl_code hl_layout_add_part(struct hl_layout *layout, uint32_t id, struct hl_part *part,
                                struct hl_err *err)
{
    struct hl_space *space = space_of(layout, id);
    struct hl_shelf *shelf = &space->shelf;
    struct hl_part **parts =
        hl_realloc(shelf->parts, (shelf->n_parts + 1) * sizeof(struct hl_part *));

    if (!parts)
        return fail_no_memory(space->name, err);
    shelf->parts = parts;
    parts[shelf->n_parts++] = hl_part_ref(part);
    return HL_OK;
}

enum hl_code hl_layout_swap_parts(struct hl_layout *layout, uint32_t id,
                                  struct hl_part *const *olds, size_t n,
                                  struct hl_part *part, struct hl_err *err)
{
    struct hl_space *space = space_of(layout, id);
    size_t at = 0;

    while (space && at < space->shelf.n_parts && space->shelf.parts[at] != olds[0])
        at++;
    if (!space || at + n > space->shelf.n_parts ||
        memcmp(&space->shelf.parts[at], olds, n * sizeof(struct hl_part *)) != 0)
        return hl_fail(err, HL_CONFLICT, "the parts that were merged are gone");
    for (size_t i = 0; i < n; i++)
        hl_part_unref(space->shelf.parts[at + i]);
    if (part)
        space->shelf.parts[at] = hl_part_ref(part);
    memmove(&space->shelf.parts[at + (part ? 1 : 0)], &space->shelf.parts[at + n],
            (space->shelf.n_parts - at - n) * sizeof(struct hl_part *));
    space->shelf.n_parts -= n - (part ? 1 : 0);
    return HL_OK;
}
