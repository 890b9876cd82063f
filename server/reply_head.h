/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HL_SERVER_REPLY_HEAD_H
#define HL_SERVER_REPLY_HEAD_H

#include "proto/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The head of an HTTP/1.1 reply, from its status to the empty line, as far as our clients
 * need it. Plain data; any thread. */
struct hl_reply_head {
    size_t len;      /* with the empty line; 0: it is not all there yet */
    size_t body_len; /* HL_REPLY_IN_CHUNKS: only its chunks say */
    int status;
    int retry_after_s; /* 0: nothing is said of it */
    bool must_close;
};

#define HL_REPLY_IN_CHUNKS SIZE_MAX

/* `text` is terminated and may go on behind the head. HL_UNAVAILABLE when it is none. */
enum hl_code hl_reply_head_read(const char *text, size_t len,
                                struct hl_reply_head *ret_head, struct hl_err *err);

#endif
