/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "index/apply.h"
#include "proto/dir.h"
#include "proto/fail.h"
#include "tests/unit/reading.h"

#include <stdlib.h>

enum { DUMP = 1024 };

/* Euclid spaces "v1", "v2" and "other" of two dimensions, a sparse one, and images of v2 in
 * v1, which are v2's vectors turned round; what the tests do is never committed. */
struct rig {
    struct reading *r;
    char folder[40], path[64], dump[DUMP];
    struct hl_store *store;
    struct hl_layout *layout;
    struct hl_losses losses;
    struct hl_err err;
};

static void turn(const struct hl_mapper *mapper, const float *in, float *out)
{
    (void)mapper;
    out[0] = in[1];
    out[1] = in[0];
}

static void stay(struct hl_mapper *mapper)
{
    (void)mapper;
}

static uint32_t make_space(struct rig *rig, const char *name, uint32_t dim)
{
    const struct hl_store_space space = {.dim = dim, .name = name, .settings = "{}"};
    uint32_t id;

    assert_int_equal(hl_store_add_space(rig->store, &space, &id, &rig->err), HL_OK);
    return id;
}

static uint32_t add_space(struct rig *rig, const char *name, uint32_t dim)
{
    const struct hl_vector_config config = {.name = {name, strlen(name)},
                                            .is_sparse = dim == 0,
                                            .size = dim,
                                            .distance = dim ? HL_EUCLID : HL_DOT,
                                            .text = {"{}", 2}};
    uint32_t id = make_space(rig, name, dim);

    assert_int_equal(hl_layout_add_space(rig->layout, id, &config, &rig->err), HL_OK);
    return id;
}

/* Of v2 in v1; the mapper lives as long as the tests. */
static uint32_t add_image(struct rig *rig, uint32_t into, uint32_t from, bool is_served)
{
    static struct hl_mapper mapper = {.n_refs = 1, .map = turn, .free = stay};
    const struct hl_image image = {
        .into = into, .from = from, .n_hops = 1, .is_served = is_served, .mapper = &mapper};
    uint32_t id = make_space(rig, "image", 2);

    assert_int_equal(
        hl_layout_add_image(rig->layout, id, &image, &(struct hl_text){"{}", 2}, &rig->err),
        HL_OK);
    return id;
}

static int set_up(void **state)
{
    struct rig *rig = calloc(1, sizeof *rig);
    void *reading;
    uint64_t commit;

    *state = rig;
    start_reading(&reading);
    rig->r = reading;
    snprintf(rig->folder, sizeof rig->folder, "/tmp/heirloom-loss-XXXXXX");
    assert_non_null(mkdtemp(rig->folder));
    snprintf(rig->path, sizeof rig->path, "%s/points.db", rig->folder);
    assert_int_equal(hl_store_create(rig->path, &rig->err), HL_OK);
    assert_int_equal(hl_store_open(rig->path, &rig->store, &rig->err), HL_OK);
    assert_int_equal(hl_store_begin(rig->store, &commit, &rig->err), HL_OK);
    rig->layout = hl_layout_new();
    assert_non_null(rig->layout);
    add_space(rig, "other", 2);
    add_space(rig, "s", 0);
    return 0;
}

/* As it is once a bridge from v2 to v1 is served, or is going to be. */
static int set_up_images(void **state, bool is_served)
{
    struct rig *rig;
    uint32_t v1, v2;

    set_up(state);
    rig = *state;
    v1 = add_space(rig, "v1", 2);
    v2 = add_space(rig, "", 2);
    add_image(rig, v1, v2, is_served);
    return 0;
}

static int set_up_served(void **state)
{
    return set_up_images(state, true);
}

static int set_up_unserved(void **state)
{
    return set_up_images(state, false);
}

static int tear_down(void **state)
{
    struct rig *rig = *state;
    void *reading = rig->r;

    hl_layout_unref(rig->layout);
    hl_store_close(rig->store);
    assert_int_equal(hl_dir_remove(rig->folder, &rig->err), HL_OK);
    stop_reading(&reading);
    free(rig);
    return 0;
}

static enum hl_code apply_ops(struct rig *rig, const struct hl_write_ops *ops)
{
    const struct hl_apply apply = {.store = rig->store,
                                   .layout = rig->layout,
                                   .arena = rig->r->arena,
                                   .losses = &rig->losses};
    struct hl_store_changes before;
    enum hl_code code;

    hl_store_changes(rig->store, &before);
    code = hl_apply_ops(&apply, ops, &rig->err);
    return code == HL_OK ? hl_apply_images(&apply, before.n_touches, &rig->err) : code;
}

static void read_ops(struct rig *rig, const char *points, struct hl_write_ops *ops)
{
    char body[DUMP];

    snprintf(body, sizeof body, "{\"operations\":[{\"upsert\":{\"points\":[%s]}}]}",
             points);
    if (hl_write_ops_read(reading_of(rig->r, body), ops, &rig->err) != HL_OK)
        fail_msg("%s: %s", body, rig->err.msg);
}

/* All of it or nothing. */
static enum hl_code upsert(struct rig *rig, enum hl_loss rule, const char *points)
{
    struct hl_write_ops ops;
    struct hl_err undone;
    enum hl_code code;

    read_ops(rig, points, &ops);
    rig->losses = (struct hl_losses){.rule = rule};
    assert_int_equal(hl_store_save(rig->store, &rig->err), HL_OK);
    code = apply_ops(rig, &ops);
    if (code == HL_OK)
        assert_int_equal(hl_store_keep(rig->store, &rig->err), HL_OK);
    else
        assert_int_equal(hl_store_undo(rig->store, &undone), HL_OK);
    return code;
}

static void must(struct rig *rig, enum hl_loss rule, const char *points)
{
    if (upsert(rig, rule, points) != HL_OK)
        fail_msg("%s\n    was refused: %s", points, rig->err.msg);
}

static void put_vector(struct rig *rig, const struct hl_store_place *place)
{
    const struct hl_space *space = hl_layout_space(rig->layout, place->space);
    struct hl_store_vector vector;
    size_t len = strlen(rig->dump);

    assert_int_equal(
        hl_reader_vector(hl_store_inside(rig->store), place->row, &vector, &rig->err),
        HL_OK);
    snprintf(rig->dump + len, sizeof rig->dump - len, " %s[%g %g]",
             space->image.into ? "image" : space->name, (double)vector.values[0],
             vector.n > 1 ? (double)vector.values[1] : 0.0);
}

static bool put_point(void *self, const struct hl_store_point *point)
{
    struct rig *rig = self;
    char id[HL_ID_TEXT_SIZE];
    size_t len = strlen(rig->dump);

    hl_id_print(&point->id, id);
    snprintf(rig->dump + len, sizeof rig->dump - len, "%s%s %.*s", *rig->dump ? " | " : "",
             id, (int)point->payload.len, point->payload.text ? point->payload.text : "");
    for (size_t i = 0; i < point->n_places; i++)
        put_vector(rig, &point->places[i]);
    return true;
}

/* Every point: id, payload, vectors and images in the order of their spaces. */
static void assert_points(struct rig *rig, const char *wanted)
{
    const struct hl_reader_scan scan = {.order = HL_READ_BY_ID};

    *rig->dump = '\0';
    assert_int_equal(
        hl_reader_scan(hl_store_inside(rig->store), &scan, put_point, rig, &rig->err),
        HL_OK);
    assert_string_equal(rig->dump, wanted);
}

static void assert_lost(struct rig *rig, uint64_t n_points, uint64_t n_vectors)
{
    assert_int_equal(rig->losses.n_points, n_points);
    assert_int_equal(rig->losses.n_vectors, n_vectors);
}

#define OLD                                                                                \
    "{\"id\":1,\"vector\":{\"v1\":[1,2],\"other\":[3,4],\"s\":{\"indices\":[5],"           \
    "\"values\":[6]}},\"payload\":{\"a\":1}},{\"id\":2,\"vector\":{\"\":[7,8]}}"
#define OLD_IS "1 {\"a\":1} other[3 4] s[6 0] v1[1 2] | 2  [7 8] image[8 7]"

static void what_is_lost_is_counted(void **state)
{
    struct rig *rig = *state;

    must(rig, HL_LOSS_ALLOW, OLD);
    assert_points(rig, OLD_IS);
    assert_lost(rig, 0, 0);
    must(rig, HL_LOSS_ALLOW,
         "{\"id\":1,\"vector\":{\"\":[3,5]}},{\"id\":2,\"vector\":{\"v1\":[1,1]}},"
         "{\"id\":3,\"vector\":{}}");
    assert_points(rig, "1  [3 5] image[5 3] | 2  v1[1 1] | 3 ");
    assert_lost(rig, 2, 2);
    must(rig, HL_LOSS_ALLOW, "{\"id\":1,\"vector\":{\"\":[1,0],\"v1\":[0,1]}}");
    assert_lost(rig, 0, 0);
    must(rig, HL_LOSS_ALLOW, "{\"id\":1,\"vector\":{}}");
    assert_lost(rig, 1, 2);
}

static void what_would_be_lost_is_kept(void **state)
{
    struct rig *rig = *state;

    must(rig, HL_LOSS_ALLOW, OLD);
    must(rig, HL_LOSS_KEEP,
         "{\"id\":1,\"vector\":{\"\":[3,5]},\"payload\":{\"b\":2}},"
         "{\"id\":2,\"vector\":{\"v1\":[1,1]}},{\"id\":3,\"vector\":{\"\":[9,9]}}");
    assert_points(rig, "1 {\"b\":2} v1[1 2] [3 5] | 2  v1[1 1] [7 8] | 3  [9 9] "
                       "image[9 9]");
    assert_lost(rig, 0, 0);
    must(rig, HL_LOSS_KEEP, "{\"id\":1,\"vector\":{}},{\"id\":3,\"vector\":{\"\":[1,0]}}");
    assert_points(rig, "1  v1[1 2] [3 5] | 2  v1[1 1] [7 8] | 3  [1 0] image[0 1]");
}

static void what_would_be_lost_is_refused_with_the_whole_request(void **state)
{
    struct rig *rig = *state;

    must(rig, HL_LOSS_ALLOW, OLD);
    assert_int_equal(
        upsert(rig, HL_LOSS_REFUSE,
               "{\"id\":4,\"vector\":{\"v1\":[0,0]}},{\"id\":1,\"vector\":{\"\":[3,5]}}"),
        HL_CONFLICT);
    assert_string_equal(
        rig->err.msg,
        "point 1 would lose its vector \"v1\", by which queries of other models find it, "
        "and the collection's \"on_vector_loss\" is \"refuse\": send that vector along, or "
        "change vectors alone");
    assert_int_equal(upsert(rig, HL_LOSS_REFUSE, "{\"id\":2,\"vector\":{\"v1\":[0,0]}}"),
                     HL_CONFLICT);
    assert_non_null(strstr(rig->err.msg, "point 2 would lose its vector \"@default\""));
    assert_points(rig, OLD_IS);
}

static void what_no_bridge_needs_goes_under_every_rule(void **state)
{
    static const enum hl_loss rules[] = {HL_LOSS_ALLOW, HL_LOSS_KEEP, HL_LOSS_REFUSE};
    struct rig *rig = *state;

    for (size_t i = 0; i < 3; i++) {
        must(rig, HL_LOSS_ALLOW, OLD);
        must(rig, rules[i], "{\"id\":1,\"vector\":{\"v1\":[5,5]}}");
        assert_points(rig, "1  v1[5 5] | 2  [7 8] image[8 7]");
        assert_lost(rig, 0, 0);
    }
}

static void before_images_are_served_an_upsert_is_qdrants(void **state)
{
    static const enum hl_loss rules[] = {HL_LOSS_ALLOW, HL_LOSS_KEEP, HL_LOSS_REFUSE};
    struct rig *rig = *state;

    for (size_t i = 0; i < 3; i++) {
        must(rig, HL_LOSS_ALLOW, OLD);
        must(rig, rules[i], "{\"id\":1,\"vector\":{\"\":[3,5]}}");
        assert_points(rig, "1  [3 5] image[5 3] | 2  [7 8] image[8 7]");
        assert_lost(rig, 0, 0);
    }
}

static void a_point_that_is_kept_without_memory_is_not_written(void **state)
{
    struct rig *rig = *state;
    enum hl_code code = HL_NO_MEMORY;
    uint64_t commit;
    int n_refused = -1;

    must(rig, HL_LOSS_ALLOW, OLD);
    assert_int_equal(hl_store_commit(rig->store, &commit, &rig->err), HL_OK);
    for (int n = 1; code != HL_OK; n++, n_refused++) {
        struct hl_write_ops ops;
        char rule[32];

        hl_store_rollback(rig->store);
        assert_int_equal(hl_store_begin(rig->store, &commit, &rig->err), HL_OK);
        assert_points(rig, OLD_IS);
        read_ops(rig, "{\"id\":1,\"vector\":{\"\":[3,5]}}", &ops);
        rig->losses = (struct hl_losses){.rule = HL_LOSS_KEEP};
        snprintf(rule, sizeof rule, "alloc=%d:fail", n);
        assert_int_equal(hl_failpoint_arm(rule, &rig->err), HL_OK);
        code = apply_ops(rig, &ops);
        hl_failpoint_disarm();
        assert_true(code == HL_OK || code == HL_NO_MEMORY);
    }
    assert_true(n_refused > 3);
    assert_points(rig, "1  v1[1 2] [3 5] | 2  [7 8] image[8 7]");
}

#define SERVED(test) cmocka_unit_test_setup_teardown(test, set_up_served, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        SERVED(what_is_lost_is_counted),
        SERVED(what_would_be_lost_is_kept),
        SERVED(what_would_be_lost_is_refused_with_the_whole_request),
        SERVED(what_no_bridge_needs_goes_under_every_rule),
        cmocka_unit_test_setup_teardown(before_images_are_served_an_upsert_is_qdrants,
                                        set_up_unserved, tear_down),
        SERVED(a_point_that_is_kept_without_memory_is_not_written),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
