/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "proto/fail.h"
#include "proto/tensors.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { N = 3000 }; /* more than a chunk */

static char folder[] = "/tmp/heirloom_tensors_XXXXXX";
static float reals[N];
static int64_t wholes[N];

static int enter_folder(void **state)
{
    (void)state;
    for (int i = 0; i < N; i++) {
        reals[i] = (float)(i % 128) / 8.0F - 8.0F; /* exact in bfloat16 too */
        wholes[i] = i % 100;
    }
    memset(folder + strlen(folder) - 6, 'X', 6);
    return mkdtemp(folder) && chdir(folder) == 0 ? 0 : -1;
}

static int leave_folder(void **state)
{
    (void)state;
    hl_failpoint_disarm();
    (void)unlink("f");
    return chdir("/") == 0 ? rmdir(folder) : -1;
}

/* One tensor of every type, empty ones between. */
static enum hl_code write_all(size_t step, struct hl_err *err)
{
    static const struct hl_metadata metadata[] = {{"classes", "[\"caf\xc3\xa9\"]"},
                                                  {"", "\n"}};
    struct hl_tensor tensors[HL_N_DTYPES + 1] = {
        {.name = "none", .type = HL_DTYPE_F32, .n_dims = 2, .shape = {0, 4}}};
    struct hl_tensors_plan plan = {tensors, HL_N_DTYPES + 1, metadata, 2};
    struct hl_tensors_writer *writer;
    enum hl_code code;

    for (int type = 0; type < HL_N_DTYPES; type++)
        tensors[type + 1] = (struct hl_tensor){.name = hl_dtype_name((enum hl_dtype)type),
                                               .type = (enum hl_dtype)type,
                                               .n_dims = 2,
                                               .shape = {N / 3, 3}};
    code = hl_tensors_writer_open("f", &plan, &writer, err);
    if (code != HL_OK)
        return code;
    for (int type = 0; type < HL_N_DTYPES && code == HL_OK; type++) {
        for (size_t at = 0; at < N && code == HL_OK; at += step) {
            size_t n = N - at < step ? N - at : step;

            code = hl_dtype_is_real((enum hl_dtype)type)
                       ? hl_tensors_writer_add_floats(writer, reals + at, n, err)
                       : hl_tensors_writer_add_i64(writer, wholes + at, n, err);
        }
    }
    if (code == HL_OK)
        return hl_tensors_writer_commit(writer, err);
    hl_tensors_writer_abandon(writer);
    return code;
}

static void check_tensor(const struct hl_tensors *tensors, const struct hl_tensor *tensor)
{
    struct hl_err err;
    float read_reals[N];
    int64_t read_wholes[N];

    if (hl_dtype_is_real(tensor->type)) {
        assert_int_equal(hl_tensors_floats(tensors, tensor, 0, N / 3, read_reals, &err),
                         HL_OK);
        assert_memory_equal(read_reals, reals, sizeof reals);
    } else {
        assert_int_equal(hl_tensors_i64(tensors, tensor, 0, N / 3, read_wholes, &err),
                         HL_OK);
        assert_memory_equal(read_wholes, wholes, sizeof wholes);
    }
}

static void check_all(void)
{
    struct hl_tensors *tensors;
    struct hl_source source;
    struct hl_file *file;
    struct hl_err err;

    assert_int_equal(hl_file_open("f", HL_FILE_READ, &file, &err), HL_OK);
    assert_int_equal(hl_source_of_file(file, &source, &err), HL_OK);
    assert_int_equal(hl_tensors_new(&source, 1 << 16, &tensors, &err), HL_OK);
    assert_int_equal(hl_tensors_count(tensors), HL_N_DTYPES + 1);
    for (size_t i = 1; i <= HL_N_DTYPES; i++)
        check_tensor(tensors, hl_tensors_at(tensors, i));
    assert_string_equal(hl_tensors_metadata(tensors, "classes"), "[\"caf\xc3\xa9\"]");
    assert_string_equal(hl_tensors_metadata(tensors, ""), "\n");
    hl_tensors_free(tensors);
    hl_file_close(file);
}

static void what_is_written_in_any_pieces_is_read_again(void **state)
{
    struct hl_err err;

    (void)state;
    for (size_t step = 1; step <= N; step *= 5) {
        assert_int_equal(write_all(step, &err), HL_OK);
        check_all();
    }
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

            (void)unlink("f");
            snprintf(rule, sizeof rule, "%s=%u:fail", places[i], nth);
            assert_int_equal(hl_failpoint_arm(rule, &err), HL_OK);
            code = write_all(N, &err);
            hl_failpoint_disarm();
            assert_true(code != HL_OK || nth > 1);
            assert_int_equal(access("f.new", F_OK), -1);
            if (access("f", F_OK) == 0) /* by then all of it was synced */
                check_all();
        }
    }
}

/* A file of one tensor of two numbers. */
static struct hl_tensors_writer *open_pair(enum hl_dtype type)
{
    struct hl_tensor tensor = {.name = "t", .type = type, .n_dims = 1, .shape = {2}};
    struct hl_tensors_plan plan = {.tensors = &tensor, .n_tensors = 1};
    struct hl_tensors_writer *writer;
    struct hl_err err;

    assert_int_equal(hl_tensors_writer_open("f", &plan, &writer, &err), HL_OK);
    return writer;
}

static void numbers_out_of_range_make_no_file(void **state)
{
    static const struct {
        int64_t value;
        enum hl_dtype type;
        enum hl_code code;
    } rows[] = {
        {127, HL_DTYPE_I8, HL_OK},
        {128, HL_DTYPE_I8, HL_INVALID},
        {-128, HL_DTYPE_I8, HL_OK},
        {-129, HL_DTYPE_I8, HL_INVALID},
        {255, HL_DTYPE_U8, HL_OK},
        {256, HL_DTYPE_U8, HL_INVALID},
        {-1, HL_DTYPE_U8, HL_INVALID},
        {-1, HL_DTYPE_U64, HL_INVALID},
        {INT32_MAX, HL_DTYPE_I32, HL_OK},
        {(int64_t)INT32_MAX + 1, HL_DTYPE_I32, HL_INVALID},
        {INT64_MIN, HL_DTYPE_I64, HL_OK},
        {INT64_MAX, HL_DTYPE_U64, HL_OK},
        {UINT32_MAX, HL_DTYPE_U32, HL_OK},
        {(int64_t)1 << 32, HL_DTYPE_U32, HL_INVALID},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct hl_tensors_writer *writer = open_pair(rows[i].type);
        struct hl_err err;

        (void)unlink("f");
        assert_int_equal(
            hl_tensors_writer_add_i64(writer, (int64_t[2]){0, rows[i].value}, 2, &err),
            rows[i].code);
        assert_int_equal(hl_tensors_writer_commit(writer, &err), rows[i].code);
        assert_int_equal(access("f", F_OK) == 0, rows[i].code == HL_OK);
    }
}

static void too_few_too_many_or_the_wrong_kind_make_no_file(void **state)
{
    struct hl_tensors_writer *writer = open_pair(HL_DTYPE_F32);
    struct hl_err err;

    (void)state;
    assert_int_equal(hl_tensors_writer_add_i64(writer, wholes, 1, &err), HL_INVALID);
    assert_int_equal(hl_tensors_writer_add_floats(writer, reals, 1, &err), HL_OK);
    assert_int_equal(hl_tensors_writer_commit(writer, &err), HL_INVALID);
    writer = open_pair(HL_DTYPE_F32);
    assert_int_equal(hl_tensors_writer_add_floats(writer, reals, 3, &err), HL_INVALID);
    hl_tensors_writer_abandon(writer);
    assert_int_equal(access("f", F_OK), -1);
    hl_tensors_writer_abandon(NULL);
}

static void plans_that_no_reader_would_take_are_refused(void **state)
{
    static const struct hl_tensor twice[] = {{.name = "a", .n_dims = 1},
                                             {.name = "a", .n_dims = 1}};
    static const struct hl_tensor meta = {.name = "__metadata__", .n_dims = 1};
    static const struct hl_tensor bad = {.name = "\xff", .n_dims = 1};
    static const struct hl_tensor huge = {
        .name = "a", .n_dims = 2, .shape = {1ULL << 40, 1ULL << 40}};
    static const struct hl_metadata same[] = {{"k", "1"}, {"k", "2"}};
    static const struct hl_metadata raw = {"k", "\xff"};
    static const struct hl_tensors_plan plans[] = {
        {twice, 2, NULL, 0}, {&meta, 1, NULL, 0}, {&bad, 1, NULL, 0},
        {&huge, 1, NULL, 0}, {NULL, 0, same, 2},  {NULL, 0, &raw, 1},
    };

    (void)state;
    for (size_t i = 0; i < sizeof plans / sizeof *plans; i++) {
        struct hl_tensors_writer *writer;
        struct hl_err err;

        assert_int_equal(hl_tensors_writer_open("f", &plans[i], &writer, &err), HL_INVALID);
        assert_int_equal(access("f.new", F_OK), -1);
    }
}

static enum hl_code write_into(struct hl_buf *buf, struct hl_err *err)
{
    struct hl_tensor tensor = {
        .name = "t", .type = HL_DTYPE_F32, .n_dims = 1, .shape = {N}};
    struct hl_tensors_plan plan = {.tensors = &tensor, .n_tensors = 1};
    struct hl_tensors_writer *writer;
    enum hl_code code = hl_tensors_writer_open_memory(buf, &plan, &writer, err);

    if (code != HL_OK)
        return code;
    code = hl_tensors_writer_add_floats(writer, reals, N, err);
    if (code == HL_OK)
        return hl_tensors_writer_commit(writer, err);
    hl_tensors_writer_abandon(writer);
    return code;
}

static void what_is_written_into_memory_is_read_from_there(void **state)
{
    struct hl_buf buf;
    struct hl_memory memory;
    struct hl_source source;
    struct hl_tensors *tensors;
    float read[N];
    struct hl_err err;

    (void)state;
    hl_buf_init(&buf, 1 << 20);
    hl_buf_add_text(&buf, "12345678"); /* what a caller has put in front */
    assert_int_equal(write_into(&buf, &err), HL_OK);
    memory = (struct hl_memory){buf.data + 8, buf.len - 8};
    source = hl_source_of_memory(&memory, "f");
    assert_int_equal(hl_tensors_new(&source, 1 << 16, &tensors, &err), HL_OK);
    assert_int_equal(
        hl_tensors_floats(tensors, hl_tensors_find(tensors, "t"), 0, N, read, &err), HL_OK);
    assert_memory_equal(read, reals, sizeof reals);
    hl_tensors_free(tensors);
    hl_buf_done(&buf);
}

static void memory_that_is_too_small_says_so(void **state)
{
    struct hl_buf buf;
    struct hl_err err;

    (void)state;
    for (size_t ceiling = 8; ceiling < 4 * (size_t)N; ceiling *= 2) {
        hl_buf_init(&buf, ceiling);
        assert_int_equal(write_into(&buf, &err), HL_TOO_LARGE);
        hl_buf_done(&buf);
    }
}

#define IN_FOLDER(test) cmocka_unit_test_setup_teardown(test, enter_folder, leave_folder)

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_FOLDER(what_is_written_in_any_pieces_is_read_again),
        IN_FOLDER(a_refusal_at_any_step_makes_no_file_and_leaks_nothing),
        IN_FOLDER(numbers_out_of_range_make_no_file),
        IN_FOLDER(too_few_too_many_or_the_wrong_kind_make_no_file),
        IN_FOLDER(what_is_written_into_memory_is_read_from_there),
        IN_FOLDER(memory_that_is_too_small_says_so),
        IN_FOLDER(plans_that_no_reader_would_take_are_refused),
    };

    return cmocka_run_group_tests_name("tensors_writer", tests, NULL, NULL);
}
