/* SPDX-License-Identifier: Apache-2.0 */
#include "index/filter.h"

#include "index/filter_test.h"
#include "proto/alloc.h"

#include <stdlib.h>

/* Between two looks at the clock. */
enum { IDS_PER_LOOK = 4096 };

/* Filters are in filters HL_FILTER_MAX_DEPTH deep, and so is every recursion here. */
static enum hl_code find_filter(const struct hl_filter *filter,
                                const struct hl_filter_scope *scope,
                                const struct hl_within *within, struct hl_matches *out,
                                struct hl_err *err);

static enum hl_code fail_memory(struct hl_err *err)
{
    return hl_fail(err, HL_NO_MEMORY, "no memory for a set of points");
}

void hl_matches_done(struct hl_matches *matches)
{
    hl_rows_free(matches->sure);
    hl_rows_free(matches->unsure);
    *matches = (struct hl_matches){NULL, NULL};
}

static enum hl_code start_matches(struct hl_matches *matches, struct hl_err *err)
{
    *matches = (struct hl_matches){hl_rows_new(), hl_rows_new()};
    if (matches->sure && matches->unsure)
        return HL_OK;
    hl_matches_done(matches);
    return fail_memory(err);
}

static const struct hl_field_index *index_of(const struct hl_filter_scope *scope,
                                             const struct hl_condition *condition)
{
    for (size_t i = 0; i < scope->n_indexes; i++)
        if (hl_field_index_answers(scope->indexes[i], condition))
            return scope->indexes[i];
    return NULL;
}

static uint64_t estimate_condition(const struct hl_condition *condition,
                                   const struct hl_filter_scope *scope)
{
    uint64_t n_points = hl_rows_count(scope->points), n = n_points;
    const struct hl_field_index *index;
    const struct hl_rows *rows;

    if (condition->kind == HL_CONDITION_FILTER)
        return hl_filter_estimate(condition->filter, scope);
    if (condition->kind == HL_CONDITION_HAS_ID)
        n = condition->ids.n;
    if (condition->kind == HL_CONDITION_HAS_VECTOR) {
        rows = scope->with_vector(scope->self, &condition->texts.items[0]);
        n = rows ? hl_rows_count(rows) : 0;
    }
    if (condition->kind == HL_CONDITION_SLICE)
        return n_points; /* each has to be hashed */
    index = index_of(scope, condition);
    if (index)
        n = hl_field_index_estimate(index, condition, n_points);
    return n < n_points ? n : n_points;
}

uint64_t hl_filter_estimate(const struct hl_filter *filter,
                            const struct hl_filter_scope *scope)
{
    uint64_t least = hl_rows_count(scope->points), sum = 0;

    for (size_t i = 0; filter && i < filter->must.n; i++) {
        uint64_t n = estimate_condition(&filter->must.items[i], scope);

        least = n < least ? n : least;
    }
    for (size_t i = 0; filter && i < filter->should.n; i++)
        sum += estimate_condition(&filter->should.items[i], scope);
    return filter && filter->should.n && sum < least ? sum : least;
}

/* A filter may have so many conditions, or one of them so much to look up, that nobody
 * waits for the answer any more; and writers wait for whoever holds the lock. */
static enum hl_code check_time(const struct hl_filter_scope *scope, struct hl_err *err)
{
    return scope->deadline ? hl_deadline_check(scope->deadline, "the filter", err) : HL_OK;
}

static enum hl_code find_ids(const struct hl_condition *condition,
                             const struct hl_filter_scope *scope,
                             const struct hl_within *within, struct hl_rows *out,
                             struct hl_err *err)
{
    enum hl_code code = HL_OK;
    uint32_t number;

    for (size_t i = 0; code == HL_OK && i < condition->ids.n; i++) {
        if (i % IDS_PER_LOOK == 0)
            code = check_time(scope, err);
        if (code == HL_OK &&
            scope->number_of(scope->self, &condition->ids.items[i], &number) &&
            hl_rows_has(within->rows, number))
            code = hl_rows_add(out, number, err);
    }
    return code;
}

static enum hl_code find_slice(const struct hl_slice *slice,
                               const struct hl_filter_scope *scope,
                               const struct hl_within *within, struct hl_rows *out,
                               struct hl_err *err)
{
    enum { BLOCK = 1024 };
    uint32_t numbers[BLOCK], kept[BLOCK];
    enum hl_code code = HL_OK;
    uint64_t from = 0;
    size_t n = BLOCK, n_kept;

    while (code == HL_OK && n == BLOCK && from <= UINT32_MAX) {
        code = check_time(scope, err);
        if (code != HL_OK)
            return code;
        n = hl_rows_list(within->rows, (uint32_t)from, numbers, BLOCK);
        n_kept = 0;
        for (size_t i = 0; i < n; i++) {
            from = (uint64_t)numbers[i] + 1;
            if (hl_slice_has(slice, scope->id_of(scope->self, numbers[i])))
                kept[n_kept++] = numbers[i];
        }
        code = hl_rows_add_many(out, kept, n_kept, err);
    }
    return code;
}

/* Of those within: which meet the condition, and which may. */
static enum hl_code find_condition(const struct hl_condition *condition,
                                   const struct hl_filter_scope *scope,
                                   const struct hl_within *within, struct hl_matches *out,
                                   struct hl_err *err)
{
    const struct hl_field_index *index = index_of(scope, condition);
    struct hl_matches matches = {NULL, NULL};
    const struct hl_rows *rows;
    enum hl_code code = check_time(scope, err);

    if (code != HL_OK)
        return code;
    if (condition->kind == HL_CONDITION_FILTER)
        return find_filter(condition->filter, scope, within, out, err);
    code = start_matches(&matches, err);
    if (code != HL_OK)
        return code;
    if (index) {
        code = hl_field_index_find(index, condition, within, matches.sure, matches.unsure,
                                   err);
    } else if (condition->kind == HL_CONDITION_HAS_ID) {
        code = find_ids(condition, scope, within, matches.sure, err);
    } else if (condition->kind == HL_CONDITION_SLICE) {
        code = find_slice(&condition->slice, scope, within, matches.sure, err);
    } else if (condition->kind == HL_CONDITION_HAS_VECTOR) {
        rows = scope->with_vector(scope->self, &condition->texts.items[0]);
        if (rows)
            code = hl_rows_or(matches.sure, rows, err);
        if (code == HL_OK && !within->is_all)
            code = hl_rows_and(matches.sure, within->rows, err);
    } else {
        code = hl_rows_or(matches.unsure, within->rows, err);
    }
    if (code == HL_OK)
        *out = matches;
    else
        hl_matches_done(&matches);
    return code;
}

/* What is still in question while the clauses of a filter are gone through: first all that
 * are within, without a copy of them. */
struct progress {
    const struct hl_filter_scope *scope;
    const struct hl_within *within;
    bool is_untouched;
    struct hl_matches left;
};

/* Both at once, for the next condition; `*ret_own` is to be freed. */
static enum hl_code candidates_of(const struct progress *progress,
                                  struct hl_within *ret_within, struct hl_rows **ret_own,
                                  struct hl_err *err)
{
    struct hl_rows *own;
    enum hl_code code;

    *ret_own = NULL;
    if (progress->is_untouched || hl_rows_count(progress->left.unsure) == 0) {
        *ret_within = progress->is_untouched
                          ? *progress->within
                          : (struct hl_within){progress->left.sure, false};
        return HL_OK;
    }
    own = hl_rows_clone(progress->left.sure);
    if (!own)
        return fail_memory(err);
    code = hl_rows_or(own, progress->left.unsure, err);
    if (code != HL_OK) {
        hl_rows_free(own);
        return code;
    }
    *ret_within = (struct hl_within){own, false};
    *ret_own = own;
    return HL_OK;
}

/* Keeps what `found` has, which was looked for among the candidates. Takes it. */
static enum hl_code keep(struct progress *progress, struct hl_matches *found,
                         struct hl_err *err)
{
    struct hl_matches *left = &progress->left;
    enum hl_code code = HL_OK;

    if (!progress->is_untouched && hl_rows_count(left->unsure)) {
        /* Unsure is what either leaves open: found at all, but not sure twice. */
        code = hl_rows_or(found->unsure, found->sure, err);
        if (code == HL_OK)
            code = hl_rows_and(found->sure, left->sure, err);
        if (code == HL_OK)
            code = hl_rows_andnot(found->unsure, found->sure, err);
    }
    hl_matches_done(left);
    *left = *found;
    *found = (struct hl_matches){NULL, NULL};
    progress->is_untouched = false;
    return code;
}

/* Turns what meets a condition into what does not. */
static enum hl_code invert(struct hl_matches *found, const struct hl_within *within,
                           struct hl_err *err)
{
    struct hl_rows *rest = hl_rows_clone(within->rows);
    enum hl_code code;

    if (!rest)
        return fail_memory(err);
    code = hl_rows_andnot(rest, found->sure, err);
    if (code == HL_OK)
        code = hl_rows_andnot(rest, found->unsure, err);
    hl_rows_free(found->sure);
    found->sure = rest;
    return code;
}

struct wanted {
    const struct hl_clause *clause;
    uint64_t min_count;
};

/* levels[i]: those that meet i + 1 conditions or more; of the sure ones, or of all that
 * may.
 */
static enum hl_code raise_levels(const struct hl_filter_scope *scope,
                                 struct hl_rows **levels, size_t n_levels,
                                 const struct hl_rows *rows, struct hl_err *err)
{
    enum hl_code code = HL_OK;

    for (size_t i = n_levels; code == HL_OK && i-- > 0;) {
        struct hl_rows *risen;

        code = check_time(scope, err);
        if (code != HL_OK)
            return code;
        risen = hl_rows_clone(rows);
        if (!risen)
            return fail_memory(err);
        if (i > 0)
            code = hl_rows_and(risen, levels[i - 1], err);
        if (code == HL_OK)
            code = hl_rows_or(levels[i], risen, err);
        hl_rows_free(risen);
    }
    return code;
}

static enum hl_code count_clause(const struct wanted *wanted,
                                 const struct hl_filter_scope *scope,
                                 const struct hl_within *within, struct hl_rows **levels,
                                 struct hl_err *err)
{
    size_t n_levels = wanted->min_count;
    enum hl_code code = HL_OK;

    for (size_t i = 0; code == HL_OK && i < wanted->clause->n; i++) {
        struct hl_matches found = {NULL, NULL};

        code = find_condition(&wanted->clause->items[i], scope, within, &found, err);
        if (code == HL_OK)
            code = raise_levels(scope, levels, n_levels, found.sure, err);
        if (code == HL_OK)
            code = hl_rows_or(found.unsure, found.sure, err);
        if (code == HL_OK)
            code = raise_levels(scope, levels + n_levels, n_levels, found.unsure, err);
        hl_matches_done(&found);
    }
    return code;
}

/* At least so many of the conditions: `should` wants one. */
static enum hl_code find_some(const struct wanted *wanted,
                              const struct hl_filter_scope *scope,
                              const struct hl_within *within, struct hl_matches *out,
                              struct hl_err *err)
{
    size_t n_levels = wanted->min_count;
    struct hl_rows **levels;
    enum hl_code code = HL_OK;

    if (wanted->min_count > wanted->clause->n)
        return start_matches(out, err);
    levels = hl_alloc_zeroed(n_levels * 2, sizeof(struct hl_rows *));
    if (!levels)
        return fail_memory(err);
    for (size_t i = 0; code == HL_OK && i < n_levels * 2; i++) {
        levels[i] = hl_rows_new();
        code = levels[i] ? HL_OK : fail_memory(err);
    }
    if (code == HL_OK)
        code = count_clause(wanted, scope, within, levels, err);
    if (code == HL_OK)
        code = hl_rows_andnot(levels[n_levels * 2 - 1], levels[n_levels - 1], err);
    if (code == HL_OK) {
        *out = (struct hl_matches){levels[n_levels - 1], levels[n_levels * 2 - 1]};
        levels[n_levels - 1] = levels[n_levels * 2 - 1] = NULL;
    }
    for (size_t i = 0; i < n_levels * 2; i++)
        hl_rows_free(levels[i]);
    hl_free(levels);
    return code;
}

static bool is_over(const struct progress *progress)
{
    return !progress->is_untouched && hl_rows_count(progress->left.sure) == 0 &&
           hl_rows_count(progress->left.unsure) == 0;
}

/* Goes on with the candidates that meet `some`, or `one`, or do not. */
static enum hl_code narrow(struct progress *progress, const struct wanted *some,
                           const struct hl_condition *one, bool is_not, struct hl_err *err)
{
    struct hl_matches found = {NULL, NULL};
    struct hl_within candidates = {NULL, false};
    struct hl_rows *own = NULL;
    enum hl_code code;

    if (is_over(progress))
        return HL_OK;
    code = candidates_of(progress, &candidates, &own, err);
    if (code != HL_OK)
        return code;
    code = some ? find_some(some, progress->scope, &candidates, &found, err)
                : find_condition(one, progress->scope, &candidates, &found, err);
    if (code == HL_OK && is_not)
        code = invert(&found, &candidates, err);
    if (code == HL_OK)
        code = keep(progress, &found, err);
    hl_matches_done(&found);
    hl_rows_free(own);
    return code;
}

struct step {
    const struct hl_condition *condition;
    uint64_t estimate;
    bool is_asked; /* nothing but the payload knows */
};

static int compare_steps(const void *a, const void *b)
{
    const struct step *x = a, *y = b;

    if (x->is_asked != y->is_asked)
        return x->is_asked - y->is_asked;
    return (x->estimate > y->estimate) - (x->estimate < y->estimate);
}

static bool is_asked(const struct hl_condition *condition,
                     const struct hl_filter_scope *scope)
{
    return condition->kind != HL_CONDITION_HAS_ID &&
           condition->kind != HL_CONDITION_HAS_VECTOR &&
           condition->kind != HL_CONDITION_SLICE &&
           condition->kind != HL_CONDITION_FILTER && !index_of(scope, condition);
}

/* The rarest first, so that the others look at few points. */
static enum hl_code narrow_by_must(struct progress *progress,
                                   const struct hl_clause *clause, struct hl_err *err)
{
    enum hl_code code = HL_OK;
    struct step *steps;

    if (clause->n == 0)
        return HL_OK;
    steps = hl_alloc_zeroed(clause->n, sizeof *steps);
    if (!steps)
        return fail_memory(err);
    for (size_t i = 0; i < clause->n; i++)
        steps[i] = (struct step){.condition = &clause->items[i],
                                 .estimate =
                                     estimate_condition(&clause->items[i], progress->scope),
                                 .is_asked = is_asked(&clause->items[i], progress->scope)};
    qsort(steps, clause->n, sizeof *steps, compare_steps);
    for (size_t i = 0; code == HL_OK && i < clause->n; i++)
        code = narrow(progress, NULL, steps[i].condition, false, err);
    hl_free(steps);
    return code;
}

static enum hl_code find_filter(const struct hl_filter *filter,
                                const struct hl_filter_scope *scope,
                                const struct hl_within *within, struct hl_matches *out,
                                struct hl_err *err)
{
    struct progress progress = {scope, within, true, {NULL, NULL}};
    struct wanted should = {&filter->should, 1};
    struct wanted min_should = {&filter->min_should, filter->min_count};
    enum hl_code code = narrow_by_must(&progress, &filter->must, err);

    if (code == HL_OK && filter->should.n)
        code = narrow(&progress, &should, NULL, false, err);
    if (code == HL_OK && filter->min_should.n)
        code = narrow(&progress, &min_should, NULL, false, err);
    for (size_t i = 0; code == HL_OK && i < filter->must_not.n; i++)
        code = narrow(&progress, NULL, &filter->must_not.items[i], true, err);
    if (code == HL_OK && progress.is_untouched) {
        code = start_matches(&progress.left, err);
        if (code == HL_OK)
            code = hl_rows_or(progress.left.sure, within->rows, err);
    }
    if (code == HL_OK)
        *out = progress.left;
    else
        hl_matches_done(&progress.left);
    return code;
}

enum hl_code hl_filter_find(const struct hl_filter *filter,
                            const struct hl_filter_scope *scope,
                            struct hl_matches *ret_matches, struct hl_err *err)
{
    static const struct hl_filter everything = {0};
    struct hl_within within = {scope->points, true};

    return find_filter(filter ? filter : &everything, scope, &within, ret_matches, err);
}
