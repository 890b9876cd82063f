/* SPDX-License-Identifier: Apache-2.0 */
#include "index/payload_edit.h"

#include "proto/encode.h"

#include <stdlib.h>
#include <string.h>

/* Members as they are printed: a comma before each but the first, and their names. */
struct list {
    struct hl_buf *buf;
    size_t n;
};

static void begin_item(struct list *list, const struct hl_value *parent,
                       const struct hl_value *item)
{
    if (list->n++ > 0)
        hl_buf_add_char(list->buf, ',');
    if (parent->kind != HL_TOKEN_OBJECT_BEGIN)
        return;
    hl_encode_text(list->buf, item->name, item->name_len);
    hl_buf_add_char(list->buf, ':');
}

static void print_source(struct hl_buf *buf, const struct hl_value *value)
{
    hl_buf_add(buf, value->source, value->source_len);
}

/* ---- a part of a payload ---- */

/* The paths that lead to a value, which they do with their first `step` steps; sorted by
 * the rest, so that those of one member are found without looking at all. */
struct lead {
    const struct hl_path **paths;
    size_t n;
    size_t step;
};

struct part {
    bool is_shown; /* what the paths lead to is what is left; or it is what goes */
    struct hl_arena *arena;
    struct hl_buf *buf;
    enum hl_code code;
    struct hl_err *err;
};

static int compare_bytes(const char *a, size_t a_len, const char *b, size_t b_len)
{
    int order = memcmp(a, b, a_len < b_len ? a_len : b_len);

    return order ? order : (a_len > b_len) - (a_len < b_len);
}

/* What ends comes first, then names, then brackets. */
static int compare_steps(const struct hl_path_step *a, const struct hl_path_step *b)
{
    if (a->kind != b->kind)
        return a->kind < b->kind ? -1 : 1;
    if (a->kind == HL_PATH_NAME)
        return compare_bytes(a->name, a->len, b->name, b->len);
    return a->kind == HL_PATH_INDEX ? (a->index > b->index) - (a->index < b->index) : 0;
}

static int compare_paths(const void *a, const void *b, void *from)
{
    const struct hl_path *one = *(const struct hl_path *const *)a;
    const struct hl_path *other = *(const struct hl_path *const *)b;
    const size_t *step = from;

    for (size_t i = *step; i < one->n_steps && i < other->n_steps; i++) {
        int order = compare_steps(&one->steps[i], &other->steps[i]);

        if (order != 0)
            return order;
    }
    return (one->n_steps > other->n_steps) - (one->n_steps < other->n_steps);
}

/* Those whose next step is this one: where they begin in the lead, and how many. */
static size_t find_step(const struct lead *lead, const struct hl_path_step *step,
                        size_t *ret_n)
{
    size_t low = 0, high = lead->n, end;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (compare_steps(&lead->paths[middle]->steps[lead->step], step) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    for (end = low; end < lead->n; end++)
        if (compare_steps(&lead->paths[end]->steps[lead->step], step) != 0)
            break;
    *ret_n = end - low;
    return low;
}

static struct lead follow_name(const struct lead *lead, const struct hl_value *member)
{
    const struct hl_path_step step = {
        .kind = HL_PATH_NAME, .name = member->name, .len = member->name_len};
    struct lead next = {.step = lead->step + 1};
    size_t at = find_step(lead, &step, &next.n);

    next.paths = lead->paths + at;
    return next;
}

/* Those that go into every item and those that go into this one. */
static struct lead follow_index(struct part *part, const struct lead *lead, size_t index)
{
    const struct hl_path_step each = {.kind = HL_PATH_EACH};
    const struct hl_path_step one = {.kind = HL_PATH_INDEX, .index = index};
    struct lead next = {.step = lead->step + 1};
    size_t n_each, n_one, at_each = find_step(lead, &each, &n_each),
                          at_one = find_step(lead, &one, &n_one);

    next.n = n_each + n_one;
    next.paths = lead->paths + (n_each > 0 ? at_each : at_one);
    if (n_each == 0 || n_one == 0)
        return next;
    next.paths = hl_arena_array(part->arena, next.n, sizeof(struct hl_path *));
    if (!next.paths) {
        part->code = hl_arena_fail(part->arena, part->err, "a payload");
        return (struct lead){0};
    }
    memcpy(next.paths, lead->paths + at_each, n_each * sizeof(struct hl_path *));
    memcpy(next.paths + n_each, lead->paths + at_one, n_one * sizeof(struct hl_path *));
    qsort_r(next.paths, next.n, sizeof(struct hl_path *), compare_paths, &next.step);
    return next;
}

static void print_part(struct part *part, const struct hl_value *value,
                       const struct lead *lead);

static void print_item(struct part *part, struct list *list, const struct hl_value *item,
                       const struct lead *lead)
{
    bool is_end = lead->n > 0 && lead->paths[0]->n_steps == lead->step;

    if (part->is_shown ? lead->n == 0 : is_end)
        return;
    begin_item(list, item->parent, item);
    if (is_end || lead->n == 0)
        print_source(part->buf, item);
    else
        print_part(part, item, lead);
}

/* As deep as the paths have steps, HL_PATH_MAX_STEPS. The value is on the way of all of
 * `lead`, and the end of none. */
static void print_part(struct part *part, const struct hl_value *value,
                       const struct lead *lead)
{
    struct list list = {.buf = part->buf};
    bool is_object = value->kind == HL_TOKEN_OBJECT_BEGIN;
    size_t index = 0;

    if (!is_object && value->kind != HL_TOKEN_ARRAY_BEGIN) {
        print_source(part->buf, value);
        return;
    }
    hl_buf_add_char(part->buf, is_object ? '{' : '[');
    for (const struct hl_value *item = value->first; item && part->code == HL_OK;
         item = item->next, index++) {
        struct lead next =
            is_object ? follow_name(lead, item) : follow_index(part, lead, index);

        print_item(part, &list, item, &next);
    }
    hl_buf_add_char(part->buf, is_object ? '}' : ']');
}

static enum hl_code print_by_paths(const struct hl_value *payload,
                                   const struct hl_paths *paths, struct part *part)
{
    struct lead lead = {.n = paths->n};

    lead.paths = hl_arena_array(part->arena, paths->n + 1, sizeof(struct hl_path *));
    if (!lead.paths)
        return hl_arena_fail(part->arena, part->err, "a payload");
    for (size_t i = 0; i < paths->n; i++)
        lead.paths[i] = &paths->items[i];
    qsort_r(lead.paths, lead.n, sizeof(struct hl_path *), compare_paths, &lead.step);
    print_part(part, payload, &lead);
    return part->code;
}

enum hl_code hl_payload_remove(const struct hl_value *payload, const struct hl_paths *keys,
                               struct hl_arena *arena, struct hl_buf *buf,
                               struct hl_err *err)
{
    struct part part = {.arena = arena, .buf = buf, .err = err};

    return print_by_paths(payload, keys, &part);
}

enum hl_code hl_payload_show(const struct hl_value *payload,
                             const struct hl_payload_select *select, struct hl_arena *arena,
                             struct hl_buf *buf, struct hl_err *err)
{
    struct part part = {
        .is_shown = select->kind == HL_SELECT_ONLY, .arena = arena, .buf = buf, .err = err};

    switch (select->kind) {
    case HL_SELECT_NONE:
        hl_encode_null(buf);
        return HL_OK;
    case HL_SELECT_ALL:
        print_source(buf, payload);
        return HL_OK;
    case HL_SELECT_ONLY:
    case HL_SELECT_BUT:
        break;
    }
    return print_by_paths(payload, &select->paths, &part);
}

/* ---- a payload with more in it ---- */

/* Members in the order of their names, the last of a name alone. */
struct names {
    const struct hl_value **members;
    size_t n;
};

struct patch {
    const struct hl_path *key; /* NULL: none */
    const struct hl_value *value;
    struct names names; /* the patch's */
    struct hl_arena *arena;
    struct hl_buf *buf;
};

/* Of one name, the last of the source comes last: they lie in the text in that order. */
static int compare_members(const void *a, const void *b)
{
    const struct hl_value *one = *(const struct hl_value *const *)a;
    const struct hl_value *other = *(const struct hl_value *const *)b;
    int order = compare_bytes(one->name, one->name_len, other->name, other->name_len);

    return order ? order : (one->source > other->source) - (one->source < other->source);
}

static bool sort_names(const struct hl_value *value, struct hl_arena *arena,
                       struct names *ret_names)
{
    size_t n = 0, n_kept = 0;
    const struct hl_value **members =
        hl_arena_array(arena, value->n_children + 1, sizeof(struct hl_value *));

    if (!members)
        return false;
    for (const struct hl_value *member = value->first; member; member = member->next)
        members[n++] = member;
    qsort(members, n, sizeof(struct hl_value *), compare_members);
    for (size_t i = 0; i < n; i++)
        if (i + 1 == n || compare_bytes(members[i]->name, members[i]->name_len,
                                        members[i + 1]->name, members[i + 1]->name_len))
            members[n_kept++] = members[i];
    *ret_names = (struct names){members, n_kept};
    return true;
}

static const struct hl_value *find_name(const struct names *names,
                                        const struct hl_value *like)
{
    size_t low = 0, high = names->n;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        const struct hl_value *member = names->members[middle];
        int order =
            compare_bytes(member->name, member->name_len, like->name, like->name_len);

        if (order == 0)
            return member;
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return NULL;
}

/* The object's members in their places, and those that it has not behind them. */
static bool print_merged(const struct patch *patch, const struct hl_value *object)
{
    struct list list = {.buf = patch->buf};
    struct names names = {0};

    if (object && !sort_names(object, patch->arena, &names))
        return false;
    hl_buf_add_char(patch->buf, '{');
    for (const struct hl_value *member = object ? object->first : NULL; member;
         member = member->next) {
        const struct hl_value *other = find_name(&patch->names, member);

        if (find_name(&names, member) != member || (other && other->kind == HL_TOKEN_NULL))
            continue;
        begin_item(&list, object, member);
        print_source(patch->buf, other ? other : member);
    }
    for (const struct hl_value *member = patch->value->first; member;
         member = member->next) {
        if (member->kind == HL_TOKEN_NULL || find_name(&names, member) ||
            find_name(&patch->names, member) != member)
            continue;
        begin_item(&list, patch->value, member);
        print_source(patch->buf, member);
    }
    hl_buf_add_char(patch->buf, '}');
    return true;
}

static bool print_set(const struct patch *patch, size_t step, const struct hl_value *value);

static bool set_member(const struct patch *patch, size_t step,
                       const struct hl_value *object)
{
    const struct hl_path_step *at = &patch->key->steps[step];
    const struct hl_value named = {.name = at->name, .name_len = at->len};
    const struct hl_value open = {.kind = HL_TOKEN_OBJECT_BEGIN};
    const struct hl_value *found =
        object ? hl_value_member(object, at->name, at->len) : NULL;
    struct list list = {.buf = patch->buf};
    bool is_done = true;

    hl_buf_add_char(patch->buf, '{');
    for (const struct hl_value *member = object ? object->first : NULL; member && is_done;
         member = member->next) {
        if (member != found &&
            compare_bytes(member->name, member->name_len, at->name, at->len) == 0)
            continue;
        begin_item(&list, object, member);
        if (member == found)
            is_done = print_set(patch, step + 1, member);
        else
            print_source(patch->buf, member);
    }
    if (!found) {
        begin_item(&list, &open, &named);
        is_done = print_set(patch, step + 1, NULL);
    }
    hl_buf_add_char(patch->buf, '}');
    return is_done;
}

static bool set_items(const struct patch *patch, size_t step, const struct hl_value *array)
{
    const struct hl_path_step *at = &patch->key->steps[step];
    struct list list = {.buf = patch->buf};
    size_t index = 0;
    bool is_done = true;

    hl_buf_add_char(patch->buf, '[');
    for (const struct hl_value *item = array ? array->first : NULL; item && is_done;
         item = item->next, index++) {
        begin_item(&list, array, item);
        if (at->kind == HL_PATH_EACH || at->index == index)
            is_done = print_set(patch, step + 1, item);
        else
            print_source(patch->buf, item);
    }
    hl_buf_add_char(patch->buf, ']');
    return is_done;
}

/* As deep as the key has steps, HL_PATH_MAX_STEPS. `value`: NULL for one there is not. */
static bool print_set(const struct patch *patch, size_t step, const struct hl_value *value)
{
    const struct hl_value *object =
        value && value->kind == HL_TOKEN_OBJECT_BEGIN ? value : NULL;
    const struct hl_value *array =
        value && value->kind == HL_TOKEN_ARRAY_BEGIN ? value : NULL;

    if (!patch->key || step == patch->key->n_steps)
        return print_merged(patch, object);
    if (patch->key->steps[step].kind == HL_PATH_NAME)
        return set_member(patch, step, object);
    return set_items(patch, step, array);
}

enum hl_code hl_payload_set(const struct hl_value *payload, const struct hl_path *key,
                            const struct hl_value *patch, struct hl_arena *arena,
                            struct hl_buf *buf, struct hl_err *err)
{
    struct patch work = {.key = key, .value = patch, .arena = arena, .buf = buf};

    if (!sort_names(patch, arena, &work.names) || !print_set(&work, 0, payload))
        return hl_arena_fail(arena, err, "a payload");
    return HL_OK;
}
