/* SPDX-License-Identifier: Apache-2.0 */
/* Every look sees one moment.
 *
 * A writer moves all points from one state to the next in one change, payload and vectors
 * together; a second one makes and deletes points that do not matter, so that tails are
 * sealed, segments merged and old versions cleaned all the while. Readers open looks and
 * ask everything of each: whatever they are told, all of it is of one state. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "proto/buf.h"
#include "tests/support/stand.h"

#include <pthread.h>
#include <stdatomic.h>

enum { N_POINTS = 40, N_MOVES = 120, N_READERS = 3, N_FAULTS_SAID = 5 };

struct stage {
    struct stand stand;
    atomic_bool is_over;
    atomic_size_t n_looks;
    atomic_size_t n_faults;
};

struct actor {
    struct stage *stage;
    struct stand stand; /* the stage's, with an arena of its own */
    pthread_t thread;
    unsigned which;
};

/* The states' vectors are 100 apart, their points 1. */
static void print_move(struct hl_buf *body, int state)
{
    hl_buf_print(body, "{\"upsert\":{\"points\":[");
    for (int i = 0; i < N_POINTS; i++)
        hl_buf_print(body,
                     "%s{\"id\":%d,\"payload\":{\"kept\":true,\"loose\":true,"
                     "\"state\":%d},\"vector\":{\"e\":[%d,0],\"s\":{\"indices\":[3],"
                     "\"values\":[%d]}}}",
                     i ? "," : "", i, state, state * 100 + i, state + 1);
    hl_buf_print(body, "]}}");
}

static void *move_points(void *arg)
{
    struct actor *actor = arg;
    struct hl_buf body;

    for (int state = 1; state < N_MOVES; state++) {
        hl_buf_init(&body, 1 << 20);
        print_move(&body, state);
        atomic_fetch_add(&actor->stage->n_faults,
                         change_points(&actor->stand, body.data) == 0);
        hl_buf_done(&body);
        hl_arena_reset(actor->stand.arena);
    }
    atomic_store(&actor->stage->is_over, true);
    return NULL;
}

static void *come_and_go(void *arg)
{
    static const char *const changes[] = {
        "{\"upsert\":{\"points\":[{\"id\":1001,\"vector\":{\"e\":[7,7]}}]}}",
        "{\"upsert\":{\"points\":[{\"id\":1002,\"vector\":{}}]}}",
        "{\"delete\":{\"points\":[1001,1002]}}"};
    struct actor *actor = arg;

    for (int i = 0; !atomic_load(&actor->stage->is_over); i++) {
        atomic_fetch_add(&actor->stage->n_faults,
                         change_points(&actor->stand, changes[i % 3]) == 0);
        hl_arena_reset(actor->stand.arena);
    }
    return NULL;
}

/* ---- what a look is asked ---- */

static bool fault(struct actor *actor, const char *what, long wanted, long got)
{
    if (atomic_fetch_add(&actor->stage->n_faults, 1) < N_FAULTS_SAID)
        printf("# %s: %ld and %ld\n", what, wanted, got);
    return false;
}

static bool read_states(struct actor *actor, const uint32_t *numbers, size_t n, long *state)
{
    struct stand *s = &actor->stand;
    struct hl_reader *reader = NULL;

    *state = -1;
    if (hl_look_reader(s->look, &reader, &s->err) != HL_OK)
        return fault(actor, "a reader", 0, s->err.code);
    for (size_t i = 0; i < n; i++) {
        struct hl_store_point point;
        const char *at;
        long is;

        if (hl_reader_get(reader, numbers[i], &point, &s->err) != HL_OK)
            return fault(actor, "a point is gone", numbers[i], s->err.code);
        at = hl_arena_copy(s->arena, point.payload.text, point.payload.len);
        is = strtol(strstr(at, "\"state\":") + strlen("\"state\":"), NULL, 10);
        if (*state >= 0 && is != *state)
            return fault(actor, "states of payloads", *state, is);
        *state = is;
    }
    return true;
}

static bool check_search(struct actor *actor, struct hl_find find, const char *space,
                         long state)
{
    struct stand *s = &actor->stand;
    const struct hl_text name = {space, strlen(space)};
    const struct hl_hit *hits = NULL;
    size_t n = 0;

    find.space = hl_layout_find(hl_look_layout(s->look), &name);
    find.k = N_POINTS + 5;
    find.deadline = &never;
    if (hl_look_find(s->look, &find, s->arena, &hits, &n, &s->err) != HL_OK)
        return fault(actor, s->err.msg, 0, s->err.code);
    if (n != N_POINTS)
        return fault(actor, "hits", N_POINTS, (long)n);
    for (size_t i = 0; i < n; i++) {
        const long is = find.indices ? (long)hits[i].score - 1 : (long)hits[i].score / 100;

        if (is != state)
            return fault(actor, "states of hits", state, is);
    }
    return true;
}

/* One look, everything about it. Even actors ask by an index, odd ones by payloads. */
static bool check_look(struct actor *actor)
{
    static const char *const filters[] = {
        "{\"must\":[{\"key\":\"kept\",\"match\":{\"value\":true}}]}",
        "{\"must\":[{\"key\":\"loose\",\"match\":{\"value\":true}}]}"};
    static const float values[] = {0, 0}, one[] = {1};
    static const uint32_t three[] = {3};
    const struct hl_find dense = {.values = values, .n = 2};
    const struct hl_find sparse = {.values = one, .indices = three, .n = 1};
    const struct hl_look_page page = {.limit = N_POINTS + 5, .deadline = &never};
    struct stand *s = &actor->stand;
    const uint32_t *numbers = NULL;
    size_t n = 0;
    long state;

    look(s, filters[actor->which % 2]);
    if (hl_look_settle(s->look, 0, &never, &s->err) != HL_OK ||
        hl_look_scroll(s->look, &page, s->arena, &numbers, &n, &s->err) != HL_OK)
        return fault(actor, s->err.msg, 0, s->err.code);
    if (hl_look_count(s->look, 0) != N_POINTS || n != N_POINTS)
        return fault(actor, "counted and listed", (long)hl_look_count(s->look, 0), (long)n);
    if (hl_look_n_points(s->look) - N_POINTS > 2)
        return fault(actor, "points", N_POINTS, (long)hl_look_n_points(s->look));
    return read_states(actor, numbers, n, &state) &&
           check_search(actor, dense, "e", state) &&
           check_search(actor, sparse, "s", state);
}

static void *look_on(void *arg)
{
    struct actor *actor = arg;

    do {
        if (check_look(actor))
            atomic_fetch_add(&actor->stage->n_looks, 1);
        hl_arena_reset(actor->stand.arena);
    } while (!atomic_load(&actor->stage->is_over));
    hl_look_close(actor->stand.look);
    return NULL;
}

/* ---- the play ---- */

static void begin(struct actor *actor, struct stage *stage, unsigned which,
                  void *(*play)(void *arg))
{
    *actor = (struct actor){.stage = stage, .stand = stage->stand, .which = which};
    actor->stand.arena = hl_arena_new((size_t)64 << 20);
    assert_non_null(actor->stand.arena);
    assert_int_equal(pthread_create(&actor->thread, NULL, play, actor), 0);
}

static void every_look_sees_one_moment(void **state)
{
    struct stage stage = {.n_faults = 0};
    struct actor actors[N_READERS + 2];
    struct hl_buf body;

    (void)state;
    assert_true(init_stand(&stage.stand));
    add_dense(&stage.stand, "e", 2, "Euclid");
    add_sparse(&stage.stand, "s");
    add_index(&stage.stand, "kept", "bool");
    hl_buf_init(&body, 1 << 20);
    print_move(&body, 0);
    assert_true(change_points(&stage.stand, body.data) > 0);
    hl_buf_done(&body);
    begin(&actors[0], &stage, 0, move_points);
    begin(&actors[1], &stage, 1, come_and_go);
    for (unsigned i = 0; i < N_READERS; i++)
        begin(&actors[2 + i], &stage, i, look_on);
    for (int i = 0; i < N_READERS + 2; i++) {
        pthread_join(actors[i].thread, NULL);
        hl_arena_free(actors[i].stand.arena);
    }
    print_message("# %zu looks\n", atomic_load(&stage.n_looks));
    assert_int_equal(atomic_load(&stage.n_faults), 0);
    assert_true(atomic_load(&stage.n_looks) >= N_READERS);
    done_stand(&stage.stand);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(every_look_sees_one_moment)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
