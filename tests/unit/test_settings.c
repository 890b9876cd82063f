/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "server/config.h"

#include <stdlib.h>
#include <string.h>

static size_t size_of(enum hl_setting_type type)
{
    switch (type) {
    case HL_SETTING_NUMBER:
        return sizeof(uint64_t);
    case HL_SETTING_BOOL:
        return sizeof(bool);
    case HL_SETTING_CHOICE:
        return sizeof(const char *);
    case HL_SETTING_TEXT:
    default:
        return HL_CONFIG_TEXT_SIZE;
    }
}

static void no_two_settings_share_a_place_a_name_or_a_flag(void **state)
{
    (void)state;
    for (unsigned i = 0; i < HL_N_SETTINGS; i++) {
        const struct hl_setting_row *a = hl_setting_row((enum hl_setting)i);

        assert_true(a->offset + size_of(a->type) <= sizeof(struct hl_config));
        for (unsigned j = 0; j < i; j++) {
            const struct hl_setting_row *b = hl_setting_row((enum hl_setting)j);

            assert_true(a->offset + size_of(a->type) <= b->offset ||
                        b->offset + size_of(b->type) <= a->offset);
            assert_true(strcmp(a->section, b->section) != 0 || strcmp(a->key, b->key) != 0);
            assert_true(!a->flag || !b->flag || strcmp(a->flag, b->flag) != 0);
        }
    }
}

/* Sections are printed once, so the rows of one must stand together. */
static void the_settings_of_a_section_stand_together(void **state)
{
    (void)state;
    for (unsigned i = 1; i < HL_N_SETTINGS; i++) {
        const char *section = hl_setting_row((enum hl_setting)i)->section;

        if (strcmp(section, hl_setting_row((enum hl_setting)(i - 1))->section) == 0)
            continue;
        for (unsigned j = 0; j < i; j++)
            assert_string_not_equal(section, hl_setting_row((enum hl_setting)j)->section);
    }
}

static void every_setting_has_help_and_a_default_in_its_range(void **state)
{
    (void)state;
    for (unsigned i = 0; i < HL_N_SETTINGS; i++) {
        const struct hl_setting_row *row = hl_setting_row((enum hl_setting)i);

        assert_non_null(row->help);
        assert_true(strlen(row->help) > 10);
        if (row->type != HL_SETTING_NUMBER)
            continue;
        assert_true(strtoull(row->standard, NULL, 10) >= row->min);
        assert_true(strtoull(row->standard, NULL, 10) <= row->max);
    }
}

static void what_is_wanted_is_said_in_words(void **state)
{
    char words[128];

    (void)state;
    hl_setting_wanted(HL_SETTING_HTTP_PORT, words, sizeof words);
    assert_string_equal(words, "a whole number from 0 to 65535");
    hl_setting_wanted(HL_SETTING_KERNELS, words, sizeof words);
    assert_string_equal(words, "one of auto, avx512, avx2, portable, shipped");
    hl_setting_wanted(HL_SETTING_ALLOW_REMOTE_WITHOUT_KEY, words, sizeof words);
    assert_string_equal(words, "true or false");
    hl_setting_wanted(HL_SETTING_KERNELS, words, 10);
    assert_string_equal(words, "one of au");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_two_settings_share_a_place_a_name_or_a_flag),
        cmocka_unit_test(the_settings_of_a_section_stand_together),
        cmocka_unit_test(every_setting_has_help_and_a_default_in_its_range),
        cmocka_unit_test(what_is_wanted_is_said_in_words),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
