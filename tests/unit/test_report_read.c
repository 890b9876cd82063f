/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "compat/report.h"

#include "compat/report_members.h"
#include "proto/fail.h"

#include <math.h>
#include <string.h>

struct fixture {
    struct hl_report report;
    struct hl_report *read;
    struct hl_buf printed, again;
    struct hl_arena *arena;
    struct hl_err err;
};

/* Each figure another one. */
static void fill(const struct hl_report_members *members, void *whole, uint64_t *next)
{
    for (size_t i = 0; i < members->n; i++) {
        struct hl_figure *figure =
            (struct hl_figure *)(void *)((char *)whole + members->items[i].offset);
        uint64_t n = (*next)++;

        *figure =
            (struct hl_figure){.001 * (double)n, .0005 * (double)n, .002 * (double)n, n};
    }
}

static void fill_group(struct hl_report_group *group, const char *name, uint64_t *next)
{
    group->name = name;
    for (size_t i = 0; i < hl_group_retrievals.n; i++)
        fill(&hl_retrieval_members, (char *)group + hl_group_retrievals.items[i].offset,
             next);
    fill(&hl_group_figures, group, next);
}

static int set_up(void **state)
{
    struct fixture *f = test_calloc(1, sizeof *f);
    uint64_t next = 1;

    f->report = (struct hl_report){.n_groups = 3,
                                   .is_brief = true,
                                   .has_labels = true,
                                   .has_head = true,
                                   .has_bridge = true};
    fill_group(&f->report.groups[0], "all", &next);
    fill_group(&f->report.groups[1], "known", &next);
    fill_group(&f->report.groups[2], "text", &next);
    fill(&hl_step_members, &f->report.served, &next);
    hl_buf_init(&f->printed, 1 << 20);
    hl_buf_init(&f->again, 1 << 20);
    f->arena = hl_arena_new(1 << 20);
    assert_non_null(f->arena);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;

    hl_report_free(f->read);
    hl_buf_done(&f->printed);
    hl_buf_done(&f->again);
    hl_arena_free(f->arena);
    test_free(f);
    return 0;
}

static enum hl_code read_text(struct fixture *f, const char *text)
{
    struct hl_tokens tokens;
    struct hl_field root;

    hl_report_free(f->read);
    f->read = NULL;
    hl_tokens_init(&tokens, text, strlen(text), f->arena);
    root = hl_field_root(&tokens);
    return hl_report_read(&root, &f->read, &f->err);
}

static void what_was_printed_is_read_back(void **state)
{
    struct fixture *f = *state;

    hl_report_print(&f->report, &f->printed);
    assert_int_equal(read_text(f, f->printed.data), HL_OK);
    hl_report_print(f->read, &f->again);
    assert_string_equal(f->again.data, f->printed.data);
}

static void gates_say_of_it_what_they_said_of_the_report(void **state)
{
    const struct hl_gates gates = {true, .9, .01, (double)NAN};
    struct fixture *f = *state;
    struct hl_err before;

    assert_int_equal(hl_gates_check(&gates, &f->report, &before), HL_CONFLICT);
    hl_report_print(&f->report, &f->printed);
    assert_int_equal(read_text(f, f->printed.data), HL_OK);
    assert_int_equal(hl_gates_check(&gates, f->read, &f->err), HL_CONFLICT);
    assert_string_equal(f->err.msg, before.msg);
}

static void what_could_not_be_said_cannot_be_said_then(void **state)
{
    struct fixture *f = *state;

    f->report.groups[0].map_gain = (struct hl_figure){0};
    f->report.groups[0].self1.low = f->report.groups[0].self1.high = (double)NAN;
    hl_report_print(&f->report, &f->printed);
    assert_int_equal(read_text(f, f->printed.data), HL_OK);
    assert_int_equal(f->read->groups[0].map_gain.of, 0);
    assert_true(f->read->groups[0].self1.of > 0 && isnan(f->read->groups[0].self1.low));
}

static void members_of_other_releases_are_passed_over(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(
        read_text(f, "{\"new\":[1],\"groups\":{\"dogs\":{\"top1\":1},\"known\":{\"self1\":"
                     "{\"value\":0.5,\"of\":4},\"self2\":3,\"old_old\":{\"x\":1}}}}"),
        HL_OK);
    assert_int_equal(f->read->n_groups, 2);
    assert_string_equal(f->read->groups[0].name, "all");
    assert_int_equal(f->read->groups[0].self1.of, 0);
    assert_string_equal(f->read->groups[1].name, "known");
    assert_int_equal(f->read->groups[1].self1.of, 4);
    assert_false(f->read->has_bridge);
}

static void what_is_no_report_is_refused(void **state)
{
    static const char *const texts[] = {
        "[]",
        "{\"groups\":[]}",
        "{\"has_bridge\":1}",
        "{\"groups\":{\"all\":{\"self1\":0.5}}}",
        "{\"groups\":{\"all\":{\"self1\":{\"value\":0.5}}}}",
        "{\"groups\":{\"all\":{\"self1\":{\"value\":\"x\",\"of\":1}}}}",
        "{\"groups\":{\"all\":{},\"all\":{}}}",
        "{\"groups\":{\"all\":{\"old_old\":{\"top1\":7}}}}",
        "{\"served\":{\"self10\":7}}",
        "{\"served\":{",
    };
    struct fixture *f = *state;

    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        if (read_text(f, texts[i]) != HL_MALFORMED)
            fail_msg("%s was read", texts[i]);
}

static void no_memory_is_said_and_nothing_leaks(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(hl_failpoint_arm("alloc=1:fail", &f->err), HL_OK);
    assert_int_equal(read_text(f, "{}"), HL_NO_MEMORY);
    hl_failpoint_disarm();
    assert_int_equal(read_text(f, "{}"), HL_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_was_printed_is_read_back, set_up, tear_down),
        cmocka_unit_test_setup_teardown(gates_say_of_it_what_they_said_of_the_report,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_could_not_be_said_cannot_be_said_then, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(members_of_other_releases_are_passed_over, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(what_is_no_report_is_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(no_memory_is_said_and_nothing_leaks, set_up,
                                        tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
