/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/crash/oracle.h"

#include <cjson/cJSON.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BODY_ROOM = 1 << 20, PATH_ROOM = 256, MOST_AT_ONCE = 24 };

struct text {
    char *at;
    size_t len;
};

static void say(struct text *text, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static void say(struct text *text, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    text->len +=
        (size_t)vsnprintf(text->at + text->len, BODY_ROOM - text->len, format, args);
    va_end(args);
}

void oracle_init(struct oracle *oracle, const char *collection, int writer, uint64_t seed)
{
    *oracle = (struct oracle){.collection = collection,
                              .writer = writer,
                              .random = seed * 2654435761u + (uint64_t)writer + 1,
                              .next = (uint32_t)writer << 26, /* nobody's content twice */
                              .body = malloc(BODY_ROOM)};
    if (!oracle->body)
        abort();
}

void oracle_done(struct oracle *oracle)
{
    free(oracle->body);
}

static uint32_t draw(struct oracle *oracle, uint32_t below)
{
    oracle->random ^= oracle->random << 13;
    oracle->random ^= oracle->random >> 7;
    oracle->random ^= oracle->random << 17;
    return (uint32_t)(oracle->random >> 33) % below;
}

static int id_of(const struct oracle *oracle, int which)
{
    return oracle->writer * ORACLE_POINTS + which;
}

/* Halves, so that they are printed and read without loss. */
static float value_of(uint32_t vector, int at)
{
    uint32_t mixed = (vector * 2246822519u) ^ ((uint32_t)at * 3266489917u);

    return (float)(int32_t)((mixed ^ (mixed >> 15)) % 2001) / 2.0F - 500.0F;
}

static void say_vector(struct text *text, uint32_t vector)
{
    for (int i = 0; i < ORACLE_DIM; i++)
        say(text, "%s%.1f", i ? "," : "[", (double)value_of(vector, i));
    say(text, "]");
}

/* ---- operations: each says the body and draws `then` ---- */

static int draw_some(struct oracle *oracle, int *some)
{
    int n = 1 + (int)draw(oracle, MOST_AT_ONCE), first = (int)draw(oracle, ORACLE_POINTS);

    for (int i = 0; i < n; i++)
        some[i] = (first + i * 5) % ORACLE_POINTS;
    return n;
}

static void say_ids(const struct oracle *oracle, struct text *text, const int *some, int n)
{
    say(text, "[");
    for (int i = 0; i < n; i++)
        say(text, "%s%d", i ? "," : "", id_of(oracle, some[i]));
    say(text, "]");
}

static const char *upsert(struct oracle *oracle, struct text *text)
{
    int some[MOST_AT_ONCE], n = draw_some(oracle, some);

    say(text, "{\"points\":[");
    for (int i = 0; i < n; i++) {
        struct oracle_point *point = &oracle->then[some[i]];

        point->payload = point->vector = ++oracle->next;
        say(text, "%s{\"id\":%d,\"payload\":{\"w\":%d,\"g\":%u},\"vector\":", i ? "," : "",
            id_of(oracle, some[i]), oracle->writer, point->payload);
        say_vector(text, point->vector);
        say(text, "}");
    }
    say(text, "]}");
    return "PUT /points";
}

static const char *delete_by_ids(struct oracle *oracle, struct text *text)
{
    int some[MOST_AT_ONCE], n = draw_some(oracle, some);

    for (int i = 0; i < n; i++)
        oracle->then[some[i]] = (struct oracle_point){0};
    say(text, "{\"points\":");
    say_ids(oracle, text, some, n);
    say(text, "}");
    return "POST /points/delete";
}

static const char *delete_by_filter(struct oracle *oracle, struct text *text)
{
    uint32_t low = oracle->next - 40 + draw(oracle, 40) + 1;

    for (int i = 0; i < ORACLE_POINTS; i++)
        if (oracle->then[i].payload >= low && oracle->then[i].payload < low + 6)
            oracle->then[i] = (struct oracle_point){0};
    say(text,
        "{\"filter\":{\"must\":[{\"key\":\"w\",\"match\":{\"value\":%d}},"
        "{\"key\":\"g\",\"range\":{\"gte\":%u,\"lt\":%u}}]}}",
        oracle->writer, low, low + 6);
    return "POST /points/delete";
}

static const char *set_payload(struct oracle *oracle, struct text *text)
{
    int some[MOST_AT_ONCE], n = draw_some(oracle, some), n_there = 0;
    uint32_t payload = ++oracle->next;

    for (int i = 0; i < n; i++)
        if (oracle->then[some[i]].payload)
            some[n_there++] = some[i];
    for (int i = 0; i < n_there; i++)
        oracle->then[some[i]].payload = payload;
    say(text, "{\"payload\":{\"g\":%u},\"points\":", payload);
    say_ids(oracle, text, some, n_there);
    say(text, "}");
    return n_there ? "POST /points/payload" : NULL;
}

static const char *update_vectors(struct oracle *oracle, struct text *text)
{
    int n = 0;

    say(text, "{\"points\":[");
    for (int i = 0; i < ORACLE_POINTS && n < 8; i++) {
        struct oracle_point *point = &oracle->then[i];

        if (!point->payload || draw(oracle, 4) > 0)
            continue;
        point->vector = ++oracle->next;
        say(text, "%s{\"id\":%d,\"vector\":", n++ ? "," : "", id_of(oracle, i));
        say_vector(text, point->vector);
        say(text, "}");
    }
    say(text, "]}");
    return n ? "PUT /points/vectors" : NULL;
}

/* Several operations that must all be there or none. */
static const char *several(struct oracle *oracle, struct text *text)
{
    say(text, "{\"operations\":[{\"upsert\":");
    (void)upsert(oracle, text);
    say(text, "},{\"set_payload\":");
    (void)set_payload(oracle, text);
    say(text, "},{\"delete\":");
    (void)delete_by_ids(oracle, text);
    say(text, "}]}");
    return "POST /points/batch";
}

/* Whose last operation is refused: nothing of it shall ever be there, and who is written in
 * the same transaction shall not notice. */
static const char *spoilt(struct oracle *oracle, struct text *text)
{
    say(text, "{\"operations\":[{\"upsert\":");
    (void)upsert(oracle, text);
    say(text, "},{\"delete_vectors\":{\"points\":[1],\"vector\":[\"nobody\"]}}]}");
    memcpy(oracle->then, oracle->now, sizeof oracle->then);
    oracle->is_spoilt = true;
    return "POST /points/batch";
}

static const char *draw_operation(struct oracle *oracle, struct text *text)
{
    oracle->is_spoilt = false;
    switch (draw(oracle, 13)) {
    case 0:
        return delete_by_ids(oracle, text);
    case 1:
        return delete_by_filter(oracle, text);
    case 2:
    case 3:
        return set_payload(oracle, text);
    case 4:
    case 5:
        return update_vectors(oracle, text);
    case 6:
        return several(oracle, text);
    case 7:
        return spoilt(oracle, text);
    default:
        return upsert(oracle, text);
    }
}

bool oracle_step(struct oracle *oracle, struct hl_rest *rest, bool *ret_is_wrong)
{
    struct text text = {.at = oracle->body};
    char path[PATH_ROOM], method[8] = "";
    const char *call;
    int status;

    *ret_is_wrong = false;
    memcpy(oracle->then, oracle->now, sizeof oracle->then);
    call = draw_operation(oracle, &text);
    if (!call)
        return true;
    memcpy(method, call, strcspn(call, " "));
    snprintf(path, sizeof path, "/collections/%s%s?wait=true", oracle->collection,
             strchr(call, ' ') + 1);
    oracle->is_on_its_way = true;
    status = hl_rest_ask(rest, method, path, oracle->body);
    if (status == 200 && !oracle->is_spoilt) {
        memcpy(oracle->now, oracle->then, sizeof oracle->now);
        oracle->is_on_its_way = false;
        oracle->n_acknowledged++;
        return true;
    }
    /* A refusal changes nothing: rows are written faster than they are indexed. */
    if (status == 429 || (status == 400 && oracle->is_spoilt)) {
        oracle->is_on_its_way = false;
        return true;
    }
    if (status > 0) {
        printf("# %s %s: %d %s\n", method, path, status, rest->said);
        *ret_is_wrong = true;
    }
    return false;
}

/* ---- looking ---- */

static bool is_vector(const cJSON *values, uint32_t vector)
{
    const cJSON *value;
    int i = 0;

    if (vector == 0)
        return !values || cJSON_IsNull(values) || cJSON_IsObject(values);
    if (cJSON_GetArraySize(values) != ORACLE_DIM)
        return false;
    cJSON_ArrayForEach(value, values)
    {
        float wanted = value_of(vector, i++);

        if (value->valuedouble < (double)wanted || value->valuedouble > (double)wanted)
            return false;
    }
    return true;
}

static bool is_point(const struct oracle *oracle, const cJSON *point,
                     const struct oracle_point *wanted)
{
    const cJSON *payload = cJSON_GetObjectItemCaseSensitive(point, "payload");
    const cJSON *g = cJSON_GetObjectItemCaseSensitive(payload, "g");
    const cJSON *w = cJSON_GetObjectItemCaseSensitive(payload, "w");

    return g && w && (uint32_t)g->valuedouble == wanted->payload &&
           w->valueint == oracle->writer &&
           is_vector(cJSON_GetObjectItemCaseSensitive(point, "vector"), wanted->vector);
}

/* The first point that differs, or -1. */
static int first_fault(const struct oracle *oracle, const cJSON *points,
                       const struct oracle_point *wanted)
{
    bool was_seen[ORACLE_POINTS] = {false};
    const cJSON *point;

    cJSON_ArrayForEach(point, points)
    {
        const cJSON *id = cJSON_GetObjectItemCaseSensitive(point, "id");
        int which = id ? id->valueint - id_of(oracle, 0) : -1;

        if (which < 0 || which >= ORACLE_POINTS)
            return ORACLE_POINTS;
        if (was_seen[which] || !wanted[which].payload ||
            !is_point(oracle, point, &wanted[which]))
            return which;
        was_seen[which] = true;
    }
    for (int i = 0; i < ORACLE_POINTS; i++)
        if (wanted[i].payload && !was_seen[i])
            return i;
    return -1;
}

static bool ask(const struct oracle *oracle, struct hl_rest *rest, const char *call)
{
    char path[PATH_ROOM];
    int status;

    snprintf(path, sizeof path, "/collections/%s%s", oracle->collection, call);
    status = hl_rest_ask(rest, "POST", path, oracle->body);
    if (status != 200)
        printf("# POST %s: %d %s\n", path, status, rest->said);
    return status == 200;
}

static bool check_by_ids(struct oracle *oracle, struct hl_rest *rest)
{
    struct text text = {.at = oracle->body};
    int all[ORACLE_POINTS], before, behind = 0;

    for (int i = 0; i < ORACLE_POINTS; i++)
        all[i] = i;
    say(&text, "{\"with_vector\":true,\"ids\":");
    say_ids(oracle, &text, all, ORACLE_POINTS);
    say(&text, "}");
    if (!ask(oracle, rest, "/points"))
        return false;
    before = first_fault(oracle, hl_rest_result(rest), oracle->now);
    if (before < 0)
        return true;
    if (oracle->is_on_its_way)
        behind = first_fault(oracle, hl_rest_result(rest), oracle->then);
    if (oracle->is_on_its_way && behind < 0) {
        memcpy(oracle->now, oracle->then, sizeof oracle->now);
        return true;
    }
    printf("# %s, writer %d: point %d is not as it was acknowledged", oracle->collection,
           oracle->writer, id_of(oracle, before));
    if (oracle->is_on_its_way)
        printf(", nor %d as it was asked for", id_of(oracle, behind));
    printf("\n");
    return false;
}

static bool check_by_count(struct oracle *oracle, struct hl_rest *rest)
{
    struct text text = {.at = oracle->body};
    const cJSON *count;
    int wanted = 0;

    for (int i = 0; i < ORACLE_POINTS; i++)
        wanted += oracle->now[i].payload != 0;
    say(&text,
        "{\"exact\":true,\"filter\":{\"must\":[{\"key\":\"w\",\"match\":{\"value\":%d}}]}}",
        oracle->writer);
    if (!ask(oracle, rest, "/points/count"))
        return false;
    count = cJSON_GetObjectItemCaseSensitive(hl_rest_result(rest), "count");
    if (count && count->valueint == wanted)
        return true;
    printf("# %s, writer %d: %d points are counted, there are %d\n", oracle->collection,
           oracle->writer, count ? count->valueint : -1, wanted);
    return false;
}

/* A few points are found by their own vector, exactly and through the graphs, at no
 * distance. */
static bool check_by_search(struct oracle *oracle, struct hl_rest *rest, bool is_exact)
{
    for (int i = (int)draw(oracle, 16); i < ORACLE_POINTS; i += 16) {
        struct text text = {.at = oracle->body};
        const cJSON *hit, *id, *score;

        if (!oracle->now[i].payload)
            continue;
        say(&text, "{\"limit\":1,\"params\":{\"exact\":%s},\"query\":",
            is_exact ? "true" : "false");
        say_vector(&text, oracle->now[i].vector);
        say(&text, "}");
        if (!ask(oracle, rest, "/points/query"))
            return false;
        hit = cJSON_GetArrayItem(
            cJSON_GetObjectItemCaseSensitive(hl_rest_result(rest), "points"), 0);
        id = cJSON_GetObjectItemCaseSensitive(hit, "id");
        score = cJSON_GetObjectItemCaseSensitive(hit, "score");
        if (!id || id->valueint != id_of(oracle, i) || !score ||
            score->valuedouble > 1e-3) {
            printf("# %s: point %d is not found by its own vector%s: %s\n",
                   oracle->collection, id_of(oracle, i), is_exact ? " (exact)" : "",
                   rest->said);
            return false;
        }
    }
    return true;
}

bool oracle_check(struct oracle *oracle, struct hl_rest *rest)
{
    bool is_right = check_by_ids(oracle, rest);

    oracle->is_on_its_way = false;
    return is_right && check_by_count(oracle, rest) &&
           check_by_search(oracle, rest, true) && check_by_search(oracle, rest, false);
}
