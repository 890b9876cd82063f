/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HL_TESTS_SUPPORT_REST_H
#define HL_TESTS_SUPPORT_REST_H

#include "tests/support/client.h"

#include <stdbool.h>

struct cJSON;

/* A caller of the REST interface: one connection that is opened again when it has gone,
 * JSON in and JSON out. One thread. */
struct hl_rest {
    unsigned port;
    int64_t limit_ms; /* for one reply */
    struct hl_client client;
    bool is_open;
    char *request; /* the last one sent */
    size_t room;
    struct cJSON *reply; /* of the last call, NULL when it was not JSON */
    char said[256];      /* the beginning of its text */
};

void hl_rest_init(struct hl_rest *rest, unsigned port);
void hl_rest_done(struct hl_rest *rest);

/* The status, or a negative number when there was no whole reply: whether the call was done
 * is not known then. `body` may be NULL. */
int hl_rest_ask(struct hl_rest *rest, const char *method, const char *path,
                const char *body);

/* The member `result` of the last reply, NULL when there is none. */
const struct cJSON *hl_rest_result(const struct hl_rest *rest);

#endif
