/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/swap/witness.h"

#include "tests/swap/pair.h"

#include <cjson/cJSON.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* Rounding of a sum of sixteen, and of a weight that is ±1. */
static const float near = 2e-5f;

enum { NONE = -1, NO_WAY = 0, MAX_LEGS = 4 };

struct leg {
    int space;    /* 1 or 2 */
    int revision; /* of the way that the query goes, or NO_WAY */
    bool has_shelf[3];
    bool is_without[3]; /* whose carriers are left out */
};

struct told { /* what the answer says of itself */
    struct leg legs[MAX_LEGS];
    int n_legs;
    const cJSON *points, *hits;
    int n_hits;
    long plan;
};

__attribute__((format(printf, 2, 3))) static bool fault(struct testimony *ret,
                                                        const char *form, ...)
{
    va_list list;

    va_start(list, form);
    vsnprintf(ret->fault, sizeof ret->fault, form, list);
    va_end(list);
    return false;
}

bool witness_may_change(long number)
{
    return number % 8 >= 6;
}

/* ---- reading ---- */

static const cJSON *member(const cJSON *object, const char *name)
{
    return cJSON_GetObjectItemCaseSensitive(object, name);
}

static int model_of(const cJSON *name)
{
    if (!cJSON_IsString(name))
        return NONE;
    return strcmp(name->valuestring, "v1") == 0   ? 1
           : strcmp(name->valuestring, "v2") == 0 ? 2
                                                  : NONE;
}

static int number_of(const cJSON *item)
{
    return cJSON_IsNumber(item) ? item->valueint : NONE;
}

static bool read_model(const cJSON *name, bool is_named[3])
{
    const int model = model_of(name);

    if (model != NONE)
        is_named[model] = true;
    return model != NONE;
}

/* A name, a list of names, or null. */
static bool read_models(const cJSON *names, bool is_named[3])
{
    const cJSON *name;

    if (cJSON_IsString(names))
        return read_model(names, is_named);
    cJSON_ArrayForEach(name, names)
    {
        if (!read_model(name, is_named))
            return false;
    }
    return true;
}

static bool read_leg(const cJSON *from, struct leg *leg)
{
    const cJSON *through = member(from, "through");
    const int n_ways = cJSON_GetArraySize(through);

    *leg = (struct leg){.space = model_of(member(from, "space"))};
    if (n_ways == 1)
        leg->revision = number_of(member(cJSON_GetArrayItem(through, 0), "revision"));
    return leg->space != NONE && n_ways <= 1 && leg->revision >= NO_WAY &&
           leg->revision <= PAIR_N_REVISIONS &&
           read_models(member(from, "shelves"), leg->has_shelf) &&
           read_models(member(from, "without"), leg->is_without);
}

static bool read_told(const struct witness *witness, const cJSON *result, struct told *told)
{
    const cJSON *explain = member(result, "explain"), *plan = member(explain, "plan"), *leg;

    *told =
        (struct told){.points = member(result, "points"), .hits = member(explain, "hits")};
    told->n_hits = cJSON_GetArraySize(told->points);
    told->plan = cJSON_IsObject(plan) ? number_of(member(plan, "number")) : 0;
    if (!cJSON_IsArray(told->points) || cJSON_GetArraySize(told->hits) != told->n_hits)
        return false;
    cJSON_ArrayForEach(leg, member(plan, "legs"))
    {
        if (told->n_legs == MAX_LEGS || !read_leg(leg, &told->legs[told->n_legs++]))
            return false;
    }
    if (told->n_legs == 0) { /* no bridge: the model's own vectors */
        told->legs[0] = (struct leg){.space = witness->model};
        told->legs[0].has_shelf[witness->model] = true;
        told->n_legs = 1;
    }
    return true;
}

/* ---- one hit ---- */

/* `images` is the revision by which images are made. */
static bool score_of(const struct witness *witness, const struct leg *leg, int shelf,
                     long number, int images, float *ret_score)
{
    float query[PAIR_DIM], mapped[PAIR_DIM], item[PAIR_DIM], image[PAIR_DIM];

    pair_vector(witness->model, witness->query, query);
    pair_vector(shelf, number, item);
    if (leg->revision == NO_WAY && leg->space != witness->model)
        return false;
    if (leg->revision != NO_WAY)
        pair_judge(leg->revision, query, mapped);
    if (shelf != leg->space && (leg->space != 1 || images == NO_WAY))
        return false; /* images are of v2 in v1 */
    if (shelf != leg->space)
        pair_image(images, item, image);
    *ret_score = pair_dot(leg->revision == NO_WAY ? query : mapped,
                          shelf == leg->space ? item : image);
    return true;
}

static bool has_shelf(long number, int shelf)
{
    return witness_may_change(number) || shelf == 1 + (int)(number % 2);
}

static bool check_hit(const struct witness *witness, const struct told *told, int which,
                      int images, struct testimony *ret)
{
    const cJSON *hit = cJSON_GetArrayItem(told->hits, which),
                *point = cJSON_GetArrayItem(told->points, which);
    const int at = number_of(member(hit, "leg")), shelf = model_of(member(hit, "shelf")),
              number = number_of(member(point, "id"));
    const cJSON *raw = member(hit, "raw");
    float score;

    if (at < 0 || at >= told->n_legs || shelf == NONE || !cJSON_IsNumber(raw))
        return fault(ret, "hit %d is not explained", which);
    if (number < 0 || number >= witness->n_points || !has_shelf(number, shelf) ||
        !told->legs[at].has_shelf[shelf])
        return fault(ret, "point %d is not on the shelf v%d of leg %d", number, shelf, at);
    if (!score_of(witness, &told->legs[at], shelf, number, images, &score))
        return fault(ret, "leg %d cannot have led to v%d", at, shelf);
    if (fabsf(score - (float)raw->valuedouble) > near)
        return fault(ret, "point %d on v%d has %.6f, not %.6f by revision %d", number,
                     shelf, raw->valuedouble, (double)score, images);
    return true;
}

/* ---- the whole of it ---- */

/* Everything that stays where it is and is better than the last hit is a hit. */
static bool check_best(const struct witness *witness, const struct told *told, int images,
                       struct testimony *ret)
{
    const float last =
        (float)member(cJSON_GetArrayItem(told->hits, told->n_hits - 1), "raw")->valuedouble;

    for (long number = 0; number < witness->n_points; number++) {
        const int shelf = 1 + (int)(number % 2);

        for (int at = 0; at < told->n_legs && !witness_may_change(number); at++) {
            const struct leg *leg = &told->legs[at];
            bool is_found = false;
            float score;

            if (!leg->has_shelf[shelf] || leg->is_without[shelf] ||
                !score_of(witness, leg, shelf, number, images, &score) ||
                score < last + near)
                continue;
            for (int i = 0; i < told->n_hits && !is_found; i++)
                is_found =
                    number_of(member(cJSON_GetArrayItem(told->points, i), "id")) == number;
            if (!is_found)
                return fault(ret, "point %ld with %.6f is missing", number, (double)score);
        }
    }
    return true;
}

static bool check_order(const struct told *told, struct testimony *ret)
{
    for (int i = 0; i < told->n_hits; i++) {
        const cJSON *point = cJSON_GetArrayItem(told->points, i);

        for (int j = 0; j < i; j++) {
            const cJSON *other = cJSON_GetArrayItem(told->points, j);

            if (number_of(member(other, "id")) == number_of(member(point, "id")))
                return fault(ret, "point %d comes twice", number_of(member(point, "id")));
            if (member(other, "score")->valuedouble < member(point, "score")->valuedouble)
                return fault(ret, "hit %d is better than hit %d", i, j);
        }
    }
    return true;
}

static bool check_by(const struct witness *witness, const struct told *told, int images,
                     struct testimony *ret)
{
    for (int i = 0; i < told->n_hits; i++)
        if (!check_hit(witness, told, i, images, ret))
            return false;
    return !witness->is_exact || check_best(witness, told, images, ret);
}

bool witness_check(const struct witness *witness, const struct cJSON *result,
                   struct testimony *ret)
{
    struct told told;
    int named = NONE, n_explained = 0;

    *ret = (struct testimony){0};
    if (!read_told(witness, result, &told))
        return fault(ret, "the plan cannot be read");
    ret->plan = told.plan;
    if (told.n_hits != WITNESS_LIMIT)
        return fault(ret, "%d hits", told.n_hits);
    if (!check_order(&told, ret))
        return false;
    for (int at = 0; at < told.n_legs; at++)
        if (told.legs[at].revision != NO_WAY)
            named = told.legs[at].revision;
    /* A plan whose queries go no way names no revision: one of them explains all hits. */
    for (int images = NO_WAY; images <= PAIR_N_REVISIONS; images++)
        if ((named == NONE || named == images) && check_by(witness, &told, images, ret)) {
            ret->revision = images;
            n_explained++;
        }
    ret->is_certain = n_explained == 1;
    return n_explained > 0;
}
