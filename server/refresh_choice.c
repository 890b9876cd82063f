/* SPDX-License-Identifier: Apache-2.0 */
#include "server/refresh_part.h"

#include "proto/model_name.h"

#include <string.h>

/* Points listed at once. */
enum { AT_ONCE = 1024 };

/* ---- what there is ---- */

static const struct hl_filter *filter_of_vector(struct hl_arena *arena, const char *name,
                                                bool has_it)
{
    struct hl_filter *filter = hl_arena_alloc(arena, sizeof *filter);
    struct hl_condition *condition = hl_arena_alloc(arena, sizeof *condition);
    struct hl_text *text = hl_arena_alloc(arena, sizeof *text);
    struct hl_clause clause = {condition, 1};

    if (!filter || !condition || !text)
        return NULL;
    *text = (struct hl_text){name, strlen(name)};
    *condition = (struct hl_condition){.kind = HL_CONDITION_HAS_VECTOR, .texts = {text, 1}};
    *filter = (struct hl_filter){.min_count = 0};
    if (has_it)
        filter->must = clause;
    else
        filter->must_not = clause;
    return filter;
}

/* The points of the request, those without a vector of `to`, and those with one of each
 * other dense model: all found in memory, in one moment. */
static enum hl_code wish(struct hl_refreshing *refreshing, const struct hl_layout *layout,
                         struct hl_err *err)
{
    struct hl_arena *arena = refreshing->task->arena;
    const struct hl_filter **filters =
        hl_arena_array(arena, layout->n_spaces + 2, sizeof(const struct hl_filter *));

    refreshing->models =
        hl_arena_array(arena, layout->n_spaces + 1, sizeof *refreshing->models);
    if (!filters || !refreshing->models)
        return hl_arena_fail(arena, err, "what models have seen");
    filters[0] = refreshing->task->wanted->filter;
    filters[1] = filter_of_vector(arena, refreshing->to, false);
    for (size_t i = 0; i < layout->n_spaces; i++) {
        const struct hl_space *space = &layout->spaces[i];

        if (space->dim == 0 || strcmp(space->name, refreshing->to) == 0)
            continue;
        refreshing->models[refreshing->n_models].space = space->id;
        filters[2 + refreshing->n_models] = filter_of_vector(arena, space->name, true);
        refreshing->n_models++;
    }
    for (size_t i = 1; i < refreshing->n_models + 2; i++)
        if (!filters[i])
            return hl_arena_fail(arena, err, "what models have seen");
    refreshing->wish =
        (struct hl_look_wish){.filters = filters, .n_filters = refreshing->n_models + 2};
    return HL_OK;
}

static enum hl_code find_model(struct hl_refreshing *refreshing,
                               const struct hl_layout *layout, struct hl_err *err)
{
    const struct hl_text *to = &refreshing->task->wanted->to;
    const struct hl_text name = hl_model_meant_by(to);
    const struct hl_space *space = hl_layout_find(layout, &name);

    if (!space)
        return hl_fail(err, HL_NOT_FOUND,
                       "Not found: the collection has no vector \"%.*s\"",
                       to->len < 200 ? (int)to->len : 200, to->text);
    if (space->dim == 0)
        return hl_fail(err, HL_INVALID,
                       "the vector \"%.200s\" is sparse: nothing leads to it", space->name);
    refreshing->to =
        hl_arena_copy(refreshing->task->arena, space->name, strlen(space->name));
    return refreshing->to ? HL_OK
                          : hl_arena_fail(refreshing->task->arena, err, "a vector's name");
}

static enum hl_code open_look(struct hl_refreshing *refreshing, struct hl_err *err)
{
    const struct hl_refresh_task *task = refreshing->task;
    struct hl_collection_info info;
    enum hl_code code = hl_collection_info(task->collection, task->arena, &info, err);

    if (code != HL_OK)
        return code;
    code = find_model(refreshing, info.layout, err);
    if (code == HL_OK)
        code = wish(refreshing, info.layout, err);
    hl_layout_unref(info.layout);
    if (code == HL_OK)
        code = hl_look_open(task->collection, &refreshing->wish, &refreshing->look, err);
    for (size_t i = 0; code == HL_OK && i < refreshing->wish.n_filters; i++)
        code = hl_look_settle(refreshing->look, i, task->deadline, err);
    return code;
}

/* ---- sets ---- */

static enum hl_code clone(const struct hl_rows *rows, struct hl_rows **ret_clone,
                          struct hl_err *err)
{
    *ret_clone = hl_rows_clone(rows);
    return *ret_clone ? HL_OK : hl_fail(err, HL_NO_MEMORY, "no memory for a set of points");
}

/* The points that are in a space: by a vector, or by the image of one. */
static enum hl_code find_reached(const struct hl_refreshing *refreshing, size_t model,
                                 struct hl_rows **ret_reached, struct hl_err *err)
{
    const struct hl_layout *layout = hl_look_layout(refreshing->look);
    const uint32_t space = refreshing->models[model].space;
    const struct hl_rows *within = hl_look_matches(refreshing->look, 0);
    struct hl_rows *reached = NULL;
    enum hl_code code = clone(hl_look_matches(refreshing->look, 2 + model), &reached, err);

    for (size_t i = 0; code == HL_OK && i < refreshing->n_models; i++)
        if (hl_layout_image(layout, space, refreshing->models[i].space))
            code = hl_rows_or(reached, hl_look_matches(refreshing->look, 2 + i), err);
    if (code == HL_OK && within)
        code = hl_rows_and(reached, within, err);
    if (code == HL_OK)
        *ret_reached = reached;
    else
        hl_rows_free(reached);
    return code;
}

/* The space that most of the missing points are in; of equal ones the newest. */
static enum hl_code find_space(struct hl_refreshing *refreshing, struct hl_err *err)
{
    uint64_t most = 0;

    for (size_t i = 0; i < refreshing->n_models; i++) {
        const uint32_t space = refreshing->models[i].space;
        struct hl_rows *reached = NULL;
        uint64_t n;
        enum hl_code code = HL_OK;

        if (hl_layout_space(hl_look_layout(refreshing->look), space))
            code = find_reached(refreshing, i, &reached, err);
        if (code != HL_OK)
            return code;
        n = reached ? hl_rows_count_and(reached, refreshing->missing) : 0;
        if (n == 0 || n < most) {
            hl_rows_free(reached);
            continue;
        }
        most = n;
        hl_rows_free(refreshing->reached);
        refreshing->reached = reached;
        refreshing->space = hl_layout_space(hl_look_layout(refreshing->look), space);
    }
    return HL_OK;
}

static enum hl_code find_sets(struct hl_refreshing *refreshing, struct hl_err *err)
{
    const struct hl_rows *within = hl_look_matches(refreshing->look, 0);
    struct hl_refresh_answer *answer = &refreshing->answer;
    enum hl_code code =
        clone(hl_look_matches(refreshing->look, 1), &refreshing->missing, err);

    if (code == HL_OK && within)
        code = hl_rows_and(refreshing->missing, within, err);
    if (code != HL_OK)
        return code;
    answer->n_points = within ? hl_rows_count(within) : hl_look_n_points(refreshing->look);
    answer->n_have = answer->n_points - hl_rows_count(refreshing->missing);
    return find_space(refreshing, err);
}

/* ---- choosing ---- */

enum hl_code hl_refreshing_draw(const struct hl_refreshing *refreshing,
                                const struct hl_rows *rows, uint64_t seed,
                                struct hl_picks *picks, struct hl_err *err)
{
    uint32_t numbers[AT_ONCE], from = 0;
    enum hl_code code = HL_OK;
    size_t n;

    while (code == HL_OK && (n = hl_rows_list(rows, from, numbers, AT_ONCE)) > 0) {
        for (size_t i = 0; i < n; i++) {
            struct hl_pick pick = {.id = hl_look_id(refreshing->look, numbers[i]),
                                   .number = numbers[i]};

            pick.key = hl_pick_chance(seed, &pick.id);
            hl_picks_add(picks, &pick);
        }
        code = hl_deadline_check(refreshing->task->deadline, "choosing points", err);
        if (numbers[n - 1] == UINT32_MAX)
            break;
        from = numbers[n - 1] + 1;
    }
    hl_picks_sort(picks);
    return code;
}

static enum hl_code check_order(struct hl_refreshing *refreshing, struct hl_err *err)
{
    const struct hl_refresh *wanted = refreshing->task->wanted;
    struct hl_refresh_answer *answer = &refreshing->answer;
    const bool is_known =
        refreshing->space != NULL || hl_rows_count(refreshing->missing) == 0;

    answer->order = wanted->has_order ? wanted->order
                    : is_known        ? HL_REFRESH_UNCERTAIN
                                      : HL_REFRESH_RANDOM;
    if (is_known || answer->order == HL_REFRESH_RANDOM)
        return HL_OK;
    return hl_fail(err, HL_INVALID,
                   "no point without a vector of \"%.200s\" has one of another dense "
                   "model, so its \"order\" can only be \"random\"",
                   hl_model_shown(refreshing->to));
}

/* The points that no order was found for, by chance. */
static enum hl_code fill_up(struct hl_refreshing *refreshing, size_t limit,
                            struct hl_id *ids, struct hl_err *err)
{
    const struct hl_refresh_task *task = refreshing->task;
    struct hl_picks picks;
    enum hl_code code = hl_picks_init(&picks, limit - refreshing->n, task->arena, err);

    for (size_t i = 0; code == HL_OK && i < refreshing->n; i++) {
        ids[i] = refreshing->chosen[i].id;
        hl_rows_remove(refreshing->missing, refreshing->chosen[i].number);
    }
    if (code == HL_OK && limit > refreshing->n)
        code = hl_refreshing_draw(refreshing, refreshing->missing, task->wanted->seed,
                                  &picks, err);
    if (code != HL_OK)
        return code;
    for (size_t i = 0; i < picks.n; i++)
        ids[refreshing->n + i] = picks.all[i].id;
    refreshing->answer.ids = ids;
    refreshing->answer.n = refreshing->n + picks.n;
    return HL_OK;
}

static enum hl_code choose(struct hl_refreshing *refreshing, struct hl_err *err)
{
    const struct hl_refresh_task *task = refreshing->task;
    const uint64_t n_missing = hl_rows_count(refreshing->missing);
    const size_t limit = task->wanted->limit < n_missing ? task->wanted->limit : n_missing;
    const enum hl_refresh_order order = refreshing->answer.order;
    struct hl_id *ids = hl_arena_array(task->arena, limit + 1, sizeof *ids);
    enum hl_code code = HL_OK;

    if (!ids)
        return hl_arena_fail(task->arena, err, "%zu points", limit);
    if (limit == 0)
        return HL_OK;
    if (order != HL_REFRESH_RANDOM) {
        refreshing->answer.by = hl_arena_copy(task->arena, refreshing->space->name,
                                              strlen(refreshing->space->name));
        code = refreshing->answer.by ? hl_refreshing_order(refreshing, limit, err)
                                     : hl_arena_fail(task->arena, err, "a vector's name");
    }
    return code == HL_OK ? fill_up(refreshing, limit, ids, err) : code;
}

enum hl_code hl_refresh_choose(const struct hl_refresh_task *task,
                               struct hl_refresh_answer *ret_answer, struct hl_err *err)
{
    struct hl_refreshing refreshing = {.task = task};
    enum hl_code code = open_look(&refreshing, err);

    if (code == HL_OK)
        code = find_sets(&refreshing, err);
    if (code == HL_OK)
        code = check_order(&refreshing, err);
    if (code == HL_OK)
        code = choose(&refreshing, err);
    hl_look_close(refreshing.look);
    hl_rows_free(refreshing.missing);
    hl_rows_free(refreshing.reached);
    if (code == HL_OK)
        *ret_answer = refreshing.answer;
    return code;
}
