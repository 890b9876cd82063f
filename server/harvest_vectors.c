/* SPDX-License-Identifier: Apache-2.0 */
#include "server/harvest.h"

#include "proto/alloc.h"
#include "proto/encode.h"
#include "proto/file.h"
#include "proto/ids.h"
#include "proto/model_name.h"
#include "proto/npy.h"
#include "proto/tensors.h"
#include "proto/vector.h"
#include "server/lines.h"

#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

/* The lines are read twice: how many vectors there are stands at the head of the files. */
enum { PIECE_BYTES = 1 << 20 };
#define ROOM ((size_t)HL_LINE_MAX * 4)

struct point {
    struct hl_id id;
    bool has_id;
    const struct hl_vector *vector; /* NULL: it has none of that name */
};

/* Where the points go: both are called for each that has the vector. */
struct sink {
    enum hl_code (*take)(struct sink *sink, const struct point *point, struct hl_err *err);
    const char *vector;
    uint64_t n;
    size_t dim;
    struct hl_npy_writer *npy;
    struct hl_tensors_writer *tensors;
    struct hl_replacement *ids;
    struct hl_buf text;
};

static enum hl_code read_vector(const struct hl_field *member, const char *name,
                                struct point *point, struct hl_err *err)
{
    struct hl_vectors vectors;
    enum hl_code code = hl_vectors_read(member, &vectors, err);

    if (code != HL_OK)
        return code;
    for (const struct hl_vector *at = vectors.items; at < vectors.items + vectors.n; at++)
        if (hl_text_is(&at->name, name))
            point->vector = at;
    return HL_OK;
}

static enum hl_code read_point(const struct hl_span *line, struct hl_arena *arena,
                               const char *name, struct point *point, struct hl_err *err)
{
    static const char *const names[] = {"id", "vector"};
    struct hl_tokens tokens;
    struct hl_object object;
    struct hl_field root;
    const struct hl_field *member = NULL;
    enum hl_code code;

    *point = (struct point){0};
    hl_arena_reset(arena);
    hl_tokens_init(&tokens, line->data, line->len, arena);
    tokens.what = "a point";
    tokens.code = HL_BAD_FILE;
    root = hl_field_root(&tokens);
    code = hl_object_begin(&root, names, 2, &object, err);
    while (code == HL_OK) {
        code = hl_object_next(&object, &member, err);
        if (code != HL_OK || !member)
            break;
        if (object.which == 0) {
            code = hl_id_read(member, &point->id, err);
            point->has_id = true;
        } else if (object.which == 1) {
            code = read_vector(member, name, point, err);
        }
    }
    if (code == HL_OK && !point->has_id)
        return hl_fail(err, HL_BAD_FILE, "a point without an id");
    return code;
}

static enum hl_code each_point(const char *path, struct sink *sink, struct hl_err *err)
{
    struct hl_arena *arena = hl_arena_new(ROOM);
    struct hl_lines *lines = NULL;
    struct hl_span line;
    bool has = true;
    enum hl_code code;

    if (!arena)
        return hl_fail(err, HL_NO_MEMORY, "no memory to read \"%s\"", path);
    code = hl_lines_open(path, &lines, err);
    while (code == HL_OK) {
        struct point point;

        code = hl_lines_next(lines, &line, &has, err);
        if (code != HL_OK || !has)
            break;
        code = read_point(&line, arena, sink->vector, &point, err);
        if (code == HL_OK && point.vector)
            code = sink->take(sink, &point, err);
    }
    hl_lines_close(lines);
    hl_arena_free(arena);
    return code;
}

/* ---- the first time: how many, how wide ---- */

static enum hl_code count_point(struct sink *sink, const struct point *point,
                                struct hl_err *err)
{
    if (point->vector->is_sparse)
        return hl_fail(err, HL_INVALID,
                       "the vectors \"%s\" are sparse, which only NDJSON can hold",
                       sink->vector);
    if (sink->n > 0 && sink->dim != point->vector->n)
        return hl_fail(err, HL_BAD_FILE, "vectors of %zu and of %zu numbers", sink->dim,
                       point->vector->n);
    sink->dim = point->vector->n;
    sink->n++;
    return HL_OK;
}

static enum hl_code count_points(const char *lines, const char *vector, struct sink *sink,
                                 struct hl_err *err)
{
    enum hl_code code;

    sink->take = count_point;
    sink->vector = vector;
    code = each_point(lines, sink, err);
    if (code == HL_OK && sink->n == 0)
        return hl_fail(err, HL_NOT_FOUND, "no point has a vector \"%s\"", vector);
    return code;
}

/* ---- .npy ---- */

static enum hl_code flush_ids(struct sink *sink, size_t at_least, struct hl_err *err)
{
    enum hl_code code = hl_buf_check(&sink->text, "ids", err);

    if (code != HL_OK || sink->text.len < at_least)
        return code;
    code =
        hl_file_write(hl_replacement_file(sink->ids), sink->text.data, sink->text.len, err);
    hl_buf_clear(&sink->text, (size_t)PIECE_BYTES * 2);
    return code;
}

static enum hl_code write_npy_point(struct sink *sink, const struct point *point,
                                    struct hl_err *err)
{
    char text[HL_ID_TEXT_SIZE];
    size_t len = hl_id_print(&point->id, text);
    enum hl_code code = hl_npy_writer_add(sink->npy, point->vector->values, 1, err);

    if (point->id.tag == HL_ID_UUID)
        hl_encode_text(&sink->text, text, len);
    else
        hl_buf_add(&sink->text, text, len);
    hl_buf_add_char(&sink->text, '\n');
    return code == HL_OK ? flush_ids(sink, PIECE_BYTES, err) : code;
}

static enum hl_code write_npy(const char *lines, const char *path, struct sink *sink,
                              struct hl_err *err)
{
    char ids[PATH_MAX];
    int len = snprintf(ids, sizeof ids, "%s.ids", path);
    enum hl_code code;

    if (len < 0 || (size_t)len >= sizeof ids)
        return hl_fail(err, HL_INVALID, "the path \"%.64s…\" is too long", path);
    sink->take = write_npy_point;
    code = hl_npy_writer_open(path, HL_DTYPE_F32, sink->n, sink->dim, &sink->npy, err);
    if (code == HL_OK)
        code = hl_replacement_open(ids, &sink->ids, err);
    if (code == HL_OK)
        code = each_point(lines, sink, err);
    if (code == HL_OK)
        code = flush_ids(sink, 1, err);
    if (code == HL_OK) {
        code = hl_replacement_commit(sink->ids, err);
        sink->ids = NULL;
    }
    if (code == HL_OK) {
        code = hl_npy_writer_commit(sink->npy, err);
        sink->npy = NULL;
    }
    hl_replacement_abandon(sink->ids);
    hl_npy_writer_abandon(sink->npy);
    return code;
}

/* ---- .safetensors ---- */

static enum hl_code write_tensor_point(struct sink *sink, const struct point *point,
                                       struct hl_err *err)
{
    return hl_tensors_writer_add_floats(sink->tensors, point->vector->values, sink->dim,
                                        err);
}

static enum hl_code write_tensor_id(struct sink *sink, const struct point *point,
                                    struct hl_err *err)
{
    uint64_t number = point->id.tag == HL_ID_NUMBER ? hl_id_value(&point->id) : UINT64_MAX;
    int64_t id = (int64_t)number;

    if (number > INT64_MAX)
        return hl_fail(err, HL_INVALID,
                       "there are ids that are UUIDs or larger than %" PRId64
                       ", which safetensors cannot hold: export to .npy or NDJSON",
                       INT64_MAX);
    return hl_tensors_writer_add_i64(sink->tensors, &id, 1, err);
}

static enum hl_code write_tensors(const char *lines, const char *path, struct sink *sink,
                                  struct hl_err *err)
{
    const struct hl_tensor tensors[] = {
        {.name = "ids", .type = HL_DTYPE_I64, .n_dims = 1, .shape = {sink->n}},
        {.name = hl_model_shown(sink->vector),
         .type = HL_DTYPE_F32,
         .n_dims = 2,
         .shape = {sink->n, sink->dim}}};
    const struct hl_tensors_plan plan = {.tensors = tensors, .n_tensors = 2};
    enum hl_code code = hl_tensors_writer_open(path, &plan, &sink->tensors, err);

    sink->take = write_tensor_id;
    if (code == HL_OK)
        code = each_point(lines, sink, err);
    sink->take = write_tensor_point;
    if (code == HL_OK)
        code = each_point(lines, sink, err);
    if (code == HL_OK)
        return hl_tensors_writer_commit(sink->tensors, err);
    hl_tensors_writer_abandon(sink->tensors);
    return code;
}

enum hl_code hl_harvest_vectors(const char *lines, const char *path, const char *vector,
                                struct hl_err *err)
{
    struct sink sink = {0};
    const char *end = strrchr(path, '.');
    enum hl_code code;

    hl_buf_init(&sink.text, ROOM);
    code = count_points(lines, vector, &sink, err);
    if (code == HL_OK)
        code = end && strcmp(end, ".npy") == 0 ? write_npy(lines, path, &sink, err)
                                               : write_tensors(lines, path, &sink, err);
    hl_buf_done(&sink.text);
    return code;
}
