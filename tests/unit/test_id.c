/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "proto/id.h"

#include <string.h>

static const char canonical[] = "936da01f-9abd-4d9d-80c7-02af85c822a8";

static bool parse(const char *text, struct hl_id *ret_id)
{
    return hl_id_parse_uuid(text, strlen(text), ret_id);
}

static void every_spelling_of_a_uuid_is_the_same_id(void **state)
{
    static const char *const spellings[] = {
        "936da01f-9abd-4d9d-80c7-02af85c822a8",
        "936DA01F-9ABD-4d9D-80C7-02AF85C822A8",
        "936da01f9abd4d9d80c702af85c822a8",
        "{936da01f-9abd-4d9d-80c7-02af85c822a8}",
        "urn:uuid:936DA01F-9abd-4d9d-80c7-02af85c822a8",
    };
    struct hl_id wanted;

    (void)state;
    assert_true(parse(canonical, &wanted));
    for (size_t i = 0; i < sizeof spellings / sizeof *spellings; i++) {
        char text[HL_ID_TEXT_SIZE];
        struct hl_id id;

        assert_true(parse(spellings[i], &id));
        assert_int_equal(hl_id_compare(&id, &wanted), 0);
        assert_int_equal(hl_id_print(&id, text), strlen(canonical));
        assert_string_equal(text, canonical);
    }
}

static void what_is_no_uuid_is_refused(void **state)
{
    static const char *const texts[] = {
        "",
        "1",
        "936da01f-9abd-4d9d-80c7-02af85c822a",
        "936da01f-9abd-4d9d-80c7-02af85c822a8a",
        "936da01f-9abd-4d9d-80c7-02af85c822g8",
        "936da01f9abd-4d9d-80c7-02af85c822a8-",
        "936da01f+9abd+4d9d+80c7+02af85c822a8",
        "936da01f9abd4d9d80c702af85c822a ",
        "{936da01f-9abd-4d9d-80c7-02af85c822a8",
        "{936da01f9abd4d9d80c702af85c822a8}",
        "[936da01f-9abd-4d9d-80c7-02af85c822a8]",
        "URN:UUID:936da01f-9abd-4d9d-80c7-02af85c822a8",
        "urn:uuid:936da01f9abd4d9d80c702af85c822a8",
    };

    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        struct hl_id id = {.tag = 7};

        assert_false(parse(texts[i], &id));
        assert_int_equal(id.tag, 7);
    }
}

static void numbers_keep_all_their_bits(void **state)
{
    static const struct {
        uint64_t number;
        const char *text;
    } cases[] = {{0, "0"},
                 {1, "1"},
                 {9007199254740993, "9007199254740993"},
                 {UINT64_MAX, "18446744073709551615"}};

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct hl_id id = hl_id_number(cases[i].number);
        char text[HL_ID_TEXT_SIZE];

        assert_true(hl_id_value(&id) == cases[i].number);
        assert_int_equal(hl_id_print(&id, text), strlen(cases[i].text));
        assert_string_equal(text, cases[i].text);
    }
}

static int sign(int n)
{
    return (n > 0) - (n < 0);
}

/* As SQLite compares blobs. */
static int compare_bytes(const uint8_t *a, size_t a_size, const uint8_t *b, size_t b_size)
{
    int order = memcmp(a, b, a_size < b_size ? a_size : b_size);

    return order ? order : (a_size > b_size) - (a_size < b_size);
}

static void encoded_ids_sort_as_ids_do(void **state)
{
    struct hl_id ids[7];
    const size_t n = sizeof ids / sizeof *ids;

    (void)state;
    ids[0] = hl_id_number(0);
    ids[1] = hl_id_number(255);
    ids[2] = hl_id_number(256);
    ids[3] = hl_id_number(UINT64_MAX);
    assert_true(parse("00000000000000000000000000000000", &ids[4]));
    assert_true(parse(canonical, &ids[5]));
    assert_true(parse("ffffffffffffffffffffffffffffffff", &ids[6]));
    for (size_t i = 0; i < n; i++) {
        for (size_t j = 0; j < n; j++) {
            uint8_t a[HL_ID_ENCODED_MAX], b[HL_ID_ENCODED_MAX];
            size_t a_size = hl_id_encode(&ids[i], a), b_size = hl_id_encode(&ids[j], b);

            assert_int_equal(sign(compare_bytes(a, a_size, b, b_size)), (i > j) - (i < j));
            assert_int_equal(sign(hl_id_compare(&ids[i], &ids[j])), (i > j) - (i < j));
        }
    }
}

static void what_was_encoded_is_decoded(void **state)
{
    struct hl_id ids[2], again;
    uint8_t bytes[HL_ID_ENCODED_MAX];

    (void)state;
    ids[0] = hl_id_number(123456789);
    assert_true(parse(canonical, &ids[1]));
    for (size_t i = 0; i < 2; i++) {
        size_t size = hl_id_encode(&ids[i], bytes);

        assert_int_equal(size, i == 0 ? 9 : 17);
        memset(&again, 0xff, sizeof again);
        assert_true(hl_id_decode(bytes, size, &again));
        assert_int_equal(hl_id_compare(&again, &ids[i]), 0);
        assert_false(hl_id_decode(bytes, size - 1, &again));
    }
    bytes[0] = 2;
    assert_false(hl_id_decode(bytes, sizeof bytes, &again));
    assert_false(hl_id_decode(bytes, 0, &again));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_spelling_of_a_uuid_is_the_same_id),
        cmocka_unit_test(what_is_no_uuid_is_refused),
        cmocka_unit_test(numbers_keep_all_their_bits),
        cmocka_unit_test(encoded_ids_sort_as_ids_do),
        cmocka_unit_test(what_was_encoded_is_decoded),
    };

    return cmocka_run_group_tests_name("id", tests, NULL, NULL);
}
