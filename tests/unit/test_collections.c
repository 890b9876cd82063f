/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "proto/collections.h"

#include "tests/unit/reading.h"

static enum hl_code read_create(const struct hl_field *field, void *out, struct hl_err *err)
{
    return hl_create_collection_read(field, out, err);
}

static enum hl_code read_update(const struct hl_field *field, void *out, struct hl_err *err)
{
    return hl_update_collection_read(field, out, err);
}

static enum hl_code read_vector(const struct hl_field *field, void *out, struct hl_err *err)
{
    return hl_vector_config_read(field, out, err);
}

static struct hl_create_collection create_of(struct reading *r, const char *body)
{
    struct reading_case accepted = {body, 200, NULL};
    struct hl_create_collection create;

    assert_reading(r, &accepted, read_create, &create);
    return create;
}

static void a_collection_has_one_unnamed_vector(void **state)
{
    struct hl_create_collection c =
        create_of(*state, "{\"vectors\":{\"size\":4,\"distance\":\"Cosine\"}}");

    assert_true(c.is_unnamed);
    assert_int_equal(c.vectors.n, 1);
    assert_int_equal(c.vectors.items[0].name.len, 0);
    assert_int_equal(c.vectors.items[0].size, 4);
    assert_int_equal(c.vectors.items[0].distance, HL_COSINE);
    assert_true(
        hl_text_is(&c.vectors.items[0].text, "{\"size\":4,\"distance\":\"Cosine\"}"));
    assert_true(create_of(*state, "{\"vectors\":{\"hnsw_config\":{\"m\":8},\"size\":1,"
                                  "\"distance\":\"Dot\"}}")
                    .is_unnamed);
}

static void a_collection_has_named_vectors(void **state)
{
    struct hl_create_collection c = create_of(
        *state, "{\"vectors\":{\"a\":{\"size\":65536,\"distance\":\"Euclid\","
                "\"on_disk\":true,\"datatype\":\"float32\",\"multivector_config\":null},"
                "\"\":{\"size\":1,\"distance\":\"Manhattan\"}},"
                "\"sparse_vectors\":{\"s\":{},\"t\":{\"index\":{\"on_disk\":false},"
                "\"modifier\":\"none\"}}}");

    assert_false(c.is_unnamed);
    assert_int_equal(c.vectors.n, 4);
    assert_true(hl_text_is(&c.vectors.items[0].name, "a"));
    assert_int_equal(c.vectors.items[0].size, 65536);
    assert_int_equal(c.vectors.items[1].distance, HL_MANHATTAN);
    assert_true(c.vectors.items[2].is_sparse);
    assert_true(hl_text_is(&c.vectors.items[2].text, "{}"));
    assert_int_equal(create_of(*state, "{}").vectors.n, 0);
    assert_int_equal(create_of(*state, "{\"vectors\":{}}").vectors.n, 0);
}

/* Whether the vector is on disk that says so much of it. */
static bool is_on_disk(void **state, const char *members)
{
    char body[160];

    snprintf(body, sizeof body, "{\"vectors\":{\"size\":4,\"distance\":\"Dot\"%s}}",
             members);
    return create_of(*state, body).vectors.items[0].is_on_disk;
}

static void memory_says_where_floats_are_and_else_on_disk_does(void **state)
{
    assert_false(is_on_disk(state, ""));
    assert_true(is_on_disk(state, ",\"on_disk\":true"));
    assert_false(is_on_disk(state, ",\"on_disk\":false"));
    assert_false(is_on_disk(state, ",\"on_disk\":null"));
    assert_true(is_on_disk(state, ",\"memory\":\"cold\""));
    assert_false(is_on_disk(state, ",\"memory\":\"cached\""));
    assert_false(is_on_disk(state, ",\"memory\":\"cached\",\"on_disk\":true"));
    assert_false(is_on_disk(state, ",\"on_disk\":true,\"memory\":\"cached\""));
    assert_true(is_on_disk(state, ",\"on_disk\":false,\"memory\":\"cold\""));
    assert_true(is_on_disk(state, ",\"memory\":\"cold\",\"on_disk\":false"));
}

static void what_changes_no_answer_is_kept(void **state)
{
    struct hl_create_collection c = create_of(
        *state, "{\"vectors\":{},\"shard_number\":1,\"replication_factor\":1,"
                "\"write_consistency_factor\":1,\"sharding_method\":\"auto\","
                "\"on_disk_payload\":true,\"payload\":{\"memory\":\"cold\"},"
                "\"hnsw_config\":{\"m\":8},\"wal_config\":{},\"optimizers_config\":{},"
                "\"quantization_config\":{\"binary\":{}},"
                "\"strict_mode_config\":{\"enabled\":false},"
                "\"metadata\":{\"n\":18446744073709551617}}");

    assert_true(hl_text_is(&c.settings.hnsw_config, "{\"m\":8}"));
    assert_true(hl_text_is(&c.settings.wal_config, "{}"));
    assert_true(hl_text_is(&c.settings.metadata, "{\"n\":18446744073709551617}"));
    assert_true(c.settings.has_on_disk_payload && c.settings.on_disk_payload);
    assert_null(create_of(*state, "{\"hnsw_config\":null}").settings.hnsw_config.text);
}

static void what_is_no_collection_is_refused(void **state)
{
    static const struct reading_case cases[] = {
        {"{\"vectors\":{\"size\":0,\"distance\":\"Dot\"}}", 422,
         "[vectors.size: value 0 invalid, must be from 1 to 65536]"},
        {"{\"vectors\":{\"size\":65537,\"distance\":\"Dot\"}}", 422,
         "[vectors.size: value 65537 invalid, must be from 1 to 65536]"},
        {"{\"vectors\":{\"size\":4}}", 400, "vectors: missing field \"distance\""},
        {"{\"vectors\":{\"a\":{\"size\":4,\"distance\":\"cosine\"}}}", 422,
         "[vectors.a.distance: value \"cosine\" invalid, must be one of \"Cosine\", "
         "\"Euclid\", \"Dot\", \"Manhattan\"]"},
        {"{\"vectors\":{\"a\":{\"size\":4,\"distance\":\"Dot\",\"dim\":4}}}", 400,
         "vectors.a.dim: unknown field"},
        {"{\"vectors\":7}", 400, "vectors: expected an object, got 7"},
        {"{\"vectors\":{\"a\":{\"size\":1,\"distance\":\"Dot\"}},"
         "\"sparse_vectors\":{\"a\":{}}}",
         400, "sparse_vectors.a: duplicate field"},
        {"{\"vectors\":{\"@default\":{\"size\":1,\"distance\":\"Dot\"}}}", 422, NULL},
        {"{\"hnsw_config\":{\"ef\":1}}", 400, "hnsw_config.ef: unknown field"},
        {"{\"metadata\":[]}", 400, "metadata: expected an object, got an array"},
        {"{\"init_from\":{}}", 400, "init_from: unknown field"},
    };
    struct hl_create_collection create;
    struct reading *r = *state;

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        if (cases[i].sentence)
            assert_reading(r, &cases[i], read_create, &create);
        else
            assert_int_equal(read_create(reading_of(r, cases[i].body), &create, &r->err),
                             HL_INVALID);
    }
}

static void what_is_not_ours_is_refused_by_its_name(void **state)
{
    static const char *const cases[] = {
        "{\"shard_number\":2}",
        "{\"replication_factor\":3}",
        "{\"write_consistency_factor\":2}",
        "{\"sharding_method\":\"custom\"}",
        "{\"strict_mode_config\":{\"enabled\":true}}",
        "{\"vectors\":{\"size\":1,\"distance\":\"Dot\",\"datatype\":\"uint8\"}}",
        "{\"vectors\":{\"size\":1,\"distance\":\"Dot\",\"multivector_config\":{}}}",
        "{\"sparse_vectors\":{\"s\":{\"modifier\":\"idf\"}}}",
    };
    struct reading *r = *state;

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct hl_create_collection create;
        enum hl_code code =
            hl_create_collection_read(reading_of(r, cases[i]), &create, &r->err);

        if (code != HL_NOT_SUPPORTED || !strstr(r->err.msg, " is not supported: "))
            fail_msg("%s: %s", cases[i], r->err.msg);
    }
}

static void a_patch_names_what_it_changes(void **state)
{
    static const struct reading_case accepted = {
        "{\"vectors\":{\"\":{\"hnsw_config\":{\"m\":8}},\"b\":{\"on_disk\":true,"
        "\"quantization_config\":\"Disabled\"}},\"sparse_vectors\":{\"s\":{}},"
        "\"params\":{\"read_fan_out_factor\":2},\"quantization_config\":\"Disabled\","
        "\"metadata\":{\"a\":null}}",
        200, NULL};
    static const struct reading_case cases[] = {
        {"{\"vectors\":{\"a\":{\"size\":4}}}", 400, "vectors.a.size: unknown field"},
        {"{\"wal_config\":{}}", 400, "wal_config: unknown field"},
        {"{\"params\":{\"replication_factor\":2}}", 400,
         "\"replication_factor\" is not supported: there is one node, so it must be 1"},
    };
    struct hl_update_collection update;

    assert_reading(*state, &accepted, read_update, &update);
    assert_int_equal(update.n_vectors, 3);
    assert_true(hl_text_is(&update.vectors[1].name, "b"));
    assert_true(update.vectors[2].is_sparse);
    assert_true(hl_text_is(&update.settings.quantization_config, "\"Disabled\""));
    assert_true(hl_text_is(&update.settings.metadata, "{\"a\":null}"));
    ASSERT_READINGS(*state, cases, read_update, &update);
}

static void a_vector_to_be_added_is_dense_or_sparse(void **state)
{
    static const struct reading_case dense = {
        "{\"dense\":{\"size\":8,\"distance\":\"Cosine\"}}", 200, NULL};
    static const struct reading_case sparse = {"{\"sparse\":{}}", 200, NULL};
    static const struct reading_case cases[] = {
        {"{}", 422, "[value an object invalid, must be either \"dense\" or \"sparse\"]"},
        {"{\"dense\":{\"size\":8}}", 400, "dense: missing field \"distance\""},
    };
    struct hl_vector_config config;

    assert_reading(*state, &dense, read_vector, &config);
    assert_int_equal(config.size, 8);
    assert_reading(*state, &sparse, read_vector, &config);
    assert_true(config.is_sparse);
    ASSERT_READINGS(*state, cases, read_vector, &config);
}

static void some_names_cannot_name_a_vector(void **state)
{
    static const struct hl_text good = {"größe/1", 9}, reserved = {"@default", 8},
                                control = {"a\0b", 3};
    char long_name[HL_VECTOR_NAME_MAX + 1] = "";
    struct hl_text too_long = {long_name, sizeof long_name};
    struct reading *r = *state;

    memset(long_name, 'a', sizeof long_name);
    assert_int_equal(hl_vector_name_check(&good, &r->err), HL_OK);
    assert_int_equal(hl_vector_name_check(&reserved, &r->err), HL_INVALID);
    assert_int_equal(hl_vector_name_check(&control, &r->err), HL_INVALID);
    assert_string_equal(r->err.msg,
                        "the name of a vector has a control character at byte 1");
    assert_int_equal(hl_vector_name_check(&too_long, &r->err), HL_INVALID);
    too_long.len--;
    assert_int_equal(hl_vector_name_check(&too_long, &r->err), HL_OK);
    assert_string_equal(hl_distance_name(HL_MANHATTAN), "Manhattan");
}

static void a_collection_runs_out_of_room_in_a_sentence(void **state)
{
    static const char body[] =
        "{\"vectors\":{\"\\u0061\":{\"size\":1,\"distance\":\"Dot\"},"
        "\"b\":{\"size\":1,\"distance\":\"\\u0044ot\"}},\"sparse_vectors\":{\"c\":{},"
        "\"d\":{},\"e\":{}}}";
    struct hl_create_collection create;

    assert_reading_under_ceilings(*state, body, 65536, read_create, &create);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, start_reading, stop_reading)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_collection_has_one_unnamed_vector),
        TEST(a_collection_has_named_vectors),
        TEST(memory_says_where_floats_are_and_else_on_disk_does),
        TEST(what_changes_no_answer_is_kept),
        TEST(what_is_no_collection_is_refused),
        TEST(what_is_not_ours_is_refused_by_its_name),
        TEST(a_patch_names_what_it_changes),
        TEST(a_vector_to_be_added_is_dense_or_sparse),
        TEST(some_names_cannot_name_a_vector),
        TEST(a_collection_runs_out_of_room_in_a_sentence),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
