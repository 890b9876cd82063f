/* SPDX-License-Identifier: Apache-2.0 */
#include "index/graph_file.h"

#include <string.h>

/* FAISS writes the memory of little-endian machines as it is: numbers without gaps, arrays
 * behind a 64-bit count of elements, indexes behind four letters. */
struct cursor {
    const struct hl_file *file;
    uint64_t at, size;
    struct hl_err *err;
};

/* What every index opens with. */
struct opening {
    char kind[4];
    int32_t dim;
    int64_t n_rows;
    int32_t metric;
};

static enum hl_code take(struct cursor *cursor, void *ret_bytes, size_t n)
{
    size_t n_read = 0;
    const enum hl_code code =
        hl_file_read_at(cursor->file, ret_bytes, n, cursor->at, &n_read, cursor->err);

    if (code != HL_OK)
        return code;
    if (n_read < n)
        return hl_fail(cursor->err, HL_DAMAGED, "the graph ends after %llu bytes",
                       (unsigned long long)cursor->size);
    cursor->at += n;
    return HL_OK;
}

/* Passes over an array that must have `wanted` elements; any number when that is NULL. */
static enum hl_code skip_array(struct cursor *cursor, const char *what, size_t element,
                               const uint64_t *wanted)
{
    uint64_t n = 0;
    const enum hl_code code = take(cursor, &n, sizeof n);

    if (code != HL_OK)
        return code;
    if (wanted && n != *wanted)
        return hl_fail(cursor->err, HL_DAMAGED, "the graph has %llu %s, wanted %llu",
                       (unsigned long long)n, what, (unsigned long long)*wanted);
    if (n > (cursor->size - cursor->at) / element)
        return hl_fail(cursor->err, HL_DAMAGED, "the graph has %llu %s in %llu bytes",
                       (unsigned long long)n, what, (unsigned long long)cursor->size);
    cursor->at += n * element;
    return HL_OK;
}

static enum hl_code take_opening(struct cursor *cursor, struct opening *ret_opening)
{
    /* The letters, the width, the count, two numbers and a flag that say nothing, the
     * metric. */
    unsigned char bytes[4 + 4 + 8 + 8 + 8 + 1 + 4];
    const enum hl_code code = take(cursor, bytes, sizeof bytes);

    if (code != HL_OK)
        return code;
    memcpy(ret_opening->kind, bytes, sizeof ret_opening->kind);
    memcpy(&ret_opening->dim, bytes + 4, sizeof ret_opening->dim);
    memcpy(&ret_opening->n_rows, bytes + 8, sizeof ret_opening->n_rows);
    memcpy(&ret_opening->metric, bytes + 33, sizeof ret_opening->metric);
    return HL_OK;
}

static bool is_kind(const struct opening *opening, const char *kind)
{
    return memcmp(opening->kind, kind, sizeof opening->kind) == 0;
}

static enum hl_code check_graph(struct cursor *cursor, struct opening *ret_opening)
{
    unsigned char rest[5 * sizeof(int32_t)]; /* entry, level, three widths */
    enum hl_code code = take_opening(cursor, ret_opening);
    uint64_t n_rows = 0;
    uint64_t n_offsets = 0;

    if (code != HL_OK)
        return code;
    /* 0 and 1: inner product and Euclid. */
    if (!is_kind(ret_opening, "IHNf") || (uint32_t)ret_opening->metric > 1)
        return hl_fail(cursor->err, HL_BAD_FILE,
                       "the file holds no HNSW graph over rows of floats");
    if (ret_opening->dim < 1 || ret_opening->n_rows < 0 || ret_opening->n_rows > INT32_MAX)
        return hl_fail(cursor->err, HL_DAMAGED, "the graph has %lld rows of %d floats",
                       (long long)ret_opening->n_rows, ret_opening->dim);
    n_rows = (uint64_t)ret_opening->n_rows;
    n_offsets = n_rows + 1;
    code = skip_array(cursor, "shares of levels", sizeof(double), NULL);
    if (code == HL_OK)
        code = skip_array(cursor, "widths of levels", sizeof(int32_t), NULL);
    if (code == HL_OK)
        code = skip_array(cursor, "levels of rows", sizeof(int32_t), &n_rows);
    if (code == HL_OK)
        code = skip_array(cursor, "offsets", sizeof(uint64_t), &n_offsets);
    if (code == HL_OK)
        code = skip_array(cursor, "links", sizeof(int32_t), NULL);
    return code == HL_OK ? take(cursor, rest, sizeof rest) : code;
}

static enum hl_code check_rows(struct cursor *cursor, const struct opening *graph)
{
    const uint64_t n_floats = (uint64_t)graph->n_rows * (uint64_t)graph->dim;
    struct opening rows;
    enum hl_code code = take_opening(cursor, &rows);

    if (code != HL_OK)
        return code;
    /* One kind for each metric, and one for any. */
    if (!is_kind(&rows, "IxF2") && !is_kind(&rows, "IxFI") && !is_kind(&rows, "IxFl"))
        return hl_fail(cursor->err, HL_BAD_FILE, "the graph is not over rows of floats");
    if (rows.dim != graph->dim || rows.n_rows != graph->n_rows ||
        rows.metric != graph->metric)
        return hl_fail(cursor->err, HL_DAMAGED, "graph and rows do not belong together");
    return skip_array(cursor, "floats", sizeof(float), &n_floats);
}

enum hl_code hl_graph_file_check(const struct hl_file *file, struct hl_err *err)
{
    struct cursor cursor = {.file = file, .err = err};
    struct opening graph;
    enum hl_code code = hl_file_size(file, &cursor.size, err);

    if (code == HL_OK)
        code = check_graph(&cursor, &graph);
    if (code == HL_OK)
        code = check_rows(&cursor, &graph);
    if (code == HL_OK && cursor.at != cursor.size)
        return hl_fail(err, HL_DAMAGED, "the graph ends after %llu of %llu bytes",
                       (unsigned long long)cursor.at, (unsigned long long)cursor.size);
    return code;
}
