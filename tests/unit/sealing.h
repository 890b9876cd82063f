/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HL_TESTS_UNIT_SEALING_H
#define HL_TESTS_UNIT_SEALING_H

/* A sealed part made of rows. Include it behind cmocka.h. */
#include "index/part.h"
#include "tests/support/still.h"

#include <stdlib.h>
#include <unistd.h>

/* Its file is gone before anybody asks for it. */
static inline struct hl_part *seal_content(const struct hl_segment_content *content,
                                           const struct hl_segment_hold *hold)
{
    char path[] = "/tmp/heirloom-sealed-XXXXXX";
    const int fd = mkstemp(path);
    struct hl_segment *segment;
    struct hl_part *part;
    struct hl_err err;

    assert_true(fd >= 0);
    close(fd);
    assert_int_equal(hl_segment_build(content, path, &never, &err), HL_OK);
    assert_int_equal(hl_segment_open(path, hold, &segment, &err), HL_OK);
    unlink(path);
    assert_int_equal(hl_part_of_segment(segment, &part, &err), HL_OK);
    return part;
}

#endif
