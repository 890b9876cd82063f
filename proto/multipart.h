/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HL_PROTO_MULTIPART_H
#define HL_PROTO_MULTIPART_H

#include "proto/err.h"
#include "proto/text.h"

/* A form with files, multipart/form-data as RFC 7578 has it: what browsers, `curl -F` and
 * HTTP libraries send. It is read where it lies, nothing is copied, and only the end of a
 * part is searched for in its content, whatever that content is. Any thread. */

/* The content of the first part called `name`. HL_WRONG_INPUT when the content type is
 * another, the form is not one or has no such part. `content_type` ends with a zero. */
enum hl_code hl_multipart_find(const char *content_type, const struct hl_text *body,
                               const char *name, struct hl_text *ret_content,
                               struct hl_err *err);

#endif
