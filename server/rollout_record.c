/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/encode.h"
#include "proto/members.h"
#include "server/rollout_part.h"
#include "server/rollout_settings.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

enum { RECORD_MEMORY = 64 << 10, LARGEST_RECORD = 16 << 10 };

static const char the_key[] = "now";

static const char *const stage_names[] = {[HL_STAGE_NONE] = "none",
                                          [HL_STAGE_SHADOW] = "shadow",
                                          [HL_STAGE_CANARY] = "canary",
                                          [HL_STAGE_LIVE] = "live",
                                          [HL_STAGE_ABORTED] = "aborted"};

const char *hl_stage_name(enum hl_stage stage)
{
    return stage_names[stage];
}

enum {
    NUMBER,
    STEP,
    STAGE_STEP,
    STAGE,
    FROM,
    TO,
    PERCENT,
    PROBES,
    GATE,
    GUARD,
    SAMPLE,
    TTL,
    BASELINE,
    MODEL,
    BEGAN_AT,
    CHANGED_AT,
    CHANGED_BY
};

static enum hl_code read_space(const struct hl_field *member, uint32_t *ret_space,
                               struct hl_err *err)
{
    uint64_t space = 0;
    enum hl_code code = hl_field_u64(member, 0, UINT32_MAX, &space, err);

    *ret_space = (uint32_t)space;
    return code;
}

static enum hl_code read_words(const struct hl_field *member, char *words, size_t size,
                               struct hl_err *err)
{
    const char *text;
    size_t len;
    enum hl_code code = hl_field_string(member, &text, &len, err);

    if (code == HL_OK)
        (void)snprintf(words, size, "%.*s", (int)len, text);
    return code;
}

static enum hl_code read_stage(const struct hl_field *member, enum hl_stage *ret_stage,
                               struct hl_err *err)
{
    size_t which = 0;
    enum hl_code code = hl_field_enum(
        member, stage_names, sizeof stage_names / sizeof *stage_names, &which, err);

    *ret_stage = (enum hl_stage)which;
    return code;
}

static enum hl_code read_baseline_member(const struct hl_field *member, size_t which,
                                         void *self, struct hl_err *err)
{
    struct hl_baseline *baseline = self;

    return hl_field_u64(member, 0, UINT64_MAX, which == 0 ? &baseline->n : &baseline->flips,
                        err);
}

static enum hl_code read_baseline(const struct hl_field *member,
                                  struct hl_baseline *baseline, struct hl_err *err)
{
    static const char *const names[] = {"n", "flips"};
    static const struct hl_members members = {HL_MEMBERS_OF(names), 0,
                                              read_baseline_member};

    return hl_members_read(member, &members, baseline, err);
}

/* Numbers and moments; the others are read_member's. */
static enum hl_code read_plain(const struct hl_field *member, size_t which,
                               struct hl_rollout *rollout, struct hl_err *err)
{
    uint64_t ttl = 0;
    enum hl_code code;

    switch (which) {
    case NUMBER:
        return hl_field_u64(member, 1, UINT64_MAX, &rollout->number, err);
    case STEP:
        return hl_field_u64(member, 1, UINT64_MAX, &rollout->step, err);
    case STAGE_STEP:
        return hl_field_u64(member, 1, UINT64_MAX, &rollout->stage_step, err);
    case PERCENT:
        return hl_field_double(member, 0, 100, &rollout->percent, err);
    case SAMPLE:
        return hl_field_double(member, 0, 1, &rollout->sample, err);
    case TTL:
        code = hl_field_u64(member, 0, HL_ROLLOUT_MAX_TTL_S, &ttl, err);
        rollout->ttl_s = (uint32_t)ttl;
        return code;
    case BEGAN_AT:
        return read_words(member, rollout->began_at, sizeof rollout->began_at, err);
    case CHANGED_AT:
        return read_words(member, rollout->changed_at, sizeof rollout->changed_at, err);
    case CHANGED_BY:
    default:
        return read_words(member, rollout->changed_by, sizeof rollout->changed_by, err);
    }
}

static enum hl_code read_member(const struct hl_field *member, size_t which, void *self,
                                struct hl_err *err)
{
    struct hl_rollout *rollout = self;

    switch (which) {
    case STAGE:
        return read_stage(member, &rollout->stage, err);
    case FROM:
        return read_space(member, &rollout->from, err);
    case TO:
        return read_space(member, &rollout->to, err);
    case MODEL:
        return read_space(member, &rollout->model, err);
    case PROBES:
        return read_words(member, rollout->probes, sizeof rollout->probes, err);
    case GATE:
        return hl_gates_read(member, &rollout->gate, err);
    case GUARD:
        return hl_guard_read(member, &rollout->guard, err);
    case BASELINE:
        return read_baseline(member, &rollout->baseline, err);
    default:
        return read_plain(member, which, rollout, err);
    }
}

static enum hl_code decode(const struct hl_store_record *record, struct hl_arena *arena,
                           struct hl_rollout *rollout, struct hl_err *err)
{
    static const char *const names[] = {[NUMBER] = "number",
                                        [STEP] = "step",
                                        [STAGE_STEP] = "stage_step",
                                        [STAGE] = "stage",
                                        [FROM] = "from",
                                        [TO] = "to",
                                        [PERCENT] = "percent",
                                        [PROBES] = "probes",
                                        [GATE] = "gate",
                                        [GUARD] = "guard",
                                        [SAMPLE] = "sample",
                                        [TTL] = "ttl_s",
                                        [BASELINE] = "baseline",
                                        [MODEL] = "model",
                                        [BEGAN_AT] = "began_at",
                                        [CHANGED_AT] = "changed_at",
                                        [CHANGED_BY] = "changed_by"};
    static const struct hl_members members = {HL_MEMBERS_OF(names),
                                              HL_MEMBER(NUMBER) | HL_MEMBER(STEP) |
                                                  HL_MEMBER(STAGE_STEP) | HL_MEMBER(STAGE) |
                                                  HL_MEMBER(FROM) | HL_MEMBER(TO),
                                              read_member};
    struct hl_tokens tokens;
    struct hl_field root;
    struct hl_err why;
    enum hl_code code;

    hl_tokens_init(&tokens, record->body, record->size, arena);
    tokens.what = "the record of a rollout";
    tokens.code = HL_DAMAGED;
    root = hl_field_root(&tokens);
    code = hl_members_read(&root, &members, rollout, &why);
    if (code == HL_OK)
        return HL_OK;
    return hl_fail(err, code == HL_NO_MEMORY ? code : HL_DAMAGED, "%s", why.msg);
}

enum hl_code hl_rollout_load(struct hl_reader *reader, struct hl_rollout *ret_rollout,
                             struct hl_err *err)
{
    struct hl_rollout rollout = hl_rollout_default();
    struct hl_store_record record;
    struct hl_arena *arena;
    enum hl_code code = hl_reader_record(reader, HL_HOLDING_ROLLOUT, the_key, &record, err);

    if (code == HL_NOT_FOUND) {
        *ret_rollout = rollout;
        return HL_OK;
    }
    if (code != HL_OK)
        return code;
    arena = hl_arena_new(RECORD_MEMORY);
    if (!arena)
        return hl_fail(err, HL_NO_MEMORY, "no memory for a rollout");
    code = decode(&record, arena, &rollout, err);
    hl_arena_free(arena);
    if (code == HL_OK)
        *ret_rollout = rollout;
    return code;
}

static void print_words(struct hl_buf *buf, const char *name, const char *words)
{
    hl_buf_print(buf, ",\"%s\":", name);
    hl_encode_string(buf, words);
}

enum hl_code hl_rollout_save(struct hl_writing *writing, const struct hl_rollout *rollout,
                             struct hl_err *err)
{
    struct hl_buf buf;
    enum hl_code code;

    hl_buf_init(&buf, LARGEST_RECORD);
    hl_buf_print(&buf,
                 "{\"number\":%" PRIu64 ",\"step\":%" PRIu64 ",\"stage_step\":%" PRIu64
                 ",\"stage\":\"%s\",\"from\":%" PRIu32 ",\"to\":%" PRIu32 ",\"percent\":",
                 rollout->number, rollout->step, rollout->stage_step,
                 hl_stage_name(rollout->stage), rollout->from, rollout->to);
    hl_encode_double(&buf, rollout->percent);
    print_words(&buf, "probes", rollout->probes);
    hl_buf_add_text(&buf, ",\"gate\":");
    hl_gates_print(&rollout->gate, &buf);
    hl_buf_add_text(&buf, ",\"guard\":");
    hl_guard_print(&rollout->guard, &buf);
    hl_buf_add_text(&buf, ",\"sample\":");
    hl_encode_double(&buf, rollout->sample);
    hl_buf_print(&buf,
                 ",\"ttl_s\":%" PRIu32 ",\"baseline\":{\"n\":%" PRIu64 ",\"flips\":%" PRIu64
                 "},\"model\":%" PRIu32,
                 rollout->ttl_s, rollout->baseline.n, rollout->baseline.flips,
                 rollout->model);
    print_words(&buf, "began_at", rollout->began_at);
    print_words(&buf, "changed_at", rollout->changed_at);
    print_words(&buf, "changed_by", rollout->changed_by);
    hl_buf_add_char(&buf, '}');
    code = hl_buf_check(&buf, "the record of a rollout", err);
    if (code == HL_OK)
        code = hl_store_put_record(hl_writing_store(writing), HL_HOLDING_ROLLOUT, the_key,
                                   buf.data, buf.len, err);
    hl_buf_done(&buf);
    return code;
}
