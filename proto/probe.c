/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/probe.h"

#include "proto/base64.h"
#include "proto/encode.h"
#include "proto/members.h"
#include "proto/model_name.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

struct hl_probe_settings hl_probe_settings_default(void)
{
    return (struct hl_probe_settings){.k = HL_PROBE_K, .flip_at = 1};
}

/* ---- the settings ---- */

enum { K, FLIP_AT, EVERY_S, N_SETTINGS, QUERIES = N_SETTINGS };

static const char *const set_names[] = {
    [K] = "k", [FLIP_AT] = "flip_at", [EVERY_S] = "every_s", [QUERIES] = "queries"};

static enum hl_code read_setting(const struct hl_field *member, size_t which, void *self,
                                 struct hl_err *err)
{
    struct hl_probe_settings *settings = self;
    const uint64_t least = which == EVERY_S ? 0 : 1;
    const uint64_t most = which == EVERY_S ? HL_PROBE_EVERY_MOST : HL_PROBE_K_MOST;
    uint64_t value = 0;
    enum hl_code code = hl_field_u64(member, least, most, &value, err);

    if (code != HL_OK)
        return code;
    if (which == K)
        settings->k = (uint32_t)value;
    else if (which == FLIP_AT)
        settings->flip_at = (uint32_t)value;
    else
        settings->every_s = (uint32_t)value;
    return HL_OK;
}

static enum hl_code check_settings(const struct hl_tokens *tokens,
                                   const struct hl_probe_settings *settings,
                                   struct hl_err *err)
{
    return settings->flip_at <= settings->k
               ? HL_OK
               : hl_fail(err, HL_INVALID,
                         "Validation error in %s: [flip_at: value %" PRIu32
                         " invalid, must be at most k, which is %" PRIu32 "]",
                         tokens->what, settings->flip_at, settings->k);
}

/* ---- one probe ---- */

enum { ID, VECTORS, RELEVANT, RELEVANT_IF, FILTER };

static enum hl_code read_filter(const struct hl_field *member,
                                const struct hl_filter **ret_filter,
                                struct hl_text *ret_text, struct hl_err *err)
{
    struct hl_tokens *tokens = member->tokens;
    struct hl_token first;
    enum hl_code code = hl_tokens_peek(tokens, &first, err);

    if (code == HL_OK)
        code = hl_filter_read(member, ret_filter, err);
    if (code == HL_OK)
        *ret_text = (struct hl_text){tokens->text + first.start, tokens->at - first.start};
    return code;
}

/* By the names that a layout has. */
static enum hl_code take_vector(const struct hl_field *member, struct hl_vectors *vectors,
                                struct hl_vector *vector, struct hl_err *err)
{
    vector->name = hl_model_meant_by(&vector->name);
    if (vector->is_sparse)
        return hl_field_fail_name(member, "probes have dense vectors, got a sparse one",
                                  err);
    if (vector->n == 0) /* as base64 it could not be read again */
        return hl_field_fail_name(member, "a vector without numbers is there", err);
    for (size_t i = 0; i < vectors->n; i++)
        if (hl_text_compare(&vectors->items[i].name, &vector->name) == 0)
            return hl_field_fail_name(member, "both \"\" and \"@default\" are there", err);
    vectors->n++;
    return HL_OK;
}

static enum hl_code read_vectors(const struct hl_field *member, struct hl_probe *probe,
                                 struct hl_err *err)
{
    static const struct hl_token nothing = {.kind = HL_TOKEN_OBJECT_BEGIN};
    struct hl_arena *arena = member->tokens->arena;
    struct hl_vectors sent = {0}, vectors = {0};
    struct hl_vector *items;
    struct hl_token first;
    enum hl_code code = hl_tokens_peek(member->tokens, &first, err);

    if (code == HL_OK && first.kind != HL_TOKEN_OBJECT_BEGIN)
        return hl_field_fail_type(member, "an object of vectors, one of each model", &first,
                                  err);
    if (code == HL_OK)
        code = hl_vectors_read(member, &sent, err);
    if (code != HL_OK)
        return code;
    if (sent.n == 0)
        return hl_field_fail_value(member, &nothing, "vectors of one model at least", err);
    items = hl_arena_array(arena, sent.n, sizeof *items);
    if (!items)
        return hl_arena_fail(arena, err, "%zu vectors", sent.n);
    memcpy(items, sent.items, sent.n * sizeof *items);
    vectors.items = items;
    for (size_t i = 0; code == HL_OK && i < sent.n; i++)
        code = take_vector(member, &vectors, &items[i], err);
    probe->vectors = vectors;
    return code;
}

/* One that asks nothing would make every point relevant. */
static enum hl_code read_relevant_if(const struct hl_field *member, struct hl_probe *probe,
                                     struct hl_err *err)
{
    static const struct hl_token nothing = {.kind = HL_TOKEN_OBJECT_BEGIN};
    enum hl_code code =
        read_filter(member, &probe->relevant_if, &probe->relevant_if_text, err);

    if (code == HL_OK && hl_filter_is_empty(probe->relevant_if))
        return hl_field_fail_value(member, &nothing, "a filter with a condition", err);
    return code;
}

static enum hl_code read_probe_member(const struct hl_field *member, size_t which,
                                      void *self, struct hl_err *err)
{
    struct hl_probe *probe = self;

    switch (which) {
    case ID:
        return hl_text_read(member, &probe->id, err);
    case VECTORS:
        return read_vectors(member, probe, err);
    case RELEVANT:
        return hl_ids_read_set(member, &probe->relevant, err);
    case RELEVANT_IF:
        return read_relevant_if(member, probe, err);
    default:
        return read_filter(member, &probe->filter, &probe->filter_text, err);
    }
}

static enum hl_code read_probe(const struct hl_field *field, struct hl_probe *ret_probe,
                               struct hl_err *err)
{
    static const char *const names[] = {[ID] = "id",
                                        [VECTORS] = "vectors",
                                        [RELEVANT] = "relevant",
                                        [RELEVANT_IF] = "relevant_if",
                                        [FILTER] = "filter"};
    static const struct hl_members members = {HL_MEMBERS_OF(names), HL_MEMBER(VECTORS),
                                              read_probe_member};
    struct hl_probe probe = {0};
    enum hl_code code = hl_members_read(field, &members, &probe, err);

    if (code == HL_OK && probe.relevant.n == 0 && !probe.relevant_if)
        return hl_field_fail_name(field,
                                  "nothing says what it must find: \"relevant\" has ids, "
                                  "\"relevant_if\" is a filter",
                                  err);
    if (code == HL_OK)
        *ret_probe = probe;
    return code;
}

/* ---- a whole body ---- */

struct body {
    struct hl_probe_settings settings;
    struct hl_probe_taker *taker;
};

static enum hl_code give(struct hl_probe_taker *taker, const struct hl_probe *probe,
                         struct hl_err *err)
{
    enum hl_code code;

    if (taker->n == HL_PROBES_MOST)
        return hl_fail(err, HL_TOO_LARGE, "a probe set has at most %d queries",
                       (int)HL_PROBES_MOST);
    code = taker->take(taker, probe, err);
    taker->n += code == HL_OK;
    hl_arena_reset(taker->scratch);
    return code;
}

/* What the query is made of lives in the scratch arena, and nothing else does: it began
 * behind a token that was taken, and ends with one. */
static enum hl_code read_query(const struct hl_field *item, void *self, struct hl_err *err)
{
    struct body *body = self;
    struct hl_arena *arena = item->tokens->arena;
    struct hl_probe probe;
    enum hl_code code;

    item->tokens->arena = body->taker->scratch;
    code = read_probe(item, &probe, err);
    item->tokens->arena = arena;
    return code == HL_OK ? give(body->taker, &probe, err) : code;
}

static enum hl_code read_set_member(const struct hl_field *member, size_t which, void *self,
                                    struct hl_err *err)
{
    struct body *body = self;

    return which == QUERIES ? hl_each_read(member, read_query, body, err)
                            : read_setting(member, which, &body->settings, err);
}

static enum hl_code fail_empty(struct hl_err *err)
{
    return hl_fail(err, HL_INVALID, "a probe set has one query at least, got none");
}

enum hl_code hl_probes_read(const struct hl_field *field, struct hl_probe_taker *taker,
                            struct hl_probe_settings *ret_settings, struct hl_err *err)
{
    static const struct hl_members members = {HL_MEMBERS_OF(set_names), HL_MEMBER(QUERIES),
                                              read_set_member};
    struct body body = {hl_probe_settings_default(), taker};
    enum hl_code code = hl_members_read(field, &members, &body, err);

    if (code == HL_OK)
        code = check_settings(field->tokens, &body.settings, err);
    if (code == HL_OK && taker->n == 0)
        code = fail_empty(err);
    if (code == HL_OK)
        *ret_settings = body.settings;
    return code;
}

/* ---- line by line ---- */

static bool is_blank(const char *text, size_t len)
{
    size_t i = 0;

    while (i < len && (text[i] == ' ' || text[i] == '\t' || text[i] == '\r'))
        i++;
    return i == len;
}

/* The next line that has something on it; false behind the last. */
static bool take_line(struct hl_probe_lines *lines, const char **ret_text, size_t *ret_len)
{
    while (lines->at < lines->len) {
        const char *text = lines->text + lines->at;
        const char *end = memchr(text, '\n', lines->len - lines->at);
        const size_t len = end ? (size_t)(end - text) : lines->len - lines->at;

        lines->at += len + (end ? 1 : 0);
        lines->number++;
        if (!is_blank(text, len)) {
            *ret_text = text;
            *ret_len = len;
            return true;
        }
    }
    return false;
}

/* Queries have vectors and settings have none. What is no object at all is for the reader
 * of queries to refuse. */
static bool is_query(const char *text, size_t len, struct hl_arena *arena)
{
    static const char *const names[] = {"vectors"};
    const struct hl_field *member;
    struct hl_object object;
    struct hl_tokens tokens;
    struct hl_field root;
    struct hl_err ignored;
    bool is = true;

    hl_tokens_init(&tokens, text, len, arena);
    root = hl_field_root(&tokens);
    if (hl_object_begin(&root, names, 1, &object, &ignored) != HL_OK)
        return true;
    object.keeps_nulls = true;
    while ((is = hl_object_next(&object, &member, &ignored) == HL_OK) && member)
        if (object.which == 0)
            return true;
    return !is;
}

static enum hl_code read_settings(const struct hl_field *field,
                                  struct hl_probe_settings *settings, struct hl_err *err)
{
    static const struct hl_members members = {set_names, N_SETTINGS, 0, read_setting};
    enum hl_code code = hl_members_read(field, &members, settings, err);

    return code == HL_OK ? check_settings(field->tokens, settings, err) : code;
}

enum hl_code hl_probe_lines_next(struct hl_probe_lines *lines, struct hl_arena *arena,
                                 struct hl_probe *ret_probe, bool *ret_has,
                                 struct hl_err *err)
{
    const bool is_first = lines->number == 0;
    struct hl_tokens tokens;
    struct hl_field root;
    char what[40];
    const char *text;
    size_t len;
    enum hl_code code = HL_OK;

    if (is_first)
        lines->settings = hl_probe_settings_default();
    *ret_has = take_line(lines, &text, &len);
    if (!*ret_has)
        return HL_OK;
    (void)snprintf(what, sizeof what, "line %" PRIu64, lines->number);
    hl_tokens_init(&tokens, text, len, arena);
    tokens.what = what;
    root = hl_field_root(&tokens);
    if (is_first && !is_query(text, len, arena)) {
        code = read_settings(&root, &lines->settings, err);
        if (code == HL_OK)
            code = hl_tokens_finish(&tokens, err);
        return code == HL_OK ? hl_probe_lines_next(lines, arena, ret_probe, ret_has, err)
                             : code;
    }
    code = read_probe(&root, ret_probe, err);
    return code == HL_OK ? hl_tokens_finish(&tokens, err) : code;
}

enum hl_code hl_probes_read_lines(const char *text, size_t len,
                                  struct hl_probe_taker *taker,
                                  struct hl_probe_settings *ret_settings,
                                  struct hl_err *err)
{
    struct hl_probe_lines lines = {.text = text, .len = len};
    struct hl_probe probe;
    bool has = true;
    enum hl_code code = HL_OK;

    while (code == HL_OK && has) {
        code = hl_probe_lines_next(&lines, taker->scratch, &probe, &has, err);
        if (code == HL_OK && has)
            code = give(taker, &probe, err);
    }
    if (code == HL_OK && taker->n == 0)
        code = fail_empty(err);
    if (code == HL_OK)
        *ret_settings = lines.settings;
    return code;
}

/* ---- having one run ---- */

static enum hl_code read_order_member(const struct hl_field *member, size_t which,
                                      void *self, struct hl_err *err)
{
    struct hl_probe_order *order = self;

    if (which == 2)
        return hl_field_u64(member, 1, UINT64_MAX, &order->version, err);
    return hl_text_read(member, which == 0 ? &order->from : &order->to, err);
}

enum hl_code hl_probe_order_read(const struct hl_field *field,
                                 struct hl_probe_order *ret_order, struct hl_err *err)
{
    static const char *const names[] = {"from", "to", "version"};
    static const struct hl_members members = {HL_MEMBERS_OF(names), 0, read_order_member};
    struct hl_probe_order order = {.version = 0};
    enum hl_code code = hl_members_read(field, &members, &order, err);

    if (code == HL_OK && !order.from.text != !order.to.text)
        return hl_field_fail_name(field, "\"from\" and \"to\" come together", err);
    if (code == HL_OK)
        *ret_order = order;
    return code;
}

/* ---- printing ---- */

void hl_probe_settings_print(const struct hl_probe_settings *settings, struct hl_buf *buf)
{
    hl_buf_print(buf,
                 "{\"k\":%" PRIu32 ",\"flip_at\":%" PRIu32 ",\"every_s\":%" PRIu32 "}\n",
                 settings->k, settings->flip_at, settings->every_s);
}

/* As it came, but on one line: a line end in JSON is white space, for in a string it cannot
 * stand. */
static void print_source(struct hl_buf *buf, const char *name, const struct hl_text *source)
{
    char *text;

    hl_buf_add_char(buf, ',');
    hl_encode_key(buf, name);
    text = hl_buf_reserve(buf, source->len);
    if (!text)
        return;
    for (size_t i = 0; i < source->len; i++)
        text[i] =
            (char)(source->text[i] == '\n' || source->text[i] == '\r' ? ' '
                                                                      : source->text[i]);
    buf->len += source->len;
    buf->data[buf->len] = '\0';
}

void hl_probe_print(const struct hl_probe *probe, struct hl_buf *buf)
{
    char words[HL_ID_TEXT_SIZE];

    hl_buf_add_char(buf, '{');
    if (probe->id.text) {
        hl_encode_key(buf, "id");
        hl_encode_text(buf, probe->id.text, probe->id.len);
        hl_buf_add_char(buf, ',');
    }
    hl_encode_key(buf, "vectors");
    for (size_t i = 0; i < probe->vectors.n; i++) {
        const struct hl_vector *vector = &probe->vectors.items[i];

        hl_buf_add_char(buf, i > 0 ? ',' : '{');
        if (vector->name.len > 0)
            hl_encode_text(buf, vector->name.text, vector->name.len);
        else
            hl_encode_string(buf, hl_model_shown(""));
        hl_buf_add_text(buf, ":\"");
        hl_base64_encode(vector->values, vector->n, buf);
        hl_buf_add_char(buf, '"');
    }
    hl_buf_add_char(buf, '}');
    if (probe->relevant.n > 0)
        hl_buf_add_text(buf, ",\"relevant\":");
    for (size_t i = 0; i < probe->relevant.n; i++) {
        const struct hl_id *id = &probe->relevant.items[i];
        const char *quote = id->tag == HL_ID_UUID ? "\"" : "";

        (void)hl_id_print(id, words);
        hl_buf_print(buf, "%c%s%s%s", i > 0 ? ',' : '[', quote, words, quote);
    }
    hl_buf_add_text(buf, probe->relevant.n > 0 ? "]" : "");
    if (probe->relevant_if)
        print_source(buf, "relevant_if", &probe->relevant_if_text);
    if (probe->filter)
        print_source(buf, "filter", &probe->filter_text);
    hl_buf_add_text(buf, "}\n");
}
