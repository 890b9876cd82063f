/* SPDX-License-Identifier: Apache-2.0 */
#include "compat/bridge_part.h"
#include "proto/sha256.h"
#include "proto/tensors.h"

#include <assert.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_SIZE = 65535, SHAPE = 192 };

struct file {
    const struct hl_source *source;
    const struct hl_bridge_wanted *wanted;
    struct hl_tensors *tensors;
    struct hl_bridge *bridge;
};

/* ---- numbers ---- */

static enum hl_code read_floats(const struct file *file, const struct hl_tensor *tensor,
                                float *values, struct hl_err *err)
{
    size_t n = (size_t)(hl_tensor_n_rows(tensor) * hl_tensor_row_size(tensor));
    enum hl_code code = hl_tensors_floats(file->tensors, tensor, 0,
                                          (size_t)hl_tensor_n_rows(tensor), values, err);

    for (size_t i = 0; i < n && code == HL_OK; i++)
        if (!isfinite(values[i]))
            code = hl_fail(err, HL_INVALID,
                           "tensor \"%s\": number %zu is not finite: did its training go "
                           "astray?",
                           tensor->name, i);
    return code;
}

static void print_shape(const struct hl_tensor *tensor, char *text, size_t size)
{
    size_t len = 0;

    snprintf(text, size, "[]");
    for (unsigned i = 0; i < tensor->n_dims && len < size; i++)
        len += (size_t)snprintf(text + len, size - len, "%s%" PRIu64 "%s", i ? ", " : "[",
                                tensor->shape[i], i + 1 == tensor->n_dims ? "]" : "");
}

static enum hl_code fail_shape(const struct hl_tensor *came, const char *name,
                               const struct hl_tensor *wanted, struct hl_err *err)
{
    char shape[SHAPE], came_shape[SHAPE];

    print_shape(wanted, shape, sizeof shape);
    if (!came)
        return hl_fail(err, HL_INVALID, "there is no tensor \"%s\", of shape %s", name,
                       shape);
    print_shape(came, came_shape, sizeof came_shape);
    return hl_fail(err, HL_INVALID, "tensor \"%s\" is of shape %s, %s was wanted", name,
                   came_shape, shape);
}

static bool has_shape(const struct hl_tensor *tensor, const struct hl_tensor *wanted)
{
    if (wanted->n_dims == 0) /* a single number may have come as a list of one */
        return tensor->n_dims == 0 || (tensor->n_dims == 1 && tensor->shape[0] == 1);
    return tensor->n_dims == wanted->n_dims &&
           memcmp(tensor->shape, wanted->shape, wanted->n_dims * sizeof *wanted->shape) ==
               0;
}

/* Biases and the slope may be missing: they are 0. */
static enum hl_code read_piece(const struct file *file, struct hl_bridge_place place,
                               enum hl_bridge_piece piece, struct hl_map *map,
                               struct hl_err *err)
{
    bool may_miss =
        piece == HL_PIECE_BIAS || piece == HL_PIECE_DOWN_BIAS || piece == HL_PIECE_SLOPE;
    struct hl_tensor wanted = {0};
    const struct hl_tensor *tensor;
    char name[HL_BRIDGE_NAME];
    float *values = hl_bridge_piece(map, piece, &wanted);

    hl_bridge_name_piece(place, piece, name);
    tensor = hl_tensors_find(file->tensors, name);
    if (!tensor && (!values || may_miss))
        return HL_OK;
    if (!values)
        return hl_fail(err, HL_INVALID,
                       "tensor \"%s\" belongs to a residual, of which there is no "
                       "\"down.weight\"",
                       name);
    if (!tensor || !has_shape(tensor, &wanted))
        return fail_shape(tensor, name, &wanted, err);
    return read_floats(file, tensor, values, err);
}

static enum hl_code check_size(const struct hl_tensor *tensor, struct hl_err *err)
{
    if (tensor->n_dims == 2 && tensor->shape[0] >= 1 && tensor->shape[0] <= MAX_SIZE &&
        tensor->shape[1] >= 1 && tensor->shape[1] <= MAX_SIZE)
        return HL_OK;
    return hl_fail(err, HL_INVALID,
                   "tensor \"%s\" must have 2 dimensions of 1 to %d, as PyTorch's Linear "
                   "has them: out x in",
                   tensor->name, MAX_SIZE);
}

/* The map's sizes, which every other map must have too. */
static enum hl_code check_map(const struct file *file, const struct hl_tensor *weight,
                              struct hl_err *err)
{
    struct hl_bridge *bridge = file->bridge;
    const struct hl_bridge_wanted *wanted = file->wanted;
    size_t to = (size_t)weight->shape[0], from = (size_t)weight->shape[1];

    if (bridge->dim_to == 0) {
        bridge->dim_to = to;
        bridge->dim_from = from;
    }
    if (bridge->dim_to != to || bridge->dim_from != from)
        return hl_fail(err, HL_INVALID,
                       "tensor \"%s\" is [%zu, %zu], the bridge's other maps are "
                       "[%zu, %zu]",
                       weight->name, to, from, bridge->dim_to, bridge->dim_from);
    if ((!wanted->dim_from || wanted->dim_from == from) &&
        (!wanted->dim_to || wanted->dim_to == to))
        return HL_OK;
    return hl_fail(err, HL_DIMENSION_MISMATCH,
                   "tensor \"%s\" is [%zu, %zu]: it takes vectors of %zu dimensions and "
                   "gives %zu; \"%s\" has %zu and \"%s\" %zu%s",
                   weight->name, to, from, from, to, hl_bridge_shown(bridge->from),
                   wanted->dim_from ? wanted->dim_from : from, hl_bridge_shown(bridge->to),
                   wanted->dim_to ? wanted->dim_to : to,
                   wanted->dim_from == to && wanted->dim_to == from
                       ? ": turn it over (weights are out x in)"
                       : "");
}

/* Before memory is taken for all three: two long and narrow ones would ask for a third one
 * that is both. */
static enum hl_code check_residual(const struct file *file, struct hl_bridge_place place,
                                   const struct hl_tensor *weight,
                                   const struct hl_tensor *down, struct hl_err *err)
{
    const struct hl_tensor wanted = {.n_dims = 2,
                                     .shape = {weight->shape[0], down->shape[0]}};
    const struct hl_tensor *up;
    char name[HL_BRIDGE_NAME];

    hl_bridge_name_piece(place, HL_PIECE_UP_WEIGHT, name);
    up = hl_tensors_find(file->tensors, name);
    return up && has_shape(up, &wanted) ? HL_OK : fail_shape(up, name, &wanted, err);
}

static enum hl_code read_map(struct file *file, struct hl_bridge_place place,
                             struct hl_map **ret_map, struct hl_err *err)
{
    const struct hl_tensor *weight, *down;
    char name[HL_BRIDGE_NAME];
    enum hl_code code;

    hl_bridge_name_piece(place, HL_PIECE_WEIGHT, name);
    weight = hl_tensors_find(file->tensors, name);
    hl_bridge_name_piece(place, HL_PIECE_DOWN_WEIGHT, name);
    down = hl_tensors_find(file->tensors, name);
    if (!weight)
        return HL_OK;
    code = check_size(weight, err);
    if (code == HL_OK && down)
        code = check_size(down, err);
    if (code == HL_OK)
        code = check_map(file, weight, err);
    if (code == HL_OK && down)
        code = check_residual(file, place, weight, down, err);
    if (code == HL_OK)
        code = hl_map_new((size_t)weight->shape[1], (size_t)weight->shape[0],
                          down ? (size_t)down->shape[0] : 0, ret_map, err);
    for (int piece = 0; piece < HL_N_PIECES && code == HL_OK; piece++)
        code = read_piece(file, place, (enum hl_bridge_piece)piece, *ret_map, err);
    return code;
}

static enum hl_code read_scales(struct file *file, size_t i, struct hl_err *err)
{
    struct hl_scale *scales;
    size_t n;
    const char *name = hl_bridge_scales(file->bridge, i, &scales, &n);
    const struct hl_tensor *tensor = hl_tensors_find(file->tensors, name);
    struct hl_tensor wanted = {.n_dims = n > 1 ? 2 : 1, .shape = {n > 1 ? n : 2, 2}};
    float values[2 * HL_N_FIDELITIES];
    enum hl_code code;

    if (!tensor)
        return HL_OK;
    if (!has_shape(tensor, &wanted))
        return fail_shape(tensor, name, &wanted, err);
    code = read_floats(file, tensor, values, err);
    for (size_t step = 0; step < n && code == HL_OK; step++) {
        scales[step] = (struct hl_scale){values[2 * step], values[2 * step + 1]};
        if (!(scales[step].slope > 0) && fpclassify(scales[step].slope) != FP_ZERO)
            code = hl_fail(err, HL_INVALID,
                           "tensor \"%s\": slope %zu is below 0: higher scores must mean "
                           "likelier",
                           name, step);
    }
    return code;
}

/* ---- the whole ---- */

static bool is_name_of_map(const char *name)
{
    for (int i = 0; i < 2 * HL_N_MODALITIES * HL_N_PIECES; i++) {
        struct hl_bridge_place place = {(enum hl_modality)(i / HL_N_PIECES / 2),
                                        i / HL_N_PIECES % 2 == 0};
        char there[HL_BRIDGE_NAME];

        hl_bridge_name_piece(place, (enum hl_bridge_piece)(i % HL_N_PIECES), there);
        if (strcmp(name, there) == 0)
            return true;
    }
    return false;
}

/* A misspelt bias would be a bias of 0. */
static enum hl_code check_names(const struct file *file, struct hl_err *err)
{
    for (size_t i = 0; i < hl_tensors_count(file->tensors); i++) {
        const char *name = hl_tensors_at(file->tensors, i)->name;
        bool is_known = is_name_of_map(name);

        for (size_t j = 0; j < HL_N_BRIDGE_SCALES && !is_known; j++) {
            struct hl_scale *scales;
            size_t n;

            is_known = strcmp(name, hl_bridge_scales(file->bridge, j, &scales, &n)) == 0;
        }
        if (!is_known)
            return hl_fail(err, HL_INVALID,
                           "a bridge has no tensor \"%.80s\", but faithful.weight, "
                           "judged.weight and what belongs to them",
                           name);
    }
    return HL_OK;
}

/* Whether there are pieces of a map that has no weight. */
static enum hl_code check_orphans(const struct file *file, struct hl_bridge_place place,
                                  struct hl_err *err)
{
    for (int piece = HL_PIECE_BIAS; piece < HL_N_PIECES; piece++) {
        char name[HL_BRIDGE_NAME];

        hl_bridge_name_piece(place, (enum hl_bridge_piece)piece, name);
        if (hl_tensors_find(file->tensors, name))
            return hl_fail(err, HL_INVALID, "tensor \"%s\" has no weight beside it", name);
    }
    return HL_OK;
}

static enum hl_code read_way(struct file *file, enum hl_modality modality,
                             struct hl_err *err)
{
    struct hl_bridge_way *way = &file->bridge->ways[modality];
    const struct hl_bridge_place faithful = {modality, false}, judged = {modality, true};
    enum hl_code code = read_map(file, faithful, &way->faithful, err);

    if (code == HL_OK)
        code = read_map(file, judged, &way->judged, err);
    if (code == HL_OK && !way->faithful)
        code = check_orphans(file, faithful, err);
    if (code == HL_OK && !way->judged)
        code = check_orphans(file, judged, err);
    if (code != HL_OK || way->faithful)
        return code;
    if (modality == HL_MODALITY_IMAGE || way->judged)
        return hl_fail(err, HL_INVALID,
                       "there is no tensor \"%sfaithful.weight\", the map that items go "
                       "through: a bridge of one map has that one",
                       modality == HL_MODALITY_TEXT ? "text." : "");
    return HL_OK;
}

static int compare_names(const void *a, const void *b)
{
    const struct hl_tensor *const *one = a, *const *other = b;

    return strcmp((*one)->name, (*other)->name);
}

static enum hl_code add_bytes(const struct file *file, const struct hl_tensor *tensor,
                              uint64_t data_size, struct hl_sha256 *sha, struct hl_err *err)
{
    uint64_t at = file->source->size - data_size + tensor->begin;
    uint64_t end = at + (tensor->end - tensor->begin);
    unsigned char bytes[4096];
    enum hl_code code = HL_OK;

    for (size_t n; at < end && code == HL_OK; at += n) {
        n = end - at < sizeof bytes ? (size_t)(end - at) : sizeof bytes;
        code = hl_source_read(file->source, bytes, n, at, err);
        if (code == HL_OK)
            hl_sha256_add(sha, bytes, n);
    }
    return code;
}

/* What the file says its numbers sum up to, if it says so. Names were looked at before:
 * there are no more of them than ours. */
static enum hl_code check_sum(const struct file *file, struct hl_err *err)
{
    const char *wanted = hl_tensors_metadata(file->tensors, "sha256");
    size_t n = hl_tensors_count(file->tensors);
    const struct hl_tensor *tensors[HL_BRIDGE_MAX_TENSORS];
    uint64_t data_size = 0;
    char sum[HL_SHA256_TEXT_SIZE];
    struct hl_sha256 sha;
    enum hl_code code = HL_OK;

    if (!wanted)
        return HL_OK;
    assert(n <= HL_BRIDGE_MAX_TENSORS);
    for (size_t i = 0; i < n; i++) {
        tensors[i] = hl_tensors_at(file->tensors, i);
        data_size = tensors[i]->end > data_size ? tensors[i]->end : data_size;
    }
    qsort(tensors, n, sizeof(const struct hl_tensor *), compare_names);
    hl_sha256_init(&sha);
    for (size_t i = 0; i < n && code == HL_OK; i++)
        code = add_bytes(file, tensors[i], data_size, &sha, err);
    hl_sha256_finish_text(&sha, sum);
    if (code == HL_OK && strcmp(sum, wanted) != 0)
        return hl_fail(err, HL_BAD_FILE,
                       "it is damaged: its numbers sum up to sha-256 %.12s…, not %.12s… as "
                       "metadata \"sha256\" says: copy it anew; if they were changed on "
                       "purpose, leave that out",
                       sum, wanted);
    return code;
}

static enum hl_code read_bridge(struct file *file, struct hl_err *err)
{
    enum hl_code code =
        hl_bridge_read_words(file->tensors, file->wanted, &file->bridge, err);

    if (code == HL_OK)
        code = check_names(file, err);
    if (code == HL_OK)
        code = check_sum(file, err);
    if (code == HL_OK)
        code = read_way(file, HL_MODALITY_IMAGE, err);
    if (code == HL_OK)
        code = read_way(file, HL_MODALITY_TEXT, err);
    for (size_t i = 0; i < HL_N_BRIDGE_SCALES && code == HL_OK; i++)
        code = read_scales(file, i, err);
    return code;
}

enum hl_code hl_bridge_load(const struct hl_source *source,
                            const struct hl_bridge_wanted *wanted,
                            struct hl_bridge **ret_bridge, struct hl_err *err)
{
    struct file file = {.source = source, .wanted = wanted};
    enum hl_code code = hl_tensors_new(source, HL_BRIDGE_HEADER, &file.tensors, err);

    if (code == HL_OK)
        code = read_bridge(&file, err);
    hl_tensors_free(file.tensors);
    if (code == HL_OK) {
        *ret_bridge = file.bridge;
        return HL_OK;
    }
    hl_bridge_free(file.bridge);
    return hl_fail_in(err, "cannot use \"%s\" as a bridge", source->name);
}
