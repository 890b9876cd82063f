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

static const struct hl_space *find_named(const struct hl_layout *layout,
                                         const struct hl_text *name, struct hl_err *err)
{
    const struct hl_space *space = hl_layout_find(layout, name);

    if (!space)
        hl_err_set(err, HL_UNKNOWN_VECTOR,
                   "Wrong input: Not existing vector name error: %.*s", (int)name->len,
                   name->text);
    return space;
}

/* Of what was sent for several models: what callers are routed to, where a rollout says so
 * and it was sent, else the newest. Those in a layout stand in the order they were made. */
static enum hl_code choose_sent(const struct hl_layout *layout,
                                const struct hl_query *query,
                                const struct hl_space **ret_space, struct hl_err *err)
{
    const struct hl_plans *plans = hl_plans_of(layout);
    const struct hl_rollout *rollout = hl_rollout_of(layout);
    const uint32_t routed = hl_rollout_model(rollout, layout, &query->params.key);
    const struct hl_space *newest = NULL, *served = NULL, *said = NULL;

    for (size_t i = 0; i < query->vectors.n; i++) {
        const struct hl_space *space =
            find_named(layout, &query->vectors.items[i].name, err);

        if (!space)
            return hl_err_code(err);
        if (space->id == routed)
            said = space;
        if (!newest || space > newest)
            newest = space;
        if (plans && hl_plan_in(plans, space->id, HL_PLAN_SOME) &&
            (!served || space > served))
            served = space;
    }
    *ret_space = said ? said : served ? served : newest;
    return HL_OK;
}

enum hl_code hl_aim_model(const struct hl_layout *layout, const struct hl_query *query,
                          const struct hl_space **ret_space, struct hl_err *err)
{
    const struct hl_text unnamed = {"", 0};
    const struct hl_space *space;

    if (!query->using_name.text && query->vectors.n > 0)
        return choose_sent(layout, query, ret_space, err);
    if (!query->using_name.text && !hl_layout_find(layout, &unnamed)) {
        set_unsaid(layout, err);
        return hl_err_code(err);
    }
    space = find_named(layout, query->using_name.text ? &query->using_name : &unnamed, err);
    if (!space)
        return hl_err_code(err);
    if (query->vectors.n > 0 && !hl_query_sent(query, space->name))
        return hl_fail(err, HL_WRONG_INPUT,
                       "Wrong input: \"using\" is \"%s\", and no vector of it is among "
                       "\"vectors\"",
                       space->name);
    *ret_space = space;
    return HL_OK;
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

enum hl_code hl_aim_load(struct hl_search *search, const struct hl_id *id,
                         const struct hl_space *space, struct hl_vector *ret_vector,
                         bool *ret_has, struct hl_err *err)
{
    char words[HL_ID_TEXT_SIZE];
    struct hl_reader *reader;
    struct hl_store_point point;
    struct hl_store_vector stored;
    size_t i = 0;
    enum hl_code code = hl_look_reader(search->look, &reader, err);

    if (code != HL_OK)
        return code;
    code = hl_reader_find(reader, id, &point, err);
    if (code == HL_NOT_FOUND) {
        hl_id_print(id, words);
        return hl_fail(err, HL_NOT_FOUND, "Not found: No point with id %s found", words);
    }
    if (code != HL_OK)
        return code;
    while (i < point.n_places && point.places[i].space != space->id)
        i++;
    *ret_has = i < point.n_places;
    if (!*ret_has)
        return HL_OK;
    code = hl_reader_vector(reader, point.places[i].row, &stored, err);
    return code == HL_OK
               ? copy_stored(search->arena, &stored, space->dim == 0, ret_vector, err)
               : code;
}

/* ---- the examples ---- */

struct gathered {
    struct hl_example *examples; /* room for all of the query */
    struct hl_id *ids;           /* likewise; of those that are points */
    size_t n, n_ids;
};

static enum hl_code take_input(struct hl_search *search, const struct hl_space *space,
                               const struct hl_query_input *input,
                               struct gathered *gathered, struct hl_err *err)
{
    struct hl_example *example = &gathered->examples[gathered->n++];
    enum hl_code code;

    *example = (struct hl_example){.has_own = true, .vector = input->vector};
    if (!input->is_id)
        return check_vector(space, &input->vector, err);
    gathered->ids[gathered->n_ids++] = input->id;
    example->is_id = true;
    example->id = input->id;
    code = hl_aim_load(search, &input->id, space, &example->vector, &example->has_own, err);
    return code == HL_OK ? hl_deadline_check(search->deadline, "the search", err) : code;
}

static enum hl_code take_inputs(struct hl_search *search, const struct hl_space *space,
                                const struct hl_query_inputs *inputs,
                                struct gathered *gathered, struct hl_err *err)
{
    enum hl_code code = HL_OK;

    for (size_t i = 0; i < inputs->n && code == HL_OK; i++)
        code = take_input(search, space, &inputs->items[i], gathered, err);
    return code;
}

/* What was sent for other models is looked at as well, or a mistake in it would be silent
 * until a bridge leads there. */
static enum hl_code check_sent(const struct hl_layout *layout, const struct hl_query *query,
                               struct hl_err *err)
{
    enum hl_code code = HL_OK;

    for (size_t i = 0; i < query->vectors.n && code == HL_OK; i++) {
        const struct hl_vector *vector = &query->vectors.items[i];
        const struct hl_space *space = find_named(layout, &vector->name, err);

        code = space ? check_vector(space, vector, err) : hl_err_code(err);
    }
    return code;
}

static int compare_ids(const void *a, const void *b)
{
    return hl_id_compare(a, b);
}

static enum hl_code take_examples(struct hl_search *search, struct hl_aim *aim,
                                  struct hl_examples *ret_examples, struct hl_err *err)
{
    const struct hl_query *query = aim->query;
    struct hl_query_input input = query->nearest;
    const struct hl_query_inputs one = {&input, 1};
    const struct hl_query_inputs *positive =
        query->kind == HL_QUERY_NEAREST ? &one : &query->positive;
    const size_t n = positive->n + query->negative.n;
    struct gathered gathered = {
        .examples = hl_arena_array(search->arena, n, sizeof *gathered.examples),
        .ids = hl_arena_array(search->arena, n, sizeof *gathered.ids)};
    enum hl_code code;

    if (!gathered.examples || !gathered.ids)
        return hl_arena_fail(search->arena, err, "%zu examples", n);
    code = check_sent(hl_look_layout(search->look), query, err);
    if (code != HL_OK)
        return code;
    if (query->vectors.n > 0)
        input.vector = *hl_query_sent(query, aim->space->name);
    code = take_inputs(search, aim->space, positive, &gathered, err);
    if (code == HL_OK)
        code = take_inputs(search, aim->space, &query->negative, &gathered, err);
    if (code != HL_OK)
        return code;
    qsort(gathered.ids, gathered.n_ids, sizeof *gathered.ids, compare_ids);
    aim->excluded = gathered.ids;
    aim->n_excluded = gathered.n_ids;
    *ret_examples = (struct hl_examples){gathered.examples, positive->n, query->negative.n};
    return HL_OK;
}

enum hl_code hl_aim_take(struct hl_search *search, size_t which, struct hl_aim *ret_aim,
                         struct hl_err *err)
{
    const struct hl_query *query = &search->queries.items[which];
    struct hl_aim aim = {.query = query, .which = which, .order = HL_DOT};
    struct hl_examples examples;
    enum hl_code code = HL_OK;

    if (query->kind != HL_QUERY_NONE) {
        code = hl_aim_model(hl_look_layout(search->look), query, &aim.space, err);
        if (code == HL_OK)
            code = take_examples(search, &aim, &examples, err);
        if (code == HL_OK)
            code = hl_plan_legs(search, &examples, &aim, err);
    }
    if (code == HL_OK)
        *ret_aim = aim;
    return code;
}
