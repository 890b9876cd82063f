/* SPDX-License-Identifier: Apache-2.0 */
#include "server/drift.h"

#include "proto/base64.h"
#include "proto/encode.h"
#include "proto/members.h"
#include "server/rollout.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

enum { LARGEST_RECORD = 256 << 20, LARGEST_FOUND = 2 << 20, MEMORY = 512 << 20 };

/* ---- what the last comparison found ---- */

enum { AT, DRIFTED, TOLERANCE, COMPARED, N_DRIFTED, WORST };

static enum hl_code read_worst_member(const struct hl_field *member, size_t which,
                                      void *self, struct hl_err *err)
{
    struct hl_drift *drift = self;
    struct hl_text name = {"", 0};
    enum hl_code code;

    if (which == 1)
        return hl_field_double(member, 0, 2, &drift->worst, err);
    code = hl_text_read(member, &name, err);
    (void)snprintf(drift->photograph, sizeof drift->photograph, "%.*s", (int)name.len,
                   name.text);
    return code;
}

static enum hl_code read_count(const struct hl_field *member, size_t *ret_n,
                               struct hl_err *err)
{
    uint64_t n = 0;
    enum hl_code code = hl_field_u64(member, 0, HL_CANARY_MOST, &n, err);

    *ret_n = (size_t)n;
    return code;
}

static enum hl_code read_found_member(const struct hl_field *member, size_t which,
                                      struct hl_drift *drift, struct hl_err *err)
{
    static const char *const names[] = {"photograph", "distance"};
    static const struct hl_members worst = {HL_MEMBERS_OF(names), 0, read_worst_member};
    struct hl_text at = {"", 0};
    enum hl_code code;

    switch (which) {
    case AT:
        code = hl_text_read(member, &at, err);
        (void)snprintf(drift->at, sizeof drift->at, "%.*s", (int)at.len, at.text);
        return code;
    case DRIFTED:
        return hl_field_bool(member, &drift->is_drifted, err);
    case TOLERANCE:
        return hl_field_double(member, 0, 2, &drift->tolerance, err);
    case COMPARED:
        return read_count(member, &drift->n_compared, err);
    case N_DRIFTED:
        return read_count(member, &drift->n_drifted, err);
    case WORST:
        return hl_members_read(member, &worst, drift, err);
    default:
        return HL_OK; /* for people */
    }
}

static enum hl_code read_found(const struct hl_store_record *record, struct hl_drift *drift,
                               struct hl_err *err)
{
    static const char *const names[] = {[AT] = "at",
                                        [DRIFTED] = "drifted",
                                        [TOLERANCE] = "tolerance",
                                        [COMPARED] = "compared",
                                        [N_DRIFTED] = "drifted_photographs",
                                        [WORST] = "worst"};
    struct hl_arena *arena = hl_arena_new(LARGEST_FOUND);
    const struct hl_field *member;
    struct hl_object object;
    struct hl_tokens tokens;
    struct hl_field root;
    enum hl_code code;

    if (!arena)
        return hl_fail(err, HL_NO_MEMORY, "no memory for what a canary found");
    hl_tokens_init(&tokens, record->body, record->size, arena);
    tokens.what = "what a canary found";
    tokens.code = HL_DAMAGED;
    root = hl_field_root(&tokens);
    code = hl_object_begin(&root, names, sizeof names / sizeof *names, &object, err);
    while (code == HL_OK && (code = hl_object_next(&object, &member, err)) == HL_OK &&
           member)
        code = read_found_member(member, object.which, drift, err);
    hl_arena_free(arena);
    return code;
}

enum hl_code hl_drift_seen(struct hl_reader *reader, uint32_t space,
                           struct hl_drift *ret_drift, struct hl_err *err)
{
    struct hl_drift drift = {.has_reference = false};
    struct hl_store_record record;
    char key[HL_HOLDING_KEY];
    enum hl_code code;

    hl_holding_model_key(space, key);
    code = hl_reader_record(reader, HL_HOLDING_CANARY_INFO, key, &record, err);
    if (code != HL_OK && code != HL_NOT_FOUND)
        return code;
    drift.has_reference = code == HL_OK;
    code = hl_reader_record(reader, HL_HOLDING_CANARY_FOUND, key, &record, err);
    if (code != HL_OK && code != HL_NOT_FOUND)
        return code;
    drift.was_compared = code == HL_OK;
    code = drift.was_compared ? read_found(&record, &drift, err) : HL_OK;
    if (code == HL_OK)
        *ret_drift = drift;
    return code;
}

/* ---- the reference ---- */

static enum hl_code put_text(struct hl_writing *writing, const char *kind, const char *key,
                             struct hl_buf *text, struct hl_err *err)
{
    enum hl_code code = hl_buf_check(text, "a canary", err);

    if (code == HL_OK)
        code = hl_store_put_record(hl_writing_store(writing), kind, key, text->data,
                                   text->len, err);
    hl_buf_done(text);
    return code;
}

/* As a body says it, so that what reads bodies reads it. */
static void print_reference(const struct hl_canary *canary, struct hl_buf *buf)
{
    hl_buf_add_text(buf, "{\"tolerance\":");
    hl_encode_double(buf, canary->tolerance);
    hl_buf_add_text(buf, ",\"vectors\":{");
    for (size_t i = 0; i < canary->vectors.n; i++) {
        const struct hl_vector *vector = &canary->vectors.items[i];

        hl_buf_add_text(buf, i > 0 ? "," : "");
        hl_encode_text(buf, vector->name.text, vector->name.len);
        hl_buf_add_text(buf, ":\"");
        hl_base64_encode(vector->values, vector->n, buf);
        hl_buf_add_char(buf, '"');
    }
    hl_buf_add_text(buf, "}}");
}

/* Members, between the model's name and the last comparison. */
static void print_info(const struct hl_drift_order *order, struct hl_buf *buf)
{
    const struct hl_vectors *vectors = &order->canary->vectors;
    char moment[HL_MOMENT];

    hl_moment_now(moment);
    hl_buf_add_text(buf, ",\"tolerance\":");
    hl_encode_double(buf, order->canary->tolerance);
    hl_buf_print(buf, ",\"set_at\":\"%s\",\"set_by\":", moment);
    hl_encode_string(buf, order->by);
    hl_buf_add_text(buf, ",\"photographs\":[");
    for (size_t i = 0; i < vectors->n; i++) {
        hl_buf_add_text(buf, i > 0 ? "," : "");
        hl_encode_text(buf, vectors->items[i].name.text, vectors->items[i].name.len);
    }
    hl_buf_add_char(buf, ']');
}

static enum hl_code set_reference(struct hl_writing *writing,
                                  const struct hl_drift_order *order, const char *key,
                                  struct hl_err *err)
{
    struct hl_buf text;
    bool existed;
    enum hl_code code;

    hl_buf_init(&text, LARGEST_RECORD);
    print_reference(order->canary, &text);
    code = put_text(writing, HL_HOLDING_CANARY, key, &text, err);
    if (code != HL_OK)
        return code;
    print_info(order, &text);
    code = put_text(writing, HL_HOLDING_CANARY_INFO, key, &text, err);
    return code == HL_OK
               ? hl_store_delete_record(hl_writing_store(writing), HL_HOLDING_CANARY_FOUND,
                                        key, &existed, err)
               : code;
}

/* ---- comparing ---- */

struct comparison {
    const struct hl_drift_order *order;
    struct hl_canary reference;
    double tolerance;
    double *distances; /* of each photograph that came */
    double sum;
    size_t n_drifted, worst;
};

static double cosine_distance(const struct hl_vector *a, const struct hl_vector *b)
{
    double ab = 0, aa = 0, bb = 0;

    for (size_t i = 0; i < a->n; i++) {
        ab += (double)a->values[i] * (double)b->values[i];
        aa += (double)a->values[i] * (double)a->values[i];
        bb += (double)b->values[i] * (double)b->values[i];
    }
    return fmin(fmax(1 - ab / sqrt(aa * bb), 0), 2);
}

static const struct hl_vector *find_photograph(const struct hl_canary *canary,
                                               const struct hl_text *name)
{
    for (size_t i = 0; i < canary->vectors.n; i++)
        if (hl_text_compare(&canary->vectors.items[i].name, name) == 0)
            return &canary->vectors.items[i];
    return NULL;
}

static enum hl_code compare_all(struct comparison *c, struct hl_err *err)
{
    const struct hl_vectors *vectors = &c->order->canary->vectors;

    for (size_t i = 0; i < vectors->n; i++) {
        const struct hl_vector *now = &vectors->items[i];
        const struct hl_vector *then = find_photograph(&c->reference, &now->name);

        if (!then)
            return hl_fail(err, HL_INVALID,
                           "the canary of \"%.120s\" has no photograph \"%.*s\" to compare "
                           "with: replace=true makes these its reference",
                           c->order->model->shown, (int)now->name.len, now->name.text);
        c->distances[i] = cosine_distance(now, then);
        c->sum += c->distances[i];
        c->n_drifted += c->distances[i] > c->tolerance;
        if (c->distances[i] > c->distances[c->worst])
            c->worst = i;
    }
    return HL_OK;
}

static void print_photograph(const struct comparison *c, size_t which, const char *key,
                             struct hl_buf *buf)
{
    const struct hl_text *name = &c->order->canary->vectors.items[which].name;

    hl_buf_print(buf, "{\"%s\":", key);
    hl_encode_text(buf, name->text, name->len);
    hl_buf_add_text(buf, ",\"distance\":");
    hl_encode_double(buf, c->distances[which]);
}

/* Without the last brace: an event has no list. */
static void print_figures(const struct comparison *c, struct hl_buf *buf)
{
    const size_t n = c->order->canary->vectors.n;
    char moment[HL_MOMENT];

    hl_moment_now(moment);
    hl_buf_print(buf, "{\"at\":\"%s\",\"by\":", moment);
    hl_encode_string(buf, c->order->by);
    hl_buf_print(buf, ",\"drifted\":%s,\"tolerance\":", c->n_drifted ? "true" : "false");
    hl_encode_double(buf, c->tolerance);
    hl_buf_print(buf,
                 ",\"compared\":%zu,\"of\":%zu,\"drifted_photographs\":%zu,\"mean\":", n,
                 c->reference.vectors.n, c->n_drifted);
    hl_encode_double(buf, c->sum / (double)n);
    hl_buf_add_text(buf, ",\"worst\":");
    print_photograph(c, c->worst, "photograph", buf);
    hl_buf_add_char(buf, '}');
}

static void print_list(const struct comparison *c, struct hl_buf *buf)
{
    hl_buf_add_text(buf, ",\"photographs\":[");
    for (size_t i = 0; i < c->order->canary->vectors.n; i++) {
        hl_buf_add_text(buf, i > 0 ? "," : "");
        print_photograph(c, i, "name", buf);
        hl_buf_print(buf, ",\"drifted\":%s}",
                     c->distances[i] > c->tolerance ? "true" : "false");
    }
    hl_buf_add_char(buf, ']');
}

/* A drift, or that it is over, among the events of the rollout that has the model. */
static enum hl_code note(struct hl_writing *writing, const struct comparison *c,
                         const struct hl_span *figures, struct hl_err *err)
{
    const struct hl_drift_order *order = c->order;
    const struct hl_text *worst = &order->canary->vectors.items[c->worst].name;
    const struct hl_holdings inside = hl_holdings_inside(writing);
    struct hl_rollout_order step = {.action = HL_ROLLOUT_NOTE, .by = order->by};
    struct hl_rollout rollout;
    char why[HL_ERR_MSG_SIZE];
    enum hl_code code = hl_rollout_load(inside.reader, &rollout, err);

    if (code != HL_OK || !hl_rollout_is_running(&rollout) ||
        (rollout.from != order->model->space && rollout.to != order->model->space))
        return code;
    (void)snprintf(
        why, sizeof why,
        "%zu of %zu photographs of \"%.100s\" are further than %g from what they "
        "were, \"%.*s\" by %g",
        c->n_drifted, order->canary->vectors.n, order->model->shown, c->tolerance,
        worst->len < 80 ? (int)worst->len : 80, worst->text, c->distances[c->worst]);
    step.what = c->n_drifted ? "drift" : "drift_over";
    step.why = why;
    step.figures = figures;
    return hl_rollout_change(writing, &step, &rollout, err);
}

static enum hl_code keep(struct hl_writing *writing, const struct comparison *c,
                         bool was_drifted, const char *key, struct hl_err *err)
{
    struct hl_buf text;
    struct hl_span figures;
    enum hl_code code;

    hl_buf_init(&text, LARGEST_FOUND);
    print_figures(c, &text);
    hl_buf_add_char(&text, '}');
    code = hl_buf_check(&text, "what a canary found", err);
    figures = (struct hl_span){text.data, text.len};
    if (code == HL_OK && (c->n_drifted > 0 || was_drifted))
        code = note(writing, c, &figures, err);
    if (code != HL_OK) {
        hl_buf_done(&text);
        return code;
    }
    text.len--;
    print_list(c, &text);
    hl_buf_add_char(&text, '}');
    return put_text(writing, HL_HOLDING_CANARY_FOUND, key, &text, err);
}

static enum hl_code compare(struct hl_writing *writing, const struct hl_drift_order *order,
                            const struct hl_store_record *record, const char *key,
                            struct hl_err *err)
{
    const struct hl_canary *canary = order->canary;
    const struct hl_holdings inside = hl_holdings_inside(writing);
    struct hl_arena *arena = hl_arena_new(MEMORY);
    struct comparison c = {.order = order};
    struct hl_drift before;
    struct hl_tokens tokens;
    struct hl_field root;
    enum hl_code code;

    if (!arena)
        return hl_fail(err, HL_NO_MEMORY, "no memory to compare photographs");
    c.distances = hl_arena_array(arena, canary->vectors.n, sizeof *c.distances);
    if (!c.distances) {
        code = hl_arena_fail(arena, err, "%zu photographs", canary->vectors.n);
        hl_arena_free(arena);
        return code;
    }
    hl_tokens_init(&tokens, record->body, record->size, arena);
    tokens.what = "the record of a canary";
    tokens.code = HL_DAMAGED;
    root = hl_field_root(&tokens);
    code = hl_canary_read(&root, &c.reference, err);
    c.tolerance = canary->has_tolerance ? canary->tolerance : c.reference.tolerance;
    if (code == HL_OK)
        code = compare_all(&c, err);
    /* The names of the reference are in the record, which the next read lets go. */
    if (code == HL_OK)
        code = hl_drift_seen(inside.reader, order->model->space, &before, err);
    if (code == HL_OK)
        code = keep(writing, &c, before.was_compared && before.is_drifted, key, err);
    hl_arena_free(arena);
    return code;
}

/* ---- the change ---- */

static enum hl_code check_vectors(const struct hl_drift_order *order, struct hl_err *err)
{
    const struct hl_vectors *vectors = &order->canary->vectors;

    for (size_t i = 0; i < vectors->n; i++) {
        const struct hl_vector *vector = &vectors->items[i];
        bool is_zero = true;

        if (vector->n != order->model->dim)
            return hl_fail(err, HL_DIMENSION_MISMATCH,
                           "Wrong input: Vector dimension error: expected dim: %" PRIu32
                           ", got %zu (\"%.*s\")",
                           order->model->dim, vector->n, (int)vector->name.len,
                           vector->name.text);
        for (size_t k = 0; k < vector->n && is_zero; k++)
            is_zero = fpclassify(vector->values[k]) == FP_ZERO;
        if (is_zero)
            return hl_fail(err, HL_INVALID,
                           "the vector of the photograph \"%.*s\" is all zeros, which has "
                           "no direction to compare",
                           (int)vector->name.len, vector->name.text);
    }
    return HL_OK;
}

enum hl_code hl_drift_put(struct hl_writing *writing, const struct hl_drift_order *order,
                          struct hl_drift *ret_drift, bool *ret_is_reference,
                          struct hl_err *err)
{
    const struct hl_holdings inside = hl_holdings_inside(writing);
    struct hl_store_record record;
    bool is_reference = order->replaces;
    char key[HL_HOLDING_KEY];
    enum hl_code code = check_vectors(order, err);

    hl_holding_model_key(order->model->space, key);
    if (code == HL_OK && !is_reference) {
        code = hl_reader_record(inside.reader, HL_HOLDING_CANARY, key, &record, err);
        is_reference = code == HL_NOT_FOUND;
        code = is_reference ? HL_OK : code;
    }
    if (code == HL_OK)
        code = is_reference ? set_reference(writing, order, key, err)
                            : compare(writing, order, &record, key, err);
    if (code == HL_OK)
        code = hl_drift_seen(inside.reader, order->model->space, ret_drift, err);
    if (code == HL_OK)
        *ret_is_reference = is_reference;
    return code;
}

static enum hl_code fail_none(const struct hl_model *model, struct hl_err *err)
{
    return hl_fail(err, HL_NOT_FOUND, "Not found: the vector \"%.255s\" has no canary",
                   model->shown);
}

enum hl_code hl_drift_remove(struct hl_writing *writing, const struct hl_model *model,
                             struct hl_err *err)
{
    struct hl_store *store = hl_writing_store(writing);
    char key[HL_HOLDING_KEY];
    bool existed = false, ignored;
    enum hl_code code;

    hl_holding_model_key(model->space, key);
    code = hl_store_delete_record(store, HL_HOLDING_CANARY, key, &existed, err);
    if (code == HL_OK)
        code = hl_store_delete_record(store, HL_HOLDING_CANARY_INFO, key, &ignored, err);
    if (code == HL_OK)
        code = hl_store_delete_record(store, HL_HOLDING_CANARY_FOUND, key, &ignored, err);
    return code == HL_OK && !existed ? fail_none(model, err) : code;
}

/* ---- printing ---- */

enum hl_code hl_drift_print(const struct hl_holdings *holdings,
                            const struct hl_model *model, struct hl_buf *buf,
                            struct hl_err *err)
{
    struct hl_store_record record;
    struct hl_drift drift;
    char key[HL_HOLDING_KEY];
    enum hl_code code = hl_drift_seen(holdings->reader, model->space, &drift, err);

    if (code != HL_OK)
        return code;
    hl_holding_model_key(model->space, key);
    code = hl_reader_record(holdings->reader, HL_HOLDING_CANARY_INFO, key, &record, err);
    if (code == HL_NOT_FOUND)
        return fail_none(model, err);
    if (code != HL_OK)
        return code;
    hl_buf_add_text(buf, "{\"model\":");
    hl_encode_string(buf, model->shown);
    hl_buf_add(buf, record.body, record.size);
    hl_buf_print(buf, ",\"drifted\":%s,\"last\":",
                 !drift.was_compared ? "null"
                 : drift.is_drifted  ? "true"
                                     : "false");
    if (!drift.was_compared) {
        hl_buf_add_text(buf, "null}");
        return HL_OK;
    }
    code = hl_reader_record(holdings->reader, HL_HOLDING_CANARY_FOUND, key, &record, err);
    if (code == HL_OK)
        hl_buf_add(buf, record.body, record.size);
    hl_buf_add_char(buf, '}');
    return code;
}
