/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HL_SERVER_HEAD_H
#define HL_SERVER_HEAD_H

#include "proto/err.h"

#include <stdbool.h>
#include <stddef.h>

/* The head of a request, as far as we read it. Pure functions; any thread. */

/* What it points to is good until the request is done. */
struct hl_head {
    const char *method;
    const char *request_id; /* NULL, like the next four, when it is not there */
    const char *api_key;
    const char *authorization;
    const char *content_type;
    const char *if_none_match;
    const char *content_length;
    size_t n_lengths; /* how many Content-Length fields came */
    bool is_chunked;
    bool has_other_coding; /* a Transfer-Encoding that is not exactly "chunked" */
    bool has_loose_name;   /* a field whose name ends in a space */
    bool has_expect;
    bool must_have_host; /* HTTP/1.1 */
    size_t n_hosts;
    size_t bytes; /* of the whole head */
};

/* How long the body is; SIZE_MAX when only its end will tell. Framing that two readers
 * could understand differently is refused. */
enum hl_code hl_head_body_len(const struct hl_head *head, size_t *ret_len,
                              struct hl_err *err);

/* HTTP/1.1 wants exactly one Host, and what stands between client and server relies on it.
 */
enum hl_code hl_head_check_host(const struct hl_head *head, struct hl_err *err);

/* The secret a caller showed, or NULL: `api-key`, else `Authorization: Bearer`. */
const char *hl_head_secret(const struct hl_head *head);

/* Whether an id can be sent back and logged as it is: printable ASCII, not too long. */
bool hl_head_id_is_sane(const char *id);

#endif
