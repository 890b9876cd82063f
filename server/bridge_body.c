/* SPDX-License-Identifier: Apache-2.0 */
#include "server/bridge_body.h"

#include "proto/members.h"

#include <float.h>
#include <string.h>

static const struct hl_token an_object = {.kind = HL_TOKEN_OBJECT_BEGIN};

/* ---- where rows come from ---- */

enum { DATASET, PAIRS, ITEMS, LABEL, LIMIT };

static enum hl_code read_points(const struct hl_field *member, bool *ret_is,
                                struct hl_err *err)
{
    static const char *const names[] = {"points"};
    size_t which = 0;
    enum hl_code code = hl_field_enum(member, names, 1, &which, err);

    *ret_is = code == HL_OK;
    return code;
}

/* `payload.city`: what is in front says that it is a key of payloads. */
static enum hl_code read_label(const struct hl_field *member, struct hl_path *ret_path,
                               struct hl_err *err)
{
    static const char front[] = "payload.";
    const size_t n = sizeof front - 1;
    struct hl_text text;
    enum hl_code code = hl_text_read(member, &text, err);

    if (code != HL_OK)
        return code;
    if (text.len <= n || memcmp(text.text, front, n) != 0)
        return hl_field_fail_value(member,
                                   (&(struct hl_token){.kind = HL_TOKEN_STRING,
                                                       .text = text.text,
                                                       .len = text.len}),
                                   "\"payload.\" and a key", err);
    return hl_path_parse(text.text + n, text.len - n, member->tokens->arena, ret_path, err);
}

static enum hl_code read_data_member(const struct hl_field *member, size_t which,
                                     void *self, struct hl_err *err)
{
    struct hl_bridge_data *data = self;

    switch (which) {
    case DATASET:
        return hl_text_read(member, &data->dataset, err);
    case PAIRS:
        return read_points(member, &data->has_pairs, err);
    case ITEMS:
        return read_points(member, &data->has_items, err);
    case LABEL:
        return read_label(member, &data->label, err);
    case LIMIT:
    default:
        return hl_field_u64(member, 1, HL_BRIDGE_MOST_POINTS, &data->limit, err);
    }
}

/* A dataset may have labelled items of the old model beside it, which have no pairs. */
static enum hl_code read_data(const struct hl_field *field, struct hl_bridge_data *data,
                              struct hl_err *err)
{
    static const char *const names[] = {[DATASET] = "dataset",
                                        [PAIRS] = "pairs",
                                        [ITEMS] = "items",
                                        [LABEL] = "label",
                                        [LIMIT] = "limit"};
    static const struct hl_members members = {HL_MEMBERS_OF(names), 0, read_data_member};
    enum hl_code code;

    data->limit = HL_BRIDGE_POINTS;
    code = hl_members_read(field, &members, data, err);
    if (code != HL_OK)
        return code;
    if (!data->dataset.text && !data->has_pairs && !data->has_items)
        return hl_field_fail_value(field, &an_object,
                                   "a \"dataset\", \"pairs\" of points or \"items\" of "
                                   "points with a \"label\"",
                                   err);
    if (data->has_pairs && (data->dataset.text || data->has_items))
        return hl_field_fail_value(field, &an_object, "\"pairs\" without anything else",
                                   err);
    if (data->has_items && data->label.n_steps == 0)
        return hl_field_fail_value(field, &an_object, "both \"items\" and \"label\"", err);
    if (data->label.n_steps > 0 && !data->has_items && !data->has_pairs)
        return hl_field_fail_value(field, &an_object, "\"label\" beside points", err);
    return HL_OK;
}

/* ---- learning ---- */

enum { DATA, CHOOSE, REPORT, KIND, TASK, SEED, FOCAL, HIDDEN, RANK };

static enum hl_code read_named(const struct hl_field *member, struct hl_text *ret_dataset,
                               struct hl_err *err)
{
    struct hl_bridge_data data = {.limit = 0};
    enum hl_code code = read_data(member, &data, err);

    if (code != HL_OK)
        return code;
    if (!data.dataset.text || data.has_items)
        return hl_field_fail_value(member, &an_object, "a \"dataset\" alone", err);
    *ret_dataset = data.dataset;
    return HL_OK;
}

static enum hl_code read_kind(const struct hl_field *member, enum hl_kind *ret_kind,
                              struct hl_err *err)
{
    const char *names[HL_N_KINDS];
    size_t which = 0;
    enum hl_code code;

    for (size_t i = 0; i < HL_N_KINDS; i++)
        names[i] = hl_kind_name((enum hl_kind)i);
    code = hl_field_enum(member, names, HL_N_KINDS, &which, err);
    *ret_kind = (enum hl_kind)which;
    return code;
}

static enum hl_code read_focal_member(const struct hl_field *member, size_t which,
                                      void *self, struct hl_err *err)
{
    struct hl_bridge_order *order = self;

    return hl_field_double(member, 0, 1e6, which == 0 ? &order->alpha : &order->beta, err);
}

static enum hl_code read_order_member(const struct hl_field *member, size_t which,
                                      void *self, struct hl_err *err)
{
    static const char *const tasks[] = {
        [HL_TASK_SIMILAR] = "similar", [HL_TASK_SAME] = "same"};
    static const char *const focal_names[] = {"alpha", "beta"};
    static const struct hl_members focal = {HL_MEMBERS_OF(focal_names), 0,
                                            read_focal_member};
    struct hl_bridge_order *order = self;
    size_t task = 0;
    enum hl_code code;

    switch (which) {
    case DATA:
        return read_data(member, &order->data, err);
    case CHOOSE:
        return read_named(member, &order->choose, err);
    case REPORT:
        return read_named(member, &order->report, err);
    case KIND:
        return read_kind(member, &order->kind, err);
    case TASK:
        code = hl_field_enum(member, tasks, 2, &task, err);
        order->task = (enum hl_task)task;
        return code;
    case SEED:
        return hl_field_u64(member, 0, UINT64_C(1) << 53, &order->seed, err);
    case FOCAL:
        return hl_members_read(member, &focal, order, err);
    case HIDDEN:
        return hl_field_u64(member, 1, 4096, &order->n_hidden, err);
    case RANK:
    default:
        return hl_field_u64(member, 1, 65536, &order->rank, err);
    }
}

enum hl_code hl_bridge_order_read(const struct hl_field *field,
                                  struct hl_bridge_order *ret_order, struct hl_err *err)
{
    static const char *const names[] = {
        [DATA] = "data",   [CHOOSE] = "choose", [REPORT] = "report",
        [KIND] = "kind",   [TASK] = "task",     [SEED] = "seed",
        [FOCAL] = "focal", [HIDDEN] = "hidden", [RANK] = "rank"};
    static const struct hl_members members = {HL_MEMBERS_OF(names), HL_MEMBER(DATA),
                                              read_order_member};
    struct hl_bridge_order order = {.kind = HL_KIND_AUTO, .seed = 1};
    enum hl_code code = hl_members_read(field, &members, &order, err);

    if (code == HL_OK)
        *ret_order = order;
    return code;
}

/* ---- activation ---- */

static const char *const strategies[] = {[HL_SERVING_AUTO] = "auto",
                                         [HL_SERVING_BACKWARD] = "backward",
                                         [HL_SERVING_DUAL] = "dual",
                                         [HL_SERVING_FORWARD] = "forward"};

const char *hl_serving_name(enum hl_serving strategy)
{
    return strategies[strategy];
}

/* "auto", or a number from 0 to 1. */
static enum hl_code read_fidelity(const struct hl_field *member,
                                  struct hl_activation *activation, struct hl_err *err)
{
    static const char *const autos[] = {"auto"};
    enum hl_token_kind kind = HL_TOKEN_END;
    size_t which = 0;
    enum hl_code code = hl_field_kind(member, &kind, err);

    if (code != HL_OK)
        return code;
    activation->is_auto = kind == HL_TOKEN_STRING;
    return activation->is_auto ? hl_field_enum(member, autos, 1, &which, err)
                               : hl_field_double(member, 0, 1, &activation->fidelity, err);
}

static enum hl_code read_activation_member(const struct hl_field *member, size_t which,
                                           void *self, struct hl_err *err)
{
    struct hl_activation *activation = self;
    size_t strategy = 0;
    enum hl_code code;

    if (which == 0)
        return hl_field_u64(member, 1, UINT32_MAX, &activation->revision, err);
    if (which == 2)
        return read_fidelity(member, activation, err);
    code = hl_field_enum(member, strategies, 4, &strategy, err);
    activation->strategy = (enum hl_serving)strategy;
    return code;
}

enum hl_code hl_activation_read(const struct hl_field *field,
                                struct hl_activation *ret_activation, struct hl_err *err)
{
    static const char *const names[] = {"revision", "strategy", "fidelity"};
    static const struct hl_members members = {HL_MEMBERS_OF(names), 0,
                                              read_activation_member};
    struct hl_activation activation = {.is_auto = true};
    enum hl_code code = hl_members_read(field, &members, &activation, err);

    if (code == HL_OK)
        *ret_activation = activation;
    return code;
}

/* ---- judging ---- */

static enum hl_code read_evaluation_member(const struct hl_field *member, size_t which,
                                           void *self, struct hl_err *err)
{
    struct hl_evaluation *evaluation = self;

    switch (which) {
    case 0:
        return hl_text_read(member, &evaluation->dataset, err);
    case 1:
        return hl_field_u64(member, 1, UINT32_MAX, &evaluation->revision, err);
    case 2:
        return hl_text_read(member, &evaluation->through, err);
    case 3:
        return hl_field_bool(member, &evaluation->is_bare, err);
    default:
        return hl_field_u64(member, 0, UINT64_C(1) << 53, &evaluation->seed, err);
    }
}

enum hl_code hl_evaluation_read(const struct hl_field *field,
                                struct hl_evaluation *ret_evaluation, struct hl_err *err)
{
    static const char *const names[] = {"dataset", "revision", "through", "bare", "seed"};
    static const struct hl_members members = {HL_MEMBERS_OF(names), HL_MEMBER(0),
                                              read_evaluation_member};
    struct hl_evaluation evaluation = {.seed = 1};
    enum hl_code code = hl_members_read(field, &members, &evaluation, err);

    if (code == HL_OK && evaluation.is_bare + (evaluation.through.text != NULL) +
                                 (evaluation.revision != 0) >
                             1)
        return hl_field_fail_value(field, &an_object,
                                   "one of \"revision\", \"through\" and \"bare\"", err);
    if (code == HL_OK)
        *ret_evaluation = evaluation;
    return code;
}
