/* SPDX-License-Identifier: Apache-2.0 */
#include "server/collection_calls.h"

#include "proto/encode.h"
#include "server/holdings.h"
#include "server/server.h"

#include <inttypes.h>

/* Its points and what is known of it; `info` is in the order of the layout. */
static enum hl_code print_model(const struct hl_holdings *holdings,
                                const struct hl_space *space,
                                const struct hl_space_info *info, struct hl_buf *buf,
                                struct hl_err *err)
{
    struct hl_store_record record;
    struct hl_model model;
    char key[HL_HOLDING_KEY];
    enum hl_code code = hl_holdings_describe(holdings, space, &model, err);

    if (code != HL_OK)
        return code;
    hl_buf_add_text(buf, "{\"name\":");
    hl_encode_string(buf, model.shown);
    hl_buf_print(buf, ",\"sparse\":%s,\"size\":%" PRIu32 ",\"distance\":\"%s\"",
                 space->dim ? "false" : "true", space->dim,
                 hl_distance_name(space->distance));
    hl_buf_print(buf,
                 ",\"points\":%" PRIu64 ",\"reachable_points\":%" PRIu64
                 ",\"indexed_vectors\":%" PRIu64 ",\"revision\":",
                 info->n_points, info->n_points, info->n_indexed);
    if (model.revision[0])
        hl_encode_string(buf, model.revision);
    else
        hl_encode_null(buf);
    hl_buf_print(buf, ",\"fingerprint\":\"%s\",\"head\":", model.print);
    hl_holding_model_key(space->id, key);
    code = hl_reader_record(holdings->reader, HL_HOLDING_HEAD_INFO, key, &record, err);
    if (code == HL_OK)
        hl_buf_add(buf, record.body, record.size);
    else
        hl_encode_null(buf);
    hl_buf_add_char(buf, '}');
    return code == HL_NOT_FOUND ? HL_OK : code;
}

/* The counts may be of a layout that is newer than the look: both are taken by id. */
static const struct hl_space_info *find_info(const struct hl_collection_info *info,
                                             uint32_t space)
{
    static const struct hl_space_info none = {.name = ""};

    for (size_t i = 0; i < info->n_spaces; i++)
        if (info->layout->spaces[i].id == space)
            return &info->spaces[i];
    return &none;
}

enum hl_code hl_collection_call_models(struct hl_server *server, struct hl_request *request,
                                       struct hl_reply *reply, struct hl_err *err)
{
    struct hl_collection_info info;
    struct hl_holdings holdings;
    enum hl_code code = hl_holdings_open(server, &request->params[0], &holdings, err);

    if (code != HL_OK)
        return code;
    code = hl_collection_info(holdings.collection, request->arena, &info, err);
    if (code != HL_OK) {
        hl_holdings_close(&holdings);
        return code;
    }
    hl_reply_begin(reply);
    hl_buf_add_text(&reply->body, "{\"models\":[");
    for (size_t i = 0; code == HL_OK && i < holdings.layout->n_spaces; i++) {
        const struct hl_space *space = &holdings.layout->spaces[i];

        hl_buf_add_text(&reply->body, i > 0 ? "," : "");
        code =
            print_model(&holdings, space, find_info(&info, space->id), &reply->body, err);
    }
    hl_buf_add_text(&reply->body, "]}");
    hl_layout_unref(info.layout);
    hl_holdings_close(&holdings);
    return code == HL_OK ? hl_reply_end(reply, request, err) : code;
}
