/* SPDX-License-Identifier: Apache-2.0 */
#include "server/bench_pool.h"

#include "proto/alloc.h"
#include "proto/base64.h"
#include "proto/encode.h"
#include "proto/random.h"
#include "server/caller.h"
#include "server/show.h"

#include <inttypes.h>
#include <string.h>

enum {
    SMALL = 64 << 10,
    LENGTH_DIGITS = 10, /* of a Content-Length, with spaces in front */
    GROUP = 3           /* floats whose base64 has no bits of their neighbours */
};
#define LARGEST ((size_t)4 << 30)

/* A vector as text, and where its second half begins. */
struct text {
    size_t begin, middle, end;
};

struct hl_bench_pool {
    const struct hl_bench *bench;
    const struct hl_address *address;
    const struct hl_bench_stock *stock;
    struct hl_buf heads[HL_N_BENCH_KINDS];
    struct hl_buf search_end;  /* of a search, behind its vector */
    struct hl_buf point_begin; /* of a point, between its id and its vector */
    struct hl_buf point_end;
    struct hl_buf words;
    struct text *texts; /* in `words`, one for each vector */
    struct hl_random random;
    uint64_t next_id;
    double weight; /* of all kinds */
};

/* ---- what is printed before ---- */

static void print_path(const struct hl_bench *bench, enum hl_bench_kind kind,
                       struct hl_buf *buf)
{
    static const char *const behind[HL_N_BENCH_KINDS] = {
        [HL_BENCH_SEARCH] = "/points/query",  [HL_BENCH_BATCH] = "/points/query/batch",
        [HL_BENCH_RETRIEVE] = "/points",      [HL_BENCH_UPSERT] = "/points",
        [HL_BENCH_DELETE] = "/points/delete",
    };

    hl_buf_add_text(buf, "/collections/");
    hl_caller_escape(bench->collection, buf);
    hl_buf_add_text(buf, behind[kind]);
    if (kind == HL_BENCH_UPSERT || kind == HL_BENCH_DELETE)
        hl_buf_print(buf, "?wait=%s", bench->waits ? "true" : "false");
    if (kind != HL_BENCH_SEARCH || bench->form != HL_BENCH_RAW)
        return;
    hl_buf_print(buf, "?limit=%" PRIu64, bench->limit);
    if (bench->ef > 0)
        hl_buf_print(buf, "&hnsw_ef=%" PRIu64, bench->ef);
    if (bench->is_exact)
        hl_buf_add_text(buf, "&exact=true");
    if (*bench->using_name) {
        hl_buf_add_text(buf, "&using=");
        hl_caller_escape(bench->using_name, buf);
    }
}

static void print_heads(struct hl_bench_pool *pool)
{
    const struct hl_bench *bench = pool->bench;
    struct hl_buf path;

    hl_buf_init(&path, SMALL);
    for (int kind = 0; kind < HL_N_BENCH_KINDS; kind++) {
        const bool is_raw = kind == HL_BENCH_SEARCH && bench->form == HL_BENCH_RAW;
        struct hl_buf *head = &pool->heads[kind];

        hl_buf_clear(&path, SMALL);
        print_path(bench, (enum hl_bench_kind)kind, &path);
        hl_address_print_head(
            pool->address,
            &(struct hl_request_head){.method = kind == HL_BENCH_UPSERT ? "PUT" : "POST",
                                      .path = path.data,
                                      .type = is_raw ? "application/octet-stream"
                                                     : "application/json",
                                      .key = bench->key},
            head);
        hl_buf_print(head, "%*s\r\n\r\n", LENGTH_DIGITS, "");
        if (path.failed != HL_OK)
            head->failed = path.failed;
    }
    hl_buf_done(&path);
}

static void print_search_end(struct hl_bench_pool *pool)
{
    const struct hl_bench *bench = pool->bench;
    struct hl_buf *buf = &pool->search_end;

    if (*bench->using_name) {
        hl_buf_add_text(buf, ",\"using\":");
        hl_encode_string(buf, bench->using_name);
    }
    hl_buf_print(buf, ",\"limit\":%" PRIu64, bench->limit);
    if (bench->ef > 0)
        hl_buf_print(buf, ",\"params\":{\"hnsw_ef\":%" PRIu64 ",\"exact\":%s}", bench->ef,
                     bench->is_exact ? "true" : "false");
    else if (bench->is_exact)
        hl_buf_add_text(buf, ",\"params\":{\"exact\":true}");
    if (bench->filter)
        hl_buf_print(buf, ",\"filter\":%s", bench->filter);
    if (bench->with_payload)
        hl_buf_add_text(buf, ",\"with_payload\":true");
    hl_buf_add_char(buf, '}');
}

static void print_point(struct hl_bench_pool *pool)
{
    const struct hl_bench *bench = pool->bench;

    hl_buf_add_text(&pool->point_begin, ",\"vector\":");
    if (*bench->using_name) {
        hl_buf_add_char(&pool->point_begin, '{');
        hl_encode_key(&pool->point_begin, bench->using_name);
        hl_buf_add_char(&pool->point_end, '}');
    }
    if (bench->payload)
        hl_buf_print(&pool->point_end, ",\"payload\":%s", bench->payload);
    hl_buf_add_char(&pool->point_end, '}');
}

static void print_floats(const float *values, size_t n, enum hl_bench_form form,
                         struct hl_buf *buf)
{
    if (form != HL_BENCH_JSON) {
        hl_base64_encode(values, n, buf);
        return;
    }
    for (size_t i = 0; i < n; i++) {
        hl_buf_add_text(buf, i > 0 ? "," : "");
        hl_encode_float(buf, values[i]);
    }
}

static void print_vector(const struct hl_bench_stock *stock, size_t row,
                         enum hl_bench_form form, struct text *text, struct hl_buf *buf)
{
    const float *values = stock->values + row * stock->dim;
    const size_t first = stock->dim / 2 / GROUP * GROUP;
    const bool is_json = form == HL_BENCH_JSON;

    text->begin = buf->len;
    hl_buf_add_char(buf, is_json ? '[' : '"');
    print_floats(values, first, form, buf);
    if (is_json && first > 0)
        hl_buf_add_char(buf, ',');
    text->middle = buf->len;
    print_floats(values + first, stock->dim - first, form, buf);
    hl_buf_add_char(buf, is_json ? ']' : '"');
    text->end = buf->len;
}

static enum hl_code check_pieces(const struct hl_bench_pool *pool, struct hl_err *err)
{
    const struct hl_buf *const pieces[] = {&pool->search_end, &pool->point_begin,
                                           &pool->point_end, &pool->words};
    enum hl_code code = HL_OK;

    for (size_t i = 0; code == HL_OK && i < sizeof pieces / sizeof pieces[0]; i++)
        code = hl_buf_check(pieces[i], "the requests", err);
    for (size_t i = 0; code == HL_OK && i < HL_N_BENCH_KINDS; i++)
        code = hl_buf_check(&pool->heads[i], "the requests", err);
    return code;
}

enum hl_code hl_bench_pool_new(const struct hl_bench *bench,
                               const struct hl_address *address,
                               const struct hl_bench_stock *stock,
                               struct hl_bench_pool **ret_pool, struct hl_err *err)
{
    struct hl_bench_pool *pool = hl_alloc_zeroed(1, sizeof *pool);
    enum hl_code code;

    if (!pool)
        return hl_fail(err, HL_NO_MEMORY, "no memory for the requests");
    *pool = (struct hl_bench_pool){.bench = bench,
                                   .address = address,
                                   .stock = stock,
                                   .random = {hl_random_mix(bench->seed + 1)}};
    for (int i = 0; i < HL_N_BENCH_KINDS; i++) {
        hl_buf_init(&pool->heads[i], SMALL);
        pool->weight += bench->weights[i];
    }
    hl_buf_init(&pool->search_end, LARGEST);
    hl_buf_init(&pool->point_begin, SMALL);
    hl_buf_init(&pool->point_end, LARGEST);
    hl_buf_init(&pool->words, LARGEST);
    pool->texts = hl_alloc_zeroed(stock->n_rows, sizeof *pool->texts);
    print_heads(pool);
    print_search_end(pool);
    print_point(pool);
    for (size_t i = 0; pool->texts && i < stock->n_rows; i++)
        print_vector(stock, i, bench->form, &pool->texts[i], &pool->words);
    code = pool->texts ? check_pieces(pool, err)
                       : hl_fail(err, HL_NO_MEMORY, "no memory for the requests");
    if (code == HL_OK)
        *ret_pool = pool;
    else
        hl_bench_pool_free(pool);
    return code;
}

void hl_bench_pool_free(struct hl_bench_pool *pool)
{
    if (!pool)
        return;
    for (int i = 0; i < HL_N_BENCH_KINDS; i++)
        hl_buf_done(&pool->heads[i]);
    hl_buf_done(&pool->search_end);
    hl_buf_done(&pool->point_begin);
    hl_buf_done(&pool->point_end);
    hl_buf_done(&pool->words);
    hl_free(pool->texts);
    hl_free(pool);
}

/* ---- what is done for each request ---- */

static size_t choose(struct hl_bench_pool *pool, size_t n)
{
    return hl_random_below(&pool->random, (uint32_t)n);
}

static const struct text *choose_text(struct hl_bench_pool *pool)
{
    return &pool->texts[choose(pool, pool->stock->n_rows)];
}

static void add_search(struct hl_bench_pool *pool, struct hl_buf *buf)
{
    const struct text *text = choose_text(pool);

    hl_buf_add_text(buf, "{\"query\":");
    hl_buf_add(buf, pool->words.data + text->begin, text->end - text->begin);
    hl_buf_add(buf, pool->search_end.data, pool->search_end.len);
}

static void add_searches(struct hl_bench_pool *pool, struct hl_buf *buf)
{
    hl_buf_add_text(buf, "{\"searches\":[");
    for (uint64_t i = 0; i < pool->bench->batch; i++) {
        hl_buf_add_text(buf, i > 0 ? "," : "");
        add_search(pool, buf);
    }
    hl_buf_add_text(buf, "]}");
}

static void add_points(struct hl_bench_pool *pool, struct hl_buf *buf)
{
    const struct hl_bench *bench = pool->bench;

    hl_buf_add_text(buf, "{\"points\":[");
    for (uint64_t i = 0; i < bench->points; i++) {
        const struct text *first = choose_text(pool), *second = choose_text(pool);

        hl_buf_add_text(buf, i > 0 ? ",{\"id\":" : "{\"id\":");
        hl_encode_u64(buf, bench->first_id + pool->next_id);
        hl_buf_add(buf, pool->point_begin.data, pool->point_begin.len);
        hl_buf_add(buf, pool->words.data + first->begin, first->middle - first->begin);
        hl_buf_add(buf, pool->words.data + second->middle, second->end - second->middle);
        hl_buf_add(buf, pool->point_end.data, pool->point_end.len);
        pool->next_id = (pool->next_id + 1) % bench->n_ids;
    }
    hl_buf_add_text(buf, "]}");
}

static void add_body(struct hl_bench_pool *pool, enum hl_bench_kind kind,
                     struct hl_buf *buf)
{
    const struct hl_bench_stock *stock = pool->stock;

    switch (kind) {
    case HL_BENCH_BATCH:
        add_searches(pool, buf);
        break;
    case HL_BENCH_RETRIEVE:
        hl_buf_add_text(buf, "{\"ids\":[");
        hl_show_id(buf, &stock->ids[choose(pool, stock->n_ids)]);
        hl_buf_add_text(buf, "],\"with_payload\":true}");
        break;
    case HL_BENCH_UPSERT:
        add_points(pool, buf);
        break;
    case HL_BENCH_DELETE:
        hl_buf_add_text(buf, "{\"points\":[");
        hl_encode_u64(buf, pool->bench->first_id +
                               hl_random_next(&pool->random) % pool->bench->n_ids);
        hl_buf_add_text(buf, "]}");
        break;
    case HL_BENCH_SEARCH:
    case HL_N_BENCH_KINDS:
    default:
        if (pool->bench->form == HL_BENCH_RAW)
            hl_buf_add(buf, stock->values + choose(pool, stock->n_rows) * stock->dim,
                       stock->dim * sizeof(float));
        else
            add_search(pool, buf);
    }
}

enum hl_bench_kind hl_bench_pool_kind(struct hl_bench_pool *pool)
{
    double at = hl_random_unit(&pool->random) * pool->weight;
    int kind = 0;

    while (kind + 1 < HL_N_BENCH_KINDS && at >= pool->bench->weights[kind])
        at -= pool->bench->weights[kind++];
    /* Rounding may end behind the last that is wanted. */
    while (pool->bench->weights[kind] <= 0)
        kind--;
    return (enum hl_bench_kind)kind;
}

/* From the last digit to the first: spaces stay in front. */
static void fill_length(char *end, size_t length)
{
    do {
        *--end = (char)('0' + length % 10);
        length /= 10;
    } while (length > 0);
}

enum hl_bench_kind hl_bench_pool_next(struct hl_bench_pool *pool, struct hl_buf *buf)
{
    const enum hl_bench_kind kind = hl_bench_pool_kind(pool);
    const struct hl_buf *head = &pool->heads[kind];

    hl_buf_clear(buf, LARGEST);
    hl_buf_add(buf, head->data, head->len);
    add_body(pool, kind, buf);
    if (buf->failed == HL_OK)
        fill_length(buf->data + head->len - 4, buf->len - head->len);
    return kind;
}
