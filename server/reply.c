/* SPDX-License-Identifier: Apache-2.0 */
#include "server/request.h"

#include "proto/encode.h"

#include <string.h>

const char *hl_request_query(const struct hl_request *request, const char *name)
{
    for (size_t i = request->target.n_query; i > 0; i--) {
        const struct hl_query *query = &request->target.query[i - 1];

        if (strcmp(query->name.data, name) == 0)
            return query->value.data;
    }
    return NULL;
}

double hl_request_seconds(const struct hl_request *request)
{
    return (double)(hl_clock_now(request->deadline.clock) - request->started_us) / 1e6;
}

void hl_reply_text(struct hl_reply *reply, const char *content_type, struct hl_span text)
{
    reply->status = 200;
    reply->content_type = content_type;
    reply->text = text;
}

void hl_reply_begin(struct hl_reply *reply)
{
    reply->status = 200;
    reply->content_type = "application/json";
    hl_encode_result_begin(&reply->body);
}

enum hl_code hl_reply_end(struct hl_reply *reply, const struct hl_request *request,
                          struct hl_err *err)
{
    hl_encode_result_end(&reply->body, hl_request_seconds(request));
    return hl_buf_check(&reply->body, "the reply", err);
}

void hl_reply_error(struct hl_reply *reply, const struct hl_err *err, double seconds)
{
    static const char no_room[] = "{\"status\":{\"error\":\"no memory for the error\","
                                  "\"code\":\"out_of_memory\"},\"time\":0.0}";

    hl_buf_clear(&reply->body, reply->body.size);
    reply->status = hl_code_status(err->code);
    reply->content_type = "application/json";
    hl_encode_error(&reply->body, err, seconds);
    if (reply->body.failed != HL_OK) {
        hl_buf_clear(&reply->body, 0);
        reply->text = (struct hl_span){no_room, sizeof no_room - 1};
    }
    if (err->code == HL_TOO_MANY || err->code == HL_UNAVAILABLE ||
        err->code == HL_NO_MEMORY)
        reply->retry_after_s = 1;
}
