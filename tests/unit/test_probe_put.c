/* SPDX-License-Identifier: Apache-2.0 */
/* A probe set that is uploaded, from its file to its record. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "proto/fail.h"
#include "server/probe_calls.h"
#include "server/probes.h"
#include "server/upload.h"
#include "tests/unit/parking.h"

static const char one[] = "{\"k\":3,\"queries\":[{\"vectors\":{\"c\":[1,2],\"d\":[3,4]},"
                          "\"relevant\":[7]},{\"vectors\":{\"c\":[1,2]},\"relevant\":[8],"
                          "\"filter\":{\"must\":[{\"has_id\":[8]}]}}]}";

struct sending {
    struct parked parked;
    struct hl_upload *upload;
};

static enum hl_code receive(struct sending *sending, struct stand *s, const char *body)
{
    bool is_full;
    enum hl_code code = hl_upload_new(s->folder, "up", &sending->upload, &s->err);

    return code == HL_OK
               ? hl_upload_add(sending->upload, body, strlen(body), &is_full, &s->err)
               : code;
}

/* What is answered, or the sentence of the refusal. */
static const char *put(struct stand *s, const char *body, const char *type,
                       enum hl_code *ret_code)
{
    struct sending sending = {.upload = NULL};
    const char *said;

    begin_parked(&sending.parked, s, "");
    assert_int_equal(receive(&sending, s, body), HL_OK);
    sending.parked.request.params[1] = (struct hl_span){"golden", 6};
    sending.parked.request.content_type = type;
    sending.parked.request.key = "ops";
    sending.parked.request.upload = sending.upload;
    said = handle(&sending.parked, s, hl_probe_call_put);
    hl_upload_free(sending.upload);
    *ret_code = sending.parked.code;
    return said;
}

static bool has_set(struct stand *s)
{
    struct hl_holdings holdings;
    struct hl_probe_set set;
    enum hl_code code;

    assert_int_equal(hl_holdings_look(s->collection, &holdings, &s->err), HL_OK);
    code = hl_probes_find(&holdings, "golden", 0, s->arena, &set, &s->err);
    hl_holdings_close(&holdings);
    assert_true(code == HL_OK || code == HL_NOT_FOUND);
    return code == HL_OK;
}

static void models_are_counted_and_others_are_not_kept(void **state)
{
    struct stand *s = *state;
    enum hl_code code;
    const char *said = put(s, one, "application/json", &code);

    assert_int_equal(code, HL_OK);
    assert_non_null(strstr(said, "\"version\":1,\"k\":3,"));
    assert_non_null(strstr(said, "\"models\":[{\"name\":\"c\",\"size\":2,\"queries\":2},"
                                 "{\"name\":\"d\",\"size\":2,\"queries\":1}],"));
    assert_non_null(strstr(said, "\"created_by\":\"ops\""));
}

static void the_type_says_whether_it_is_lines(void **state)
{
    static const char lines[] = "{\"vectors\":{\"c\":[1,2]},\"relevant\":[7]}\n"
                                "{\"vectors\":{\"c\":[1,2]},\"relevant\":[7]}\n";
    static const char *const types[] = {"application/x-ndjson", "Application/NDJSON",
                                        "application/jsonl; charset=utf-8"};
    struct stand *s = *state;
    enum hl_code code;

    for (size_t i = 0; i < 3; i++) {
        assert_non_null(strstr(put(s, lines, types[i], &code), "\"queries\":2"));
        assert_int_equal(code, HL_OK);
    }
    (void)put(s, lines, "application/json", &code);
    assert_int_equal(code, HL_MALFORMED);
    (void)put(s, one, types[0], &code);
    assert_int_equal(code, HL_MALFORMED);
}

static void nothing_is_no_set(void **state)
{
    struct stand *s = *state;
    enum hl_code code;

    assert_string_equal(put(s, "", "application/jsonl", &code),
                        "a probe set has one query at least, got none");
    assert_int_equal(code, HL_INVALID);
    (void)put(s, "", "", &code);
    assert_int_equal(code, HL_MALFORMED);
    assert_false(has_set(s));
}

static void wherever_memory_runs_out_it_is_there_or_not_at_all(void **state)
{
    struct stand *s = *state;
    enum hl_code code = HL_NO_MEMORY;

    for (int n = 1; code != HL_OK; n++) {
        char rule[32];

        /* The upload itself takes memory that is not failed. */
        assert_true(n < 1000);
        snprintf(rule, sizeof rule, "alloc=%d:fail", n + 2);
        assert_int_equal(hl_failpoint_arm(rule, &s->err), HL_OK);
        (void)put(s, one, "application/json", &code);
        hl_failpoint_disarm();
        assert_true(code == HL_OK || code == HL_NO_MEMORY);
        assert_int_equal(has_set(s), code == HL_OK);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(models_are_counted_and_others_are_not_kept),
        TEST(the_type_says_whether_it_is_lines),
        TEST(nothing_is_no_set),
        TEST(wherever_memory_runs_out_it_is_there_or_not_at_all),
    };

    return cmocka_run_group_tests_name("probe_put", tests, NULL, NULL);
}
