/* SPDX-License-Identifier: Apache-2.0 */
#include "server/gallery_metrics.h"

#include <inttypes.h>

enum series { POINTS, VECTORS, INDEXED, SEGMENTS, HELD, MAPPED, N_SERIES };

static const struct {
    const char *name, *help;
} words[N_SERIES] = {
    [POINTS] = {"collection_points", "Points of a collection."},
    [VECTORS] = {"collection_vectors", "Points that have a vector, by its name."},
    [INDEXED] = {"heirloom_collection_indexed_vectors",
                 "Vectors in sealed segments, by their name."},
    [SEGMENTS] = {"heirloom_collection_segments", "Sealed segments and tails."},
    [HELD] = {"heirloom_collection_held_bytes",
              "Of vectors, their sketches and graphs, in memory."},
    [MAPPED] = {"heirloom_collection_mapped_bytes",
                "Of the same, read from files where the page cache has them."},
};

struct page {
    struct hl_arena *arena;
    struct hl_buf *buf;
    enum series series;
    uint64_t n_vectors;
};

/* A label's value: quotes, backslashes and line ends escaped. */
static void print_label(struct hl_buf *buf, const char *name, const char *value)
{
    hl_buf_print(buf, "%s=\"", name);
    for (; *value; value++) {
        if (*value == '\n') {
            hl_buf_add_text(buf, "\\n");
            continue;
        }
        if (*value == '"' || *value == '\\')
            hl_buf_add_char(buf, '\\');
        hl_buf_add_char(buf, *value);
    }
    hl_buf_add_char(buf, '"');
}

static void print_row(const struct page *page, const char *collection, const char *vector,
                      uint64_t value)
{
    hl_buf_print(page->buf, "%s{", words[page->series].name);
    print_label(page->buf, "id", collection);
    if (vector) {
        hl_buf_add_char(page->buf, ',');
        print_label(page->buf, "vector", vector);
    }
    hl_buf_print(page->buf, "} %" PRIu64 "\n", value);
}

static bool print_collection(void *self, const char *name, struct hl_collection *collection)
{
    struct page *page = self;
    struct hl_collection_info info;
    struct hl_err ignored;

    if (hl_collection_info(collection, page->arena, &info, &ignored) != HL_OK) {
        page->buf->failed = HL_NO_MEMORY;
        return false;
    }
    if (page->series == POINTS) {
        print_row(page, name, NULL, info.n_points);
        page->n_vectors += info.n_vectors;
    } else if (page->series == SEGMENTS) {
        print_row(page, name, NULL, info.n_segments);
    } else if (page->series == HELD) {
        print_row(page, name, NULL, info.held_bytes);
    } else if (page->series == MAPPED) {
        print_row(page, name, NULL, info.mapped_bytes);
    } else {
        for (size_t i = 0; i < info.n_spaces; i++)
            print_row(page, name, info.spaces[i].name,
                      page->series == VECTORS ? info.spaces[i].n_points
                                              : info.spaces[i].n_indexed);
    }
    hl_layout_unref(info.layout);
    return true;
}

static void print_one(struct hl_buf *buf, const char *name, const char *type,
                      const char *help, double value)
{
    hl_buf_print(buf, "# HELP %s %s\n# TYPE %s %s\n%s %.10g\n", name, help, name, type,
                 name, value);
}

static void print_engine(struct hl_engine *engine, struct hl_buf *buf)
{
    struct hl_engine_state state;

    hl_engine_state(engine, &state);
    print_one(buf, "heirloom_commits_total", "counter",
              "Transactions that were committed, each with one sync.",
              (double)state.n_commits);
    print_one(buf, "heirloom_changes_total", "counter",
              "Requests that changed a collection and are in a commit.",
              (double)state.n_changes);
    print_one(buf, "heirloom_commit_seconds_total", "counter", "Time spent in commits.",
              (double)state.commit_us / 1e6);
    print_one(buf, "heirloom_changes_queued", "gauge", "Changes that wait for a writer.",
              (double)state.n_queued);
    print_one(buf, "heirloom_unindexed_bytes", "gauge",
              "Rows of full tails that wait for their graph.",
              (double)state.unindexed_bytes);
    print_one(buf, "heirloom_unindexed_limit_bytes", "gauge",
              "Beyond so many of them upserts are answered with 429.",
              (double)state.max_unindexed_bytes);
    print_one(buf, "heirloom_scanned_rows", "gauge",
              "New rows that are in no graph yet: searches compare all of them.",
              (double)state.n_bare_rows);
    print_one(buf, "heirloom_held_bytes", "gauge",
              "Memory that sealed segments hold on huge pages.", (double)state.held_bytes);
    print_one(buf, "heirloom_held_limit_bytes", "gauge",
              "Beyond so many of them segments are read from their files.",
              (double)state.most_held_bytes);
    print_one(buf, "heirloom_seals_waiting", "gauge",
              "Full tails that wait for their graph.", (double)state.n_seals_waiting);
}

void hl_gallery_metrics_print(struct hl_collections *collections, struct hl_engine *engine,
                              struct hl_arena *arena, struct hl_buf *buf)
{
    struct page page = {.arena = arena, .buf = buf};

    print_one(buf, "collections_total", "gauge", "Collections that are served.",
              (double)hl_collections_count(collections));
    for (int series = 0; series < N_SERIES; series++) {
        page.series = (enum series)series;
        hl_buf_print(buf, "# HELP %s %s\n# TYPE %s gauge\n", words[series].name,
                     words[series].help, words[series].name);
        hl_collections_each(collections, print_collection, &page);
    }
    print_one(buf, "collections_vector_total", "gauge", "Vectors of all collections.",
              (double)page.n_vectors);
    print_engine(engine, buf);
}
