/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "server/picks.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

struct rig {
    struct hl_arena *arena;
    struct hl_picks picks;
    struct hl_err err;
    char text[256];
};

static int set_up(void **state)
{
    static struct rig rig;

    memset(&rig, 0, sizeof rig);
    rig.arena = hl_arena_new(1 << 20);
    *state = &rig;
    return rig.arena ? 0 : -1;
}

static int tear_down(void **state)
{
    struct rig *rig = *state;

    hl_arena_free(rig->arena);
    return 0;
}

static struct hl_pick pick(uint64_t key, uint64_t id)
{
    return (struct hl_pick){.key = key, .id = hl_id_number(id), .number = (uint32_t)id};
}

/* "key:id …" of what is kept. */
static const char *kept(struct rig *rig, size_t room, const struct hl_pick *all, size_t n)
{
    size_t len = 0;

    assert_int_equal(hl_picks_init(&rig->picks, room, rig->arena, &rig->err), HL_OK);
    for (size_t i = 0; i < n; i++)
        hl_picks_add(&rig->picks, &all[i]);
    hl_picks_sort(&rig->picks);
    rig->text[0] = '\0';
    for (size_t i = 0; i < rig->picks.n; i++)
        len += (size_t)snprintf(rig->text + len, sizeof rig->text - len, "%s%d:%d",
                                i ? " " : "", (int)rig->picks.all[i].key,
                                (int)rig->picks.all[i].number);
    return rig->text;
}

static void the_smallest_keys_are_kept(void **state)
{
    struct rig *rig = *state;
    struct hl_pick all[100];

    for (uint64_t i = 0; i < 100; i++)
        all[i] = pick(i * 37 % 100, i);
    assert_string_equal(kept(rig, 4, all, 100), "0:0 1:73 2:46 3:19");
    assert_string_equal(kept(rig, 4, all, 3), "0:0 37:1 74:2");
    assert_string_equal(kept(rig, 0, all, 100), "");
    assert_string_equal(kept(rig, 3, all, 0), "");
}

static void equal_keys_go_by_id_in_whatever_order_they_came(void **state)
{
    struct rig *rig = *state;
    struct hl_pick all[] = {pick(1, 5), pick(1, 2), pick(1, 9), pick(0, 7), pick(1, 1)};
    struct hl_pick turned[5];

    for (size_t i = 0; i < 5; i++)
        turned[i] = all[4 - i];
    assert_string_equal(kept(rig, 3, all, 5), "0:7 1:1 1:2");
    assert_string_equal(kept(rig, 3, turned, 5), "0:7 1:1 1:2");
}

static void chance_is_of_the_seed_and_of_the_whole_id(void **state)
{
    const struct hl_id one = hl_id_number(1), two = hl_id_number(2);
    struct hl_id uuid, other;

    (void)state;
    assert_true(hl_id_parse_uuid("00000000-0000-0001-0000-000000000000", 36, &uuid));
    assert_true(hl_id_parse_uuid("00000000-0000-0001-0000-000000000001", 36, &other));
    assert_true(hl_pick_chance(3, &one) == hl_pick_chance(3, &one));
    assert_true(hl_pick_chance(3, &one) != hl_pick_chance(4, &one));
    assert_true(hl_pick_chance(3, &one) != hl_pick_chance(3, &two));
    assert_true(hl_pick_chance(3, &one) != hl_pick_chance(3, &uuid));
    assert_true(hl_pick_chance(3, &uuid) != hl_pick_chance(3, &other));
}

static void no_room_is_an_error(void **state)
{
    struct rig *rig = *state;

    assert_int_equal(hl_picks_init(&rig->picks, 1 << 20, rig->arena, &rig->err),
                     HL_TOO_LARGE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(the_smallest_keys_are_kept, set_up, tear_down),
        cmocka_unit_test_setup_teardown(equal_keys_go_by_id_in_whatever_order_they_came,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(chance_is_of_the_seed_and_of_the_whole_id, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(no_room_is_an_error, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
