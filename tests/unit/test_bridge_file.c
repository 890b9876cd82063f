/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "compat/bridge_file.h"
#include "proto/alloc.h"
#include "proto/fail.h"
#include "proto/tensors.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PRINT_A "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define PRINT_B "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"

enum { MAX = 24 };

/* A file that a case spoils: from 2 numbers to 3, with a judged residual of 2 hidden ones.
 */
struct draft {
    struct hl_metadata metadata[MAX];
    size_t n_metadata;
    struct hl_tensor tensors[MAX];
    float firsts[MAX]; /* the first number of each; all others are .5 */
    size_t n_tensors;
};

static const struct draft good = {
    .metadata = {{"format_version", "1"},
                 {"from", "v2"},
                 {"to", "@default"},
                 {"from_fingerprint", PRINT_A},
                 {"to_fingerprint", PRINT_B},
                 {"kind", "residual"},
                 {"task", "same"},
                 {"seed", "18446744073709551615"},
                 {"fidelity", "0.4"},
                 {"old_weight", "0.25"},
                 {"report", "{\"case\":\"pairs\"}"},
                 {"format", "pt"}},
    .n_metadata = 12,
    .tensors = {{.name = "faithful.weight", .n_dims = 2, .shape = {3, 2}},
                {.name = "judged.weight", .n_dims = 2, .shape = {3, 2}},
                {.name = "judged.bias", .n_dims = 1, .shape = {3}},
                {.name = "judged.down.weight", .n_dims = 2, .shape = {2, 2}},
                {.name = "judged.down.bias", .n_dims = 1, .shape = {2}},
                {.name = "judged.up.weight", .n_dims = 2, .shape = {3, 2}},
                {.name = "judged.slope", .n_dims = 1, .shape = {1}},
                {.name = "scale.old_items", .n_dims = 2, .shape = {11, 2}},
                {.name = "scale.to_own", .n_dims = 1, .shape = {2}}},
    .firsts = {1, 2, 3, 4, 5, 6, .125F, 8, 9},
    .n_tensors = 9};

static const struct hl_bridge_wanted wanted = {.from = "v2",
                                               .to = "",
                                               .dim_from = 2,
                                               .dim_to = 3,
                                               .from_print = PRINT_A,
                                               .to_print = PRINT_B,
                                               .needs_prints = true};

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

static void set(struct draft *draft, const char *key, const char *value)
{
    size_t i = 0;

    while (i < draft->n_metadata && strcmp(draft->metadata[i].key, key) != 0)
        i++;
    if (!value)
        draft->metadata[i] = draft->metadata[--draft->n_metadata];
    else
        draft->metadata[i] = (struct hl_metadata){key, value};
    if (value && i == draft->n_metadata)
        draft->n_metadata++;
}

static size_t find(const struct draft *draft, const char *name)
{
    size_t i = 0;

    while (i < draft->n_tensors && strcmp(draft->tensors[i].name, name) != 0)
        i++;
    assert_true(i < draft->n_tensors);
    return i;
}

static void drop(struct draft *draft, const char *name)
{
    size_t i = find(draft, name), last = --draft->n_tensors;

    draft->tensors[i] = draft->tensors[last];
    draft->firsts[i] = draft->firsts[last];
}

static void shape(struct draft *draft, const char *name, unsigned n_dims, uint64_t rows,
                  uint64_t columns)
{
    struct hl_tensor *tensor = &draft->tensors[find(draft, name)];

    tensor->n_dims = n_dims;
    tensor->shape[0] = rows;
    tensor->shape[1] = columns;
}

static void write_draft(const struct draft *draft, struct hl_buf *buf)
{
    struct draft typed = *draft;
    struct hl_tensors_plan plan = {typed.tensors, typed.n_tensors, typed.metadata,
                                   typed.n_metadata};
    struct hl_tensors_writer *writer;
    struct hl_err err;

    for (size_t i = 0; i < typed.n_tensors; i++)
        typed.tensors[i].type = HL_DTYPE_F32;
    assert_int_equal(hl_tensors_writer_open_memory(buf, &plan, &writer, &err), HL_OK);
    for (size_t i = 0; i < typed.n_tensors; i++) {
        size_t n = 1;

        for (unsigned dim = 0; dim < typed.tensors[i].n_dims; dim++)
            n *= typed.tensors[i].shape[dim];
        for (size_t j = 0; j < n; j++) {
            float value = j == 0 ? typed.firsts[i] : .5F;

            assert_int_equal(hl_tensors_writer_add_floats(writer, &value, 1, &err), HL_OK);
        }
    }
    assert_int_equal(hl_tensors_writer_commit(writer, &err), HL_OK);
}

static enum hl_code load_bytes(const struct hl_buf *buf, const struct hl_bridge_wanted *w,
                               struct hl_bridge **ret_bridge, struct hl_err *err)
{
    struct hl_memory memory = {buf->data, buf->len};
    struct hl_source source = hl_source_of_memory(&memory, "b");

    return hl_bridge_load(&source, w, ret_bridge, err);
}

static enum hl_code load(const struct draft *draft, const struct hl_bridge_wanted *w,
                         struct hl_bridge **ret_bridge, struct hl_err *err)
{
    struct hl_buf buf;
    enum hl_code code;

    hl_buf_init(&buf, 1 << 20);
    write_draft(draft, &buf);
    code = load_bytes(&buf, w, ret_bridge, err);
    hl_buf_done(&buf);
    return code;
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
    for (size_t back = 1; back <= 4 * 54; back++) {
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

/* ---- refusals ---- */

#define IN "cannot use \"b\" as a bridge: "

static void assert_refused(const struct draft *draft, const struct hl_bridge_wanted *w,
                           enum hl_code code, const char *sentence)
{
    struct hl_bridge *bridge = NULL;
    struct hl_err err;

    assert_int_equal(load(draft, w, &bridge, &err), code);
    assert_string_equal(err.msg, sentence);
    assert_null(bridge);
}

static void another_direction_or_model_is_refused(void **state)
{
    struct hl_bridge_wanted w = wanted;

    (void)state;
    w.from = "";
    w.to = "v2";
    assert_refused(&good, &w, HL_CONFLICT,
                   IN "it leads from \"v2\" to \"@default\", the other way round than "
                      "wanted: put it under v2/@default, or learn one from \"@default\" to "
                      "\"v2\"");
    w.to = "v3";
    assert_refused(&good, &w, HL_CONFLICT,
                   IN "it leads from \"v2\" to \"@default\", one from \"@default\" to "
                      "\"v3\" was wanted");
    w = wanted;
    w.to_print = PRINT_A;
    assert_refused(&good, &w, HL_CONFLICT,
                   IN "it was learnt for another model \"@default\": metadata "
                      "\"to_fingerprint\" is bbbbbbbbbbbb…, the collection's is "
                      "aaaaaaaaaaaa…; its size, distance or revision has changed: learn "
                      "the bridge anew");
}

static void sizes_of_other_models_are_refused(void **state)
{
    struct hl_bridge_wanted w = wanted;

    (void)state;
    w.dim_from = 4;
    assert_refused(&good, &w, HL_DIMENSION_MISMATCH,
                   IN "tensor \"faithful.weight\" is [3, 2]: it takes vectors of 2 "
                      "dimensions and gives 3; \"v2\" has 4 and \"@default\" 3");
    w.dim_from = 3;
    w.dim_to = 2;
    assert_refused(&good, &w, HL_DIMENSION_MISMATCH,
                   IN "tensor \"faithful.weight\" is [3, 2]: it takes vectors of 2 "
                      "dimensions and gives 3; \"v2\" has 3 and \"@default\" 2: turn it "
                      "over (weights are out x in)");
}

static void words_that_are_wrong_are_refused(void **state)
{
    static const struct {
        const char *key, *value;
        enum hl_code code;
        const char *sentence;
    } rows[] = {
        {"format_version", NULL, HL_INVALID,
         IN "there is no metadata \"format_version\": this is not a bridge"},
        {"format_version", "one", HL_INVALID,
         IN "metadata \"format_version\" is \"one\", a whole number was wanted"},
        {"format_version", "2", HL_NOT_SUPPORTED,
         IN "it is of format version 2, this heirloom reads up to 1: use a newer heirloom"},
        {"from", NULL, HL_INVALID,
         IN "there is no metadata \"from\": the name of the model that the bridge comes "
            "from, \"@default\" for the unnamed one"},
        {"to", NULL, HL_INVALID,
         IN "there is no metadata \"to\": the name of the model that the bridge leads to, "
            "\"@default\" for the unnamed one"},
        {"to", "v2", HL_INVALID,
         IN "it leads from \"v2\" to itself: two models were wanted"},
        {"from_fingerprint", NULL, HL_CONFLICT,
         IN "there is no metadata \"from_fingerprint\", so nobody knows which \"v2\" it "
            "was learnt for: set it to " PRINT_A " if it was this one"},
        {"from_fingerprint", "AB", HL_INVALID,
         IN "metadata \"from_fingerprint\" is \"AB\", 64 digits 0-9a-f were wanted"},
        {"kind", "auto", HL_INVALID,
         IN "metadata \"kind\" is \"auto\", the name of a kind was wanted, such as "
            "\"residual\" or \"ridge\""},
        {"task", "faces", HL_INVALID,
         IN "metadata \"task\" is \"faces\", \"similar\" or \"same\" was wanted"},
        {"seed", "-1", HL_INVALID,
         IN "metadata \"seed\" is \"-1\", a whole number was wanted"},
        {"fidelity", "1.5", HL_INVALID,
         IN "Validation error in metadata \"fidelity\": [value 1.5 invalid, must be from 0 "
            "to 1]"},
        {"old_weight", "half", HL_INVALID,
         IN
         "Format error in metadata \"old_weight\": expected a value, got \"h\" at line 1 "
         "column 1 (byte 0)"},
        {"report", "[]", HL_INVALID,
         IN "Format error in metadata \"report\": expected an object, got an array"},
        {"sha256", PRINT_A, HL_BAD_FILE, NULL},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct draft draft = good;
        struct hl_bridge *bridge = NULL;
        struct hl_err err;

        set(&draft, rows[i].key, rows[i].value);
        assert_int_equal(load(&draft, &wanted, &bridge, &err), rows[i].code);
        if (rows[i].sentence)
            assert_string_equal(err.msg, rows[i].sentence);
    }
}

static void maps_that_are_not_whole_are_refused(void **state)
{
    struct draft draft = good;

    (void)state;
    drop(&draft, "faithful.weight");
    assert_refused(&draft, &wanted, HL_INVALID,
                   IN "there is no tensor \"faithful.weight\", the map that items go "
                      "through: a bridge of one map has that one");
    draft = good;
    drop(&draft, "judged.weight");
    assert_refused(&draft, &wanted, HL_INVALID,
                   IN "tensor \"judged.bias\" has no weight beside it");
    draft = good;
    drop(&draft, "judged.up.weight");
    assert_refused(&draft, &wanted, HL_INVALID,
                   IN "there is no tensor \"judged.up.weight\", of shape [3, 2]");
    draft = good;
    drop(&draft, "judged.down.weight");
    assert_refused(&draft, &wanted, HL_INVALID,
                   IN
                   "tensor \"judged.down.bias\" belongs to a residual, of which there is "
                   "no \"down.weight\"");
    draft = good;
    draft.tensors[find(&draft, "judged.bias")].name = "judged.biases";
    assert_refused(&draft, &wanted, HL_INVALID,
                   IN "a bridge has no tensor \"judged.biases\", but faithful.weight, "
                      "judged.weight and what belongs to them");
    draft = good;
    draft.tensors[find(&draft, "scale.to_own")].name = "text.judged.weight";
    shape(&draft, "text.judged.weight", 2, 3, 2);
    assert_refused(&draft, &wanted, HL_INVALID,
                   IN "there is no tensor \"text.faithful.weight\", the map that items go "
                      "through: a bridge of one map has that one");
}

#define NO_LINEAR                                                                          \
    IN "tensor \"faithful.weight\" must have 2 dimensions of 1 to 65535, as PyTorch's "    \
       "Linear has them: out x in"

static void shapes_that_do_not_fit_together_are_refused(void **state)
{
    static const struct {
        const char *name;
        unsigned n_dims;
        uint64_t rows, columns;
        const char *sentence;
    } rows[] = {
        {"faithful.weight", 1, 6, 0, NO_LINEAR},
        {"faithful.weight", 2, 0, 2, NO_LINEAR},
        {"judged.weight", 2, 2, 3,
         IN "tensor \"judged.weight\" is [2, 3], the bridge's other maps are [3, 2]"},
        {"judged.bias", 1, 2, 0,
         IN "tensor \"judged.bias\" is of shape [2], [3] was wanted"},
        {"judged.down.weight", 2, 2, 3,
         IN "tensor \"judged.down.weight\" is of shape [2, 3], [2, 2] was wanted"},
        {"judged.up.weight", 2, 2, 3,
         IN "tensor \"judged.up.weight\" is of shape [2, 3], [3, 2] was wanted"},
        {"judged.slope", 1, 2, 0,
         IN "tensor \"judged.slope\" is of shape [2], [] was wanted"},
        {"scale.old_items", 2, 10, 2,
         IN "tensor \"scale.old_items\" is of shape [10, 2], [11, 2] was wanted"},
        {"scale.to_own", 1, 3, 0,
         IN "tensor \"scale.to_own\" is of shape [3], [2] was wanted"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct draft draft = good;

        shape(&draft, rows[i].name, rows[i].n_dims, rows[i].rows, rows[i].columns);
        assert_refused(&draft, &wanted, HL_INVALID, rows[i].sentence);
    }
}

static void numbers_that_lead_nowhere_are_refused(void **state)
{
    struct draft draft = good;

    (void)state;
    draft.firsts[find(&draft, "judged.down.weight")] = NAN;
    assert_refused(&draft, &wanted, HL_INVALID,
                   IN "tensor \"judged.down.weight\": number 0 is not finite: did its "
                      "training go astray?");
    draft = good;
    draft.firsts[find(&draft, "scale.old_items")] = -1;
    assert_refused(&draft, &wanted, HL_INVALID,
                   IN "tensor \"scale.old_items\": slope 0 is below 0: higher scores must "
                      "mean likelier");
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
        cmocka_unit_test(another_direction_or_model_is_refused),
        cmocka_unit_test(sizes_of_other_models_are_refused),
        cmocka_unit_test(words_that_are_wrong_are_refused),
        cmocka_unit_test(maps_that_are_not_whole_are_refused),
        cmocka_unit_test(shapes_that_do_not_fit_together_are_refused),
        cmocka_unit_test(numbers_that_lead_nowhere_are_refused),
        IN_FOLDER(a_refusal_at_any_step_leaks_nothing),
    };

    return cmocka_run_group_tests_name("bridge_file", tests, NULL, NULL);
}
