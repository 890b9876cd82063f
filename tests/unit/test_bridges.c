/* SPDX-License-Identifier: Apache-2.0 */
/* Bridges as records: revisions that count up, which are kept, which is active. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "proto/fail.h"
#include "server/activations.h"
#include "server/change.h"
#include "tests/unit/looking.h"

struct fixture {
    struct stand *s;
    struct hl_bridge_pair pair;
    struct hl_bridge *bridge;
    struct hl_activation activation;
    uint64_t revision; /* of the last addition, or of a removal */
};

static const struct hl_span from = {"c", 1}, to = {"d", 1};

static int begin(void **state)
{
    static struct fixture fixture;
    struct fixture *f = &fixture;
    struct hl_holdings holdings;

    *f = (struct fixture){.revision = 0};
    if (set_up((void **)&f->s) != 0)
        return -1;
    *state = f;
    assert_int_equal(hl_holdings_look(f->s->collection, &holdings, &f->s->err), HL_OK);
    assert_int_equal(hl_bridges_pair_of(&holdings, &from, &to, &f->pair, &f->s->err),
                     HL_OK);
    hl_holdings_close(&holdings);
    /* The texts of the look's layout have gone. */
    f->pair.from.name = f->pair.from.shown = from.data;
    f->pair.to.name = f->pair.to.shown = to.data;
    assert_int_equal(hl_bridge_new("c", "d", &f->bridge, &f->s->err), HL_OK);
    f->bridge->dim_from = f->bridge->dim_to = 2;
    f->bridge->kind = HL_KIND_RIDGE;
    return 0;
}

static int end(void **state)
{
    struct fixture *f = *state;

    hl_bridge_free(f->bridge);
    return tear_down((void **)&f->s);
}

static enum hl_code add(void *self, struct hl_writing *writing, struct hl_err *err)
{
    struct fixture *f = self;
    const struct hl_bridge_entry entry = {
        .pair = &f->pair, .bridge = f->bridge, .file = {"bytes", 5}};

    return hl_bridges_add(writing, &entry, &f->revision, err);
}

static enum hl_code activate(void *self, struct hl_writing *writing, struct hl_err *err)
{
    struct fixture *f = self;
    const struct hl_holdings inside = hl_holdings_inside(writing);
    struct hl_activation wanted = f->activation;
    enum hl_code code = hl_bridges_find(&inside, &f->pair, &wanted.revision, err);

    return code == HL_OK ? hl_activation_put(writing, &f->pair, &wanted, err) : code;
}

static enum hl_code deactivate(void *self, struct hl_writing *writing, struct hl_err *err)
{
    return hl_activation_put(writing, &((struct fixture *)self)->pair, NULL, err);
}

static enum hl_code take_away(void *self, struct hl_writing *writing, struct hl_err *err)
{
    struct fixture *f = self;

    return hl_bridges_remove(writing, &f->pair, f->revision, err);
}

static enum hl_code change(struct fixture *f,
                           enum hl_code (*run)(void *self, struct hl_writing *writing,
                                               struct hl_err *err))
{
    return hl_pending_run_now(f->s->collection, run, f, &f->s->err);
}

static void add_many(struct fixture *f, int n)
{
    for (int i = 0; i < n; i++)
        assert_int_equal(change(f, add), HL_OK);
}

static enum hl_code activate_one(struct fixture *f, uint64_t revision, double fidelity)
{
    f->activation = (struct hl_activation){.revision = revision,
                                           .strategy = HL_SERVING_DUAL,
                                           .serving = HL_SERVING_DUAL,
                                           .fidelity = fidelity};
    return change(f, activate);
}

static enum hl_code remove_one(struct fixture *f, uint64_t revision)
{
    f->revision = revision;
    return change(f, take_away);
}

/* Whether what is printed of a revision, 0 for the latest, has these words. */
static void assert_shown(struct fixture *f, uint64_t revision, const char *words)
{
    struct hl_holdings holdings;
    struct hl_buf buf;

    hl_buf_init(&buf, 1 << 20);
    assert_int_equal(hl_holdings_look(f->s->collection, &holdings, &f->s->err), HL_OK);
    assert_int_equal(hl_bridges_find(&holdings, &f->pair, &revision, &f->s->err), HL_OK);
    assert_int_equal(
        hl_bridges_print(&holdings, &f->pair, revision, true, &buf, &f->s->err), HL_OK);
    hl_holdings_close(&holdings);
    if (!strstr(buf.data, words))
        fail_msg("\"%s\" is not in: %s", words, buf.data);
    hl_buf_done(&buf);
}

/* ---- the tests ---- */

static void revisions_count_up_and_are_never_used_twice(void **state)
{
    struct fixture *f = *state;

    add_many(f, 3);
    assert_shown(f, 0, "\"revision\":3,\"revisions\":[1,2,3],\"kind\":\"ridge\"");
    assert_int_equal(remove_one(f, 3), HL_OK);
    assert_shown(f, 0, "\"revision\":2,\"revisions\":[1,2]");
    assert_int_equal(remove_one(f, 0), HL_OK);
    assert_int_equal(remove_one(f, 0), HL_NOT_FOUND);
    add_many(f, 1);
    assert_shown(f, 0, "\"revision\":4,\"revisions\":[4]");
}

static void the_oldest_make_room_but_not_what_is_or_was_active(void **state)
{
    struct fixture *f = *state;

    add_many(f, 3);
    assert_int_equal(activate_one(f, 1, 0.5), HL_OK);
    assert_int_equal(activate_one(f, 2, 0.5), HL_OK);
    add_many(f, 9);
    assert_shown(f, 0, "\"revisions\":[1,2,7,8,9,10,11,12]");
}

static void an_activation_takes_the_place_of_the_one_before(void **state)
{
    struct fixture *f = *state;

    add_many(f, 2);
    assert_shown(f, 1, "\"activation\":{\"current\":null,\"previous\":null}");
    assert_int_equal(activate_one(f, 0, 0.5), HL_OK);
    assert_shown(f, 1,
                 "{\"current\":{\"revision\":2,\"strategy\":\"dual\",\"fidelity\":0.5,");
    assert_int_equal(activate_one(f, 2, 0.5), HL_OK); /* the same: nothing changes */
    assert_shown(f, 1, "\"previous\":null}");
    assert_int_equal(activate_one(f, 1, 0.25), HL_OK);
    assert_shown(f, 1,
                 "{\"current\":{\"revision\":1,\"strategy\":\"dual\",\"fidelity\":0.25");
    assert_shown(f, 1, "\"previous\":{\"revision\":2,");
    assert_int_equal(change(f, deactivate), HL_OK);
    assert_shown(f, 1, "{\"current\":null,\"previous\":{\"revision\":1,");
    assert_int_equal(change(f, deactivate), HL_OK);
    assert_shown(f, 1, "{\"current\":null,\"previous\":{\"revision\":1,");
    assert_int_equal(activate_one(f, 9, 0.25), HL_NOT_FOUND);
    assert_string_equal(f->s->err.msg, "Not found: there is no revision 9 of the bridge "
                                       "from \"c\" to \"d\"");
}

static void what_is_active_is_not_removed(void **state)
{
    struct fixture *f = *state;

    add_many(f, 2);
    assert_int_equal(activate_one(f, 1, 0.5), HL_OK);
    assert_int_equal(remove_one(f, 1), HL_CONFLICT);
    assert_string_equal(f->s->err.msg, "revision 1 of the bridge from \"c\" to \"d\" is "
                                       "active: deactivate it first");
    assert_int_equal(remove_one(f, 0), HL_CONFLICT);
    assert_int_equal(remove_one(f, 2), HL_OK);
    assert_int_equal(change(f, deactivate), HL_OK);
    assert_int_equal(remove_one(f, 1), HL_OK);
}

static void a_pair_is_of_two_models_that_can_be_joined(void **state)
{
    static const struct {
        const char *from, *to;
        enum hl_code code;
    } cases[] = {{"c", "e", HL_OK},
                 {"c", "c", HL_INVALID},
                 {"m", "c", HL_INVALID},
                 {"c", "m", HL_INVALID},
                 {"s", "c", HL_INVALID},
                 {"c", "v9", HL_NOT_FOUND},
                 {"@default", "c", HL_NOT_FOUND}};
    struct fixture *f = *state;
    struct hl_holdings holdings;

    assert_int_equal(hl_holdings_look(f->s->collection, &holdings, &f->s->err), HL_OK);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const struct hl_span a = {cases[i].from, strlen(cases[i].from)};
        const struct hl_span b = {cases[i].to, strlen(cases[i].to)};
        struct hl_bridge_pair pair;

        assert_int_equal(hl_bridges_pair_of(&holdings, &a, &b, &pair, &f->s->err),
                         cases[i].code);
    }
    hl_holdings_close(&holdings);
}

static void vectors_that_are_not_of_length_1_are_not_joined(void **state)
{
    struct fixture *f = *state;
    struct hl_holdings holdings;

    fill(f->s, 3, 5);
    assert_int_equal(hl_holdings_look(f->s->collection, &holdings, &f->s->err), HL_OK);
    assert_int_equal(hl_bridges_check_norms(&holdings, &f->pair, &never, &f->s->err),
                     HL_INVALID); /* Cosine ones are made so */
    assert_string_equal(f->s->err.msg,
                        "3 of 3 sampled vectors of \"d\" are not of length 1: bridges join "
                        "Cosine vectors, and Dot and Euclid ones of length 1");
    hl_holdings_close(&holdings);
}

/* Those of length 1 came first, more of them than are looked at. */
static void vectors_that_came_late_are_looked_at_too(void **state)
{
    struct fixture *f = *state;
    struct hl_holdings holdings;

    for (int i = 1000; i < 1400; i++)
        assert_true(
            change_points(f->s, hl_arena_print(f->s->arena,
                                               "{\"upsert\":{\"points\":[{\"id\":%d,"
                                               "\"vector\":{\"d\":[0,1]}}]}}",
                                               i)) > 0);
    assert_int_equal(hl_holdings_look(f->s->collection, &holdings, &f->s->err), HL_OK);
    assert_int_equal(hl_bridges_check_norms(&holdings, &f->pair, &never, &f->s->err),
                     HL_OK);
    hl_holdings_close(&holdings);
    fill(f->s, 3, 40);
    assert_int_equal(hl_holdings_look(f->s->collection, &holdings, &f->s->err), HL_OK);
    assert_int_equal(hl_bridges_check_norms(&holdings, &f->pair, &never, &f->s->err),
                     HL_INVALID);
    assert_non_null(strstr(f->s->err.msg, "sampled vectors of \"d\" are not of length 1"));
    hl_holdings_close(&holdings);
}

static void a_model_that_changed_meanwhile_gets_no_bridge(void **state)
{
    struct fixture *f = *state;

    f->pair.to.print[0] = f->pair.to.print[0] == 'a' ? 'b' : 'a';
    assert_int_equal(change(f, add), HL_CONFLICT);
    f->pair.to.space = 99;
    assert_int_equal(change(f, add), HL_CONFLICT);
    assert_string_equal(f->s->err.msg, "the vector \"d\" was deleted meanwhile");
}

static void without_memory_a_bridge_is_there_or_not_at_all(void **state)
{
    struct fixture *f = *state;
    enum hl_code code = HL_NO_MEMORY;

    for (int n = 1; code != HL_OK; n++) {
        struct hl_holdings holdings;
        uint64_t latest = 9;
        char rule[32];

        assert_true(n < 500);
        snprintf(rule, sizeof rule, "alloc=%d:fail", n);
        assert_int_equal(hl_failpoint_arm(rule, &f->s->err), HL_OK);
        code = change(f, add);
        hl_failpoint_disarm();
        assert_int_equal(hl_holdings_look(f->s->collection, &holdings, &f->s->err), HL_OK);
        assert_int_equal(hl_bridges_latest(&holdings, &f->pair, &latest, &f->s->err),
                         HL_OK);
        assert_int_equal(latest, code == HL_OK);
        hl_holdings_close(&holdings);
    }
}

static void without_memory_an_activation_is_recorded_whole_or_not_at_all(void **state)
{
    struct fixture *f = *state;
    enum hl_code code = HL_NO_MEMORY;

    add_many(f, 1);
    for (int n = 1; code != HL_OK; n++) {
        char rule[32];

        assert_true(n < 500);
        snprintf(rule, sizeof rule, "alloc=%d:fail", n);
        assert_int_equal(hl_failpoint_arm(rule, &f->s->err), HL_OK);
        code = activate_one(f, 1, 0.5);
        hl_failpoint_disarm();
        assert_shown(f, 1,
                     code == HL_OK ? "\"current\":{\"revision\":1,\"strategy\":\"dual\","
                                     "\"fidelity\":0.5,\"serving\":\"dual\","
                                     "\"activated_at\":"
                                   : "\"current\":null");
    }
}

#define RIGGED(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        RIGGED(revisions_count_up_and_are_never_used_twice),
        RIGGED(the_oldest_make_room_but_not_what_is_or_was_active),
        RIGGED(an_activation_takes_the_place_of_the_one_before),
        RIGGED(what_is_active_is_not_removed),
        RIGGED(a_pair_is_of_two_models_that_can_be_joined),
        RIGGED(vectors_that_are_not_of_length_1_are_not_joined),
        RIGGED(vectors_that_came_late_are_looked_at_too),
        RIGGED(a_model_that_changed_meanwhile_gets_no_bridge),
        RIGGED(without_memory_a_bridge_is_there_or_not_at_all),
        RIGGED(without_memory_an_activation_is_recorded_whole_or_not_at_all),
    };

    return cmocka_run_group_tests_name("bridges", tests, NULL, NULL);
}
