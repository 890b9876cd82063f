/* SPDX-License-Identifier: Apache-2.0 */
#include "server/search_part.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

struct fixture {
    struct hl_arena *arena;
    struct hl_pick picks[64];
    struct hl_hits lists[8];
    char text[256];
    struct hl_err err;
};

static int set_up(void **state)
{
    static struct fixture f;

    f = (struct fixture){.arena = hl_arena_new(1 << 16)};
    *state = &f;
    return f.arena ? 0 : -1;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;

    hl_arena_free(f->arena);
    return 0;
}

/* "1:9 2:8|3:7" are two lists of number:score; the merged one is given in the same way. */
static const char *merged(struct fixture *f, enum hl_distance order, const char *text)
{
    struct hl_hits hits = {0};
    size_t n_lists = 1, n = 0, len = 0;

    f->lists[0] = (struct hl_hits){f->picks, 0};
    while (*text) {
        if (*text == '|')
            f->lists[n_lists++] = (struct hl_hits){&f->picks[n], 0};
        if (*text >= '0' && *text <= '9') {
            f->picks[n++] = (struct hl_pick){.number = (uint32_t)(text[0] - '0'),
                                             .score = (float)(text[2] - '0')};
            f->lists[n_lists - 1].n++;
            text += 2;
        }
        text++;
    }
    assert_int_equal(hl_hits_merge(f->lists, n_lists, order, f->arena, &hits, &f->err),
                     HL_OK);
    f->text[0] = '\0';
    for (size_t i = 0; i < hits.n; i++)
        len += (size_t)snprintf(f->text + len, sizeof f->text - len, "%s%u:%.0f",
                                i > 0 ? " " : "", hits.items[i].number,
                                (double)hits.items[i].score);
    return f->text;
}

static void lists_merge_by_score_and_equal_ones_by_number(void **state)
{
    static const struct {
        enum hl_distance order;
        const char *lists, *wanted;
    } cases[] = {
        {HL_COSINE, "1:9 2:5|3:7", "1:9 3:7 2:5"},
        {HL_COSINE, "4:7|3:7|1:7", "1:7 3:7 4:7"},
        {HL_COSINE, "|", ""},
        {HL_COSINE, "1:1", "1:1"},
        {HL_COSINE, "|2:8||1:9", "1:9 2:8"},
        {HL_EUCLID, "1:1 2:5|3:3 4:6", "1:1 3:3 2:5 4:6"},
        {HL_DOT, "1:9 2:8 3:7|4:8 5:8", "1:9 2:8 4:8 5:8 3:7"},
    };
    struct fixture *f = *state;

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_string_equal(merged(f, cases[i].order, cases[i].lists), cases[i].wanted);
}

/* Scores that were told apart before they were mapped may have become one. */
static void what_stands_in_one_list_keeps_its_order(void **state)
{
    assert_string_equal(merged(*state, HL_COSINE, "5:7 1:7|3:7"), "3:7 5:7 1:7");
}

static void without_room_nothing_is_merged(void **state)
{
    struct fixture *f = *state;
    struct hl_hits hits = {NULL, 77};
    struct hl_arena *tiny = hl_arena_new(8);

    f->lists[0] = (struct hl_hits){f->picks, 20};
    f->lists[1] = (struct hl_hits){f->picks + 20, 20};
    assert_int_not_equal(hl_hits_merge(f->lists, 2, HL_DOT, tiny, &hits, &f->err), HL_OK);
    assert_int_equal(hits.n, 77);
    hl_arena_free(tiny);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(lists_merge_by_score_and_equal_ones_by_number),
        TEST(what_stands_in_one_list_keeps_its_order),
        TEST(without_room_nothing_is_merged),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
