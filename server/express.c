/* SPDX-License-Identifier: Apache-2.0 */
#include "server/express.h"

#include "server/change.h"

#include <time.h>

/* A change holds the collection's writer for some milliseconds. The next one waits as long
 * as the last one took, so that half of the writer and of the processor is for others. */
enum { EXPRESS_MEMORY = 64 << 20, MOST_PAUSE_US = 50000, FULL_PAUSE_US = 100000 };

static int64_t now_us(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

static void rest(int64_t us)
{
    const struct timespec pause = {.tv_sec = us / 1000000, .tv_nsec = us % 1000000 * 1000};

    nanosleep(&pause, NULL);
}

static void rest_after(int64_t began_us)
{
    const int64_t took_us = now_us() - began_us;

    rest(took_us < MOST_PAUSE_US ? took_us : MOST_PAUSE_US);
}

/* ---- what is to be done ---- */

static struct hl_way *find_served(const struct hl_layout *layout, uint32_t into,
                                  uint32_t from)
{
    const struct hl_space *image = hl_layout_image(layout, into, from);

    return image ? hl_way_of(image->image.mapper) : NULL;
}

static bool is_changed(const struct hl_layout *layout, const struct hl_activations *next,
                       uint32_t into)
{
    struct hl_models sources;
    size_t n_served = 0;

    hl_reach_into(next, into, &sources);
    for (size_t i = layout->n_spaces; i < hl_layout_n_all(layout); i++)
        n_served +=
            layout->spaces[i].image.is_served && layout->spaces[i].image.into == into;
    for (size_t i = 0; i < sources.n; i++) {
        const struct hl_way *way = find_served(layout, into, sources.ids[i]);
        const struct hl_trail trail = hl_reach_trail(next, sources.ids[i], into);

        if (!way || !hl_way_is(way, trail.hops, trail.n_hops))
            return true;
    }
    return n_served != sources.n;
}

static enum hl_code add_way(struct hl_express *express, const struct hl_holdings *holdings,
                            const struct hl_activations *next, uint32_t into, uint32_t from,
                            struct hl_err *err)
{
    const struct hl_trail trail = hl_reach_trail(next, from, into);
    struct hl_way *way = find_served(holdings->layout, into, from);
    enum hl_code code = HL_OK;

    if (way && hl_way_is(way, trail.hops, trail.n_hops))
        (void)hl_way_ref(way);
    else
        code = hl_way_load(holdings->reader, trail.hops, trail.n_hops, &way, err);
    if (code == HL_OK)
        express->images[express->n_images++] =
            (struct hl_express_image){.into = into, .from = from, .way = way};
    return code;
}

static void find_changed(struct hl_express *express, const struct hl_layout *layout,
                         const struct hl_activations *next)
{
    for (size_t i = 0; i < layout->n_spaces; i++)
        if (is_changed(layout, next, layout->spaces[i].id))
            hl_models_add(&express->changed, layout->spaces[i].id);
}

enum hl_code hl_express_init(struct hl_express *express, const struct hl_holdings *holdings,
                             const struct hl_activations *next, struct hl_err *err)
{
    struct hl_models sources;
    size_t n = 0;
    enum hl_code code = HL_OK;

    *express = (struct hl_express){.collection = hl_collection_ref(holdings->collection),
                                   .arena = hl_arena_new(EXPRESS_MEMORY),
                                   .n_points = hl_look_n_points(holdings->look)};
    if (!express->arena)
        return hl_fail(err, HL_NO_MEMORY, "no memory for images");
    find_changed(express, holdings->layout, next);
    for (size_t i = 0; i < express->changed.n; i++) {
        hl_reach_into(next, express->changed.ids[i], &sources);
        n += sources.n;
    }
    express->images = hl_arena_array(express->arena, n + 1, sizeof *express->images);
    if (!express->images)
        return hl_arena_fail(express->arena, err, "images");
    for (size_t i = 0; i < express->changed.n; i++) {
        hl_reach_into(next, express->changed.ids[i], &sources);
        for (size_t k = 0; code == HL_OK && k < sources.n; k++)
            code = add_way(express, holdings, next, express->changed.ids[i], sources.ids[k],
                           err);
    }
    return code;
}

void hl_express_done(struct hl_express *express)
{
    for (size_t i = 0; i < express->n_images; i++)
        hl_way_unref(express->images[i].way);
    hl_arena_free(express->arena);
    hl_collection_unref(express->collection);
    *express = (struct hl_express){.collection = NULL};
}

/* ---- what former images left ---- */

static enum hl_code clean_some(void *self, struct hl_writing *writing, struct hl_err *err)
{
    return hl_writing_clean(writing, self, err);
}

/* Whoever changes what serves again and again would fill the disk with what was, since the
 * cleaning of a busy collection is slower. */
static enum hl_code clean_up(const struct hl_express *express,
                             const struct hl_errand *errand, struct hl_err *err)
{
    bool is_done = false;
    enum hl_code code = HL_OK;

    while (code == HL_OK && !is_done) {
        const int64_t began_us = now_us();

        code = hl_deadline_check(errand->deadline, "making images", err);
        if (code == HL_OK)
            code = hl_pending_run_now(express->collection, clean_some, &is_done, err);
        if (!is_done)
            rest_after(began_us);
    }
    return code;
}

/* ---- making ---- */

static enum hl_code add_image(struct hl_writing *writing,
                              const struct hl_express_image *image, struct hl_err *err)
{
    struct hl_way *way = image->way;
    const struct hl_image entry = {.into = image->into,
                                   .from = image->from,
                                   .n_hops = (uint32_t)way->n_hops,
                                   .revision = way->hops[0].revision,
                                   .mapper = &way->mapper};
    const struct hl_layout *layout = hl_writing_layout(writing);
    struct hl_text settings;
    struct hl_buf text;
    uint32_t space;
    enum hl_code code;

    if (!hl_layout_space(layout, image->into) || !hl_layout_space(layout, image->from))
        return hl_fail(err, HL_CONFLICT, "a vector was deleted meanwhile");
    hl_buf_init(&text, 1024);
    hl_way_print(way->hops, way->n_hops, &text);
    code = hl_buf_check(&text, "the settings of images", err);
    settings = (struct hl_text){text.data, text.len};
    if (code == HL_OK)
        code = hl_writing_add_image(writing, &entry, &settings, &space, err);
    hl_buf_done(&text);
    return code;
}

static enum hl_code add_images(void *self, struct hl_writing *writing, struct hl_err *err)
{
    const struct hl_express *express = self;
    enum hl_code code = hl_writing_drop_unserved(writing, err);

    for (size_t i = 0; code == HL_OK && i < express->n_images; i++)
        code = add_image(writing, &express->images[i], err);
    return code;
}

struct batch {
    struct hl_arena *arena;
    uint32_t from, next;
    bool is_last;
};

static enum hl_code express_some(void *self, struct hl_writing *writing, struct hl_err *err)
{
    struct batch *batch = self;

    hl_arena_reset(batch->arena);
    batch->next = batch->from; /* it may be run again */
    return hl_writing_express(writing, batch->arena, &batch->next, err);
}

/* One batch, and the pause behind it. */
static enum hl_code make_some(struct hl_express *express, struct batch *batch,
                              struct hl_err *err)
{
    const int64_t began_us = now_us();
    struct hl_err why;
    enum hl_code code =
        hl_pending_upsert_now(express->collection, express_some, batch, &why);

    if (code == HL_TOO_MANY) {
        rest(FULL_PAUSE_US);
        return HL_OK;
    }
    if (code != HL_OK) {
        *err = why;
        return code;
    }
    batch->from = batch->next;
    batch->is_last = batch->next == 0;
    if (!batch->is_last)
        rest_after(began_us);
    return HL_OK;
}

static void tell(const struct hl_express *express, const struct hl_errand *errand,
                 uint32_t next)
{
    const double n = (double)(express->n_points ? express->n_points : 1);
    const double share = (double)next / n;

    if (errand->tell)
        errand->tell(errand->self, "expressing", share < 0.99 ? share : 0.99);
}

enum hl_code hl_express_make(struct hl_express *express, const struct hl_errand *errand,
                             struct hl_err *err)
{
    struct batch batch = {.arena = hl_arena_new(EXPRESS_MEMORY)};
    enum hl_code code = HL_OK;

    if (!batch.arena)
        return hl_fail(err, HL_NO_MEMORY, "no memory for images");
    if (express->n_images > 0)
        code = clean_up(express, errand, err);
    if (code == HL_OK && express->n_images > 0)
        code = hl_pending_run_now(express->collection, add_images, express, err);
    if (code == HL_OK && express->n_images > 0)
        do {
            tell(express, errand, batch.from);
            code = hl_deadline_check(errand->deadline, "making images", err);
            if (code == HL_OK)
                code = make_some(express, &batch, err);
        } while (code == HL_OK && !batch.is_last);
    hl_arena_free(batch.arena);
    return code;
}

enum hl_code hl_express_serve(const struct hl_express *express, struct hl_writing *writing,
                              struct hl_err *err)
{
    enum hl_code code = HL_OK;

    for (size_t i = 0; code == HL_OK && i < express->changed.n; i++)
        code = hl_writing_serve_images(writing, express->changed.ids[i], err);
    return code;
}

static enum hl_code drop(void *self, struct hl_writing *writing, struct hl_err *err)
{
    (void)self;
    return hl_writing_drop_unserved(writing, err);
}

enum hl_code hl_express_drop(struct hl_express *express, struct hl_err *err)
{
    return express->n_images > 0 ? hl_pending_run_now(express->collection, drop, NULL, err)
                                 : HL_OK;
}
