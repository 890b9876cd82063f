/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "proto/probe.h"
#include "tests/unit/reading.h"

/* What is taken is printed as it is kept, and counted. */
struct taking {
    struct hl_probe_taker taker; /* first */
    struct hl_probe_settings settings;
    struct hl_buf text;
};

static enum hl_code print_probe(struct hl_probe_taker *taker, const struct hl_probe *probe,
                                struct hl_err *err)
{
    struct taking *taking = (struct taking *)taker;

    hl_probe_print(probe, &taking->text);
    return hl_buf_check(&taking->text, "the probes", err);
}

static enum hl_code read_set(const struct hl_field *field, void *out, struct hl_err *err)
{
    struct taking *taking = out;

    hl_buf_clear(&taking->text, 0);
    taking->taker.n = 0;
    return hl_probes_read(field, &taking->taker, &taking->settings, err);
}

static struct taking begin_taking(void)
{
    struct taking taking = {
        .taker = {.take = print_probe, .scratch = hl_arena_new(1 << 20)}};

    hl_buf_init(&taking.text, 1 << 20);
    assert_non_null(taking.taker.scratch);
    return taking;
}

static void end_taking(struct taking *taking)
{
    hl_arena_free(taking->taker.scratch);
    hl_buf_done(&taking->text);
}

static enum hl_code read_lines(struct taking *taking, const char *text, struct hl_err *err)
{
    hl_buf_clear(&taking->text, 0);
    taking->taker.n = 0;
    return hl_probes_read_lines(text, strlen(text), &taking->taker, &taking->settings, err);
}

/* Two queries, and how they are kept: 1.0 and 2.0 are AACAPwAAAEA=, 3.0 is AABAQA==. */
#define QUERIES                                                                            \
    "[{\"id\":\"a \\\"b\\\"\",\"vectors\":{\"@default\":[1,2],\"v2\":\"AABAQA==\"},"       \
    "\"relevant\":[7,3,7]},\n{\"vectors\":{\"v2\":[3]},\"relevant_if\":{\"must\":[\n"      \
    "{\"key\":\"x\",\"match\":{\"value\":\"p\"}}]},\"filter\":{\"must_not\":[{"            \
    "\"has_id\":[9]}]},\"relevant\":null}]"

static const char kept[] =
    "{\"id\":\"a \\\"b\\\"\",\"vectors\":{\"@default\":\"AACAPwAAAEA=\",\"v2\":"
    "\"AABAQA==\"},\"relevant\":[3,7]}\n"
    "{\"vectors\":{\"v2\":\"AABAQA==\"},\"relevant_if\":{\"must\":[ {\"key\":\"x\","
    "\"match\":{\"value\":\"p\"}}]},\"filter\":{\"must_not\":[{\"has_id\":[9]}]}}\n";

static void a_body_and_its_lines_are_the_same_set(void **state)
{
    static const struct reading_case body = {"{\"queries\":" QUERIES ",\"k\":20,\"flip_at\""
                                             ":3,\"every_s\":60}",
                                             200, NULL};
    struct reading *r = *state;
    struct taking taking = begin_taking();
    struct hl_buf lines;

    assert_reading(r, &body, read_set, &taking);
    assert_int_equal(taking.taker.n, 2);
    assert_string_equal(taking.text.data, kept);
    hl_buf_init(&lines, 1 << 20);
    hl_probe_settings_print(&taking.settings, &lines);
    assert_string_equal(lines.data, "{\"k\":20,\"flip_at\":3,\"every_s\":60}\n");
    hl_buf_add_text(&lines, kept);
    taking.settings = (struct hl_probe_settings){0};
    assert_int_equal(read_lines(&taking, lines.data, &r->err), HL_OK);
    assert_string_equal(taking.text.data, kept);
    assert_int_equal(taking.settings.k, 20);
    assert_int_equal(taking.settings.flip_at, 3);
    assert_int_equal(taking.settings.every_s, 60);
    hl_buf_done(&lines);
    end_taking(&taking);
}

static void settings_may_be_left_out_and_lines_empty(void **state)
{
    struct reading *r = *state;
    struct taking taking = begin_taking();

    assert_int_equal(read_lines(&taking,
                                "\n  \r\n{\"vectors\":{\"\":[1]},\"relevant\":[1]}\r\n\n"
                                "{\"relevant\":[\"00112233445566778899aabbccddeeff\"],"
                                "\"vectors\":{\"v\":[1]}}",
                                &r->err),
                     HL_OK);
    assert_int_equal(taking.taker.n, 2);
    assert_int_equal(taking.settings.k, 10);
    assert_int_equal(taking.settings.flip_at, 1);
    assert_int_equal(taking.settings.every_s, 0);
    assert_non_null(strstr(taking.text.data, "{\"@default\":\"AACAPw==\"}"));
    assert_non_null(strstr(taking.text.data, "[\"00112233-4455-6677-8899-aabbccddeeff\"]"));
    assert_int_equal(
        read_lines(&taking, "{}\n{\"vectors\":{\"v\":[1]},\"relevant\":[1]}", &r->err),
        HL_OK);
    assert_int_equal(taking.taker.n, 1);
    end_taking(&taking);
}

#define ONE(members) "{\"queries\":[{" members "}]}"
#define V            "\"vectors\":{\"v\":[1]}"

static void what_cannot_be_meant_is_refused(void **state)
{
    static const struct reading_case cases[] = {
        {"{}", 400, "missing field \"queries\""},
        {"[]", 400, "expected an object, got an array"},
        {"{\"queries\":7}", 400, "queries: expected an array, got 7"},
        {ONE("\"relevant\":[1]"), 400, "queries[0]: missing field \"vectors\""},
        {ONE("\"vectors\":[1],\"relevant\":[1]"), 400,
         "queries[0].vectors: expected an object of vectors, one of each model, got an "
         "array"},
        {ONE("\"vectors\":{},\"relevant\":[1]"), 422,
         "[queries[0].vectors: value an object invalid, must be vectors of one model at "
         "least]"},
        {ONE("\"vectors\":{\"v\":{\"indices\":[1],\"values\":[1]}},\"relevant\":[1]"), 400,
         "queries[0].vectors: probes have dense vectors, got a sparse one"},
        {ONE("\"vectors\":{\"v\":[]},\"relevant\":[1]"), 400,
         "queries[0].vectors: a vector without numbers is there"},
        {ONE("\"vectors\":{\"\":[1],\"@default\":[1]},\"relevant\":[1]"), 400,
         "queries[0].vectors: both \"\" and \"@default\" are there"},
        {ONE(V), 400,
         "queries[0]: nothing says what it must find: \"relevant\" has ids, "
         "\"relevant_if\" "
         "is a filter"},
        {ONE(V ",\"relevant\":[]"), 400,
         "queries[0]: nothing says what it must find: \"relevant\" has ids, "
         "\"relevant_if\" "
         "is a filter"},
        {ONE(V ",\"relevant_if\":{}"), 422,
         "[queries[0].relevant_if: value an object invalid, must be a filter with a "
         "condition]"},
        {ONE(V ",\"relevant\":[-1]"), 422,
         "[queries[0].relevant[0]: value -1 invalid, must be from 0 to "
         "18446744073709551615]"},
        {ONE(V ",\"relevant\":[1],\"using\":\"v\""), 400,
         "queries[0].using: unknown field"},
        {ONE(V ",\"relevant\":[1],\"id\":7"), 400,
         "queries[0].id: expected a string, got 7"},
        {"{\"queries\":[{" V ",\"relevant\":[1]}],\"k\":0}", 422,
         "[k: value 0 invalid, must be from 1 to 1000]"},
        {"{\"flip_at\":1001,\"queries\":[]}", 422,
         "[flip_at: value 1001 invalid, must be from 1 to 1000]"},
        {"{\"every_s\":2678401,\"queries\":[]}", 422,
         "[every_s: value 2678401 invalid, must be from 0 to 2678400]"},
        {"{\"k\":2,\"queries\":[{" V ",\"relevant\":[1]}],\"flip_at\":3}", 422,
         "[flip_at: value 3 invalid, must be at most k, which is 2]"},
    };
    struct taking taking = begin_taking();

    ASSERT_READINGS(*state, cases, read_set, &taking);
    end_taking(&taking);
}

static void lines_are_refused_by_their_number(void **state)
{
    static const struct {
        const char *text, *sentence;
    } cases[] = {
        {"", "a probe set has one query at least, got none"},
        {"{\"k\":3}\n", "a probe set has one query at least, got none"},
        {"{\"k\":3}\n\n{\"k\":4}", "Format error in line 3: k: unknown field"},
        {"{\"k\":3,\"queries\":[]}", "Format error in line 1: queries: unknown field"},
        {"{\"k\":3} 7", "Format error in line 1: expected nothing more, got \"7\" at line "
                        "1 column 9 (byte 8)"},
        {"{" V ",\"relevant\":[1]}\n[1]", "Format error in line 2: expected an object, got "
                                          "an array"},
        {"{\"k\":2,\"flip_at\":3}\n{" V ",\"relevant\":[1]}",
         "Validation error in line 1: [flip_at: value 3 invalid, must be at most k, which "
         "is 2]"},
        {"nonsense",
         "Format error in line 1: expected a value, got \"n\" at line 1 column 1 "
         "(byte 0)"},
    };
    struct reading *r = *state;
    struct taking taking = begin_taking();

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_int_not_equal(read_lines(&taking, cases[i].text, &r->err), HL_OK);
        assert_string_equal(r->err.msg, cases[i].sentence);
    }
    end_taking(&taking);
}

static enum hl_code refuse(struct hl_probe_taker *taker, const struct hl_probe *probe,
                           struct hl_err *err)
{
    (void)probe;
    return taker->n == 1 ? hl_fail(err, HL_CONFLICT, "not this one") : HL_OK;
}

static void who_takes_can_refuse(void **state)
{
    struct reading *r = *state;
    struct taking taking = begin_taking();

    taking.taker.take = refuse;
    assert_int_equal(read_set(reading_of(r, "{\"queries\":" QUERIES "}"), &taking, &r->err),
                     HL_CONFLICT);
    assert_int_equal(taking.taker.n, 1);
    assert_int_equal(read_lines(&taking, kept, &r->err), HL_CONFLICT);
    end_taking(&taking);
}

/* The arena of the body, and the one of a single query. */
static void under_every_ceiling_a_set_is_read_or_refused(void **state)
{
    static const char body[] = "{\"\\u006b\":20,\"queries\":" QUERIES "}";
    struct reading *r = *state;
    struct taking taking = begin_taking();
    enum hl_code code = HL_TOO_LARGE;

    assert_reading_under_ceilings(r, body, 1 << 16, read_set, &taking);
    for (size_t ceiling = 0; code != HL_OK; ceiling += 16) {
        hl_arena_free(taking.taker.scratch);
        taking.taker.scratch = hl_arena_new(ceiling);
        assert_true(ceiling < 1 << 16);
        code = read_set(reading_of(r, body), &taking, &r->err);
        assert_true(code == HL_OK || code == HL_TOO_LARGE);
    }
    assert_string_equal(taking.text.data, kept);
    end_taking(&taking);
}

static enum hl_code read_order(const struct hl_field *field, void *out, struct hl_err *err)
{
    return hl_probe_order_read(field, out, err);
}

static void an_order_names_both_models_or_none(void **state)
{
    static const struct reading_case refused[] = {
        {"{\"from\":\"a\"}", 400, "\"from\" and \"to\" come together"},
        {"{\"to\":\"a\"}", 400, "\"from\" and \"to\" come together"},
        {"{\"version\":0}", 422, "[version: value 0 invalid, must be 1 or larger]"},
        {"{\"set\":\"a\"}", 400, "set: unknown field"},
    };
    static const struct reading_case none = {"{}", 200, NULL};
    static const struct reading_case both = {
        "{\"from\":\"@default\",\"to\":\"v2\",\"version\":3}", 200, NULL};
    struct hl_probe_order order;

    assert_reading(*state, &none, read_order, &order);
    assert_null(order.from.text);
    assert_int_equal(order.version, 0);
    assert_reading(*state, &both, read_order, &order);
    assert_true(hl_text_is(&order.from, "@default"));
    assert_true(hl_text_is(&order.to, "v2"));
    assert_int_equal(order.version, 3);
    ASSERT_READINGS(*state, refused, read_order, &order);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, start_reading, stop_reading)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_body_and_its_lines_are_the_same_set),
        TEST(settings_may_be_left_out_and_lines_empty),
        TEST(what_cannot_be_meant_is_refused),
        TEST(lines_are_refused_by_their_number),
        TEST(who_takes_can_refuse),
        TEST(under_every_ceiling_a_set_is_read_or_refused),
        TEST(an_order_names_both_models_or_none),
    };

    return cmocka_run_group_tests_name("probe", tests, NULL, NULL);
}
