/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HL_TESTS_UNIT_LOOKING_H
#define HL_TESTS_UNIT_LOOKING_H

/* A collection of every kind of vector, and what the tests of looks ask of it. Include it
 * behind cmocka.h. */
#include "tests/support/stand.h"

/* Spaces "c" (Cosine), "e" (Euclid), "d" (Dot) and "m" (Manhattan) of two numbers, and "s",
 * a sparse one. */
static inline int set_up(void **state)
{
    struct stand *s = calloc(1, sizeof *s);

    *state = s;
    if (!s || !init_stand(s))
        return -1;
    add_dense(s, "c", 2, "Cosine");
    add_dense(s, "e", 2, "Euclid");
    add_dense(s, "d", 2, "Dot");
    add_dense(s, "m", 2, "Manhattan");
    add_sparse(s, "s");
    return 0;
}

static inline int tear_down(void **state)
{
    struct stand *s = *state;

    done_stand(s);
    free(s);
    return 0;
}

/* Ids 1 … n. Point i: at (i, 0) in "e" and "m", at (i, 1) in "c" and "d"; "s" has i at 1
 * and, when i is even, 1 at 2. Payload: i, whether it is odd, a colour. */
static inline void fill(struct stand *s, int first, int last)
{
    static const char *const colours[] = {"red", "green", "blue"};

    for (int i = first; i <= last; i++)
        assert_true(
            change_points(
                s, hl_arena_print(
                       s->arena,
                       "{\"upsert\":{\"points\":[{\"id\":%d,\"payload\":{\"i\":%d,"
                       "\"odd\":%s,\"colour\":\"%s\",\"tags\":[%d,\"t\"]},\"vector\":{"
                       "\"c\":[%d,1],\"d\":[%d,1],\"e\":[%d,0],\"m\":[%d,0],"
                       "\"s\":{\"indices\":[1%s],\"values\":[%d%s]}}}]}}",
                       i, i, i % 2 ? "true" : "false", colours[i % 3], i % 4, i, i, i, i,
                       i % 2 ? "" : ",2", i, i % 2 ? "" : ",1")) > 0);
}

static const char red[] = "{\"must\":[{\"key\":\"colour\",\"match\":{\"value\":\"red\"}}]}";

/* "id:score …", or the sentence of the refusal. */
static inline const char *find(struct stand *s, struct hl_find find, const char *space)
{
    const struct hl_text name = {space, strlen(space)};
    const struct hl_hit *hits = NULL;
    size_t n = 0, len = 0;
    char *text = hl_arena_alloc(s->arena, 4096);

    assert_non_null(text);
    text[0] = '\0';
    find.space = hl_layout_find(hl_look_layout(s->look), &name);
    find.deadline = &never;
    assert_non_null(find.space);
    if (hl_look_find(s->look, &find, s->arena, &hits, &n, &s->err) != HL_OK)
        return s->err.msg;
    for (size_t i = 0; i < n; i++) {
        const struct hl_id id = hl_look_id(s->look, hits[i].number);

        len += (size_t)snprintf(text + len, 4096 - len, "%s%d:%.3f", i ? " " : "",
                                (int)hl_id_value(&id), (double)hits[i].score);
    }
    return text;
}

static inline struct hl_find query(const float *values, size_t n, size_t k)
{
    return (struct hl_find){.values = values, .n = n, .k = k};
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

#endif
