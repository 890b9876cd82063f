/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "proto/fail.h"
#include "proto/npy.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char folder[] = "/tmp/heirloom_npy_XXXXXX";

static int enter_folder(void **state)
{
    (void)state;
    memset(folder + strlen(folder) - 6, 'X', 6);
    return mkdtemp(folder) && chdir(folder) == 0 ? 0 : -1;
}

static int leave_folder(void **state)
{
    (void)state;
    hl_failpoint_disarm();
    (void)unlink("f.npy");
    return chdir("/") == 0 ? rmdir(folder) : -1;
}

static uint32_t bits_of(float value)
{
    uint32_t bits;

    memcpy(&bits, &value, sizeof bits);
    return bits;
}

/* Exact in half precision too. */
static float value_of(size_t i)
{
    return (float)(i % 2000) / 8.0F - 100.0F;
}

static enum hl_code write_file(enum hl_dtype type, size_t n_rows, size_t dim,
                               struct hl_err *err)
{
    struct hl_npy_writer *writer;
    float *row = malloc(dim * sizeof *row);
    enum hl_code code = hl_npy_writer_open("f.npy", type, n_rows, dim, &writer, err);

    if (code != HL_OK) {
        free(row);
        return code;
    }
    for (size_t i = 0; i < n_rows && code == HL_OK; i++) {
        for (size_t k = 0; k < dim; k++)
            row[k] = value_of(i * dim + k);
        code = hl_npy_writer_add(writer, row, 1, err);
    }
    free(row);
    if (code == HL_OK)
        return hl_npy_writer_commit(writer, err);
    hl_npy_writer_abandon(writer);
    return code;
}

static void check_file(enum hl_dtype type, size_t n_rows, size_t dim)
{
    struct hl_file *file;
    struct hl_source source;
    struct hl_npy npy;
    struct hl_err err;
    float *values = malloc((n_rows * dim + 1) * sizeof *values);

    assert_int_equal(hl_file_open("f.npy", HL_FILE_READ, &file, &err), HL_OK);
    assert_int_equal(hl_source_of_file(file, &source, &err), HL_OK);
    assert_int_equal(hl_npy_init(&source, &npy, &err), HL_OK);
    assert_int_equal(npy.numbers.type, type);
    assert_int_equal(npy.numbers.start % 64, 0);
    assert_int_equal(npy.n_rows, n_rows);
    assert_int_equal(npy.dim, dim);
    assert_int_equal(hl_npy_floats(&npy, 0, n_rows, values, &err), HL_OK);
    for (size_t i = 0; i < n_rows * dim; i++)
        assert_int_equal(bits_of(values[i]), bits_of(value_of(i)));
    hl_file_close(file);
    free(values);
}

static void what_is_written_is_read_again(void **state)
{
    static const struct {
        size_t n_rows, dim;
    } rows[] = {{0, 3}, {1, 1}, {5, 3}, {3, 5000}, {1000, 17}};
    struct hl_err err;

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        assert_int_equal(write_file(HL_DTYPE_F32, rows[i].n_rows, rows[i].dim, &err),
                         HL_OK);
        check_file(HL_DTYPE_F32, rows[i].n_rows, rows[i].dim);
        assert_int_equal(write_file(HL_DTYPE_F16, rows[i].n_rows, rows[i].dim, &err),
                         HL_OK);
        check_file(HL_DTYPE_F16, rows[i].n_rows, rows[i].dim);
    }
}

static void another_number_of_rows_than_was_said_makes_no_file(void **state)
{
    struct hl_npy_writer *writer;
    struct hl_err err;

    (void)state;
    assert_int_equal(hl_npy_writer_open("f.npy", HL_DTYPE_F32, 2, 1, &writer, &err), HL_OK);
    assert_int_equal(hl_npy_writer_add(writer, (const float[3]){1}, 3, &err), HL_INVALID);
    assert_int_equal(hl_npy_writer_add(writer, (const float[1]){1}, 1, &err), HL_OK);
    assert_int_equal(hl_npy_writer_commit(writer, &err), HL_INVALID);
    assert_int_equal(access("f.npy", F_OK), -1);
    assert_int_equal(hl_npy_writer_open("f.npy", HL_DTYPE_F32, 2, 0, &writer, &err),
                     HL_INVALID);
    hl_npy_writer_abandon(NULL);
}

static void a_value_beyond_half_precision_is_named_and_makes_no_file(void **state)
{
    static const float rows[] = {1, 2, 3, 70000};
    struct hl_npy_writer *writer;
    struct hl_err err;

    (void)state;
    assert_int_equal(hl_npy_writer_open("f.npy", HL_DTYPE_F16, 2, 2, &writer, &err), HL_OK);
    assert_int_equal(hl_npy_writer_add(writer, rows, 2, &err), HL_INVALID);
    assert_string_equal(err.msg, "row 1, column 1 is too large for F16");
    assert_int_equal(hl_npy_writer_add(writer, rows, 1, &err), HL_INVALID);
    assert_int_equal(hl_npy_writer_commit(writer, &err), HL_INVALID);
    assert_int_equal(access("f.npy", F_OK), -1);
}

static void a_refusal_at_any_step_makes_no_file_and_leaks_nothing(void **state)
{
    static const char *const places[] = {"alloc", "file.open", "file.write", "file.sync",
                                         "file.rename"};

    (void)state;
    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        enum hl_code code = HL_IO;

        for (unsigned nth = 1; code != HL_OK; nth++) {
            char rule[40];
            struct hl_err err;

            (void)unlink("f.npy");
            snprintf(rule, sizeof rule, "%s=%u:fail", places[i], nth);
            assert_int_equal(hl_failpoint_arm(rule, &err), HL_OK);
            code = write_file(HL_DTYPE_F16, 5, 3, &err);
            hl_failpoint_disarm();
            assert_true(code != HL_OK || nth > 1);
            assert_int_equal(access("f.npy.new", F_OK), -1);
            if (access("f.npy", F_OK) == 0) /* by then all of it was synced */
                check_file(HL_DTYPE_F16, 5, 3);
        }
    }
}

#define IN_FOLDER(test) cmocka_unit_test_setup_teardown(test, enter_folder, leave_folder)

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_FOLDER(what_is_written_is_read_again),
        IN_FOLDER(another_number_of_rows_than_was_said_makes_no_file),
        IN_FOLDER(a_value_beyond_half_precision_is_named_and_makes_no_file),
        IN_FOLDER(a_refusal_at_any_step_makes_no_file_and_leaks_nothing),
    };

    return cmocka_run_group_tests_name("npy_writer", tests, NULL, NULL);
}
