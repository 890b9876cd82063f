/* SPDX-License-Identifier: Apache-2.0 */
/* Datasets in a collection's folder: what is taken, replaced, listed and gone. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "proto/fail.h"
#include "server/datasets.h"
#include "tests/support/stand.h"

#include <math.h>

struct fixture {
    struct stand s; /* first */
    struct hl_datasets datasets;
    char path[80]; /* of what is offered */
};

static int begin(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);

    *state = f;
    if (!f || !init_stand(&f->s))
        return -1;
    hl_datasets_init(&f->datasets);
    snprintf(f->path, sizeof f->path, "%s/offer", f->s.folder);
    add_dense(&f->s, "", 2, "Cosine");
    add_dense(&f->s, "v2", 3, "Dot");
    return 0;
}

static int end(void **state)
{
    struct fixture *f = *state;

    hl_datasets_done(&f->datasets);
    done_stand(&f->s);
    free(f);
    return 0;
}

/* ---- files ---- */

/* A tensor of rows 1, 2, 3 … or of `last` at the end. */
struct piece {
    const char *name;
    enum hl_dtype type;
    unsigned n_dims;
    uint64_t shape[2];
    double last;
};

static void write_piece(struct fixture *f, struct hl_tensors_writer *writer,
                        const struct piece *piece)
{
    const size_t n = (size_t)(piece->shape[0] * (piece->n_dims == 2 ? piece->shape[1] : 1));

    for (size_t i = 0; i < n; i++) {
        const double value = i + 1 == n && piece->last != 0 ? piece->last : (double)i;
        const float real = (float)value;
        const int64_t whole = isfinite(value) ? (int64_t)value : 0;

        assert_int_equal(hl_dtype_is_real(piece->type)
                             ? hl_tensors_writer_add_floats(writer, &real, 1, &f->s.err)
                             : hl_tensors_writer_add_i64(writer, &whole, 1, &f->s.err),
                         HL_OK);
    }
}

static void write_file(struct fixture *f, const struct piece *pieces, size_t n)
{
    struct hl_tensor tensors[4] = {{.name = NULL}};
    const struct hl_tensors_plan plan = {.tensors = tensors, .n_tensors = n};
    struct hl_tensors_writer *writer;

    for (size_t i = 0; i < n; i++)
        tensors[i] = (struct hl_tensor){.name = pieces[i].name,
                                        .type = pieces[i].type,
                                        .n_dims = pieces[i].n_dims,
                                        .shape = {pieces[i].shape[0], pieces[i].shape[1]}};
    assert_int_equal(hl_tensors_writer_open(f->path, &plan, &writer, &f->s.err), HL_OK);
    for (size_t i = 0; i < n; i++)
        write_piece(f, writer, &pieces[i]);
    assert_int_equal(hl_tensors_writer_commit(writer, &f->s.err), HL_OK);
}

static enum hl_code put(struct fixture *f, const char *name)
{
    const struct hl_span span = {name, strlen(name)};
    struct hl_collection_info info;
    struct hl_dataset_offer offer = {.path = f->path, .name = &span, .deadline = &never};
    enum hl_code code;

    assert_int_equal(hl_collection_info(f->s.collection, f->s.arena, &info, &f->s.err),
                     HL_OK);
    offer.layout = info.layout;
    code = hl_dataset_put(&f->datasets, f->s.collection, &offer, &f->s.err);
    hl_layout_unref(info.layout);
    return code;
}

static void put_rows(struct fixture *f, const char *name, uint64_t n_rows)
{
    const struct piece pieces[] = {{"@default", HL_DTYPE_F32, 2, {n_rows, 2}, 0},
                                   {"labels", HL_DTYPE_I64, 1, {n_rows, 0}, -1}};

    write_file(f, pieces, 2);
    if (put(f, name) != HL_OK)
        fail_msg("%s", f->s.err.msg);
}

static enum hl_code open_one(struct fixture *f, const char *name, struct hl_dataset **ret)
{
    const struct hl_span span = {name, strlen(name)};

    return hl_dataset_open(f->s.collection, &span, ret, &f->s.err);
}

static enum hl_code delete_one(struct fixture *f, const char *name)
{
    const struct hl_span span = {name, strlen(name)};

    return hl_dataset_delete(&f->datasets, f->s.collection, &span, &f->s.err);
}

static bool add_name(void *self, const struct hl_dataset *dataset, const struct hl_err *why)
{
    char *names = self;

    if (why)
        snprintf(names + strlen(names), 120, "%.40s:%.60s ", dataset->name, why->msg);
    else
        snprintf(names + strlen(names), 64, "%.40s:%d ", dataset->name,
                 (int)dataset->n_rows);
    return true;
}

static void list(struct fixture *f, char names[256])
{
    names[0] = '\0';
    assert_int_equal(hl_datasets_each(f->s.collection, add_name, names, &f->s.err), HL_OK);
}

static void assert_listed(struct fixture *f, const char *wanted)
{
    char names[256];

    list(f, names);
    assert_string_equal(names, wanted);
}

/* ---- the tests ---- */

static void a_dataset_is_read_as_it_was_put(void **state)
{
    struct fixture *f = *state;
    struct hl_dataset *dataset;
    struct hl_dataset_view view;
    struct hl_rows rows;
    float values[4];
    int64_t labels[3];

    put_rows(f, "d", 3);
    assert_int_equal(open_one(f, "d", &dataset), HL_OK);
    assert_int_equal(dataset->n_rows, 3);
    assert_int_equal(strlen(dataset->sha256), 64);
    assert_null(hl_dataset_model(dataset, "v2"));
    view = (struct hl_dataset_view){dataset, hl_dataset_model(dataset, "")};
    assert_non_null(view.tensor);
    rows = hl_dataset_rows(&view);
    assert_int_equal(rows.dim, 2);
    assert_int_equal(rows.read(rows.self, 1, 2, values, &f->s.err), HL_OK);
    assert_float_equal(values[3], 5, 0);
    assert_int_equal(
        hl_tensors_i64(dataset->tensors, dataset->labels, 0, 3, labels, &f->s.err), HL_OK);
    assert_int_equal(labels[2], -1);
    hl_dataset_close(dataset);
}

static void a_new_one_takes_the_place_of_the_old_and_readers_keep_theirs(void **state)
{
    struct fixture *f = *state;
    struct hl_dataset *dataset;
    float values[2];

    put_rows(f, "d", 3);
    put_rows(f, "a", 1);
    assert_listed(f, "a:1 d:3 ");
    assert_int_equal(open_one(f, "d", &dataset), HL_OK);
    put_rows(f, "d", 5);
    assert_listed(f, "a:1 d:5 ");
    assert_int_equal(delete_one(f, "d"), HL_OK);
    assert_listed(f, "a:1 ");
    assert_int_equal(delete_one(f, "d"), HL_NOT_FOUND);
    assert_string_equal(f->s.err.msg, "Not found: there is no dataset \"d\"");
    assert_int_equal(hl_tensors_floats(dataset->tensors, hl_dataset_model(dataset, ""), 2,
                                       1, values, &f->s.err),
                     HL_OK);
    hl_dataset_close(dataset);
    assert_int_equal(open_one(f, "d", &dataset), HL_NOT_FOUND);
}

static void what_a_crash_left_of_an_older_one_is_not_seen(void **state)
{
    struct fixture *f = *state;
    char path[PATH_MAX + 80];
    struct hl_dataset *dataset;
    struct hl_buf bytes;

    put_rows(f, "d", 3);
    put_rows(f, "d", 4);
    assert_int_equal(open_one(f, "d", &dataset), HL_OK);
    hl_buf_init(&bytes, 1 << 20);
    assert_int_equal(hl_file_load(dataset->path, &bytes, &f->s.err), HL_OK);
    snprintf(path, sizeof path, "%s/datasets/d@1-%s.safetensors", f->s.folder,
             dataset->sha256);
    hl_dataset_close(dataset);
    {
        FILE *old = fopen(path, "w");

        assert_non_null(old);
        assert_int_equal(fwrite("old", 1, 3, old), 3);
        fclose(old);
    }
    hl_buf_done(&bytes);
    assert_listed(f, "d:4 ");
    put_rows(f, "d", 2);
    assert_int_equal(access(path, F_OK), -1);
    assert_listed(f, "d:2 ");
}

static void what_is_wrong_with_a_dataset_is_said(void **state)
{
    static const struct {
        struct piece pieces[2];
        const char *sentence;
    } cases[] = {
        {{{"labels", HL_DTYPE_I64, 1, {3, 0}, 0}},
         "the dataset has no tensor of a model: one [N, size] was wanted, named like a "
         "model of the collection"},
        {{{"v9", HL_DTYPE_F32, 2, {3, 2}, 0}},
         "the tensor \"v9\" is no model of the collection, nor labels [N] or modality [N]"},
        {{{"v2", HL_DTYPE_F32, 2, {3, 2}, 0}},
         "the tensor \"v2\" has 2 dimensions and rows of 2 numbers, [N, 3] was wanted"},
        {{{"v2", HL_DTYPE_F64, 2, {3, 3}, 0}},
         "the tensor \"v2\" is F64, F32, F16 or BF16 was wanted"},
        {{{"v2", HL_DTYPE_F32, 2, {3, 3}, 0}, {"labels", HL_DTYPE_I64, 1, {2, 0}, 0}},
         "the tensor \"labels\" has 2 rows, another one 3: all must be of the same rows"},
        {{{"v2", HL_DTYPE_F32, 2, {3, 3}, 0}, {"labels", HL_DTYPE_F32, 1, {3, 0}, 0}},
         "the tensor \"labels\" is F32, whole numbers were wanted"},
        {{{"v2", HL_DTYPE_F32, 2, {3, 3}, 0}, {"modality", HL_DTYPE_U8, 1, {3, 0}, 0}},
         "modality is 2 in row 2, 0 (image) or 1 (text) was wanted"},
        {{{"v2", HL_DTYPE_F32, 2, {3, 3}, (double)INFINITY}},
         "the tensor \"v2\" holds what is no number in row 2"},
        {{{"v2", HL_DTYPE_F32, 2, {0, 3}, 0}}, "the dataset has no rows"},
    };
    struct fixture *f = *state;

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        write_file(f, cases[i].pieces, cases[i].pieces[1].name ? 2 : 1);
        assert_int_equal(put(f, "d"), HL_INVALID);
        assert_string_equal(f->s.err.msg, cases[i].sentence);
    }
    assert_listed(f, "");
    write_file(f, cases[2].pieces, 1);
    assert_int_equal(put(f, "../d"), HL_INVALID);
    assert_int_equal(put(f, ".d"), HL_INVALID);
}

static void whatever_fails_leaves_a_whole_dataset(void **state)
{
    static const char *const points[] = {"alloc", "file.open", "file.read", "file.rename"};
    const struct piece next = {"v2", HL_DTYPE_F32, 2, {7, 3}, 0};
    struct fixture *f = *state;

    for (size_t i = 0; i < sizeof points / sizeof *points; i++) {
        enum hl_code code = HL_IO;

        put_rows(f, "d", 3);
        for (int n = 1; code != HL_OK; n++) {
            char rule[48], names[256];

            assert_true(n < 200);
            write_file(f, &next, 1);
            snprintf(rule, sizeof rule, "%s=%d:fail", points[i], n);
            assert_int_equal(hl_failpoint_arm(rule, &f->s.err), HL_OK);
            code = put(f, "d");
            hl_failpoint_disarm();
            list(f, names);
            assert_true(strcmp(names, "d:7 ") == 0 ||
                        (code != HL_OK && strcmp(names, "d:3 ") == 0));
            /* Behind the last step only the sync of the folder can fail. */
            assert_true(n > 1 || strcmp(names, "d:3 ") == 0);
            put_rows(f, "d", 3);
        }
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

static void a_damaged_one_is_listed_with_what_is_wrong(void **state)
{
    struct fixture *f = *state;
    struct hl_dataset *dataset;
    char names[256];

    put_rows(f, "a", 1);
    put_rows(f, "d", 3);
    assert_int_equal(open_one(f, "a", &dataset), HL_OK);
    assert_int_equal(truncate(dataset->path, 4), 0);
    hl_dataset_close(dataset);
    list(f, names);
    assert_non_null(strstr(names, "a:\"the dataset\" ends too early"));
    assert_non_null(strstr(names, " d:3 "));
    assert_int_equal(delete_one(f, "a"), HL_OK);
    assert_listed(f, "d:3 ");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_dataset_is_read_as_it_was_put),
        TEST(a_new_one_takes_the_place_of_the_old_and_readers_keep_theirs),
        TEST(what_a_crash_left_of_an_older_one_is_not_seen),
        TEST(what_is_wrong_with_a_dataset_is_said),
        TEST(a_damaged_one_is_listed_with_what_is_wrong),
        TEST(whatever_fails_leaves_a_whole_dataset),
    };

    return cmocka_run_group_tests_name("datasets", tests, NULL, NULL);
}
