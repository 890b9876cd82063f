/* SPDX-License-Identifier: Apache-2.0 */
/* Searches without a request, each as a model, over the points and bridges of
 * activating.h: as v1 point 1 is at 0 degrees, the image of 2 at 30, and 4 at 90. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "server/ask.h"
#include "tests/unit/activating.h"

enum { V1 = 1, V2, V3, N_ASKED = 2, ROOM = 4 };

/* Vectors of both models, so that one would lean on the other; the second under a filter.
 */
static const char *const bodies[N_ASKED] = {
    "{\"query\":{\"vectors\":{\"v1\":[0,1],\"v2\":[1,0]}}}",
    "{\"query\":[1,0],\"using\":\"v1\",\"filter\":{\"must\":[{\"has_id\":[2,4]}]}}",
};
static const char *const others[] = {"{\"must\":[{\"has_id\":[1,2]}]}",
                                     "{\"must\":[{\"has_id\":[7]}]}"};

struct asking {
    struct rig *rig;
    struct hl_collection *collection;
    struct hl_arena *arena;
    struct hl_query queries[N_ASKED];
    const struct hl_filter *filters[3];
    struct hl_ask *ask;
    char text[200];
};

static void read_bodies(struct asking *a)
{
    struct hl_tokens tokens;
    struct hl_field root;

    for (size_t i = 0; i < N_ASKED; i++) {
        hl_tokens_init(&tokens, bodies[i], strlen(bodies[i]), a->arena);
        root = hl_field_root(&tokens);
        assert_int_equal(hl_query_read(&root, HL_FORM_QUERY, &a->queries[i], &a->rig->err),
                         HL_OK);
    }
    for (size_t i = 0; i < 2; i++) {
        hl_tokens_init(&tokens, others[i], strlen(others[i]), a->arena);
        root = hl_field_root(&tokens);
        assert_int_equal(hl_filter_read(&root, &a->filters[i], &a->rig->err), HL_OK);
    }
}

static enum hl_code open_ask(struct asking *a)
{
    const struct hl_ask_task task = {.server = &a->rig->server,
                                     .collection = a->collection,
                                     .queries = {a->queries, N_ASKED},
                                     .filters = a->filters,
                                     .n_filters = 3,
                                     .deadline = &never,
                                     .arena = a->arena};

    return hl_ask_open(&task, &a->ask, &a->rig->err);
}

static struct asking begin(struct rig *rig)
{
    struct asking a = {.rig = rig, .arena = hl_arena_new(16 << 20)};

    rig->config.limits.request_memory_mb = 16;
    rig->server.config = &rig->config;
    activate(rig, "v2>v1", "{\"revision\":1,\"strategy\":\"backward\"}");
    a.collection = collection_of(rig);
    read_bodies(&a);
    return a;
}

static void end(struct asking *a)
{
    hl_ask_close(a->ask);
    hl_collection_unref(a->collection);
    hl_arena_free(a->arena);
}

/* "ID@DEGREES …", or the sentence. */
static const char *answers(struct asking *a, size_t which, uint32_t space, size_t k)
{
    const struct hl_ask_query query = {which, space, k};
    struct hl_answer found[ROOM];
    size_t n = 0, len = 0;

    if (hl_ask_as(a->ask, &query, found, &n, &a->rig->err) != HL_OK)
        return a->rig->err.msg;
    a->text[0] = '\0';
    for (size_t i = 0; i < n; i++)
        len += (size_t)snprintf(a->text + len, sizeof a->text - len, "%s%d",
                                i > 0 ? " " : "", (int)hl_id_value(&found[i].id));
    return a->text;
}

static void a_query_is_asked_as_each_of_its_models_with_its_vector_alone(void **state)
{
    struct asking a = begin(*state);

    assert_int_equal(open_ask(&a), HL_OK);
    assert_string_equal(answers(&a, 0, V1, ROOM), "4 2 1");
    /* At 30 degrees; leaning on the other vector it would be nearer to point 4. */
    assert_string_equal(answers(&a, 0, V2, ROOM), "2 1 4");
    assert_string_equal(answers(&a, 0, V2, 1), "2");
    assert_string_equal(answers(&a, 0, 0, 1), "2"); /* by itself it is the bridge's */
    assert_string_equal(answers(&a, 1, V1, ROOM), "2 4");
    assert_string_equal(answers(&a, 1, V2, ROOM), "2 4");
    end(&a);
}

static void a_model_that_is_gone_or_was_not_sent_is_told(void **state)
{
    struct asking a = begin(*state);

    assert_int_equal(open_ask(&a), HL_OK);
    assert_non_null(strstr(answers(&a, 0, V3, 1), "no vector of \"v3\" is among"));
    assert_non_null(strstr(answers(&a, 0, 9, 1), "the model is gone"));
    end(&a);
}

static void other_filters_say_which_points_match(void **state)
{
    struct asking a = begin(*state);
    uint64_t n[3] = {0};

    assert_int_equal(open_ask(&a), HL_OK);
    for (size_t i = 0; i < 3; i++)
        assert_int_equal(hl_ask_matches(a.ask, i, &n[i], &a.rig->err), HL_OK);
    assert_int_equal(n[0], 2);
    assert_int_equal(n[1], 0);
    assert_int_equal(n[2], 4);
    assert_true(hl_ask_is_match(a.ask, 0, 1)); /* numbers count as the ids do */
    assert_false(hl_ask_is_match(a.ask, 0, 3));
    assert_true(hl_ask_is_match(a.ask, 2, 4));
    end(&a);
}

static void all_questions_are_about_one_commit(void **state)
{
    struct asking a = begin(*state);

    assert_int_equal(open_ask(&a), HL_OK);
    write_ops(a.rig, "{\"delete\":{\"points\":[2]}}");
    assert_string_equal(answers(&a, 0, V1, ROOM), "4 2 1");
    hl_ask_close(a.ask);
    assert_int_equal(open_ask(&a), HL_OK);
    assert_string_equal(answers(&a, 0, V1, ROOM), "4 1");
    end(&a);
}

static void without_memory_nothing_is_left_open(void **state)
{
    struct asking a = begin(*state);
    enum hl_code code = HL_NO_MEMORY;
    char spec[40];

    for (int n = 1; code != HL_OK; n++) {
        (void)snprintf(spec, sizeof spec, "alloc=%d:fail", n);
        a.ask = NULL;
        assert_int_equal(hl_failpoint_arm(spec, &a.rig->err), HL_OK);
        code = open_ask(&a);
        if (code == HL_OK && answers(&a, 0, V2, ROOM) != a.text)
            code = HL_NO_MEMORY;
        hl_failpoint_disarm();
        if (code != HL_OK) {
            assert_int_equal(a.rig->err.code, HL_NO_MEMORY);
            hl_ask_close(a.ask);
        }
        assert_true(n < 1000);
    }
    assert_string_equal(a.text, "2 1 4");
    end(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        RIGGED(a_query_is_asked_as_each_of_its_models_with_its_vector_alone),
        RIGGED(a_model_that_is_gone_or_was_not_sent_is_told),
        RIGGED(other_filters_say_which_points_match),
        RIGGED(all_questions_are_about_one_commit),
        RIGGED(without_memory_nothing_is_left_open),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
