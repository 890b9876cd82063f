/* SPDX-License-Identifier: Apache-2.0 */
#include "server/log.h"

#include "proto/alloc.h"

#include <errno.h>
#include <limits.h>
#include <math.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* PIPE_BUF is what a pipe takes in one piece; a text longer than TEXT_MAX is cut, so that
 * one long value does not cost the line its other fields. TAIL is kept for level and time.
 */
enum { LINE_SIZE = PIPE_BUF, TEXT_MAX = 1024, TAIL = 128 };

struct hl_log {
    int fd;
    atomic_int level;
    atomic_int format;
};

struct line {
    char text[LINE_SIZE];
    size_t len;
    bool is_json;
    bool is_cut;
};

static const char *const level_names[] = {"error", "warn", "info", "debug"};

enum hl_log_level hl_log_level_of(const char *name)
{
    int level = HL_LOG_ERROR;

    while (level < HL_LOG_DEBUG && strcmp(level_names[level], name) != 0)
        level++;
    assert(strcmp(level_names[level], name) == 0);
    return (enum hl_log_level)level;
}

enum hl_log_format hl_log_format_of(const char *name)
{
    assert(strcmp(name, "text") == 0 || strcmp(name, "json") == 0);
    return strcmp(name, "json") == 0 ? HL_LOG_JSON : HL_LOG_TEXT;
}

struct hl_log *hl_log_new(int fd, enum hl_log_level level, enum hl_log_format format)
{
    struct hl_log *log = hl_alloc_zeroed(1, sizeof *log);

    if (!log)
        return NULL;
    log->fd = fd;
    hl_log_set(log, level, format);
    return log;
}

void hl_log_free(struct hl_log *log)
{
    hl_free(log);
}

void hl_log_set(struct hl_log *log, enum hl_log_level level, enum hl_log_format format)
{
    atomic_store(&log->level, (int)level);
    atomic_store(&log->format, (int)format);
}

bool hl_log_is_on(const struct hl_log *log, enum hl_log_level level)
{
    return log && (int)level <= atomic_load(&log->level);
}

struct hl_log_field hl_log_event(const char *name)
{
    return (struct hl_log_field){
        .type = HL_LOG_FIELD_EVENT, .key = "event", .text = name, .len = strlen(name)};
}

struct hl_log_field hl_log_text(const char *key, const char *text)
{
    return hl_log_bytes(key, text, strlen(text));
}

struct hl_log_field hl_log_bytes(const char *key, const char *text, size_t len)
{
    return (struct hl_log_field){
        .type = HL_LOG_FIELD_TEXT, .key = key, .text = text, .len = len};
}

struct hl_log_field hl_log_word(const char *key, const char *word)
{
    return (struct hl_log_field){
        .type = HL_LOG_FIELD_WORD, .key = key, .text = word, .len = strlen(word)};
}

struct hl_log_field hl_log_u64(const char *key, uint64_t value)
{
    return (struct hl_log_field){.type = HL_LOG_FIELD_U64, .key = key, .value.u64 = value};
}

struct hl_log_field hl_log_i64(const char *key, int64_t value)
{
    return (struct hl_log_field){.type = HL_LOG_FIELD_I64, .key = key, .value.i64 = value};
}

struct hl_log_field hl_log_real(const char *key, double value)
{
    return (struct hl_log_field){
        .type = HL_LOG_FIELD_REAL, .key = key, .value.real = value};
}

struct hl_log_field hl_log_bool(const char *key, bool value)
{
    return (struct hl_log_field){
        .type = HL_LOG_FIELD_BOOL, .key = key, .value.is_true = value};
}

struct hl_log_field hl_log_error(const struct hl_err *err)
{
    return hl_log_text("error", err->msg);
}

/* All of it or nothing. */
static bool add(struct line *line, const char *text, size_t len)
{
    if (len > sizeof line->text - TAIL - line->len)
        return false;
    memcpy(line->text + line->len, text, len);
    line->len += len;
    return true;
}

static bool add_text(struct line *line, const char *text)
{
    return add(line, text, strlen(text));
}

/* Bytes of a sound UTF-8 character at `text`, 0 if there is none. Two-byte controls (C1)
 * and the line separators U+2028 and U+2029 are not taken for sound: some viewers obey
 * them. */
static size_t sound_character(const unsigned char *text, size_t len)
{
    size_t need = text[0] < 0x80 ? 1 : text[0] < 0xe0 ? 2 : text[0] < 0xf0 ? 3 : 4;

    if (need == 1)
        return text[0] >= 0x20 && text[0] != 0x7f ? 1 : 0;
    if (text[0] < 0xc2 || text[0] > 0xf4 || need > len)
        return 0;
    for (size_t i = 1; i < need; i++)
        if ((text[i] & 0xc0U) != 0x80U)
            return 0;
    if ((text[0] == 0xc2 && text[1] < 0xa0) || (text[0] == 0xe0 && text[1] < 0xa0) ||
        (text[0] == 0xed && text[1] > 0x9f) || (text[0] == 0xf0 && text[1] < 0x90) ||
        (text[0] == 0xf4 && text[1] > 0x8f))
        return 0;
    if (text[0] == 0xe2 && text[1] == 0x80 && (text[2] == 0xa8 || text[2] == 0xa9))
        return 0;
    return need;
}

static bool add_escaped(struct line *line, unsigned char c)
{
    char text[8];

    if (c == '"' || c == '\\')
        snprintf(text, sizeof text, "\\%c", c);
    else if (c == '\n' || c == '\r' || c == '\t')
        snprintf(text, sizeof text, "\\%c", c == '\n' ? 'n' : c == '\r' ? 'r' : 't');
    else if (line->is_json)
        /* JSON has no bytes; the byte's number is the next best thing. */
        snprintf(text, sizeof text, "\\u%04x", c);
    else
        snprintf(text, sizeof text, "\\x%02x", c);
    return add_text(line, text);
}

static bool add_quoted(struct line *line, const char *bytes, size_t len)
{
    const unsigned char *text = (const unsigned char *)bytes;
    const size_t begin = line->len;
    bool fits = add_text(line, "\"");

    for (size_t i = 0; fits && i < len;) {
        size_t sound = sound_character(text + i, len - i);

        if (line->len - begin > TEXT_MAX) {
            fits = add_text(line, "…");
            line->is_cut = true;
            break;
        }
        if (sound == 0 || text[i] == '"' || text[i] == '\\')
            fits = add_escaped(line, text[i]);
        else
            fits = add(line, bytes + i, sound);
        i += sound ? sound : 1;
    }
    return fits && add_text(line, "\"");
}

static bool is_plain(const char *word, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        char c = word[i];

        if (!(c >= 'a' && c <= 'z') && !(c >= 'A' && c <= 'Z') && !(c >= '0' && c <= '9') &&
            !strchr("_-./:@+", c))
            return false;
    }
    return len > 0 && len <= TEXT_MAX && !memchr(word, '\0', len);
}

static bool add_word(struct line *line, const char *word, size_t len)
{
    if (line->is_json || !is_plain(word, len))
        return add_quoted(line, word, len);
    return add(line, word, len);
}

static bool add_number(struct line *line, const struct hl_log_field *field)
{
    char text[64];

    if (field->type == HL_LOG_FIELD_U64)
        snprintf(text, sizeof text, "%llu", (unsigned long long)field->value.u64);
    else if (field->type == HL_LOG_FIELD_I64)
        snprintf(text, sizeof text, "%lld", (long long)field->value.i64);
    else if (!isfinite(field->value.real))
        return add_text(line, "null");
    else if (fabs(field->value.real) < 1e15)
        snprintf(text, sizeof text, "%.6f", field->value.real);
    else
        snprintf(text, sizeof text, "%.6e", field->value.real);
    return add_text(line, text);
}

static bool add_value(struct line *line, const struct hl_log_field *field)
{
    switch (field->type) {
    case HL_LOG_FIELD_TEXT:
        return add_quoted(line, field->text, field->len);
    case HL_LOG_FIELD_EVENT:
    case HL_LOG_FIELD_WORD:
        return add_word(line, field->text, field->len);
    case HL_LOG_FIELD_BOOL:
        return add_text(line, field->value.is_true ? "true" : "false");
    case HL_LOG_FIELD_U64:
    case HL_LOG_FIELD_I64:
    case HL_LOG_FIELD_REAL:
    default:
        return add_number(line, field);
    }
}

/* What does not fit is taken back whole: half a value would say something else. */
static void add_field(struct line *line, const struct hl_log_field *field)
{
    const size_t begin = line->len;
    bool fits;

    if (line->is_json)
        fits = add_text(line, begin == 1 ? "\"" : ",\"") && add_text(line, field->key) &&
               add_text(line, "\":");
    else
        fits = add_text(line, begin == 0 ? "" : " ") && add_text(line, field->key) &&
               add_text(line, "=");
    if (fits && add_value(line, field))
        return;
    line->len = begin;
    line->is_cut = true;
}

static void add_tail(struct line *line, enum hl_log_level level)
{
    struct timespec now = {0};
    struct tm utc = {0};
    char day[32];
    int len;

    (void)clock_gettime(CLOCK_REALTIME, &now);
    if (!gmtime_r(&now.tv_sec, &utc) ||
        strftime(day, sizeof day, "%Y-%m-%dT%H:%M:%S", &utc) == 0)
        day[0] = '\0';
    len = snprintf(line->text + line->len, sizeof line->text - line->len,
                   line->is_json ? "%s,\"level\":\"%s\",\"time\":\"%s.%03dZ\"}\n"
                                 : "%s level=%s time=%s.%03dZ\n",
                   !line->is_cut   ? ""
                   : line->is_json ? ",\"cut\":true"
                                   : " cut=true",
                   level_names[level], day, (int)(now.tv_nsec / 1000000));
    if (len > 0)
        line->len += (size_t)len;
}

void hl_log_write(struct hl_log *log, enum hl_log_level level,
                  const struct hl_log_field *fields, size_t n_fields)
{
    struct line line;
    int errno_before = errno;
    ssize_t done;

    assert(n_fields > 0 && fields[0].type == HL_LOG_FIELD_EVENT);
    line.len = 0;
    line.is_cut = false;
    line.is_json = atomic_load(&log->format) == HL_LOG_JSON;
    if (line.is_json)
        (void)add_text(&line, "{");
    for (size_t i = 0; i < n_fields; i++)
        add_field(&line, &fields[i]);
    add_tail(&line, level);
    /* Whoever reads the log may be gone or its disk full; serving goes on without. */
    do
        done = write(log->fd, line.text, line.len);
    while (done < 0 && errno == EINTR);
    errno = errno_before;
}
