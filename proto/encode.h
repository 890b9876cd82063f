/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HL_PROTO_ENCODE_H
#define HL_PROTO_ENCODE_H

#include "proto/buf.h"
#include "proto/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* JSON out: values printed straight into a buffer, and the two envelopes of every reply.
 *
 * Commas, colons and brackets between values are the caller's (hl_buf_add_char). Whatever
 * comes in, what comes out is valid JSON in valid UTF-8. Nothing here fails but the buffer,
 * which remembers it. Independent of the locale. Any thread; a buffer has one user. */

/* With quotes around it. Bytes that are not valid UTF-8 become U+FFFD, one for each. */
void hl_encode_text(struct hl_buf *buf, const char *text, size_t len);
void hl_encode_string(struct hl_buf *buf, const char *text); /* terminated */

/* `"name":` */
void hl_encode_key(struct hl_buf *buf, const char *name);

void hl_encode_u64(struct hl_buf *buf, uint64_t value);
void hl_encode_i64(struct hl_buf *buf, int64_t value);
void hl_encode_bool(struct hl_buf *buf, bool value);
void hl_encode_null(struct hl_buf *buf);

/* The shortest decimal that reads back as the same value, always with a point or an
 * exponent, so that typed clients see a real number: 1.0, 0.25, -0.0, 1e-7. JSON has no NaN
 * and no infinity: they are printed as null, as Qdrant does, and whoever must not let that
 * happen checks before printing. */
void hl_encode_float(struct hl_buf *buf, float value);
void hl_encode_double(struct hl_buf *buf, double value);

/* A reply is `{"result":` VALUE `,"status":"ok","time":s}`; the caller prints VALUE between
 * the two calls. */
void hl_encode_result_begin(struct hl_buf *buf);
void hl_encode_result_end(struct hl_buf *buf, double seconds);

/* `{"status":{"error":"sentence","code":"name"},"time":s}`; the HTTP status that belongs to
 * it is hl_code_status(err->code). */
void hl_encode_error(struct hl_buf *buf, const struct hl_err *err, double seconds);

/* The version of the JSON library that control bodies go through, for who prints versions.
 */
const char *hl_encode_library_version(void);

#endif
