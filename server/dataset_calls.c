/* SPDX-License-Identifier: Apache-2.0 */
#include "server/dataset_calls.h"

#include "proto/encode.h"
#include "server/datasets.h"
#include "server/server.h"
#include "server/snapshot_folder.h"
#include "server/upload.h"

#include <string.h>

static void print_dataset(struct hl_buf *buf, const struct hl_dataset *dataset)
{
    const struct hl_tensor *tensor;
    size_t at = 0, n = 0;

    hl_buf_add_text(buf, "{\"name\":");
    hl_encode_string(buf, dataset->name);
    hl_buf_add_text(buf, ",\"rows\":");
    hl_encode_u64(buf, dataset->n_rows);
    hl_buf_add_text(buf, ",\"models\":[");
    while ((tensor = hl_dataset_next_model(dataset, &at))) {
        hl_buf_add_text(buf, n++ > 0 ? "," : "");
        hl_encode_string(buf, tensor->name);
    }
    hl_buf_add_text(buf, "],\"labels\":");
    hl_encode_bool(buf, dataset->labels != NULL);
    hl_buf_add_text(buf, ",\"modality\":");
    hl_encode_bool(buf, dataset->modalities != NULL);
    hl_buf_add_text(buf, ",\"size\":");
    hl_encode_u64(buf, dataset->size);
    hl_buf_print(buf, ",\"sha256\":\"%s\"}", dataset->sha256);
}

/* Of damaged datasets. */
static const size_t largest_list = (size_t)4 << 20;

struct page {
    struct hl_buf *buf;
    struct hl_buf damaged;
    size_t n, n_damaged;
};

static bool add_dataset(void *self, const struct hl_dataset *dataset,
                        const struct hl_err *why)
{
    struct page *page = self;

    if (why) {
        hl_buf_add_text(&page->damaged,
                        page->n_damaged++ > 0 ? ",{\"name\":" : "{\"name\":");
        hl_encode_string(&page->damaged, dataset->name);
        hl_buf_add_text(&page->damaged, ",\"error\":");
        hl_encode_string(&page->damaged, why->msg);
        hl_buf_add_char(&page->damaged, '}');
        return page->damaged.failed == HL_OK;
    }
    hl_buf_add_text(page->buf, page->n++ > 0 ? "," : "");
    print_dataset(page->buf, dataset);
    return page->buf->failed == HL_OK;
}

static void add_damaged(struct page *page)
{
    if (page->n_damaged == 0)
        return;
    hl_buf_add_text(page->buf, ",\"damaged\":[");
    hl_buf_add(page->buf, page->damaged.data, page->damaged.len);
    hl_buf_add_char(page->buf, ']');
}

static enum hl_code acquire(struct hl_server *server, const struct hl_request *request,
                            struct hl_collection **ret_collection, struct hl_err *err)
{
    return hl_collections_acquire(server->collections, &request->params[0], ret_collection,
                                  err);
}

enum hl_code hl_dataset_call_list(struct hl_server *server, struct hl_request *request,
                                  struct hl_reply *reply, struct hl_err *err)
{
    struct page page = {.buf = &reply->body};
    struct hl_collection *collection = NULL;
    enum hl_code code = acquire(server, request, &collection, err);

    if (code != HL_OK)
        return code;
    hl_reply_begin(reply);
    hl_buf_init(&page.damaged, largest_list);
    hl_buf_add_text(&reply->body, "{\"datasets\":[");
    code = hl_datasets_each(collection, add_dataset, &page, err);
    hl_buf_add_char(&reply->body, ']');
    add_damaged(&page);
    hl_buf_add_char(&reply->body, '}');
    if (code == HL_OK)
        code = hl_buf_check(&page.damaged, "the damaged datasets", err);
    hl_buf_done(&page.damaged);
    hl_collection_unref(collection);
    return code == HL_OK ? hl_reply_end(reply, request, err) : code;
}

/* The file, or what is known of it. */
static enum hl_code show(const struct hl_collection *collection, struct hl_request *request,
                         struct hl_reply *reply, struct hl_err *err)
{
    struct hl_dataset *dataset = NULL;
    bool is_file = false;
    enum hl_code code = hl_request_format(request, "safetensors", &is_file, err);

    if (code == HL_OK)
        code = hl_dataset_open(collection, &request->params[1], &dataset, err);
    if (code != HL_OK)
        return code;
    if (is_file) {
        code = hl_reply_file(reply, "application/octet-stream", dataset->path, err);
    } else {
        hl_reply_begin(reply);
        print_dataset(&reply->body, dataset);
        code = hl_reply_end(reply, request, err);
    }
    hl_dataset_close(dataset);
    return code;
}

enum hl_code hl_dataset_call_get(struct hl_server *server, struct hl_request *request,
                                 struct hl_reply *reply, struct hl_err *err)
{
    struct hl_collection *collection = NULL;
    enum hl_code code = acquire(server, request, &collection, err);

    if (code == HL_OK)
        code = show(collection, request, reply, err);
    hl_collection_unref(collection);
    return code;
}

static enum hl_code put(struct hl_server *server, struct hl_request *request,
                        struct hl_collection *collection, struct hl_err *err)
{
    const struct hl_deadline deadline = hl_snapshot_patience(request);
    struct hl_dataset_offer offer = {.path = hl_upload_path(request->upload),
                                     .name = &request->params[1],
                                     .deadline = &deadline};
    struct hl_collection_info info;
    enum hl_code code = hl_dataset_check_name(&request->params[1], err);

    if (code == HL_OK)
        code = hl_upload_finish(request->upload, err);
    if (code == HL_OK)
        code = hl_collection_info(collection, request->arena, &info, err);
    if (code != HL_OK)
        return code;
    offer.layout = info.layout;
    code = hl_dataset_put(&server->datasets, collection, &offer, err);
    hl_layout_unref(info.layout);
    return code;
}

enum hl_code hl_dataset_call_put(struct hl_server *server, struct hl_request *request,
                                 struct hl_reply *reply, struct hl_err *err)
{
    struct hl_collection *collection = NULL;
    enum hl_code code = acquire(server, request, &collection, err);

    if (code == HL_OK)
        code = put(server, request, collection, err);
    if (code == HL_OK)
        code = show(collection, request, reply, err);
    hl_collection_unref(collection);
    return code;
}

enum hl_code hl_dataset_call_delete(struct hl_server *server, struct hl_request *request,
                                    struct hl_reply *reply, struct hl_err *err)
{
    struct hl_collection *collection = NULL;
    enum hl_code code = acquire(server, request, &collection, err);

    if (code == HL_OK)
        code = hl_dataset_delete(&server->datasets, collection, &request->params[1], err);
    hl_collection_unref(collection);
    if (code != HL_OK)
        return code;
    hl_reply_begin(reply);
    hl_encode_bool(&reply->body, true);
    return hl_reply_end(reply, request, err);
}
