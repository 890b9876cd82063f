/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "proto/fail.h"
#include "tests/unit/draft.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static char folder[] = "/tmp/heirloom_bridge_XXXXXX";

static int enter_folder(void **state)
{
    (void)state;
    memset(folder + strlen(folder) - 6, 'X', 6);
    return mkdtemp(folder) && chdir(folder) == 0 ? 0 : -1;
}

static int leave_folder(void **state)
{
    (void)state;
    hl_failpoint_disarm();
    (void)unlink("b");
    return chdir("/") == 0 ? rmdir(folder) : -1;
}

static struct hl_bridge *load_well(const struct draft *draft,
                                   const struct hl_bridge_wanted *w)
{
    struct hl_bridge *bridge = NULL;
    struct hl_err err = {0};

    if (load(draft, w, &bridge, &err) != HL_OK)
        fail_msg("%s", err.msg);
    if (!bridge)
        abort(); /* what an analyser does not take from the line before */
    return bridge;
}

static bool is(float value, float is_wanted)
{
    return fabsf(value - is_wanted) < 1e-9F;
}

static void assert_words(const struct hl_bridge *bridge)
{
    assert_string_equal(bridge->from, "v2");
    assert_string_equal(bridge->to, "");
    assert_string_equal(bridge->from_print, PRINT_A);
    assert_string_equal(bridge->to_print, PRINT_B);
    assert_int_equal(bridge->dim_from, 2);
    assert_int_equal(bridge->dim_to, 3);
    assert_int_equal(bridge->kind, HL_KIND_RESIDUAL);
    assert_int_equal(bridge->task, HL_TASK_SAME);
    assert_true(bridge->seed == UINT64_MAX);
    assert_true(is(bridge->fidelity, .4F) && is(bridge->old_weight, .25F));
    assert_int_equal(bridge->strategy, HL_BRIDGE_DUAL);
    assert_string_equal(bridge->report, "{\"case\":\"pairs\"}");
}

static void assert_good(const struct hl_bridge *bridge)
{
    const struct hl_bridge_way *way = &bridge->ways[HL_MODALITY_IMAGE];
    const struct hl_map *judged = way->judged, *faithful = way->faithful;

    assert_words(bridge);
    assert_non_null(judged);
    assert_non_null(faithful);
    assert_int_equal(faithful->n_hidden, 0);
    assert_int_equal(judged->n_hidden, 2);
    assert_true(is(faithful->p[0], 1) && is(faithful->p[5], .5F) && is(faithful->c[0], 0));
    assert_true(is(judged->p[0], 2) && is(judged->c[0], 3) && is(judged->c[2], .5F));
    assert_true(is(judged->a[0], 4) && is(judged->a_bias[0], 5) && is(judged->b[0], 6));
    assert_true(is(judged->slope, .125F));
    assert_true(is(way->old_items[0].slope, 8) && is(way->old_items[10].offset, .5F));
    assert_true(is(way->new_items[0].slope, 0));
    assert_true(is(bridge->to_own.slope, 9) && is(bridge->to_own.offset, .5F));
    assert_true(is(bridge->from_own.slope, 0));
    assert_null(bridge->ways[HL_MODALITY_TEXT].faithful);
}

static void a_file_by_the_layout_is_a_bridge(void **state)
{
    struct hl_bridge *bridge = load_well(&good, &wanted);

    (void)state;
    assert_good(bridge);
    hl_bridge_free(bridge);
}

static void a_bridge_of_one_map_and_two_names_is_enough(void **state)
{
    const struct draft least = {
        .metadata = {{"format_version", "1"}, {"from", "a"}, {"to", "b"}},
        .n_metadata = 3,
        .tensors = {{.name = "faithful.weight", .n_dims = 2, .shape = {1, 1}}},
        .firsts = {-1},
        .n_tensors = 1};
    const struct hl_bridge_wanted any = {0};
    struct hl_bridge *bridge = load_well(&least, &any);

    (void)state;
    assert_int_equal(bridge->kind, HL_KIND_RIDGE);
    assert_int_equal(bridge->task, HL_TASK_SIMILAR);
    assert_int_equal(bridge->strategy, HL_BRIDGE_BACKWARD);
    assert_true(is(bridge->fidelity, 0));
    assert_null(bridge->ways[HL_MODALITY_IMAGE].judged);
    assert_null(bridge->report);
    assert_string_equal(bridge->from_print, "");
    hl_bridge_free(bridge);
}

/* With text's own way, to have everything. */
static struct hl_bridge *load_richest(void)
{
    struct draft draft = good;

    draft.tensors[draft.n_tensors] =
        (struct hl_tensor){.name = "text.faithful.weight", .n_dims = 2, .shape = {3, 2}};
    draft.firsts[draft.n_tensors++] = 10;
    draft.tensors[draft.n_tensors] =
        (struct hl_tensor){.name = "text.scale.new_items", .n_dims = 2, .shape = {11, 2}};
    draft.firsts[draft.n_tensors++] = 11;
    return load_well(&draft, &wanted);
}

static void assert_richest(const struct hl_bridge *bridge)
{
    const struct hl_bridge_way *text = &bridge->ways[HL_MODALITY_TEXT];

    assert_non_null(text->faithful);
    assert_true(is(text->faithful->p[0], 10));
    assert_null(text->judged);
    assert_true(is(text->new_items[0].slope, 11));
}

static void what_was_saved_is_loaded_again_from_a_file_and_from_memory(void **state)
{
    struct hl_bridge *bridge = load_richest(), *again = NULL;
    struct hl_file *file;
    struct hl_source source;
    struct hl_buf buf;
    struct hl_err err;

    (void)state;
    assert_int_equal(hl_bridge_save(bridge, "b", &err), HL_OK);
    assert_int_equal(hl_file_open("b", HL_FILE_READ, &file, &err), HL_OK);
    assert_int_equal(hl_source_of_file(file, &source, &err), HL_OK);
    assert_int_equal(hl_bridge_load(&source, &wanted, &again, &err), HL_OK);
    hl_file_close(file);
    assert_words(again);
    assert_richest(again);
    hl_bridge_free(again);

    hl_buf_init(&buf, 1 << 20);
    assert_int_equal(hl_bridge_print(bridge, &buf, &err), HL_OK);
    assert_int_equal(load_bytes(&buf, &wanted, &again, &err), HL_OK);
    hl_buf_done(&buf);
    assert_words(again);
    assert_richest(again);
    hl_bridge_free(again);
    hl_bridge_free(bridge);
}

static void every_changed_byte_of_its_numbers_is_noticed(void **state)
{
    struct hl_bridge *bridge = load_well(&good, &wanted), *again = NULL;
    struct hl_buf buf;
    struct hl_err err;

    (void)state;
    hl_buf_init(&buf, 1 << 20);
    assert_int_equal(hl_bridge_print(bridge, &buf, &err), HL_OK);
    for (size_t back = 1; back <= (size_t)4 * 54; back++) {
        buf.data[buf.len - back] ^= 1;
        assert_int_equal(load_bytes(&buf, &wanted, &again, &err), HL_BAD_FILE);
        buf.data[buf.len - back] ^= 1;
    }
    assert_non_null(strstr(err.msg, "it is damaged"));
    for (size_t cut = 1; cut < buf.len; cut += 13) {
        struct hl_buf shorter = buf;

        shorter.len -= cut;
        assert_int_equal(load_bytes(&shorter, &wanted, &again, &err), HL_BAD_FILE);
    }
    hl_buf_done(&buf);
    hl_bridge_free(bridge);
}

static void a_refusal_at_any_step_leaks_nothing(void **state)
{
    static const char *const places[] = {"alloc", "file.open", "file.write", "file.sync"};
    struct hl_buf buf;
    struct hl_err err;

    (void)state;
    hl_buf_init(&buf, 1 << 20);
    write_draft(&good, &buf);
    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        enum hl_code code = HL_IO;

        for (unsigned nth = 1; code != HL_OK; nth++) {
            struct hl_bridge *bridge = NULL;
            char rule[40];

            snprintf(rule, sizeof rule, "%s=%u:fail", places[i], nth);
            assert_int_equal(hl_failpoint_arm(rule, &err), HL_OK);
            code = load_bytes(&buf, &wanted, &bridge, &err);
            if (code == HL_OK)
                code = hl_bridge_save(bridge, "b", &err);
            hl_failpoint_disarm();
            if (code != HL_OK && code != HL_NO_MEMORY && code != HL_IO &&
                code != HL_DISK_FULL)
                fail_msg("%s", err.msg);
            assert_true(code != HL_OK || nth > 1);
            hl_bridge_free(bridge);
        }
    }
    hl_buf_done(&buf);
}

#define IN_FOLDER(test) cmocka_unit_test_setup_teardown(test, enter_folder, leave_folder)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_file_by_the_layout_is_a_bridge),
        cmocka_unit_test(a_bridge_of_one_map_and_two_names_is_enough),
        IN_FOLDER(what_was_saved_is_loaded_again_from_a_file_and_from_memory),
        cmocka_unit_test(every_changed_byte_of_its_numbers_is_noticed),
        IN_FOLDER(a_refusal_at_any_step_leaks_nothing),
    };

    return cmocka_run_group_tests_name("bridge_file", tests, NULL, NULL);
}
