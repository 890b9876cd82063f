/* SPDX-License-Identifier: Apache-2.0 */
/* A collection against a plain list of what it must hold: points put by the hundred, some
 * twice in one change, put again and deleted, while tails grow graphs, are sealed and
 * merged, and the collection is closed and opened again.
 *
 * Usage: test_history [SEED [CHANGES]] */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "proto/random.h"
#include "tests/unit/keeping.h"

enum { N_IDS = 9000, MOST = 500, SEAL = 2560, BODY_ROOM = 4 << 20 };

/* Point i is at (at[i], 0), where nobody else ever was; 0: it is not there. */
struct held {
    int at[N_IDS + 1];
};

struct history {
    struct keeping *k;
    struct hl_random random;
    struct held held;
    int last_place, next_id;
    struct hl_look *look; /* of an earlier moment; NULL: none */
    struct held seen;     /* what was held then */
};

static struct {
    uint64_t seed;
    int n_changes;
} setting = {1, 200};

static int below(struct history *h, int n)
{
    return (int)hl_random_below(&h->random, (uint32_t)n);
}

/* ---- changes ---- */

static void add_point(struct history *h, struct hl_buf *body, int id)
{
    h->held.at[id] = ++h->last_place;
    hl_buf_print(body, "{\"id\":%d,\"vector\":{\"e\":[%d,0]}},", id, h->last_place);
}

/* One in fifty is put once more behind itself: what stands first is never seen. */
static void add_points(struct history *h, struct hl_buf *body, int first, int n)
{
    hl_buf_add_text(body, "{\"upsert\":{\"points\":[");
    for (int id = first; id < first + n; id++) {
        add_point(h, body, id);
        if (below(h, 50) == 0)
            add_point(h, body, id);
    }
    body->len--; /* the comma */
    hl_buf_add_text(body, "]}}");
}

static void add_deletion(struct history *h, struct hl_buf *body, int first, int n)
{
    hl_buf_add_text(body, "{\"delete\":{\"points\":[");
    for (int id = first; id < first + n; id++) {
        h->held.at[id] = 0;
        hl_buf_print(body, "%d,", id);
    }
    body->len--;
    hl_buf_add_text(body, "]}}");
}

/* Mostly what comes next, and what came last; else anywhere. */
static void change_something(struct history *h)
{
    const int kind = below(h, 10), n = 1 + below(h, MOST);
    const int first = 1 + below(h, N_IDS - n);
    struct hl_buf body;

    hl_buf_init(&body, BODY_ROOM);
    if (kind < 6) {
        if (h->next_id + n > N_IDS)
            h->next_id = 1;
        add_points(h, &body, h->next_id, n);
        h->next_id += n;
    } else if (kind < 8) {
        add_points(h, &body, first, n / 8 + 1);
    } else if (kind == 8 && h->next_id > n) {
        add_deletion(h, &body, h->next_id - n / 20 - 1, n / 20 + 1);
    } else {
        add_deletion(h, &body, first, n / 2 + 1);
    }
    if (change_points(&h->k->s, body.data) == 0)
        fail_msg("%s", h->k->s.err.msg);
    hl_buf_done(&body);
    hl_arena_reset(h->k->s.arena);
}

/* ---- what is found ---- */

static struct hl_look *open_look(struct keeping *k)
{
    struct hl_look *opened;

    look(&k->s, NULL);
    opened = k->s.look;
    k->s.look = NULL;
    return opened;
}

static size_t count_held(const struct held *held)
{
    size_t n = 0;

    for (int id = 1; id <= N_IDS; id++)
        n += held->at[id] != 0;
    return n;
}

/* All of it, each where it is, the nearest first; or a half of it through the graphs. */
static void assert_finds(struct history *h, struct hl_look *where, const struct held *held,
                         bool is_exact)
{
    static const struct hl_text name = {"e", 1};
    static const float origin[2] = {0, 0};
    struct hl_arena *arena = hl_arena_new((size_t)64 << 20);
    const size_t n_held = count_held(held);
    const struct hl_find find = {.space = hl_layout_find(hl_look_layout(where), &name),
                                 .values = origin,
                                 .n = 2,
                                 .k = is_exact ? n_held + MOST : n_held / 2 + 1,
                                 .beam = 16,
                                 .is_exact = is_exact,
                                 .deadline = &never};
    const struct hl_hit *hits;
    size_t n;

    assert_non_null(arena);
    assert_int_equal(hl_look_find(where, &find, arena, &hits, &n, &h->k->s.err), HL_OK);
    if (is_exact)
        assert_int_equal(n, n_held);
    for (size_t i = 0; i < n; i++) {
        const struct hl_id id = hl_look_id(where, hits[i].number);

        assert_in_range(hl_id_value(&id), 1, N_IDS);
        assert_int_equal((int)hits[i].score, held->at[hl_id_value(&id)]);
        assert_true(i == 0 || hits[i].score > hits[i - 1].score);
    }
    hl_arena_free(arena);
}

static void assert_now(struct history *h)
{
    struct hl_look *now = open_look(h->k);

    assert_finds(h, now, &h->held, true);
    assert_finds(h, now, &h->held, false);
    hl_look_close(now);
}

/* What was opened sees what was there, whatever was sealed, merged and deleted since. */
static void close_earlier(struct history *h)
{
    if (!h->look)
        return;
    assert_finds(h, h->look, &h->seen, true);
    assert_finds(h, h->look, &h->seen, false);
    hl_look_close(h->look);
    h->look = NULL;
}

static void open_earlier(struct history *h)
{
    close_earlier(h);
    h->look = open_look(h->k);
    h->seen = h->held;
}

/* ---- */

static void what_is_held_is_found_and_nothing_else(void **state)
{
    struct history *h = calloc(1, sizeof *h);
    size_t n_sealed = 0, n_merged = 0;

    assert_non_null(h);
    h->k = *state;
    h->random.state = setting.seed;
    h->next_id = 1;
    h->k->s.options.seal_rows = SEAL;
    h->k->s.options.most_held_bytes = (size_t)64 << 20;
    reopen(h->k);
    for (int i = 1; i <= setting.n_changes; i++) {
        change_something(h);
        if (below(h, 10) == 0)
            assert_now(h);
        if (below(h, 20) == 0)
            open_earlier(h);
        if (i % 25 != 0)
            continue;
        close_earlier(h);
        n_sealed += told(h->k, HL_ENGINE_SEALED);
        n_merged += told(h->k, HL_ENGINE_MERGED);
        assert_int_equal(told(h->k, HL_ENGINE_UPKEEP_FAILED), 0);
        reopen(h->k);
        assert_now(h);
        assert_int_equal(told(h->k, HL_ENGINE_REBUILDING), 0);
    }
    close_earlier(h);
    print_message("# seed %llu: %d changes, %zu sealed, %zu merged, %zu points\n",
                  (unsigned long long)setting.seed, setting.n_changes, n_sealed, n_merged,
                  count_held(&h->held));
    assert_true(n_sealed > 0);
    free(h);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_is_held_is_found_and_nothing_else, set_up,
                                        tear_down),
    };

    if (argc > 1)
        setting.seed = strtoull(argv[1], NULL, 10);
    if (argc > 2)
        setting.n_changes = (int)strtol(argv[2], NULL, 10);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
