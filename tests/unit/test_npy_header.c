/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "proto/npy_header.h"

#include <stdio.h>
#include <string.h>

static enum hl_code parse(const char *text, struct hl_npy *npy, struct hl_err *err)
{
    *npy = (struct hl_npy){0};
    return hl_npy_header_parse(text, strlen(text), npy, err);
}

static void a_header_is_read_however_it_is_laid_out(void **state)
{
    static const char *const texts[] = {
        "{'descr': '<f4', 'fortran_order': False, 'shape': (5, 3), }\n",
        "{'descr':'<f4','fortran_order':False,'shape':(5,3)}\n",
        "{\"shape\" : ( 5 , 3 , ) , \"fortran_order\" : False , \"descr\" : \"<f4\" }   \n",
        "{'descr': '=f4', 'fortran_order': False, 'shape': (5,3),}\n",
    };

    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        struct hl_npy npy;
        struct hl_err err;

        assert_int_equal(parse(texts[i], &npy, &err), HL_OK);
        assert_int_equal(npy.numbers.type, HL_DTYPE_F32);
        assert_false(npy.numbers.is_big_endian || npy.is_fortran || npy.is_flat);
        assert_int_equal(npy.n_rows, 5);
        assert_int_equal(npy.dim, 3);
    }
}

#define ORDER ", 'fortran_order': False"
#define SHAPE ", 'shape': (5, 3)"

static void whatever_else_it_says_is_refused_with_its_place(void **state)
{
    static const struct {
        const char *text, *msg;
    } rows[] = {
        {"", "byte 0 of the header is not \"{\""},
        {"{'descr': '<f4'" ORDER SHAPE "}",
         "byte 57 of the header is not the end of the only line"},
        {"{'descr': '<f4'" ORDER SHAPE "}\nx",
         "byte 58 of the header is not the end of the only line"},
        {"{'descr': '<f4'" ORDER SHAPE "} x\n",
         "byte 58 of the header is not the end of the only line"},
        {"{'descr': '<f4'" ORDER "}\n", "the header has no \"shape\""},
        {"{'descr': '<f4'" SHAPE "}\n", "the header has no \"fortran_order\""},
        {"{}\n", "the header has no \"descr\""},
        {"{'descr': '<f4', 'descr': '<f4'" ORDER SHAPE "}\n",
         "the header says \"descr\" twice"},
        {"{'descr': '<f4'" ORDER SHAPE ", 'x': 1}\n",
         "byte 58 of the header is not \"descr\", \"fortran_order\" or \"shape\""},
        {"{'descr': '<f4' 'x': 1}\n", "byte 16 of the header is not \"}\""},
        {"{'descr' '<f4'}\n", "byte 9 of the header is not \":\""},
        {"{'de\\x73cr': '<f4'}\n", "byte 4 of the header is not a plain character"},
        {"{'descr", "byte 7 of the header is not the end of a quoted text"},
        {"{'fortran_order': 1}\n", "byte 18 of the header is not True or False"},
        {"{'shape': [5, 3]}\n", "byte 10 of the header is not \"(\""},
        {"{'shape': (5)}\n", "byte 13 of the header is not behind a tuple"},
        {"{'shape': (5 3)}\n", "byte 13 of the header is not \")\""},
        {"{'shape': (-5, 3)}\n", "byte 11 of the header is not a size"},
        {"{'shape': (05, 3)}\n", "byte 11 of the header is not a size"},
        {"{'shape': (,)}\n", "byte 11 of the header is not a size"},
        {"{'shape': (18446744073709551616,)}\n",
         "byte 30 of the header is not part of a 64-bit size"},
        {"{'shape': (5, 0)}\n", "cannot read rows of 0 numbers"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct hl_npy npy;
        struct hl_err err;

        assert_int_equal(parse(rows[i].text, &npy, &err), HL_BAD_FILE);
        assert_string_equal(err.msg, rows[i].msg);
    }
}

static void a_byte_order_belongs_to_what_has_bytes_to_order(void **state)
{
    static const struct {
        const char *descr;
        enum hl_code code;
        bool is_big;
    } rows[] = {
        {"<i2", HL_OK, false},       {">i2", HL_OK, true},
        {"=i2", HL_OK, false},       {"|i1", HL_OK, false},
        {"|u1", HL_OK, false},       {"<u1", HL_OK, false},
        {"|i2", HL_BAD_FILE, false}, {"|f4", HL_BAD_FILE, false},
        {"f4", HL_BAD_FILE, false},  {"<f1", HL_BAD_FILE, false},
        {"|O", HL_BAD_FILE, false},  {"<f16", HL_BAD_FILE, false},
        {"<U3", HL_BAD_FILE, false}, {"<f4 ", HL_BAD_FILE, false},
        {"", HL_BAD_FILE, false},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char text[100];
        struct hl_npy npy;
        struct hl_err err;

        snprintf(text, sizeof text, "{'descr': '%s'" ORDER SHAPE "}\n", rows[i].descr);
        assert_int_equal(parse(text, &npy, &err), rows[i].code);
        if (rows[i].code == HL_OK)
            assert_int_equal(npy.numbers.is_big_endian, rows[i].is_big);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_header_is_read_however_it_is_laid_out),
        cmocka_unit_test(whatever_else_it_says_is_refused_with_its_place),
        cmocka_unit_test(a_byte_order_belongs_to_what_has_bytes_to_order),
    };

    return cmocka_run_group_tests_name("npy_header", tests, NULL, NULL);
}
