/* SPDX-License-Identifier: Apache-2.0 */
/* Thresholds and bodies of rollouts, from JSON and back. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "server/rollout_body.h"
#include "server/rollout_settings.h"
#include "tests/unit/reading.h"

/* HL_ROLLOUT_START: of a PUT. */
static enum hl_code read_step(struct reading *f, enum hl_rollout_action action,
                              const char *text, struct hl_rollout_body *body)
{
    const struct hl_field *root = reading_of(f, text);

    return action == HL_ROLLOUT_START ? hl_rollout_body_read(root, body, &f->err)
                                      : hl_rollout_step_read(root, action, body, &f->err);
}

static enum hl_code read_put(struct reading *f, const char *text,
                             struct hl_rollout_body *body)
{
    return read_step(f, HL_ROLLOUT_START, text, body);
}

static void assert_printed(struct reading *f, const char *put, const char *gate,
                           const char *guard)
{
    struct hl_rollout_body body;
    struct hl_buf buf;

    assert_int_equal(read_put(f, put, &body), HL_OK);
    hl_buf_init(&buf, 4096);
    hl_gates_print(&body.settings.gate, &buf);
    assert_string_equal(buf.data, gate);
    hl_buf_clear(&buf, 0);
    hl_guard_print(&body.settings.guard, &buf);
    assert_string_equal(buf.data, guard);
    hl_buf_done(&buf);
}

static void what_is_left_out_is_the_default_and_any_limit_can_be_off(void **state)
{
    struct reading *f = *state;

    assert_printed(f, "{\"from\":\"a\",\"to\":\"b\",\"gate\":null,\"guard\":{}}",
                   "{\"criterion\":true,\"min_gain\":null,\"max_negative_flips\":null,"
                   "\"min_self\":null}",
                   "{\"excess_flips\":0.01,\"excess_disagreement\":0.1,"
                   "\"latency_ratio\":1.5,\"error_rate\":0.01,\"min_samples\":200}");
    assert_printed(f,
                   "{\"from\":\"a\",\"to\":\"b\",\"gate\":{\"criterion\":false,"
                   "\"min_gain\":0.3,\"max_negative_flips\":0.08,\"min_self\":0.5},"
                   "\"guard\":{\"excess_flips\":\"off\",\"excess_disagreement\":\"off\","
                   "\"latency_ratio\":\"off\",\"error_rate\":\"off\",\"min_samples\":7}}",
                   "{\"criterion\":false,\"min_gain\":0.3,\"max_negative_flips\":0.08,"
                   "\"min_self\":0.5}",
                   "{\"excess_flips\":\"off\",\"excess_disagreement\":\"off\","
                   "\"latency_ratio\":\"off\",\"error_rate\":\"off\",\"min_samples\":7}");
}

static void every_setting_makes_another_rollout_of_it(void **state)
{
    static const char *const settings[] = {
        "\"probes\":\"p\"",
        "\"sample\":0.5",
        "\"ttl_s\":11",
        "\"gate\":{\"criterion\":false}",
        "\"gate\":{\"min_gain\":0}",
        "\"gate\":{\"max_negative_flips\":0}",
        "\"gate\":{\"min_self\":0}",
        "\"guard\":{\"excess_flips\":\"off\"}",
        "\"guard\":{\"excess_disagreement\":0.2}",
        "\"guard\":{\"latency_ratio\":2}",
        "\"guard\":{\"error_rate\":0}",
        "\"guard\":{\"min_samples\":201}",
    };
    struct reading *f = *state;
    struct hl_rollout_body plain, other;
    char text[200];

    assert_int_equal(read_put(f, "{\"from\":\"a\",\"to\":\"b\"}", &plain), HL_OK);
    for (size_t i = 0; i < sizeof settings / sizeof *settings; i++) {
        (void)snprintf(text, sizeof text, "{\"from\":\"a\",\"to\":\"b\",%s}", settings[i]);
        assert_int_equal(read_put(f, text, &other), HL_OK);
        assert_true(hl_rollout_is_set_as(&other.settings, &other.settings));
        if (hl_rollout_is_set_as(&plain.settings, &other.settings) ||
            hl_rollout_is_set_as(&other.settings, &plain.settings))
            fail_msg("%s changes nothing", settings[i]);
    }
}

static void a_percentage_has_two_decimals_and_is_more_than_nothing(void **state)
{
    static const struct {
        const char *text;
        enum hl_code code;
    } cases[] = {{"0.01", HL_OK},        {"100", HL_OK},         {"33.33", HL_OK},
                 {"99.99", HL_OK},       {"1e1", HL_OK},         {"0.29", HL_OK},
                 {"0", HL_INVALID},      {"0.001", HL_INVALID},  {"-1", HL_INVALID},
                 {"100.01", HL_INVALID}, {"33.333", HL_INVALID}, {"\"5\"", HL_MALFORMED}};
    struct reading *f = *state;
    struct hl_rollout_body body;
    char text[60];

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        (void)snprintf(text, sizeof text, "{\"percent\":%s}", cases[i].text);
        if (read_step(f, HL_ROLLOUT_ADVANCE, text, &body) != cases[i].code)
            fail_msg("%s: %s", text, f->err.msg);
    }
}

static void each_step_takes_what_it_knows_and_nothing_else(void **state)
{
    static const struct {
        const char *text;
        enum hl_rollout_action action;
        enum hl_code code;
    } cases[] = {
        {"{}", HL_ROLLOUT_ROLLBACK, HL_OK},
        {"{\"expect\":3,\"why\":\"x\"}", HL_ROLLOUT_ROLLBACK, HL_OK},
        {"{\"force\":true}", HL_ROLLOUT_ROLLBACK, HL_MALFORMED},
        {"{\"force\":true}", HL_ROLLOUT_PROMOTE, HL_OK},
        {"{\"percent\":5}", HL_ROLLOUT_PROMOTE, HL_MALFORMED},
        {"{\"force\":true}", HL_ROLLOUT_ADVANCE, HL_MALFORMED},
        {"{\"percent\":5,\"force\":true,\"expect\":1}", HL_ROLLOUT_ADVANCE, HL_OK},
        {"{\"why\":\"\"}", HL_ROLLOUT_ABORT, HL_INVALID},
        {"{\"why\":\"a\\u0000b\"}", HL_ROLLOUT_ABORT, HL_INVALID},
        {"{\"expect\":0}", HL_ROLLOUT_END, HL_INVALID},
        {"[]", HL_ROLLOUT_END, HL_MALFORMED},
    };
    struct reading *f = *state;
    struct hl_rollout_body body;

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        if (read_step(f, cases[i].action, cases[i].text, &body) != cases[i].code)
            fail_msg("%s: %s", cases[i].text, f->err.msg);
}

#define WITH(test) cmocka_unit_test_setup_teardown(test, start_reading, stop_reading)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH(what_is_left_out_is_the_default_and_any_limit_can_be_off),
        WITH(every_setting_makes_another_rollout_of_it),
        WITH(a_percentage_has_two_decimals_and_is_more_than_nothing),
        WITH(each_step_takes_what_it_knows_and_nothing_else),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
