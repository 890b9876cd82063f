/* SPDX-License-Identifier: Apache-2.0 */
#include "server/request.h"

#include "proto/encode.h"
#include "proto/number.h"

#include <string.h>
#include <strings.h>

const char *hl_request_query(const struct hl_request *request, const char *name)
{
    for (size_t i = request->target.n_query; i > 0; i--) {
        const struct hl_target_pair *query = &request->target.query[i - 1];

        if (strcmp(query->name.data, name) == 0)
            return query->value.data;
    }
    return NULL;
}

enum hl_code hl_request_number(const struct hl_request *request, const char *name,
                               uint64_t *ret_number, struct hl_err *err)
{
    const char *text = hl_request_query(request, name);
    uint64_t number = 0;

    if (text && (strspn(text, "0123456789") != strlen(text) ||
                 !hl_number_u64(text, strlen(text), &number) || number == 0))
        return hl_fail(err, HL_MALFORMED,
                       "Format error in query parameters: %s is \"%.40s\", a whole number "
                       "from 1 on was wanted",
                       name, text);
    *ret_number = number;
    return HL_OK;
}

enum hl_code hl_request_format(const struct hl_request *request, const char *only,
                               bool *ret_is_wanted, struct hl_err *err)
{
    const char *format = hl_request_query(request, "format");

    if (format && strcmp(format, only) != 0)
        return hl_fail(err, HL_MALFORMED,
                       "Format error in query parameters: format is \"%.100s\", %s was "
                       "wanted",
                       format, only);
    *ret_is_wanted = format != NULL;
    return HL_OK;
}

bool hl_request_is_of_type(const struct hl_request *request, const char *type)
{
    const size_t len = strlen(type);

    return strncasecmp(request->content_type, type, len) == 0 &&
           strchr("; \t", request->content_type[len]) != NULL;
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

enum hl_code hl_reply_file(struct hl_reply *reply, const char *content_type,
                           const char *path, struct hl_err *err)
{
    struct hl_file *file;
    uint64_t size = 0;
    enum hl_code code = hl_file_open(path, HL_FILE_READ, &file, err);

    if (code != HL_OK)
        return code;
    code = hl_file_size(file, &size, err);
    if (code != HL_OK) {
        hl_file_close(file);
        return code;
    }
    reply->status = 200;
    reply->content_type = content_type;
    reply->file = file;
    reply->file_size = size;
    return HL_OK;
}

uint64_t hl_reply_size(const struct hl_reply *reply)
{
    if (reply->file)
        return reply->file_size;
    return reply->body.len > 0 ? reply->body.len : reply->text.len;
}

/* Of a list of tags, each between quotes. */
static bool has_tag(const char *list, const char *tag)
{
    const char *at = list + strspn(list, " \t");

    if (*at == '*')
        return true;
    return strstr(at, tag) != NULL;
}

void hl_reply_tag(struct hl_reply *reply, const struct hl_request *request)
{
    const char *tag = strchr(reply->etag, '"'); /* behind what says that it is weak */

    if (!request->if_none_match || !has_tag(request->if_none_match, tag))
        return;
    hl_buf_clear(&reply->body, reply->body.size);
    reply->content_type = NULL;
    reply->status = 304;
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

int hl_reply_retry_s(enum hl_code code)
{
    return code == HL_TOO_MANY || code == HL_UNAVAILABLE || code == HL_NO_MEMORY ? 1 : 0;
}

void hl_reply_error(struct hl_reply *reply, const struct hl_err *err, double seconds)
{
    static const char no_room[] = "{\"status\":{\"error\":\"no memory for the error\","
                                  "\"code\":\"out_of_memory\"},\"time\":0.0}";

    hl_buf_clear(&reply->body, reply->body.size);
    hl_file_close(reply->file);
    reply->file = NULL;
    reply->etag = reply->cache_control = NULL;
    reply->status = hl_code_status(err->code);
    reply->content_type = "application/json";
    hl_encode_error(&reply->body, err, seconds);
    if (reply->body.failed != HL_OK) {
        hl_buf_clear(&reply->body, 0);
        reply->text = (struct hl_span){no_room, sizeof no_room - 1};
    }
    reply->retry_after_s = hl_reply_retry_s(err->code);
}
