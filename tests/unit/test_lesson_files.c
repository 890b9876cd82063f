/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "proto/fail.h"
#include "proto/npy.h"
#include "proto/tensors.h"
#include "server/lesson_files.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char folder[] = "/tmp/heirloom_lesson_XXXXXX";

static const float vectors[] = {1, 2, 3, 4, 5, 6};
static const int64_t marks[] = {5, -2, 7};

static void write_npy(const char *path, uint64_t n, size_t dim)
{
    struct hl_npy_writer *writer;
    struct hl_err err;

    assert_int_equal(hl_npy_writer_open(path, HL_DTYPE_F32, n, dim, &writer, &err), HL_OK);
    assert_int_equal(hl_npy_writer_add(writer, vectors, n, &err), HL_OK);
    assert_int_equal(hl_npy_writer_commit(writer, &err), HL_OK);
}

/* Three rows of "v2" and of the unnamed model, labels, and modalities 0, 1 and `last`. */
static void write_dataset(const char *path, int64_t last)
{
    const struct hl_tensor tensors[] = {
        {.name = "v2", .type = HL_DTYPE_F32, .n_dims = 2, .shape = {3, 2}},
        {.name = "@default", .type = HL_DTYPE_F32, .n_dims = 2, .shape = {3, 1}},
        {.name = "labels", .type = HL_DTYPE_I16, .n_dims = 1, .shape = {3}},
        {.name = "modality", .type = HL_DTYPE_U8, .n_dims = 1, .shape = {3}}};
    const struct hl_tensors_plan plan = {tensors, 4, NULL, 0};
    const int64_t modalities[] = {0, 1, last};
    struct hl_tensors_writer *writer;
    struct hl_err err;

    assert_int_equal(hl_tensors_writer_open(path, &plan, &writer, &err), HL_OK);
    assert_int_equal(hl_tensors_writer_add_floats(writer, vectors, 6, &err), HL_OK);
    assert_int_equal(hl_tensors_writer_add_floats(writer, vectors, 3, &err), HL_OK);
    assert_int_equal(hl_tensors_writer_add_i64(writer, marks, 3, &err), HL_OK);
    assert_int_equal(hl_tensors_writer_add_i64(writer, modalities, 3, &err), HL_OK);
    assert_int_equal(hl_tensors_writer_commit(writer, &err), HL_OK);
}

static const char *const names[] = {"a.npy", "b.npy", "c.npy", "d.safetensors",
                                    "e.safetensors"};

static int enter_folder(void **state)
{
    struct hl_labels *labels;
    struct hl_err err;

    memset(folder + strlen(folder) - 6, 'X', 6);
    if (!mkdtemp(folder) || chdir(folder) != 0)
        return -1;
    write_npy("a.npy", 3, 2);
    write_npy("b.npy", 3, 1);
    write_npy("c.npy", 2, 2);
    write_dataset("d.safetensors", 0);
    write_dataset("e.safetensors", 2);
    if (hl_labels_new(&labels, &err) != HL_OK)
        return -1;
    *state = labels;
    return 0;
}

static int leave_folder(void **state)
{
    hl_failpoint_disarm();
    hl_labels_free(*state);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        (void)unlink(names[i]);
    return chdir("/") == 0 ? rmdir(folder) : -1;
}

static struct hl_lesson_files *open_well(const struct hl_lesson_paths *paths,
                                         struct hl_labels *labels)
{
    struct hl_lesson_files *files = NULL;
    struct hl_err err = {0};

    if (hl_lesson_files_open(paths, labels, &files, &err) != HL_OK)
        fail_msg("%s", err.msg);
    if (!files)
        abort(); /* what an analyser does not take from the line before */
    return files;
}

static void assert_rows(const struct hl_rows *rows, size_t dim)
{
    float values[6];
    struct hl_err err;

    assert_int_equal(rows->n_rows, 3);
    assert_int_equal(rows->dim, dim);
    assert_int_equal(rows->read(rows->self, 1, 2, values, &err), HL_OK);
    assert_memory_equal(values, vectors + dim, 2 * dim * sizeof *values);
}

static void npy_files_are_rows_of_two_models(void **state)
{
    const struct hl_lesson_paths paths = {.from = "a.npy", .to = "b.npy"};
    struct hl_lesson_files *files = open_well(&paths, *state);
    struct hl_lesson lesson = hl_lesson_files_lesson(files);
    struct hl_learn_source source = {0};

    assert_int_equal(lesson.n_rows, 3);
    assert_rows(&lesson.from, 2);
    assert_rows(&lesson.to, 1);
    assert_null(lesson.labels);
    hl_lesson_files_note(files, &source);
    assert_int_equal(source.n_inputs, 2);
    assert_string_equal(source.inputs[0].name, "a.npy");
    assert_int_equal(strlen(source.inputs[1].sha256), 64);
    assert_string_not_equal(source.inputs[0].sha256, source.inputs[1].sha256);
    hl_lesson_files_close(files);
}

static void a_data_set_has_models_labels_and_modalities(void **state)
{
    const struct hl_lesson_paths paths = {
        .dataset = "d.safetensors", .from_name = "v2", .to_name = ""};
    struct hl_lesson_files *files = open_well(&paths, *state);
    struct hl_lesson lesson = hl_lesson_files_lesson(files);

    assert_rows(&lesson.from, 2);
    assert_rows(&lesson.to, 1);
    assert_int_equal(lesson.labels[0], 0);
    assert_int_equal(lesson.labels[1], -1);
    assert_int_equal(lesson.labels[2], 1);
    assert_string_equal(hl_labels_name(*state, 1), "7");
    assert_int_equal(lesson.modalities[1], HL_MODALITY_TEXT);
    hl_lesson_files_close(files);
}

static void a_model_that_is_not_asked_for_is_not_there(void **state)
{
    const struct hl_lesson_paths paths = {.dataset = "d.safetensors", .from_name = "v2"};
    struct hl_lesson_files *files = open_well(&paths, *state);

    assert_int_equal(hl_lesson_files_lesson(files).to.dim, 0);
    hl_lesson_files_close(files);
    assert_int_equal(hl_lesson_files_lesson(NULL).n_rows, 0);
    hl_lesson_files_close(NULL);
}

static void files_that_do_not_belong_together_are_refused(void **state)
{
    static const struct {
        struct hl_lesson_paths paths;
        enum hl_code code;
        const char *sentence;
    } rows[] = {
        {{.from = "a.npy", .to = "c.npy"},
         HL_INVALID,
         "\"c.npy\" has 2 rows, what came before it 3: row i of both must be the same "
         "photograph"},
        {{.from = "a.npy", .labels = "b.npy"},
         HL_INVALID,
         "\"b.npy\" holds no labels: one whole number a row was wanted, below 0 where it "
         "is "
         "not known"},
        {{.dataset = "d.safetensors", .from_name = "v3"},
         HL_INVALID,
         "\"d.safetensors\" has no tensor \"v3\" but \"v2\", \"@default\", \"labels\", "
         "\"modality\""},
        {{.dataset = "d.safetensors", .from_name = "labels"},
         HL_INVALID,
         "\"d.safetensors\": tensor \"labels\" holds no vectors: rows x dimensions of real "
         "numbers were wanted"},
        {{.dataset = "e.safetensors", .from_name = "v2"},
         HL_INVALID,
         "\"e.safetensors\": modality of row 2 is 2, 0 (image) or 1 (text) was wanted"},
    };

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct hl_lesson_files *files = NULL;
        struct hl_err err = {0};

        assert_int_equal(hl_lesson_files_open(&rows[i].paths, *state, &files, &err),
                         rows[i].code);
        assert_string_equal(err.msg, rows[i].sentence);
        assert_null(files);
    }
}

static void assert_paths(const char *text, const char *from, const char *to,
                         const char *labels)
{
    const char *const wanted[] = {from, to, labels};
    char room[HL_LESSON_ROOM];
    struct hl_lesson_paths paths;
    struct hl_err err;

    assert_int_equal(hl_lesson_paths_read(text, room, &paths, &err), HL_OK);
    for (size_t i = 0; i < 3; i++) {
        const char *got = i == 0 ? paths.from : i == 1 ? paths.to : paths.labels;

        assert_int_equal(got != NULL, wanted[i] != NULL);
        if (got && wanted[i])
            assert_string_equal(got, wanted[i]);
    }
}

static void paths_stand_between_commas(void **state)
{
    char room[HL_LESSON_ROOM];
    struct hl_lesson_paths paths;
    struct hl_err err;

    (void)state;
    assert_paths("a,b,c", "a", "b", "c");
    assert_paths("a", "a", NULL, NULL);
    assert_paths("a,,c", "a", NULL, "c");
    assert_paths(",b", NULL, "b", NULL);
    assert_int_equal(hl_lesson_paths_read("x.safetensors", room, &paths, &err), HL_OK);
    assert_string_equal(paths.dataset, "x.safetensors");
    assert_int_equal(hl_lesson_paths_read("a,b,c,d", room, &paths, &err), HL_INVALID);
    assert_string_equal(err.msg, "\"a,b,c,d\" are more than three files: FROM,TO,LABELS "
                                 "were wanted");
}

static void a_refusal_at_any_step_leaks_nothing(void **state)
{
    static const struct hl_lesson_paths kinds[] = {
        {.from = "a.npy", .to = "b.npy"},
        {.dataset = "d.safetensors", .from_name = "v2", .to_name = ""}};
    static const char *const places[] = {"alloc", "file.open", "file.read"};

    for (size_t i = 0; i < 6; i++) {
        enum hl_code code = HL_IO;

        for (unsigned nth = 1; code != HL_OK; nth++) {
            struct hl_lesson_files *files = NULL;
            char rule[40];
            struct hl_err err;

            snprintf(rule, sizeof rule, "%s=%u:fail", places[i / 2], nth);
            assert_int_equal(hl_failpoint_arm(rule, &err), HL_OK);
            code = hl_lesson_files_open(&kinds[i % 2], *state, &files, &err);
            hl_failpoint_disarm();
            assert_true(code != HL_OK || nth > 1);
            hl_lesson_files_close(files);
        }
    }
}

#define IN_FOLDER(test) cmocka_unit_test_setup_teardown(test, enter_folder, leave_folder)

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_FOLDER(npy_files_are_rows_of_two_models),
        IN_FOLDER(a_data_set_has_models_labels_and_modalities),
        IN_FOLDER(a_model_that_is_not_asked_for_is_not_there),
        IN_FOLDER(files_that_do_not_belong_together_are_refused),
        cmocka_unit_test(paths_stand_between_commas),
        IN_FOLDER(a_refusal_at_any_step_leaks_nothing),
    };

    return cmocka_run_group_tests_name("lesson_files", tests, NULL, NULL);
}
