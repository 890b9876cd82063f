/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/wire/case.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct reader {
    const char *path;
    size_t line;
    struct hl_case *one;
};

static bool refuse(const struct reader *reader, const char *why, const char *text)
{
    printf("# %s:%zu: %s: \"%s\"\n", reader->path, reader->line, why, text);
    return false;
}

/* Text grows where it stands: the old one is freed. */
static void append(char **text, const char *more, const char *end)
{
    char *joined = NULL;

    if (asprintf(&joined, "%s%s%s", *text ? *text : "", more, end) < 0)
        abort();
    free(*text);
    *text = joined;
}

static char *copy(const char *text)
{
    char *copied = strdup(text);

    if (!copied)
        abort();
    return copied;
}

static bool read_escape(const char **at, char *ret_byte)
{
    static const char names[] = "rnt0\\";
    static const char bytes[] = "\r\n\t\0\\";
    const char *name = **at ? strchr(names, **at) : NULL;
    char hex[3] = "";
    char *end;

    if (name) {
        *ret_byte = bytes[name - names];
        ++*at;
        return true;
    }
    if (**at != 'x' || !isxdigit((unsigned char)(*at)[1]))
        return false;
    hex[0] = (*at)[1];
    hex[1] = (*at)[2];
    *ret_byte = (char)strtoul(hex, &end, 16);
    *at += 3;
    return end == hex + 2;
}

static void grow_bytes(struct hl_step *step, size_t more)
{
    step->bytes = realloc(step->bytes, step->n_bytes + more + 1);
    if (!step->bytes)
        abort();
}

/* `\r \n \t \0 \\ \xHH` become what they say. */
static bool add_bytes(const struct reader *reader, struct hl_step *step, const char *text)
{
    grow_bytes(step, strlen(text) + 2);
    for (const char *at = text; *at;) {
        char byte = *at++;

        if (byte == '\\' && !read_escape(&at, &byte))
            return refuse(reader, "this escape is not known", text);
        step->bytes[step->n_bytes++] = byte;
    }
    return true;
}

static bool add_repeated(const struct reader *reader, struct hl_step *step,
                         unsigned long count, const char *text)
{
    size_t from = step->n_bytes;
    size_t size;

    if (!add_bytes(reader, step, text))
        return false;
    size = step->n_bytes - from;
    grow_bytes(step, (count - 1) * size);
    for (unsigned long i = 1; i < count; i++, step->n_bytes += size)
        memcpy(step->bytes + step->n_bytes, step->bytes + from, size);
    return true;
}

static struct hl_step *last_step(struct hl_case *one)
{
    return one->n_steps > 0 ? &one->steps[one->n_steps - 1] : NULL;
}

static struct hl_step *add_step(const struct reader *reader, enum hl_step_kind kind)
{
    struct hl_case *one = reader->one;

    if (one->n_steps == HL_CASE_MAX_STEPS) {
        refuse(reader, "more steps than a case may have", "");
        return NULL;
    }
    one->steps[one->n_steps] = (struct hl_step){.kind = kind, .line = reader->line};
    return &one->steps[one->n_steps++];
}

/* `>` line, `>=` bytes without an end of line, `>*` count text. */
static bool read_send(const struct reader *reader, const char *text)
{
    struct hl_step *step = last_step(reader->one);
    char *end;
    unsigned long count;

    if (!step || step->kind != HL_STEP_SEND)
        step = add_step(reader, HL_STEP_SEND);
    if (!step)
        return false;
    if (*text == '*') {
        count = strtoul(text + 1, &end, 10);
        if (*end != ' ' || count == 0 || count > 100000000)
            return refuse(reader, "wanted \">* COUNT TEXT\"", text);
        return add_repeated(reader, step, count, end + 1);
    }
    if (*text == '=')
        return add_bytes(reader, step, text + 1 + (text[1] == ' '));
    if (!add_bytes(reader, step, text + (*text == ' ')))
        return false;
    step->bytes[step->n_bytes++] = '\r';
    step->bytes[step->n_bytes++] = '\n';
    return true;
}

static bool add_line(const struct reader *reader, char **lines, size_t *n, const char *text)
{
    if (*n == HL_CASE_MAX_LINES)
        return refuse(reader, "more of these lines than a case may have", text);
    lines[(*n)++] = copy(text);
    return true;
}

static bool read_status(const struct reader *reader, const char *text)
{
    char *end;
    unsigned long status = strtoul(text, &end, 10);
    struct hl_step *step;

    if (status < 100 || status > 599 || (*end != '\0' && strcmp(end, " HEAD") != 0))
        return refuse(reader, "wanted a status", text);
    step = add_step(reader, HL_STEP_REPLY);
    if (!step)
        return false;
    step->want.status = (int)status;
    step->want.is_head = *end != '\0';
    return true;
}

/* `<` status or header, `<=` whole body, `<~` part of it. */
static bool read_want(const struct reader *reader, const char *text)
{
    struct hl_step *step;
    char kind = *text;

    if (kind == ' ' && isdigit((unsigned char)text[1]))
        return read_status(reader, text + 1);
    step = last_step(reader->one);
    if (!step || step->kind != HL_STEP_REPLY)
        return refuse(reader, "a reply begins with its status", text);
    if (text[0] == '\0' || (text[1] != ' ' && kind != ' ' && text[1] != '\0'))
        return refuse(reader, "wanted a space", text);
    text += kind == ' ' || text[1] == '\0' ? 1 : 2;
    if (kind == '=') {
        append(&step->want.text, step->want.text ? "\n" : "", text);
        return true;
    }
    if (kind == '~')
        return add_line(reader, step->want.parts, &step->want.n_parts, text);
    if (kind == '!' || kind == ' ') {
        if ((kind == ' ') != (strchr(text, ':') != NULL))
            return refuse(reader, "wanted \"Name: value\" or, after !, a name", text);
        return add_line(reader, step->want.headers, &step->want.n_headers,
                        kind == '!' ? text - 2 : text);
    }
    return refuse(reader, "no line begins like this", text);
}

static bool read_json(const struct reader *reader, const char *text)
{
    struct hl_step *step = last_step(reader->one);

    if (!step || step->kind != HL_STEP_REPLY)
        return refuse(reader, "a reply begins with its status", text);
    append(&step->want.json, text, "\n");
    return true;
}

static bool read_word(const struct reader *reader, const char *text)
{
    if (strcmp(text, "connect") == 0)
        return add_step(reader, HL_STEP_CONNECT) != NULL;
    if (strcmp(text, "shut") == 0)
        return add_step(reader, HL_STEP_SHUT) != NULL;
    if (strcmp(text, "closed") == 0)
        return add_step(reader, HL_STEP_CLOSED) != NULL;
    if (strcmp(text, "refused") == 0)
        return add_step(reader, HL_STEP_REFUSED) != NULL;
    if (strncmp(text, "config: ", 8) == 0) {
        append(&reader->one->config, text + 8, "\n");
        return true;
    }
    if (strncmp(text, "env: ", 5) == 0)
        return add_line(reader, reader->one->env, &reader->one->n_env, text + 5);
    return refuse(reader, "no line begins like this", text);
}

static bool read_line(const struct reader *reader, const char *text)
{
    if (*text == '\0' || *text == '#')
        return true;
    if (!reader->one->title) {
        reader->one->title = copy(text);
        return true;
    }
    if (*text == '>')
        return read_send(reader, text + 1);
    if (*text == '<')
        return read_want(reader, text + 1);
    if (*text == '|')
        return read_json(reader, text + 1);
    return read_word(reader, text);
}

struct hl_case *hl_case_load(const char *path)
{
    struct hl_case *one = calloc(1, sizeof *one);
    FILE *file = fopen(path, "re");
    struct reader reader = {.path = path, .one = one};
    char *text = NULL;
    size_t size = 0;
    bool is_good = one && file;

    if (!is_good)
        printf("# %s: could not be opened\n", path);
    if (one) {
        one->path = path;
        append(&one->config, "", "");
    }
    while (is_good && getline(&text, &size, file) > 0) {
        reader.line++;
        text[strcspn(text, "\n")] = '\0';
        is_good = read_line(&reader, text);
    }
    free(text);
    if (file)
        fclose(file);
    if (is_good && (!one->title || one->n_steps == 0))
        is_good = refuse(&reader, "a case has a title and steps", path);
    if (is_good)
        return one;
    hl_case_free(one);
    return NULL;
}

void hl_case_free(struct hl_case *one)
{
    for (size_t i = 0; one && i < one->n_steps; i++) {
        struct hl_want *want = &one->steps[i].want;

        for (size_t j = 0; j < want->n_headers; j++)
            free(want->headers[j]);
        for (size_t j = 0; j < want->n_parts; j++)
            free(want->parts[j]);
        free(want->text);
        free(want->json);
        free(one->steps[i].bytes);
    }
    for (size_t i = 0; one && i < one->n_env; i++)
        free(one->env[i]);
    if (one) {
        free(one->title);
        free(one->config);
    }
    free(one);
}

bool hl_case_shares_server(const struct hl_case *a, const struct hl_case *b)
{
    if (strcmp(a->config, b->config) != 0 || a->n_env != b->n_env)
        return false;
    for (size_t i = 0; i < a->n_env; i++)
        if (strcmp(a->env[i], b->env[i]) != 0)
            return false;
    return true;
}
