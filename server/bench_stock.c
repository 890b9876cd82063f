/* SPDX-License-Identifier: Apache-2.0 */
#include "server/bench_stock.h"

#include "proto/alloc.h"
#include "proto/encode.h"
#include "proto/npy.h"
#include "proto/number.h"
#include "proto/points.h"
#include "proto/random.h"
#include "server/show.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

enum {
    PAGE = 10000,
    MOST_PAGES = 100,
    POINTS_AT_ONCE = 100,
    BODY_SIZE = 1 << 20,
    OFFSET_SIZE = 64
};
#define REPLY_MEMORY ((size_t)1 << 30)

/* The work of one load. */
struct stocking {
    const struct hl_bench *bench;
    struct hl_remote *remote;
    struct hl_bench_stock stock;
    struct hl_buf body;
    struct hl_arena *arena; /* of one reply */
    struct hl_random random;
    uint64_t n_seen; /* ids */
    size_t n_room;
};

/* ---- the model ---- */

static enum hl_code find_size(struct stocking *work, struct hl_err *err)
{
    const char *name = work->bench->using_name;
    const char *const path[] = {
        "result", "config", "params", "vectors", *name ? name : "size", "size"};
    struct hl_span reply, text = {0};
    uint64_t size = 0;
    enum hl_code code = hl_remote_peek(work->remote, "", &reply, err);

    if (code == HL_OK)
        code = hl_reply_find(&reply, path, *name ? 6 : 5, work->arena, &text, err);
    if (code != HL_OK)
        return code;
    if (!text.data || !hl_number_u64(text.data, text.len, &size) || size == 0)
        return hl_fail(err, HL_NOT_FOUND, "collection \"%s\" has no dense vector \"%s\"%s",
                       work->bench->collection, name,
                       *name ? "" : ": \"--using\" names one of its models");
    work->stock.dim = (size_t)size;
    return HL_OK;
}

static enum hl_code make_room(struct stocking *work, size_t n, struct hl_err *err)
{
    size_t bytes;

    if (!hl_size_mul(n, work->stock.dim * sizeof(float), &bytes) ||
        !(work->stock.values = hl_alloc(bytes)))
        return hl_fail(err, HL_NO_MEMORY, "no memory for %zu queries of %zu numbers", n,
                       work->stock.dim);
    return HL_OK;
}

/* ---- out of a file ---- */

static enum hl_code read_rows(struct stocking *work, const struct hl_npy *npy,
                              struct hl_err *err)
{
    const struct hl_bench *bench = work->bench;
    const size_t n = npy->n_rows < bench->pool ? (size_t)npy->n_rows : (size_t)bench->pool;
    struct hl_batch rows;
    enum hl_code code;

    if (npy->dim != work->stock.dim || npy->n_rows == 0)
        return hl_fail(err, HL_INVALID,
                       "\"%s\" has %" PRIu64 " rows of %zu numbers, a query has %zu",
                       bench->queries, npy->n_rows, npy->dim, work->stock.dim);
    code = make_room(work, n, err);
    if (code == HL_OK)
        code = hl_npy_floats(npy, 0, n, work->stock.values, err);
    rows = (struct hl_batch){work->stock.values, n, work->stock.dim};
    if (code == HL_OK && hl_batch_check_finite(&rows, err) != HL_OK)
        code = hl_fail_in(err, "%s", bench->queries);
    if (code == HL_OK)
        work->stock.n_rows = n;
    return code;
}

static enum hl_code load_file(struct stocking *work, struct hl_err *err)
{
    struct hl_file *file = NULL;
    struct hl_source source;
    struct hl_npy npy;
    enum hl_code code = hl_file_open(work->bench->queries, HL_FILE_READ, &file, err);

    if (code == HL_OK)
        code = hl_source_of_file(file, &source, err);
    if (code == HL_OK)
        code = hl_npy_init(&source, &npy, err);
    if (code == HL_OK)
        code = read_rows(work, &npy, err);
    hl_file_close(file);
    return code;
}

/* ---- out of the gallery ---- */

/* Each id that was seen is as likely to be among those that are kept as any other. */
static void keep_id(struct stocking *work, const struct hl_id *id)
{
    struct hl_bench_stock *stock = &work->stock;
    size_t at = stock->n_ids;

    work->n_seen++;
    if (at < work->n_room)
        stock->n_ids++;
    else
        at = hl_random_below(&work->random, (uint32_t)work->n_seen);
    if (at < work->n_room)
        stock->ids[at] = *id;
}

/* The points in a reply, and the tokens that read them, which are good as long as it. */
static enum hl_code open_points(struct stocking *work, const struct hl_span *reply,
                                const char *const *path, size_t n, struct hl_tokens *tokens,
                                struct hl_err *err)
{
    struct hl_span text = {0};
    enum hl_code code = hl_reply_find(reply, path, n, work->arena, &text, err);

    if (code == HL_OK && !text.data)
        return hl_fail(err, HL_BAD_FILE, "the reply has no points");
    if (code != HL_OK)
        return code;
    hl_tokens_init(tokens, text.data, text.len, work->arena);
    tokens->what = "the reply";
    return HL_OK;
}

static enum hl_code keep_point(struct stocking *work, const struct hl_field *point,
                               struct hl_err *err)
{
    static const char *const names[] = {"id"};
    const struct hl_field *member = point;
    struct hl_object object;
    struct hl_id id;
    enum hl_code code = hl_object_begin(point, names, 1, &object, err);

    while (code == HL_OK && member) {
        code = hl_object_next(&object, &member, err);
        if (code != HL_OK || !member || object.which != 0)
            continue;
        code = hl_id_read(member, &id, err);
        if (code == HL_OK)
            keep_id(work, &id);
    }
    return code;
}

static enum hl_code keep_page(struct stocking *work, const struct hl_span *reply,
                              struct hl_err *err)
{
    static const char *const in[] = {"result", "points"};
    struct hl_tokens tokens;
    struct hl_items items;
    struct hl_field root;
    const struct hl_field *item = NULL;
    enum hl_code code = open_points(work, reply, in, 2, &tokens, err);

    if (code != HL_OK)
        return code;
    root = hl_field_root(&tokens);
    code = hl_items_begin(&root, &items, err);
    do {
        if (code == HL_OK)
            code = hl_items_next(&items, &item, err);
        if (code == HL_OK && item)
            code = keep_point(work, item, err);
    } while (code == HL_OK && item);
    return code;
}

static enum hl_code print_page(struct stocking *work, const char *offset,
                               struct hl_err *err)
{
    struct hl_buf *body = &work->body;

    hl_buf_clear(body, BODY_SIZE);
    hl_buf_print(body, "{\"limit\":%d,\"with_payload\":false,\"with_vector\":false", PAGE);
    hl_buf_add_text(body, ",\"filter\":{\"must\":[{\"has_vector\":");
    hl_encode_string(body, work->bench->using_name);
    hl_buf_add_text(body, "}]}");
    if (*offset)
        hl_buf_print(body, ",\"offset\":%s", offset);
    hl_buf_add_char(body, '}');
    return hl_buf_check(body, "the request", err);
}

/* Where the next page begins, in the words of the reply; empty behind the last. */
static enum hl_code find_next(struct stocking *work, const struct hl_span *reply,
                              char offset[OFFSET_SIZE], struct hl_err *err)
{
    static const char *const in[] = {"result", "next_page_offset"};
    struct hl_span text = {0};
    enum hl_code code = hl_reply_find(reply, in, 2, work->arena, &text, err);

    if (code == HL_OK && text.len >= OFFSET_SIZE)
        return hl_fail(err, HL_BAD_FILE, "the reply has no id where the next page begins");
    if (code != HL_OK)
        return code;
    if (text.len > 0)
        memcpy(offset, text.data, text.len);
    offset[text.len] = '\0';
    return HL_OK;
}

static enum hl_code choose_ids(struct stocking *work, struct hl_err *err)
{
    struct hl_span reply;
    char offset[OFFSET_SIZE] = "";
    enum hl_code code = HL_OK;

    for (int i = 0; code == HL_OK && i < MOST_PAGES && (i == 0 || *offset); i++) {
        code = print_page(work, offset, err);
        if (code == HL_OK)
            code = hl_remote_ask(work->remote, "POST", "/points/scroll", &work->body,
                                 &reply, err);
        hl_arena_reset(work->arena);
        if (code == HL_OK)
            code = keep_page(work, &reply, err);
        if (code == HL_OK)
            code = find_next(work, &reply, offset, err);
    }
    return code;
}

static const struct hl_vector *vector_of(const struct hl_point *point, const char *name)
{
    for (size_t i = 0; i < point->vectors.n; i++)
        if (hl_text_is(&point->vectors.items[i].name, name))
            return &point->vectors.items[i];
    return NULL;
}

static void print_chosen(struct stocking *work, size_t first, size_t n)
{
    struct hl_buf *body = &work->body;

    hl_buf_clear(body, BODY_SIZE);
    hl_buf_add_text(body, "{\"with_payload\":false,\"with_vector\":[");
    hl_encode_string(body, work->bench->using_name);
    hl_buf_add_text(body, "],\"ids\":[");
    for (size_t i = first; i < first + n; i++) {
        hl_buf_add_text(body, i > first ? "," : "");
        hl_show_id(body, &work->stock.ids[i]);
    }
    hl_buf_add_text(body, "]}");
}

static enum hl_code fetch_rows(struct stocking *work, size_t first, size_t n,
                               struct hl_err *err)
{
    static const char *const in[] = {"result"};
    struct hl_bench_stock *stock = &work->stock;
    struct hl_points points = {0};
    struct hl_tokens tokens;
    struct hl_field root;
    struct hl_span reply;
    enum hl_code code;

    print_chosen(work, first, n);
    code = hl_buf_check(&work->body, "the request", err);
    if (code == HL_OK)
        code = hl_remote_ask(work->remote, "POST", "/points", &work->body, &reply, err);
    hl_arena_reset(work->arena);
    if (code == HL_OK)
        code = open_points(work, &reply, in, 1, &tokens, err);
    if (code == HL_OK) {
        root = hl_field_root(&tokens);
        code = hl_points_read(&root, &points, err);
    }
    /* What was changed between two of our calls may have no such vector any more. */
    for (size_t i = 0; code == HL_OK && i < points.n && i < n; i++) {
        const struct hl_vector *vector =
            vector_of(&points.items[i], work->bench->using_name);

        if (vector && !vector->is_sparse && vector->n == stock->dim)
            memcpy(stock->values + stock->n_rows++ * stock->dim, vector->values,
                   stock->dim * sizeof(float));
    }
    return code;
}

static enum hl_code load_gallery(struct stocking *work, struct hl_err *err)
{
    struct hl_bench_stock *stock = &work->stock;
    enum hl_code code = make_room(work, stock->n_ids, err);

    for (size_t at = 0; code == HL_OK && at < stock->n_ids; at += POINTS_AT_ONCE) {
        const size_t left = stock->n_ids - at;

        code = fetch_rows(work, at, left < POINTS_AT_ONCE ? left : POINTS_AT_ONCE, err);
    }
    return code;
}

/* ---- by chance ---- */

static enum hl_code draw_rows(struct stocking *work, struct hl_err *err)
{
    struct hl_bench_stock *stock = &work->stock;
    const size_t dim = stock->dim;
    enum hl_code code = make_room(work, (size_t)work->bench->pool, err);

    if (code != HL_OK)
        return code;
    stock->n_rows = (size_t)work->bench->pool;
    for (size_t row = 0; row < stock->n_rows; row++) {
        float *values = stock->values + row * dim;
        double square = 0;

        for (size_t i = 0; i < dim; i++) {
            const double value = hl_random_normal(&work->random);

            values[i] = (float)value;
            square += value * value;
        }
        for (size_t i = 0; i < dim && square > 0; i++)
            values[i] = (float)((double)values[i] / sqrt(square));
    }
    return HL_OK;
}

/* ---- all of it ---- */

static enum hl_code load(struct stocking *work, struct hl_err *err)
{
    const struct hl_bench *bench = work->bench;
    const bool wants_ids = bench->weights[HL_BENCH_RETRIEVE] > 0;
    enum hl_code code = find_size(work, err);

    if (code == HL_OK && (wants_ids || !bench->queries))
        code = choose_ids(work, err);
    if (code == HL_OK && wants_ids && work->stock.n_ids == 0)
        return hl_fail(err, HL_NOT_FOUND,
                       "collection \"%s\" has no points with a vector \"%s\" to retrieve",
                       bench->collection, bench->using_name);
    if (code != HL_OK)
        return code;
    work->stock.origin = bench->queries ? "file" : "gallery";
    if (bench->queries)
        return load_file(work, err);
    if (work->stock.n_ids > 0)
        code = load_gallery(work, err);
    if (code != HL_OK || work->stock.n_rows > 0)
        return code;
    hl_free(work->stock.values);
    work->stock.values = NULL;
    work->stock.origin = "random";
    return draw_rows(work, err);
}

enum hl_code hl_bench_stock_load(const struct hl_bench *bench, struct hl_remote *remote,
                                 struct hl_bench_stock *ret_stock, struct hl_err *err)
{
    struct stocking work = {.bench = bench,
                            .remote = remote,
                            .arena = hl_arena_new(REPLY_MEMORY),
                            .random = {hl_random_mix(bench->seed)},
                            .n_room = (size_t)bench->pool};
    enum hl_code code;

    hl_buf_init(&work.body, BODY_SIZE);
    work.stock.ids = hl_alloc_zeroed(work.n_room, sizeof *work.stock.ids);
    code = work.arena && work.stock.ids
               ? load(&work, err)
               : hl_fail(err, HL_NO_MEMORY, "no memory for what to ask with");
    hl_arena_free(work.arena);
    hl_buf_done(&work.body);
    if (code == HL_OK)
        *ret_stock = work.stock;
    else
        hl_bench_stock_done(&work.stock);
    return code;
}

void hl_bench_stock_done(struct hl_bench_stock *stock)
{
    hl_free(stock->values);
    hl_free(stock->ids);
    *stock = (struct hl_bench_stock){0};
}
