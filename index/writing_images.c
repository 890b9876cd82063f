/* SPDX-License-Identifier: Apache-2.0 */
#include "index/writing_part.h"

#include "index/apply.h"
#include "proto/alloc.h"
#include "proto/encode.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { LOOKED_AT = 4096, WRITTEN = 128, NAME_ROOM = 64, LARGEST_SETTINGS = 1 << 16 };
enum { CLEANED = 2000 };

static enum hl_code fail_no_memory(struct hl_err *err)
{
    return hl_fail(err, HL_NO_MEMORY, "no memory for a transaction");
}

/* Before the caller's own settings: what index/collection_load.c reads again. */
static enum hl_code print_settings(const struct hl_image *image,
                                   const struct hl_text *settings, struct hl_buf *buf,
                                   struct hl_err *err)
{
    hl_buf_print(buf,
                 "{\"image\":{\"into\":%" PRIu32 ",\"from\":%" PRIu32 ",\"hops\":%" PRIu32
                 ",\"revision\":%" PRIu64 ",\"served\":%s},\"by\":",
                 image->into, image->from, image->n_hops, image->revision,
                 image->is_served ? "true" : "false");
    hl_buf_add(buf, settings->text, settings->len);
    hl_buf_add_char(buf, '}');
    return hl_buf_check(buf, "the settings of images", err);
}

enum hl_code hl_writing_add_image(struct hl_writing *writing, const struct hl_image *image,
                                  const struct hl_text *settings, uint32_t *ret_space,
                                  struct hl_err *err)
{
    const struct hl_space *into = hl_layout_space(hl_writing_layout(writing), image->into);
    char *name = hl_arena_array(writing->arena, NAME_ROOM, 1), *text;
    struct hl_image unserved = *image;
    struct hl_buf buf;
    struct hl_layout *own;
    enum hl_code code;

    if (!name)
        return hl_arena_fail(writing->arena, err, "images");
    /* No caller's name begins so: it is no text that a path can hold. */
    (void)snprintf(name, NAME_ROOM, "\001%" PRIu32 " %" PRIu32 " %" PRIu64, image->into,
                   image->from, writing->commit);
    unserved.is_served = false;
    hl_buf_init(&buf, LARGEST_SETTINGS);
    code = print_settings(&unserved, settings, &buf, err);
    text = code == HL_OK ? hl_arena_copy(writing->arena, buf.data, buf.len) : NULL;
    if (code == HL_OK && !text)
        code = hl_arena_fail(writing->arena, err, "images");
    if (code == HL_OK)
        code = hl_store_add_space(
            writing->store,
            &(struct hl_store_space){.dim = into->dim, .name = name, .settings = text},
            ret_space, err);
    own = code == HL_OK ? hl_writing_own_layout(writing) : NULL;
    if (code == HL_OK && !own)
        code = fail_no_memory(err);
    if (code == HL_OK)
        code = hl_layout_add_image(own, *ret_space, &unserved,
                                   &(struct hl_text){text, buf.len}, err);
    hl_buf_done(&buf);
    return code;
}

/* The text again, with the word in it. */
static enum hl_code serve_image(struct hl_writing *writing, const struct hl_space *space,
                                struct hl_err *err)
{
    static const char before[] = "},\"by\":";
    const char *by = strstr(space->settings, before) + sizeof before - 1;
    const struct hl_text settings = {by, strlen(by) - 1};
    const uint32_t id = space->id;
    struct hl_image image = space->image;
    struct hl_layout *own;
    struct hl_text text;
    struct hl_buf buf;
    enum hl_code code;

    image.is_served = true;
    hl_buf_init(&buf, LARGEST_SETTINGS);
    code = print_settings(&image, &settings, &buf, err);
    if (code == HL_OK) {
        text = (struct hl_text){hl_arena_copy(writing->arena, buf.data, buf.len), buf.len};
        code = text.text ? hl_store_set_space(writing->store, id, text.text, err)
                         : hl_arena_fail(writing->arena, err, "images");
    }
    own = code == HL_OK ? hl_writing_own_layout(writing) : NULL;
    if (code == HL_OK && !own)
        code = fail_no_memory(err);
    if (code == HL_OK)
        code = hl_layout_set_space(own, id, &text, err);
    if (code == HL_OK)
        hl_layout_serve_image(own, id);
    hl_buf_done(&buf);
    return code;
}

/* `into` 0: of all spaces. */
static enum hl_code drop_images(struct hl_writing *writing, uint32_t into, bool is_served,
                                struct hl_err *err)
{
    const struct hl_layout *layout = hl_writing_layout(writing);
    enum hl_code code = HL_OK;

    for (size_t i = hl_layout_n_all(layout); code == HL_OK && i-- > layout->n_spaces;) {
        const struct hl_image *image = &layout->spaces[i].image;

        if (image->is_served != is_served || (into != 0 && image->into != into))
            continue;
        code = hl_writing_forget_space(writing, layout->spaces[i].id, err);
        layout = hl_writing_layout(writing);
    }
    return code;
}

enum hl_code hl_writing_serve_images(struct hl_writing *writing, uint32_t into,
                                     struct hl_err *err)
{
    const struct hl_layout *layout;
    enum hl_code code = drop_images(writing, into, true, err);

    layout = hl_writing_layout(writing);
    for (size_t i = layout->n_spaces; code == HL_OK && i < hl_layout_n_all(layout); i++) {
        if (layout->spaces[i].image.into == into)
            code = serve_image(writing, &layout->spaces[i], err);
        layout = hl_writing_layout(writing);
    }
    return code;
}

enum hl_code hl_writing_drop_unserved(struct hl_writing *writing, struct hl_err *err)
{
    return drop_images(writing, 0, false, err);
}

enum hl_code hl_writing_set_companion(struct hl_writing *writing,
                                      struct hl_companion *companion, struct hl_err *err)
{
    struct hl_layout *own = hl_writing_own_layout(writing);

    if (!own)
        return fail_no_memory(err);
    hl_layout_set_companion(own, companion);
    return HL_OK;
}

/* ---- what an interrupted change of images left ---- */

static enum hl_code drop_leftovers(struct hl_change *change, struct hl_writing *writing,
                                   struct hl_err *err)
{
    (void)change;
    return hl_writing_drop_unserved(writing, err);
}

/* A failure is told by whoever commits; what is left goes at the next opening. */
static void end_leftovers(struct hl_change *change, enum hl_code code,
                          const struct hl_err *err)
{
    (void)code;
    (void)err;
    hl_free(change);
}

void hl_collection_drop_leftovers(struct hl_collection *collection)
{
    const struct hl_layout *layout = collection->layout;
    bool is_any = false;
    struct hl_change *change;
    struct hl_err ignored;

    for (size_t i = layout->n_spaces; i < hl_layout_n_all(layout); i++)
        is_any |= !layout->spaces[i].image.is_served;
    change = is_any ? hl_alloc_zeroed(1, sizeof *change) : NULL;
    if (!change)
        return;
    change->run = drop_leftovers;
    change->done = end_leftovers;
    if (hl_collection_submit(collection, change, &ignored) != HL_OK)
        hl_free(change);
}

/* ---- points that have no images yet ---- */

struct search {
    const struct hl_layout *layout;
    uint32_t *numbers;
    size_t n, n_seen;
    uint32_t next; /* 0: the scan came to its end */
};

static bool look_at(void *self, const struct hl_store_point *point)
{
    struct search *search = self;

    if (search->n == WRITTEN || search->n_seen == LOOKED_AT) {
        search->next = point->number;
        return false;
    }
    search->n_seen++;
    if (!hl_apply_is_expressed(search->layout, point))
        search->numbers[search->n++] = point->number;
    return true;
}

enum hl_code hl_writing_express(struct hl_writing *writing, struct hl_arena *arena,
                                uint32_t *next, struct hl_err *err)
{
    const struct hl_apply apply = {.store = writing->store,
                                   .layout = hl_writing_layout(writing),
                                   .arena = arena,
                                   .deadline = writing->deadline};
    const struct hl_reader_scan scan = {
        .order = HL_READ_BY_NUMBER, .from_number = *next, .deadline = writing->deadline};
    struct search search = {.layout = apply.layout,
                            .numbers = hl_arena_array(arena, WRITTEN, sizeof(uint32_t))};
    size_t n_done;
    enum hl_code code;

    if (!search.numbers)
        return hl_arena_fail(arena, err, "points without images");
    code = hl_reader_scan(hl_store_inside(writing->store), &scan, look_at, &search, err);
    for (size_t i = 0; code == HL_OK && i < search.n; i++)
        code = hl_apply_image(&apply, search.numbers[i], &n_done, err);
    if (code == HL_OK)
        *next = search.next;
    return code;
}

enum hl_code hl_writing_clean(struct hl_writing *writing, bool *ret_is_done,
                              struct hl_err *err)
{
    return hl_store_clean(writing->store, hl_collection_oldest(writing->collection),
                          CLEANED, ret_is_done, err);
}
