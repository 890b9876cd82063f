/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/rest.h"

#include <cjson/cJSON.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { HEAD_ROOM = 1024, STANDARD_LIMIT_MS = 60000 };

void hl_rest_init(struct hl_rest *rest, unsigned port)
{
    *rest = (struct hl_rest){.port = port, .limit_ms = STANDARD_LIMIT_MS};
}

static void hang_up(struct hl_rest *rest)
{
    if (rest->is_open)
        hl_client_close(&rest->client);
    rest->is_open = false;
}

void hl_rest_done(struct hl_rest *rest)
{
    hang_up(rest);
    free(rest->request);
    cJSON_Delete(rest->reply);
    *rest = (struct hl_rest){0};
}

static size_t print_request(struct hl_rest *rest, const char *method, const char *path,
                            const char *body)
{
    size_t len = body ? strlen(body) : 0, room = len + strlen(path) + HEAD_ROOM;
    int head;

    if (rest->room < room) {
        free(rest->request);
        rest->room = room * 2;
        rest->request = malloc(rest->room);
        if (!rest->request)
            abort();
    }
    head = snprintf(rest->request, rest->room,
                    "%s %s HTTP/1.1\r\nHost: x\r\n%sContent-Length: %zu\r\n\r\n%s", method,
                    path, body ? "Content-Type: application/json\r\n" : "", len,
                    body ? body : "");
    return (size_t)head;
}

static enum hl_client_got exchange(struct hl_rest *rest, size_t len,
                                   struct hl_client_reply *reply)
{
    if (!rest->is_open && !hl_client_open(&rest->client, rest->port))
        return HL_CLIENT_CLOSED;
    rest->is_open = true;
    (void)hl_client_send(&rest->client, rest->request, len);
    return hl_client_read(&rest->client, false, rest->limit_ms, reply);
}

int hl_rest_ask(struct hl_rest *rest, const char *method, const char *path,
                const char *body)
{
    struct hl_client_reply reply = {0};
    size_t len = print_request(rest, method, path, body);
    enum hl_client_got got = exchange(rest, len, &reply);
    int status = got == HL_CLIENT_REPLY ? reply.status : -(int)got;
    const char *connection = hl_client_header(&reply, "Connection");

    cJSON_Delete(rest->reply);
    rest->reply = got == HL_CLIENT_REPLY ? cJSON_Parse(reply.body) : NULL;
    snprintf(rest->said, sizeof rest->said, "%s", reply.body ? reply.body : "");
    if (got != HL_CLIENT_REPLY || (connection && strcmp(connection, "close") == 0))
        hang_up(rest);
    hl_client_reply_done(&reply);
    return status;
}

const struct cJSON *hl_rest_result(const struct hl_rest *rest)
{
    return rest->reply ? cJSON_GetObjectItemCaseSensitive(rest->reply, "result") : NULL;
}
