/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "index/roster.h"
#include "proto/fail.h"

#include <stdio.h>
#include <stdlib.h>

struct fixture {
    struct hl_roster *roster;
    struct hl_err err;
};

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);

    *state = f;
    if (f)
        f->roster = hl_roster_new();
    return f && f->roster ? 0 : -1;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;

    hl_roster_free(f->roster);
    free(f);
    return 0;
}

static void add(struct fixture *f, uint32_t number, uint64_t name)
{
    const struct hl_id id = hl_id_number(name);

    assert_int_equal(hl_roster_reserve(f->roster, number, number, &f->err), HL_OK);
    hl_roster_add(f->roster, number, &id);
}

/* 0: it has none. */
static uint32_t number_of(struct fixture *f, uint64_t name)
{
    const struct hl_id id = hl_id_number(name);
    uint32_t number = 0;

    return hl_roster_number(f->roster, &id, &number) ? number : 0;
}

static uint64_t name_of(struct fixture *f, uint32_t number)
{
    return hl_id_value(hl_roster_id(f->roster, number));
}

static void an_empty_roster_knows_nobody(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(number_of(f, 1), 0);
    assert_int_equal(number_of(f, 0), 0);
}

static void ids_lead_to_numbers_and_back(void **state)
{
    struct fixture *f = *state;

    add(f, 1, 700);
    add(f, 2, 0);
    add(f, 3, UINT64_MAX);
    assert_int_equal(number_of(f, 700), 1);
    assert_int_equal(number_of(f, 0), 2);
    assert_int_equal(number_of(f, UINT64_MAX), 3);
    assert_int_equal(number_of(f, 1), 0);
    assert_int_equal(name_of(f, 1), 700);
    assert_int_equal(name_of(f, 2), 0);
}

static void a_number_and_a_uuid_of_the_same_bytes_are_two(void **state)
{
    struct fixture *f = *state;
    struct hl_id uuid = {.tag = HL_ID_UUID};
    uint32_t number = 0;

    add(f, 1, 0);
    assert_false(hl_roster_number(f->roster, &uuid, &number));
    assert_int_equal(hl_roster_reserve(f->roster, 2, 2, &f->err), HL_OK);
    hl_roster_add(f->roster, 2, &uuid);
    assert_true(hl_roster_number(f->roster, &uuid, &number));
    assert_int_equal(number, 2);
    assert_int_equal(number_of(f, 0), 1);
}

static void a_point_that_is_gone_keeps_its_id_and_gives_up_its_number(void **state)
{
    struct fixture *f = *state;

    add(f, 1, 9);
    hl_roster_remove(f->roster, 1);
    assert_int_equal(number_of(f, 9), 0);
    assert_int_equal(name_of(f, 1), 9);
    add(f, 2, 9);
    assert_int_equal(number_of(f, 9), 2);
    hl_roster_remove(f->roster, 1); /* the id is another's now */
    assert_int_equal(number_of(f, 9), 2);
}

static void a_hole_between_numbers_takes_no_memory(void **state)
{
    struct fixture *f = *state;
    size_t before;

    add(f, 1, 1);
    before = hl_roster_bytes(f->roster);
    add(f, UINT32_MAX, 2);
    assert_int_equal(number_of(f, 2), UINT32_MAX);
    assert_int_equal(name_of(f, UINT32_MAX), 2);
    assert_true(hl_roster_bytes(f->roster) < before + 40000);
}

/* Against the obvious copy: where each name is, 0 when nowhere. */
static void thousands_come_and_go_as_in_a_plain_array(void **state)
{
    enum { NAMES = 3000, STEPS = 60000 };
    struct fixture *f = *state;
    uint32_t *at = calloc(NAMES, sizeof *at), last = 0;
    uint64_t random = 1;

    assert_non_null(at);
    for (int i = 0; i < STEPS; i++) {
        uint32_t name;

        random = random * 6364136223846793005U + 1442695040888963407U;
        name = (uint32_t)(random >> 33) % NAMES;
        if (at[name]) {
            hl_roster_remove(f->roster, at[name]);
            at[name] = 0;
        } else {
            at[name] = ++last;
            add(f, last, name);
        }
        name = (uint32_t)(random >> 20) % NAMES;
        assert_int_equal(number_of(f, name), at[name]);
    }
    for (uint32_t name = 0; name < NAMES; name++)
        assert_int_equal(number_of(f, name), at[name]);
    free(at);
}

static void about_24_bytes_a_point(void **state)
{
    enum { N = 1000000 };
    struct fixture *f = *state;

    assert_int_equal(hl_roster_reserve(f->roster, 1, N, &f->err), HL_OK);
    assert_in_range(hl_roster_bytes(f->roster), 17 * N, 28 * N);
}

static void what_is_reserved_cannot_fail(void **state)
{
    struct fixture *f = *state;
    enum hl_code code = HL_NO_MEMORY;

    add(f, 1, 1001);
    for (int n = 1; code != HL_OK; n++) {
        char spec[32];

        snprintf(spec, sizeof spec, "alloc=%d:fail", n);
        assert_int_equal(hl_failpoint_arm(spec, &f->err), HL_OK);
        code = hl_roster_reserve(f->roster, 2, 5000, &f->err);
        hl_failpoint_disarm();
        assert_int_equal(number_of(f, 1001), 1);
        assert_true(n < 100);
    }
    assert_int_equal(hl_failpoint_arm("alloc=1:fail", &f->err), HL_OK);
    for (uint32_t number = 2; number <= 5000; number++) {
        const struct hl_id id = hl_id_number(1000 + number);

        hl_roster_add(f->roster, number, &id);
    }
    hl_failpoint_disarm();
    assert_int_equal(number_of(f, 6000), 5000);
    assert_int_equal(number_of(f, 1001), 1);
}

static void a_roster_without_memory_is_none(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(hl_failpoint_arm("alloc=1:fail", &f->err), HL_OK);
    assert_null(hl_roster_new());
    hl_failpoint_disarm();
    hl_roster_free(NULL);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(an_empty_roster_knows_nobody),
        TEST(ids_lead_to_numbers_and_back),
        TEST(a_number_and_a_uuid_of_the_same_bytes_are_two),
        TEST(a_point_that_is_gone_keeps_its_id_and_gives_up_its_number),
        TEST(a_hole_between_numbers_takes_no_memory),
        TEST(thousands_come_and_go_as_in_a_plain_array),
        TEST(about_24_bytes_a_point),
        TEST(what_is_reserved_cannot_fail),
        TEST(a_roster_without_memory_is_none),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
