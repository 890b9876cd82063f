/* SPDX-License-Identifier: Apache-2.0 */
#include "server/refresh_estimate.h"

#include "proto/encode.h"
#include "proto/model_name.h"
#include "server/activations.h"
#include "server/show.h"

#include <float.h>
#include <inttypes.h>
#include <string.h>

static const char the_report[] = "the report of a bridge";

/* ---- places in a report ---- */

static struct hl_field begin(struct hl_tokens *tokens, const struct hl_text *text,
                             struct hl_arena *arena)
{
    hl_tokens_init(tokens, text->text, text->len, arena);
    tokens->what = the_report;
    tokens->code = HL_DAMAGED;
    return hl_field_root(tokens);
}

/* A member's text; NULL where there is none. */
static enum hl_code find_member(const struct hl_text *text, const char *name,
                                struct hl_arena *arena, struct hl_text *ret_text,
                                struct hl_err *err)
{
    struct hl_text found = {NULL, 0};
    const struct hl_field *member;
    struct hl_tokens tokens;
    struct hl_object object;
    struct hl_field root;
    enum hl_code code = HL_OK;

    if (text->text && text->text[0] == '{') {
        root = begin(&tokens, text, arena);
        code = hl_object_begin(&root, &name, 1, &object, err);
        while (code == HL_OK && (code = hl_object_next(&object, &member, err)) == HL_OK &&
               member)
            if (object.which == 0)
                code = hl_field_span(member, &found.text, &found.len, err);
    }
    if (code == HL_OK)
        *ret_text = found;
    return code;
}

/* Names one inside of the other, NULL behind the last. */
static enum hl_code find_path(const struct hl_text *text, const char *const *names,
                              struct hl_arena *arena, struct hl_text *ret_text,
                              struct hl_err *err)
{
    struct hl_text found = *text;
    enum hl_code code = HL_OK;

    for (; code == HL_OK && *names; names++)
        code = find_member(&found, *names, arena, &found, err);
    if (code == HL_OK)
        *ret_text = found;
    return code;
}

/* ---- curves ---- */

/* `has_all` becomes false at the first figure that is not there. */
struct curve_reading {
    const struct hl_curve_wish *wish;
    struct hl_curve curve;
    size_t n_knots;
    bool has_all;
};

static enum hl_code read_number(struct curve_reading *reading, const struct hl_text *text,
                                const char *const *names, double *ret_value,
                                struct hl_err *err)
{
    struct hl_text number;
    struct hl_tokens tokens;
    struct hl_field root;
    enum hl_code code = find_path(text, names, reading->wish->arena, &number, err);

    if (code != HL_OK)
        return code;
    if (!number.text) {
        reading->has_all = false;
        return HL_OK;
    }
    root = begin(&tokens, &number, reading->wish->arena);
    return hl_field_double(&root, -DBL_MAX, DBL_MAX, ret_value, err);
}

static enum hl_code read_knot(struct curve_reading *reading, const struct hl_text *mix,
                              struct hl_err *err)
{
    const struct hl_curve_wish *wish = reading->wish;
    const char *const value_at[] = {hl_serving_name(wish->strategy), wish->figure, "value",
                                    NULL};
    static const char *const share_at[] = {"share", NULL};
    const size_t knot = reading->n_knots;
    double share = 0, value = 0;
    enum hl_code code = read_number(reading, mix, share_at, &share, err);

    if (code == HL_OK)
        code = read_number(reading, mix, value_at, &value, err);
    if (code != HL_OK)
        return code;
    if (knot == HL_CURVE_KNOTS || !(share > reading->curve.shares[knot - 1]) ||
        !(share < 1)) {
        reading->has_all = false;
        return HL_OK;
    }
    reading->curve.shares[knot] = share;
    reading->curve.values[knot] = value;
    reading->n_knots++;
    return HL_OK;
}

static enum hl_code read_knots(struct curve_reading *reading, struct hl_err *err)
{
    static const char *const mixes_at[] = {"measured", "strategies", "mixes", NULL};
    const struct hl_curve_wish *wish = reading->wish;
    const struct hl_field *item;
    struct hl_tokens tokens;
    struct hl_field root;
    struct hl_items items;
    struct hl_text mixes;
    enum hl_code code = find_path(&wish->report, mixes_at, wish->arena, &mixes, err);

    if (code != HL_OK || !mixes.text)
        return code;
    root = begin(&tokens, &mixes, wish->arena);
    code = hl_items_begin(&root, &items, err);
    while (code == HL_OK && (code = hl_items_next(&items, &item, err)) == HL_OK && item) {
        struct hl_text mix;

        code = hl_field_span(item, &mix.text, &mix.len, err);
        if (code == HL_OK)
            code = read_knot(reading, &mix, err);
    }
    return code;
}

enum hl_code hl_curve_read(const struct hl_curve_wish *wish, bool *ret_has,
                           struct hl_curve *ret_curve, struct hl_err *err)
{
    const char *const none_at[] = {"measured",   "groups", "all", "served",
                                   wish->figure, "value",  NULL};
    const char *const all_at[] = {"measured",   "groups", "all", "new_new",
                                  wish->figure, "value",  NULL};
    struct curve_reading reading = {.wish = wish, .n_knots = 1, .has_all = true};
    enum hl_code code;

    /* In the old space the last point changes everything: behind it there is no need of a
     * bridge. By dual each point that is embedded is searched as it is. */
    reading.curve.leads_to_all = wish->strategy == HL_SERVING_DUAL;
    code = read_number(&reading, &wish->report, none_at, &reading.curve.values[0], err);
    if (code == HL_OK)
        code = read_number(&reading, &wish->report, all_at, &reading.curve.all, err);
    if (code == HL_OK)
        code = read_knots(&reading, err);
    if (code != HL_OK)
        return code;
    *ret_has = reading.has_all && reading.n_knots == HL_CURVE_KNOTS;
    *ret_curve = reading.curve;
    return HL_OK;
}

double hl_curve_at(const struct hl_curve *curve, double share)
{
    const size_t last = HL_CURVE_KNOTS - 1;
    const double left = 1 - curve->shares[last];
    double rise, value;
    size_t i = 0;

    if (share >= 1)
        return curve->all;
    if (share >= curve->shares[last] && curve->leads_to_all)
        return curve->values[last] +
               (curve->all - curve->values[last]) * (share - curve->shares[last]) / left;
    while (i + 2 < HL_CURVE_KNOTS && share >= curve->shares[i + 1])
        i++;
    rise = (curve->values[i + 1] - curve->values[i]) /
           (curve->shares[i + 1] - curve->shares[i]);
    value = curve->values[i] + rise * (share - curve->shares[i]);
    return value < 0 ? 0 : value > 1 ? 1 : value;
}

/* ---- what is served ---- */

/* The bridge that leads into the space that was looked at, else that into the newest. */
static const struct hl_active *find_active(const struct hl_activations *activations,
                                           const struct hl_layout *layout, uint32_t from,
                                           const char *by)
{
    const struct hl_active *found = NULL;

    for (size_t i = 0; i < activations->n; i++) {
        const struct hl_active *active = &activations->list[i];
        const struct hl_space *to = hl_layout_space(layout, active->to);

        if (active->from != from || active->serving == HL_SERVING_FORWARD || !to)
            continue;
        if (by && strcmp(to->name, by) == 0)
            return active;
        if (!found || active->to > found->to)
            found = active;
    }
    return found;
}

static void print_curve(const struct hl_curve *curve,
                        const struct hl_refresh_estimate *estimate, struct hl_buf *buf)
{
    const double n = (double)estimate->n_points;
    const double now = hl_curve_at(curve, (double)estimate->n_have / n);
    const double next =
        hl_curve_at(curve, (double)(estimate->n_have + estimate->n_more) / n);

    hl_buf_add_text(buf, "{\"now\":");
    hl_encode_double(buf, now);
    hl_buf_add_text(buf, ",\"next\":");
    hl_encode_double(buf, next);
    hl_buf_add_text(buf, ",\"all\":");
    hl_encode_double(buf, curve->all);
    hl_buf_add_char(buf, '}');
}

static enum hl_code read_curves(const struct hl_holdings *holdings,
                                const struct hl_active *active, struct hl_arena *arena,
                                bool *ret_has, struct hl_curve curves[2],
                                struct hl_err *err)
{
    static const char *const figures[] = {"top1", "map"};
    struct hl_curve_wish wish = {.strategy = active->serving, .arena = arena};
    struct hl_store_record record;
    char key[HL_HOLDING_KEY];
    bool has = true;
    enum hl_code code;

    *ret_has = false;
    hl_holding_bridge_key(active->from, active->to, active->revision, key);
    code = hl_reader_record(holdings->reader, HL_HOLDING_BRIDGE_REPORT, key, &record, err);
    if (code == HL_NOT_FOUND)
        return HL_OK;
    if (code != HL_OK)
        return code;
    wish.report = (struct hl_text){record.body, record.size};
    for (size_t i = 0; code == HL_OK && has && i < 2; i++) {
        wish.figure = figures[i];
        code = hl_curve_read(&wish, &has, &curves[i], err);
    }
    *ret_has = has;
    return code;
}

enum hl_code hl_refresh_estimate_print(const struct hl_holdings *holdings,
                                       const struct hl_refresh_estimate *estimate,
                                       struct hl_arena *arena, struct hl_buf *buf,
                                       struct hl_err *err)
{
    const struct hl_text name = hl_model_meant_by(estimate->to);
    const struct hl_space *from = hl_layout_find(holdings->layout, &name);
    struct hl_activations *activations = hl_arena_alloc(arena, sizeof *activations);
    const struct hl_active *active = NULL;
    struct hl_curve curves[2];
    bool has = false;
    enum hl_code code;

    if (!activations)
        return hl_arena_fail(arena, err, "what is active");
    code = hl_activations_load(holdings->reader, activations, err);
    if (code == HL_OK && from && estimate->n_points > 0)
        active = find_active(activations, holdings->layout, from->id, estimate->by);
    if (active)
        code = read_curves(holdings, active, arena, &has, curves, err);
    if (code != HL_OK)
        return code;
    if (!has) {
        hl_encode_null(buf);
        return HL_OK;
    }
    hl_buf_add_text(buf, "{\"bridge\":{\"from\":");
    hl_show_model(buf, hl_layout_space(holdings->layout, active->from));
    hl_buf_add_text(buf, ",\"to\":");
    hl_show_model(buf, hl_layout_space(holdings->layout, active->to));
    hl_buf_print(buf,
                 ",\"revision\":%" PRIu64 "},\"strategy\":\"%s\",\"points\":%" PRIu64
                 ",\"top1\":",
                 active->revision, hl_serving_name(active->serving), estimate->n_more);
    print_curve(&curves[0], estimate, buf);
    hl_buf_add_text(buf, ",\"map\":");
    print_curve(&curves[1], estimate, buf);
    hl_buf_add_char(buf, '}');
    return HL_OK;
}
