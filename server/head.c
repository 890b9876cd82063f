/* SPDX-License-Identifier: Apache-2.0 */
#include "server/head.h"

#include "server/request.h"

#include <stdint.h>
#include <string.h>
#include <strings.h>

bool hl_head_id_is_sane(const char *id)
{
    size_t len = strlen(id);

    for (size_t i = 0; i < len; i++) {
        if (id[i] < ' ' || id[i] > '~')
            return false;
    }
    return len > 0 && len < HL_REQUEST_ID_SIZE && id[0] != ' ' && id[len - 1] != ' ';
}

enum hl_code hl_head_body_len(const struct hl_head *head, size_t *ret_len,
                              struct hl_err *err)
{
    size_t len = 0;

    if (head->has_other_coding || (head->is_chunked && head->n_lengths > 0))
        return hl_fail(err, HL_WRONG_INPUT,
                       "Wrong input: a body is framed by a length or in chunks, and in no "
                       "other way");
    if (head->has_loose_name)
        return hl_fail(err, HL_WRONG_INPUT,
                       "Wrong input: a space between the name of a field and its colon");
    if (head->n_lengths > 1)
        return hl_fail(err, HL_WRONG_INPUT, "Wrong input: two lengths for one body");
    if (head->is_chunked) {
        *ret_len = SIZE_MAX;
        return HL_OK;
    }
    for (const char *c = head->content_length; c && *c; c++) {
        if (*c < '0' || *c > '9')
            return hl_fail(err, HL_WRONG_INPUT, "Wrong input: the length is not a number");
        if (len > (SIZE_MAX - 10) / 10)
            return hl_fail(err, HL_TOO_LARGE, "the body is longer than can be counted");
        len = len * 10 + (size_t)(*c - '0');
    }
    *ret_len = len;
    return HL_OK;
}

enum hl_code hl_head_check_host(const struct hl_head *head, struct hl_err *err)
{
    if (head->n_hosts == 1 || (head->n_hosts == 0 && !head->must_have_host))
        return HL_OK;
    return hl_fail(err, HL_WRONG_INPUT, "Wrong input: %zu Host fields came, wanted one",
                   head->n_hosts);
}

const char *hl_head_secret(const struct hl_head *head)
{
    static const char bearer[] = "Bearer ";

    if (head->api_key)
        return head->api_key;
    if (head->authorization &&
        strncasecmp(head->authorization, bearer, sizeof bearer - 1) == 0)
        return head->authorization + sizeof bearer - 1;
    return NULL;
}
