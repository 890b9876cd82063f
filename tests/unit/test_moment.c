/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "server/moment.h"

#include <string.h>

static void a_moment_is_said_in_utc_to_the_millisecond(void **state)
{
    static const struct {
        int64_t ms;
        const char *text;
    } cases[] = {{0, "1970-01-01T00:00:00.000Z"},
                 {1763724153444, "2025-11-21T11:22:33.444Z"},
                 {1709164800005, "2024-02-29T00:00:00.005Z"}};
    char text[HL_MOMENT];

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        hl_moment_print(cases[i].ms, text);
        assert_string_equal(text, cases[i].text);
    }
}

static void now_is_later_than_this_test_was_written(void **state)
{
    char text[HL_MOMENT];

    (void)state;
    hl_moment_now(text);
    assert_int_equal(strlen(text), 24);
    assert_true(strcmp(text, "2025-11-21T11:22:33.444Z") > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_moment_is_said_in_utc_to_the_millisecond),
        cmocka_unit_test(now_is_later_than_this_test_was_written),
    };

    return cmocka_run_group_tests_name("moment", tests, NULL, NULL);
}
