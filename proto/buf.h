/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HL_PROTO_BUF_H
#define HL_PROTO_BUF_H

#include "proto/err.h"

#include <stdbool.h>
#include <stddef.h>

/* Bytes that grow, up to a ceiling that must be named; one above PTRDIFF_MAX - 1 means
 * that.
 *
 * The first failed addition is remembered and every later one does nothing, so that a reply
 * of a hundred pieces is printed without a hundred checks and asked once at the end. `data`
 * is never NULL and always ends in a zero byte that `len` does not count. One thread. */
struct hl_buf {
    char *data;
    size_t len;
    size_t size;
    size_t ceiling;
    enum hl_code failed; /* HL_OK, HL_TOO_LARGE or HL_NO_MEMORY */
};

void hl_buf_init(struct hl_buf *buf, size_t ceiling);
void hl_buf_done(struct hl_buf *buf); /* empty again, ceiling kept */

/* Empty again as well, but up to `keep` bytes of memory stay for the next user. */
void hl_buf_clear(struct hl_buf *buf, size_t keep);

/* Room for `bytes` more behind `data + len`, for a caller that writes there itself and then
 * moves `len`. NULL, and remembered, when there is none. */
char *hl_buf_reserve(struct hl_buf *buf, size_t bytes);
void hl_buf_add(struct hl_buf *buf, const void *bytes, size_t n);
void hl_buf_add_text(struct hl_buf *buf, const char *text);
void hl_buf_add_char(struct hl_buf *buf, char c);
void hl_buf_print(struct hl_buf *buf, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* HL_OK, or the first failure as "could not hold WHAT: …" or "no memory for
 * WHAT". */
enum hl_code hl_buf_check(const struct hl_buf *buf, const char *what, struct hl_err *err);

/* The bytes become the caller's (hl_free), and the buffer is empty. NULL when it failed. */
char *hl_buf_take(struct hl_buf *buf, size_t *ret_len);

#endif
