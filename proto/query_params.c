/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/query_params.h"
#include "proto/members.h"
#include "proto/model_name.h"

#include <float.h>

enum {
    HNSW_EF,
    EXACT,
    QUANTIZATION,
    INDEXED_ONLY,
    ACORN,
    IDF,
    ACROSS,
    EXPLAIN,
    FIDELITY,
    SCORE_SCALE,
    MODALITY,
    TASK,
    KEY
};

/* Kept from changing an answer by what they are here: codes are always checked against the
 * floats, and filters are always walked with. */
static enum hl_code read_quantization_member(const struct hl_field *member, size_t which,
                                             void *self, struct hl_err *err)
{
    bool is_on;
    double factor;

    (void)self;
    if (which == 2)
        return hl_field_double(member, 1, DBL_MAX, &factor, err);
    return hl_field_bool(member, &is_on, err);
}

static enum hl_code read_acorn_member(const struct hl_field *member, size_t which,
                                      void *self, struct hl_err *err)
{
    bool is_on;
    double share;

    (void)self;
    return which == 0 ? hl_field_bool(member, &is_on, err)
                      : hl_field_double(member, 0, 1, &share, err);
}

static enum hl_code read_idf(const struct hl_field *member, struct hl_err *err)
{
    static const char *const names[] = {"global"};
    enum hl_token_kind kind;
    size_t which;
    enum hl_code code = hl_field_kind(member, &kind, err);

    if (code == HL_OK && kind == HL_TOKEN_OBJECT_BEGIN)
        return hl_member_refuse(member, "sparse vectors are searched by dot product", err);
    return code == HL_OK ? hl_field_enum(member, names, 1, &which, err) : code;
}

/* ---- ours ---- */

static enum hl_code read_across(const struct hl_field *member,
                                struct hl_query_params *params, struct hl_err *err)
{
    bool is_across = true;
    enum hl_code code = hl_field_bool(member, &is_across, err);

    params->is_own_only = !is_across;
    return code;
}

static enum hl_code read_fidelity(const struct hl_field *member,
                                  struct hl_query_params *params, struct hl_err *err)
{
    static const char *const names[] = {"auto"};
    struct hl_token next;
    double fidelity = 0;
    size_t which;
    enum hl_code code = hl_tokens_peek(member->tokens, &next, err);

    if (code != HL_OK)
        return code;
    if (next.kind == HL_TOKEN_STRING) {
        params->dial = HL_DIAL_AUTO;
        return hl_field_enum(member, names, 1, &which, err);
    }
    if (next.kind != HL_TOKEN_NUMBER)
        return hl_field_fail_type(member, "a number or \"auto\"", &next, err);
    code = hl_field_double(member, 0, 1, &fidelity, err);
    params->dial = HL_DIAL_SET;
    params->fidelity = (float)fidelity;
    return code;
}

static enum hl_code read_modality(const struct hl_field *member,
                                  struct hl_query_params *params, struct hl_err *err)
{
    static const char *const names[] = {"image", "text"};
    size_t which = 0;
    enum hl_code code = hl_field_enum(member, names, 2, &which, err);

    params->is_text = which == 1;
    return code;
}

static enum hl_code read_task(const struct hl_field *member, struct hl_query_params *params,
                              struct hl_err *err)
{
    static const char *const names[] = {"similar", "same"};
    size_t which = 0;
    enum hl_code code = hl_field_enum(member, names, 2, &which, err);

    params->task = which == 0 ? HL_QUERY_TASK_SIMILAR : HL_QUERY_TASK_SAME;
    return code;
}

static enum hl_code read_score_scale(const struct hl_field *member,
                                     struct hl_query_params *params, struct hl_err *err)
{
    enum hl_code code = hl_text_read(member, &params->score_scale, err);

    if (code == HL_OK)
        params->score_scale = hl_model_meant_by(&params->score_scale);
    return code;
}

static enum hl_code read_ours(const struct hl_field *member, size_t which,
                              struct hl_query_params *params, struct hl_err *err)
{
    switch (which) {
    case ACROSS:
        return read_across(member, params, err);
    case EXPLAIN:
        return hl_field_bool(member, &params->explains, err);
    case FIDELITY:
        return read_fidelity(member, params, err);
    case SCORE_SCALE:
        return read_score_scale(member, params, err);
    case MODALITY:
        return read_modality(member, params, err);
    case TASK:
        return read_task(member, params, err);
    default:
        return hl_text_read(member, &params->key, err);
    }
}

static enum hl_code read_params_member(const struct hl_field *member, size_t which,
                                       void *self, struct hl_err *err)
{
    static const char *const quantization_names[] = {"ignore", "rescore", "oversampling"};
    static const struct hl_members quantization = {HL_MEMBERS_OF(quantization_names), 0,
                                                   read_quantization_member};
    static const char *const acorn_names[] = {"enable", "max_selectivity"};
    static const struct hl_members acorn = {HL_MEMBERS_OF(acorn_names), 0,
                                            read_acorn_member};
    struct hl_query_params *params = self;

    switch (which) {
    case HNSW_EF:
        return hl_limit_read(member, &params->hnsw_ef, err);
    case EXACT:
        return hl_field_bool(member, &params->exact, err);
    case INDEXED_ONLY:
        return hl_field_bool(member, &params->indexed_only, err);
    case QUANTIZATION:
        return hl_members_read(member, &quantization, NULL, err);
    case ACORN:
        return hl_members_read(member, &acorn, NULL, err);
    case IDF:
        return read_idf(member, err);
    default:
        return read_ours(member, which, params, err);
    }
}

enum hl_code hl_query_params_read(const struct hl_field *field,
                                  struct hl_query_params *ret_params, struct hl_err *err)
{
    static const char *const names[] = {[HNSW_EF] = "hnsw_ef",
                                        [EXACT] = "exact",
                                        [QUANTIZATION] = "quantization",
                                        [INDEXED_ONLY] = "indexed_only",
                                        [ACORN] = "acorn",
                                        [IDF] = "idf",
                                        [ACROSS] = "across",
                                        [EXPLAIN] = "explain",
                                        [FIDELITY] = "fidelity",
                                        [SCORE_SCALE] = "score_scale",
                                        [MODALITY] = "modality",
                                        [TASK] = "task",
                                        [KEY] = "key"};
    static const struct hl_members members = {HL_MEMBERS_OF(names), 0, read_params_member};
    struct hl_query_params params = {0};
    enum hl_code code = hl_members_read(field, &members, &params, err);

    if (code == HL_OK)
        *ret_params = params;
    return code;
}
