/* SPDX-License-Identifier: Apache-2.0 */
#include "index/store.h"
#include "server/search_part.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* ---- the space ---- */

/* The caller said none and there is no unnamed one. */
static void set_unsaid(const struct hl_layout *layout, struct hl_err *err)
{
    struct hl_buf names;

    hl_buf_init(&names, HL_ERR_MSG_SIZE); /* what is longer is cut anyway */
    for (size_t i = 0; i < layout->n_spaces; i++)
        hl_buf_print(&names, "%s\"%s\"", i > 0 ? ", " : "", layout->spaces[i].name);
    hl_err_set(err, HL_UNKNOWN_VECTOR,
               "Wrong input: Not existing vector name error: there is no unnamed vector, "
               "\"using\" must be one of %s",
               layout->n_spaces > 0 ? names.data : "those the collection will have");
    hl_buf_done(&names);
}

static const struct hl_space *find_space(struct hl_search *search,
                                         const struct hl_query *query, struct hl_err *err)
{
    const struct hl_layout *layout = hl_look_layout(search->look);
    const struct hl_text unnamed = {"", 0};
    const struct hl_text *name = query->using_name.text ? &query->using_name : &unnamed;
    const struct hl_space *space = hl_layout_find(layout, name);

    if (!space && !query->using_name.text)
        set_unsaid(layout, err);
    else if (!space)
        hl_err_set(err, HL_UNKNOWN_VECTOR,
                   "Wrong input: Not existing vector name error: %.*s", (int)name->len,
                   name->text);
    return space;
}

/* ---- the vectors ---- */

static enum hl_code check_vector(const struct hl_space *space,
                                 const struct hl_vector *vector, struct hl_err *err)
{
    if (vector->is_sparse != (space->dim == 0))
        return hl_fail(err, HL_WRONG_INPUT,
                       "Wrong input: the vector \"%s\" is %s, the query's is %s",
                       space->name, space->dim == 0 ? "sparse" : "dense",
                       vector->is_sparse ? "sparse" : "dense");
    if (space->dim > 0 && vector->n != space->dim)
        return hl_fail(err, HL_DIMENSION_MISMATCH,
                       "Wrong input: Vector dimension error: expected dim: %" PRIu32
                       ", got %zu",
                       space->dim, vector->n);
    return HL_OK;
}

static enum hl_code copy_stored(struct hl_arena *arena,
                                const struct hl_store_vector *stored, bool is_sparse,
                                struct hl_vector *ret_vector, struct hl_err *err)
{
    size_t room = stored->n ? stored->n : 1;
    float *values = hl_arena_floats(arena, 1, room);
    uint32_t *indices = hl_arena_array(arena, room, sizeof *indices);

    if (!values || !indices)
        return hl_arena_fail(arena, err, "a vector of %" PRIu32 " values", stored->n);
    if (stored->n > 0)
        memcpy(values, stored->values, stored->n * sizeof *values);
    if (stored->n > 0 && stored->indices)
        memcpy(indices, stored->indices, stored->n * sizeof *indices);
    *ret_vector = (struct hl_vector){.values = values,
                                     .n = stored->n,
                                     .indices = is_sparse ? indices : NULL,
                                     .is_sparse = is_sparse};
    return HL_OK;
}

/* The vector that a point has in the space. */
static enum hl_code load_vector(struct hl_search *search, const struct hl_space *space,
                                const struct hl_id *id, struct hl_vector *ret_vector,
                                struct hl_err *err)
{
    char words[HL_ID_TEXT_SIZE];
    struct hl_reader *reader;
    struct hl_store_point point;
    struct hl_store_vector stored;
    size_t i = 0;
    enum hl_code code = hl_look_reader(search->look, &reader, err);

    if (code != HL_OK)
        return code;
    hl_id_print(id, words);
    code = hl_reader_find(reader, id, &point, err);
    if (code == HL_NOT_FOUND)
        return hl_fail(err, HL_NOT_FOUND, "Not found: No point with id %s found", words);
    if (code != HL_OK)
        return code;
    while (i < point.n_places && point.places[i].space != space->id)
        i++;
    if (i == point.n_places)
        return hl_fail(err, HL_NOT_FOUND, "Not found: Vector with name \"%s\" for point %s",
                       space->name, words);
    code = hl_reader_vector(reader, point.places[i].row, &stored, err);
    return code == HL_OK
               ? copy_stored(search->arena, &stored, space->dim == 0, ret_vector, err)
               : code;
}

struct gathered {
    const struct hl_space *space;
    struct hl_id *ids; /* room for all inputs of the query */
    size_t n_ids;
};

/* NULL: it failed. */
static const struct hl_vector *take_inputs(struct hl_search *search,
                                           struct gathered *gathered,
                                           const struct hl_query_inputs *inputs,
                                           struct hl_err *err)
{
    struct hl_vector *vectors =
        hl_arena_array(search->arena, inputs->n ? inputs->n : 1, sizeof *vectors);
    enum hl_code code = HL_OK;

    if (!vectors)
        hl_arena_fail(search->arena, err, "%zu examples", inputs->n);
    for (size_t i = 0; vectors && i < inputs->n && code == HL_OK; i++) {
        const struct hl_query_input *input = &inputs->items[i];

        if (input->is_id) {
            gathered->ids[gathered->n_ids++] = input->id;
            code = load_vector(search, gathered->space, &input->id, &vectors[i], err);
        } else {
            vectors[i] = input->vector;
            code = check_vector(gathered->space, &vectors[i], err);
        }
        if (code == HL_OK)
            code = hl_deadline_check(search->deadline, "the search", err);
    }
    return code == HL_OK ? vectors : NULL;
}

static int compare_ids(const void *a, const void *b)
{
    return hl_id_compare(a, b);
}

/* ---- what it comes to ---- */

/* A sum of scalar products is the product with the sum; of distances nothing like it is
 * true. */
static enum hl_code mix(struct hl_search *search, struct hl_aim *aim, struct hl_err *err)
{
    enum hl_distance distance = aim->space->distance;

    aim->kind = HL_AIM_VECTOR;
    aim->scale = 1;
    if (aim->query->kind == HL_QUERY_NEAREST) {
        aim->vector = aim->positive[0];
        return HL_OK;
    }
    if (aim->query->strategy == HL_STRATEGY_AVERAGE)
        return hl_mix_average(search->arena, aim, &aim->vector, err);
    if (aim->query->strategy == HL_STRATEGY_SUM &&
        (distance == HL_COSINE || distance == HL_DOT))
        return hl_mix_sum(search->arena, aim, distance == HL_COSINE, &aim->vector,
                          &aim->scale, err);
    aim->kind = HL_AIM_RANK;
    return HL_OK;
}

enum hl_code hl_aim_take(struct hl_search *search, size_t which, struct hl_aim *ret_aim,
                         struct hl_err *err)
{
    const struct hl_query *query = &search->queries.items[which];
    const struct hl_query_inputs nearest = {&query->nearest, 1};
    const struct hl_query_inputs *positive =
        query->kind == HL_QUERY_NEAREST ? &nearest : &query->positive;
    struct hl_aim aim = {.kind = HL_AIM_ALL, .query = query, .which = which};
    struct gathered gathered = {0};
    enum hl_code code;

    if (query->kind == HL_QUERY_NONE) {
        *ret_aim = aim;
        return HL_OK;
    }
    aim.n_positive = positive->n;
    aim.n_negative = query->negative.n;
    gathered.ids = hl_arena_array(search->arena, aim.n_positive + aim.n_negative,
                                  sizeof *gathered.ids);
    if (!gathered.ids)
        return hl_arena_fail(search->arena, err, "%zu examples",
                             aim.n_positive + aim.n_negative);
    gathered.space = find_space(search, query, err);
    if (!gathered.space)
        return hl_err_code(err);
    aim.positive = take_inputs(search, &gathered, positive, err);
    if (!aim.positive)
        return hl_err_code(err);
    aim.negative = take_inputs(search, &gathered, &query->negative, err);
    if (!aim.negative)
        return hl_err_code(err);
    qsort(gathered.ids, gathered.n_ids, sizeof *gathered.ids, compare_ids);
    aim.space = gathered.space;
    aim.excluded = gathered.ids;
    aim.n_excluded = gathered.n_ids;
    code = mix(search, &aim, err);
    if (code == HL_OK)
        *ret_aim = aim;
    return code;
}
