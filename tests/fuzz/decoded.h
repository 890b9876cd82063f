/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HL_TESTS_FUZZ_DECODED_H
#define HL_TESTS_FUZZ_DECODED_H

/* What every decoder of a body owes: whatever it points at is inside of the body or was
 * given by the arena, and is as long as it says. Reading all of it lets a sanitizer see
 * what is not; counts are bounded by what the body could spell. */
#include "proto/filter.h"
#include "proto/path.h"
#include "proto/text.h"
#include "proto/utf8.h"
#include "proto/vector.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static inline void require(bool holds)
{
    if (!holds)
        abort();
}

/* Of a body of so many bytes no decoder can make more items of anything. */
struct decoded {
    const char *body;
    size_t size;
};

static inline void check_count(const struct decoded *d, size_t n)
{
    require(n <= d->size);
}

static inline void check_text(const struct decoded *d, const struct hl_text *text)
{
    check_count(d, text->len);
    require(hl_utf8_valid_len(text->text ? text->text : "", text->len) == text->len);
}

/* Text as it came: never a copy. */
static inline void check_span(const struct decoded *d, const struct hl_text *text)
{
    if (!text->text)
        return;
    require(text->text >= d->body && text->text + text->len <= d->body + d->size);
    require(text->len >= 2 && text->text[0] == '{' && text->text[text->len - 1] == '}');
}

static inline void check_texts(const struct decoded *d, const struct hl_texts *texts)
{
    check_count(d, texts->n);
    for (size_t i = 0; i < texts->n; i++)
        check_text(d, &texts->items[i]);
}

static inline void check_path(const struct decoded *d, const struct hl_path *path)
{
    require(path->n_steps > 0 && path->n_steps <= HL_PATH_MAX_STEPS + 1);
    require(path->steps[0].kind == HL_PATH_NAME);
    for (size_t i = 0; i < path->n_steps; i++) {
        const struct hl_path_step *step = &path->steps[i];
        struct hl_text name = {step->name, step->len};

        require(step->kind != HL_PATH_NAME || step->len > 0);
        if (step->kind == HL_PATH_NAME)
            check_text(d, &name);
    }
}

static inline void check_ids(const struct decoded *d, const struct hl_ids *ids)
{
    check_count(d, ids->n);
    for (size_t i = 0; i < ids->n; i++) {
        uint8_t bytes[HL_ID_ENCODED_MAX];
        struct hl_id again;

        require(hl_id_decode(bytes, hl_id_encode(&ids->items[i], bytes), &again));
        require(hl_id_compare(&ids->items[i], &again) == 0);
    }
}

static inline void check_vectors(const struct decoded *d, const struct hl_vectors *vectors)
{
    require(vectors->n <= HL_VECTORS_MAX);
    for (size_t i = 0; i < vectors->n; i++) {
        const struct hl_vector *v = &vectors->items[i];

        check_text(d, &v->name);
        check_count(d, v->n);
        for (size_t k = 0; k < v->n; k++) {
            require(isfinite(v->values[k]));
            require(!v->indices || k == 0 || v->indices[k] > v->indices[k - 1]);
        }
        for (size_t k = 0; k < i; k++)
            require(hl_text_compare(&v->name, &vectors->items[k].name) != 0);
    }
}

static inline void check_filter(const struct decoded *d, const struct hl_filter *filter,
                                unsigned depth, bool is_nested);

static inline void check_polygon(const struct decoded *d,
                                 const struct hl_geo_polygon *polygon)
{
    check_count(d, polygon->n_interiors);
    require(polygon->exterior.n_points >= 4);
    for (size_t i = 0; i < polygon->exterior.n_points; i++)
        require(fabs(polygon->exterior.points[i].lat) <= 90);
    for (size_t i = 0; i < polygon->n_interiors; i++)
        require(fabs(polygon->interiors[i].points[3].lon) <= 180);
}

static inline void check_point_test(const struct decoded *d, const struct hl_condition *c)
{
    if (c->kind == HL_CONDITION_HAS_ID) {
        check_ids(d, &c->ids);
        for (size_t i = 1; i < c->ids.n; i++)
            require(hl_id_compare(&c->ids.items[i - 1], &c->ids.items[i]) < 0);
    } else if (c->kind == HL_CONDITION_SLICE) {
        require(c->slice.index < c->slice.total);
    } else {
        require(c->texts.n == 1);
        check_texts(d, &c->texts);
    }
}

static inline void check_values(const struct decoded *d, const struct hl_condition *c)
{
    if (c->kind == HL_CONDITION_INTEGER) {
        check_count(d, c->integers.n);
        for (size_t i = 1; i < c->integers.n; i++)
            require(c->integers.items[i - 1] < c->integers.items[i]);
    } else if (c->kind == HL_CONDITION_TEXT || c->kind == HL_CONDITION_PREFIX) {
        check_texts(d, &c->texts);
        for (size_t i = 1; i < c->texts.n; i++)
            require(hl_text_compare(&c->texts.items[i - 1], &c->texts.items[i]) < 0);
    } else if (c->kind == HL_CONDITION_POLYGON) {
        check_polygon(d, &c->polygon);
    } else if (c->kind == HL_CONDITION_RANGE) {
        require(!isnan(c->range.low) && !isnan(c->range.high));
    }
}

static inline void check_clause(const struct decoded *d, const struct hl_clause *clause,
                                unsigned depth, bool is_nested)
{
    check_count(d, clause->n);
    for (size_t i = 0; i < clause->n; i++) {
        const struct hl_condition *c = &clause->items[i];

        if (c->kind == HL_CONDITION_FILTER) {
            check_filter(d, c->filter, depth + 1, is_nested);
            continue;
        }
        if (c->kind >= HL_CONDITION_HAS_ID) {
            require(!is_nested);
            check_point_test(d, c);
            continue;
        }
        check_path(d, &c->path);
        if (c->kind == HL_CONDITION_NESTED) {
            require(c->path.steps[c->path.n_steps - 1].kind == HL_PATH_EACH);
            check_filter(d, c->filter, depth + 1, true);
        } else {
            check_values(d, c);
        }
    }
}

static inline void check_filter(const struct decoded *d, const struct hl_filter *filter,
                                unsigned depth, bool is_nested)
{
    if (!filter)
        return;
    require(depth <= 2 * HL_FILTER_MAX_DEPTH);
    check_clause(d, &filter->must, depth, is_nested);
    check_clause(d, &filter->should, depth, is_nested);
    check_clause(d, &filter->must_not, depth, is_nested);
    check_clause(d, &filter->min_should, depth, is_nested);
    require(filter->min_should.n == 0 || filter->min_count > 0);
}

/* A refusal is a sentence that can be sent. */
static inline void check_refusal(const struct hl_err *err)
{
    size_t len = strlen(err->msg);

    require(len > 0 && hl_utf8_valid_len(err->msg, len) == len);
}

#endif
