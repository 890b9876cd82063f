/* SPDX-License-Identifier: Apache-2.0 */
/* What is active, as a text, against the legs it comes to, as another.
 *
 *   "2>1 b, 3>2 d"       bridges from 2 to 1 and from 3 to 2, served backward and dual
 *   "dual: 3[3] 1<3[1 2] but 3"
 *                        dual; a leg in space 3 over its own rows; one in space 1, the
 * query through 3>1, over its own rows and the images of 2, without the points that carry
 * 3;
 *                        [- 2] would be the images alone */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "proto/fail.h"
#include "server/plan.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct hl_mapper no_way = {.n_refs = 1000000};

static enum hl_serving serving_of(char letter)
{
    return letter == 'd'   ? HL_SERVING_DUAL
           : letter == 'f' ? HL_SERVING_FORWARD
                           : HL_SERVING_BACKWARD;
}

/* In the order they were activated. */
static void read_active(const char *text, struct hl_activations *activations)
{
    struct hl_err err;
    char moment = 'a';

    *activations = (struct hl_activations){.number = 7};
    while (*text) {
        const uint32_t from = (uint32_t)(text[0] - '0'), to = (uint32_t)(text[2] - '0');
        const struct hl_activation activation = {.revision = from * 10 + to,
                                                 .strategy = serving_of(text[4]),
                                                 .serving = serving_of(text[4]),
                                                 .is_auto = text[4] != 'd',
                                                 .fidelity = 0.5};

        assert_int_equal(hl_activations_set(activations, from, to, &activation, &err),
                         HL_OK);
        for (size_t i = 0; i < activations->n; i++)
            if (activations->list[i].from == from && activations->list[i].to == to)
                (void)snprintf(activations->list[i].at, HL_MOMENT, "%c", moment++);
        text += text[5] ? 7 : 5;
    }
}

static void add_space(struct hl_layout *layout, uint32_t id)
{
    char name[8];
    struct hl_vector_config config = {.size = 4, .text = {"{}", 2}};
    struct hl_err err;

    config.name = (struct hl_text){name, (size_t)snprintf(name, sizeof name, "v%u", id)};
    assert_int_equal(hl_layout_add_space(layout, id, &config, &err), HL_OK);
}

/* Models 1 to 5, and the images that are wanted: that into 1 of 2 is 112. */
static struct hl_layout *make_layout(const struct hl_activations *activations)
{
    struct hl_layout *layout = hl_layout_new();
    const struct hl_text settings = {"{}", 2};
    struct hl_models sources;
    struct hl_err err;

    for (uint32_t id = 1; id <= 5; id++)
        add_space(layout, id);
    for (uint32_t into = 1; into <= 5; into++) {
        hl_reach_into(activations, into, &sources);
        for (size_t i = 0; i < sources.n; i++) {
            const struct hl_image image = {
                .into = into, .from = sources.ids[i], .is_served = true, .mapper = &no_way};

            assert_int_equal(hl_layout_add_image(layout, 100 + into * 10 + sources.ids[i],
                                                 &image, &settings, &err),
                             HL_OK);
        }
    }
    return layout;
}

static size_t print_leg(const struct hl_leg *leg, char *text, size_t room)
{
    size_t n = (size_t)snprintf(text, room, " %u", leg->space);

    for (size_t i = leg->n_hops; i-- > 0;)
        n += (size_t)snprintf(text + n, room - n, "<%u", leg->hops[i].from);
    n += leg->has_own ? (size_t)snprintf(text + n, room - n, "[%u", leg->space)
                      : (size_t)snprintf(text + n, room - n, "[-");
    for (size_t i = 0; i < leg->n_images; i++) {
        assert_int_equal(leg->images[i] / 10 % 10, leg->space);
        n += (size_t)snprintf(text + n, room - n, " %u", leg->images[i] % 10);
    }
    n += (size_t)snprintf(text + n, room - n, "]");
    for (size_t i = 0; i < leg->n_without; i++)
        n += (size_t)snprintf(text + n, room - n, "%s %u", i > 0 ? "" : " but",
                              leg->without[i]);
    assert_true(n < room);
    return n;
}

static void print_plan(const struct hl_plan *plan, char text[200])
{
    size_t n;

    if (!plan) {
        (void)snprintf(text, 200, "none");
        return;
    }
    n = (size_t)snprintf(text, 200, "%s:", hl_serving_name(plan->strategy));
    for (size_t i = 0; i < plan->n_legs; i++)
        n += print_leg(&plan->legs[i], text + n, 200 - n);
}

struct row {
    const char *active;
    uint32_t model;
    const char *plan;
};

static const struct hl_rollout no_rollout = {.number = 0};

/* `n_carriers` of ten points. */
static void assert_plans(const struct row *rows, size_t n_rows, uint64_t n_carriers)
{
    for (size_t i = 0; i < n_rows; i++) {
        struct hl_activations activations;
        struct hl_layout *layout;
        struct hl_plans *plans = NULL;
        struct hl_err err;
        char text[200];

        read_active(rows[i].active, &activations);
        layout = make_layout(&activations);
        assert_int_equal(hl_plans_compile(layout, &activations, &no_rollout, &plans, &err),
                         HL_OK);
        print_plan(hl_plan_of(plans, rows[i].model, n_carriers, 10), text);
        if (strcmp(text, rows[i].plan) != 0)
            fail_msg("of %s queries of %u are served \"%s\", not \"%s\"", rows[i].active,
                     rows[i].model, text, rows[i].plan);
        hl_plans_unref(plans);
        hl_layout_unref(layout);
    }
}

#define assert_table(rows, n_carriers)                                                     \
    assert_plans(rows, sizeof(rows) / sizeof *(rows), n_carriers)

/* ---- the tests ---- */

static void models_that_nothing_active_touches_have_no_plan(void **state)
{
    static const struct row rows[] = {{"", 1, "none"}, {"2>1 b", 3, "none"}};

    (void)state;
    assert_table(rows, 5);
}

static void one_bridge_takes_queries_to_its_end_or_leaves_them(void **state)
{
    static const struct row rows[] = {
        {"3>1 b", 3, "backward: 1<3[1 3]"},
        {"3>1 b", 1, "auto: 1[1 3]"},
        {"3>1 d", 3, "dual: 3[3] 1<3[1] but 3"},
        {"3>1 d", 1, "auto: 1[1 3]"},
        /* from the old model to the new one */
        {"1>3 f", 3, "forward: 3[3 1]"},
        {"1>3 f", 1, "auto: 1[1] 3<1[3] but 1"},
        /* both ways at once */
        {"3>1 b, 1>3 f", 3, "forward: 3[3 1]"},
        {"3>1 b, 1>3 f", 1, "auto: 1[1 3]"},
        {"3>1 d, 1>3 b", 1, "backward: 3<1[3 1]"},
    };

    (void)state;
    assert_table(rows, 5);
}

static void of_several_bridges_the_one_that_finds_more_is_taken(void **state)
{
    static const struct row rows[] = {
        {"4>1 b, 4>2 b, 3>2 b", 4, "backward: 2<4[2 3 4] 1<4[1] but 2 3 4"},
        /* else the newest */
        {"3>1 b, 3>2 b", 3, "backward: 2<3[2 3] 1<3[1] but 2 3"},
        {"3>2 b, 3>1 b", 3, "backward: 1<3[1 3] 2<3[2] but 1 3"},
        {"3>1 d, 3>2 d", 3, "dual: 3[3] 2<3[2] but 3 1<3[1] but 2 3"},
        /* a small and a large model on one gallery */
        {"4>1 b, 5>1 b", 4, "backward: 1<4[1 4 5]"},
        {"4>1 b, 5>1 b", 5, "backward: 1<5[1 4 5]"},
        {"4>1 b, 5>1 b", 1, "auto: 1[1 4 5]"},
    };

    (void)state;
    assert_table(rows, 5);
}

static void a_chain_is_taken_where_its_end_finds_more(void **state)
{
    static const struct row rows[] = {
        {"2>1 b, 3>2 b", 3, "backward: 1<2<3[1 2 3]"},
        {"2>1 b, 3>2 b", 2, "backward: 1<2[1 2 3]"},
        {"2>1 b, 3>2 b", 1, "auto: 1[1 2 3]"},
        /* nothing was measured over a chain: no two lists are merged */
        {"2>1 b, 3>2 d", 3, "backward: 1<2<3[1 2 3]"},
        {"2>1 d, 3>2 b", 2, "dual: 2[2] 1<2[1 3] but 2"},
        /* a bridge goes before a chain */
        {"2>1 b, 3>2 b, 3>1 b", 3, "backward: 1<3[1 2 3]"},
        /* the middle finds what the end has */
        {"2>1 b, 3>2 b, 1>2 b", 3, "backward: 2<3[2 1 3]"},
        /* three bridges are no chain: what is behind has a leg of its own where there is */
        {"2>1 b, 3>2 b, 4>3 b", 4, "backward: 2<3<4[2 3 4]"},
        {"2>1 b, 3>2 b, 4>3 b", 1, "auto: 1[1 2 3]"},
    };

    (void)state;
    assert_table(rows, 5);
}

static void what_no_leg_finds_has_one_of_its_own(void **state)
{
    static const struct row rows[] = {
        {"1>2 f, 2>3 f", 1, "auto: 1[1] 2<1[2] but 1 3<2<1[3] but 1 2"},
        {"1>2 f, 2>3 f", 2, "forward: 2[2 1] 3<2[3] but 1 2"},
        {"1>2 f, 2>3 f", 3, "forward: 3[3 1 2]"},
        {"3>1 b, 3>2 f", 3, "backward: 1<3[1 3] 2<3[2] but 1 3"},
    };

    (void)state;
    assert_table(rows, 5);
}

static void what_only_has_images_in_reach_is_found_there(void **state)
{
    static const struct row rows[] = {
        /* four models in a row: those between see what is before them */
        {"2>1 b, 3>2 b, 4>3 b", 3, "backward: 1<2<3[1 2 3] 3[- 4] but 1 2 3"},
        {"2>1 b, 3>2 b, 4>3 b", 2, "backward: 1<2[1 2 3] 2[- 4] but 1 2 3"},
        {"2>1 d, 3>2 b, 4>3 b", 2, "dual: 2[2] 1<2[1 3] but 2 2[- 4] but 1 2 3"},
        /* a space whose own vectors have images near, and other images */
        {"2>1 b, 1>3 f, 3>2 b, 4>2 b", 3, "forward: 3[3 1 2] 2<3[- 4] but 1 2 3"},
    };

    (void)state;
    assert_table(rows, 5);
}

static void models_all_points_have_see_their_own_rows_alone(void **state)
{
    static const struct row rows[] = {{"3>1 b", 3, "backward: 3[3]"},
                                      {"3>1 d", 3, "dual: 3[3]"},
                                      {"1>3 f", 3, "forward: 3[3]"},
                                      {"3>1 b", 1, "auto: 1[1]"},
                                      {"2>1 b, 3>2 b", 3, "backward: 3[3]"}};

    (void)state;
    assert_table(rows, 10);
}

static void models_no_point_has_are_not_asked_for_their_own_rows(void **state)
{
    static const struct row rows[] = {{"3>1 b", 3, "backward: 1<3[1 3]"},
                                      {"3>1 d", 3, "dual: 1<3[1 3]"},
                                      {"1>3 f", 3, "forward: 3[3 1]"},
                                      {"3>1 b", 1, "auto: 1[1 3]"}};

    (void)state;
    assert_table(rows, 0);
}

static void legs_have_the_fidelity_and_the_revisions_that_were_activated(void **state)
{
    struct hl_activations activations;
    struct hl_layout *layout;
    struct hl_plans *plans = NULL;
    const struct hl_plan *plan;
    struct hl_err err;

    (void)state;
    read_active("3>2 d, 2>1 b", &activations);
    layout = make_layout(&activations);
    assert_int_equal(hl_plans_compile(layout, &activations, &no_rollout, &plans, &err),
                     HL_OK);
    assert_int_equal(plans->number, 7);
    plan = hl_plan_in(plans, 3, HL_PLAN_SOME);
    assert_true(plan->legs[0].fidelity > 0.49f && plan->legs[0].fidelity < 0.51f);
    assert_int_equal(plan->legs[0].hops[0].revision, 32);
    assert_int_equal(plan->legs[0].hops[1].revision, 21);
    plan = hl_plan_in(plans, 2, HL_PLAN_SOME);
    assert_true(plan->legs[0].fidelity < 0.0f);
    hl_plans_unref(plans);
    hl_layout_unref(layout);
}

static void images_that_are_missing_are_damage(void **state)
{
    struct hl_activations activations;
    struct hl_layout *layout;
    struct hl_plans *plans = NULL;
    struct hl_err err;

    (void)state;
    read_active("3>1 b", &activations);
    layout = make_layout(&activations);
    hl_layout_drop_space(layout, 113);
    assert_int_equal(hl_plans_compile(layout, &activations, &no_rollout, &plans, &err),
                     HL_DAMAGED);
    assert_null(plans);
    hl_layout_unref(layout);
}

static void without_memory_there_are_no_plans(void **state)
{
    struct hl_activations activations;
    struct hl_layout *layout;
    struct hl_plans *plans = NULL;
    enum hl_code code = HL_NO_MEMORY;

    (void)state;
    read_active("3>1 b, 2>1 d, 3>2 b", &activations);
    layout = make_layout(&activations);
    for (int n = 1; code != HL_OK; n++) {
        struct hl_err err;
        char rule[32];

        assert_true(n < 100);
        snprintf(rule, sizeof rule, "alloc=%d:fail", n);
        assert_int_equal(hl_failpoint_arm(rule, &err), HL_OK);
        code = hl_plans_compile(layout, &activations, &no_rollout, &plans, &err);
        hl_failpoint_disarm();
        assert_true(code == HL_OK || code == HL_NO_MEMORY);
        assert_true((plans != NULL) == (code == HL_OK));
    }
    hl_plans_unref(plans);
    hl_layout_unref(layout);
}

static void ways_are_the_shortest_and_over_the_newest_model(void **state)
{
    struct hl_activations activations;
    struct hl_trail trail;

    (void)state;
    read_active("4>2 b, 4>3 b, 2>1 b, 3>1 b", &activations);
    trail = hl_reach_trail(&activations, 4, 1);
    assert_int_equal(trail.n_hops, 2);
    assert_int_equal(trail.hops[0].to, 3);
    read_active("4>2 b, 4>3 b, 2>1 b, 3>1 b, 4>1 b", &activations);
    assert_int_equal(hl_reach_trail(&activations, 4, 1).n_hops, 1);
    assert_int_equal(hl_reach_trail(&activations, 1, 4).n_hops, 0);
    assert_int_equal(hl_reach_trail(&activations, 4, 4).n_hops, 0);
    assert_int_equal(hl_plan_goal(&activations, 4), 1);
    assert_int_equal(hl_plan_goal(&activations, 1), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(models_that_nothing_active_touches_have_no_plan),
        cmocka_unit_test(one_bridge_takes_queries_to_its_end_or_leaves_them),
        cmocka_unit_test(of_several_bridges_the_one_that_finds_more_is_taken),
        cmocka_unit_test(a_chain_is_taken_where_its_end_finds_more),
        cmocka_unit_test(what_no_leg_finds_has_one_of_its_own),
        cmocka_unit_test(what_only_has_images_in_reach_is_found_there),
        cmocka_unit_test(models_all_points_have_see_their_own_rows_alone),
        cmocka_unit_test(models_no_point_has_are_not_asked_for_their_own_rows),
        cmocka_unit_test(legs_have_the_fidelity_and_the_revisions_that_were_activated),
        cmocka_unit_test(images_that_are_missing_are_damage),
        cmocka_unit_test(without_memory_there_are_no_plans),
        cmocka_unit_test(ways_are_the_shortest_and_over_the_newest_model),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
