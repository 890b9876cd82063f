/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "proto/fail.h"
#include "proto/npy.h"

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { N_ROWS = 5, DIM = 3 };

/* A file of tests/data/npy, or one written by a test, in memory. */
struct fixture {
    struct hl_buf buf;
    struct hl_memory memory;
    struct hl_source source;
    struct hl_err err;
};

/* Of the build that started this, or where it is from the root of the tree. */
static const char *data_folder(void)
{
    const char *folder = getenv("HEIRLOOM_TEST_DATA");

    return folder ? folder : "tests/data";
}

static void load_path(struct fixture *f, const char *path)
{
    hl_buf_init(&f->buf, 1 << 20);
    assert_int_equal(hl_file_load(path, &f->buf, &f->err), HL_OK);
    f->memory = (struct hl_memory){.bytes = f->buf.data, .size = f->buf.len};
    f->source = hl_source_of_memory(&f->memory, "x.npy");
}

static void load(struct fixture *f, const char *name)
{
    char path[300];

    snprintf(path, sizeof path, "%s/npy/%s.npy", data_folder(), name);
    load_path(f, path);
}

static uint32_t bits_of(float value)
{
    uint32_t bits;

    memcpy(&bits, &value, sizeof bits);
    return bits;
}

static float wanted(size_t row, size_t column)
{
    return ((float)(row * DIM + column) - 7.0F) / 4.0F;
}

static void real_matrices_of_every_kind_read_alike(void **state)
{
    static const char *const names[] = {
        "f2_little_C", "f4_little_C", "f8_little_C", "f2_big_C",    "f4_big_C",
        "f8_big_C",    "f2_little_F", "f4_little_F", "f8_little_F", "f2_big_F",
        "f4_big_F",    "f8_big_F",    "v2",          "v3"};

    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        struct fixture f;
        struct hl_npy npy;

        load(&f, names[i]);
        assert_int_equal(hl_npy_init(&f.source, &npy, &f.err), HL_OK);
        assert_int_equal(npy.n_rows, N_ROWS);
        assert_int_equal(npy.dim, DIM);
        for (size_t first = 0; first <= N_ROWS; first++) {
            for (size_t n = 0; n <= N_ROWS - first; n++) {
                float values[N_ROWS * DIM];

                assert_int_equal(hl_npy_floats(&npy, first, n, values, &f.err), HL_OK);
                for (size_t k = 0; k < n * DIM; k++)
                    assert_int_equal(bits_of(values[k]),
                                     bits_of(wanted(first + k / DIM, k % DIM)));
            }
        }
        hl_buf_done(&f.buf);
    }
}

static void whole_numbers_of_every_size_read_alike(void **state)
{
    (void)state;
    for (int size = 1; size <= 8; size *= 2) {
        for (int kind = 0; kind < 4; kind++) {
            struct fixture f;
            struct hl_npy npy;
            char name[20];
            int64_t values[N_ROWS];

            snprintf(name, sizeof name, "%c%d_%s", kind & 1 ? 'i' : 'u', size,
                     kind & 2 ? "big" : "little");
            load(&f, name);
            assert_int_equal(hl_npy_init(&f.source, &npy, &f.err), HL_OK);
            assert_true(npy.is_flat);
            assert_int_equal(hl_npy_i64(&npy, 0, N_ROWS, values, &f.err), HL_OK);
            for (int i = 0; i < N_ROWS; i++)
                assert_int_equal(values[i], (i - (kind & 1)) * 7);
            assert_int_equal(hl_npy_i64(&npy, 2, 1, values, &f.err), HL_OK);
            assert_int_equal(values[0], (2 - (kind & 1)) * 7);
            assert_int_equal(hl_npy_floats(&npy, 0, 1, (float[1]){0}, &f.err), HL_BAD_FILE);
            hl_buf_done(&f.buf);
        }
    }
}

static void flat_and_empty_files_are_files(void **state)
{
    struct fixture f;
    struct hl_npy npy;
    float values[N_ROWS];

    (void)state;
    load(&f, "flat");
    assert_int_equal(hl_npy_init(&f.source, &npy, &f.err), HL_OK);
    assert_int_equal(npy.dim, 1);
    assert_int_equal(hl_npy_floats(&npy, 0, N_ROWS, values, &f.err), HL_OK);
    assert_true(values[4] > 1.2F && values[4] < 1.3F);
    assert_int_equal(hl_npy_i64(&npy, 0, 1, (int64_t[1]){0}, &f.err), HL_BAD_FILE);
    hl_buf_done(&f.buf);
    load(&f, "empty");
    assert_int_equal(hl_npy_init(&f.source, &npy, &f.err), HL_OK);
    assert_int_equal(npy.n_rows, 0);
    assert_int_equal(hl_npy_floats(&npy, 0, 0, values, &f.err), HL_OK);
    assert_int_equal(hl_npy_floats(&npy, 0, 1, values, &f.err), HL_BAD_FILE);
    assert_int_equal(hl_npy_floats(&npy, UINT64_MAX, 1, values, &f.err), HL_BAD_FILE);
    hl_buf_done(&f.buf);
}

static void a_file_without_rows_may_claim_any_columns(void **state)
{
    static const char text[] =
        "\x93NUMPY\x01\0\x4d\0{'descr': '<f4', 'fortran_order': True, "
        "'shape': (0, 1152921504606846976), }\n";
    struct hl_memory memory = {.bytes = text, .size = sizeof text - 1};
    struct hl_source source = hl_source_of_memory(&memory, "x.npy");
    struct hl_npy npy;
    struct hl_err err;

    (void)state;
    assert_int_equal(hl_npy_init(&source, &npy, &err), HL_OK);
    assert_int_equal(hl_npy_floats(&npy, 0, 0, (float[1]){0}, &err), HL_OK);
}

static void what_cannot_be_read_is_named(void **state)
{
    static const struct {
        const char *name, *msg;
    } rows[] = {
        {"bad_three_dims",
         "\"x.npy\": cannot read an array of 3 dimensions, only of 1 or 2"},
        {"bad_scalar", "\"x.npy\": cannot read an array of 0 dimensions, only of 1 or 2"},
        {"bad_bool", "\"x.npy\": cannot read numbers of type \"|b1\""},
        {"bad_complex", "\"x.npy\": cannot read numbers of type \"<c16\""},
        {"bad_record", "\"x.npy\": byte 10 of the header is not a quoted text"},
        {"bad_no_columns", "\"x.npy\": cannot read rows of 0 numbers"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct fixture f;
        struct hl_npy npy;

        load(&f, rows[i].name);
        assert_int_equal(hl_npy_init(&f.source, &npy, &f.err), HL_BAD_FILE);
        f.err.msg[strlen(rows[i].msg)] = '\0';
        assert_string_equal(f.err.msg, rows[i].msg);
        hl_buf_done(&f.buf);
    }
}

static void what_does_not_fit_is_named_by_row_and_column(void **state)
{
    static const char *const names[] = {"bad_beyond_float", "bad_beyond_float_F"};
    struct fixture f;
    struct hl_npy npy;
    float values[N_ROWS * DIM];

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        load(&f, names[i]);
        assert_int_equal(hl_npy_init(&f.source, &npy, &f.err), HL_OK);
        assert_int_equal(hl_npy_floats(&npy, 1, 2, values, &f.err), HL_OK);
        assert_int_equal(hl_npy_floats(&npy, 1, 4, values, &f.err), HL_BAD_FILE);
        assert_string_equal(f.err.msg,
                            "\"x.npy\": row 3, column 1 is too large for a float");
        hl_buf_done(&f.buf);
    }
    load(&f, "bad_beyond_int64");
    assert_int_equal(hl_npy_init(&f.source, &npy, &f.err), HL_OK);
    assert_int_equal(hl_npy_i64(&npy, 0, 2, (int64_t[2]){0}, &f.err), HL_BAD_FILE);
    assert_string_equal(f.err.msg,
                        "\"x.npy\": row 1, column 0 is too large for a 64-bit integer");
    hl_buf_done(&f.buf);
}

static void a_file_cut_or_lengthened_anywhere_is_refused(void **state)
{
    struct fixture f;
    struct hl_npy npy;

    (void)state;
    load(&f, "f4_little_C");
    for (size_t size = 0; size < f.buf.len; size++) {
        /* A copy of that size, so that a sanitizer sees a byte too many. */
        char *cut = malloc(size ? size : 1);

        memcpy(cut, f.buf.data, size);
        f.memory = (struct hl_memory){.bytes = cut, .size = size};
        f.source = hl_source_of_memory(&f.memory, "x.npy");
        assert_int_equal(hl_npy_init(&f.source, &npy, &f.err), HL_BAD_FILE);
        free(cut);
    }
    hl_buf_add_char(&f.buf, 'x');
    f.memory = (struct hl_memory){.bytes = f.buf.data, .size = f.buf.len};
    f.source = hl_source_of_memory(&f.memory, "x.npy");
    assert_int_equal(hl_npy_init(&f.source, &npy, &f.err), HL_BAD_FILE);
    hl_buf_done(&f.buf);
}

/* Reads rows back from a file on disk with each of its reads refused in turn. */
static void a_refused_read_is_passed_on(void **state)
{
    char path[300];
    unsigned n_refused = 0;

    (void)state;
    snprintf(path, sizeof path, "%s/npy/f4_little_F.npy", data_folder());
    for (unsigned nth = 1;; nth++) {
        struct hl_file *file;
        struct hl_source source;
        struct hl_npy npy;
        struct hl_err err;
        float values[N_ROWS * DIM];
        char rule[40];
        enum hl_code code;

        assert_int_equal(hl_file_open(path, HL_FILE_READ, &file, &err), HL_OK);
        assert_int_equal(hl_source_of_file(file, &source, &err), HL_OK);
        snprintf(rule, sizeof rule, "file.read=%u:fail", nth);
        assert_int_equal(hl_failpoint_arm(rule, &err), HL_OK);
        code = hl_npy_init(&source, &npy, &err);
        if (code == HL_OK)
            code = hl_npy_floats(&npy, 0, N_ROWS, values, &err);
        hl_failpoint_disarm();
        hl_file_close(file);
        if (code == HL_OK)
            break;
        assert_int_equal(code, HL_IO);
        n_refused++;
    }
    assert_int_equal(n_refused, 3 + DIM); /* preamble, length, header, and each column */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(real_matrices_of_every_kind_read_alike),
        cmocka_unit_test(whole_numbers_of_every_size_read_alike),
        cmocka_unit_test(flat_and_empty_files_are_files),
        cmocka_unit_test(a_file_without_rows_may_claim_any_columns),
        cmocka_unit_test(what_cannot_be_read_is_named),
        cmocka_unit_test(what_does_not_fit_is_named_by_row_and_column),
        cmocka_unit_test(a_file_cut_or_lengthened_anywhere_is_refused),
        cmocka_unit_test(a_refused_read_is_passed_on),
    };

    return cmocka_run_group_tests_name("npy", tests, NULL, NULL);
}
