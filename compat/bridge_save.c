/* SPDX-License-Identifier: Apache-2.0 */
#include "compat/bridge_part.h"
#include "proto/alloc.h"
#include "proto/encode.h"
#include "proto/sha256.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* A file is laid out first, because its header, with the sum of all numbers, comes first.
 */
struct layout {
    struct hl_bridge bridge; /* the same one, for functions that also fill bridges */
    struct hl_tensor tensors[HL_BRIDGE_MAX_TENSORS];
    const float *values[HL_BRIDGE_MAX_TENSORS];
    size_t sizes[HL_BRIDGE_MAX_TENSORS];
    float scales[HL_N_BRIDGE_SCALES][2 * HL_N_FIDELITIES];
    char names[HL_BRIDGE_MAX_TENSORS][HL_BRIDGE_NAME];
    size_t n;
};

/* In the order of names: whatever copies tensors one by one keeps it, and the sum. */
static size_t make_place(struct layout *layout, const char *name)
{
    size_t i = layout->n++;

    for (; i > 0 && strcmp(layout->names[i - 1], name) > 0; i--) {
        memcpy(layout->names[i], layout->names[i - 1], HL_BRIDGE_NAME);
        layout->tensors[i] = layout->tensors[i - 1];
        layout->values[i] = layout->values[i - 1];
        layout->sizes[i] = layout->sizes[i - 1];
    }
    return i;
}

static void add(struct layout *layout, const char *name, const struct hl_tensor *shape,
                const float *values)
{
    size_t size = 1, i = make_place(layout, name);

    for (unsigned dim = 0; dim < shape->n_dims; dim++)
        size *= (size_t)shape->shape[dim];
    snprintf(layout->names[i], HL_BRIDGE_NAME, "%s", name);
    layout->tensors[i] = *shape;
    layout->values[i] = values;
    layout->sizes[i] = size;
}

static void add_map(struct layout *layout, struct hl_bridge_place place, struct hl_map *map)
{
    for (int piece = 0; map && piece < HL_N_PIECES; piece++) {
        struct hl_tensor shape;
        char name[HL_BRIDGE_NAME];
        const float *values = hl_bridge_piece(map, (enum hl_bridge_piece)piece, &shape);

        hl_bridge_name_piece(place, (enum hl_bridge_piece)piece, name);
        if (values)
            add(layout, name, &shape, values);
    }
}

/* Scales that were not measured are left out. */
static void add_scales(struct layout *layout, size_t i)
{
    struct hl_scale *scales;
    size_t n;
    const char *name = hl_bridge_scales(&layout->bridge, i, &scales, &n);
    struct hl_tensor pair = {.type = HL_DTYPE_F32, .n_dims = 1, .shape = {2}};
    struct hl_tensor steps = {.type = HL_DTYPE_F32, .n_dims = 2, .shape = {n, 2}};
    bool is_measured = false;

    for (size_t step = 0; step < n; step++) {
        layout->scales[i][2 * step] = scales[step].slope;
        layout->scales[i][2 * step + 1] = scales[step].offset;
        is_measured = is_measured || scales[step].slope > 0;
    }
    if (is_measured)
        add(layout, name, n > 1 ? &steps : &pair, layout->scales[i]);
}

static void lay_out(const struct hl_bridge *bridge, struct layout *layout)
{
    layout->bridge = *bridge;
    layout->n = 0;
    for (int modality = 0; modality < HL_N_MODALITIES; modality++) {
        const struct hl_bridge_way *way = &bridge->ways[modality];

        add_map(layout, (struct hl_bridge_place){(enum hl_modality)modality, true},
                way->judged);
        add_map(layout, (struct hl_bridge_place){(enum hl_modality)modality, false},
                way->faithful);
    }
    for (size_t i = 0; i < HL_N_BRIDGE_SCALES; i++)
        add_scales(layout, i);
    for (size_t i = 0; i < layout->n; i++)
        layout->tensors[i].name = layout->names[i];
}

/* The sum of the bytes that will follow the header. */
static void sum_up(const struct layout *layout, char text[HL_SHA256_TEXT_SIZE])
{
    struct hl_sha256 sha;
    unsigned char bytes[1024 * sizeof(float)];

    hl_sha256_init(&sha);
    for (size_t i = 0; i < layout->n; i++) {
        for (size_t at = 0; at < layout->sizes[i];) {
            size_t n = layout->sizes[i] - at < 1024 ? layout->sizes[i] - at : 1024;

            hl_dtype_of_floats(HL_DTYPE_F32, layout->values[i] + at, n, bytes);
            hl_sha256_add(&sha, bytes, n * sizeof(float));
            at += n;
        }
    }
    hl_sha256_finish_text(&sha, text);
}

/* ---- metadata ---- */

enum { MAX_METADATA = 13, NUMBER = 24 };

struct notes {
    struct hl_metadata list[MAX_METADATA];
    size_t n;
    char version[NUMBER], seed[NUMBER], sum[HL_SHA256_TEXT_SIZE];
    struct hl_buf fidelity, old_weight;
};

static void note(struct notes *notes, const char *key, const char *value)
{
    if (value && *value)
        notes->list[notes->n++] = (struct hl_metadata){key, value};
}

static enum hl_code write_down(const struct layout *layout, struct notes *notes,
                               struct hl_err *err)
{
    const struct hl_bridge *bridge = &layout->bridge;
    enum hl_code code;

    snprintf(notes->version, sizeof notes->version, "%d", (int)HL_BRIDGE_FORMAT);
    snprintf(notes->seed, sizeof notes->seed, "%" PRIu64, bridge->seed);
    sum_up(layout, notes->sum);
    hl_encode_float(&notes->fidelity, bridge->fidelity);
    hl_encode_float(&notes->old_weight, bridge->old_weight);
    note(notes, "format_version", notes->version);
    note(notes, "from", hl_bridge_shown(bridge->from));
    note(notes, "to", hl_bridge_shown(bridge->to));
    note(notes, "from_fingerprint", bridge->from_print);
    note(notes, "to_fingerprint", bridge->to_print);
    note(notes, "kind", hl_kind_name(bridge->kind));
    note(notes, "task", hl_task_name(bridge->task));
    note(notes, "seed", notes->seed);
    note(notes, "fidelity", notes->fidelity.data);
    note(notes, "old_weight", notes->old_weight.data);
    note(notes, "strategy", hl_bridge_strategy_name(bridge->strategy));
    note(notes, "sha256", notes->sum);
    note(notes, "report", bridge->report);
    code = hl_buf_check(&notes->fidelity, "the fidelity", err);
    return code == HL_OK ? hl_buf_check(&notes->old_weight, "the old weight", err) : code;
}

/* ---- the file ---- */

static enum hl_code write_values(const struct layout *layout,
                                 struct hl_tensors_writer *writer, struct hl_err *err)
{
    enum hl_code code = HL_OK;

    for (size_t i = 0; i < layout->n && code == HL_OK; i++)
        code =
            hl_tensors_writer_add_floats(writer, layout->values[i], layout->sizes[i], err);
    if (code == HL_OK)
        return hl_tensors_writer_commit(writer, err);
    hl_tensors_writer_abandon(writer);
    return code;
}

static enum hl_code write_as(const struct layout *layout, const char *path,
                             struct hl_buf *buf, struct hl_err *err)
{
    struct notes notes = {0};
    struct hl_tensors_plan plan = {.tensors = layout->tensors, .n_tensors = layout->n};
    struct hl_tensors_writer *writer;
    enum hl_code code;

    hl_buf_init(&notes.fidelity, NUMBER);
    hl_buf_init(&notes.old_weight, NUMBER);
    code = write_down(layout, &notes, err);
    plan.metadata = notes.list;
    plan.n_metadata = notes.n;
    if (code == HL_OK)
        code = path ? hl_tensors_writer_open(path, &plan, &writer, err)
                    : hl_tensors_writer_open_memory(buf, &plan, &writer, err);
    if (code == HL_OK)
        code = write_values(layout, writer, err);
    hl_buf_done(&notes.fidelity);
    hl_buf_done(&notes.old_weight);
    return code;
}

static enum hl_code save(const struct hl_bridge *bridge, const char *path,
                         struct hl_buf *buf, struct hl_err *err)
{
    struct layout *layout = hl_alloc_zeroed(1, sizeof *layout);
    enum hl_code code;

    if (!layout)
        return hl_fail(err, HL_NO_MEMORY, "no memory to write a bridge");
    lay_out(bridge, layout);
    code = write_as(layout, path, buf, err);
    hl_free(layout);
    return code;
}

enum hl_code hl_bridge_save(const struct hl_bridge *bridge, const char *path,
                            struct hl_err *err)
{
    return save(bridge, path, NULL, err);
}

enum hl_code hl_bridge_print(const struct hl_bridge *bridge, struct hl_buf *buf,
                             struct hl_err *err)
{
    return save(bridge, NULL, buf, err);
}
