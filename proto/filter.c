/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/filter.h"

#include "proto/list.h"
#include "proto/match.h"
#include "proto/members.h"

#include <string.h>

/* Where a filter stands. Recursion follows `depth`, which is bounded. */
struct place {
    unsigned depth;
    bool is_nested; /* inside of a nested condition */
};

static const struct hl_token an_object = {.kind = HL_TOKEN_OBJECT_BEGIN};

/* Refuses the value that comes next, whatever it is. */
static enum hl_code refuse_next(const struct hl_field *field, const char *must_be,
                                struct hl_err *err)
{
    struct hl_token got;
    enum hl_code code = hl_tokens_next(field->tokens, &got, err);

    return code == HL_OK ? hl_field_fail_value(field, &got, must_be, err) : code;
}

enum { MUST, SHOULD, MUST_NOT, MIN_SHOULD, N_CLAUSES };

/* The members of a condition: those of a filter in its place come first. */
enum {
    KEY = N_CLAUSES,
    MATCH,
    RANGE,
    GEO_BOX,
    GEO_RADIUS,
    GEO_POLYGON,
    VALUES_COUNT,
    IS_EMPTY,
    IS_NULL,
    HAS_ID,
    HAS_VECTOR,
    SLICE,
    NESTED,
    N_MEMBERS
};

static const char *const member_names[] = {
    "must",    "should",           "must_not",   "min_should",  "key",          "match",
    "range",   "geo_bounding_box", "geo_radius", "geo_polygon", "values_count", "is_empty",
    "is_null", "has_id",           "has_vector", "slice",       "nested"};

struct draft {
    struct place place;
    struct hl_condition condition;
    struct hl_filter filter;
    bool has_key;
    bool has_clause;
    bool needs_key;
    unsigned n_tests;
};

struct clause_draft {
    struct place place;
    struct hl_list list;
    uint64_t min_count;
};

static enum hl_code read_filter(const struct hl_field *field, struct place place,
                                struct hl_filter *filter, struct hl_err *err);
static enum hl_code add_condition(const struct hl_field *item, void *self,
                                  struct hl_err *err);

/* One condition, or an array of them. */
static enum hl_code read_clause(const struct hl_field *field, struct place place,
                                struct hl_clause *clause, struct hl_err *err)
{
    struct clause_draft draft = {
        place, hl_list_of(field->tokens->arena, sizeof(struct hl_condition)), 0};
    enum hl_token_kind kind;
    enum hl_code code = hl_field_kind(field, &kind, err);

    if (code == HL_OK && kind == HL_TOKEN_OBJECT_BEGIN)
        code = add_condition(field, &draft, err);
    else if (code == HL_OK)
        code = hl_each_read(field, add_condition, &draft, err);
    if (code == HL_OK)
        *clause = (struct hl_clause){draft.list.items, draft.list.n};
    return code;
}

static enum hl_code read_min_should_member(const struct hl_field *member, size_t which,
                                           void *self, struct hl_err *err)
{
    struct clause_draft *draft = self;

    if (which == 0)
        return hl_each_read(member, add_condition, draft, err);
    return hl_field_u64(member, 1, UINT64_MAX, &draft->min_count, err);
}

static enum hl_code read_min_should(const struct hl_field *field, struct place place,
                                    struct hl_filter *filter, struct hl_err *err)
{
    static const char *const names[] = {"conditions", "min_count"};
    static const struct hl_members members = {
        HL_MEMBERS_OF(names), HL_MEMBER(0) | HL_MEMBER(1), read_min_should_member};
    struct clause_draft draft = {
        place, hl_list_of(field->tokens->arena, sizeof(struct hl_condition)), 0};
    enum hl_code code = hl_members_read(field, &members, &draft, err);

    if (code != HL_OK)
        return code;
    filter->min_should = (struct hl_clause){draft.list.items, draft.list.n};
    filter->min_count = draft.min_count;
    return HL_OK;
}

static enum hl_code read_filter_member(const struct hl_field *member, size_t which,
                                       struct place place, struct hl_filter *filter,
                                       struct hl_err *err)
{
    switch (which) {
    case MUST:
        return read_clause(member, place, &filter->must, err);
    case SHOULD:
        return read_clause(member, place, &filter->should, err);
    case MUST_NOT:
        return read_clause(member, place, &filter->must_not, err);
    default:
        return read_min_should(member, place, filter, err);
    }
}

static enum hl_code read_path_member(const struct hl_field *member, size_t which,
                                     void *self, struct hl_err *err)
{
    (void)which;
    return hl_path_read(member, self, err);
}

/* `true` or `false` beside a key, or an object with the key. */
static enum hl_code read_absence(const struct hl_field *field, struct draft *draft,
                                 struct hl_err *err)
{
    static const char *const names[] = {"key"};
    static const struct hl_members members = {HL_MEMBERS_OF(names), HL_MEMBER(0),
                                              read_path_member};
    enum hl_token_kind kind;
    enum hl_code code = hl_field_kind(field, &kind, err);

    if (code != HL_OK)
        return code;
    if (kind != HL_TOKEN_OBJECT_BEGIN) {
        draft->needs_key = true;
        return hl_field_bool(field, &draft->condition.is_true, err);
    }
    draft->condition.is_true = true;
    return hl_members_read(field, &members, &draft->condition.path, err);
}

static enum hl_code read_range(const struct hl_field *field, struct hl_condition *condition,
                               struct hl_err *err)
{
    struct hl_time_range times = {0};
    struct hl_range range = {0};
    bool is_time = false;
    enum hl_code code = hl_range_read(field, &range, &times, &is_time, err);

    condition->kind = is_time ? HL_CONDITION_TIME : HL_CONDITION_RANGE;
    if (is_time)
        condition->times = times;
    else
        condition->range = range;
    return code;
}

static enum hl_code read_vector_name(const struct hl_field *field,
                                     struct hl_condition *condition, struct hl_err *err)
{
    struct hl_list list = hl_list_of(field->tokens->arena, sizeof(struct hl_text));
    struct hl_text name;
    enum hl_code code = hl_text_read(field, &name, err);

    if (code == HL_OK)
        code = hl_list_add(&list, &name, err);
    if (code == HL_OK)
        condition->texts = (struct hl_texts){list.items, 1};
    return code;
}

static enum hl_code read_slice_member(const struct hl_field *member, size_t which,
                                      void *self, struct hl_err *err)
{
    struct hl_slice *slice = self;
    uint64_t value;
    enum hl_code code = hl_field_u64(member, which == 0, UINT32_MAX, &value, err);

    if (code != HL_OK)
        return code;
    if (which == 0)
        slice->total = (uint32_t)value;
    else
        slice->index = (uint32_t)value;
    return HL_OK;
}

static enum hl_code read_slice(const struct hl_field *field, struct hl_slice *ret_slice,
                               struct hl_err *err)
{
    static const char *const names[] = {"total", "index"};
    static const struct hl_members members = {
        HL_MEMBERS_OF(names), HL_MEMBER(0) | HL_MEMBER(1), read_slice_member};
    struct hl_slice slice = {0};
    enum hl_code code = hl_members_read(field, &members, &slice, err);

    if (code == HL_OK && slice.index >= slice.total)
        return hl_field_fail_value(field, &an_object,
                                   "a slice whose index is smaller than its total", err);
    if (code == HL_OK)
        *ret_slice = slice;
    return code;
}

struct nested_draft {
    struct place place;
    struct hl_path path;
    struct hl_filter *filter;
};

static enum hl_code read_nested_member(const struct hl_field *member, size_t which,
                                       void *self, struct hl_err *err)
{
    struct nested_draft *draft = self;

    if (which == 0)
        return hl_path_read(member, &draft->path, err);
    return read_filter(member, draft->place, draft->filter, err);
}

/* `array` means what `array[]` does. */
static enum hl_code end_with_each(struct hl_path *path, struct hl_arena *arena,
                                  struct hl_err *err)
{
    struct hl_path_step *steps;

    if (path->steps[path->n_steps - 1].kind == HL_PATH_EACH)
        return HL_OK;
    steps = hl_arena_array(arena, path->n_steps + 1, sizeof *steps);
    if (!steps)
        return hl_arena_fail(arena, err, "a payload key");
    memcpy(steps, path->steps, path->n_steps * sizeof *steps);
    steps[path->n_steps++] = (struct hl_path_step){.kind = HL_PATH_EACH};
    path->steps = steps;
    return HL_OK;
}

static enum hl_code keep_filter(const struct hl_filter *filter, struct hl_arena *arena,
                                const struct hl_filter **ret_filter, struct hl_err *err)
{
    struct hl_filter *kept = hl_arena_alloc(arena, sizeof *kept);

    if (!kept)
        return hl_arena_fail(arena, err, "a filter");
    *kept = *filter;
    *ret_filter = kept;
    return HL_OK;
}

static enum hl_code read_nested(const struct hl_field *field, struct place place,
                                struct hl_condition *condition, struct hl_err *err)
{
    static const char *const names[] = {"key", "filter"};
    static const struct hl_members members = {
        HL_MEMBERS_OF(names), HL_MEMBER(0) | HL_MEMBER(1), read_nested_member};
    struct hl_filter filter = {0};
    struct nested_draft draft = {{place.depth + 1, true}, {0}, &filter};
    enum hl_code code = hl_members_read(field, &members, &draft, err);

    if (code == HL_OK)
        code = end_with_each(&draft.path, field->tokens->arena, err);
    if (code == HL_OK)
        code = keep_filter(&filter, field->tokens->arena, &condition->filter, err);
    condition->path = draft.path;
    return code;
}

/* What asks about the point, not about its payload. */
static enum hl_code read_point_test(const struct hl_field *member, size_t which,
                                    struct draft *draft, struct hl_err *err)
{
    struct hl_condition *condition = &draft->condition;

    if (draft->place.is_nested)
        return refuse_next(member, "outside of \"nested\", whose items are no points", err);
    switch (which) {
    case HAS_ID:
        condition->kind = HL_CONDITION_HAS_ID;
        return hl_ids_read_set(member, &condition->ids, err);
    case HAS_VECTOR:
        condition->kind = HL_CONDITION_HAS_VECTOR;
        return read_vector_name(member, condition, err);
    default:
        condition->kind = HL_CONDITION_SLICE;
        return read_slice(member, &condition->slice, err);
    }
}

static enum hl_code read_key_test(const struct hl_field *member, size_t which,
                                  struct draft *draft, struct hl_err *err)
{
    struct hl_condition *condition = &draft->condition;

    draft->needs_key = true;
    switch (which) {
    case MATCH:
        return hl_match_read(member, condition, err);
    case RANGE:
        return read_range(member, condition, err);
    case GEO_BOX:
        condition->kind = HL_CONDITION_GEO_BOX;
        return hl_geo_box_read(member, &condition->box, err);
    case GEO_RADIUS:
        condition->kind = HL_CONDITION_CIRCLE;
        return hl_geo_circle_read(member, &condition->circle, err);
    case GEO_POLYGON:
        condition->kind = HL_CONDITION_POLYGON;
        return hl_geo_polygon_read(member, &condition->polygon, err);
    default:
        condition->kind = HL_CONDITION_COUNT;
        return hl_count_range_read(member, &condition->counts, err);
    }
}

static enum hl_code read_member(const struct hl_field *member, size_t which, void *self,
                                struct hl_err *err)
{
    struct draft *draft = self;

    if (which < N_CLAUSES) {
        draft->has_clause = true;
        return read_filter_member(member, which, draft->place, &draft->filter, err);
    }
    if (which == KEY) {
        draft->has_key = true;
        return hl_path_read(member, &draft->condition.path, err);
    }
    if (++draft->n_tests > 1)
        return refuse_next(member, "alone: another test goes into another condition", err);
    switch (which) {
    case IS_EMPTY:
    case IS_NULL:
        draft->condition.kind =
            which == IS_EMPTY ? HL_CONDITION_IS_EMPTY : HL_CONDITION_IS_NULL;
        return read_absence(member, draft, err);
    case HAS_ID:
    case HAS_VECTOR:
    case SLICE:
        return read_point_test(member, which, draft, err);
    case NESTED:
        draft->condition.kind = HL_CONDITION_NESTED;
        return read_nested(member, draft->place, &draft->condition, err);
    default:
        return read_key_test(member, which, draft, err);
    }
}

/* Whether what came goes together. */
static enum hl_code finish_condition(const struct hl_field *item, struct draft *draft,
                                     struct hl_err *err)
{
    if (draft->has_clause && (draft->has_key || draft->n_tests))
        return hl_field_fail_value(item, &an_object, "either a condition or a filter", err);
    if (draft->has_key && draft->n_tests == 0)
        return hl_field_fail_value(item, &an_object, "a key and one test of its values",
                                   err);
    if (draft->needs_key && !draft->has_key)
        return hl_field_fail_name(item, "missing field \"key\"", err);
    if (draft->has_key && !draft->needs_key)
        return hl_field_fail_value(item, &an_object, "a test that needs no key, alone",
                                   err);
    if (draft->n_tests)
        return HL_OK;
    draft->condition.kind = HL_CONDITION_FILTER;
    return keep_filter(&draft->filter, item->tokens->arena, &draft->condition.filter, err);
}

/* A filter in the place of a condition is one level deeper than the one it is in. */
static enum hl_code add_condition(const struct hl_field *item, void *self,
                                  struct hl_err *err)
{
    static const struct hl_members members = {member_names, N_MEMBERS, 0, read_member};
    struct clause_draft *clause = self;
    struct draft draft = {.place = clause->place};
    enum hl_code code;

    if (++draft.place.depth > HL_FILTER_MAX_DEPTH)
        return refuse_next(item, "nested less deeply", err);
    code = hl_members_read(item, &members, &draft, err);
    if (code == HL_OK)
        code = finish_condition(item, &draft, err);
    if (code == HL_OK)
        code = hl_list_add(&clause->list, &draft.condition, err);
    return code;
}

struct filter_draft {
    struct place place;
    struct hl_filter *filter;
};

static enum hl_code read_clause_member(const struct hl_field *member, size_t which,
                                       void *self, struct hl_err *err)
{
    struct filter_draft *draft = self;

    return read_filter_member(member, which, draft->place, draft->filter, err);
}

static enum hl_code read_filter(const struct hl_field *field, struct place place,
                                struct hl_filter *filter, struct hl_err *err)
{
    static const struct hl_members members = {member_names, N_CLAUSES, 0,
                                              read_clause_member};
    struct filter_draft draft = {place, filter};

    return hl_members_read(field, &members, &draft, err);
}

enum hl_code hl_filter_read(const struct hl_field *field,
                            const struct hl_filter **ret_filter, struct hl_err *err)
{
    struct hl_filter filter = {0};
    enum hl_token_kind kind;
    enum hl_code code = hl_field_kind(field, &kind, err);

    if (code == HL_OK && kind == HL_TOKEN_NULL) {
        code = hl_field_skip(field, err);
        if (code == HL_OK)
            *ret_filter = NULL;
        return code;
    }
    if (code == HL_OK)
        code = read_filter(field, (struct place){0, false}, &filter, err);
    if (code == HL_OK)
        code = keep_filter(&filter, field->tokens->arena, ret_filter, err);
    return code;
}

bool hl_filter_is_empty(const struct hl_filter *filter)
{
    return !filter || (!filter->must.n && !filter->should.n && !filter->must_not.n &&
                       !filter->min_should.n);
}
