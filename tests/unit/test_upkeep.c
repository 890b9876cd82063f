/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "index/upkeep.h"

#include <stdio.h>
#include <stdlib.h>

enum { SEAL = 1000, MOST = 16 };

/* Parts as words: "1000" a sealed one, "1000/400" of which 400 are dead, "T1000" a full
 * tail, "t12" an open one. What is chosen as "first+n", "-" for nothing. */
static void chosen_below(const char *words, size_t most_rows, const char *wanted)
{
    struct hl_upkeep_part parts[MOST] = {{0, 0, false, false}};
    struct hl_upkeep_choice choice;
    size_t n = 0;
    char got[32] = "-";

    for (; *words && n < MOST; n++) {
        struct hl_upkeep_part *part = &parts[n];

        part->is_full = *words == 'T';
        part->is_tail = part->is_full || *words == 't';
        words += part->is_tail;
        part->n_rows = strtoul(words, (char **)&words, 10);
        assert_true(part->n_rows > 0);
        if (*words == '/')
            part->n_dead = strtoul(words + 1, (char **)&words, 10);
        words += *words == ' ';
    }
    choice = hl_upkeep_choose(parts, n, SEAL, most_rows);
    if (choice.n > 0)
        snprintf(got, sizeof got, "%zu+%zu", choice.first, choice.n);
    assert_string_equal(got, wanted);
}

static void chosen(const char *words, const char *wanted)
{
    chosen_below(words, SIZE_MAX, wanted);
}

static void nothing_is_done_to_a_shelf_in_order(void **state)
{
    (void)state;
    chosen("", "-");
    chosen("t12", "-");
    chosen("1000 1000 1000 t999", "-");
    chosen("16000 4000 4000 1000 1000 t1", "-");
}

static void full_tails_are_sealed_before_anything_else(void **state)
{
    (void)state;
    chosen("T1000 t3", "0+1");
    chosen("1000 1000 1000 1000 T1000 T1000 t3", "4+1");
    chosen("1000/900 T17 1000 t3", "1+1");
    chosen("8000/7900 T17 1000 t3", "1+1");
}

static void what_hardly_anything_is_left_of_comes_next(void **state)
{
    (void)state;
    chosen("16000 8000/7001 1000 1000 1000 1000 t3", "1+1");
    chosen("16000 8000/7000 1000 1000 1000 1000 t3", "1+5"); /* it goes along */
    chosen("16000 8000/6999 1000 1000 1000 1000 t3", "2+4");
    chosen("1000 1000 1000 1000 4000/4000 t3", "4+1");
    chosen("1023/1000 1000 1000 1000 1000 t3", "0+5"); /* too small to be worth it */
}

static void four_neighbours_of_one_size_are_merged(void **state)
{
    (void)state;
    chosen("1000 1000 1000 1000 t3", "0+4");
    chosen("4000 1000 1000 1000 1000 1000 t3", "1+5");
    chosen("4000 4000 4000 4000 1000 t3", "0+5"); /* the smaller one goes along */
    chosen("4000 4000 4000 1000 t3", "0+4");
    chosen("16000 1000 1000 1000 16000 1000 1000 1000 16000 t3", "0+9");
}

static void the_small_come_before_the_large(void **state)
{
    (void)state;
    chosen("4000 4000 4000 4000 1000 1000 1000 1000 t3", "4+4");
}

static void the_large_are_not_built_anew_for_a_few_small_ones(void **state)
{
    (void)state;
    chosen("4000 1000 1000 1000 t3", "-");
    chosen("64000 16000 4000 1000 1000 t3", "-");
}

/* Sealed one by one, with time to merge in between. */
static void a_growing_shelf_has_few_parts_and_is_built_few_times(void **state)
{
    struct hl_upkeep_part parts[64] = {{0, 0, false, false}};
    size_t n = 0, most = 0, n_built = 0;

    (void)state;
    for (int i = 0; i < 1000; i++) {
        struct hl_upkeep_choice choice;

        parts[n++] = (struct hl_upkeep_part){.n_rows = SEAL};
        n_built += SEAL;
        most = n > most ? n : most;
        while ((choice = hl_upkeep_choose(parts, n, SEAL, SIZE_MAX)).n > 0) {
            for (size_t at = choice.first + 1; at < choice.first + choice.n; at++)
                parts[choice.first].n_rows += parts[at].n_rows;
            for (size_t at = choice.first + choice.n; at < n; at++)
                parts[at - choice.n + 1] = parts[at];
            n -= choice.n - 1;
            n_built += parts[choice.first].n_rows;
        }
    }
    assert_in_range(most, 4, 16);
    assert_in_range(n_built, 1000 * SEAL, 7 * 1000 * SEAL); /* 1000 < 3^6.3 */
}

static void what_is_not_sealed_parts_neighbours(void **state)
{
    (void)state;
    chosen("1000 1000 t5 1000 1000", "-");
}

static void a_part_counts_by_what_lives_in_it(void **state)
{
    (void)state;
    chosen("4000/3500 1000 1000 1000 t3", "0+4");
}

static void what_is_a_third_dead_is_made_anew(void **state)
{
    (void)state;
    chosen("16000 4000/1400 t3", "1+1");
    chosen("16000 4000/1333 t3", "-");
    chosen("100/60 t3", "-"); /* too small to be worth it */
    chosen("100/100 t3", "0+1");
}

static void nothing_becomes_larger_than_memory_can_build(void **state)
{
    (void)state;
    chosen_below("1000 1000 1000 1000 t3", 4000, "0+4");
    chosen_below("1000 1000 1000 1000 t3", 3999, "-");
    chosen_below("1000 1000 1000 1000 1000 1000 t3", 5000, "0+5");
    chosen_below("4000 1000 1000 1000 1000 t3", 4000, "1+4");
    chosen_below("9000 1000 1000 1000 1000 t3", 4000, "1+4");
    chosen_below("4000/3500 1000 1000 1000 t3", 3500, "0+4");
    chosen_below("16000 4000/1400 t3", 1000, "1+1"); /* what is there must become less */
    chosen_below("T2000 t3", 1000, "0+1");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_is_done_to_a_shelf_in_order),
        cmocka_unit_test(full_tails_are_sealed_before_anything_else),
        cmocka_unit_test(what_hardly_anything_is_left_of_comes_next),
        cmocka_unit_test(four_neighbours_of_one_size_are_merged),
        cmocka_unit_test(the_small_come_before_the_large),
        cmocka_unit_test(the_large_are_not_built_anew_for_a_few_small_ones),
        cmocka_unit_test(a_growing_shelf_has_few_parts_and_is_built_few_times),
        cmocka_unit_test(what_is_not_sealed_parts_neighbours),
        cmocka_unit_test(a_part_counts_by_what_lives_in_it),
        cmocka_unit_test(what_is_a_third_dead_is_made_anew),
        cmocka_unit_test(nothing_becomes_larger_than_memory_can_build),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
