/* SPDX-License-Identifier: Apache-2.0 */
#include "index/examine.h"

#include "index/segment.h"
#include "index/store.h"
#include "proto/dir.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>

struct look {
    const char *folder; /* of segments */
    const struct hl_deadline *deadline;
    hl_examined_fn *each;
    void *self;
    enum hl_code code; /* of the walk */
    struct hl_err err;
};

static void tell(const struct look *look, const char *path, uint64_t n_rows,
                 bool is_derived, const struct hl_err *err)
{
    const struct hl_examined examined = {
        .path = path, .n_rows = n_rows, .is_derived = is_derived, .err = err};

    look->each(look->self, &examined);
}

static bool count_point(void *self, const struct hl_store_point *point)
{
    (void)point;
    (*(uint64_t *)self)++;
    return true;
}

/* Reads all pages, then all points as a server would. */
static enum hl_code read_points(struct hl_reader *reader, const struct look *look,
                                uint64_t *ret_n, struct hl_err *err)
{
    const struct hl_reader_scan scan = {.order = HL_READ_BY_NUMBER,
                                        .deadline = look->deadline};
    uint64_t n = 0;
    enum hl_code code = hl_reader_check(reader, look->deadline, err);

    if (code == HL_OK)
        code = hl_reader_begin(reader, INT64_MAX, err);
    if (code != HL_OK)
        return code;
    code = hl_reader_scan(reader, &scan, count_point, &n, err);
    hl_reader_end(reader);
    if (code == HL_OK)
        *ret_n = n;
    return code;
}

static enum hl_code examine_points(const struct look *look, const char *path,
                                   struct hl_err *err)
{
    struct hl_reader *reader = NULL;
    struct hl_err found;
    uint64_t n = 0;
    enum hl_code code = hl_reader_open(path, &reader, &found);

    if (code == HL_OK)
        code = read_points(reader, look, &n, &found);
    hl_reader_close(reader);
    if (code == HL_CANCELLED || code == HL_TIMEOUT || code == HL_NO_MEMORY) {
        *err = found;
        return code;
    }
    tell(look, path, n, false, code == HL_OK ? NULL : &found);
    return HL_OK;
}

static enum hl_code examine_segment(const struct look *look, const char *path,
                                    struct hl_err *err)
{
    struct hl_segment *segment = NULL;
    struct hl_err found;
    enum hl_code code = hl_deadline_check(look->deadline, "the check", err);

    if (code != HL_OK)
        return code;
    code = hl_segment_open(path, NULL, &segment, &found);
    tell(look, path, code == HL_OK ? hl_segment_view(segment)->n_rows : 0, true,
         code == HL_OK ? NULL : &found);
    hl_segment_close(segment);
    return HL_OK;
}

static bool examine_entry(void *self, const char *name)
{
    struct look *look = self;
    char path[PATH_MAX];
    const char *end = strrchr(name, '.');
    int len = snprintf(path, sizeof path, "%s/%s", look->folder, name);

    if (len < 0 || (size_t)len >= sizeof path)
        look->code =
            hl_fail(&look->err, HL_INVALID, "the path of \"%.64s\" is too long", name);
    else if (end && strcmp(end, ".seg") == 0)
        look->code = examine_segment(look, path, &look->err);
    return look->code == HL_OK;
}

static bool examine_shelf(void *self, const char *name)
{
    struct look *look = self, inner = *look;
    char path[PATH_MAX];
    int len = snprintf(path, sizeof path, "%s/%s", look->folder, name);

    if (len < 0 || (size_t)len >= sizeof path) {
        look->code =
            hl_fail(&look->err, HL_INVALID, "the path of \"%.64s\" is too long", name);
        return false;
    }
    inner.folder = path;
    look->code = hl_dir_walk(path, examine_entry, &inner, &look->err);
    if (look->code == HL_OK && inner.code != HL_OK) {
        look->code = inner.code;
        look->err = inner.err;
    }
    return look->code == HL_OK;
}

enum hl_code hl_examine_folder(const char *folder, const struct hl_deadline *deadline,
                               hl_examined_fn *each, void *self, struct hl_err *err)
{
    char points[PATH_MAX], segments[PATH_MAX];
    struct look look = {
        .folder = segments, .deadline = deadline, .each = each, .self = self};
    int len = snprintf(segments, sizeof segments, "%s/segments", folder);
    enum hl_code code;

    if (len < 0 || (size_t)len >= sizeof segments)
        return hl_fail(err, HL_INVALID, "the path \"%.64s…\" is too long", folder);
    snprintf(points, sizeof points, "%s/points.db", folder);
    code = examine_points(&look, points, err);
    if (code == HL_OK)
        code = hl_dir_walk(segments, examine_shelf, &look, err);
    if (code == HL_OK && look.code != HL_OK) {
        *err = look.err;
        code = look.code;
    }
    return code;
}
