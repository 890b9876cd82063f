/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HL_SERVER_LOG_H
#define HL_SERVER_LOG_H

#include "proto/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* One event, one line: `event=swap view=13 took_ms=412 level=info
 * time=2026-01-31T12:00:00.000Z`.
 *
 *     hl_log(log, HL_LOG_INFO, hl_log_event("swap"), hl_log_u64("view", 13));
 *
 * error: someone must act. warn: still serving, worse. info: state changed. debug: one line
 * for each request, with its id. Keys and event names are literals of ours; text from
 * outside is quoted and escaped, so that nobody can write a line of his own into the log.
 * Vectors and secrets are never logged.
 *
 * Any thread. A line is written by one call and is short enough (4096 bytes) for a pipe to
 * take it in one piece, so lines never mix; what does not fit is cut and says so. Nothing
 * here allocates or fails. */
struct hl_log;

enum hl_log_level { HL_LOG_ERROR, HL_LOG_WARN, HL_LOG_INFO, HL_LOG_DEBUG };
enum hl_log_format { HL_LOG_TEXT, HL_LOG_JSON };

/* Of the names that settings use. Any other name is our bug. */
enum hl_log_level hl_log_level_of(const char *name);
enum hl_log_format hl_log_format_of(const char *name);

/* NULL if there is no memory. The file descriptor stays the caller's. */
struct hl_log *hl_log_new(int fd, enum hl_log_level level, enum hl_log_format format);
void hl_log_free(struct hl_log *log);

/* At any time; lines that are being written keep what they began with. */
void hl_log_set(struct hl_log *log, enum hl_log_level level, enum hl_log_format format);
bool hl_log_is_on(const struct hl_log *log, enum hl_log_level level);

enum hl_log_type {
    HL_LOG_FIELD_EVENT,
    HL_LOG_FIELD_TEXT,
    HL_LOG_FIELD_WORD,
    HL_LOG_FIELD_U64,
    HL_LOG_FIELD_I64,
    HL_LOG_FIELD_REAL,
    HL_LOG_FIELD_BOOL
};

/* Made by the functions below. Text is borrowed until hl_log returns. */
struct hl_log_field {
    enum hl_log_type type;
    const char *key;
    const char *text;
    size_t len;
    union {
        uint64_t u64;
        int64_t i64;
        double real;
        bool is_true;
    } value;
};

struct hl_log_field hl_log_event(const char *name); /* always the first field */
struct hl_log_field hl_log_text(const char *key, const char *text); /* always quoted */
struct hl_log_field hl_log_bytes(const char *key, const char *text, size_t len); /* too */
struct hl_log_field hl_log_word(const char *key,
                                const char *word); /* quoted if it must be */
struct hl_log_field hl_log_u64(const char *key, uint64_t value);
struct hl_log_field hl_log_i64(const char *key, int64_t value);
struct hl_log_field hl_log_real(const char *key, double value); /* six decimals */
struct hl_log_field hl_log_bool(const char *key, bool value);
struct hl_log_field hl_log_error(const struct hl_err *err); /* error="sentence" */

/* The fields are not evaluated when the level is off. `log` may be NULL: nothing happens.
 */
#define hl_log(log, level, ...)                                                            \
    (hl_log_is_on((log), (level))                                                          \
         ? hl_log_write((log), (level), (const struct hl_log_field[]){__VA_ARGS__},        \
                        sizeof((const struct hl_log_field[]){__VA_ARGS__}) /               \
                            sizeof(struct hl_log_field))                                   \
         : (void)0)

void hl_log_write(struct hl_log *log, enum hl_log_level level,
                  const struct hl_log_field *fields, size_t n_fields);

#endif
