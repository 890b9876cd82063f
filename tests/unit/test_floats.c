/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "proto/alloc.h"
#include "proto/fail.h"
#include "proto/floats.h"
#include "tests/support/decimals.h"

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ROOM = 8, MANY = 100000 };

struct fixture {
    struct hl_arena *arena;
    struct hl_tokens tokens;
    struct hl_field root;
    struct hl_err err;
    float values[ROOM];
    size_t n;
};

static int start(void **state)
{
    struct fixture *f = hl_alloc_zeroed(1, sizeof *f);

    f->arena = hl_arena_new(4 << 20);
    *state = f;
    return 0;
}

static int stop(void **state)
{
    struct fixture *f = *state;

    hl_failpoint_disarm();
    hl_arena_free(f->arena);
    hl_free(f);
    return 0;
}

static enum hl_code fill(struct fixture *f, const char *text)
{
    f->n = 99;
    hl_tokens_init(&f->tokens, text, strlen(text), f->arena);
    f->root = hl_field_root(&f->tokens);
    return hl_floats_fill(&f->root, f->values, ROOM, &f->n, &f->err);
}

static void assert_refused(struct fixture *f, const char *text, enum hl_code code,
                           const char *sentence)
{
    assert_int_equal(fill(f, text), code);
    assert_string_equal(f->err.msg, sentence);
    assert_int_equal(f->n, 99);
}

static void an_array_is_read_in_order(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(fill(f, " [ 1,-2.5 , 3e2,\n0.1\t,-0 , 1234567.5] "), HL_OK);
    assert_int_equal(f->n, 6);
    assert_true(f->values[0] == 1.0F && f->values[1] == -2.5F && f->values[2] == 300.0F);
    assert_true(f->values[3] == 0.1F && f->values[4] == 0 && signbit(f->values[4]));
    assert_true(f->values[5] == 1234567.5F);
    assert_int_equal(hl_tokens_finish(&f->tokens, &f->err), HL_OK);
    assert_int_equal(fill(f, "[]"), HL_OK);
    assert_int_equal(f->n, 0);
    assert_int_equal(fill(f, "[ ]"), HL_OK);
    assert_int_equal(fill(f, "[7]"), HL_OK);
    assert_int_equal(f->n, 1);
}

static void what_is_beyond_the_room_is_counted_and_checked(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(fill(f, "[0,1,2,3,4,5,6,7,8,9]"), HL_OK);
    assert_int_equal(f->n, 10);
    assert_true(f->values[7] == 7.0F);
    assert_int_equal(fill(f, "[0,1,2,3,4,5,6,7,8,\"x\"]"), HL_MALFORMED);
}

static void an_item_of_another_type_is_named_by_its_place(void **state)
{
    struct fixture *f = *state;

    assert_refused(f, "[1,2,\"x\"]", HL_MALFORMED,
                   "Format error in JSON body: [2]: expected a number, got \"x\"");
    assert_refused(f, "[null]", HL_MALFORMED,
                   "Format error in JSON body: [0]: expected a number, got null");
    assert_refused(f, "[1,[2]]", HL_MALFORMED,
                   "Format error in JSON body: [1]: expected a number, got an array");
    assert_refused(
        f, "{}", HL_MALFORMED,
        "Format error in JSON body: expected an array of numbers, got an object");
}

static void a_number_too_large_for_a_float_is_invalid(void **state)
{
    struct fixture *f = *state;

    assert_refused(
        f, "[0,3.4028236e38]", HL_INVALID,
        "Validation error in JSON body: [[1]: value 3.4028236e38 invalid, must be "
        "within the range of a 32-bit float]");
    assert_int_equal(fill(f, "[1e999]"), HL_INVALID);
    assert_int_equal(fill(f, "[-1e40]"), HL_INVALID);
    assert_int_equal(fill(f, "[3.4028235677973367e38]"), HL_INVALID);
    assert_int_equal(fill(f, "[3.4028235677973366e38]"), HL_OK);
}

static void the_grammar_is_as_strict_as_everywhere(void **state)
{
    static const char *const wrong[] = {
        "[01]",    "[-]",    "[1.]",  "[.5]",   "[1.e5]", "[1e]",   "[1e+]",
        "[+1]",    "[1,]",   "[,1]",  "[1 2]",  "[1",     "[1,",    "[",
        "[1}",     "[00.5]", "[-01]", "[1,,2]", "[0x1]",  "[1 ,2 ", "[NaN]",
        "[1e5.5]", "[1..5]", "[-.5]", "[1]]",   "[1],",
    };
    struct fixture *f = *state;

    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        enum hl_code code = fill(f, wrong[i]);

        if (code == HL_OK)
            code = hl_tokens_finish(&f->tokens, &f->err);
        if (code != HL_MALFORMED)
            fail_msg("%s is accepted", wrong[i]);
    }
}

static void a_fault_is_reported_where_it_stands(void **state)
{
    struct fixture *f = *state;

    assert_refused(
        f, "[1,\n 2 3]", HL_MALFORMED,
        "Format error in JSON body: expected \",\" or \"]\", got \"3\" at line 2 "
        "column 4 (byte 7)");
    assert_refused(
        f, "[0.5,]", HL_MALFORMED,
        "Format error in JSON body: expected a value, got \"]\" at line 1 column 6 "
        "(byte 5)");
}

static void random_decimals_are_what_strtof_makes_of_them(void **state)
{
    uint64_t seed = 20240611;
    char text[DECIMAL_ROOM];

    (void)state;
    for (int i = 0; i < 2 * MANY; i++) {
        decimal_random(&seed, text);
        if (!decimal_agrees(text))
            fail_msg("%s is not read as strtof reads it", text);
    }
}

static void halfway_decimals_are_what_strtof_makes_of_them(void **state)
{
    uint64_t seed = 11062024;
    char text[DECIMAL_ROOM];

    (void)state;
    for (int i = 0; i < MANY; i++) {
        decimal_near_half(&seed, text);
        if (!decimal_agrees(text))
            fail_msg("%s is not read as strtof reads it", text);
    }
}

/* "0." and 1 to `most` digits, some of them zeros first, the comma before it. */
static size_t print_share(char *to, bool is_first, int most, uint64_t *seed)
{
    const int n_digits = 1 + (int)(decimal_next(seed) % (uint64_t)most);
    const int n_zeros = (int)(decimal_next(seed) % (uint64_t)n_digits);
    const uint64_t look = decimal_next(seed);
    char *at = to;

    *at++ = is_first ? '[' : ',';
    if (look % 4 == 0)
        *at++ = ' ';
    if (look % 8 < 4)
        *at++ = '-';
    *at++ = '0';
    *at++ = '.';
    for (int i = 0; i < n_digits; i++)
        *at++ = "0123456789"[i < n_zeros ? 0 : decimal_next(seed) % 10];
    return (size_t)(at - to);
}

/* Where many are read at once: one of any length behind another, as they lie in a body. */
static void numbers_in_a_row_are_what_strtof_makes_of_each(void **state)
{
    enum { N = 20000, MOST_DIGITS = 34 };
    struct fixture *f = *state;
    uint64_t seed = 22112026;
    char *text = malloc((size_t)N * (MOST_DIGITS + 8)), *at = text;
    float *values = NULL;
    size_t n = 0;

    assert_non_null(text);
    for (int i = 0; i < N; i++)
        at += print_share(at, i == 0, MOST_DIGITS, &seed);
    *at++ = ']';
    hl_tokens_init(&f->tokens, text, (size_t)(at - text), f->arena);
    f->root = hl_field_root(&f->tokens);
    assert_int_equal(hl_floats_read(&f->root, &values, &n, &f->err), HL_OK);
    assert_int_equal(n, N);
    at = text + 1;
    for (int i = 0; i < N; i++) {
        const float wanted = strtof(at, &at);

        at++;
        assert_memory_equal(&values[i], &wanted, sizeof wanted);
    }
    free(text);
}

static void a_fault_in_a_row_of_numbers_is_found(void **state)
{
    static const char *const wrong[] = {"0.",    "0.-5", "0.1x3",  "0.1 3", "-0.",  "",
                                        "0..12", "0,.1", "0.12.3", "-",     "0.1/", "0.:1"};
    struct fixture *f = *state;

    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        for (int place = 0; place < 40; place++) {
            char text[40 * 16] = "[";
            size_t len = 1;

            for (int item = 0; item < 40; item++)
                len += (size_t)snprintf(text + len, sizeof text - len, "%s%s",
                                        item > 0 ? "," : "",
                                        item == place ? wrong[i] : "-0.0123456");
            (void)snprintf(text + len, sizeof text - len, "]");
            if (fill(f, text) != HL_MALFORMED)
                fail_msg("%s is accepted", text);
        }
    }
}

static void print_as_programs_do(int style, double value, char text[DECIMAL_ROOM])
{
    switch (style) {
    case 0:
        snprintf(text, DECIMAL_ROOM, "%.7f", value);
        break;
    case 1:
        snprintf(text, DECIMAL_ROOM, "%.9g", value);
        break;
    case 2:
        snprintf(text, DECIMAL_ROOM, "%.17g", value);
        break;
    case 3:
        snprintf(text, DECIMAL_ROOM, "%.8e", value);
        break;
    case 4:
        snprintf(text, DECIMAL_ROOM, "%.3f", value * 1e5);
        break;
    default:
        snprintf(text, DECIMAL_ROOM, "%.0f", value * 1e9);
        break;
    }
}

static void what_programs_print_is_read_back(void **state)
{
    uint64_t seed = 3;
    char text[DECIMAL_ROOM];

    (void)state;
    for (int i = 0; i < 6 * 2000; i++) {
        double value = (double)(int64_t)decimal_next(&seed) * 0x1p-62;

        print_as_programs_do(i % 6, value, text);
        if (!decimal_agrees(text))
            fail_msg("%s is not read as strtof reads it", text);
    }
}

/* Around every border of what is loaded at once: 8, 16 and 32 bytes. */
static void a_number_of_any_length_ends_where_it_ends(void **state)
{
    static const char *const tails[] = {"", "e2", "E-3", "1e+2"};
    char text[DECIMAL_ROOM];

    (void)state;
    for (int zeros = 0; zeros < 80; zeros++) {
        for (size_t i = 0; i < sizeof tails / sizeof *tails; i++) {
            snprintf(text, sizeof text, "-0.%0*d%s", zeros + 1, 7, tails[i]);
            if (!decimal_agrees(text))
                fail_msg("%s is not read as strtof reads it", text);
            snprintf(text, sizeof text, "1%0*d%s", zeros + 1, 3, tails[i]);
            if (!decimal_agrees(text))
                fail_msg("%s is not read as strtof reads it", text);
        }
    }
}

/* Each constant of the table of powers, and its neighbours. */
static void powers_of_ten_are_exact(void **state)
{
    char text[DECIMAL_ROOM];

    (void)state;
    for (int ten = -70; ten <= 45; ten++) {
        for (int digit = 1; digit < 10; digit++) {
            snprintf(text, sizeof text, "%de%d", digit, ten);
            if (!decimal_agrees(text))
                fail_msg("%s is not read as strtof reads it", text);
        }
    }
}

static void an_array_of_unknown_length_goes_to_the_arena(void **state)
{
    struct fixture *f = *state;
    static const char text[] = "{\"v\":[0.5, 1, 2]}";
    struct hl_token token;
    float *values = NULL;
    size_t n = 0;

    hl_tokens_init(&f->tokens, text, sizeof text - 1, f->arena);
    f->root = hl_field_root(&f->tokens);
    assert_int_equal(hl_tokens_next(&f->tokens, &token, &f->err), HL_OK);
    assert_int_equal(hl_tokens_next(&f->tokens, &token, &f->err), HL_OK);
    assert_int_equal(hl_tokens_peek(&f->tokens, &token, &f->err), HL_OK);
    assert_int_equal(hl_floats_read(&f->root, &values, &n, &f->err), HL_OK);
    assert_int_equal(n, 3);
    assert_true(values[0] == 0.5F && values[1] == 1.0F && values[2] == 2.0F);
    assert_int_equal(hl_tokens_next(&f->tokens, &token, &f->err), HL_OK);
    assert_int_equal(hl_tokens_finish(&f->tokens, &f->err), HL_OK);
}

static void an_array_longer_than_most_is_read_whole(void **state)
{
    enum { N = 10000 };
    struct fixture *f = *state;
    char *text = malloc((size_t)8 * N);
    size_t len = 0, n = 0;
    float *values = NULL;

    assert_non_null(text);
    for (int i = 0; i < N; i++)
        len += (size_t)snprintf(text + len, 8, "%c%d", i ? ',' : '[', i);
    text[len++] = ']';
    hl_tokens_init(&f->tokens, text, len, f->arena);
    f->root = hl_field_root(&f->tokens);
    assert_int_equal(hl_floats_read(&f->root, &values, &n, &f->err), HL_OK);
    assert_int_equal(hl_tokens_finish(&f->tokens, &f->err), HL_OK);
    assert_int_equal(n, N);
    for (int i = 0; i < N; i++)
        assert_true(values[i] == (float)i);
    free(text);
}

static void what_is_not_finite_is_found_wherever_it_stands(void **state)
{
    enum { N = 100 };
    static const float wild[] = {NAN, INFINITY, -INFINITY};
    float values[N];

    (void)state;
    for (size_t i = 0; i < N; i++)
        values[i] = i % 2 ? -FLT_MAX : 0x1p-149F;
    for (size_t n = 0; n <= N; n++)
        assert_int_equal(hl_floats_count_finite(values, n), n);
    for (size_t at = 0; at < N; at++) {
        const float was = values[at];

        values[at] = wild[at % 3];
        assert_int_equal(hl_floats_count_finite(values, N), at);
        values[at] = was;
    }
}

static void an_array_that_finds_no_room_says_so(void **state)
{
    struct fixture *f = *state;
    float *values = NULL;
    size_t n = 0;

    assert_int_equal(hl_failpoint_arm("alloc=1:fail", &f->err), HL_OK);
    hl_tokens_init(&f->tokens, "[1]", 3, f->arena);
    f->root = hl_field_root(&f->tokens);
    assert_int_equal(hl_floats_read(&f->root, &values, &n, &f->err), HL_NO_MEMORY);
    assert_null(values);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, start, stop)
    const struct CMUnitTest tests[] = {
        CASE(an_array_is_read_in_order),
        CASE(what_is_beyond_the_room_is_counted_and_checked),
        CASE(an_item_of_another_type_is_named_by_its_place),
        CASE(a_number_too_large_for_a_float_is_invalid),
        CASE(the_grammar_is_as_strict_as_everywhere),
        CASE(a_fault_is_reported_where_it_stands),
        CASE(random_decimals_are_what_strtof_makes_of_them),
        CASE(halfway_decimals_are_what_strtof_makes_of_them),
        CASE(numbers_in_a_row_are_what_strtof_makes_of_each),
        CASE(a_fault_in_a_row_of_numbers_is_found),
        CASE(what_programs_print_is_read_back),
        CASE(powers_of_ten_are_exact),
        CASE(a_number_of_any_length_ends_where_it_ends),
        CASE(an_array_of_unknown_length_goes_to_the_arena),
        CASE(an_array_longer_than_most_is_read_whole),
        CASE(what_is_not_finite_is_found_wherever_it_stands),
        CASE(an_array_that_finds_no_room_says_so),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
