/* SPDX-License-Identifier: Apache-2.0 */
#include "server/holdings.h"

#include "proto/alloc.h"
#include "proto/model_name.h"
#include "proto/number.h"
#include "server/server.h"
#include "server/upload.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* A reply of so many bytes is held in memory, a larger one is a file for as long as it is
 * sent. */
enum { LARGEST_IN_MEMORY = 1 << 20, LONGEST_LIST = 16 << 20 };

/* ---- looking ---- */

enum hl_code hl_holdings_look(struct hl_collection *collection,
                              struct hl_holdings *ret_holdings, struct hl_err *err)
{
    const struct hl_look_wish wish = {.n_filters = 0};
    struct hl_holdings holdings = {.collection = hl_collection_ref(collection)};
    enum hl_code code = hl_look_open(collection, &wish, &holdings.look, err);

    if (code == HL_OK)
        code = hl_look_reader(holdings.look, &holdings.reader, err);
    if (code != HL_OK) {
        hl_holdings_close(&holdings);
        return code;
    }
    holdings.layout = hl_look_layout(holdings.look);
    *ret_holdings = holdings;
    return HL_OK;
}

enum hl_code hl_holdings_open(struct hl_server *server, const struct hl_span *name,
                              struct hl_holdings *ret_holdings, struct hl_err *err)
{
    struct hl_collection *collection = NULL;
    enum hl_code code = hl_collections_acquire(server->collections, name, &collection, err);

    if (code != HL_OK)
        return code;
    code = hl_holdings_look(collection, ret_holdings, err);
    hl_collection_unref(collection);
    return code;
}

void hl_holdings_close(struct hl_holdings *holdings)
{
    hl_look_close(holdings->look);
    hl_collection_unref(holdings->collection);
    *holdings = (struct hl_holdings){.collection = NULL};
}

enum hl_code
hl_holdings_reply(struct hl_server *server, struct hl_request *request,
                  struct hl_reply *reply,
                  enum hl_code (*show)(struct hl_server *server, struct hl_request *request,
                                       const struct hl_holdings *holdings,
                                       struct hl_reply *reply, struct hl_err *err),
                  struct hl_err *err)
{
    struct hl_holdings holdings;
    enum hl_code code = hl_holdings_open(server, &request->params[0], &holdings, err);

    if (code != HL_OK)
        return code;
    code = show(server, request, &holdings, reply, err);
    hl_holdings_close(&holdings);
    return code;
}

struct hl_holdings hl_holdings_inside(struct hl_writing *writing)
{
    return (struct hl_holdings){.reader = hl_store_inside(hl_writing_store(writing)),
                                .layout = hl_writing_layout(writing)};
}

enum hl_code hl_holdings_record(const struct hl_holdings *holdings, const char *kind,
                                const char *key, const char *missing,
                                struct hl_store_record *ret_record, struct hl_err *err)
{
    enum hl_code code = hl_reader_record(holdings->reader, kind, key, ret_record, err);

    return code == HL_NOT_FOUND ? hl_fail(err, HL_NOT_FOUND, "Not found: %s", missing)
                                : code;
}

/* ---- models ---- */

void hl_model_fingerprint(const struct hl_model *model, char print[HL_SHA256_TEXT_SIZE])
{
    const char *const texts[] = {model->name, NULL, hl_distance_name(model->distance),
                                 model->revision};
    struct hl_sha256 sha;
    char size[16];

    (void)snprintf(size, sizeof size, "%" PRIu32, model->dim);
    hl_sha256_init(&sha);
    for (size_t i = 0; i < 4; i++) {
        const char *text = texts[i] ? texts[i] : size;

        if (i > 0)
            hl_sha256_add(&sha, "\n", 1);
        hl_sha256_add(&sha, text, strlen(text));
    }
    hl_sha256_finish_text(&sha, print);
}

enum hl_code hl_holdings_describe(const struct hl_holdings *holdings,
                                  const struct hl_space *space, struct hl_model *ret_model,
                                  struct hl_err *err)
{
    struct hl_model model = {.space = space->id,
                             .dim = space->dim,
                             .distance = space->distance,
                             .name = space->name,
                             .shown = hl_model_shown(space->name)};
    struct hl_store_record record;
    char key[HL_HOLDING_KEY];
    enum hl_code code;

    hl_holding_model_key(space->id, key);
    code = hl_reader_record(holdings->reader, HL_HOLDING_REVISION, key, &record, err);
    if (code != HL_OK && code != HL_NOT_FOUND)
        return code;
    if (code == HL_OK && record.size <= HL_MODEL_REVISION)
        memcpy(model.revision, record.body, record.size);
    hl_model_fingerprint(&model, model.print);
    *ret_model = model;
    return HL_OK;
}

enum hl_code hl_holdings_model(const struct hl_holdings *holdings,
                               const struct hl_span *name, struct hl_model *ret_model,
                               struct hl_err *err)
{
    const struct hl_text written = {name->data, name->len};
    const struct hl_text text = hl_model_meant_by(&written);
    const struct hl_space *space = hl_layout_find(holdings->layout, &text);
    const int len = name->len < 255 ? (int)name->len : 255;

    if (!space)
        return hl_fail(err, HL_NOT_FOUND, "Not found: Not existing vector name error: %.*s",
                       len, name->data);
    if (space->dim == 0)
        return hl_fail(err, HL_INVALID,
                       "the vector \"%.*s\" is sparse: heads and bridges are for dense "
                       "ones",
                       len, name->data);
    return hl_holdings_describe(holdings, space, ret_model, err);
}

enum hl_code hl_holdings_check(const struct hl_holdings *holdings,
                               const struct hl_model *model, struct hl_err *err)
{
    const struct hl_space *space = hl_layout_space(holdings->layout, model->space);
    struct hl_model now;
    enum hl_code code;

    if (!space)
        return hl_fail(err, HL_CONFLICT, "the vector \"%.200s\" was deleted meanwhile",
                       model->shown);
    code = hl_holdings_describe(holdings, space, &now, err);
    if (code == HL_OK && strcmp(now.print, model->print) != 0)
        return hl_fail(err, HL_CONFLICT,
                       "the vector \"%.200s\" was given the revision \"%s\" meanwhile",
                       model->shown, now.revision);
    return code;
}

/* ---- numbers ---- */

enum hl_code hl_holding_number(struct hl_reader *reader, const char *kind, const char *key,
                               uint64_t *ret_number, struct hl_err *err)
{
    struct hl_store_record record;
    char digits[24];
    uint64_t number = 0;
    enum hl_code code = hl_reader_record(reader, kind, key, &record, err);

    if (code != HL_OK && code != HL_NOT_FOUND)
        return code;
    if (code == HL_OK) {
        (void)snprintf(digits, sizeof digits, "%.*s", (int)record.size,
                       (const char *)record.body);
        if (strspn(digits, "0123456789") != record.size ||
            !hl_number_u64(digits, record.size, &number))
            return hl_fail(err, HL_DAMAGED, "the record \"%s\" of kind \"%s\" is no number",
                           key, kind);
    }
    *ret_number = number;
    return HL_OK;
}

enum hl_code hl_holding_count_up(struct hl_writing *writing, const char *kind,
                                 const char *key, uint64_t *ret_number, struct hl_err *err)
{
    struct hl_store *store = hl_writing_store(writing);
    char digits[24];
    uint64_t number = 0;
    enum hl_code code = hl_holding_number(hl_store_inside(store), kind, key, &number, err);

    (void)snprintf(digits, sizeof digits, "%" PRIu64, number + 1);
    if (code == HL_OK)
        code = hl_store_put_record(store, kind, key, digits, strlen(digits), err);
    if (code == HL_OK)
        *ret_number = number + 1;
    return code;
}

/* ---- keys ---- */

void hl_holding_model_key(uint32_t space, char key[HL_HOLDING_KEY])
{
    (void)snprintf(key, HL_HOLDING_KEY, "%08" PRIx32, space);
}

void hl_holding_pair_key(uint32_t from, uint32_t to, char key[HL_HOLDING_KEY])
{
    (void)snprintf(key, HL_HOLDING_KEY, "%08" PRIx32 "-%08" PRIx32, from, to);
}

void hl_holding_bridge_key(uint32_t from, uint32_t to, uint64_t revision,
                           char key[HL_HOLDING_KEY])
{
    (void)snprintf(key, HL_HOLDING_KEY, "%08" PRIx32 "-%08" PRIx32 "-%010" PRIu64, from, to,
                   revision);
}

/* ---- dropping ---- */

struct list {
    const char *beginning; /* of keys */
    uint32_t space;        /* or, where that is NULL, the model they are of */
    struct hl_buf keys;    /* each with its zero */
};

static bool is_of_model(const char *key, uint32_t space)
{
    char model[HL_HOLDING_KEY];

    hl_holding_model_key(space, model);
    return strncmp(key, model, 8) == 0 ||
           (key[8] == '-' && strncmp(key + 9, model, 8) == 0);
}

static bool add_key(void *self, const struct hl_store_record *record)
{
    struct list *list = self;
    const bool is_meant =
        list->beginning
            ? strncmp(record->key, list->beginning, strlen(list->beginning)) == 0
            : strlen(record->key) >= 8 && is_of_model(record->key, list->space);

    if (is_meant)
        hl_buf_add(&list->keys, record->key, strlen(record->key) + 1);
    return true;
}

/* Listed first: a scan does not outlive a write. */
static enum hl_code drop_listed(struct hl_writing *writing, const char *kind,
                                struct list *list, struct hl_err *err)
{
    struct hl_store *store = hl_writing_store(writing);
    enum hl_code code;
    bool existed;

    hl_buf_init(&list->keys, LONGEST_LIST);
    code = hl_reader_records(hl_store_inside(store), kind, add_key, list, err);
    if (code == HL_OK)
        code = hl_buf_check(&list->keys, "a list of records", err);
    for (size_t at = 0; code == HL_OK && at < list->keys.len;
         at += strlen(list->keys.data + at) + 1)
        code = hl_store_delete_record(store, kind, list->keys.data + at, &existed, err);
    hl_buf_done(&list->keys);
    return code;
}

struct probe {
    uint32_t space;
    bool is_there;
};

static bool probe_key(void *self, const struct hl_store_record *record)
{
    struct probe *probe = self;

    probe->is_there = strlen(record->key) >= 8 && is_of_model(record->key, probe->space);
    return !probe->is_there;
}

enum hl_code hl_holdings_has_bridge(const struct hl_holdings *holdings, uint32_t space,
                                    struct hl_err *err)
{
    struct probe probe = {.space = space};
    enum hl_code code =
        hl_reader_records(holdings->reader, HL_HOLDING_BRIDGE_INFO, probe_key, &probe, err);

    if (code == HL_OK && !probe.is_there)
        return hl_fail(err, HL_NOT_FOUND, "there is no bridge of the model");
    return code;
}

/* The record of an activation begins with the one that is current: an object, or null. */
static bool probe_active(void *self, const struct hl_store_record *record)
{
    struct probe *probe = self;

    probe->is_there = strlen(record->key) >= 8 && is_of_model(record->key, probe->space) &&
                      record->size > 0 && *(const char *)record->body == '{';
    return !probe->is_there;
}

enum hl_code hl_holdings_check_idle(const struct hl_holdings *holdings, uint32_t space,
                                    struct hl_err *err)
{
    struct probe probe = {.space = space};
    enum hl_code code = hl_reader_records(holdings->reader, HL_HOLDING_ACTIVATION,
                                          probe_active, &probe, err);

    if (code == HL_OK && probe.is_there)
        return hl_fail(err, HL_CONFLICT,
                       "a bridge from or to this vector is active: deactivate it first");
    return code;
}

enum hl_code hl_holdings_drop_keys(struct hl_writing *writing, const char *kind,
                                   const char *beginning, struct hl_err *err)
{
    struct list list = {.beginning = beginning};

    return drop_listed(writing, kind, &list, err);
}

enum hl_code hl_holdings_drop_model(struct hl_writing *writing, uint32_t space,
                                    struct hl_err *err)
{
    static const char *const kinds[] = {
        HL_HOLDING_REVISION,    HL_HOLDING_HEAD,          HL_HOLDING_HEAD_INFO,
        HL_HOLDING_PAIR,        HL_HOLDING_ACTIVATION,    HL_HOLDING_BRIDGE,
        HL_HOLDING_BRIDGE_INFO, HL_HOLDING_BRIDGE_REPORT, HL_HOLDING_CANARY,
        HL_HOLDING_CANARY_INFO, HL_HOLDING_CANARY_FOUND};
    enum hl_code code = HL_OK;

    for (size_t i = 0; code == HL_OK && i < sizeof kinds / sizeof *kinds; i++) {
        struct list list = {.space = space};

        code = drop_listed(writing, kinds[i], &list, err);
    }
    return code;
}

/* ---- replies ---- */

static enum hl_code reply_by_file(struct hl_upload *copy, struct hl_reply *reply,
                                  const struct hl_span *bytes, struct hl_err *err)
{
    enum hl_code code = HL_OK;
    bool is_full;

    for (size_t at = 0; code == HL_OK && at < bytes->len; at += LARGEST_IN_MEMORY) {
        const size_t left = bytes->len - at;

        code = hl_upload_add(copy, bytes->data + at,
                             left < LARGEST_IN_MEMORY ? left : LARGEST_IN_MEMORY, &is_full,
                             err);
        if (code == HL_OK)
            code = hl_upload_spill(copy, err);
    }
    if (code == HL_OK)
        code = hl_upload_finish(copy, err);
    return code == HL_OK
               ? hl_reply_file(reply, "application/octet-stream", hl_upload_path(copy), err)
               : code;
}

enum hl_code hl_reply_bytes(struct hl_server *server, const struct hl_request *request,
                            struct hl_reply *reply, const struct hl_span *bytes,
                            struct hl_err *err)
{
    char folder[HL_CONFIG_TEXT_SIZE + 16], name[32];
    struct hl_upload *copy;
    enum hl_code code;

    if (bytes->len <= LARGEST_IN_MEMORY) {
        reply->status = 200;
        reply->content_type = "application/octet-stream";
        hl_buf_add(&reply->body, bytes->data, bytes->len);
        return hl_buf_check(&reply->body, "the reply", err);
    }
    (void)snprintf(folder, sizeof folder, "%s/uploads", server->config->storage.path);
    (void)snprintf(name, sizeof name, "reply-%" PRIxPTR, (uintptr_t)request);
    code = hl_upload_new(folder, name, &copy, err);
    if (code == HL_OK) {
        code = reply_by_file(copy, reply, bytes, err);
        hl_upload_free(copy); /* the file goes when the reply is sent */
    }
    return code;
}
