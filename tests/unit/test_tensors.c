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

enum { N_ROWS = 5, DIM = 3 };

/* A file of tests/data/tensors in memory. */
struct fixture {
    struct hl_buf buf;
    struct hl_memory memory;
    struct hl_source source;
    struct hl_tensors *tensors;
    struct hl_err err;
};

/* Of the build that started this, or where it is from the root of the tree. */
static const char *data_folder(void)
{
    const char *folder = getenv("HEIRLOOM_TEST_DATA");

    return folder ? folder : "tests/data";
}

static void load(struct fixture *f, const char *name)
{
    char path[300];

    snprintf(path, sizeof path, "%s/tensors/%s.safetensors", data_folder(), name);
    hl_buf_init(&f->buf, 1 << 20);
    assert_int_equal(hl_file_load(path, &f->buf, &f->err), HL_OK);
    f->memory = (struct hl_memory){.bytes = f->buf.data, .size = f->buf.len};
    f->source = hl_source_of_memory(&f->memory, "x");
    assert_int_equal(
        hl_tensors_new(&f->source, HL_TENSORS_MAX_HEADER, &f->tensors, &f->err), HL_OK);
}

static void unload(struct fixture *f)
{
    hl_tensors_free(f->tensors);
    hl_buf_done(&f->buf);
}

static void real_tensors_of_every_type_read_alike(void **state)
{
    static const char *const names[] = {"f16", "bf16", "f32", "f64"};
    struct fixture f;

    (void)state;
    load(&f, "all");
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        const struct hl_tensor *tensor = hl_tensors_find(f.tensors, names[i]);

        assert_int_equal(hl_tensor_n_rows(tensor), N_ROWS);
        assert_int_equal(hl_tensor_row_size(tensor), DIM);
        for (size_t first = 0; first <= N_ROWS; first++) {
            size_t n = N_ROWS - first;
            float values[N_ROWS * DIM];

            assert_int_equal(hl_tensors_floats(f.tensors, tensor, first, n, values, &f.err),
                             HL_OK);
            for (size_t k = 0; k < n * DIM; k++)
                assert_int_equal((int)(values[k] * 4.0F), (int)(first * DIM + k) - 7);
            assert_int_equal(
                hl_tensors_floats(f.tensors, tensor, first, n + 1, values, &f.err),
                HL_BAD_FILE);
        }
    }
    unload(&f);
}

static void whole_tensors_of_every_type_read_alike(void **state)
{
    static const char *const names[] = {"u8",  "i8",  "u16", "i16",
                                        "u32", "i32", "u64", "i64"};
    struct fixture f;
    int64_t values[N_ROWS];

    (void)state;
    load(&f, "all");
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        const struct hl_tensor *tensor = hl_tensors_find(f.tensors, names[i]);

        assert_int_equal(hl_tensors_i64(f.tensors, tensor, 1, N_ROWS - 1, values, &f.err),
                         HL_OK);
        for (int k = 1; k < N_ROWS; k++)
            assert_int_equal(values[k - 1], (k - (i % 2 ? 1 : 0)) * 7);
        assert_int_equal(hl_tensors_floats(f.tensors, tensor, 0, 1, (float[1]){0}, &f.err),
                         HL_BAD_FILE);
    }
    assert_int_equal(
        hl_tensors_i64(f.tensors, hl_tensors_find(f.tensors, "one"), 0, 1, values, &f.err),
        HL_OK);
    assert_int_equal(values[0], 7);
    assert_int_equal(
        hl_tensors_i64(f.tensors, hl_tensors_find(f.tensors, "f32"), 0, 1, values, &f.err),
        HL_BAD_FILE);
    unload(&f);
}

static void names_and_metadata_are_found(void **state)
{
    struct fixture f;

    (void)state;
    load(&f, "all");
    assert_int_equal(hl_tensors_count(f.tensors), 14);
    assert_string_equal(hl_tensors_at(f.tensors, 0)->name, "f64");
    assert_null(hl_tensors_find(f.tensors, "missing"));
    assert_int_equal(hl_tensor_n_rows(hl_tensors_find(f.tensors, "none")), 0);
    assert_int_equal(hl_tensors_n_metadata(f.tensors), 2);
    assert_string_equal(hl_tensors_metadata(f.tensors, "classes"),
                        "[\"caf\xc3\xa9\",\"b\"]");
    assert_string_equal(hl_tensors_metadata_at(f.tensors, 1)->value, "numpy");
    assert_null(hl_tensors_metadata(f.tensors, "missing"));
    unload(&f);
}

/* What becomes of a file of that header and `n_bytes` behind it. */
static enum hl_code code_of(const char *header, size_t n_bytes, struct hl_err *err)
{
    size_t len = strlen(header);
    char *bytes = calloc(1, 8 + len + n_bytes);
    struct hl_memory memory = {.bytes = bytes, .size = 8 + len + n_bytes};
    struct hl_source source = hl_source_of_memory(&memory, "x");
    struct hl_tensors *tensors = NULL;
    enum hl_code code;

    for (size_t i = 0; i < 8; i++)
        bytes[i] = (char)(len >> (8 * i) & 0xff);
    for (size_t i = 0; i < len; i++)
        bytes[8 + i] = header[i];
    code = hl_tensors_new(&source, 4096, &tensors, err);
    assert_true((code == HL_OK) == (tensors != NULL));
    hl_tensors_free(tensors);
    free(bytes);
    return code;
}

#define T(name, shape, offsets)                                                            \
    "\"" name "\":{\"dtype\":\"F32\",\"shape\":" shape ",\"data_offsets\":" offsets "}"

static void headers_that_agree_with_their_bytes_are_read(void **state)
{
    static const struct {
        const char *header;
        size_t n_bytes;
    } rows[] = {
        {"{}", 0},
        {"{}      ", 0},
        {"{\"__metadata__\":{}}", 0},
        {"{" T("a", "[2]", "[0,8]") "}", 8},
        {"{" T("b", "[1]", "[8,12]") "," T("a", "[2]", "[0,8]") "}", 12},
        {"{" T("a", "[]", "[0,4]") "}", 4},
        {"{" T("a", "[0]", "[0,0]") "," T("b", "[1]", "[0,4]") "," T("c", "[0,9]",
                                                                     "[4,4]") "}",
         4},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct hl_err err;

        assert_int_equal(code_of(rows[i].header, rows[i].n_bytes, &err), HL_OK);
    }
}

static const struct {
    const char *header;
    size_t n_bytes;
    const char *msg;
} lies[] = {
    {"", 0, "byte 0 of the header is not \"{\""},
    {" {}", 0, "byte 0 of the header is not \"{\""},
    {"{}", 1, "the tensors need 0 bytes, the file has 1"},
    {"{" T("a", "[2]", "[0,8]") "}", 7, "the tensors need 8 bytes, the file has 7"},
    {"{" T("a", "[2]", "[0,8]") "}", 9, "the tensors need 8 bytes, the file has 9"},
    {"{" T("a", "[2]", "[4,12]") "}", 12,
     "tensor \"a\" begins at byte 4, 0 was wanted: the one before ends there"},
    {"{" T("a", "[2]", "[0,8]") "," T("b", "[2]", "[4,12]") "}", 12,
     "tensor \"b\" begins at byte 4, 8 was wanted: the one before ends there"},
    {"{" T("a", "[2]", "[0,8]") "," T("b", "[2]", "[0,8]") "}", 8,
     "tensor \"b\" begins at byte 0, 8 was wanted: the one before ends there"},
    {"{" T("a", "[1]", "[0,4]") "," T("b", "[1]", "[8,12]") "}", 12,
     "tensor \"b\" begins at byte 8, 4 was wanted: the one before ends there"},
    {"{" T("a", "[2]", "[0,4]") "}", 4,
     "tensor \"a\": its shape needs 8 bytes, its offsets hold 4"},
    {"{" T("a", "[2]", "[8,0]") "}", 8,
     "tensor \"a\": its data_offsets are not [begin,end]"},
    {"{" T("a", "[2]", "[0]") "}", 8, "tensor \"a\": its data_offsets are not [begin,end]"},
    {"{" T("a", "[4294967296,4294967296]", "[0,0]") "}", 0,
     "tensor \"a\": its shape is larger than any file"},
    {"{" T("a", "[0,4294967296,4294967296]", "[0,0]") "}", 0,
     "tensor \"a\": its shape is larger than any file"},
    {"{" T("a", "[1]", "[0,4]") "," T("a", "[1]", "[4,8]") "}", 8,
     "tensor \"a\" comes twice"},
    {"{\"__metadata__\":{\"k\":\"1\",\"k\":\"2\"}}", 0, "metadata \"k\" comes twice"},
    {"{\"__metadata__\":{},\"__metadata__\":{}}", 0, "\"__metadata__\" comes twice"},
    {"{\"__metadata__\":{\"k\":1}}", 0, "byte 21 of the header is not a text"},
    {"{\"__metadata__\":{\"k\":\"\\u0000\"}}", 0,
     "byte 21 of the header has a text with \\u0000"},
    {"{\"a\":{\"dtype\":\"F32\",\"shape\":[1]}}", 4,
     "tensor \"a\": it has no data_offsets"},
    {"{\"a\":{\"shape\":[1],\"data_offsets\":[0,4]}}", 4, "tensor \"a\": it has no dtype"},
    {"{\"a\":{\"dtype\":\"F32\",\"dtype\":\"F32\"}}", 4,
     "tensor \"a\": byte 20 of the header is a key that came before"},
    {"{\"a\":{\"dtypo\":\"F32\"}}", 4,
     "tensor \"a\": byte 6 of the header is an unknown key"},
    {"{\"a\":{\"dtype\":\"BOOL\"}}", 4,
     "tensor \"a\": cannot read numbers of type \"BOOL\""},
    {"{" T("a", "[-1]", "[0,4]") "}", 4,
     "tensor \"a\": byte 29 of the header is not a size"},
    {"{" T("a", "[1.0]", "[0,4]") "}", 4,
     "tensor \"a\": byte 29 of the header is not a size"},
    {"{" T("a", "[1,1,1,1,1,1,1,1,1]", "[0,4]") "}", 4,
     "tensor \"a\": byte 45 of the header goes on behind 8 sizes"},
    {"{\"a\":[]}", 0, "tensor \"a\": byte 5 of the header is not a tensor"},
};

static void headers_that_lie_are_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof lies / sizeof *lies; i++) {
        struct hl_err err;

        assert_int_equal(code_of(lies[i].header, lies[i].n_bytes, &err), HL_BAD_FILE);
        assert_memory_equal(err.msg, "\"x\": ", 5);
        assert_string_equal(err.msg + 5, lies[i].msg);
    }
}

static void a_header_beyond_the_limit_is_not_read(void **state)
{
    static const unsigned char bytes[16] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
    struct hl_memory memory = {.bytes = bytes, .size = sizeof bytes};
    struct hl_source source = hl_source_of_memory(&memory, "x");
    struct hl_tensors *tensors;
    struct hl_err err;
    char *text = malloc(5000);

    (void)state;
    assert_int_equal(hl_tensors_new(&source, SIZE_MAX, &tensors, &err), HL_BAD_FILE);
    assert_int_equal(hl_tensors_new(&source, 10, &tensors, &err), HL_BAD_FILE);
    memset(text, ' ', 5000);
    memcpy(text, "{}", 2);
    text[4096] = '\0';
    assert_int_equal(code_of(text, 0, &err), HL_OK);
    text[4096] = ' ';
    text[4097] = '\0';
    assert_int_equal(code_of(text, 0, &err), HL_BAD_FILE);
    free(text);
}

static void a_file_cut_anywhere_is_refused(void **state)
{
    struct fixture f;

    (void)state;
    load(&f, "small");
    for (size_t size = 0; size < f.buf.len; size++) {
        char *cut = malloc(size ? size : 1);
        struct hl_memory memory = {.bytes = cut, .size = size};
        struct hl_source source = hl_source_of_memory(&memory, "x");
        struct hl_tensors *tensors;

        memcpy(cut, f.buf.data, size);
        assert_int_equal(hl_tensors_new(&source, 4096, &tensors, &f.err), HL_BAD_FILE);
        free(cut);
    }
    unload(&f);
}

static void a_refusal_at_any_step_is_passed_on_and_leaks_nothing(void **state)
{
    static const struct {
        const char *place;
        enum hl_code code;
    } rows[] = {{"alloc", HL_NO_MEMORY}, {"file.read", HL_IO}};
    char path[300];

    (void)state;
    snprintf(path, sizeof path, "%s/tensors/all.safetensors", data_folder());
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        enum hl_code code = HL_IO;

        for (unsigned nth = 1; code != HL_OK; nth++) {
            struct hl_tensors *tensors = NULL;
            struct hl_source source;
            struct hl_file *file;
            struct hl_err err;
            char rule[40];
            float values[N_ROWS * DIM];

            assert_int_equal(hl_file_open(path, HL_FILE_READ, &file, &err), HL_OK);
            assert_int_equal(hl_source_of_file(file, &source, &err), HL_OK);
            snprintf(rule, sizeof rule, "%s=%u:fail", rows[i].place, nth);
            assert_int_equal(hl_failpoint_arm(rule, &err), HL_OK);
            code = hl_tensors_new(&source, 4096, &tensors, &err);
            if (code == HL_OK)
                code = hl_tensors_floats(tensors, hl_tensors_find(tensors, "f16"), 0,
                                         N_ROWS, values, &err);
            hl_failpoint_disarm();
            assert_true(code == rows[i].code || (code == HL_OK && nth > 2));
            hl_tensors_free(tensors);
            hl_file_close(file);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(real_tensors_of_every_type_read_alike),
        cmocka_unit_test(whole_tensors_of_every_type_read_alike),
        cmocka_unit_test(names_and_metadata_are_found),
        cmocka_unit_test(headers_that_agree_with_their_bytes_are_read),
        cmocka_unit_test(headers_that_lie_are_refused),
        cmocka_unit_test(a_header_beyond_the_limit_is_not_read),
        cmocka_unit_test(a_file_cut_anywhere_is_refused),
        cmocka_unit_test(a_refusal_at_any_step_is_passed_on_and_leaks_nothing),
    };

    return cmocka_run_group_tests_name("tensors", tests, NULL, NULL);
}
