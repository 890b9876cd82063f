/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/draft.h"

#include <math.h>

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
        {"strategy", "forward", HL_INVALID,
         IN "metadata \"strategy\" is \"forward\", \"backward\" or \"dual\" was wanted"},
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(another_direction_or_model_is_refused),
        cmocka_unit_test(sizes_of_other_models_are_refused),
        cmocka_unit_test(words_that_are_wrong_are_refused),
        cmocka_unit_test(maps_that_are_not_whole_are_refused),
        cmocka_unit_test(shapes_that_do_not_fit_together_are_refused),
        cmocka_unit_test(numbers_that_lead_nowhere_are_refused),
    };

    return cmocka_run_group_tests_name("bridge_load", tests, NULL, NULL);
}
