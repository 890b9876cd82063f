/* SPDX-License-Identifier: Apache-2.0 */
#include "server/lesson_files.h"

#include "proto/alloc.h"
#include "proto/model_name.h"
#include "proto/npy.h"
#include "proto/tensors.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { FROM, TO, LABELS, N_FILES, DATASET = 0 };
enum { BLOCK = 1 << 16, ROOM_FOR_NAMES = 160 };

struct opened {
    const char *path;
    struct hl_file *file;
    struct hl_source source;
    struct hl_npy npy;
    char sha256[HL_SHA256_TEXT_SIZE];
};

/* A tensor of rows, for hl_rows. */
struct view {
    const struct hl_tensors *tensors;
    const struct hl_tensor *tensor;
};

struct hl_lesson_files {
    struct opened files[N_FILES];
    struct hl_tensors *tensors; /* of a data set */
    struct view views[2];
    int32_t *labels;
    uint8_t *modalities;
    struct hl_lesson lesson;
    bool has_rows; /* `lesson.n_rows` is known */
};

/* ---- what was typed ---- */

bool hl_lesson_is_dataset(const char *path)
{
    static const char ending[] = ".safetensors";
    size_t len = strlen(path), wanted = sizeof ending - 1;

    return len > wanted && strcmp(path + len - wanted, ending) == 0;
}

enum hl_code hl_lesson_paths_read(const char *text, char room[HL_LESSON_ROOM],
                                  struct hl_lesson_paths *ret_paths, struct hl_err *err)
{
    struct hl_lesson_paths paths = {0};
    const char **places[] = {&paths.from, &paths.to, &paths.labels};
    size_t n = 0;

    if (strlen(text) >= HL_LESSON_ROOM)
        return hl_fail(err, HL_INVALID, "\"%.64s…\" is too long", text);
    memcpy(room, text, strlen(text) + 1);
    if (!strchr(room, ',') && hl_lesson_is_dataset(room)) {
        *ret_paths = (struct hl_lesson_paths){.dataset = room};
        return HL_OK;
    }
    for (char *at = room, *next; at; at = next) {
        next = strchr(at, ',');
        if (next)
            *next++ = '\0';
        if (n == sizeof places / sizeof *places)
            return hl_fail(
                err, HL_INVALID,
                "\"%.64s\" are more than three files: FROM,TO,LABELS were wanted", text);
        *places[n++] = *at ? at : NULL;
    }
    *ret_paths = paths;
    return HL_OK;
}

/* ---- files ---- */

static enum hl_code take_sum(struct opened *opened, struct hl_err *err)
{
    struct hl_sha256 sha;
    unsigned char *bytes = hl_alloc(BLOCK);
    enum hl_code code = HL_OK;

    if (!bytes)
        return hl_fail(err, HL_NO_MEMORY, "no memory to read \"%s\"", opened->path);
    hl_sha256_init(&sha);
    for (uint64_t at = 0; at < opened->source.size && code == HL_OK; at += BLOCK) {
        uint64_t left = opened->source.size - at;
        size_t n = left < BLOCK ? (size_t)left : BLOCK;

        code = hl_source_read(&opened->source, bytes, n, at, err);
        if (code == HL_OK)
            hl_sha256_add(&sha, bytes, n);
    }
    hl_sha256_finish_text(&sha, opened->sha256);
    hl_free(bytes);
    return code;
}

static enum hl_code open_file(struct opened *opened, const char *path, struct hl_err *err)
{
    enum hl_code code = hl_file_open(path, HL_FILE_READ, &opened->file, err);

    opened->path = path;
    if (code == HL_OK)
        code = hl_source_of_file(opened->file, &opened->source, err);
    return code == HL_OK ? take_sum(opened, err) : code;
}

static enum hl_code check_count(struct hl_lesson_files *files, const char *name, uint64_t n,
                                struct hl_err *err)
{
    if (n >= INT32_MAX)
        return hl_fail(err, HL_INVALID, "\"%s\" has more than %d rows: send fewer", name,
                       INT32_MAX - 1);
    if (files->has_rows && files->lesson.n_rows != n)
        return hl_fail(err, HL_INVALID,
                       "\"%s\" has %" PRIu64 " rows, what came before it %" PRIu64
                       ": row i of both must be the same photograph",
                       name, n, files->lesson.n_rows);
    files->lesson.n_rows = n;
    files->has_rows = true;
    return HL_OK;
}

/* ---- labels ---- */

static enum hl_code name_labels(struct hl_lesson_files *files, struct hl_labels *labels,
                                const int64_t *names, const char *name, struct hl_err *err)
{
    size_t n = (size_t)files->lesson.n_rows;

    files->labels = hl_alloc_zeroed(n, sizeof *files->labels);
    if (!files->labels)
        return hl_fail(err, HL_NO_MEMORY, "no memory for the labels of \"%s\"", name);
    files->lesson.labels = files->labels;
    return hl_learn_add_labels(labels, names, n, files->labels, err);
}

static enum hl_code mark_modalities(struct hl_lesson_files *files, const int64_t *marks,
                                    const char *name, struct hl_err *err)
{
    size_t n = (size_t)files->lesson.n_rows;

    files->modalities = hl_alloc_zeroed(n, sizeof *files->modalities);
    if (!files->modalities)
        return hl_fail(err, HL_NO_MEMORY, "no memory for the modalities of \"%s\"", name);
    for (size_t i = 0; i < n; i++) {
        if (marks[i] != HL_MODALITY_IMAGE && marks[i] != HL_MODALITY_TEXT)
            return hl_fail(err, HL_INVALID,
                           "\"%s\": modality of row %zu is %" PRId64
                           ", 0 (image) or 1 (text) was wanted",
                           name, i, marks[i]);
        files->modalities[i] = (uint8_t)marks[i];
    }
    files->lesson.modalities = files->modalities;
    return HL_OK;
}

/* ---- .npy ---- */

static enum hl_code read_npy(const void *self, uint64_t first, size_t n_rows, float *values,
                             struct hl_err *err)
{
    return hl_npy_floats(self, first, n_rows, values, err);
}

static enum hl_code open_vectors(struct hl_lesson_files *files, int which, const char *path,
                                 struct hl_rows *rows, struct hl_err *err)
{
    struct opened *opened = &files->files[which];
    enum hl_code code;

    if (!path)
        return HL_OK;
    code = open_file(opened, path, err);
    if (code == HL_OK)
        code = hl_npy_init(&opened->source, &opened->npy, err);
    if (code == HL_OK &&
        (opened->npy.is_flat || !hl_dtype_is_real(opened->npy.numbers.type)))
        code = hl_fail(err, HL_INVALID,
                       "\"%s\" holds no vectors: rows x dimensions of real numbers were "
                       "wanted%s",
                       path, opened->npy.is_flat ? " (are these labels? --labels)" : "");
    if (code == HL_OK)
        code = check_count(files, path, opened->npy.n_rows, err);
    if (code == HL_OK)
        *rows = (struct hl_rows){.read = read_npy,
                                 .self = &opened->npy,
                                 .n_rows = opened->npy.n_rows,
                                 .dim = opened->npy.dim,
                                 .name = path};
    return code;
}

static enum hl_code open_labels(struct hl_lesson_files *files, const char *path,
                                struct hl_labels *labels, struct hl_err *err)
{
    struct opened *opened = &files->files[LABELS];
    int64_t *names = NULL;
    enum hl_code code;

    if (!path)
        return HL_OK;
    code = open_file(opened, path, err);
    if (code == HL_OK)
        code = hl_npy_init(&opened->source, &opened->npy, err);
    if (code == HL_OK &&
        (opened->npy.dim != 1 || hl_dtype_is_real(opened->npy.numbers.type)))
        code = hl_fail(err, HL_INVALID,
                       "\"%s\" holds no labels: one whole number a row was wanted, below 0 "
                       "where it is not known",
                       path);
    if (code == HL_OK)
        code = check_count(files, path, opened->npy.n_rows, err);
    if (code == HL_OK) {
        names = hl_alloc_zeroed((size_t)opened->npy.n_rows, sizeof *names);
        if (!names)
            return hl_fail(err, HL_NO_MEMORY, "no memory for the labels of \"%s\"", path);
        code = hl_npy_i64(&opened->npy, 0, (size_t)opened->npy.n_rows, names, err);
    }
    if (code == HL_OK)
        code = name_labels(files, labels, names, path, err);
    hl_free(names);
    return code;
}

static enum hl_code open_npys(struct hl_lesson_files *files,
                              const struct hl_lesson_paths *paths, struct hl_labels *labels,
                              struct hl_err *err)
{
    enum hl_code code = open_vectors(files, FROM, paths->from, &files->lesson.from, err);

    if (code == HL_OK)
        code = open_vectors(files, TO, paths->to, &files->lesson.to, err);
    return code == HL_OK ? open_labels(files, paths->labels, labels, err) : code;
}

/* ---- a data set ---- */

static enum hl_code read_tensor(const void *self, uint64_t first, size_t n_rows,
                                float *values, struct hl_err *err)
{
    const struct view *view = self;

    return hl_tensors_floats(view->tensors, view->tensor, first, n_rows, values, err);
}

static void list_names(const struct hl_tensors *tensors, char *names, size_t size)
{
    size_t len = 0;

    names[0] = '\0';
    for (size_t i = 0; i < hl_tensors_count(tensors) && len < size; i++)
        len += (size_t)snprintf(names + len, size - len, "%s\"%s\"", i ? ", " : "",
                                hl_tensors_at(tensors, i)->name);
}

static enum hl_code find_model(struct hl_lesson_files *files, int which, const char *name,
                               struct hl_rows *rows, struct hl_err *err)
{
    const char *path = files->files[DATASET].path;
    const struct hl_tensor *tensor;
    char names[ROOM_FOR_NAMES];
    enum hl_code code;

    if (!name)
        return HL_OK;
    tensor = hl_tensors_find(files->tensors, hl_model_shown(name));
    if (!tensor) {
        list_names(files->tensors, names, sizeof names);
        return hl_fail(err, HL_INVALID, "\"%s\" has no tensor \"%s\" but %s", path, name,
                       names);
    }
    if (tensor->n_dims != 2 || tensor->shape[1] == 0 || tensor->shape[1] > INT32_MAX ||
        !hl_dtype_is_real(tensor->type))
        return hl_fail(err, HL_INVALID,
                       "\"%s\": tensor \"%s\" holds no vectors: rows x dimensions of real "
                       "numbers were wanted",
                       path, name);
    code = check_count(files, name, tensor->shape[0], err);
    files->views[which] = (struct view){files->tensors, tensor};
    *rows = (struct hl_rows){.read = read_tensor,
                             .self = &files->views[which],
                             .n_rows = tensor->shape[0],
                             .dim = (size_t)tensor->shape[1],
                             .name = tensor->name};
    return code;
}

/* `labels` NULL: they are modalities. */
static enum hl_code read_marks(struct hl_lesson_files *files, const char *name,
                               struct hl_labels *labels, struct hl_err *err)
{
    const struct hl_tensor *tensor = hl_tensors_find(files->tensors, name);
    const char *path = files->files[DATASET].path;
    int64_t *marks;
    enum hl_code code;

    if (!tensor || tensor->n_dims != 1)
        return HL_OK; /* a model may be called so: it has two dimensions */
    code = check_count(files, name, tensor->shape[0], err);
    if (code != HL_OK)
        return code;
    marks = hl_alloc_zeroed((size_t)tensor->shape[0], sizeof *marks);
    if (!marks)
        return hl_fail(err, HL_NO_MEMORY, "no memory for the %s of \"%s\"", name, path);
    code = hl_tensors_i64(files->tensors, tensor, 0, (size_t)tensor->shape[0], marks, err);
    if (code == HL_OK)
        code = labels ? name_labels(files, labels, marks, path, err)
                      : mark_modalities(files, marks, path, err);
    hl_free(marks);
    return code;
}

static enum hl_code open_dataset(struct hl_lesson_files *files,
                                 const struct hl_lesson_paths *paths,
                                 struct hl_labels *labels, struct hl_err *err)
{
    struct opened *opened = &files->files[DATASET];
    enum hl_code code = open_file(opened, paths->dataset, err);

    if (code == HL_OK)
        code = hl_tensors_new(&opened->source, HL_TENSORS_MAX_HEADER, &files->tensors, err);
    if (code == HL_OK)
        code = find_model(files, FROM, paths->from_name, &files->lesson.from, err);
    if (code == HL_OK)
        code = find_model(files, TO, paths->to_name, &files->lesson.to, err);
    if (code == HL_OK)
        code = read_marks(files, "labels", labels, err);
    return code == HL_OK ? read_marks(files, "modality", NULL, err) : code;
}

/* ---- both ---- */

enum hl_code hl_lesson_files_open(const struct hl_lesson_paths *paths,
                                  struct hl_labels *labels,
                                  struct hl_lesson_files **ret_files, struct hl_err *err)
{
    struct hl_lesson_files *files = hl_alloc_zeroed(1, sizeof *files);
    enum hl_code code;

    if (!files)
        return hl_fail(err, HL_NO_MEMORY, "no memory to open files");
    code = paths->dataset ? open_dataset(files, paths, labels, err)
                          : open_npys(files, paths, labels, err);
    if (code == HL_OK)
        *ret_files = files;
    else
        hl_lesson_files_close(files);
    return code;
}

void hl_lesson_files_close(struct hl_lesson_files *files)
{
    if (!files)
        return;
    hl_tensors_free(files->tensors);
    for (int i = 0; i < N_FILES; i++)
        hl_file_close(files->files[i].file);
    hl_free(files->labels);
    hl_free(files->modalities);
    hl_free(files);
}

struct hl_lesson hl_lesson_files_lesson(const struct hl_lesson_files *files)
{
    return files ? files->lesson : (struct hl_lesson){0};
}

void hl_lesson_files_note(const struct hl_lesson_files *files,
                          struct hl_learn_source *source)
{
    for (int i = 0; files && i < N_FILES; i++)
        if (files->files[i].path && source->n_inputs < HL_LEARN_INPUTS)
            source->inputs[source->n_inputs++] =
                (struct hl_learn_input){files->files[i].path, files->files[i].sha256};
}
