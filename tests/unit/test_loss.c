/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "proto/loss.h"

#include "tests/unit/reading.h"

static enum hl_code read_loss(const struct hl_field *field, void *out, struct hl_err *err)
{
    return hl_loss_read(field, out, err);
}

static enum hl_loss loss_of(struct reading *r, const char *metadata)
{
    struct reading_case accepted = {metadata, 200, NULL};
    enum hl_loss loss;

    assert_reading(r, &accepted, read_loss, &loss);
    return loss;
}

static void metadata_say_what_becomes_of_vectors(void **state)
{
    assert_int_equal(loss_of(*state, "{\"on_vector_loss\":\"allow\"}"), HL_LOSS_ALLOW);
    assert_int_equal(loss_of(*state, "{\"on_vector_loss\":\"keep\"}"), HL_LOSS_KEEP);
    assert_int_equal(loss_of(*state, "{\"a\":{\"on_vector_loss\":1},\"on_vector_loss\":"
                                     "\"refuse\",\"b\":[2]}"),
                     HL_LOSS_REFUSE);
}

static void metadata_that_say_nothing_allow_it(void **state)
{
    assert_int_equal(loss_of(*state, "{}"), HL_LOSS_ALLOW);
    assert_int_equal(loss_of(*state, "{\"owner\":\"keep\"}"), HL_LOSS_ALLOW);
    assert_int_equal(loss_of(*state, "{\"on_vector_loss\":null}"), HL_LOSS_ALLOW);
}

static void another_word_is_refused(void **state)
{
    static const struct reading_case cases[] = {
        {"{\"on_vector_loss\":\"Keep\"}", 422,
         "[on_vector_loss: value \"Keep\" invalid, must be "
         "one of \"allow\", \"keep\", \"refuse\"]"},
        {"{\"on_vector_loss\":true}", 400, "on_vector_loss: expected a string, got true"},
        {"{\"on_vector_loss\":\"keep\",\"on_vector_loss\":\"keep\"}", 400,
         "on_vector_loss: duplicate field"},
        {"[]", 400, "expected an object, got an array"},
    };
    enum hl_loss loss;

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        assert_reading(*state, &cases[i], read_loss, &loss);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(metadata_say_what_becomes_of_vectors, start_reading,
                                        stop_reading),
        cmocka_unit_test_setup_teardown(metadata_that_say_nothing_allow_it, start_reading,
                                        stop_reading),
        cmocka_unit_test_setup_teardown(another_word_is_refused, start_reading,
                                        stop_reading),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
