/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/tensors_header.h"

#include "proto/number.h"
#include "proto/token.h"
#include "proto/utf8.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { HAS_DTYPE = 1, HAS_SHAPE = 2, HAS_OFFSETS = 4, HAS_ALL = 7 };

bool hl_tensor_bytes(const struct hl_tensor *tensor, uint64_t *ret_bytes)
{
    uint64_t bytes = hl_dtype_size(tensor->type);
    bool is_empty = false;

    /* A size of 0 makes the product 0 wherever it stands; the others must fit all the
     * same, for rows are counted from them. */
    for (unsigned i = 0; i < tensor->n_dims; i++) {
        if (tensor->shape[i] == 0)
            is_empty = true;
        else if (__builtin_mul_overflow(bytes, tensor->shape[i], &bytes) ||
                 bytes > INT64_MAX)
            return false;
    }
    *ret_bytes = is_empty ? 0 : bytes;
    return true;
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

const char *hl_tensors_twice(const char **names, size_t n)
{
    if (n == 0)
        return NULL;
    qsort(names, n, sizeof *names, compare_names);
    for (size_t i = 1; i < n; i++) {
        if (strcmp(names[i - 1], names[i]) == 0)
            return names[i];
    }
    return NULL;
}

/* The array with room for one more item behind `n`: it doubles when `n` is a power of two,
 * so what is left behind in the arena is less than what is used. */
static void *grown(struct hl_arena *arena, void *items, size_t n, size_t size)
{
    void *more;

    if (n && (n & (n - 1)) != 0)
        return items;
    more = hl_arena_array(arena, n ? 2 * n : 1, size);
    if (more && n)
        memcpy(more, items, n * size);
    return more;
}

static enum hl_code take(struct hl_tokens *tokens, enum hl_token_kind kind,
                         const char *wanted, struct hl_token *ret_token, struct hl_err *err)
{
    struct hl_token token;
    enum hl_code code = hl_tokens_next(tokens, &token, err);

    if (code != HL_OK)
        return code;
    if (token.kind != kind)
        return hl_fail(err, HL_BAD_FILE, "byte %zu of the header is not %s", token.start,
                       wanted);
    *ret_token = token;
    return HL_OK;
}

/* A key or text as a terminated one of our own. A zero byte in it would hide its rest. */
static enum hl_code copy_text(const struct hl_tokens *tokens, const struct hl_token *token,
                              const char **ret_text, struct hl_err *err)
{
    char *text;

    if (memchr(token->text, '\0', token->len))
        return hl_fail(err, HL_BAD_FILE, "byte %zu of the header has a text with \\u0000",
                       token->start);
    text = hl_arena_copy(tokens->arena, token->text, token->len);
    if (!text)
        return hl_arena_fail(tokens->arena, err, "the header's texts");
    *ret_text = text;
    return HL_OK;
}

static enum hl_code read_size(const struct hl_token *token, uint64_t *ret_value,
                              struct hl_err *err)
{
    if (token->kind != HL_TOKEN_NUMBER ||
        !hl_number_u64(token->text, token->len, ret_value) || token->text[0] == '-')
        return hl_fail(err, HL_BAD_FILE, "byte %zu of the header is not a size",
                       token->start);
    return HL_OK;
}

/* `[1,2,3]`, at most `max` of them. */
static enum hl_code read_sizes(struct hl_tokens *tokens, uint64_t *values, unsigned max,
                               unsigned *ret_n, struct hl_err *err)
{
    struct hl_token token;
    unsigned n = 0;
    enum hl_code code = take(tokens, HL_TOKEN_ARRAY_BEGIN, "a list of sizes", &token, err);

    while (code == HL_OK) {
        code = hl_tokens_next(tokens, &token, err);
        if (code != HL_OK)
            break;
        if (token.kind == HL_TOKEN_ARRAY_END) {
            *ret_n = n;
            return HL_OK;
        }
        if (n == max)
            return hl_fail(err, HL_BAD_FILE,
                           "byte %zu of the header goes on behind %u sizes", token.start,
                           max);
        code = read_size(&token, &values[n++], err);
    }
    return code;
}

static enum hl_code read_dtype(struct hl_tokens *tokens, struct hl_tensor *tensor,
                               struct hl_err *err)
{
    struct hl_token token;
    enum hl_code code = take(tokens, HL_TOKEN_STRING, "a type", &token, err);

    if (code != HL_OK)
        return code;
    if (!hl_dtype_find(token.text, token.len, &tensor->type))
        return hl_fail(err, HL_BAD_FILE, "cannot read numbers of type \"%.*s\"",
                       (int)hl_utf8_valid_len(token.text, token.len < 40 ? token.len : 40),
                       token.text);
    return HL_OK;
}

static enum hl_code read_offsets(struct hl_tokens *tokens, struct hl_tensor *tensor,
                                 struct hl_err *err)
{
    uint64_t values[2] = {0};
    unsigned n = 0;
    enum hl_code code = read_sizes(tokens, values, 2, &n, err);

    if (code != HL_OK)
        return code;
    if (n != 2 || values[0] > values[1])
        return hl_fail(err, HL_BAD_FILE, "its data_offsets are not [begin,end]");
    tensor->begin = values[0];
    tensor->end = values[1];
    return HL_OK;
}

static bool is_key(const struct hl_token *key, const char *name)
{
    return strlen(name) == key->len && memcmp(name, key->text, key->len) == 0;
}

static enum hl_code read_field(struct hl_tokens *tokens, const struct hl_token *key,
                               struct hl_tensor *tensor, unsigned *seen, struct hl_err *err)
{
    unsigned bit = is_key(key, "dtype")          ? HAS_DTYPE
                   : is_key(key, "shape")        ? HAS_SHAPE
                   : is_key(key, "data_offsets") ? HAS_OFFSETS
                                                 : 0;

    if (bit == 0 || (*seen & bit))
        return hl_fail(err, HL_BAD_FILE, "byte %zu of the header is %s", key->start,
                       bit ? "a key that came before" : "an unknown key");
    *seen |= bit;
    if (bit == HAS_DTYPE)
        return read_dtype(tokens, tensor, err);
    if (bit == HAS_OFFSETS)
        return read_offsets(tokens, tensor, err);
    return read_sizes(tokens, tensor->shape, HL_TENSOR_MAX_DIMS, &tensor->n_dims, err);
}

static enum hl_code check_tensor(const struct hl_tensor *tensor, unsigned seen,
                                 struct hl_err *err)
{
    uint64_t bytes;

    if (seen != HAS_ALL)
        return hl_fail(err, HL_BAD_FILE, "it has no %s",
                       !(seen & HAS_DTYPE)   ? "dtype"
                       : !(seen & HAS_SHAPE) ? "shape"
                                             : "data_offsets");
    if (!hl_tensor_bytes(tensor, &bytes))
        return hl_fail(err, HL_BAD_FILE, "its shape is larger than any file");
    if (bytes != tensor->end - tensor->begin)
        return hl_fail(err, HL_BAD_FILE,
                       "its shape needs %" PRIu64 " bytes, its offsets hold %" PRIu64,
                       bytes, tensor->end - tensor->begin);
    return HL_OK;
}

static enum hl_code read_tensor(struct hl_tokens *tokens, struct hl_tensor *tensor,
                                struct hl_err *err)
{
    struct hl_token token;
    unsigned seen = 0;
    enum hl_code code = take(tokens, HL_TOKEN_OBJECT_BEGIN, "a tensor", &token, err);

    while (code == HL_OK) {
        code = hl_tokens_next(tokens, &token, err);
        if (code != HL_OK)
            return code;
        if (token.kind == HL_TOKEN_OBJECT_END)
            return check_tensor(tensor, seen, err);
        code = read_field(tokens, &token, tensor, &seen, err);
    }
    return code;
}

static enum hl_code read_metadata(struct hl_tokens *tokens,
                                  struct hl_tensors_header *header, struct hl_err *err)
{
    struct hl_token token;
    enum hl_code code = take(tokens, HL_TOKEN_OBJECT_BEGIN, "metadata", &token, err);

    while (code == HL_OK) {
        struct hl_metadata *pair;

        code = hl_tokens_next(tokens, &token, err);
        if (code != HL_OK || token.kind == HL_TOKEN_OBJECT_END)
            return code;
        header->metadata = grown(tokens->arena, header->metadata, header->n_metadata,
                                 sizeof *header->metadata);
        if (!header->metadata)
            return hl_arena_fail(tokens->arena, err, "the header's metadata");
        pair = &header->metadata[header->n_metadata++];
        code = copy_text(tokens, &token, &pair->key, err);
        if (code == HL_OK)
            code = take(tokens, HL_TOKEN_STRING, "a text", &token, err);
        if (code == HL_OK)
            code = copy_text(tokens, &token, &pair->value, err);
    }
    return code;
}

static enum hl_code read_entry(struct hl_tokens *tokens, const struct hl_token *key,
                               struct hl_tensors_header *header, bool *has_metadata,
                               struct hl_err *err)
{
    struct hl_tensor *tensor;
    enum hl_code code;

    if (is_key(key, "__metadata__")) {
        if (*has_metadata)
            return hl_fail(err, HL_BAD_FILE, "\"__metadata__\" comes twice");
        *has_metadata = true;
        return read_metadata(tokens, header, err);
    }
    header->tensors =
        grown(tokens->arena, header->tensors, header->n_tensors, sizeof *header->tensors);
    if (!header->tensors)
        return hl_arena_fail(tokens->arena, err, "the header's tensors");
    tensor = &header->tensors[header->n_tensors++];
    *tensor = (struct hl_tensor){0};
    code = copy_text(tokens, key, &tensor->name, err);
    if (code != HL_OK)
        return code;
    code = read_tensor(tokens, tensor, err);
    if (code != HL_OK)
        hl_fail_in(err, "tensor \"%s\"", tensor->name);
    return code;
}

static enum hl_code read_entries(struct hl_tokens *tokens, struct hl_tensors_header *header,
                                 struct hl_err *err)
{
    struct hl_token token;
    bool has_metadata = false;
    enum hl_code code = take(tokens, HL_TOKEN_OBJECT_BEGIN, "\"{\"", &token, err);

    while (code == HL_OK) {
        code = hl_tokens_next(tokens, &token, err);
        if (code != HL_OK)
            return code;
        if (token.kind == HL_TOKEN_OBJECT_END)
            return hl_tokens_finish(tokens, err);
        code = read_entry(tokens, &token, header, &has_metadata, err);
    }
    return code;
}

static enum hl_code check_unique(const struct hl_tensors_header *header,
                                 struct hl_arena *arena, struct hl_err *err)
{
    size_t n_most =
        header->n_tensors > header->n_metadata ? header->n_tensors : header->n_metadata;
    const char **names = hl_arena_array(arena, n_most, sizeof *names);
    const char *twice;

    if (!names)
        return hl_arena_fail(arena, err, "the header's names");
    for (size_t i = 0; i < header->n_tensors; i++)
        names[i] = header->tensors[i].name;
    twice = hl_tensors_twice(names, header->n_tensors);
    if (twice)
        return hl_fail(err, HL_BAD_FILE, "tensor \"%s\" comes twice", twice);
    for (size_t i = 0; i < header->n_metadata; i++)
        names[i] = header->metadata[i].key;
    twice = hl_tensors_twice(names, header->n_metadata);
    if (twice)
        return hl_fail(err, HL_BAD_FILE, "metadata \"%s\" comes twice", twice);
    return HL_OK;
}

static int compare_offsets(const void *a, const void *b)
{
    const struct hl_tensor *left = a, *right = b;

    if (left->begin != right->begin)
        return left->begin < right->begin ? -1 : 1;
    if (left->end != right->end) /* an empty one before the one that begins there */
        return left->end < right->end ? -1 : 1;
    return strcmp(left->name, right->name);
}

static enum hl_code check_offsets(struct hl_tensors_header *header, uint64_t data_size,
                                  struct hl_err *err)
{
    uint64_t at = 0;

    if (header->n_tensors)
        qsort(header->tensors, header->n_tensors, sizeof *header->tensors, compare_offsets);
    for (size_t i = 0; i < header->n_tensors; i++) {
        const struct hl_tensor *tensor = &header->tensors[i];

        if (tensor->begin != at)
            return hl_fail(err, HL_BAD_FILE,
                           "tensor \"%s\" begins at byte %" PRIu64 ", %" PRIu64
                           " was wanted: the one before ends there",
                           tensor->name, tensor->begin, at);
        at = tensor->end;
    }
    if (at != data_size)
        return hl_fail(err, HL_BAD_FILE,
                       "the tensors need %" PRIu64 " bytes, the file has %" PRIu64, at,
                       data_size);
    return HL_OK;
}

enum hl_code hl_tensors_header_parse(const char *text, size_t len, uint64_t data_size,
                                     struct hl_arena *arena,
                                     struct hl_tensors_header *ret_header,
                                     struct hl_err *err)
{
    struct hl_tensors_header header = {0};
    struct hl_tokens tokens;
    enum hl_code code;

    /* White space may pad the end, nothing the front. */
    if (len == 0 || text[0] != '{')
        return hl_fail(err, HL_BAD_FILE, "byte 0 of the header is not \"{\"");
    hl_tokens_init(&tokens, text, len, arena);
    tokens.what = "the header";
    tokens.code = HL_BAD_FILE;
    code = read_entries(&tokens, &header, err);
    if (code == HL_OK)
        code = check_unique(&header, arena, err);
    if (code == HL_OK)
        code = check_offsets(&header, data_size, err);
    if (code == HL_OK)
        *ret_header = header;
    return code;
}
