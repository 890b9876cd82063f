/* SPDX-License-Identifier: Apache-2.0 */
/* Judges bridges on a folder of files and prints the report as JSON, and what a fit would
 * have chosen on the same rows: what test_report.py holds against its own figures.
 *
 *     judge FOLDER [tune] [brief]
 *
 * In the folder: from.npy and to.npy [rows, size]; where there are any, labels.npy and
 * modality.npy [rows], head.safetensors and own.safetensors, own_classes.npy, and of up to
 * two bridges 0.safetensors and 1.safetensors. */
#include "compat/bridge_file.h"
#include "compat/compat.h"
#include "compat/mixes.h"
#include "compat/report.h"
#include "proto/alloc.h"
#include "proto/encode.h"
#include "proto/file.h"
#include "proto/npy.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A file of the folder, in floats. */
struct table {
    float *values;
    size_t n_rows, dim;
};

static void give_up(const char *what)
{
    fprintf(stderr, "judge: %s\n", what);
    exit(1);
}

static void want(enum hl_code code, const struct hl_err *err)
{
    if (code != HL_OK)
        give_up(err->msg);
}

static void *must(void *memory)
{
    if (!memory)
        give_up("no memory");
    return memory;
}

static void to_floats(const struct hl_npy *npy, float *values, struct hl_err *err)
{
    int64_t *whole;

    if (hl_dtype_is_real(npy->numbers.type)) {
        want(hl_npy_floats(npy, 0, (size_t)npy->n_rows, values, err), err);
        return;
    }
    whole = must(hl_alloc_zeroed((size_t)npy->n_rows * npy->dim, sizeof *whole));
    want(hl_npy_i64(npy, 0, (size_t)npy->n_rows, whole, err), err);
    for (size_t i = 0; i < npy->n_rows * npy->dim; i++)
        values[i] = (float)whole[i];
    hl_free(whole);
}

/* False when there is no such file. */
static bool load(const char *folder, const char *name, struct table *table)
{
    char path[500];
    struct hl_buf buf;
    struct hl_memory memory;
    struct hl_source source;
    struct hl_npy npy;
    struct hl_err err;

    snprintf(path, sizeof path, "%s/%s.npy", folder, name);
    hl_buf_init(&buf, 1 << 26);
    if (hl_file_load(path, &buf, &err) == HL_NOT_FOUND) {
        hl_buf_done(&buf);
        return false;
    }
    memory = (struct hl_memory){buf.data, buf.len};
    source = hl_source_of_memory(&memory, path);
    want(hl_npy_init(&source, &npy, &err), &err);
    *table = (struct table){.n_rows = (size_t)npy.n_rows, .dim = npy.dim};
    table->values = must(hl_alloc_zeroed(table->n_rows * table->dim, sizeof(float)));
    to_floats(&npy, table->values, &err);
    hl_buf_done(&buf);
    return true;
}

static struct table must_load(const char *folder, const char *name)
{
    struct table table = {0};

    if (!load(folder, name, &table))
        give_up(name);
    return table;
}

static int32_t *load_classes(const char *folder, const char *name)
{
    struct table table = {0};
    int32_t *classes;

    if (!load(folder, name, &table))
        return NULL;
    classes = must(hl_alloc_zeroed(table.n_rows, sizeof *classes));
    for (size_t i = 0; i < table.n_rows; i++)
        classes[i] = (int32_t)table.values[i];
    hl_free(table.values);
    return classes;
}

/* ---- heads and bridges ---- */

/* False when there is no such file. */
static bool open_file(const char *folder, const char *name, struct hl_buf *buf,
                      struct hl_memory *memory)
{
    char path[500];
    struct hl_err err;

    snprintf(path, sizeof path, "%s/%s.safetensors", folder, name);
    hl_buf_init(buf, 1 << 26);
    if (hl_file_load(path, buf, &err) == HL_NOT_FOUND) {
        hl_buf_done(buf);
        return false;
    }
    *memory = (struct hl_memory){buf->data, buf->len};
    return true;
}

static struct hl_head *load_head(const char *folder, const char *name)
{
    struct hl_buf buf;
    struct hl_memory memory;
    struct hl_source source;
    struct hl_head *head = NULL;
    struct hl_err err;

    if (!open_file(folder, name, &buf, &memory))
        return NULL;
    source = hl_source_of_memory(&memory, name);
    want(hl_head_load(&source, 0, &head, &err), &err);
    hl_buf_done(&buf);
    return head;
}

static struct hl_bridge *load_bridge(const char *folder, const char *name)
{
    const struct hl_bridge_wanted anything = {.from = NULL};
    struct hl_buf buf;
    struct hl_memory memory;
    struct hl_source source;
    struct hl_bridge *bridge = NULL;
    struct hl_err err;

    if (!open_file(folder, name, &buf, &memory))
        return NULL;
    source = hl_source_of_memory(&memory, name);
    want(hl_bridge_load(&source, &anything, &bridge, &err), &err);
    hl_buf_done(&buf);
    return bridge;
}

/* ---- out ---- */

static void print_scale(const struct hl_scale *scale, struct hl_buf *out)
{
    hl_buf_add_char(out, '[');
    hl_encode_float(out, scale->slope);
    hl_buf_add_char(out, ',');
    hl_encode_float(out, scale->offset);
    hl_buf_add_char(out, ']');
}

static void print_scales(const char *key, const struct hl_scale *scales, struct hl_buf *out)
{
    hl_encode_key(out, key);
    for (size_t i = 0; i < HL_N_FIDELITIES; i++) {
        hl_buf_add_char(out, i == 0 ? '[' : ',');
        print_scale(&scales[i], out);
    }
    hl_buf_add_text(out, "],");
}

static void print_tuned(const struct hl_bridge *bridge, const struct hl_mixes *mixes,
                        struct hl_buf *out)
{
    hl_buf_add_char(out, '{');
    print_scales("old_items", bridge->ways[0].old_items, out);
    print_scales("new_items", bridge->ways[0].new_items, out);
    print_scales("text_old_items", bridge->ways[1].old_items, out);
    print_scales("text_new_items", bridge->ways[1].new_items, out);
    hl_encode_key(out, "from_own");
    print_scale(&bridge->from_own, out);
    hl_buf_add_text(out, ",\"to_own\":");
    print_scale(&bridge->to_own, out);
    hl_buf_add_text(out, ",\"to_queries\":");
    print_scale(&bridge->to_queries, out);
    hl_buf_add_text(out, ",\"fidelity\":");
    hl_encode_float(out, bridge->fidelity);
    hl_buf_add_text(out, ",\"old_weight\":");
    hl_encode_float(out, bridge->old_weight);
    hl_buf_add_text(out, ",\"strategies\":");
    hl_report_print_mixes(mixes, out);
    hl_buf_add_text(out, ",\"strategy\":");
    hl_encode_string(out, hl_bridge_strategy_name(bridge->strategy));
    hl_buf_add_char(out, '}');
}

/* ---- all of it ---- */

static bool is_asked(int argc, char **argv, const char *word)
{
    for (int i = 2; i < argc; i++)
        if (strcmp(argv[i], word) == 0)
            return true;
    return false;
}

static struct hl_exam *load_exam(const char *folder)
{
    struct table from = must_load(folder, "from"), to = must_load(folder, "to");
    struct hl_rows_memory from_memory = {from.values, from.dim};
    struct hl_rows_memory to_memory = {to.values, to.dim};
    int32_t *labels = load_classes(folder, "labels");
    int32_t *modality = load_classes(folder, "modality");
    uint8_t *modalities = must(hl_alloc_zeroed(from.n_rows, 1));
    struct hl_lesson lesson = {.n_rows = from.n_rows,
                               .from = hl_rows_of_memory(&from_memory, from.n_rows, "new"),
                               .to = hl_rows_of_memory(&to_memory, to.n_rows, "old"),
                               .labels = labels,
                               .modalities = modality ? modalities : NULL};
    struct hl_exam *exam = NULL;
    struct hl_err err;

    for (size_t i = 0; modality && i < from.n_rows; i++)
        modalities[i] = (uint8_t)modality[i];
    want(hl_exam_load(&lesson, SIZE_MAX, 1, &exam, &err), &err);
    hl_free(from.values);
    hl_free(to.values);
    hl_free(labels);
    hl_free(modality);
    hl_free(modalities);
    return exam;
}

int main(int argc, char **argv)
{
    const char *folder = argc > 1 ? argv[1] : ".";
    struct hl_exam *exam;
    struct hl_bridge *bridges[] = {load_bridge(folder, "0"), load_bridge(folder, "1")};
    struct hl_head *head = load_head(folder, "head"), *own = load_head(folder, "own");
    int32_t *own_classes = load_classes(folder, "own_classes");
    struct hl_report *report = NULL;
    struct hl_mixes mixes;
    struct hl_report_task task;
    struct hl_buf out;
    struct hl_err err;

    hl_compat_hold_to_one_thread();
    exam = load_exam(folder);
    task = (struct hl_report_task){.exam = exam,
                                   .bridge = bridges[0],
                                   .then = bridges[1],
                                   .head = head,
                                   .own_head = own,
                                   .own_classes = own_classes,
                                   .is_brief = is_asked(argc, argv, "brief")};
    hl_buf_init(&out, 1 << 24);
    hl_buf_add_text(&out, "{\"report\":");
    want(hl_report_make(&task, &report, &err), &err);
    hl_report_print(report, &out);
    if (bridges[0] && is_asked(argc, argv, "tune")) {
        want(hl_report_tune(&task, bridges[0], &err), &err);
        want(hl_mixes_choose(&task, bridges[0], &mixes, &err), &err);
        hl_buf_add_text(&out, ",\"tuned\":");
        print_tuned(bridges[0], &mixes, &out);
    }
    hl_buf_add_text(&out, "}\n");
    fwrite(out.data, 1, out.len, stdout);
    hl_buf_done(&out);
    hl_report_free(report);
    hl_exam_free(exam);
    for (size_t hop = 0; hop < 2; hop++)
        hl_bridge_free(bridges[hop]);
    hl_head_free(head);
    hl_head_free(own);
    hl_free(own_classes);
    return 0;
}
