/* SPDX-License-Identifier: Apache-2.0 */
#include "index/ann.h"

#include "index/graph_file.h"
#include "proto/alloc.h"
#include "proto/file.h"

#include <faiss/c_api/Index_c.h>
#include <faiss/c_api/error_c.h>
#include <faiss/c_api/index_factory_c.h>

#include <assert.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

/* Rows between two looks at the deadline. FAISS allocates for the whole graph at every add,
 * so many small ones would cost more than they are worth. */
#define BUILD_STEP 1024

#define MIN_LINKS 2
#define MAX_LINKS 128
#define MAX_EF    65535

struct hl_ann {
    FaissIndex *index;
    enum hl_metric metric;
    size_t sketched_dim; /* of rows whose sketches it was built over, which FAISS takes for
                            rows of floats; 0: it was built over floats */
    const unsigned char *sketches;
    struct hl_graph_view view;
};

/* FAISS's error in our words; its text is good only until its next call. */
static enum hl_code fail_faiss(struct hl_err *err, int faiss_code, const char *what)
{
    const char *text = faiss_get_last_error();

    if (faiss_code == STD_EXCEPT && text && strcmp(text, "std::bad_alloc") == 0)
        return hl_fail(err, HL_NO_MEMORY, "no room to %s", what);
    return hl_fail(err, HL_INTERNAL, "could not %s: %s", what,
                   text ? text : "unknown error");
}

/* Of what FAISS has now. */
static enum hl_code take_view(struct hl_ann *ann, struct hl_err *err)
{
    enum hl_code code = hl_gap_view(ann->index, &ann->view, err);

    if (code == HL_OK)
        code = hl_graph_check(&ann->view, err);
    if (code == HL_OK && ann->sketched_dim > 0) {
        ann->sketches = (const void *)ann->view.rows;
        ann->view.rows = NULL;
        ann->view.dim = ann->sketched_dim;
    }
    return code;
}

/* Takes `index` in any case. */
static enum hl_code wrap_index(FaissIndex *index, enum hl_metric metric,
                               size_t sketched_dim, struct hl_ann **ret_ann,
                               struct hl_err *err)
{
    struct hl_ann *ann = hl_alloc_zeroed(1, sizeof *ann);
    enum hl_code code = HL_OK;

    if (!ann) {
        faiss_Index_free(index);
        return hl_fail(err, HL_NO_MEMORY, "no room for a graph");
    }
    ann->index = index;
    ann->metric = metric;
    ann->sketched_dim = sketched_dim;
    code = take_view(ann, err);
    if (code != HL_OK) {
        hl_ann_free(ann);
        return code;
    }
    *ret_ann = ann;
    return HL_OK;
}

static enum hl_code check_options(size_t n_rows, size_t dim,
                                  const struct hl_ann_options *options, struct hl_err *err)
{
    if (options->n_links < MIN_LINKS || options->n_links > MAX_LINKS)
        return hl_fail(err, HL_INVALID, "a graph has %d to %d links a row, got %u",
                       MIN_LINKS, MAX_LINKS, options->n_links);
    if (options->ef_construction < 1 || options->ef_construction > MAX_EF)
        return hl_fail(err, HL_INVALID, "ef_construction is 1 to %d, got %u", MAX_EF,
                       options->ef_construction);
    if (dim < 1 || dim > INT32_MAX / sizeof(float))
        return hl_fail(err, HL_INVALID, "a graph cannot hold rows of %zu dimensions", dim);
    if (n_rows > INT32_MAX)
        return hl_fail(err, HL_INVALID, "a graph cannot hold %zu rows", n_rows);
    return HL_OK;
}

/* ---- sketches as rows ---- */

/* FAISS was told that a sketch is so many floats. */
static float multiply(const struct hl_sketch *x, const struct hl_sketch *y, size_t n_floats)
{
    const struct hl_kernels *kernels = hl_gap_kernels();
    int32_t (*shifted_dot)(const int8_t *, const int8_t *, size_t) =
        kernels->shifted_dot ? kernels->shifted_dot : hl_kernels_portable.shifted_dot;
    const int32_t shifted =
        shifted_dot(x->bytes, y->bytes, n_floats * sizeof(float) - sizeof *x);

    return x->scale * y->scale * (float)(shifted - 128 * (int64_t)y->sum);
}

static float l2_of_sketches(const float *x, const float *y, size_t n_floats)
{
    const struct hl_sketch *left = (const void *)x, *right = (const void *)y;

    return left->norm + right->norm - 2 * multiply(left, right, n_floats);
}

static float dot_of_sketches(const float *x, const float *y, size_t n_floats)
{
    return multiply((const void *)x, (const void *)y, n_floats);
}

static size_t floats_of_sketch(size_t dim)
{
    return hl_sketch_stride(dim) / sizeof(float);
}

/* All that building a graph asks for. */
static const struct hl_kernels sketch_kernels = {
    .name = "sketches", .l2 = l2_of_sketches, .dot = dot_of_sketches};

/* ---- building ---- */

/* Rows as FAISS sees them, and how it shall compare them. */
struct build {
    const float *values;                    /* NULL: they are laid as they are needed */
    const struct hl_ann_sketches *sketches; /* who lays them */
    size_t n_rows, dim;
    const struct hl_kernels *kernels; /* NULL: those of the process */
    const struct hl_ann_options *options;
    const struct hl_deadline *deadline;
};

/* Other graphs may be built in the pause, over other rows: the kernels are for one addition
 * at a time. */
static enum hl_code add_some(const struct hl_kernels *kernels, FaissIndex *index,
                             const float *values, size_t n, struct hl_err *err)
{
    int faiss_code;

    hl_gap_use_here(kernels);
    faiss_code = faiss_Index_add(index, (idx_t)n, values);
    hl_gap_use_here(NULL);
    return faiss_code == OK ? HL_OK : fail_faiss(err, faiss_code, "add rows to a graph");
}

static enum hl_code pause_between(const struct build *build, struct hl_err *err)
{
    const struct hl_pause *pause = build->options->pause;
    const enum hl_code code = hl_deadline_check(build->deadline, "building a graph", err);

    if (code != HL_OK || !pause)
        return code;
    pause->rest(pause->self);
    return hl_deadline_check(build->deadline, "building a graph", err);
}

/* `room` is for one step of what is laid. */
static enum hl_code add_rows(const struct build *build, FaissIndex *index, float *room,
                             struct hl_err *err)
{
    enum hl_code code = HL_OK;

    for (size_t row = 0; code == HL_OK && row < build->n_rows; row += BUILD_STEP) {
        const size_t left = build->n_rows - row;
        const size_t n = left < BUILD_STEP ? left : BUILD_STEP;
        const float *values = build->values ? build->values + row * build->dim : room;

        code = pause_between(build, err);
        if (code == HL_OK && !build->values)
            code = build->sketches->lay(build->sketches->self, row, n, (void *)room, err);
        if (code == HL_OK)
            code = add_some(build->kernels, index, values, n, err);
    }
    return code;
}

static enum hl_code add_all(const struct build *build, FaissIndex *index,
                            struct hl_err *err)
{
    const size_t n = build->n_rows < BUILD_STEP ? build->n_rows : BUILD_STEP;
    float *room = NULL;
    enum hl_code code;

    if (!build->values) {
        room = hl_alloc_zeroed(n, build->dim * sizeof *room);
        if (!room)
            return hl_fail(err, HL_NO_MEMORY, "no memory to lay %zu sketches", n);
    }
    code = hl_gap_reserve(index, build->n_rows, err);
    if (code == HL_OK)
        code = add_rows(build, index, room, err);
    hl_free(room);
    return code;
}

/* Over no rows yet, each of so many floats as FAISS sees them. */
static enum hl_code new_index(const struct hl_ann_options *options, size_t n_floats,
                              FaissIndex **ret_index, struct hl_err *err)
{
    char description[32];
    int faiss_code = OK;

    hl_gap_hold_to_one_thread();
    (void)snprintf(description, sizeof description, "HNSW%u,Flat", options->n_links);
    faiss_code = faiss_index_factory(
        ret_index, (int)n_floats, description,
        options->metric == HL_METRIC_L2 ? METRIC_L2 : METRIC_INNER_PRODUCT);
    if (faiss_code != OK)
        return fail_faiss(err, faiss_code, "make a graph");
    hl_gap_set_beam(*ret_index, (int)options->ef_construction, 0);
    return HL_OK;
}

static enum hl_code build_graph(const struct build *build, size_t sketched_dim,
                                struct hl_ann **ret_ann, struct hl_err *err)
{
    FaissIndex *index = NULL;
    enum hl_code code = new_index(build->options, build->dim, &index, err);

    if (code != HL_OK)
        return code;
    code = add_all(build, index, err);
    if (code != HL_OK) {
        faiss_Index_free(index);
        return code;
    }
    return wrap_index(index, build->options->metric, sketched_dim, ret_ann, err);
}

enum hl_code hl_ann_build(const struct hl_batch *rows, const struct hl_ann_options *options,
                          const struct hl_deadline *deadline, struct hl_ann **ret_ann,
                          struct hl_err *err)
{
    const struct build build = {.values = rows->values,
                                .n_rows = rows->n_rows,
                                .dim = rows->dim,
                                .options = options,
                                .deadline = deadline};
    enum hl_code code = check_options(rows->n_rows, rows->dim, options, err);

    if (code == HL_OK)
        code = hl_batch_check_finite(rows, err);
    return code == HL_OK ? build_graph(&build, 0, ret_ann, err) : code;
}

enum hl_code hl_ann_build_sketched(const struct hl_ann_sketches *rows,
                                   const struct hl_ann_options *options,
                                   const struct hl_deadline *deadline,
                                   struct hl_ann **ret_ann, struct hl_err *err)
{
    const struct build build = {.values = (const void *)rows->sketches,
                                .sketches = rows,
                                .n_rows = rows->n_rows,
                                .dim = floats_of_sketch(rows->dim),
                                .kernels = &sketch_kernels,
                                .options = options,
                                .deadline = deadline};
    const enum hl_code code = check_options(rows->n_rows, rows->dim, options, err);

    return code == HL_OK ? build_graph(&build, rows->dim, ret_ann, err) : code;
}

enum hl_code hl_ann_begin_sketched(size_t dim, size_t most_rows,
                                   const struct hl_ann_options *options,
                                   struct hl_ann **ret_ann, struct hl_err *err)
{
    FaissIndex *index = NULL;
    enum hl_code code = check_options(most_rows, dim, options, err);

    if (code == HL_OK)
        code = new_index(options, floats_of_sketch(dim), &index, err);
    if (code != HL_OK)
        return code;
    code = hl_gap_reserve(index, most_rows, err);
    if (code != HL_OK) {
        faiss_Index_free(index);
        return code;
    }
    return wrap_index(index, options->metric, dim, ret_ann, err);
}

enum hl_code hl_ann_extend(struct hl_ann *ann, const unsigned char *sketches, size_t n,
                           struct hl_err *err)
{
    enum hl_code code;

    assert(ann->sketched_dim > 0);
    hl_gap_hold_to_one_thread();
    code = add_some(&sketch_kernels, ann->index, (const void *)sketches, n, err);
    return code == HL_OK ? take_view(ann, err) : code;
}

void hl_ann_free(struct hl_ann *ann)
{
    if (!ann)
        return;
    faiss_Index_free(ann->index);
    hl_free(ann);
}

/* What FAISS's reader or writer moves, and our own reason when that fails. */
struct transfer {
    struct hl_file *file;
    uint64_t offset;
    enum hl_code code;
    struct hl_err *err;
};

static size_t move_out(void *self, void *bytes, size_t size)
{
    struct transfer *transfer = self;

    transfer->code = hl_file_write(transfer->file, bytes, size, transfer->err);
    return transfer->code == HL_OK ? size : 0;
}

static size_t move_in(void *self, void *bytes, size_t size)
{
    struct transfer *transfer = self;
    size_t n_read = 0;

    transfer->code = hl_file_read_at(transfer->file, bytes, size, transfer->offset, &n_read,
                                     transfer->err);
    transfer->offset += n_read;
    return transfer->code == HL_OK ? n_read : 0;
}

enum hl_code hl_ann_save(const struct hl_ann *ann, const char *path, struct hl_err *err)
{
    struct hl_replacement *replacement = NULL;
    enum hl_code code = hl_replacement_open(path, &replacement, err);
    struct hl_err file_err = {0};
    struct transfer transfer = {.code = HL_OK, .err = &file_err};

    assert(!ann->sketches);
    if (code != HL_OK)
        return code;
    transfer.file = hl_replacement_file(replacement);
    code = hl_gap_write(ann->index,
                        &(struct hl_gap_bytes){.move = move_out, .self = &transfer}, err);
    if (code == HL_OK)
        return hl_replacement_commit(replacement, err);
    hl_replacement_abandon(replacement);
    /* FAISS only knows that a write was short; the file knows why. */
    if (transfer.code != HL_OK)
        *err = file_err;
    return err->code;
}

static enum hl_code read_index(const char *path, FaissIndex **ret_index, struct hl_err *err)
{
    struct hl_err file_err = {0};
    struct transfer transfer = {.code = HL_OK, .err = &file_err};
    enum hl_code code = hl_file_open(path, HL_FILE_READ, &transfer.file, err);

    if (code != HL_OK)
        return code;
    code = hl_graph_file_check(transfer.file, err);
    if (code == HL_OK)
        code = hl_gap_read(&(struct hl_gap_bytes){.move = move_in, .self = &transfer},
                           ret_index, err);
    hl_file_close(transfer.file);
    if (code == HL_OK)
        return HL_OK;
    if (transfer.code != HL_OK)
        *err = file_err;
    return hl_fail_in(err, "\"%s\"", path);
}

enum hl_code hl_ann_load(const char *path, struct hl_ann **ret_ann, struct hl_err *err)
{
    FaissIndex *index = NULL;
    enum hl_code code = read_index(path, &index, err);

    if (code != HL_OK)
        return code;
    code = wrap_index(
        index, faiss_Index_metric_type(index) == METRIC_L2 ? HL_METRIC_L2 : HL_METRIC_DOT,
        0, ret_ann, err);
    return code == HL_OK ? HL_OK : hl_fail_in(err, "\"%s\"", path);
}

const unsigned char *hl_ann_sketches(const struct hl_ann *ann)
{
    return ann->sketches;
}

const struct hl_graph_view *hl_ann_view(const struct hl_ann *ann)
{
    return &ann->view;
}

enum hl_metric hl_ann_metric(const struct hl_ann *ann)
{
    return ann->metric;
}

enum hl_code hl_ann_search(struct hl_ann *ann, const struct hl_batch *queries, size_t ef,
                           const struct hl_ann_hits *ret_hits, struct hl_err *err)
{
    int faiss_code = OK;
    enum hl_code code = HL_OK;

    assert(!ann->sketches);
    if (queries->dim != ann->view.dim)
        return hl_fail(err, HL_DIMENSION_MISMATCH,
                       "queries have %zu dimensions, the graph has %zu", queries->dim,
                       ann->view.dim);
    if (ret_hits->k < 1 || ret_hits->k > MAX_EF || ef < 1 || ef > MAX_EF)
        return hl_fail(err, HL_INVALID, "k and ef are 1 to %d, got %zu and %zu", MAX_EF,
                       ret_hits->k, ef);
    code = hl_batch_check_finite(queries, err);
    if (code != HL_OK)
        return code;
    /* FAISS 1.7.3 would enter an empty graph at row -1. */
    if (ann->view.n_rows == 0) {
        for (size_t i = 0; i < queries->n_rows * ret_hits->k; i++) {
            ret_hits->rows[i] = -1;
            ret_hits->scores[i] = 0;
        }
        return HL_OK;
    }
    hl_gap_hold_to_one_thread();
    hl_gap_set_beam(ann->index, 0, (int)ef);
    faiss_code = faiss_Index_search(ann->index, (idx_t)queries->n_rows, queries->values,
                                    (idx_t)ret_hits->k, ret_hits->scores, ret_hits->rows);
    return faiss_code == OK ? HL_OK : fail_faiss(err, faiss_code, "search a graph");
}
