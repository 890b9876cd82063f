/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "proto/fail.h"
#include "server/change.h"
#include "server/way.h"
#include "tests/unit/bridging.h"
#include "tests/unit/looking.h"

/* Spaces 1 to 3, as far as records know. */
static const struct {
    struct hl_hop hop;
    struct turning turning;
} bridges[] = {
    {{2, 1, 1}, {"c", "d", 30, 0, 0, true, HL_BRIDGE_DUAL}},
    {{2, 1, 2}, {"c", "d", 40, 90, 60, false, HL_BRIDGE_BACKWARD}},
    {{3, 2, 1}, {"e", "c", 100, 0, 0, true, HL_BRIDGE_BACKWARD}},
};

static enum hl_code put_bridges(void *self, struct hl_writing *writing, struct hl_err *err)
{
    enum hl_code code = HL_OK;

    (void)self;
    for (size_t i = 0; code == HL_OK && i < sizeof bridges / sizeof *bridges; i++) {
        const struct hl_hop *hop = &bridges[i].hop;
        char key[HL_HOLDING_KEY];
        struct hl_buf file;

        hl_buf_init(&file, 1 << 20);
        print_turning(&bridges[i].turning, &file);
        hl_holding_bridge_key(hop->from, hop->to, hop->revision, key);
        code = hl_store_put_record(hl_writing_store(writing), HL_HOLDING_BRIDGE, key,
                                   file.data, file.len, err);
        hl_buf_done(&file);
    }
    return code;
}

static int set_up_bridges(void **state)
{
    struct stand *s;

    if (set_up(state) != 0)
        return -1;
    s = *state;
    return hl_pending_run_now(s->collection, put_bridges, NULL, &s->err) == HL_OK ? 0 : -1;
}

static enum hl_code load(struct stand *s, const struct hl_hop *hops, size_t n,
                         struct hl_way **ret_way)
{
    struct hl_holdings holdings;
    enum hl_code code;

    assert_int_equal(hl_holdings_look(s->collection, &holdings, &s->err), HL_OK);
    code = hl_way_load(holdings.reader, hops, n, ret_way, &s->err);
    hl_holdings_close(&holdings);
    return code;
}

static enum hl_code find_by(struct stand *s, const char *settings,
                            struct hl_mapper **ret_mapper)
{
    struct hl_holdings holdings;
    enum hl_code code;

    assert_int_equal(hl_holdings_look(s->collection, &holdings, &s->err), HL_OK);
    code = hl_way_find_mapper(NULL, holdings.reader, settings, ret_mapper, &s->err);
    hl_holdings_close(&holdings);
    return code;
}

static int turn_item(const struct hl_mapper *mapper)
{
    static const float right[] = {1, 0};
    float out[2];

    mapper->map(mapper, right, out);
    return degrees_of(out);
}

static int turn_query(const struct hl_way *way, enum hl_modality modality, float fidelity)
{
    static const float right[] = {1, 0};
    float out[2], room[1024];

    assert_true(hl_applier_room(way->appliers[modality]) <= 1024);
    hl_applier_query(way->appliers[modality], fidelity, right, room, out);
    return degrees_of(out);
}

/* ---- the tests ---- */

static void items_go_the_faithful_way_and_queries_as_they_are_asked(void **state)
{
    struct hl_way *way = NULL;

    assert_int_equal(load(*state, &bridges[1].hop, 1, &way), HL_OK);
    assert_int_equal(turn_item(&way->mapper), 40);
    assert_int_equal(turn_query(way, HL_MODALITY_IMAGE, 1), 40);
    assert_int_equal(turn_query(way, HL_MODALITY_IMAGE, 0), 90);
    assert_int_equal(turn_query(way, HL_MODALITY_TEXT, 1), 60);
    assert_int_equal(way->dim_in, 2);
    assert_int_equal(way->dim_out, 2);
    hl_way_unref(way);
}

/* Two maps of 2 > 2, each of 32 rows once they are filled up. */
static void weights_take_two_bytes_each(void **state)
{
    struct hl_way *way = NULL;

    assert_int_equal(load(*state, &bridges[1].hop, 1, &way), HL_OK);
    assert_int_equal(hl_applier_bytes(way->appliers[HL_MODALITY_IMAGE]),
                     sizeof(uint16_t) * 2 * 32 * 2);
    hl_way_unref(way);
}

static void text_goes_the_way_of_images_where_it_has_none(void **state)
{
    struct hl_way *way = NULL;

    assert_int_equal(load(*state, &bridges[0].hop, 1, &way), HL_OK);
    assert_ptr_equal(way->appliers[HL_MODALITY_TEXT], way->appliers[HL_MODALITY_IMAGE]);
    assert_int_equal(turn_query(way, HL_MODALITY_TEXT, -1), 30);
    hl_way_unref(way);
}

static void a_chain_goes_over_both_bridges_and_was_never_measured(void **state)
{
    const struct hl_hop hops[] = {bridges[2].hop, bridges[0].hop};
    struct hl_way *way = NULL;

    assert_int_equal(load(*state, hops, 2, &way), HL_OK);
    assert_int_equal(turn_item(&way->mapper), 130);
    assert_null(hl_way_scales(way, HL_MODALITY_IMAGE));
    assert_true(hl_way_is(way, hops, 2));
    assert_false(hl_way_is(way, hops, 1));
    hl_way_unref(way);
}

static void a_bridge_says_what_was_measured_of_it(void **state)
{
    struct hl_way *way = NULL, *bare = NULL;

    assert_int_equal(load(*state, &bridges[0].hop, 1, &way), HL_OK);
    assert_int_equal(load(*state, &bridges[1].hop, 1, &bare), HL_OK);
    assert_true(hl_scale_is_measured(way->bridges[0]->from_own));
    assert_true(hl_scale_is_measured(way->bridges[0]->to_own));
    assert_non_null(hl_way_scales(way, HL_MODALITY_IMAGE));
    assert_null(hl_way_scales(way, HL_MODALITY_TEXT));
    assert_null(hl_way_scales(bare, HL_MODALITY_IMAGE));
    assert_true(hl_way_fidelity(way, -1) < 0.26f && hl_way_fidelity(way, -1) > 0.24f);
    assert_true(hl_way_fidelity(way, 0.75f) > 0.74f);
    assert_false(hl_way_is(way, &bridges[1].hop, 1));
    hl_way_unref(way);
    hl_way_unref(bare);
}

static void a_way_is_found_again_by_the_text_it_was_noted_with(void **state)
{
    const struct hl_hop hops[] = {bridges[2].hop, bridges[1].hop};
    struct hl_mapper *mapper = NULL;
    struct hl_buf text;

    hl_buf_init(&text, 1024);
    hl_buf_add_text(&text, "{\"image\":{\"into\":1},\"by\":");
    hl_way_print(hops, 2, &text);
    hl_buf_add_text(&text, "}");
    assert_int_equal(find_by(*state, text.data, &mapper), HL_OK);
    assert_true(hl_way_is(hl_way_of(mapper), hops, 2));
    assert_int_equal(turn_item(mapper), 140);
    hl_mapper_unref(mapper);
    hl_buf_done(&text);
}

static void a_text_that_names_no_way_is_refused(void **state)
{
    static const struct {
        const char *by;
        enum hl_code code;
    } cases[] = {
        {"{\"hops\":[{\"from\":2,\"to\":1,\"revision\":9}]}", HL_NOT_FOUND},
        {"{\"hops\":[{\"from\":1,\"to\":2,\"revision\":1}]}", HL_NOT_FOUND},
        {"{\"hops\":[]}", HL_DAMAGED},
        {"{\"hops\":[{\"from\":2,\"to\":1}]}", HL_DAMAGED},
        {"{\"hops\":[{\"from\":2,\"to\":1,\"revision\":1},{\"from\":2,\"to\":1,"
         "\"revision\":1},{\"from\":2,\"to\":1,\"revision\":1}]}",
         HL_DAMAGED},
        {"{}", HL_DAMAGED},
        {"7", HL_DAMAGED},
    };
    struct stand *s = *state;

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct hl_mapper *mapper = NULL;
        const char *text = hl_arena_print(s->arena, "{\"image\":7,\"by\":%s}", cases[i].by);

        if (find_by(s, text, &mapper) != cases[i].code)
            fail_msg("%s: %s", text, s->err.msg);
        assert_null(mapper);
    }
    assert_null(hl_way_of(NULL));
}

static void without_memory_there_is_no_way(void **state)
{
    const struct hl_hop hops[] = {bridges[2].hop, bridges[1].hop};
    struct stand *s = *state;
    struct hl_holdings holdings;
    struct hl_way *way = NULL;
    enum hl_code code = HL_NO_MEMORY;

    assert_int_equal(hl_holdings_look(s->collection, &holdings, &s->err), HL_OK);
    for (int n = 1; code != HL_OK; n++) {
        char rule[32];

        assert_true(n < 1000);
        snprintf(rule, sizeof rule, "alloc=%d:fail", n);
        assert_int_equal(hl_failpoint_arm(rule, &s->err), HL_OK);
        code = hl_way_load(holdings.reader, hops, 2, &way, &s->err);
        hl_failpoint_disarm();
        assert_true((way != NULL) == (code == HL_OK));
    }
    hl_holdings_close(&holdings);
    hl_way_unref(way);
}

#define BRIDGED(name) cmocka_unit_test_setup_teardown(name, set_up_bridges, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        BRIDGED(items_go_the_faithful_way_and_queries_as_they_are_asked),
        BRIDGED(weights_take_two_bytes_each),
        BRIDGED(text_goes_the_way_of_images_where_it_has_none),
        BRIDGED(a_chain_goes_over_both_bridges_and_was_never_measured),
        BRIDGED(a_bridge_says_what_was_measured_of_it),
        BRIDGED(a_way_is_found_again_by_the_text_it_was_noted_with),
        BRIDGED(a_text_that_names_no_way_is_refused),
        BRIDGED(without_memory_there_is_no_way),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
