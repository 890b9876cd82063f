/* SPDX-License-Identifier: Apache-2.0 */
#include "server/collection_calls.h"

#include "proto/encode.h"
#include "server/coverage.h"
#include "server/plan.h"
#include "server/server.h"
#include "server/show.h"

#include <inttypes.h>
#include <string.h>

/* ---- what its queries find ---- */

static void print_leg(const struct hl_layout *layout, const struct hl_leg *leg,
                      struct hl_buf *buf)
{
    hl_buf_add_text(buf, "{\"space\":");
    hl_show_model(buf, hl_layout_space(layout, leg->space));
    hl_buf_add_text(buf, ",\"through\":");
    hl_show_hops(buf, layout, leg->hops, leg->n_hops);
    hl_buf_add_text(buf, ",\"models\":[");
    if (leg->has_own)
        hl_show_model(buf, hl_layout_space(layout, leg->space));
    for (size_t i = 0; i < leg->n_images; i++) {
        hl_buf_add_text(buf, leg->has_own || i > 0 ? "," : "");
        hl_show_model(
            buf,
            hl_layout_space(layout, hl_layout_space(layout, leg->images[i])->image.from));
    }
    hl_buf_add_text(buf, "]}");
}

static enum hl_code print_reach(const struct hl_holdings *holdings,
                                const struct hl_space *space, uint64_t n_points,
                                struct hl_arena *arena, struct hl_buf *buf,
                                struct hl_err *err)
{
    const struct hl_leg own = {.space = space->id, .has_own = true};
    const struct hl_plan *plan = hl_plan_of(hl_plans_of(holdings->layout), space->id,
                                            hl_look_n_carriers(holdings->look, space->id),
                                            hl_look_n_points(holdings->look));
    const struct hl_leg *legs = plan ? plan->legs : &own;
    struct hl_models models;
    enum hl_code code = HL_OK;

    if (plan) {
        hl_plan_found(plan, holdings->layout, &models);
        code = hl_coverage_count(holdings, &models, false, arena, &n_points, err);
    }
    hl_buf_print(buf, ",\"reaches\":{\"points\":%" PRIu64 ",\"strategy\":", n_points);
    if (plan && plan->strategy != HL_SERVING_AUTO)
        hl_encode_string(buf, hl_serving_name(plan->strategy));
    else
        hl_encode_null(buf);
    hl_buf_add_text(buf, ",\"legs\":[");
    for (size_t i = 0; i < (plan ? plan->n_legs : 1); i++) {
        hl_buf_add_text(buf, i > 0 ? "," : "");
        print_leg(holdings->layout, &legs[i], buf);
    }
    hl_buf_add_text(buf, "]}");
    return code;
}

/* ---- what is known of it ---- */

/* Its points and what is known of it; `info` is in the order of the layout. */
static enum hl_code print_model(const struct hl_holdings *holdings,
                                const struct hl_space *space,
                                const struct hl_space_info *info, struct hl_arena *arena,
                                struct hl_buf *buf, struct hl_err *err)
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
    hl_buf_print(buf, ",\"points\":%" PRIu64 ",\"indexed_vectors\":%" PRIu64,
                 info->n_points, info->n_indexed);
    code = print_reach(holdings, space, info->n_points, arena, buf, err);
    if (code != HL_OK)
        return code;
    hl_buf_add_text(buf, ",\"revision\":");
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
        code = print_model(&holdings, space, find_info(&info, space->id), request->arena,
                           &reply->body, err);
    }
    hl_buf_add_text(&reply->body, "]}");
    hl_layout_unref(info.layout);
    hl_holdings_close(&holdings);
    return code == HL_OK ? hl_reply_end(reply, request, err) : code;
}
