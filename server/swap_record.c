/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/encode.h"
#include "proto/members.h"
#include "server/swap.h"

#include <inttypes.h>
#include <string.h>

/* The record of a swap, JSON: what is kept here is not what the calls say. */
enum { LARGEST_RECORD = 1 << 20 };

enum {
    FROM,
    TO,
    ASKED,
    FIT,
    BEGAN_AT,
    CHANGED_AT,
    BY,
    STOP_AT,
    IS_OVER,
    SNAPSHOT,
    REVISION,
    GATE,
    FIGURES,
    ROLLOUT,
    STOPPED
};

static const char *const names[] = {[FROM] = "from",
                                    [TO] = "to",
                                    [ASKED] = "asked",
                                    [FIT] = "fit",
                                    [BEGAN_AT] = "began_at",
                                    [CHANGED_AT] = "changed_at",
                                    [BY] = "by",
                                    [STOP_AT] = "stop_at",
                                    [IS_OVER] = "is_over",
                                    [SNAPSHOT] = "snapshot",
                                    [REVISION] = "revision",
                                    [GATE] = "gate",
                                    [FIGURES] = "figures",
                                    [ROLLOUT] = "rollout",
                                    [STOPPED] = "stopped"};

/* ---- out ---- */

static void print_text(struct hl_buf *buf, const char *name, const char *text)
{
    hl_buf_add_char(buf, ',');
    hl_encode_key(buf, name);
    hl_encode_string(buf, text);
}

static void print_span(struct hl_buf *buf, const char *name, const struct hl_span *json)
{
    hl_buf_add_char(buf, ',');
    hl_encode_key(buf, name);
    if (json->len > 0)
        hl_buf_add(buf, json->data, json->len);
    else
        hl_encode_null(buf);
}

static void print_number(struct hl_buf *buf, const char *name, uint64_t number)
{
    hl_buf_add_char(buf, ',');
    hl_encode_key(buf, name);
    hl_encode_u64(buf, number);
}

static void print_record(const struct hl_swap *swap, struct hl_buf *buf)
{
    hl_buf_print(buf, "{\"from\":%" PRIu32 ",\"to\":%" PRIu32, swap->from, swap->to);
    print_span(buf, names[ASKED], &swap->asked);
    print_span(buf, names[FIT], &swap->fit);
    print_text(buf, names[BEGAN_AT], swap->began_at);
    print_text(buf, names[CHANGED_AT], swap->changed_at);
    print_text(buf, names[BY], swap->by);
    print_text(buf, names[STOP_AT], hl_swap_step_name(swap->stop_at));
    hl_buf_print(buf, ",\"is_over\":%s", swap->is_over ? "true" : "false");
    print_text(buf, names[SNAPSHOT], swap->snapshot);
    print_number(buf, names[REVISION], swap->revision);
    print_span(buf, names[GATE], &swap->gate);
    print_span(buf, names[FIGURES], &swap->figures);
    print_number(buf, names[ROLLOUT], swap->rollout);
    if (swap->is_stopped) {
        hl_buf_print(buf, ",\"stopped\":{\"at\":\"%s\",\"code\":\"%s\"",
                     hl_swap_step_name(swap->stopped_at), hl_code_name(swap->why.code));
        print_text(buf, "error", swap->why.msg);
        hl_buf_add_char(buf, '}');
    }
    hl_buf_add_char(buf, '}');
}

enum hl_code hl_swap_save(struct hl_writing *writing, const struct hl_swap *swap,
                          struct hl_err *err)
{
    struct hl_buf buf;
    enum hl_code code;

    hl_buf_init(&buf, LARGEST_RECORD);
    print_record(swap, &buf);
    code = hl_buf_check(&buf, "the record of a swap", err);
    if (code == HL_OK)
        code = hl_store_put_record(hl_writing_store(writing), HL_HOLDING_SWAP,
                                   HL_HOLDING_SWAP, buf.data, buf.len, err);
    hl_buf_done(&buf);
    return code;
}

/* ---- in ---- */

static enum hl_code read_space(const struct hl_field *member, uint32_t *ret_space,
                               struct hl_err *err)
{
    uint64_t space = 0;
    enum hl_code code = hl_field_u64(member, 0, UINT32_MAX, &space, err);

    *ret_space = (uint32_t)space;
    return code;
}

static enum hl_code read_span(const struct hl_field *member, struct hl_span *ret_span,
                              struct hl_err *err)
{
    return hl_field_span(member, &ret_span->data, &ret_span->len, err);
}

/* Into `size` bytes: what was printed from as many. */
static enum hl_code read_text(const struct hl_field *member, char *ret_text, size_t size,
                              struct hl_err *err)
{
    struct hl_text text = {"", 0};
    enum hl_code code = hl_text_read(member, &text, err);

    if (code == HL_OK && text.len < size) {
        memcpy(ret_text, text.text, text.len);
        ret_text[text.len] = '\0';
    }
    return code;
}

static enum hl_code read_step(const struct hl_field *member, enum hl_swap_step *ret_step,
                              struct hl_err *err)
{
    const char *steps[HL_N_SWAP_STEPS];
    size_t which = 0;
    enum hl_code code;

    for (size_t i = 0; i < HL_N_SWAP_STEPS; i++)
        steps[i] = hl_swap_step_name((enum hl_swap_step)i);
    code = hl_field_enum(member, steps, HL_N_SWAP_STEPS, &which, err);
    *ret_step = (enum hl_swap_step)which;
    return code;
}

/* A code that this version does not know is as good as any of ours. */
static enum hl_code read_code(const struct hl_field *member, enum hl_code *ret_code,
                              struct hl_err *err)
{
    struct hl_text text;
    enum hl_code code = hl_text_read(member, &text, err);

    *ret_code = HL_INTERNAL;
    for (unsigned i = 0; code == HL_OK && i < HL_N_CODES; i++)
        if (hl_text_is(&text, hl_code_name((enum hl_code)i)))
            *ret_code = (enum hl_code)i;
    return code;
}

static enum hl_code read_stopped(const struct hl_field *member, size_t which, void *self,
                                 struct hl_err *err)
{
    struct hl_swap *swap = self;

    swap->is_stopped = true;
    if (which == 0)
        return read_step(member, &swap->stopped_at, err);
    return which == 1 ? read_code(member, &swap->why.code, err)
                      : read_text(member, swap->why.msg, sizeof swap->why.msg, err);
}

static enum hl_code read_member(const struct hl_field *member, size_t which, void *self,
                                struct hl_err *err)
{
    static const char *const stopped_names[] = {"at", "code", "error"};
    static const struct hl_members stopped = {HL_MEMBERS_OF(stopped_names), 0,
                                              read_stopped};
    struct hl_swap *swap = self;

    switch (which) {
    case FROM:
        return read_space(member, &swap->from, err);
    case TO:
        return read_space(member, &swap->to, err);
    case ASKED:
        return read_span(member, &swap->asked, err);
    case FIT:
        return read_span(member, &swap->fit, err);
    case BEGAN_AT:
        return read_text(member, swap->began_at, sizeof swap->began_at, err);
    case CHANGED_AT:
        return read_text(member, swap->changed_at, sizeof swap->changed_at, err);
    case BY:
        return read_text(member, swap->by, sizeof swap->by, err);
    case STOP_AT:
        return read_step(member, &swap->stop_at, err);
    case IS_OVER:
        return hl_field_bool(member, &swap->is_over, err);
    case SNAPSHOT:
        return read_text(member, swap->snapshot, sizeof swap->snapshot, err);
    case REVISION:
        return hl_field_u64(member, 0, UINT64_MAX, &swap->revision, err);
    case GATE:
        return read_span(member, &swap->gate, err);
    case FIGURES:
        return read_span(member, &swap->figures, err);
    case ROLLOUT:
        return hl_field_u64(member, 0, UINT64_MAX, &swap->rollout, err);
    default:
        return hl_members_read(member, &stopped, swap, err);
    }
}

static enum hl_code read_record(const struct hl_span *text, struct hl_arena *arena,
                                struct hl_swap *swap, struct hl_err *err)
{
    static const struct hl_members members = {HL_MEMBERS_OF(names), 0, read_member};
    struct hl_tokens tokens;
    struct hl_field root;
    enum hl_code code;

    hl_tokens_init(&tokens, text->data, text->len, arena);
    tokens.what = "the record of a swap";
    tokens.code = HL_DAMAGED;
    root = hl_field_root(&tokens);
    code = hl_members_read(&root, &members, swap, err);
    return code == HL_OK ? hl_tokens_finish(&tokens, err) : code;
}

enum hl_code hl_swap_load(struct hl_reader *reader, struct hl_arena *arena,
                          struct hl_swap *ret_swap, struct hl_err *err)
{
    struct hl_swap swap = {.is_there = true};
    struct hl_store_record record;
    struct hl_span text;
    enum hl_code code =
        hl_reader_record(reader, HL_HOLDING_SWAP, HL_HOLDING_SWAP, &record, err);

    if (code == HL_NOT_FOUND) {
        *ret_swap = (struct hl_swap){.is_there = false};
        return HL_OK;
    }
    if (code != HL_OK)
        return code;
    text = (struct hl_span){hl_arena_copy(arena, record.body, record.size), record.size};
    if (!text.data)
        return hl_arena_fail(arena, err, "the record of a swap");
    code = read_record(&text, arena, &swap, err);
    if (code == HL_OK)
        *ret_swap = swap;
    return code;
}
