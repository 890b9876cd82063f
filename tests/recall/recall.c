/* SPDX-License-Identifier: Apache-2.0 */
/* How much of the truth searches find, through all that happens to a collection: filling,
 * updates, deletes, a restart, merges; without a filter and with filters that keep half of
 * the points, or one in two thousand.
 *
 * Usage: recall [fashion|gallery [ROWS]]. `fashion` is Debian's dataset-fashion-mnist, 784
 * pixels, searched for its test images; `gallery` is tests/support/gallery.h with 256
 * numbers. Values are whole, so that the truth is exact. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "index/index.h"
#include "index/kernels.h"
#include "tests/support/gallery.h"
#include "tests/support/stand.h"

#include <math.h>
#include <stdatomic.h>
#include <time.h>

#define FASHION "/usr/share/datasets/fashion-mnist/"

enum { N_QUERIES = 200, K = 10, PER_CHANGE = 500, N_BUCKETS = 2000, WAIT_S = 900 };
enum { PIXELS = 784, LINE = 28, IDX_HEAD = 16, GALLERY_DIM = 256, GALLERY_STEPS = 4096 };

/* Which points a search is among: those whose bucket is below. */
static const struct cell {
    const char *name;
    size_t buckets;
    const char *filter;
    bool needs_graph; /* else those that match may be compared one by one */
} cells[] = {
    {"all", N_BUCKETS, NULL, true},
    {"50 %", 1000, "{\"must\":[{\"key\":\"b\",\"range\":{\"lt\":1000}}]}", true},
    {"5 %", 100, "{\"must\":[{\"key\":\"b\",\"range\":{\"lt\":100}}]}", false},
    {".5 %", 10, "{\"must\":[{\"key\":\"b\",\"range\":{\"lt\":10}}]}", false},
    {".05 %", 1, "{\"must\":[{\"key\":\"b\",\"match\":{\"value\":0}}]}", false},
};
enum { N_CELLS = sizeof cells / sizeof *cells };

struct bench {
    struct stand stand;
    const char *source;
    size_t n_rows, dim;
    int16_t *rows, *queries; /* rows as they are now */
    bool *is_alive;
    struct hl_gallery *gallery; /* of "gallery" */
    atomic_size_t n_merged;
    int32_t kth[N_QUERIES][N_CELLS]; /* the distance of the last that belongs to the best */
};

/* ---- rows ---- */

/* `n` images from the beginning of a file of them. */
static int16_t *load_images(const char *name, size_t n)
{
    int16_t *images = malloc(n * PIXELS * sizeof *images);
    unsigned char head[IDX_HEAD], image[PIXELS];
    char command[128];
    FILE *file;
    bool is_whole;

    snprintf(command, sizeof command, "gzip -dc " FASHION "%s 2>/dev/null", name);
    file = popen(command, "r");
    is_whole = images && file && fread(head, 1, IDX_HEAD, file) == IDX_HEAD;
    for (size_t i = 0; is_whole && i < n; i++) {
        is_whole = fread(image, 1, PIXELS, file) == PIXELS;
        for (size_t at = 0; at < PIXELS; at++)
            images[i * PIXELS + at] = image[at];
    }
    if (file)
        pclose(file);
    if (is_whole)
        return images;
    free(images);
    return NULL;
}

static void draw_row(const struct bench *b, uint64_t number, int16_t *row)
{
    float values[GALLERY_DIM];

    hl_gallery_row(b->gallery, number, values);
    for (size_t at = 0; at < GALLERY_DIM; at++)
        row[at] = (int16_t)lrintf(values[at] * GALLERY_STEPS);
}

static bool load_rows(struct bench *b)
{
    if (strcmp(b->source, "fashion") == 0) {
        b->dim = PIXELS;
        b->rows = load_images("train-images-idx3-ubyte.gz", b->n_rows);
        b->queries = load_images("t10k-images-idx3-ubyte.gz", N_QUERIES);
        return b->rows && b->queries;
    }
    b->dim = GALLERY_DIM;
    b->gallery = hl_gallery_new(GALLERY_DIM, 1);
    b->rows = malloc(b->n_rows * b->dim * sizeof *b->rows);
    b->queries = malloc(N_QUERIES * b->dim * sizeof *b->queries);
    if (!b->gallery || !b->rows || !b->queries)
        return false;
    for (size_t i = 0; i < b->n_rows; i++)
        draw_row(b, i, b->rows + i * b->dim);
    for (size_t i = 0; i < N_QUERIES; i++)
        draw_row(b, 2 * b->n_rows + i, b->queries + i * b->dim);
    return true;
}

/* Another vector for the point: its image in a mirror, or one that was not there yet. */
static void renew_row(const struct bench *b, size_t i)
{
    int16_t *row = b->rows + i * b->dim;

    if (b->gallery) {
        draw_row(b, b->n_rows + i, row);
        return;
    }
    for (size_t line = 0; line < LINE; line++)
        for (size_t at = 0; at < LINE / 2; at++) {
            const int16_t held = row[line * LINE + at];

            row[line * LINE + at] = row[line * LINE + LINE - 1 - at];
            row[line * LINE + LINE - 1 - at] = held;
        }
}

/* ---- changes ---- */

struct batch {
    struct hl_point points[PER_CHANGE];
    struct hl_vector vectors[PER_CHANGE];
    struct hl_id ids[PER_CHANGE];
    char payloads[PER_CHANGE][24];
    size_t n;
    float *values;
};

static void write_batch(struct bench *b, struct batch *batch, bool is_delete)
{
    const struct hl_write_op op = {
        .kind = is_delete ? HL_WRITE_DELETE : HL_WRITE_UPSERT,
        .points = {batch->points, is_delete ? 0 : batch->n},
        .target.ids = {batch->ids, is_delete ? batch->n : 0},
    };
    const struct hl_write_ops ops = {&op, 1};

    hl_arena_reset(b->stand.arena);
    if (batch->n > 0 && change_shape(&b->stand, (struct stand_change){.ops = &ops}) == 0)
        fail_msg("%s", b->stand.err.msg);
    batch->n = 0;
}

static void add_to_batch(const struct bench *b, struct batch *batch, size_t i)
{
    const size_t at = batch->n++;
    float *values = batch->values + at * b->dim;
    const int len = snprintf(batch->payloads[at], sizeof batch->payloads[at], "{\"b\":%zu}",
                             i % N_BUCKETS);

    for (size_t j = 0; j < b->dim; j++)
        values[j] = b->rows[i * b->dim + j];
    batch->ids[at] = hl_id_number(i);
    batch->vectors[at] = (struct hl_vector){.name = {"", 0}, .values = values, .n = b->dim};
    batch->points[at] = (struct hl_point){.id = batch->ids[at],
                                          .payload = {batch->payloads[at], (size_t)len},
                                          .vectors = {&batch->vectors[at], 1}};
}

/* The points whose number leaves a rest of `rest`, or any. */
static void write_points(struct bench *b, int rest, bool is_delete)
{
    struct batch *batch = calloc(1, sizeof *batch);

    assert_non_null(batch);
    batch->values = malloc(PER_CHANGE * b->dim * sizeof *batch->values);
    assert_non_null(batch->values);
    for (size_t i = 0; i < b->n_rows; i++) {
        /* By tens of tens, so that no bucket is all of one fate. */
        if (rest >= 0 && (i / N_BUCKETS + i) % 10 != (size_t)rest)
            continue;
        if (rest >= 0 && !is_delete)
            renew_row(b, i);
        b->is_alive[i] = !is_delete;
        add_to_batch(b, batch, i);
        if (batch->n == PER_CHANGE)
            write_batch(b, batch, is_delete);
    }
    write_batch(b, batch, is_delete);
    free(batch->values);
    free(batch);
}

/* Until so many merges were made and nothing is full, being sealed or being merged. */
static void wait_for_merges(struct bench *b, size_t n_merged)
{
    const struct timespec nap = {0, 20000000};
    struct hl_collection_info info = {.is_busy = true};

    for (int i = 0;
         i < WAIT_S * 50 && (info.is_busy || atomic_load(&b->n_merged) < n_merged); i++) {
        hl_arena_reset(b->stand.arena);
        assert_int_equal(
            hl_collection_info(b->stand.collection, b->stand.arena, &info, &b->stand.err),
            HL_OK);
        hl_layout_unref(info.layout);
        nanosleep(&nap, NULL);
    }
    assert_false(info.is_busy);
    assert_true(atomic_load(&b->n_merged) >= n_merged);
}

/* ---- the truth ---- */

static int32_t distance(const int16_t *x, const int16_t *y, size_t dim)
{
    int32_t sum = 0;

    for (size_t i = 0; i < dim; i++)
        sum += (x[i] - y[i]) * (x[i] - y[i]);
    return sum;
}

static void keep_least(int32_t least[K], int32_t value)
{
    size_t at = K - 1;

    if (value >= least[at])
        return;
    for (; at > 0 && least[at - 1] > value; at--)
        least[at] = least[at - 1];
    least[at] = value;
}

static void find_truth(struct bench *b)
{
    for (size_t query = 0; query < N_QUERIES; query++) {
        int32_t least[N_CELLS][K];

        for (size_t cell = 0; cell < N_CELLS; cell++)
            for (size_t i = 0; i < K; i++)
                least[cell][i] = INT32_MAX;
        for (size_t i = 0; i < b->n_rows; i++) {
            int32_t far;

            if (!b->is_alive[i])
                continue;
            far = distance(b->rows + i * b->dim, b->queries + query * b->dim, b->dim);
            for (size_t cell = 0; cell < N_CELLS; cell++)
                if (i % N_BUCKETS < cells[cell].buckets)
                    keep_least(least[cell], far);
        }
        for (size_t cell = 0; cell < N_CELLS; cell++)
            b->kth[query][cell] = least[cell][K - 1];
    }
}

/* How many there are to be found. */
static size_t count_wanted(const struct bench *b, const struct cell *cell)
{
    size_t n = 0;

    for (size_t i = 0; i < b->n_rows; i++)
        n += b->is_alive[i] && i % N_BUCKETS < cell->buckets;
    return n < K ? n : K;
}

/* ---- what is found ---- */

/* Hits that are among the best; each must be alive and meet the filter. */
static size_t search_one(struct bench *b, size_t query, size_t cell)
{
    struct stand *s = &b->stand;
    float values[PIXELS];
    const struct hl_find find = {.space = hl_look_layout(s->look)->spaces,
                                 .values = values,
                                 .n = b->dim,
                                 .k = K,
                                 .deadline = &never};
    const struct hl_hit *hits = NULL;
    size_t n = 0, n_right = 0;

    for (size_t i = 0; i < b->dim; i++)
        values[i] = b->queries[query * b->dim + i];
    if (hl_look_find(s->look, &find, s->arena, &hits, &n, &s->err) != HL_OK)
        fail_msg("%s", s->err.msg);
    for (size_t at = 0; at < n; at++) {
        const struct hl_id id = hl_look_id(s->look, hits[at].number);
        const size_t i = (size_t)hl_id_value(&id);

        assert_true(i < b->n_rows && b->is_alive[i]);
        assert_true(i % N_BUCKETS < cells[cell].buckets);
        n_right += distance(b->rows + i * b->dim, b->queries + query * b->dim, b->dim) <=
                   b->kth[query][cell];
    }
    return n_right;
}

static bool is_matched(void *self, uint32_t number)
{
    const struct bench *b = self;

    return hl_rows_has(hl_look_matches(b->stand.look, 0), number);
}

/* How a shelf goes about the same search. */
static struct hl_shelf_tally tally_of(struct bench *b)
{
    struct stand *s = &b->stand;
    const struct hl_shelf_filter filter = {
        .has = is_matched, .self = b, .n_points = (size_t)hl_look_count(s->look, 0)};
    struct hl_shelf_search search = {.shelf = &hl_look_layout(s->look)->spaces->shelf,
                                     .commit = hl_look_commit(s->look),
                                     .k = K,
                                     .beam = s->options.beam,
                                     .filter = s->filter ? &filter : NULL,
                                     .deadline = &never};
    struct hl_searcher *searcher = hl_searcher_new();
    struct hl_shelf_tally tally = {0};
    const struct hl_shelf_hit *hits;
    float values[PIXELS];
    size_t n;

    for (size_t i = 0; i < b->dim; i++)
        values[i] = b->queries[i];
    search.query = values;
    assert_non_null(searcher);
    assert_int_equal(hl_kernels_find("auto", &search.kernels, &s->err), HL_OK);
    assert_int_equal(hl_shelf_find(searcher, &search, &hits, &n, &tally, &s->err), HL_OK);
    hl_searcher_free(searcher);
    return tally;
}

static double seconds(void)
{
    struct timespec now;

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static void measure(struct bench *b, const char *state, size_t cell)
{
    struct stand *s = &b->stand;
    const size_t n_wanted = count_wanted(b, &cells[cell]) * N_QUERIES;
    struct hl_shelf_tally tally;
    double took, recall;
    size_t n_right = 0;

    hl_arena_reset(s->arena);
    look(s, cells[cell].filter);
    assert_int_equal(hl_look_settle(s->look, 0, &never, &s->err), HL_OK);
    took = seconds();
    for (size_t query = 0; query < N_QUERIES; query++)
        n_right += search_one(b, query, cell);
    took = seconds() - took;
    recall = (double)n_right / (double)n_wanted;
    tally = tally_of(b);
    print_message("# %-8s %-6s recall@%d %.4f  %6.1f us  %2d walks %2d scans %6d scored\n",
                  state, cells[cell].name, K, recall, took * 1e6 / N_QUERIES,
                  (int)tally.n_walks, (int)tally.n_scans, (int)tally.n_scored);
    hl_look_close(s->look);
    s->look = NULL;
    assert_true(n_wanted > 0);
    assert_true(recall >= .99);
    if (cells[cell].needs_graph) {
        assert_true(tally.n_walks > 0);
        assert_true(tally.n_scored < b->n_rows / 2);
    }
}

static void measure_all(struct bench *b, const char *state)
{
    find_truth(b);
    for (size_t cell = 0; cell < N_CELLS; cell++)
        measure(b, state, cell);
}

/* ---- what happens, in this order ---- */

static void a_filled_collection_finds_the_best(void **state)
{
    struct bench *b = *state;

    write_points(b, -1, false);
    wait_for_merges(b, 1); /* of eight full tails */
    measure_all(b, "filled");
}

static void it_does_when_a_tenth_was_updated(void **state)
{
    struct bench *b = *state;

    write_points(b, 3, false);
    measure_all(b, "updated");
}

static void it_does_when_a_tenth_was_deleted(void **state)
{
    struct bench *b = *state;

    write_points(b, 7, true);
    measure_all(b, "deleted");
}

static void it_does_after_a_restart(void **state)
{
    struct bench *b = *state;

    close_stand(&b->stand);
    assert_int_equal(open_stand(&b->stand), HL_OK);
    measure_all(b, "restart");
}

static void it_does_when_segments_were_merged(void **state)
{
    struct bench *b = *state;
    const size_t before = atomic_load(&b->n_merged);

    for (int rest = 4; rest < 7; rest++)
        write_points(b, rest, false);
    write_points(b, 7, false); /* come back */
    wait_for_merges(b, before + 1);
    measure_all(b, "merged");
}

/* ---- the stage ---- */

static void hear(void *self, const struct hl_engine_event *event)
{
    struct bench *b = self;

    if (event->kind == HL_ENGINE_MERGED)
        atomic_fetch_add(&b->n_merged, 1);
}

static void set_stage(struct bench *b)
{
    struct stand *s = &b->stand;

    assert_int_equal(hl_index_choose_kernels("auto", &s->err), HL_OK);
    assert_true(init_stand(s));
    close_stand(s);
    s->options.seal_rows = b->n_rows / 8;
    s->options.max_unindexed_bytes = (size_t)4 << 30;
    s->options.n_links = 32;
    s->options.ef_construction = 100;
    s->options.tell = hear;
    s->options.self = b;
    assert_int_equal(open_stand(s), HL_OK);
    add_dense(s, "", (int)b->dim, "Euclid");
    add_index(s, "b", "integer");
}

#define TEST(name)                                                                         \
    {                                                                                      \
#name, name, NULL, NULL, b                                                         \
    }

static int run(struct bench *b)
{
    const struct CMUnitTest tests[] = {
        TEST(a_filled_collection_finds_the_best), TEST(it_does_when_a_tenth_was_updated),
        TEST(it_does_when_a_tenth_was_deleted),   TEST(it_does_after_a_restart),
        TEST(it_does_when_segments_were_merged),
    };
    int n_failed;

    set_stage(b);
    n_failed = cmocka_run_group_tests_name("recall", tests, NULL, NULL);
    done_stand(&b->stand);
    return n_failed;
}

int main(int argc, char **argv)
{
    struct bench *b = calloc(1, sizeof *b);
    int n_failed = 1;

    if (!b)
        return 1;
    b->source = argc > 1 ? argv[1] : "fashion";
    b->n_rows = argc > 2 ? strtoul(argv[2], NULL, 10) : 20000;
    b->is_alive = calloc(b->n_rows, sizeof *b->is_alive);
    if (b->is_alive && load_rows(b))
        n_failed = run(b);
    else
        fprintf(stderr, "no %zu rows of %s: deploy/packages check\n", b->n_rows, b->source);
    hl_gallery_free(b->gallery);
    free(b->rows);
    free(b->queries);
    free(b->is_alive);
    free(b);
    return n_failed;
}
