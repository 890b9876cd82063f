/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "index/part.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct fixture {
    struct hl_part_keeper keeper;
    size_t n_calls;
    char path[64];
};

static void count_call(void *self)
{
    struct fixture *f = self;

    f->n_calls++;
}

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);

    *state = f;
    if (!f)
        return -1;
    f->keeper.call = count_call;
    f->keeper.self = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;

    hl_part_keeper_dig(&f->keeper);
    (void)unlink(f->path);
    free(f);
    return 0;
}

/* A part whose file is not wanted any more. */
static struct hl_part *retired_part(struct fixture *f)
{
    const struct hl_tail_options options = {HL_METRIC_L2, 4, 8};
    char path[] = "/tmp/heirloom-part-XXXXXX";
    const int fd = mkstemp(path);
    struct hl_part *part = NULL;
    struct hl_tail *tail;
    struct hl_err err;

    assert_true(fd >= 0);
    close(fd);
    memcpy(f->path, path, sizeof path);
    assert_int_equal(hl_tail_new(&options, &tail, &err), HL_OK);
    assert_int_equal(hl_part_of_tail(tail, &part, &err), HL_OK);
    hl_part_set_path(part, path);
    hl_part_retire(part);
    return part;
}

static bool has_file(const struct fixture *f)
{
    return access(f->path, F_OK) == 0;
}

static void the_last_reference_removes_the_file_of_a_retired_part(void **state)
{
    struct fixture *f = *state;
    struct hl_part *part = retired_part(f);

    hl_part_unref(hl_part_ref(part));
    assert_true(has_file(f));
    hl_part_unref(part);
    assert_false(has_file(f));
    assert_int_equal(f->n_calls, 0);
}

static void a_part_that_is_buried_stays_until_somebody_digs(void **state)
{
    struct fixture *f = *state;
    struct hl_part *part = retired_part(f);

    hl_part_keep_by(part, &f->keeper);
    hl_part_unref(hl_part_ref(part));
    assert_int_equal(f->n_calls, 0);
    hl_part_unref(part);
    assert_int_equal(f->n_calls, 1);
    assert_true(has_file(f));
    hl_part_keeper_dig(&f->keeper);
    assert_false(has_file(f));
}

static void one_digs_for_all(void **state)
{
    struct fixture *f = *state;

    for (size_t i = 0; i < 3; i++) {
        struct hl_part *part = retired_part(f);

        hl_part_keep_by(part, &f->keeper);
        hl_part_unref(part);
    }
    assert_int_equal(f->n_calls, 3);
    hl_part_keeper_dig(&f->keeper);
    assert_false(has_file(f)); /* of the newest; a leak of the others is the sanitizer's */
    hl_part_keeper_dig(&f->keeper);
}

#define TEST(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_last_reference_removes_the_file_of_a_retired_part),
        TEST(a_part_that_is_buried_stays_until_somebody_digs),
        TEST(one_digs_for_all),
    };

    return cmocka_run_group_tests_name("part", tests, NULL, NULL);
}
