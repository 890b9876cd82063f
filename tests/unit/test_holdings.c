/* SPDX-License-Identifier: Apache-2.0 */
/* What a collection holds for its models: whose it is, and what goes with whom. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "proto/dir.h"
#include "proto/fail.h"
#include "proto/file.h"
#include "server/change.h"
#include "server/collections.h"
#include "server/holdings.h"
#include "server/server.h"
#include "tests/unit/looking.h"

/* There is one collection, whatever its name. */
static struct hl_collection *the_one;

enum hl_code hl_collections_acquire(struct hl_collections *collections,
                                    const struct hl_span *name,
                                    struct hl_collection **ret_collection,
                                    struct hl_err *err)
{
    (void)collections, (void)name, (void)err;
    *ret_collection = hl_collection_ref(the_one);
    return HL_OK;
}

static const struct hl_span collection = {"c", 1};

static enum hl_code open_holdings(struct stand *s, struct hl_holdings *holdings)
{
    struct hl_server server = {.config = NULL};

    the_one = s->collection;
    return hl_holdings_open(&server, &collection, holdings, &s->err);
}

/* ---- records by the handful ---- */

static const struct {
    const char *kind;
    uint32_t from, to; /* to 0: of a model */
} records[] = {
    {HL_HOLDING_HEAD, 1, 0},          {HL_HOLDING_HEAD, 2, 0},
    {HL_HOLDING_BRIDGE, 1, 2},        {HL_HOLDING_BRIDGE_INFO, 1, 2},
    {HL_HOLDING_BRIDGE_REPORT, 1, 2}, {HL_HOLDING_BRIDGE, 3, 1},
    {HL_HOLDING_BRIDGE_INFO, 3, 1},   {HL_HOLDING_BRIDGE, 2, 3},
    {HL_HOLDING_ACTIVATION, 2, 3},    {HL_HOLDING_PAIR, 1, 2},
};
enum { N_RECORDS = sizeof records / sizeof *records };

static void print_key(size_t i, char key[HL_HOLDING_KEY])
{
    if (records[i].to == 0)
        hl_holding_model_key(records[i].from, key);
    else if (strncmp(records[i].kind, "bridge", 6) == 0 &&
             strcmp(records[i].kind, HL_HOLDING_PAIR) != 0)
        hl_holding_bridge_key(records[i].from, records[i].to, 7, key);
    else
        hl_holding_pair_key(records[i].from, records[i].to, key);
}

static enum hl_code put_all(void *self, struct hl_writing *writing, struct hl_err *err)
{
    enum hl_code code = HL_OK;
    char key[HL_HOLDING_KEY];

    (void)self;
    for (size_t i = 0; code == HL_OK && i < N_RECORDS; i++) {
        print_key(i, key);
        code = hl_store_put_record(hl_writing_store(writing), records[i].kind, key, "x", 1,
                                   err);
    }
    return code;
}

static enum hl_code drop_one(void *self, struct hl_writing *writing, struct hl_err *err)
{
    return hl_holdings_drop_model(writing, *(const uint32_t *)self, err);
}

static bool is_there(const struct hl_holdings *holdings, size_t i, struct hl_err *err)
{
    struct hl_store_record record;
    char key[HL_HOLDING_KEY];

    print_key(i, key);
    return hl_reader_record(holdings->reader, records[i].kind, key, &record, err) == HL_OK;
}

/* ---- the tests ---- */

static void what_is_of_a_model_goes_with_it_and_nothing_else(void **state)
{
    struct stand *s = *state;
    struct hl_holdings holdings;
    uint32_t space = 1;

    assert_int_equal(hl_pending_run_now(s->collection, put_all, NULL, &s->err), HL_OK);
    assert_int_equal(open_holdings(s, &holdings), HL_OK);
    for (size_t i = 0; i < N_RECORDS; i++)
        assert_true(is_there(&holdings, i, &s->err));
    assert_int_equal(hl_holdings_has_bridge(&holdings, 2, &s->err), HL_OK);
    hl_holdings_close(&holdings);
    assert_int_equal(hl_pending_run_now(s->collection, drop_one, &space, &s->err), HL_OK);
    assert_int_equal(open_holdings(s, &holdings), HL_OK);
    for (size_t i = 0; i < N_RECORDS; i++)
        assert_int_equal(is_there(&holdings, i, &s->err),
                         records[i].from != 1 && records[i].to != 1);
    assert_int_equal(hl_holdings_has_bridge(&holdings, 2, &s->err), HL_NOT_FOUND);
    hl_holdings_close(&holdings);
}

static void a_fingerprint_is_the_sum_of_four_lines(void **state)
{
    struct hl_model model = {.name = "v2", .dim = 64, .distance = HL_COSINE};
    char print[HL_SHA256_TEXT_SIZE], other[HL_SHA256_TEXT_SIZE];

    (void)state;
    hl_model_fingerprint(&model, print);
    /* printf 'v2\n64\nCosine\n' | sha256sum */
    assert_string_equal(print,
                        "b3329b4d2e3575dd6e8d05274984f1091de6027d6eafafad504883e5929f3039");
    snprintf(model.revision, sizeof model.revision, "r1");
    hl_model_fingerprint(&model, other);
    assert_string_not_equal(print, other);
}

static void a_model_is_found_by_the_name_that_paths_have(void **state)
{
    static const struct {
        const char *name;
        enum hl_code code;
        const char *shown;
    } cases[] = {{"e", HL_OK, "e"},
                 {"@default", HL_NOT_FOUND, NULL},
                 {"s", HL_INVALID, NULL},
                 {"", HL_NOT_FOUND, NULL}};
    struct stand *s = *state;
    struct hl_holdings holdings;

    assert_int_equal(open_holdings(s, &holdings), HL_OK);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const struct hl_span name = {cases[i].name, strlen(cases[i].name)};
        struct hl_model model;

        assert_int_equal(hl_holdings_model(&holdings, &name, &model, &s->err),
                         cases[i].code);
        if (cases[i].shown)
            assert_string_equal(model.shown, cases[i].shown);
    }
    hl_holdings_close(&holdings);
}

static void a_model_that_is_not_there_is_named_without_what_stands_behind_it(void **state)
{
    const struct hl_span name = {"v9\",\"data\"", 2};
    struct stand *s = *state;
    struct hl_holdings holdings;
    struct hl_model model;

    assert_int_equal(open_holdings(s, &holdings), HL_OK);
    assert_int_equal(hl_holdings_model(&holdings, &name, &model, &s->err), HL_NOT_FOUND);
    assert_string_equal(s->err.msg, "Not found: Not existing vector name error: v9");
    hl_holdings_close(&holdings);
}

static void many_bytes_are_sent_from_a_file_that_is_gone_already(void **state)
{
    enum { SIZE = 3 << 20 };
    static char bytes[SIZE];
    struct stand *s = *state;
    struct hl_config config = {.limits.request_memory_mb = 64};
    struct hl_server server = {.config = &config};
    struct hl_request request = {.arena = s->arena};
    struct hl_reply reply = {.status = 0};
    const struct hl_span span = {bytes, SIZE};
    char uploads[80], last = 0;
    size_t n = 0;

    bytes[SIZE - 1] = 'z';
    snprintf(config.storage.path, sizeof config.storage.path, "%s", s->folder);
    hl_buf_init(&reply.body, 1 << 16);
    assert_int_equal(hl_reply_bytes(&server, &request, &reply, &span, &s->err), HL_OK);
    assert_int_equal(hl_reply_size(&reply), SIZE);
    assert_int_equal(hl_file_read_at(reply.file, &last, 1, SIZE - 1, &n, &s->err), HL_OK);
    assert_int_equal(last, 'z');
    snprintf(uploads, sizeof uploads, "%s/uploads", s->folder);
    assert_int_equal(hl_dir_count(uploads, &n, &s->err), HL_OK);
    assert_int_equal(n, 0);
    hl_file_close(reply.file);
    hl_buf_done(&reply.body);
}

static void without_memory_nothing_is_dropped_or_all(void **state)
{
    struct stand *s = *state;
    uint32_t space = 1;
    enum hl_code code = HL_NO_MEMORY;

    assert_int_equal(hl_pending_run_now(s->collection, put_all, NULL, &s->err), HL_OK);
    for (int n = 1; code != HL_OK; n++) {
        struct hl_holdings holdings;
        char rule[32];

        assert_true(n < 500);
        snprintf(rule, sizeof rule, "alloc=%d:fail", n);
        assert_int_equal(hl_failpoint_arm(rule, &s->err), HL_OK);
        code = hl_pending_run_now(s->collection, drop_one, &space, &s->err);
        hl_failpoint_disarm();
        assert_int_equal(open_holdings(s, &holdings), HL_OK);
        for (size_t i = 0; i < N_RECORDS; i++)
            assert_int_equal(is_there(&holdings, i, &s->err),
                             code != HL_OK || (records[i].from != 1 && records[i].to != 1));
        hl_holdings_close(&holdings);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(what_is_of_a_model_goes_with_it_and_nothing_else),
        TEST(a_fingerprint_is_the_sum_of_four_lines),
        TEST(a_model_is_found_by_the_name_that_paths_have),
        TEST(a_model_that_is_not_there_is_named_without_what_stands_behind_it),
        TEST(many_bytes_are_sent_from_a_file_that_is_gone_already),
        TEST(without_memory_nothing_is_dropped_or_all),
    };

    return cmocka_run_group_tests_name("holdings", tests, NULL, NULL);
}
