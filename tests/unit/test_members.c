/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "proto/members.h"

#include "tests/unit/reading.h"

struct read_pair {
    uint64_t a, b;
    unsigned n_read;
};

static enum hl_code read_member(const struct hl_field *member, size_t which, void *self,
                                struct hl_err *err)
{
    struct read_pair *pair = self;

    pair->n_read++;
    if (which == 2)
        return hl_member_refuse(member, "nobody wants it", err);
    if (which == 3)
        return hl_shard_key_refuse(member, err);
    return hl_field_u64(member, 0, 9, which == 0 ? &pair->a : &pair->b, err);
}

static enum hl_code read_pair(const struct hl_field *field, void *out, struct hl_err *err)
{
    static const char *const names[] = {"a", "b", "refused", "shard_key"};
    static const struct hl_members members = {HL_MEMBERS_OF(names), HL_MEMBER(1),
                                              read_member};

    return hl_members_read(field, &members, out, err);
}

static enum hl_code add_number(const struct hl_field *item, void *self, struct hl_err *err)
{
    uint64_t *sum = self, number;
    enum hl_code code = hl_field_u64(item, 0, UINT64_MAX, &number, err);

    if (code == HL_OK)
        *sum += number;
    return code;
}

static enum hl_code read_sum(const struct hl_field *field, void *out, struct hl_err *err)
{
    return hl_each_read(field, add_number, out, err);
}

static void members_are_read_in_any_order(void **state)
{
    static const struct reading_case both = {"{\"b\":2,\"a\":1}", 200, NULL};
    static const struct reading_case one = {"{\"a\":null,\"b\":3,\"refused\":null}", 200,
                                            NULL};
    struct read_pair pair = {0};

    assert_reading(*state, &both, read_pair, &pair);
    assert_int_equal(pair.a, 1);
    assert_int_equal(pair.b, 2);
    assert_int_equal(pair.n_read, 2);
    assert_reading(*state, &one, read_pair, &pair);
    assert_int_equal(pair.n_read, 3);
}

static void members_are_refused_by_their_names(void **state)
{
    static const struct reading_case cases[] = {
        {"{}", 400, "missing field \"b\""},
        {"{\"b\":null}", 400, "missing field \"b\""},
        {"{\"b\":1,\"c\":1}", 400, "c: unknown field"},
        {"{\"b\":1,\"b\":1}", 400, "b: duplicate field"},
        {"{\"b\":10}", 422, "[b: value 10 invalid, must be from 0 to 9]"},
        {"{\"refused\":{}}", 400, "\"refused\" is not supported: nobody wants it"},
        {"{\"shard_key\":1}", 400,
         "\"shard_key\" is not supported: a collection is one shard without a key"},
        {"{\"b\":1", 400,
         "expected \",\" or \"}\", got the end at line 1 column 7 (byte 6)"},
    };
    struct read_pair pair;

    ASSERT_READINGS(*state, cases, read_pair, &pair);
}

static void every_item_is_read(void **state)
{
    static const struct reading_case accepted = {"[1,20,300]", 200, NULL};
    static const struct reading_case cases[] = {
        {"[]", 200, NULL},
        {"{}", 400, "expected an array, got an object"},
        {"[1,[2]]", 400, "[1]: expected a whole number, got an array"},
    };
    uint64_t sum = 0;

    assert_reading(*state, &accepted, read_sum, &sum);
    assert_int_equal(sum, 321);
    ASSERT_READINGS(*state, cases, read_sum, &sum);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, start_reading, stop_reading)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(members_are_read_in_any_order),
        TEST(members_are_refused_by_their_names),
        TEST(every_item_is_read),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
