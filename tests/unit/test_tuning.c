/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "proto/tuning.h"

#include "tests/unit/reading.h"

struct read_tuning {
    enum hl_tuning_kind kind;
    struct hl_text text;
};

static enum hl_code read_tuning(const struct hl_field *field, void *out, struct hl_err *err)
{
    struct read_tuning *read = out;

    return hl_tuning_read(field, read->kind, &read->text, err);
}

static void settings_are_checked_and_kept_as_they_came(void **state)
{
    static const struct {
        enum hl_tuning_kind kind;
        struct reading_case accepted;
    } cases[] = {
        {HL_TUNING_HNSW, {"{}", 200, NULL}},
        {HL_TUNING_HNSW,
         {"{ \"m\" : 0, \"ef_construct\":4, \"full_scan_threshold\":10, \"payload_m\":0,"
          "\"max_indexing_threads\":0,\"on_disk\":false,\"memory\":\"pinned\","
          "\"inline_storage\":null}",
          200, NULL}},
        {HL_TUNING_OPTIMIZERS,
         {"{\"deleted_threshold\":0.2,\"max_optimization_threads\":\"auto\"}", 200, NULL}},
        {HL_TUNING_OPTIMIZERS, {"{\"max_optimization_threads\":4}", 200, NULL}},
        {HL_TUNING_WAL, {"{\"wal_capacity_mb\":32}", 200, NULL}},
        {HL_TUNING_QUANTIZATION,
         {"{\"scalar\":{\"type\":\"int8\",\"quantile\":0.99,\"always_ram\":true}}", 200,
          NULL}},
        {HL_TUNING_QUANTIZATION, {"{\"product\":{\"compression\":\"x16\"}}", 200, NULL}},
        {HL_TUNING_QUANTIZATION, {"{\"binary\":{}}", 200, NULL}},
        {HL_TUNING_QUANTIZATION, {"{\"turbo\":{\"bits\":\"bits4\"}}", 200, NULL}},
        {HL_TUNING_QUANTIZATION_PATCH, {"\"Disabled\"", 200, NULL}},
        {HL_TUNING_STRICT_MODE, {"{\"enabled\":false,\"max_timeout\":3}", 200, NULL}},
        {HL_TUNING_PARAMS, {"{\"replication_factor\":1}", 200, NULL}},
        {HL_TUNING_VECTOR_PATCH, {"{\"hnsw_config\":{\"m\":16}}", 200, NULL}},
        {HL_TUNING_SPARSE_INDEX, {"{\"datatype\":\"float32\"}", 200, NULL}},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct read_tuning read = {.kind = cases[i].kind};

        assert_reading(*state, &cases[i].accepted, read_tuning, &read);
        assert_true(hl_text_is(&read.text, cases[i].accepted.body));
    }
}

static void settings_out_of_the_contract_are_refused(void **state)
{
    static const struct {
        enum hl_tuning_kind kind;
        struct reading_case wanted;
    } cases[] = {
        {HL_TUNING_HNSW, {"[]", 400, "expected an object, got an array"}},
        {HL_TUNING_HNSW, {"{\"efconstruct\":1}", 400, "efconstruct: unknown field"}},
        {HL_TUNING_HNSW,
         {"{\"ef_construct\":3}", 422,
          "[ef_construct: value 3 invalid, must be 4 or larger]"}},
        {HL_TUNING_HNSW, {"{\"m\":1.5}", 400, "m: expected a whole number, got 1.5"}},
        {HL_TUNING_HNSW,
         {"{\"memory\":\"hot\"}", 422,
          "[memory: value \"hot\" invalid, must be one of \"cold\", \"cached\", "
          "\"pinned\"]"}},
        {HL_TUNING_OPTIMIZERS,
         {"{\"deleted_threshold\":2}", 422,
          "[deleted_threshold: value 2 invalid, must be from 0 to 1]"}},
        {HL_TUNING_OPTIMIZERS,
         {"{\"max_optimization_threads\":\"many\"}", 422,
          "[max_optimization_threads: value \"many\" invalid, must be one of \"auto\"]"}},
        {HL_TUNING_QUANTIZATION,
         {"\"Disabled\"", 400, "expected an object, got \"Disabled\""}},
        {HL_TUNING_QUANTIZATION,
         {"{}", 422, "[value an object invalid, must be one kind of quantization]"}},
        {HL_TUNING_QUANTIZATION,
         {"{\"binary\":{},\"turbo\":{}}", 422,
          "[value an object invalid, must be one kind of quantization]"}},
        {HL_TUNING_QUANTIZATION,
         {"{\"scalar\":{}}", 400, "scalar: missing field \"type\""}},
        {HL_TUNING_STRICT_MODE,
         {"{\"enabled\":true}", 400,
          "\"strict_mode_config\" is not supported: limits are the server's "
          "configuration"}},
        {HL_TUNING_PARAMS,
         {"{\"replication_factor\":2}", 400,
          "\"replication_factor\" is not supported: there is one node, so it must be 1"}},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct read_tuning read = {.kind = cases[i].kind};

        assert_reading(*state, &cases[i].wanted, read_tuning, &read);
    }
}

static void assert_merged(struct reading *r, const char *old, const char *patch,
                          enum hl_merge_null null, const char *wanted)
{
    struct hl_text a = {old, strlen(old)}, b = {patch, strlen(patch)};
    struct hl_buf buf;

    hl_buf_init(&buf, 4096);
    assert_int_equal(hl_tuning_merge(&a, &b, null, r->arena, &buf, &r->err), HL_OK);
    assert_string_equal(buf.data, wanted);
    hl_buf_done(&buf);
}

static void a_patch_is_put_over_what_there_is(void **state)
{
    assert_merged(*state, "{}", "{}", HL_MERGE_NULL_REMOVES, "{}");
    assert_merged(*state, "{\"b\":1,\"a\":{\"x\":1}}", "{\"a\":{\"y\":2},\"c\":[3]}",
                  HL_MERGE_NULL_REMOVES, "{\"a\":{\"y\":2},\"b\":1,\"c\":[3]}");
    assert_merged(*state, "{\"a\":1,\"b\":2}", "{\"a\":null,\"d\":null}",
                  HL_MERGE_NULL_REMOVES, "{\"b\":2}");
    assert_merged(*state, "{\"a\":1,\"b\":2}", "{\"a\":null,\"b\":3}", HL_MERGE_NULL_ABSENT,
                  "{\"a\":1,\"b\":3}");
    assert_merged(*state, "{\"a\":1,\"\\u0061\":2}", "{}", HL_MERGE_NULL_REMOVES,
                  "{\"a\":2}");
    assert_merged(*state, "{\"n\":18446744073709551617}", "{}", HL_MERGE_NULL_ABSENT,
                  "{\"n\":18446744073709551617}");
}

static void a_merge_without_room_says_so(void **state)
{
    struct reading *r = *state;
    struct hl_text old = {"{\"a\":1}", 7}, patch = {"{\"b\":2}", 7};
    struct hl_buf buf;

    hl_buf_init(&buf, 8);
    assert_int_equal(
        hl_tuning_merge(&old, &patch, HL_MERGE_NULL_ABSENT, r->arena, &buf, &r->err),
        HL_TOO_LARGE);
    hl_buf_done(&buf);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, start_reading, stop_reading)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(settings_are_checked_and_kept_as_they_came),
        TEST(settings_out_of_the_contract_are_refused),
        TEST(a_patch_is_put_over_what_there_is),
        TEST(a_merge_without_room_says_so),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
