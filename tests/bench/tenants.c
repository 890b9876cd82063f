/* SPDX-License-Identifier: Apache-2.0 */
/* What it costs to search one user's photographs among everybody's: many users with 20 to
 * 500 photographs each, searched by user, time and album, against the same search of all.
 * Says recall@10, the processor's time for opening a look, its filter and the search, and
 * the memory of the payload indexes.
 *
 * Usage: bench_tenants [USERS [DIM]] */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "index/index.h"
#include "tests/support/gallery.h"
#include "tests/support/stand.h"

#include <math.h>
#include <time.h>

enum { N_QUERIES = 500, K = 10, PER_CHANGE = 1000, MOST_DIM = 1024, WAIT_S = 3600 };
enum { FEWEST = 20, MOST = 500, N_ALBUMS = 4, N_TIMES = 1000 };

struct tenants {
    struct stand stand;
    struct hl_gallery *gallery;
    size_t n_users, dim, n_points;
    size_t *first; /* of each user, and behind the last */
};

static uint64_t mix(uint64_t x)
{
    x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9U;
    x = (x ^ (x >> 27)) * 0x94D049BB133111EBU;
    return x ^ (x >> 31);
}

static unsigned time_of(size_t i)
{
    return (unsigned)(mix(i + 1) % N_TIMES);
}

static unsigned album_of(size_t i)
{
    return (unsigned)(mix(i + 77) % N_ALBUMS);
}

static double cpu_us(void)
{
    struct timespec now;

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (double)now.tv_sec * 1e6 + (double)now.tv_nsec / 1e3;
}

/* ---- filling ---- */

struct batch {
    struct hl_point points[PER_CHANGE];
    struct hl_vector vectors[PER_CHANGE];
    char payloads[PER_CHANGE][64];
    float *values;
    size_t n;
};

static void flush(struct tenants *t, struct batch *batch)
{
    const struct hl_write_op op = {.kind = HL_WRITE_UPSERT,
                                   .points = {batch->points, batch->n}};
    const struct hl_write_ops ops = {&op, 1};

    hl_arena_reset(t->stand.arena);
    if (batch->n > 0 && change_shape(&t->stand, (struct stand_change){.ops = &ops}) == 0) {
        fprintf(stderr, "%s\n", t->stand.err.msg);
        exit(1);
    }
    batch->n = 0;
}

static void add_photo(struct tenants *t, struct batch *batch, size_t user, size_t i)
{
    const size_t at = batch->n++;
    float *values = batch->values + at * t->dim;
    const int len = snprintf(batch->payloads[at], sizeof batch->payloads[at],
                             "{\"user\":\"u%zu\",\"t\":%u,\"album\":\"a%u\"}", user,
                             time_of(i), album_of(i));

    hl_gallery_row(t->gallery, i, values);
    batch->vectors[at] = (struct hl_vector){.name = {"", 0}, .values = values, .n = t->dim};
    batch->points[at] = (struct hl_point){.id = hl_id_number(i),
                                          .payload = {batch->payloads[at], (size_t)len},
                                          .vectors = {&batch->vectors[at], 1}};
    if (batch->n == PER_CHANGE)
        flush(t, batch);
}

static void fill(struct tenants *t)
{
    struct batch *batch = calloc(1, sizeof *batch);

    if (!batch || !(batch->values = malloc(PER_CHANGE * t->dim * sizeof(float))))
        exit(1);
    for (size_t user = 0; user < t->n_users; user++)
        for (size_t i = t->first[user]; i < t->first[user + 1]; i++)
            add_photo(t, batch, user, i);
    flush(t, batch);
    free(batch->values);
    free(batch);
}

static struct hl_collection_info rest(struct tenants *t)
{
    const struct timespec nap = {0, 100000000};
    struct hl_collection_info info = {0};
    int n_calm = 0;

    for (int i = 0; i < WAIT_S * 10 && n_calm < 10; i++) {
        nanosleep(&nap, NULL);
        hl_arena_reset(t->stand.arena);
        if (hl_collection_info(t->stand.collection, t->stand.arena, &info, &t->stand.err) !=
            HL_OK)
            exit(1);
        hl_layout_unref(info.layout);
        n_calm = info.is_busy ? 0 : n_calm + 1;
    }
    return info;
}

/* ---- searching ---- */

static float distance(const float *x, const float *y, size_t dim)
{
    float sum = 0;

    for (size_t i = 0; i < dim; i++)
        sum += (x[i] - y[i]) * (x[i] - y[i]);
    return sum;
}

static void keep_least(float least[K], float value)
{
    size_t at = K - 1;

    if (value >= least[at])
        return;
    for (; at > 0 && least[at - 1] > value; at--)
        least[at] = least[at - 1];
    least[at] = value;
}

/* How many hits are among the user's best; *ret_wanted: how many there could be. */
static size_t count_right(const struct tenants *t, size_t user, const float *query,
                          const struct hl_hit *hits, size_t n, size_t *ret_wanted)
{
    float row[MOST_DIM], least[K];
    size_t n_matches = 0, n_right = 0;

    for (size_t i = 0; i < K; i++)
        least[i] = HUGE_VALF;
    for (size_t i = t->first[user]; i < t->first[user + 1]; i++) {
        if (time_of(i) >= N_TIMES / 2 || album_of(i) != 0)
            continue;
        n_matches++;
        hl_gallery_row(t->gallery, i, row);
        keep_least(least, distance(row, query, t->dim));
    }
    for (size_t at = 0; at < n; at++) {
        const struct hl_id id = hl_look_id(t->stand.look, hits[at].number);
        const size_t i = (size_t)hl_id_value(&id);

        hl_gallery_row(t->gallery, i, row);
        n_right += i >= t->first[user] && i < t->first[user + 1] &&
                   distance(row, query, t->dim) <= least[K - 1];
    }
    *ret_wanted += n_matches < K ? n_matches : K;
    return n_right;
}

static void search(struct tenants *t, size_t user, bool is_filtered, double *us,
                   size_t *n_right, size_t *n_wanted)
{
    struct stand *s = &t->stand;
    float query[MOST_DIM];
    const char *filter = NULL;
    const struct hl_hit *hits = NULL;
    struct hl_find find = {.values = query, .n = t->dim, .k = K, .deadline = &never};
    size_t n = 0;
    double start;

    hl_arena_reset(s->arena);
    hl_gallery_row(t->gallery, t->n_points + user, query);
    if (is_filtered)
        filter = hl_arena_print(s->arena,
                                "{\"must\":[{\"key\":\"user\",\"match\":{\"value\":"
                                "\"u%zu\"}},{\"key\":\"t\",\"range\":{\"lt\":%d}},"
                                "{\"key\":\"album\",\"match\":{\"value\":\"a0\"}}]}",
                                user, N_TIMES / 2);
    start = cpu_us();
    look(s, filter);
    find.space = hl_look_layout(s->look)->spaces;
    if (hl_look_settle(s->look, 0, &never, &s->err) != HL_OK ||
        hl_look_find(s->look, &find, s->arena, &hits, &n, &s->err) != HL_OK)
        exit(1);
    *us += cpu_us() - start;
    if (is_filtered)
        *n_right += count_right(t, user, query, hits, n, n_wanted);
}

static void measure(struct tenants *t)
{
    double filtered = 0, all = 0;
    size_t n_right = 0, n_wanted = 0, bytes = 0;
    const struct hl_collection_info info = rest(t);

    for (size_t i = 0; i < info.n_indexes; i++)
        bytes += info.indexes[i].bytes;
    printf("%zu users, %zu photographs of %zu numbers in %zu parts, %zu of them indexed\n",
           t->n_users, t->n_points, t->dim, info.n_segments, (size_t)info.n_indexed);
    printf("payload indexes: %.0f bytes a user, %.1f a photograph\n",
           (double)bytes / (double)t->n_users, (double)bytes / (double)t->n_points);
    for (size_t at = 0; at < N_QUERIES; at++) {
        const size_t user = mix(at + 5) % t->n_users;

        search(t, user, true, &filtered, &n_right, &n_wanted);
        search(t, user, false, &all, NULL, NULL);
    }
    printf(
        "by user, time and album: recall@%d %.4f, %.1f us; of all: %.1f us; ratio %.2f\n",
        K, (double)n_right / (double)n_wanted, filtered / N_QUERIES, all / N_QUERIES,
        filtered / all);
}

static bool prepare(struct tenants *t)
{
    struct stand *s = &t->stand;

    t->gallery = hl_gallery_new(t->dim, 1);
    t->first = calloc(t->n_users + 1, sizeof *t->first);
    if (!t->gallery || !t->first || !init_stand(s))
        return false;
    for (size_t user = 0; user < t->n_users; user++)
        t->first[user + 1] = t->first[user] + FEWEST + mix(user + 1) % (MOST - FEWEST + 1);
    t->n_points = t->first[t->n_users];
    close_stand(s);
    s->options.seal_rows = t->n_points / 4 > 64 ? t->n_points / 4 : 64;
    s->options.max_unindexed_bytes = (size_t)16 << 30;
    s->options.n_links = 32;
    s->options.ef_construction = 100;
    return open_stand(s) == HL_OK;
}

int main(int argc, char **argv)
{
    struct tenants t = {.n_users = argc > 1 ? strtoul(argv[1], NULL, 10) : 10000,
                        .dim = argc > 2 ? strtoul(argv[2], NULL, 10) : 64};
    bool is_ready = t.n_users > 0 && t.dim > 0 && t.dim <= MOST_DIM &&
                    hl_index_choose_kernels("auto", &t.stand.err) == HL_OK && prepare(&t);

    if (is_ready) {
        add_dense(&t.stand, "", (int)t.dim, "Euclid");
        add_index(&t.stand, "user", "keyword");
        add_index(&t.stand, "t", "integer");
        add_index(&t.stand, "album", "keyword");
        fill(&t);
        measure(&t);
        done_stand(&t.stand);
    } else {
        fprintf(stderr, "usage: bench_tenants [USERS [DIM]]\n");
    }
    hl_gallery_free(t.gallery);
    free(t.first);
    return is_ready ? 0 : 1;
}
