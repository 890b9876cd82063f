/* SPDX-License-Identifier: Apache-2.0 */
#include "server/points_read.h"

#include "index/look.h"
#include "proto/encode.h"
#include "proto/ids.h"
#include "proto/number.h"
#include "proto/read.h"
#include "server/body.h"
#include "server/server.h"
#include "server/show.h"

#include <inttypes.h>
#include <string.h>

/* What one request reads with: let go with it. */
struct reading {
    struct hl_body body;
    struct hl_collection *collection;
    struct hl_look *look;
    struct hl_arena *scratch;
    const struct hl_deadline *deadline;
    struct hl_look_wish wish;
    const struct hl_filter *filters[1];
};

static void let_go(struct hl_request *request)
{
    struct reading *reading = request->state;

    hl_look_close(reading->look);
    hl_collection_unref(reading->collection);
    hl_arena_free(reading->scratch);
}

/* The collection, and one moment of it. */
static enum hl_code begin(struct hl_server *server, struct hl_request *request,
                          struct reading *reading, struct hl_err *err)
{
    enum hl_code code;

    request->state = reading;
    request->release = let_go;
    reading->deadline = &request->deadline;
    reading->scratch = hl_arena_new((size_t)server->config->limits.request_memory_mb << 20);
    if (!reading->scratch)
        return hl_fail(err, HL_NO_MEMORY, "no memory to read points");
    code = hl_collections_acquire(server->collections, &request->params[0],
                                  &reading->collection, err);
    if (code != HL_OK)
        return code;
    reading->wish.filters = reading->filters;
    reading->wish.n_filters = 1;
    reading->wish.deadline = &request->deadline;
    code = hl_look_open(reading->collection, &reading->wish, &reading->look, err);
    return code == HL_OK ? hl_look_settle(reading->look, 0, &request->deadline, err) : code;
}

/* What every read begins with: its parameters, and its body ready for a decoder. NULL:
 * `err` says why. */
static struct reading *new_reading(struct hl_request *request, struct hl_err *err)
{
    struct reading *reading = hl_arena_alloc(request->arena, sizeof *reading);
    struct hl_params params;

    if (!reading) {
        (void)hl_arena_fail(request->arena, err, "a read");
        return NULL;
    }
    *reading = (struct reading){0};
    if (hl_body_params(request, &params, err) != HL_OK)
        return NULL;
    hl_body_begin(request, &reading->body);
    return reading;
}

/* ---- points ---- */

static void print_order_value(struct hl_buf *buf, const struct hl_ordered *order)
{
    hl_buf_add_text(buf, ",\"order_value\":");
    if (order->is_whole)
        hl_encode_i64(buf, order->integer);
    else
        hl_encode_double(buf, order->real);
}

static enum hl_code print_point(const struct hl_show *show, struct hl_reader *reader,
                                const struct hl_store_point *point,
                                const struct hl_ordered *order, struct hl_buf *buf,
                                struct hl_err *err)
{
    enum hl_code code;

    hl_buf_add_text(buf, "{\"id\":");
    hl_show_id(buf, &point->id);
    code = hl_show_content(show, reader, point, buf, err);
    if (order)
        print_order_value(buf, order);
    hl_buf_add_char(buf, '}');
    return code;
}

static struct hl_show show_of(const struct reading *reading,
                              const struct hl_payload_select *with_payload,
                              const struct hl_vector_select *with_vector)
{
    return (struct hl_show){.layout = hl_look_layout(reading->look),
                            .with_payload = with_payload,
                            .with_vector = with_vector,
                            .scratch = reading->scratch};
}

/* Asked for each point: a page may be as long as the reply has room for, and nobody may be
 * waiting for it any more. */
static enum hl_code check_print(const struct reading *reading, const struct hl_buf *buf,
                                struct hl_err *err)
{
    enum hl_code code = hl_deadline_check(reading->deadline, "reading points", err);

    return code == HL_OK ? hl_buf_check(buf, "the reply", err) : code;
}

/* The points with these ids that there are, each once for each time it is asked for. */
static enum hl_code print_found(const struct reading *reading, const struct hl_ids *ids,
                                const struct hl_show *show, struct hl_buf *buf,
                                struct hl_err *err)
{
    struct hl_reader *reader = NULL;
    bool is_first = true;
    enum hl_code code = hl_look_reader(reading->look, &reader, err);

    for (size_t i = 0; code == HL_OK && i < ids->n; i++) {
        struct hl_store_point point;

        code = check_print(reading, buf, err);
        if (code != HL_OK)
            break;
        code = hl_reader_find(reader, &ids->items[i], &point, err);
        if (code == HL_NOT_FOUND) {
            code = HL_OK;
            continue;
        }
        if (code != HL_OK)
            break;
        hl_buf_add_text(buf, is_first ? "" : ",");
        is_first = false;
        code = print_point(show, reader, &point, NULL, buf, err);
    }
    return code;
}

static enum hl_code read_id(const struct hl_span *text, struct hl_id *ret_id,
                            struct hl_err *err)
{
    uint64_t number;

    if (text->len > 0 && strspn(text->data, "0123456789") == text->len &&
        hl_number_u64(text->data, text->len, &number)) {
        *ret_id = hl_id_number(number);
        return HL_OK;
    }
    if (hl_id_parse_uuid(text->data, text->len, ret_id))
        return HL_OK;
    return hl_fail(
        err, HL_WRONG_INPUT,
        "Wrong input: unable to parse point id \"%.64s\": an unsigned integer or a "
        "UUID is wanted",
        text->data);
}

enum hl_code hl_points_get(struct hl_server *server, struct hl_request *request,
                           struct hl_reply *reply, struct hl_err *err)
{
    static const struct hl_payload_select payload = {.kind = HL_SELECT_ALL};
    static const struct hl_vector_select vector = {.kind = HL_SELECT_ALL};
    struct reading *reading = NULL;
    struct hl_reader *reader = NULL;
    struct hl_store_point point;
    struct hl_show show;
    struct hl_id id;
    enum hl_code code = read_id(&request->params[1], &id, err);

    if (code == HL_OK) {
        reading = new_reading(request, err);
        code = reading ? begin(server, request, reading, err) : err->code;
    }
    if (code == HL_OK)
        code = hl_look_reader(reading->look, &reader, err);
    if (code != HL_OK)
        return code;
    code = hl_reader_find(reader, &id, &point, err);
    if (code == HL_NOT_FOUND)
        return hl_fail(err, HL_NOT_FOUND, "Not found: Point with id %.64s does not exists!",
                       request->params[1].data);
    if (code != HL_OK)
        return code;
    show = show_of(reading, &payload, &vector);
    hl_reply_begin(reply);
    code = print_point(&show, reader, &point, NULL, &reply->body, err);
    return code == HL_OK ? hl_reply_end(reply, request, err) : code;
}

enum hl_code hl_points_retrieve(struct hl_server *server, struct hl_request *request,
                                struct hl_reply *reply, struct hl_err *err)
{
    struct reading *reading = new_reading(request, err);
    struct hl_retrieve retrieve;
    struct hl_show show;
    enum hl_code code = reading ? HL_OK : err->code;

    if (code == HL_OK)
        code = hl_body_end(&reading->body,
                           hl_retrieve_read(&reading->body.root, &retrieve, err), err);
    if (code == HL_OK)
        code = begin(server, request, reading, err);
    if (code == HL_OK)
        code = hl_show_check(hl_look_layout(reading->look), &retrieve.with_vector, err);
    if (code != HL_OK)
        return code;
    show = show_of(reading, &retrieve.with_payload, &retrieve.with_vector);
    hl_reply_begin(reply);
    hl_buf_add_char(&reply->body, '[');
    code = print_found(reading, &retrieve.ids, &show, &reply->body, err);
    hl_buf_add_char(&reply->body, ']');
    return code == HL_OK ? hl_reply_end(reply, request, err) : code;
}

/* ---- scroll ---- */

struct page {
    const uint32_t *numbers;
    const struct hl_ordered *ordered; /* NULL: by id */
    size_t n;
    bool has_next;
    struct hl_id next;
};

static enum hl_code find_page(struct reading *reading, const struct hl_scroll *scroll,
                              struct hl_request *request, struct page *page,
                              struct hl_err *err)
{
    const struct hl_look_page wanted = {
        .from = scroll->has_offset ? &scroll->offset : NULL,
        .limit = scroll->limit < UINT32_MAX ? scroll->limit + 1 : UINT32_MAX,
        .deadline = &request->deadline};
    enum hl_code code;

    if (scroll->is_ordered)
        return hl_look_ordered(reading->look, request->arena, &request->deadline,
                               &page->ordered, &page->n, err);
    code = hl_look_scroll(reading->look, &wanted, request->arena, &page->numbers, &page->n,
                          err);
    if (code == HL_OK && page->n > scroll->limit) {
        page->n = scroll->limit;
        page->has_next = true;
        page->next = hl_look_id(reading->look, page->numbers[page->n]);
    }
    return code;
}

static enum hl_code print_page(const struct reading *reading, const struct page *page,
                               const struct hl_show *show, struct hl_buf *buf,
                               struct hl_err *err)
{
    struct hl_reader *reader = NULL;
    enum hl_code code = hl_look_reader(reading->look, &reader, err);

    hl_buf_add_text(buf, "{\"points\":[");
    for (size_t i = 0; code == HL_OK && i < page->n; i++) {
        const struct hl_ordered *order = page->ordered ? &page->ordered[i] : NULL;
        struct hl_store_point point;

        code = check_print(reading, buf, err);
        if (code != HL_OK)
            break;
        code = hl_reader_get(reader, order ? order->number : page->numbers[i], &point, err);
        if (code != HL_OK)
            break;
        hl_buf_add_text(buf, i > 0 ? "," : "");
        code = print_point(show, reader, &point, order, buf, err);
    }
    hl_buf_add_text(buf, "],\"next_page_offset\":");
    if (page->has_next)
        hl_show_id(buf, &page->next);
    else
        hl_buf_add_text(buf, "null");
    hl_buf_add_char(buf, '}');
    return code;
}

enum hl_code hl_points_scroll(struct hl_server *server, struct hl_request *request,
                              struct hl_reply *reply, struct hl_err *err)
{
    struct reading *reading = new_reading(request, err);
    struct page page = {0};
    struct hl_scroll scroll;
    struct hl_show show;
    enum hl_code code = reading ? HL_OK : err->code;

    if (code == HL_OK)
        code = hl_body_end(&reading->body,
                           hl_scroll_read(&reading->body.root, &scroll, err), err);
    if (code != HL_OK)
        return code;
    reading->filters[0] = scroll.filter;
    reading->wish.order = scroll.is_ordered ? &scroll.order : NULL;
    reading->wish.order_limit = scroll.limit;
    code = begin(server, request, reading, err);
    if (code == HL_OK)
        code = hl_show_check(hl_look_layout(reading->look), &scroll.with_vector, err);
    if (code == HL_OK)
        code = find_page(reading, &scroll, request, &page, err);
    if (code != HL_OK)
        return code;
    show = show_of(reading, &scroll.with_payload, &scroll.with_vector);
    hl_reply_begin(reply);
    code = print_page(reading, &page, &show, &reply->body, err);
    return code == HL_OK ? hl_reply_end(reply, request, err) : code;
}

/* ---- numbers ---- */

enum hl_code hl_points_count(struct hl_server *server, struct hl_request *request,
                             struct hl_reply *reply, struct hl_err *err)
{
    struct reading *reading = new_reading(request, err);
    struct hl_count count;
    enum hl_code code = reading ? HL_OK : err->code;

    if (code == HL_OK)
        code = hl_body_end(&reading->body, hl_count_read(&reading->body.root, &count, err),
                           err);
    if (code != HL_OK)
        return code;
    reading->filters[0] = count.filter;
    code = begin(server, request, reading, err);
    if (code != HL_OK)
        return code;
    hl_reply_begin(reply);
    hl_buf_print(&reply->body, "{\"count\":%" PRIu64 "}", hl_look_count(reading->look, 0));
    return hl_reply_end(reply, request, err);
}

enum hl_code hl_points_facet(struct hl_server *server, struct hl_request *request,
                             struct hl_reply *reply, struct hl_err *err)
{
    struct reading *reading = new_reading(request, err);
    const struct hl_facet_hit *hits = NULL;
    struct hl_facet facet;
    size_t n = 0;
    enum hl_code code = reading ? HL_OK : err->code;

    if (code == HL_OK)
        code = hl_body_end(&reading->body, hl_facet_read(&reading->body.root, &facet, err),
                           err);
    if (code != HL_OK)
        return code;
    reading->filters[0] = facet.filter;
    reading->wish.facet = &facet.key;
    reading->wish.facet_limit = facet.limit;
    code = begin(server, request, reading, err);
    if (code == HL_OK)
        code = hl_look_facet(reading->look, request->arena, &request->deadline, &hits, &n,
                             err);
    if (code != HL_OK)
        return code;
    hl_reply_begin(reply);
    hl_buf_add_text(&reply->body, "{\"hits\":[");
    for (size_t i = 0; i < n; i++) {
        hl_buf_add_text(&reply->body, i > 0 ? ",{\"value\":" : "{\"value\":");
        hl_buf_add(&reply->body, hits[i].value, hits[i].len);
        hl_buf_print(&reply->body, ",\"count\":%" PRIu64 "}", hits[i].count);
    }
    hl_buf_add_text(&reply->body, "]}");
    return hl_reply_end(reply, request, err);
}
