/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "proto/fail.h"
#include "server/keys.h"

#include <string.h>

static const struct hl_key_config configured[] = {
    {"writer", "write-secret-0123456789", HL_ACCESS_FULL},
    {"reader", "read-secret-0123456789", HL_ACCESS_READ_ONLY},
    {"other", "write-secret-012345678", HL_ACCESS_READ_ONLY}, /* a prefix of the first */
};

static struct hl_keys *make_keys(size_t n)
{
    struct hl_keys *keys = NULL;
    struct hl_err err;

    assert_int_equal(hl_keys_new(configured, n, &keys, &err), HL_OK);
    return keys;
}

/* The id of whoever has that secret, "" for nobody. */
static const char *who(const struct hl_keys *keys, const char *secret, size_t len)
{
    const struct hl_key *key = hl_keys_find(keys, secret, len);

    return key ? key->id : "";
}

static void a_secret_finds_its_key(void **state)
{
    struct hl_keys *keys = make_keys(3);

    (void)state;
    assert_int_equal(hl_keys_count(keys), 3);
    for (size_t i = 0; i < 3; i++) {
        const char *secret = configured[i].secret;
        const struct hl_key *key = hl_keys_find(keys, secret, strlen(secret));

        assert_non_null(key);
        assert_string_equal(key->id, configured[i].id);
        assert_int_equal(key->access, configured[i].access);
    }
    hl_keys_free(keys);
}

static void nothing_but_the_whole_secret_finds_a_key(void **state)
{
    struct hl_keys *keys = make_keys(2);
    char wrong[HL_SECRET_MAX + 2];
    size_t len = strlen(configured[0].secret);

    (void)state;
    for (size_t i = 0; i < len; i++) {
        memcpy(wrong, configured[0].secret, len + 1);
        wrong[i] ^= 1;
        assert_string_equal(who(keys, wrong, len), "");
        assert_string_equal(who(keys, configured[0].secret, i), "");
    }
    memcpy(wrong, configured[0].secret, len + 1);
    wrong[len] = 'x';
    assert_string_equal(who(keys, wrong, len + 1), "");
    hl_keys_free(keys);
}

static void zero_bytes_do_not_pass_for_the_padding(void **state)
{
    struct hl_keys *keys = make_keys(1);
    char secret[HL_SECRET_MAX] = {0};
    size_t len = strlen(configured[0].secret);

    (void)state;
    memcpy(secret, configured[0].secret, len);
    assert_string_equal(who(keys, secret, len), "writer");
    assert_string_equal(who(keys, secret, len + 1), "");
    assert_string_equal(who(keys, secret, sizeof secret), "");
    assert_string_equal(who(keys, "", 0), "");
    assert_string_equal(who(keys, "\0\0\0\0", 4), "");
    hl_keys_free(keys);
}

static void a_secret_of_the_longest_kind_is_compared_to_its_last_byte(void **state)
{
    struct hl_key_config config = {.id = "long", .access = HL_ACCESS_FULL};
    struct hl_keys *keys = NULL;
    char shown[HL_SECRET_MAX + 2];
    struct hl_err err;

    (void)state;
    memset(config.secret, 'a', HL_SECRET_MAX);
    memset(shown, 'a', sizeof shown);
    assert_int_equal(hl_keys_new(&config, 1, &keys, &err), HL_OK);
    assert_string_equal(who(keys, shown, HL_SECRET_MAX), "long");
    assert_string_equal(who(keys, shown, HL_SECRET_MAX + 1), "");
    assert_string_equal(who(keys, shown, HL_SECRET_MAX - 1), "");
    shown[HL_SECRET_MAX - 1] = 'b';
    assert_string_equal(who(keys, shown, HL_SECRET_MAX), "");
    hl_keys_free(keys);
}

static void an_empty_set_knows_nobody(void **state)
{
    struct hl_keys *keys = make_keys(0);

    (void)state;
    assert_int_equal(hl_keys_count(keys), 0);
    assert_string_equal(who(keys, "write-secret-0123456789", 23), "");
    hl_keys_free(keys);
    hl_keys_free(NULL);
}

static void a_set_is_a_view_and_back(void **state)
{
    struct hl_keys *keys = make_keys(2);
    struct hl_live live;
    struct hl_view *view;

    (void)state;
    hl_live_init(&live);
    hl_live_swap(&live, hl_keys_view(keys));
    view = hl_live_acquire(&live);
    assert_ptr_equal(hl_keys_of(view), keys);
    hl_view_unref(view);
    hl_live_done(&live);
}

static void without_memory_there_is_no_set(void **state)
{
    struct hl_keys *keys = NULL;
    struct hl_err err;

    (void)state;
    assert_int_equal(hl_failpoint_arm("alloc=1:fail", &err), HL_OK);
    assert_int_equal(hl_keys_new(configured, 2, &keys, &err), HL_NO_MEMORY);
    hl_failpoint_disarm();
    assert_null(keys);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_secret_finds_its_key),
        cmocka_unit_test(nothing_but_the_whole_secret_finds_a_key),
        cmocka_unit_test(zero_bytes_do_not_pass_for_the_padding),
        cmocka_unit_test(a_secret_of_the_longest_kind_is_compared_to_its_last_byte),
        cmocka_unit_test(an_empty_set_knows_nobody),
        cmocka_unit_test(a_set_is_a_view_and_back),
        cmocka_unit_test(without_memory_there_is_no_set),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
