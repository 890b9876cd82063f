/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "compat/bridge.h"
#include "proto/fail.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* From 2 numbers to 2: judged doubles nothing and turns by a right angle, faithful leaves
 * things as they are. */
static struct hl_bridge *make_bridge(void)
{
    struct hl_bridge *bridge = NULL;
    struct hl_bridge_way *way;
    struct hl_err err;

    assert_int_equal(hl_bridge_new("v2", "v1", &bridge, &err), HL_OK);
    if (!bridge)
        abort(); /* what an analyser does not take from the line before */
    way = &bridge->ways[HL_MODALITY_IMAGE];
    assert_int_equal(hl_map_new(2, 2, 0, &way->faithful, &err), HL_OK);
    assert_int_equal(hl_map_new(2, 2, 3, &way->judged, &err), HL_OK);
    way->faithful->p[0] = way->faithful->p[3] = 1;
    way->judged->p[1] = -1;
    way->judged->p[2] = 1;
    bridge->dim_from = bridge->dim_to = 2;
    return bridge;
}

static void assert_query(const struct hl_bridge_way *way, float fidelity, double x,
                         double y)
{
    static const float in[] = {1, 0, .6F, .8F};
    float out[4], room[16];

    hl_bridge_queries(way, fidelity, in, 2, room, out);
    assert_true(fabs((double)out[0] - x) < 1e-6);
    assert_true(fabs((double)out[1] - y) < 1e-6);
    assert_true(fabs((double)out[2] - (.6 * x - .8 * y)) < 1e-6);
    assert_true(fabs((double)out[3] - (.6 * y + .8 * x)) < 1e-6);
}

static void fidelity_goes_from_the_judged_map_to_the_faithful_one(void **state)
{
    struct hl_bridge *bridge = make_bridge();
    const struct hl_bridge_way *way = hl_bridge_way(bridge, HL_MODALITY_IMAGE);

    (void)state;
    assert_query(way, 0, 0, 1);
    assert_query(way, .5F, sqrt(.5), sqrt(.5));
    assert_query(way, .25F, 1 / sqrt(10), 3 / sqrt(10));
    assert_query(way, 1, 1, 0);
    hl_bridge_free(bridge);
}

static void without_a_judged_map_every_fidelity_is_the_faithful_one(void **state)
{
    struct hl_bridge *bridge = make_bridge();
    struct hl_bridge_way *way = &bridge->ways[HL_MODALITY_IMAGE];

    (void)state;
    hl_map_free(way->judged);
    way->judged = NULL;
    assert_query(way, 0, 1, 0);
    assert_query(way, .5F, 1, 0);
    hl_bridge_free(bridge);
}

static void text_goes_the_way_of_images_unless_it_has_its_own(void **state)
{
    struct hl_bridge *bridge = make_bridge();
    struct hl_err err;

    (void)state;
    assert_ptr_equal(hl_bridge_way(bridge, HL_MODALITY_TEXT),
                     &bridge->ways[HL_MODALITY_IMAGE]);
    assert_int_equal(hl_map_new(2, 2, 0, &bridge->ways[HL_MODALITY_TEXT].faithful, &err),
                     HL_OK);
    assert_ptr_equal(hl_bridge_way(bridge, HL_MODALITY_TEXT),
                     &bridge->ways[HL_MODALITY_TEXT]);
    assert_ptr_equal(hl_bridge_way(bridge, HL_MODALITY_IMAGE),
                     &bridge->ways[HL_MODALITY_IMAGE]);
    hl_bridge_free(bridge);
}

static void room_is_for_the_second_image_and_the_widest_hidden_layer(void **state)
{
    struct hl_bridge *bridge = make_bridge();

    (void)state;
    assert_int_equal(hl_bridge_room(bridge, 7), 7 * (2 + 3));
    hl_bridge_free(bridge);
}

static void every_kind_has_a_name_that_finds_it(void **state)
{
    enum hl_kind kind = HL_KIND_AUTO;

    (void)state;
    for (int i = 0; i < HL_N_KINDS; i++) {
        const char *name = hl_kind_name((enum hl_kind)i);

        assert_true(hl_kind_find(name, strlen(name), &kind));
        assert_int_equal(kind, i);
        assert_false(hl_kind_find(name, strlen(name) - 1, &kind));
    }
    assert_string_equal(hl_kind_name(HL_KIND_RESIDUAL), "residual");
    assert_false(hl_kind_find("ridges", 6, &kind));
}

static void without_memory_there_is_no_bridge(void **state)
{
    enum hl_code code = HL_NO_MEMORY;

    (void)state;
    for (unsigned nth = 1; code != HL_OK; nth++) {
        struct hl_bridge *bridge = NULL;
        char rule[40];
        struct hl_err err;

        snprintf(rule, sizeof rule, "alloc=%u:fail", nth);
        assert_int_equal(hl_failpoint_arm(rule, &err), HL_OK);
        code = hl_bridge_new("v2", "v1", &bridge, &err);
        hl_failpoint_disarm();
        if (code != HL_OK)
            assert_string_equal(err.msg, "no memory for a bridge from \"v2\" to \"v1\"");
        assert_int_equal(code == HL_OK, nth == 4);
        hl_bridge_free(bridge);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fidelity_goes_from_the_judged_map_to_the_faithful_one),
        cmocka_unit_test(without_a_judged_map_every_fidelity_is_the_faithful_one),
        cmocka_unit_test(text_goes_the_way_of_images_unless_it_has_its_own),
        cmocka_unit_test(room_is_for_the_second_image_and_the_widest_hidden_layer),
        cmocka_unit_test(every_kind_has_a_name_that_finds_it),
        cmocka_unit_test(without_memory_there_is_no_bridge),
    };

    return cmocka_run_group_tests_name("bridge", tests, NULL, NULL);
}
