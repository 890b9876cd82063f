/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "compat/head.h"
#include "proto/fail.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* A head of 3 x 2, unless a case says otherwise. */
struct wanted {
    const char *classes; /* NULL: no such metadata */
    float weight[6];
    float bias[3];
    uint64_t shape[3];
    unsigned n_dims;
    uint64_t n_bias;
    const char *name, *learnt;
};

static const struct wanted good = {.classes = "[\"bag\",7,\"\\u00e9\"]",
                                   .weight = {3, 4, 0, 1, -6, 8},
                                   .bias = {.5F, 0, -1},
                                   .shape = {3, 2},
                                   .n_dims = 2,
                                   .n_bias = 3,
                                   .name = "weight"};

static char folder[] = "/tmp/heirloom_head_XXXXXX";

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
    (void)unlink("h");
    return chdir("/") == 0 ? rmdir(folder) : -1;
}

static void write_into(struct hl_buf *buf, const struct wanted *w)
{
    struct hl_tensor tensors[2] = {
        {.name = w->name, .type = HL_DTYPE_F32, .n_dims = w->n_dims},
        {.name = "bias", .type = HL_DTYPE_F32, .n_dims = 1, .shape = {w->n_bias}}};
    struct hl_metadata metadata[2] = {{"learnt", w->learnt ? w->learnt : ""},
                                      {"classes", w->classes}};
    struct hl_tensors_plan plan = {tensors, w->n_bias ? 2 : 1, metadata,
                                   w->classes ? 2 : 1};
    struct hl_tensors_writer *writer;
    size_t n = 1;
    struct hl_err err;

    memcpy(tensors[0].shape, w->shape, sizeof w->shape);
    for (unsigned i = 0; i < w->n_dims; i++)
        n *= w->shape[i];
    assert_int_equal(hl_tensors_writer_open_memory(buf, &plan, &writer, &err), HL_OK);
    assert_int_equal(hl_tensors_writer_add_floats(writer, w->weight, n, &err), HL_OK);
    assert_int_equal(hl_tensors_writer_add_floats(writer, w->bias, w->n_bias, &err), HL_OK);
    assert_int_equal(hl_tensors_writer_commit(writer, &err), HL_OK);
}

static enum hl_code load(const struct wanted *w, size_t dim, struct hl_head **ret_head,
                         struct hl_err *err)
{
    struct hl_memory memory;
    struct hl_source source;
    struct hl_buf buf;
    enum hl_code code;

    hl_buf_init(&buf, 1 << 16);
    write_into(&buf, w);
    memory = (struct hl_memory){buf.data, buf.len};
    source = hl_source_of_memory(&memory, "h");
    code = hl_head_load(&source, dim, ret_head, err);
    hl_buf_done(&buf);
    return code;
}

static struct hl_head *load_well(const struct wanted *w, size_t dim)
{
    struct hl_head *head = NULL;
    struct hl_err err;

    assert_int_equal(load(w, dim, &head, &err), HL_OK);
    if (!head)
        abort(); /* what an analyser does not take from the line before */
    return head;
}

static void assert_good(const struct hl_head *head)
{
    assert_int_equal(head->n_rows, 3);
    assert_int_equal(head->dim, 2);
    assert_memory_equal(head->weight, good.weight, sizeof good.weight);
    assert_memory_equal(head->bias, good.bias, sizeof good.bias);
    assert_string_equal(head->classes[0], "bag");
    assert_string_equal(head->classes[1], "7");
    assert_string_equal(head->classes[2], "\xc3\xa9");
}

static void a_head_is_its_rows_their_bias_and_their_labels(void **state)
{
    struct hl_head *head = load_well(&good, 2);

    (void)state;
    assert_good(head);
    assert_false(head->is_learnt);
    assert_true(fabs(hl_head_mean_norm(head) - 16.0 / 3) < 1e-9);
    hl_head_free(head);
    hl_head_free(NULL);
}

static void any_size_will_do_where_none_is_asked_for_and_a_bias_may_be_missing(void **state)
{
    struct wanted w = good;
    struct hl_head *head;

    (void)state;
    w.n_bias = 0;
    w.learnt = "true";
    head = load_well(&w, 0);
    assert_null(head->bias);
    assert_true(head->is_learnt);
    hl_head_free(head);
}

static void what_was_saved_is_loaded_again(void **state)
{
    struct hl_head *head = load_well(&good, 2), *again = NULL;
    struct hl_source source;
    struct hl_file *file;
    struct hl_err err;

    (void)state;
    head->is_learnt = true;
    assert_int_equal(hl_head_save(head, "h", &err), HL_OK);
    assert_int_equal(hl_file_open("h", HL_FILE_READ, &file, &err), HL_OK);
    assert_int_equal(hl_source_of_file(file, &source, &err), HL_OK);
    assert_int_equal(hl_head_load(&source, 2, &again, &err), HL_OK);
    hl_file_close(file);
    assert_good(again);
    assert_true(again->is_learnt);
    hl_head_free(again);
    hl_head_free(head);
}

#define IN "cannot use \"h\" as a head: "

/* `change` spoils a good head; what comes of it is this sentence. */
static void assert_refused(struct wanted w, size_t dim, enum hl_code code,
                           const char *sentence)
{
    struct hl_head *head = NULL;
    struct hl_err err;

    assert_int_equal(load(&w, dim, &head, &err), code);
    assert_string_equal(err.msg, sentence);
    assert_null(head);
}

static struct wanted shaped(unsigned n_dims, uint64_t a, uint64_t b, uint64_t c)
{
    struct wanted w = good;

    w.n_dims = n_dims;
    w.shape[0] = a;
    w.shape[1] = b;
    w.shape[2] = c;
    w.n_bias = 0;
    return w;
}

static void a_weight_that_is_none_is_refused(void **state)
{
    struct wanted unnamed = good, short_bias = good;

    (void)state;
    unnamed.name = "W";
    assert_refused(unnamed, 2, HL_INVALID,
                   IN "there is no tensor \"weight\" of classes x size, a row for each "
                      "class");
    assert_refused(shaped(1, 6, 0, 0), 2, HL_INVALID,
                   IN "\"weight\" has 1 dimensions, it must have 2: classes x size");
    assert_refused(shaped(3, 3, 2, 1), 2, HL_INVALID,
                   IN "\"weight\" has 3 dimensions, it must have 2: classes x size");
    assert_refused(shaped(2, 1, 2, 0), 2, HL_INVALID,
                   IN "\"weight\" has 1 rows, a head has 2 to 100000, one for each class");
    assert_refused(shaped(2, 100001, 0, 0), 2, HL_INVALID,
                   IN "\"weight\" has 100001 rows, a head has 2 to 100000, one for each "
                      "class");
    assert_refused(shaped(2, 3, 0, 0), 0, HL_INVALID,
                   IN "\"weight\" has rows of 0 numbers, 1 to 65535 are possible");
    assert_refused(shaped(2, 2, 3, 0), 2, HL_INVALID,
                   IN "\"weight\" has rows of 3 numbers, the model's vectors have 2: is it "
                      "the head of another model, or turned over?");
    short_bias.n_bias = 2;
    assert_refused(short_bias, 2, HL_INVALID,
                   IN "\"bias\" must have 1 dimension of 3 numbers, as many as \"weight\" "
                      "has rows");
}

static struct wanted classed(const char *classes)
{
    struct wanted w = good;

    w.classes = classes;
    return w;
}

static void labels_that_are_none_are_refused(void **state)
{
    (void)state;
    assert_refused(classed(NULL), 2, HL_INVALID,
                   IN
                   "there is no metadata \"classes\": a JSON list of the labels of the 3 "
                   "rows");
    assert_refused(classed("[1,2]"), 2, HL_INVALID,
                   IN "metadata \"classes\": the list has another length than the head, "
                      "whose weight has 3 rows");
    assert_refused(classed("[1,2,3,4]"), 2, HL_INVALID,
                   IN "metadata \"classes\": the list has another length than the head, "
                      "whose weight has 3 rows");
    assert_refused(classed("[1,\"2\",\"1\"]"), 2, HL_INVALID,
                   IN "metadata \"classes\": label \"1\" stands for rows 0 and 2, one row "
                      "is wanted for each");
    assert_refused(classed("[1,\"a\\u0000b\",3]"), 2, HL_INVALID,
                   IN "metadata \"classes\": label \"a\" goes on behind a zero byte");
    assert_refused(classed("[1,2.5,3]"), 2, HL_BAD_FILE,
                   IN "metadata \"classes\": Format error in the list: [1]: expected a "
                      "whole number, got 2.5");
    assert_refused(classed("[1,[],3]"), 2, HL_BAD_FILE,
                   IN "metadata \"classes\": Format error in the list: [1]: expected a "
                      "string, got an array");
    assert_refused(classed("{}"), 2, HL_BAD_FILE,
                   IN "metadata \"classes\": Format error in the list: expected an array, "
                      "got an object");
}

static void numbers_that_judge_nothing_are_refused(void **state)
{
    struct wanted w = good;

    (void)state;
    w.weight[3] = NAN;
    assert_refused(w, 2, HL_INVALID,
                   IN "\"weight\" row 1, column 1 is not a finite number");
    w.weight[3] = 0;
    assert_refused(w, 2, HL_INVALID,
                   IN "\"weight\" row 1, of class \"7\", is all zeros: leave out classes "
                      "the model does not know");
    w = good;
    w.bias[2] = -INFINITY;
    assert_refused(w, 2, HL_INVALID, IN "\"bias\" of row 2 is not a finite number");
}

static struct wanted scaled(float factor)
{
    struct wanted w = good;

    for (size_t i = 0; i < sizeof w.weight / sizeof *w.weight; i++)
        w.weight[i] *= factor;
    return w;
}

static void a_head_of_a_size_that_no_fit_can_square_is_refused(void **state)
{
    (void)state;
    assert_refused(scaled(1e-30F), 2, HL_INVALID,
                   IN "rows of \"weight\" have a length of 0 in the mean, 1e-9 to 1e9 was "
                      "wanted: scale them");
    assert_refused(scaled(1e30F), 2, HL_INVALID,
                   IN "rows of \"weight\" have a length of inf in the mean, 1e-9 to 1e9 "
                      "was wanted: scale them");
}

static void a_refusal_at_any_step_leaks_nothing(void **state)
{
    struct hl_memory memory;
    struct hl_source source;
    struct hl_buf buf;
    enum hl_code code = HL_NO_MEMORY;
    struct hl_err err;

    (void)state;
    hl_buf_init(&buf, 1 << 16);
    write_into(&buf, &good);
    memory = (struct hl_memory){buf.data, buf.len};
    source = hl_source_of_memory(&memory, "h");
    for (unsigned nth = 1; code != HL_OK; nth++) {
        struct hl_head *head = NULL;
        char rule[40];

        snprintf(rule, sizeof rule, "alloc=%u:fail", nth);
        assert_int_equal(hl_failpoint_arm(rule, &err), HL_OK);
        code = hl_head_load(&source, 2, &head, &err);
        if (code == HL_OK)
            code = hl_head_save(head, "h", &err);
        hl_failpoint_disarm();
        assert_true(code == HL_OK || code == HL_NO_MEMORY);
        assert_true(code != HL_OK || nth > 8);
        hl_head_free(head);
    }
    hl_buf_done(&buf);
}

#define IN_FOLDER(test) cmocka_unit_test_setup_teardown(test, enter_folder, leave_folder)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_head_is_its_rows_their_bias_and_their_labels),
        cmocka_unit_test(
            any_size_will_do_where_none_is_asked_for_and_a_bias_may_be_missing),
        IN_FOLDER(what_was_saved_is_loaded_again),
        cmocka_unit_test(a_weight_that_is_none_is_refused),
        cmocka_unit_test(labels_that_are_none_are_refused),
        cmocka_unit_test(numbers_that_judge_nothing_are_refused),
        cmocka_unit_test(a_head_of_a_size_that_no_fit_can_square_is_refused),
        IN_FOLDER(a_refusal_at_any_step_leaks_nothing),
    };

    return cmocka_run_group_tests_name("head", tests, NULL, NULL);
}
