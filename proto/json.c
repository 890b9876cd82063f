/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/json.h"

#include "proto/alloc.h"
#include "proto/encode.h"
#include "proto/number.h"

#include <cjson/cJSON.h>
#include <inttypes.h>
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LONGEST_NUMBER = 63 /* cJSON reads no further */ };

static const double largest_whole = 9007199254740992.0; /* 2^53 */

struct hl_json {
    cJSON *root;
    struct hl_tokens words; /* only for what it calls the text in errors */
};

static pthread_once_t hooks_once = PTHREAD_ONCE_INIT;

/* cJSON's allocator is one for the process, and heirloom's is one too: set before the first
 * use, whichever thread that is in, and never again. */
static void set_hooks(void)
{
    cJSON_Hooks hooks = {.malloc_fn = hl_alloc, .free_fn = hl_free};

    cJSON_InitHooks(&hooks);
}

static struct hl_json *new_json(void)
{
    struct hl_json *json = hl_alloc_zeroed(1, sizeof *json);

    (void)pthread_once(&hooks_once, set_hooks);
    if (json)
        hl_tokens_init(&json->words, "", 0, NULL);
    return json;
}

void hl_json_free(struct hl_json *json)
{
    if (!json)
        return;
    cJSON_Delete(json->root);
    hl_free(json);
}

const char *hl_json_library_version(void)
{
    return cJSON_Version();
}

/* A key, and the object it is in, as its opening bracket counts. */
struct key {
    const char *text;
    size_t len;
    size_t object;
    size_t start;
};

/* What the first reading of a text carries along. */
struct survey {
    struct hl_tokens tokens;
    struct key *keys;
    size_t n_keys;
    size_t room;
    size_t n_nodes;
    size_t n_objects;
    size_t objects[HL_JSON_MAX_DEPTH]; /* which are open */
    unsigned n_open;
};

static int compare_keys(const void *a, const void *b)
{
    const struct key *x = a, *y = b;
    size_t len = x->len < y->len ? x->len : y->len;
    int order;

    if (x->object != y->object)
        return x->object < y->object ? -1 : 1;
    order = memcmp(x->text, y->text, len);
    if (order == 0 && x->len != y->len)
        order = x->len < y->len ? -1 : 1;
    return order;
}

static enum hl_code check_keys(struct survey *survey, struct hl_err *err)
{
    struct key *keys = survey->keys;

    if (survey->n_keys > 1)
        qsort(keys, survey->n_keys, sizeof *keys, compare_keys);
    for (size_t i = 1; i < survey->n_keys; i++) {
        const struct hl_field twin = {.tokens = &survey->tokens,
                                      .parent = &(struct hl_field){0},
                                      .name = keys[i].text,
                                      .name_len = keys[i].len};

        if (compare_keys(&keys[i - 1], &keys[i]) == 0)
            return hl_field_fail_duplicate(&twin, err);
    }
    return HL_OK;
}

static enum hl_code check_text(const struct survey *survey, const struct hl_token *token,
                               struct hl_err *err)
{
    if (memchr(token->text, '\0', token->len))
        return hl_fail(err, HL_MALFORMED,
                       "Format error in %s: cannot take \\u0000 in a string (byte %zu)",
                       survey->tokens.what, token->start);
    return HL_OK;
}

static enum hl_code check_number(struct survey *survey, const struct hl_token *token,
                                 struct hl_err *err)
{
    const struct hl_field field = hl_field_root(&survey->tokens);
    double value = hl_number_double(token->text, token->len);

    if (token->len > LONGEST_NUMBER)
        return hl_field_fail_value(&field, token, "a number of at most 63 characters", err);
    if (!isfinite(value))
        return hl_field_fail_value(&field, token, "a finite number", err);
    if (hl_number_is_whole(token->text, token->len) && fabs(value) >= largest_whole) {
        uint64_t magnitude = 0;
        bool is_negative = token->text[0] == '-';

        if (!hl_number_u64(token->text + is_negative, token->len - is_negative,
                           &magnitude) ||
            magnitude > (uint64_t)largest_whole)
            return hl_field_fail_value(&field, token,
                                       "an integer from -9007199254740992 to "
                                       "9007199254740992",
                                       err);
    }
    return HL_OK;
}

static enum hl_code note_key(struct survey *survey, const struct hl_token *token,
                             struct hl_err *err)
{
    enum hl_code code = check_text(survey, token, err);

    if (code != HL_OK)
        return code;
    if (survey->n_keys == survey->room) {
        size_t room = survey->room ? survey->room * 2 : 64;
        struct key *keys = hl_arena_array(survey->tokens.arena, room, sizeof *keys);

        if (!keys)
            return hl_arena_fail(survey->tokens.arena, err, "%zu keys", room);
        if (survey->n_keys)
            memcpy(keys, survey->keys, survey->n_keys * sizeof *keys);
        survey->keys = keys;
        survey->room = room;
    }
    survey->keys[survey->n_keys++] = (struct key){
        token->text, token->len, survey->objects[survey->n_open - 1], token->start};
    return HL_OK;
}

static enum hl_code note_token(struct survey *survey, const struct hl_token *token,
                               struct hl_err *err)
{
    switch (token->kind) {
    case HL_TOKEN_OBJECT_BEGIN:
    case HL_TOKEN_ARRAY_BEGIN:
        survey->objects[survey->n_open++] = survey->n_objects++;
        survey->n_nodes++;
        return HL_OK;
    case HL_TOKEN_OBJECT_END:
    case HL_TOKEN_ARRAY_END:
        survey->n_open--;
        return HL_OK;
    case HL_TOKEN_KEY:
        return note_key(survey, token, err);
    case HL_TOKEN_STRING:
        survey->n_nodes++;
        return check_text(survey, token, err);
    case HL_TOKEN_NUMBER:
        survey->n_nodes++;
        return check_number(survey, token, err);
    case HL_TOKEN_END:
    case HL_TOKEN_TRUE:
    case HL_TOKEN_FALSE:
    case HL_TOKEN_NULL:
    default:
        survey->n_nodes++;
        return HL_OK;
    }
}

static enum hl_code survey_text(const char *text, size_t len, struct hl_arena *arena,
                                struct hl_err *err)
{
    struct survey survey = {.n_open = 0};
    struct hl_token token = {0};
    enum hl_code code;

    if (len > HL_JSON_MAX_BYTES)
        return hl_fail(err, HL_TOO_LARGE, "body has %zu bytes, the limit here is %u", len,
                       HL_JSON_MAX_BYTES);
    hl_tokens_init(&survey.tokens, text, len, arena);
    survey.tokens.max_depth = HL_JSON_MAX_DEPTH;
    do {
        code = hl_tokens_next(&survey.tokens, &token, err);
        if (code == HL_OK)
            code = note_token(&survey, &token, err);
        if (code != HL_OK)
            return code;
        if (survey.n_nodes > HL_JSON_MAX_NODES)
            return hl_fail(err, HL_TOO_LARGE, "body has more than %d values",
                           HL_JSON_MAX_NODES);
    } while (token.kind != HL_TOKEN_END);
    return check_keys(&survey, err);
}

enum hl_code hl_json_decode(const char *text, size_t len, struct hl_arena *arena,
                            struct hl_json **ret_json, struct hl_err *err)
{
    enum hl_code code = survey_text(text, len, arena, err);
    struct hl_json *json;

    if (code != HL_OK)
        return code;
    json = new_json();
    if (json)
        json->root = cJSON_ParseWithLength(text, len);
    if (!json || !json->root) {
        hl_json_free(json);
        return hl_fail(err, HL_NO_MEMORY, "no memory for a body of %zu bytes", len);
    }
    *ret_json = json;
    return HL_OK;
}

struct hl_json_at hl_json_root(struct hl_json *json)
{
    return (struct hl_json_at){.field = hl_field_root(&json->words), .node = json->root};
}

bool hl_json_member(const struct hl_json_at *object, const char *name,
                    struct hl_json_at *ret_member)
{
    const cJSON *node = cJSON_GetObjectItemCaseSensitive(object->node, name);

    if (!node || cJSON_IsNull(node))
        return false;
    *ret_member = (struct hl_json_at){.field = {.parent = &object->field,
                                                .tokens = object->field.tokens,
                                                .name = node->string,
                                                .name_len = strlen(node->string)},
                                      .node = node};
    return true;
}

/* What a node would have been as a token. `room` holds a number's text. */
static struct hl_token token_of(const cJSON *node, char room[32])
{
    const char *text = "null";
    enum hl_token_kind kind = HL_TOKEN_NULL;

    if (cJSON_IsObject(node)) {
        kind = HL_TOKEN_OBJECT_BEGIN;
    } else if (cJSON_IsArray(node)) {
        kind = HL_TOKEN_ARRAY_BEGIN;
    } else if (cJSON_IsString(node)) {
        kind = HL_TOKEN_STRING;
        text = node->valuestring;
    } else if (cJSON_IsNumber(node)) {
        kind = HL_TOKEN_NUMBER;
        snprintf(room, 32, "%.17g", node->valuedouble);
        text = room;
    } else if (cJSON_IsBool(node)) {
        kind = cJSON_IsTrue(node) ? HL_TOKEN_TRUE : HL_TOKEN_FALSE;
        text = cJSON_IsTrue(node) ? "true" : "false";
    }
    return (struct hl_token){.kind = kind, .text = text, .len = strlen(text)};
}

static enum hl_code fail_type(const struct hl_json_at *at, const char *wanted,
                              struct hl_err *err)
{
    char room[32];
    struct hl_token got = token_of(at->node, room);

    return hl_field_fail_type(&at->field, wanted, &got, err);
}

enum hl_code hl_json_object(const struct hl_json_at *at, struct hl_err *err)
{
    return cJSON_IsObject(at->node) ? HL_OK : fail_type(at, "an object", err);
}

enum hl_code hl_json_array(const struct hl_json_at *at, size_t *ret_n, struct hl_err *err)
{
    if (!cJSON_IsArray(at->node))
        return fail_type(at, "an array", err);
    *ret_n = (size_t)cJSON_GetArraySize(at->node);
    return HL_OK;
}

bool hl_json_next_item(const struct hl_json_at *array, struct hl_json_at *item)
{
    const cJSON *before = item->node, *list = array->node;
    const cJSON *node = before ? before->next : list->child;

    if (!node)
        return false;
    item->field = (struct hl_field){.parent = &array->field,
                                    .tokens = array->field.tokens,
                                    .index = before ? item->field.index + 1 : 0};
    item->node = node;
    return true;
}

enum hl_code hl_json_string(const struct hl_json_at *at, const char **ret_text,
                            struct hl_err *err)
{
    if (!cJSON_IsString(at->node))
        return fail_type(at, "a string", err);
    *ret_text = cJSON_GetStringValue(at->node);
    return HL_OK;
}

enum hl_code hl_json_bool(const struct hl_json_at *at, bool *ret_value, struct hl_err *err)
{
    if (!cJSON_IsBool(at->node))
        return fail_type(at, "true or false", err);
    *ret_value = cJSON_IsTrue(at->node);
    return HL_OK;
}

enum hl_code hl_json_double(const struct hl_json_at *at, double *ret_value,
                            struct hl_err *err)
{
    if (!cJSON_IsNumber(at->node))
        return fail_type(at, "a number", err);
    *ret_value = cJSON_GetNumberValue(at->node);
    return HL_OK;
}

enum hl_code hl_json_i64(const struct hl_json_at *at, int64_t min, int64_t max,
                         int64_t *ret_value, struct hl_err *err)
{
    double value = cJSON_IsNumber(at->node) ? cJSON_GetNumberValue(at->node) : 0.5;
    struct hl_token got;
    char room[32], must[64];

    if (value != trunc(value))
        return fail_type(at, "a whole number", err);
    if (fabs(value) <= largest_whole && (int64_t)value >= min && (int64_t)value <= max) {
        *ret_value = (int64_t)value;
        return HL_OK;
    }
    got = token_of(at->node, room);
    snprintf(must, sizeof must, "from %" PRId64 " to %" PRId64, min, max);
    return hl_field_fail_value(&at->field, &got, must, err);
}

struct hl_json *hl_json_new(void)
{
    struct hl_json *json = new_json();

    if (json)
        json->root = cJSON_CreateObject();
    if (json && json->root)
        return json;
    hl_json_free(json);
    return NULL;
}

static void *add(const struct hl_json *json, cJSON *parent, const char *name, cJSON *node)
{
    bool is_added;

    if (!parent)
        parent = json->root;
    if (name)
        is_added = cJSON_AddItemToObject(parent, name, node);
    else
        is_added = cJSON_AddItemToArray(parent, node);
    if (is_added)
        return node;
    cJSON_Delete(node);
    return NULL;
}

void *hl_json_add_object(struct hl_json *json, void *parent, const char *name)
{
    return add(json, parent, name, cJSON_CreateObject());
}

void *hl_json_add_array(struct hl_json *json, void *parent, const char *name)
{
    return add(json, parent, name, cJSON_CreateArray());
}

void *hl_json_add_string(struct hl_json *json, void *parent, const char *name,
                         const char *text)
{
    return add(json, parent, name, cJSON_CreateString(text));
}

void *hl_json_add_number(struct hl_json *json, void *parent, const char *name, double value)
{
    return add(json, parent, name, cJSON_CreateNumber(value));
}

void *hl_json_add_bool(struct hl_json *json, void *parent, const char *name, bool value)
{
    return add(json, parent, name, cJSON_CreateBool(value));
}

static void encode_leaf(const cJSON *node, struct hl_buf *buf)
{
    double value = node->valuedouble;

    if (cJSON_IsString(node))
        hl_encode_string(buf, node->valuestring);
    else if (cJSON_IsBool(node))
        hl_encode_bool(buf, cJSON_IsTrue(node));
    else if (!cJSON_IsNumber(node))
        hl_encode_null(buf);
    else if (fabs(value) <= largest_whole && value == trunc(value) && !signbit(value))
        hl_encode_u64(buf, (uint64_t)value);
    else if (fabs(value) <= largest_whole && value == trunc(value) && value != 0)
        hl_encode_i64(buf, (int64_t)value);
    else
        hl_encode_double(buf, value);
}

/* Down, along, and up again by a stack of our own: cJSON's nodes do not know their parent.
 * A tree built here may be deeper than one that was read, but not than this. */
void hl_json_encode(const struct hl_json *json, struct hl_buf *buf)
{
    const cJSON *open[HL_JSON_MAX_DEPTH], *node = json->root;
    size_t n_open = 0;

    while (node) {
        bool is_container = cJSON_IsObject(node) || cJSON_IsArray(node);

        if (node->string && n_open)
            hl_encode_key(buf, node->string);
        if (is_container && n_open < HL_JSON_MAX_DEPTH) {
            hl_buf_add_char(buf, cJSON_IsObject(node) ? '{' : '[');
            open[n_open++] = node;
            if (node->child) {
                node = node->child;
                continue;
            }
        } else {
            encode_leaf(node, buf);
        }
        if (is_container && n_open && open[n_open - 1] == node)
            hl_buf_add_char(buf, cJSON_IsObject(open[--n_open]) ? '}' : ']');
        while (n_open && !node->next) {
            node = open[--n_open];
            hl_buf_add_char(buf, cJSON_IsObject(node) ? '}' : ']');
        }
        if (!n_open)
            break;
        hl_buf_add_char(buf, ',');
        node = node->next;
    }
}
