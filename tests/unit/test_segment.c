/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "index/segment.h"
#include "index/segment_file.h"
#include "proto/alloc.h"
#include "proto/crc.h"
#include "proto/fail.h"
#include "proto/file.h"
#include "tests/support/gallery.h"
#include "tests/support/still.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define N_ROWS ((size_t)300)
#define DIM    ((size_t)12)

struct fixture {
    char folder[40], path[64], other[64];
    float *values;
    const float *pointers[N_ROWS];
    uint64_t rows[N_ROWS];
    uint32_t numbers[N_ROWS];
    struct hl_segment_content content;
    struct hl_buf file; /* what a sound segment looks like */
    struct hl_segment *segment;
    struct hl_err err;
};

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    struct hl_gallery *gallery = hl_gallery_new(DIM, 3);

    *state = f;
    if (!f || !gallery)
        return -1;
    snprintf(f->folder, sizeof f->folder, "/tmp/heirloom-segment-XXXXXX");
    f->values = hl_gallery_rows(gallery, 0, N_ROWS);
    hl_gallery_free(gallery);
    if (!mkdtemp(f->folder) || !f->values)
        return -1;
    snprintf(f->path, sizeof f->path, "%s/1.seg", f->folder);
    snprintf(f->other, sizeof f->other, "%s/2.seg", f->folder);
    for (uint32_t i = 0; i < N_ROWS; i++) {
        f->rows[i] = 10 + 2 * (uint64_t)i;
        f->numbers[i] = (i * 7U) % 100; /* several rows of one point */
    }
    hl_gallery_point_at(f->values, N_ROWS, DIM, f->pointers);
    f->content = (struct hl_segment_content){.n_rows = N_ROWS,
                                             .dim = DIM,
                                             .values = f->pointers,
                                             .rows = f->rows,
                                             .numbers = f->numbers,
                                             .metric = HL_METRIC_DOT,
                                             .n_links = 8,
                                             .ef_construction = 40};
    hl_buf_init(&f->file, 1 << 20);
    if (hl_segment_build(&f->content, f->path, &never, &f->err) != HL_OK ||
        hl_file_load(f->path, &f->file, &f->err) != HL_OK)
        return -1;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;

    unlink(f->path);
    unlink(f->other);
    rmdir(f->folder);
    hl_buf_done(&f->file);
    free(f->values);
    free(f);
    return 0;
}

static void write_other(struct fixture *f, size_t size)
{
    struct hl_file *file;

    unlink(f->other);
    assert_int_equal(hl_file_open(f->other, HL_FILE_CREATE, &file, &f->err), HL_OK);
    assert_int_equal(hl_file_write(file, f->file.data, size, &f->err), HL_OK);
    hl_file_close(file);
}

static enum hl_code open_with(struct fixture *f, const struct hl_segment_hold *hold)
{
    struct hl_segment *segment = NULL;
    enum hl_code code = hl_segment_open(f->other, hold, &segment, &f->err);

    assert_true(code == HL_OK || !segment);
    hl_segment_close(segment);
    return code;
}

/* From the mapping and from memory of its own: alike. */
static enum hl_code open_other(struct fixture *f)
{
    struct hl_allowance allowance = {.most = 1 << 20};
    const struct hl_segment_hold hold = {.allowance = &allowance};
    const enum hl_code code = open_with(f, NULL);

    assert_int_equal(open_with(f, &hold), code);
    assert_int_equal(atomic_load(&allowance.taken), 0);
    return code;
}

/* The header in the loaded bytes, changed by the caller; its checksum is made right again.
 */
static void seal_header(struct fixture *f, struct hl_segment_header *header)
{
    header->crc = 0;
    header->crc = hl_crc(0, header, sizeof *header);
    memcpy(f->file.data, header, sizeof *header);
}

static void what_went_in_comes_out(void **state)
{
    struct fixture *f = *state;
    const struct hl_segment_view *view;

    assert_int_equal(hl_segment_open(f->path, NULL, &f->segment, &f->err), HL_OK);
    view = hl_segment_view(f->segment);
    assert_int_equal(view->n_rows, N_ROWS);
    assert_int_equal(view->dim, DIM);
    assert_int_equal(view->metric, HL_METRIC_DOT);
    assert_memory_equal(view->rows, f->rows, sizeof f->rows);
    assert_memory_equal(view->numbers, f->numbers, sizeof f->numbers);
    assert_memory_equal(view->values, f->values, N_ROWS * DIM * sizeof(float));
    hl_segment_close(f->segment);
}

static void compare_views(const struct hl_segment_view *a, const struct hl_segment_view *b)
{
    assert_int_equal(a->n_upper, b->n_upper);
    assert_int_equal(a->entry, b->entry);
    assert_memory_equal(a->rows, b->rows, N_ROWS * sizeof *a->rows);
    assert_memory_equal(a->numbers, b->numbers, N_ROWS * sizeof *a->numbers);
    assert_memory_equal(a->by_number, b->by_number, N_ROWS * sizeof *a->by_number);
    assert_memory_equal(a->levels, b->levels, N_ROWS);
    assert_memory_equal(a->above, b->above, N_ROWS * sizeof *a->above);
    assert_memory_equal(a->upper, b->upper, a->n_upper * a->n_links * sizeof *a->upper);
    assert_memory_equal(a->links, b->links, N_ROWS * 2 * a->n_links * sizeof *a->links);
    assert_memory_equal(a->sketches, b->sketches, N_ROWS * a->stride);
    assert_memory_equal(a->values, b->values, N_ROWS * DIM * sizeof(float));
}

static void all_but_the_floats_is_held_where_there_is_room_for_it(void **state)
{
    struct fixture *f = *state;
    struct hl_allowance allowance = {.most = 1 << 20};
    struct hl_segment *mapped, *held, *cold;
    size_t size;

    assert_int_equal(hl_segment_open(f->path, NULL, &mapped, &f->err), HL_OK);
    assert_int_equal(hl_segment_open(f->path,
                                     &(struct hl_segment_hold){.allowance = &allowance},
                                     &held, &f->err),
                     HL_OK);
    size = hl_segment_held(held);
    assert_int_equal(hl_segment_held(mapped), 0);
    assert_int_equal(hl_segment_mapped(mapped), f->file.len);
    assert_int_equal(hl_segment_mapped(held), f->file.len - size);
    assert_int_equal(f->file.len - size, N_ROWS * DIM * sizeof(float));
    assert_int_equal(atomic_load(&allowance.taken), size);
    compare_views(hl_segment_view(mapped), hl_segment_view(held));

    allowance.most = 2 * size - 1; /* for one, and not for two */
    assert_int_equal(hl_segment_open(f->path,
                                     &(struct hl_segment_hold){.allowance = &allowance,
                                                               .is_on_disk = true},
                                     &cold, &f->err),
                     HL_OK);
    assert_int_equal(hl_segment_held(cold), 0);
    assert_false(hl_segment_view(mapped)->is_cold || hl_segment_view(held)->is_cold);
    assert_true(hl_segment_view(cold)->is_cold);
    compare_views(hl_segment_view(mapped), hl_segment_view(cold));
    hl_segment_close(cold);
    assert_int_equal(
        hl_segment_open(f->path,
                        &(struct hl_segment_hold){.allowance = &allowance, .lent = 1},
                        &cold, &f->err),
        HL_OK);
    assert_int_equal(hl_segment_held(cold), size);
    hl_segment_close(held);
    assert_int_equal(atomic_load(&allowance.taken), size);
    hl_segment_close(cold);
    hl_segment_close(mapped);
}

static void sketches_that_are_there_are_taken(void **state)
{
    struct fixture *f = *state;
    const struct hl_sketch *sketches[N_ROWS];
    struct hl_segment_content content = f->content;
    struct hl_sketch *bad;
    struct hl_segment *segment;
    struct hl_buf again;

    assert_int_equal(hl_segment_open(f->path, NULL, &segment, &f->err), HL_OK);
    for (uint32_t i = 0; i < N_ROWS; i++)
        sketches[i] = hl_segment_sketch(hl_segment_view(segment), i);
    bad = malloc(hl_sketch_stride(DIM));
    assert_non_null(bad);
    memcpy(bad, sketches[1], hl_sketch_stride(DIM));
    bad->scale = NAN; /* nothing that ever was made: it is made anew */
    sketches[0] = NULL;
    sketches[1] = bad;
    content.sketches = sketches;
    hl_buf_init(&again, 1 << 20);
    assert_int_equal(hl_segment_build(&content, f->other, &never, &f->err), HL_OK);
    assert_int_equal(hl_file_load(f->other, &again, &f->err), HL_OK);
    assert_int_equal(again.len, f->file.len);
    assert_memory_equal(again.data, f->file.data, again.len);
    hl_buf_done(&again);
    hl_segment_close(segment);
    free(bad);
}

static void what_is_not_finite_is_refused(void **state)
{
    struct fixture *f = *state;
    float bad[DIM] = {0};
    const float *sound = f->pointers[7];
    enum hl_code code;

    bad[3] = INFINITY;
    unlink(f->other);
    f->pointers[7] = bad;
    code = hl_segment_build(&f->content, f->other, &never, &f->err);
    f->pointers[7] = sound;
    assert_int_equal(code, HL_INVALID);
    assert_int_not_equal(access(f->other, F_OK), 0);
}

static void every_row_is_found_and_no_other(void **state)
{
    struct fixture *f = *state;
    const struct hl_segment_view *view;

    assert_int_equal(hl_segment_open(f->path, NULL, &f->segment, &f->err), HL_OK);
    view = hl_segment_view(f->segment);
    for (uint32_t i = 0; i < N_ROWS; i++) {
        assert_int_equal(hl_segment_find(view, f->rows[i]), i);
        assert_int_equal(hl_segment_find(view, f->rows[i] + 1), HL_NO_POSITION);
    }
    assert_int_equal(hl_segment_find(view, 0), HL_NO_POSITION);
    assert_int_equal(hl_segment_find(view, UINT64_MAX), HL_NO_POSITION);
    hl_segment_close(f->segment);
}

static void the_same_rows_make_the_same_file(void **state)
{
    struct fixture *f = *state;
    struct hl_buf again;

    hl_buf_init(&again, 1 << 20);
    assert_int_equal(hl_segment_build(&f->content, f->other, &never, &f->err), HL_OK);
    assert_int_equal(hl_file_load(f->other, &again, &f->err), HL_OK);
    assert_int_equal(again.len, f->file.len);
    assert_memory_equal(again.data, f->file.data, again.len);
    hl_buf_done(&again);
}

static bool is_in_a_section(const struct hl_segment_header *header, size_t at)
{
    for (int i = 0; i < HL_N_SECTIONS; i++)
        if (at >= header->places[i].offset &&
            at < header->places[i].offset + header->places[i].size)
            return true;
    return at < sizeof *header;
}

static void a_flipped_bit_anywhere_is_noticed(void **state)
{
    struct fixture *f = *state;
    struct hl_segment_header header;

    memcpy(&header, f->file.data, sizeof header);
    for (size_t at = 0; at < f->file.len; at += at < sizeof header ? 1 : 97) {
        if (!is_in_a_section(&header, at))
            continue;
        f->file.data[at] ^= 1;
        write_other(f, f->file.len);
        f->file.data[at] ^= 1;
        assert_true(open_other(f) == HL_DAMAGED || f->err.code == HL_NEWER_FORMAT);
    }
}

static void a_file_cut_short_or_made_longer_is_noticed(void **state)
{
    struct fixture *f = *state;

    for (size_t size = 0; size < f->file.len; size += size < 400 ? 1 : 501) {
        write_other(f, size);
        assert_int_equal(open_other(f), HL_DAMAGED);
    }
    hl_buf_add_char(&f->file, '\0');
    write_other(f, f->file.len);
    f->file.len--;
    assert_int_equal(open_other(f), HL_DAMAGED);
}

static void a_later_format_is_told_apart_from_damage(void **state)
{
    struct fixture *f = *state;
    struct hl_segment_header header, before;

    memcpy(&before, f->file.data, sizeof before);
    header = before;
    header.version = HL_SEGMENT_VERSION + 1;
    seal_header(f, &header);
    write_other(f, f->file.len);
    memcpy(f->file.data, &before, sizeof before);
    assert_int_equal(open_other(f), HL_NEWER_FORMAT);
    assert_non_null(strstr(f->err.msg, "has format 2, this heirloom knows 1"));
}

/* What a forger would do: wrong content under right checksums. */
static void forge(struct fixture *f, enum hl_segment_section section, size_t at,
                  const void *bytes, size_t size)
{
    struct hl_segment_header header, before;
    char kept[8];
    char *place;

    memcpy(&before, f->file.data, sizeof before);
    header = before;
    place = f->file.data + header.places[section].offset + at;
    memcpy(kept, place, size);
    memcpy(place, bytes, size);
    header.places[section].crc = hl_crc(0, f->file.data + header.places[section].offset,
                                        header.places[section].size);
    seal_header(f, &header);
    write_other(f, f->file.len);
    memcpy(place, kept, size);
    memcpy(f->file.data, &before, sizeof before);
}

static void a_forged_link_leads_nowhere(void **state)
{
    static const enum hl_segment_section linked[] = {
        HL_SECTION_LINKS, HL_SECTION_UPPER, HL_SECTION_BY_NUMBER, HL_SECTION_ABOVE};
    struct fixture *f = *state;
    const uint32_t beyond = N_ROWS, none = HL_NO_POSITION;
    const uint8_t high = 200;
    const uint64_t row = 99999;

    forge(f, HL_SECTION_LINKS, 0, &none, sizeof none);
    assert_int_equal(open_other(f), HL_DAMAGED); /* an end before the end */
    forge(f, HL_SECTION_LEVELS, 0, &high, sizeof high);
    assert_int_equal(open_other(f), HL_DAMAGED);
    forge(f, HL_SECTION_ROWS, 0, &row, sizeof row);
    assert_int_equal(open_other(f), HL_DAMAGED);
    for (size_t i = 0; i < 3; i++) {
        forge(f, linked[i], 0, &beyond, sizeof beyond);
        assert_int_equal(open_other(f), HL_DAMAGED);
    }
    assert_int_equal(hl_segment_open(f->path, NULL, &f->segment, &f->err), HL_OK);
    for (uint32_t at = 0; at < N_ROWS; at++) {
        const struct hl_segment_view *view = hl_segment_view(f->segment);

        if (view->levels[at] == 0)
            continue;
        forge(f, HL_SECTION_ABOVE, at * sizeof(uint32_t), &beyond, sizeof beyond);
        assert_int_equal(open_other(f), HL_DAMAGED);
    }
    hl_segment_close(f->segment);
}

static void a_forged_sum_overflows_nothing(void **state)
{
    struct fixture *f = *state;
    const int32_t sums[] = {INT32_MAX, INT32_MIN, 128 * (int32_t)DIM + 1,
                            -128 * (int32_t)DIM - 1};

    for (size_t i = 0; i < sizeof sums / sizeof *sums; i++) {
        forge(f, HL_SECTION_SKETCHES, offsetof(struct hl_sketch, sum), &sums[i],
              sizeof sums[i]);
        assert_int_equal(open_other(f), HL_DAMAGED);
    }
}

static void a_build_that_fails_leaves_nothing_and_one_that_stops_says_so(void **state)
{
    static const char *const places[] = {"alloc", "file.open", "file.write", "file.sync",
                                         "file.rename"};
    struct fixture *f = *state;
    const struct hl_deadline over = {&hl_still, 0, NULL};

    for (size_t place = 0; place < sizeof places / sizeof *places; place++) {
        enum hl_code code = HL_IO;

        for (int nth = 1; code != HL_OK; nth++) {
            char rules[40];

            unlink(f->other);
            snprintf(rules, sizeof rules, "%s=%d:fail", places[place], nth);
            assert_int_equal(hl_failpoint_arm(rules, &f->err), HL_OK);
            code = hl_segment_build(&f->content, f->other, &never, &f->err);
            hl_failpoint_disarm();
            /* Only a folder that could not be synced may leave the new file behind. */
            assert_true((access(f->other, F_OK) == 0) == (code == HL_OK) ||
                        strcmp(places[place], "file.sync") == 0 ||
                        strcmp(places[place], "file.open") == 0 ||
                        strcmp(places[place], "alloc") == 0);
            assert_true(access(f->other, F_OK) != 0 || open_other(f) == HL_OK);
        }
    }
    assert_int_equal(hl_segment_build(&f->content, f->other, &over, &f->err), HL_TIMEOUT);
}

static void an_open_that_fails_holds_nothing(void **state)
{
    static const char *const rules[] = {"alloc=1:fail", "alloc=2:fail", "alloc=3:fail",
                                        "file.open=1:fail", "file.map=1:fail"};
    struct fixture *f = *state;

    write_other(f, f->file.len);
    for (size_t i = 0; i < sizeof rules / sizeof *rules; i++) {
        enum hl_code code;

        assert_int_equal(hl_failpoint_arm(rules[i], &f->err), HL_OK);
        code = open_with(f, NULL);
        hl_failpoint_disarm();
        assert_true(code == HL_NO_MEMORY || code == HL_IO);
    }
    unlink(f->other);
    assert_int_equal(open_other(f), HL_NOT_FOUND);
}

static void without_memory_to_hold_it_a_segment_is_read_from_its_file(void **state)
{
    struct fixture *f = *state;
    struct hl_allowance allowance = {.most = 1 << 20};
    const struct hl_segment_hold hold = {.allowance = &allowance};
    struct hl_segment *segment;

    assert_int_equal(hl_failpoint_arm("alloc=4:fail", &f->err), HL_OK);
    assert_int_equal(hl_segment_open(f->path, &hold, &segment, &f->err), HL_OK);
    assert_int_equal(hl_failpoint_count(HL_FAIL_ALLOC), 4);
    assert_int_equal(hl_segment_held(segment), 0);
    assert_int_equal(atomic_load(&allowance.taken), 0);
    hl_segment_close(segment);
    write_other(f, f->file.len);
    assert_int_equal(hl_failpoint_arm("file.read=1:fail", &f->err), HL_OK);
    assert_int_equal(open_with(f, &hold), HL_IO);
    hl_failpoint_disarm();
    assert_int_equal(atomic_load(&allowance.taken), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_went_in_comes_out),
        cmocka_unit_test(all_but_the_floats_is_held_where_there_is_room_for_it),
        cmocka_unit_test(sketches_that_are_there_are_taken),
        cmocka_unit_test(what_is_not_finite_is_refused),
        cmocka_unit_test(every_row_is_found_and_no_other),
        cmocka_unit_test(the_same_rows_make_the_same_file),
        cmocka_unit_test(a_flipped_bit_anywhere_is_noticed),
        cmocka_unit_test(a_file_cut_short_or_made_longer_is_noticed),
        cmocka_unit_test(a_later_format_is_told_apart_from_damage),
        cmocka_unit_test(a_forged_link_leads_nowhere),
        cmocka_unit_test(a_forged_sum_overflows_nothing),
        cmocka_unit_test(a_build_that_fails_leaves_nothing_and_one_that_stops_says_so),
        cmocka_unit_test(an_open_that_fails_holds_nothing),
        cmocka_unit_test(without_memory_to_hold_it_a_segment_is_read_from_its_file),
    };

    return cmocka_run_group_tests_name("segment", tests, set_up, tear_down);
}
