/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HL_PROTO_ERR_H
#define HL_PROTO_ERR_H

#include <assert.h>

/* The one error of the house: a code and a sentence, nothing to free.
 *
 * Whatever can fail returns `enum hl_code` and takes `struct hl_err *err` last, never NULL.
 * On success `err` is untouched; on failure it is filled and every `ret_` argument is
 * untouched. Any thread; an error belongs to whoever declared it.
 *
 * A sentence says what came and what was wanted: lower case unless it opens with one of the
 * wire's fixed phrases, no full stop, names in double quotes, `could not` for what may work
 * next time and `cannot` for what never will. */

/* Code, HTTP status, name on the wire. The names are API: rows are added, never renamed.
 * 4xx: the caller can mend it. 5xx: we must. */
#define HL_CODE_TABLE(X)                                                                   \
    X(HL_OK, 200, "ok")                                                                    \
    X(HL_MALFORMED, 400, "malformed_body")                                                 \
    X(HL_WRONG_INPUT, 400, "wrong_input")                                                  \
    X(HL_UNKNOWN_VECTOR, 400, "unknown_vector")                                            \
    X(HL_DIMENSION_MISMATCH, 400, "dimension_mismatch")                                    \
    X(HL_NOT_SUPPORTED, 400, "not_supported")                                              \
    X(HL_BAD_FILE, 400, "bad_file")                                                        \
    X(HL_UNAUTHORIZED, 401, "unauthorized")                                                \
    X(HL_FORBIDDEN, 403, "forbidden")                                                      \
    X(HL_NOT_FOUND, 404, "not_found")                                                      \
    X(HL_METHOD_NOT_ALLOWED, 405, "method_not_allowed")                                    \
    X(HL_TIMEOUT, 408, "timeout")                                                          \
    X(HL_EXISTS, 409, "already_exists")                                                    \
    X(HL_CONFLICT, 409, "conflict")                                                        \
    X(HL_ILLEGAL_STEP, 409, "illegal_step")                                                \
    X(HL_GATE_UNMET, 409, "gate_unmet")                                                    \
    X(HL_LENGTH_REQUIRED, 411, "length_required")                                          \
    X(HL_TOO_LARGE, 413, "too_large")                                                      \
    X(HL_MEDIA_TYPE, 415, "unsupported_media_type")                                        \
    X(HL_INVALID, 422, "invalid")                                                          \
    X(HL_TOO_MANY, 429, "too_many_requests")                                               \
    X(HL_HEADERS_TOO_LARGE, 431, "headers_too_large")                                      \
    X(HL_CANCELLED, 499, "cancelled")                                                      \
    X(HL_INTERNAL, 500, "internal")                                                        \
    X(HL_IO, 500, "io_error")                                                              \
    X(HL_DAMAGED, 500, "damaged")                                                          \
    X(HL_NEWER_FORMAT, 500, "newer_format")                                                \
    X(HL_UNAVAILABLE, 503, "unavailable")                                                  \
    X(HL_NO_MEMORY, 503, "out_of_memory")                                                  \
    X(HL_DISK_FULL, 507, "disk_full")

enum hl_code {
#define HL_CODE_ENUM(code, status, name) code,
    HL_CODE_TABLE(HL_CODE_ENUM)
#undef HL_CODE_ENUM
        HL_N_CODES
};

#define HL_ERR_MSG_SIZE 512

struct hl_err {
    enum hl_code code;
    char msg[HL_ERR_MSG_SIZE]; /* terminated; what is too long is cut between characters */
};

int hl_code_status(enum hl_code code);
const char *hl_code_name(enum hl_code code);

/* Fills `err` and returns `code`, so that `return hl_fail(err, …)` is one statement. */
#define hl_fail(err, code, ...) (hl_err_set((err), (code), __VA_ARGS__), hl_err_code(err))

/* Puts words and ": " in front of the sentence that is there. Returns the code that is
 * there. */
#define hl_fail_in(err, ...) (hl_err_set_in((err), __VA_ARGS__), hl_err_code(err))

/* The operating system's refusal in our words: "could not WHAT: REASON". ENOSPC, EDQUOT and
 * EFBIG become HL_DISK_FULL, ENOMEM HL_NO_MEMORY, all else HL_IO. */
#define hl_fail_errno(err, error, ...)                                                     \
    (hl_err_set_errno((err), (error), __VA_ARGS__), hl_err_code(err))

/* What the three above are made of. They are macros so that a compiler or an analyser that
 * reads one file sees that a failure is never HL_OK. */
void hl_err_set(struct hl_err *err, enum hl_code code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
void hl_err_set_in(struct hl_err *err, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
void hl_err_set_errno(struct hl_err *err, int error, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static inline enum hl_code hl_err_code(const struct hl_err *err)
{
    assert(err->code != HL_OK);
    return err->code;
}

#endif
