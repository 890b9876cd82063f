/* SPDX-License-Identifier: Apache-2.0 */
#include "server/feed.h"

#include "proto/alloc.h"
#include "proto/base64.h"
#include "proto/batch.h"
#include "proto/encode.h"
#include "proto/field.h"
#include "proto/model_name.h"
#include "proto/npy.h"
#include "proto/tensors.h"
#include "server/lines.h"

#include <inttypes.h>
#include <string.h>

enum { MAX_VECTORS = 64, ROWS_AT_ONCE = 256 };

/* A file that vectors or ids are read from. */
struct opened {
    struct hl_file *file;
    struct hl_source source;
};

struct column { /* the rows of one vector */
    const char *name;
    const struct hl_tensor *tensor; /* NULL: of the npy file */
    size_t dim;
    float *values; /* ROWS_AT_ONCE rows from feed->first_held on */
};

struct hl_feed {
    struct hl_feed_options options;
    struct hl_lines *points;   /* NDJSON */
    struct hl_lines *payloads; /* beside rows */
    struct hl_lines *id_lines; /* likewise */
    struct opened main;
    struct opened ids_file;
    struct hl_npy npy;
    struct hl_npy ids_npy;
    struct hl_tensors *tensors;
    const struct hl_tensor *ids_tensor;
    struct column columns[MAX_VECTORS];
    size_t n_columns;
    int64_t *ids;
    uint64_t n_rows;
    uint64_t row; /* the next one */
    uint64_t first_held;
    size_t n_held;
    struct hl_arena *arena; /* of one line */
};

static bool has_end(const char *path, const char *end)
{
    size_t len = strlen(path), end_len = strlen(end);

    return len >= end_len && strcmp(path + len - end_len, end) == 0;
}

static enum hl_code open_source(const char *path, struct opened *opened, struct hl_err *err)
{
    enum hl_code code = hl_file_open(path, HL_FILE_READ, &opened->file, err);

    return code == HL_OK ? hl_source_of_file(opened->file, &opened->source, err) : code;
}

static enum hl_code add_column(struct hl_feed *feed, const char *name,
                               const struct hl_tensor *tensor, size_t dim,
                               struct hl_err *err)
{
    struct column *column = &feed->columns[feed->n_columns];

    if (feed->n_columns == MAX_VECTORS)
        return hl_fail(err, HL_BAD_FILE, "\"%s\" has more than %d tensors of vectors",
                       feed->options.path, MAX_VECTORS);
    *column = (struct column){.name = name, .tensor = tensor, .dim = dim};
    column->values = hl_alloc_zeroed(ROWS_AT_ONCE, dim * sizeof(float));
    if (!column->values)
        return hl_fail(err, HL_NO_MEMORY, "no memory for %d rows of %zu floats",
                       ROWS_AT_ONCE, dim);
    feed->n_columns++;
    return HL_OK;
}

static enum hl_code open_npy(struct hl_feed *feed, struct hl_err *err)
{
    enum hl_code code = hl_npy_init(&feed->main.source, &feed->npy, err);

    if (code != HL_OK)
        return code;
    if (!hl_dtype_is_real(feed->npy.numbers.type) || feed->npy.is_flat)
        return hl_fail(err, HL_BAD_FILE,
                       "\"%s\" holds no rows of real numbers: vectors are an array of two "
                       "dimensions of f2, f4 or f8",
                       feed->options.path);
    feed->n_rows = feed->npy.n_rows;
    return add_column(feed, feed->options.vector, NULL, feed->npy.dim, err);
}

static enum hl_code take_tensor(struct hl_feed *feed, const struct hl_tensor *tensor,
                                struct hl_err *err)
{
    const uint64_t n_rows = hl_tensor_n_rows(tensor);
    const char *name = hl_model_meant(tensor->name);

    if (feed->n_columns > 0 || feed->ids_tensor) {
        if (n_rows != feed->n_rows)
            return hl_fail(err, HL_BAD_FILE,
                           "\"%s\": tensor \"%s\" has %" PRIu64
                           " rows, the ones before it have %" PRIu64,
                           feed->options.path, tensor->name, n_rows, feed->n_rows);
    }
    feed->n_rows = n_rows;
    if (!hl_dtype_is_real(tensor->type) && strcmp(tensor->name, "ids") == 0 &&
        tensor->n_dims == 1) {
        feed->ids_tensor = tensor;
        return HL_OK;
    }
    if (!hl_dtype_is_real(tensor->type) || tensor->n_dims != 2)
        return hl_fail(err, HL_BAD_FILE,
                       "\"%s\": tensor \"%s\" is neither rows of real numbers nor whole "
                       "numbers called \"ids\"",
                       feed->options.path, tensor->name);
    return add_column(feed, name, tensor, (size_t)hl_tensor_row_size(tensor), err);
}

static enum hl_code open_tensors(struct hl_feed *feed, struct hl_err *err)
{
    enum hl_code code =
        hl_tensors_new(&feed->main.source, HL_TENSORS_MAX_HEADER, &feed->tensors, err);

    for (size_t i = 0; code == HL_OK && i < hl_tensors_count(feed->tensors); i++)
        code = take_tensor(feed, hl_tensors_at(feed->tensors, i), err);
    if (code == HL_OK && feed->n_columns == 0)
        return hl_fail(err, HL_BAD_FILE, "\"%s\" holds no vectors", feed->options.path);
    return code;
}

static enum hl_code open_ids(struct hl_feed *feed, struct hl_err *err)
{
    enum hl_code code = HL_OK;

    if (feed->options.ids && !has_end(feed->options.ids, ".npy"))
        return hl_lines_open(feed->options.ids, &feed->id_lines, err);
    if (feed->options.ids) {
        code = open_source(feed->options.ids, &feed->ids_file, err);
        if (code == HL_OK)
            code = hl_npy_init(&feed->ids_file.source, &feed->ids_npy, err);
        if (code == HL_OK &&
            (!feed->ids_npy.is_flat || feed->ids_npy.n_rows != feed->n_rows))
            return hl_fail(err, HL_BAD_FILE,
                           "\"%s\" holds %" PRIu64 " rows, %" PRIu64
                           " whole numbers are wanted, one for each vector",
                           feed->options.ids, feed->ids_npy.n_rows, feed->n_rows);
    }
    if (code == HL_OK && (feed->options.ids || feed->ids_tensor)) {
        feed->ids = hl_alloc_zeroed(ROWS_AT_ONCE, sizeof *feed->ids);
        if (!feed->ids)
            return hl_fail(err, HL_NO_MEMORY, "no memory for %d ids", ROWS_AT_ONCE);
    }
    return code;
}

static enum hl_code open_feed(struct hl_feed *feed, struct hl_err *err)
{
    const char *path = feed->options.path;
    const bool is_npy = has_end(path, ".npy"), is_tensors = has_end(path, ".safetensors");
    enum hl_code code;

    feed->arena = hl_arena_new((size_t)HL_LINE_MAX * 2);
    if (!feed->arena)
        return hl_fail(err, HL_NO_MEMORY, "no memory to read \"%s\"", path);
    if (!is_npy && !is_tensors) {
        if (feed->options.ids || feed->options.payloads)
            return hl_fail(err, HL_INVALID,
                           "\"%s\" holds whole points: ids and payloads beside it are for "
                           ".npy and .safetensors files",
                           path);
        return hl_lines_open(path, &feed->points, err);
    }
    code = open_source(path, &feed->main, err);
    if (code == HL_OK)
        code = is_npy ? open_npy(feed, err) : open_tensors(feed, err);
    if (code == HL_OK)
        code = open_ids(feed, err);
    if (code == HL_OK && feed->options.payloads)
        code = hl_lines_open(feed->options.payloads, &feed->payloads, err);
    return code;
}

enum hl_code hl_feed_open(const struct hl_feed_options *options, struct hl_feed **ret_feed,
                          struct hl_err *err)
{
    struct hl_feed *feed = hl_alloc_zeroed(1, sizeof *feed);
    enum hl_code code;

    if (!feed)
        return hl_fail(err, HL_NO_MEMORY, "no memory to read \"%s\"", options->path);
    feed->options = *options;
    code = open_feed(feed, err);
    if (code != HL_OK) {
        hl_feed_close(feed);
        return code;
    }
    *ret_feed = feed;
    return HL_OK;
}

void hl_feed_close(struct hl_feed *feed)
{
    if (!feed)
        return;
    for (size_t i = 0; i < feed->n_columns; i++)
        hl_free(feed->columns[i].values);
    hl_free(feed->ids);
    hl_tensors_free(feed->tensors);
    hl_file_close(feed->main.file);
    hl_file_close(feed->ids_file.file);
    hl_lines_close(feed->points);
    hl_lines_close(feed->payloads);
    hl_lines_close(feed->id_lines);
    hl_arena_free(feed->arena);
    hl_free(feed);
}

uint64_t hl_feed_count(const struct hl_feed *feed)
{
    return feed->n_rows;
}

size_t hl_feed_n_vectors(const struct hl_feed *feed)
{
    return feed->n_columns;
}

const char *hl_feed_vector(const struct hl_feed *feed, size_t i, size_t *ret_dim)
{
    *ret_dim = feed->columns[i].dim;
    return feed->columns[i].name;
}

/* ---- lines ---- */

/* The next line, which must be one value of JSON: an object, or an id. */
static enum hl_code next_value(struct hl_feed *feed, struct hl_lines *lines, bool is_object,
                               struct hl_span *ret_text, bool *ret_has, struct hl_err *err)
{
    struct hl_tokens tokens;
    struct hl_token first;
    struct hl_span line;
    enum hl_code code = hl_lines_next(lines, &line, ret_has, err);

    if (code != HL_OK || !*ret_has)
        return code;
    hl_arena_reset(feed->arena);
    hl_tokens_init(&tokens, line.data, line.len, feed->arena);
    tokens.what = "the line";
    tokens.code = HL_BAD_FILE;
    code = hl_tokens_peek(&tokens, &first, err);
    if (code == HL_OK && is_object && first.kind != HL_TOKEN_OBJECT_BEGIN)
        code = hl_fail(err, HL_BAD_FILE, "it holds no object");
    if (code == HL_OK && !is_object && first.kind != HL_TOKEN_NUMBER &&
        first.kind != HL_TOKEN_STRING)
        code = hl_fail(err, HL_BAD_FILE, "it holds no id, a whole number or a UUID");
    if (code == HL_OK)
        code = hl_tokens_span(&tokens, &ret_text->data, &ret_text->len, err);
    if (code == HL_OK)
        code = hl_tokens_finish(&tokens, err);
    if (code != HL_OK)
        hl_fail_in(err, "\"%s\", line %" PRIu64, hl_lines_path(lines),
                   hl_lines_number(lines));
    return code;
}

/* Likewise, from a file that has one line for each row. */
static enum hl_code next_beside(struct hl_feed *feed, struct hl_lines *lines,
                                bool is_object, struct hl_span *ret_text,
                                struct hl_err *err)
{
    bool has = false;
    enum hl_code code = next_value(feed, lines, is_object, ret_text, &has, err);

    if (code == HL_OK && !has)
        return hl_fail(err, HL_BAD_FILE,
                       "\"%s\" has %" PRIu64 " lines, \"%s\" has %" PRIu64 " rows",
                       hl_lines_path(lines), feed->row, feed->options.path, feed->n_rows);
    return code;
}

/* ---- rows ---- */

static enum hl_code hold_column(struct hl_feed *feed, struct column *column, size_t n,
                                struct hl_err *err)
{
    const struct hl_batch batch = {
        .n_rows = n, .dim = column->dim, .values = column->values};
    enum hl_code code = column->tensor
                            ? hl_tensors_floats(feed->tensors, column->tensor, feed->row, n,
                                                column->values, err)
                            : hl_npy_floats(&feed->npy, feed->row, n, column->values, err);

    if (code == HL_OK)
        code = hl_batch_check_finite(&batch, err);
    return code == HL_OK ? HL_OK
                         : hl_fail_in(err, "\"%s\", rows from %" PRIu64 " on",
                                      feed->options.path, feed->row);
}

static enum hl_code hold_ids(struct hl_feed *feed, size_t n, struct hl_err *err)
{
    enum hl_code code =
        feed->ids_tensor
            ? hl_tensors_i64(feed->tensors, feed->ids_tensor, feed->row, n, feed->ids, err)
            : hl_npy_i64(&feed->ids_npy, feed->row, n, feed->ids, err);

    for (size_t i = 0; code == HL_OK && i < n; i++)
        if (feed->ids[i] < 0)
            return hl_fail(err, HL_BAD_FILE,
                           "the id of row %" PRIu64 " is %" PRId64
                           ", it must not be below 0",
                           feed->row + i, feed->ids[i]);
    return code;
}

static enum hl_code hold_rows(struct hl_feed *feed, struct hl_err *err)
{
    uint64_t left = feed->n_rows - feed->row;
    size_t n = left < ROWS_AT_ONCE ? (size_t)left : ROWS_AT_ONCE;
    enum hl_code code = HL_OK;

    for (size_t i = 0; code == HL_OK && i < feed->n_columns; i++)
        code = hold_column(feed, &feed->columns[i], n, err);
    if (code == HL_OK && feed->ids)
        code = hold_ids(feed, n, err);
    if (code == HL_OK) {
        feed->first_held = feed->row;
        feed->n_held = n;
    }
    return code;
}

static void print_vectors(const struct hl_feed *feed, size_t at, struct hl_buf *buf)
{
    const bool is_bare = feed->n_columns == 1 && feed->columns[0].name[0] == '\0';

    hl_buf_add_text(buf, is_bare ? "" : "{");
    for (size_t i = 0; i < feed->n_columns; i++) {
        const struct column *column = &feed->columns[i];

        hl_buf_add_text(buf, i > 0 ? "," : "");
        if (!is_bare)
            hl_encode_key(buf, column->name);
        hl_buf_add_char(buf, '"');
        hl_base64_encode(column->values + at * column->dim, column->dim, buf);
        hl_buf_add_char(buf, '"');
    }
    hl_buf_add_text(buf, is_bare ? "" : "}");
}

static enum hl_code print_row(struct hl_feed *feed, struct hl_buf *buf, struct hl_err *err)
{
    size_t at = (size_t)(feed->row - feed->first_held);
    struct hl_span text = {NULL, 0};
    enum hl_code code = HL_OK;

    hl_buf_add_text(buf, "{\"id\":");
    if (feed->id_lines) {
        code = next_beside(feed, feed->id_lines, false, &text, err);
        hl_buf_add(buf, text.data, text.len);
    } else {
        hl_encode_u64(buf, feed->ids ? (uint64_t)feed->ids[at]
                                     : feed->options.first_id + feed->row);
    }
    hl_buf_add_text(buf, ",\"vector\":");
    print_vectors(feed, at, buf);
    if (code == HL_OK && feed->payloads) {
        code = next_beside(feed, feed->payloads, true, &text, err);
        hl_buf_add_text(buf, ",\"payload\":");
        hl_buf_add(buf, text.data, text.len);
    }
    hl_buf_add_char(buf, '}');
    if (code != HL_OK)
        return code;
    feed->row++;
    return HL_OK;
}

enum hl_code hl_feed_next(struct hl_feed *feed, struct hl_buf *buf, bool *ret_has,
                          struct hl_err *err)
{
    enum hl_code code = HL_OK;
    struct hl_span text;

    if (feed->points) {
        code = next_value(feed, feed->points, true, &text, ret_has, err);
        if (code == HL_OK && *ret_has)
            hl_buf_add(buf, text.data, text.len);
        return code;
    }
    *ret_has = feed->row < feed->n_rows;
    if (!*ret_has)
        return HL_OK;
    if (feed->n_held == 0 || feed->row >= feed->first_held + feed->n_held)
        code = hold_rows(feed, err);
    return code == HL_OK ? print_row(feed, buf, err) : code;
}

static enum hl_code skip_lines(struct hl_lines *lines, uint64_t n, struct hl_err *err)
{
    struct hl_span line;
    bool has = true;
    enum hl_code code = HL_OK;

    for (uint64_t i = 0; lines && code == HL_OK && has && i < n; i++)
        code = hl_lines_next(lines, &line, &has, err);
    return code;
}

enum hl_code hl_feed_skip(struct hl_feed *feed, uint64_t n, struct hl_err *err)
{
    enum hl_code code = skip_lines(feed->points, n, err);

    if (code == HL_OK)
        code = skip_lines(feed->payloads, n, err);
    if (code == HL_OK)
        code = skip_lines(feed->id_lines, n, err);
    if (!feed->points)
        feed->row = n < feed->n_rows ? n : feed->n_rows;
    return code;
}
