/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "proto/fail.h"
#include "proto/file.h"
#include "proto/pages.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define HUGE_PAGE ((size_t)2 << 20)

static void pages_are_empty_and_all_of_them_are_there(void **state)
{
    static const size_t sizes[] = {
        1, 4096, 4097, HUGE_PAGE - 1, HUGE_PAGE, 3 * HUGE_PAGE + 1};

    (void)state;
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        unsigned char *pages = hl_pages_new(sizes[i]);

        assert_non_null(pages);
        assert_int_equal((uintptr_t)pages % HUGE_PAGE, 0);
        for (size_t at = 0; at < sizes[i]; at += 509)
            assert_int_equal(pages[at], 0);
        memset(pages, 0xa5, sizes[i]);
        hl_pages_free(pages, sizes[i]);
    }
    hl_pages_free(NULL, 1);
}

static void what_cannot_be_is_no_memory(void **state)
{
    struct hl_err err;

    (void)state;
    assert_null(hl_pages_new(0));
    assert_null(hl_pages_new(SIZE_MAX));
    assert_null(hl_pages_new(SIZE_MAX / 2));
    assert_int_equal(hl_failpoint_arm("alloc=1:fail", &err), HL_OK);
    assert_null(hl_pages_new(1));
    hl_failpoint_disarm();
}

/* Hints change nothing of what is read, wherever they begin. */
static void a_mapping_reads_as_before_whatever_was_said_of_it(void **state)
{
    static const size_t offsets[] = {0, 1, 4096, 9999, 19999};
    char path[] = "/tmp/heirloom_pages_XXXXXX", text[20000];
    struct hl_file *file;
    struct hl_err err;
    void *bytes;
    size_t size;
    const int fd = mkstemp(path);

    (void)state;
    for (size_t i = 0; i < sizeof text; i++)
        text[i] = (char)('a' + i % 23);
    assert_int_equal(write(fd, text, sizeof text), sizeof text);
    close(fd);
    assert_int_equal(hl_file_open(path, HL_FILE_READ, &file, &err), HL_OK);
    assert_int_equal(hl_file_map(file, &bytes, &size, &err), HL_OK);
    assert_int_equal(size, sizeof text);
    hl_file_close(file);
    unlink(path);
    hl_pages_scatter(bytes, size);
    for (size_t i = 0; i < sizeof offsets / sizeof *offsets; i++) {
        hl_pages_cool((char *)bytes + offsets[i], size - offsets[i]);
        assert_memory_equal(bytes, text, size);
        hl_pages_fetch((char *)bytes + offsets[i], size - offsets[i]);
        assert_memory_equal(bytes, text, size);
    }
    hl_file_unmap(bytes, size);
}

static void an_allowance_is_given_out_once(void **state)
{
    struct hl_allowance allowance = {.most = 10};

    (void)state;
    assert_true(hl_allowance_take(&allowance, 4, 0));
    assert_false(hl_allowance_take(&allowance, 7, 0));
    assert_false(hl_allowance_take(&allowance, SIZE_MAX, 0));
    assert_true(hl_allowance_take(&allowance, 6, 0));
    assert_false(hl_allowance_take(&allowance, 1, 0));
    hl_allowance_give(&allowance, 6);
    assert_true(hl_allowance_take(&allowance, 5, 0));
    assert_int_equal(atomic_load(&allowance.taken), 9);
    assert_false(hl_allowance_take(&allowance, 6, 4));
    assert_true(hl_allowance_take(&allowance, 5, 4));
    assert_false(hl_allowance_take(&allowance, 1, 4));
    assert_true(hl_allowance_take(&allowance, SIZE_MAX - 20, SIZE_MAX));
    hl_allowance_give(&allowance, SIZE_MAX - 20);
    hl_allowance_give(&allowance, 5);
    assert_int_equal(atomic_load(&allowance.taken), 9);
}

static void what_a_part_takes_is_taken_from_the_whole(void **state)
{
    struct hl_allowance whole = {.most = 10};
    struct hl_allowance part = {.most = 6, .whole = &whole};

    (void)state;
    assert_false(hl_allowance_take(&part, 7, 0));
    assert_true(hl_allowance_take(&whole, 5, 0));
    assert_false(hl_allowance_take(&part, 6, 0)); /* which the whole has not */
    assert_int_equal(atomic_load(&part.taken), 0);
    assert_true(hl_allowance_take(&part, 5, 0));
    assert_int_equal(atomic_load(&whole.taken), 10);
    hl_allowance_give(&part, 5);
    assert_int_equal(atomic_load(&whole.taken), 5);
    assert_int_equal(atomic_load(&part.taken), 0);
}

struct taker {
    pthread_t thread;
    struct hl_allowance *allowance;
    size_t n_kept;
};

static void *take_often(void *arg)
{
    struct taker *taker = arg;

    for (int i = 0; i < 20000; i++) {
        if (!hl_allowance_take(taker->allowance, 3, 0))
            continue;
        if (i % 7 == 0)
            taker->n_kept++;
        else
            hl_allowance_give(taker->allowance, 3);
    }
    return NULL;
}

static void an_allowance_is_shared_by_threads(void **state)
{
    struct hl_allowance allowance = {.most = 3000};
    struct taker takers[4] = {{0}};
    size_t n_kept = 0;

    (void)state;
    for (size_t i = 0; i < 4; i++) {
        takers[i].allowance = &allowance;
        assert_int_equal(pthread_create(&takers[i].thread, NULL, take_often, &takers[i]),
                         0);
    }
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(pthread_join(takers[i].thread, NULL), 0);
        n_kept += takers[i].n_kept;
    }
    assert_int_equal(n_kept, 1000);
    assert_int_equal(atomic_load(&allowance.taken), 3000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pages_are_empty_and_all_of_them_are_there),
        cmocka_unit_test(what_cannot_be_is_no_memory),
        cmocka_unit_test(a_mapping_reads_as_before_whatever_was_said_of_it),
        cmocka_unit_test(an_allowance_is_given_out_once),
        cmocka_unit_test(what_a_part_takes_is_taken_from_the_whole),
        cmocka_unit_test(an_allowance_is_shared_by_threads),
    };

    return cmocka_run_group_tests_name("pages", tests, NULL, NULL);
}
