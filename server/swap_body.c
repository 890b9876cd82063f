/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/encode.h"
#include "proto/members.h"
#include "proto/model_name.h"
#include "server/bridge_body.h"
#include "server/rollout_body.h"
#include "server/rollout_settings.h"
#include "server/swap.h"

#include <string.h>

/* In the order in which they are printed again. Those of learning, of activating and of the
 * rollout are called as in the bodies of those. */
enum {
    FROM,
    TO,
    TO_MODEL,
    DATA,
    CHOOSE,
    REPORT,
    KIND,
    TASK,
    SEED,
    FOCAL,
    HIDDEN,
    RANK,
    STRATEGY,
    FIDELITY,
    PROBES,
    GATES,
    GUARD,
    SAMPLE,
    TTL_S,
    STOP_AT,
    DRY_RUN,
    ANEW,
    N_NAMES
};

static const char *const names[N_NAMES] = {[FROM] = "from",         [TO] = "to",
                                           [TO_MODEL] = "to_model", [DATA] = "data",
                                           [CHOOSE] = "choose",     [REPORT] = "report",
                                           [KIND] = "kind",         [TASK] = "task",
                                           [SEED] = "seed",         [FOCAL] = "focal",
                                           [HIDDEN] = "hidden",     [RANK] = "rank",
                                           [STRATEGY] = "strategy", [FIDELITY] = "fidelity",
                                           [PROBES] = "probes",     [GATES] = "gates",
                                           [GUARD] = "guard",       [SAMPLE] = "sample",
                                           [TTL_S] = "ttl_s",       [STOP_AT] = "stop_at",
                                           [DRY_RUN] = "dry_run",   [ANEW] = "anew"};

static const char *const step_names[HL_N_SWAP_STEPS] = {[HL_SWAP_SNAPSHOT] = "snapshot",
                                                        [HL_SWAP_FIT] = "fit",
                                                        [HL_SWAP_GATE] = "gate",
                                                        [HL_SWAP_ACTIVATE] = "activate",
                                                        [HL_SWAP_SHADOW] = "shadow"};

const char *hl_swap_step_name(enum hl_swap_step step)
{
    return step_names[step];
}

/* A body under way. */
struct draft {
    struct hl_swap_order order;
    struct hl_span spans[N_NAMES]; /* without white space; of what is not there empty */
};

/* What a value says, however it was spaced. */
static enum hl_code keep_span(const struct hl_field *member, struct hl_span *ret_span,
                              struct hl_err *err)
{
    struct hl_tokens tokens = *member->tokens;
    struct hl_field copy = *member;
    const char *text = NULL;
    size_t len = 0, n = 0;
    bool is_string = false;
    char *kept;
    enum hl_code code;

    copy.tokens = &tokens;
    code = hl_field_span(&copy, &text, &len, err);
    if (code != HL_OK)
        return code;
    kept = hl_arena_alloc(tokens.arena, len + 1);
    if (!kept)
        return hl_arena_fail(tokens.arena, err, "the body");
    for (size_t i = 0; i < len; i++) {
        if (text[i] == '"')
            is_string = !is_string;
        if (!is_string && strchr(" \t\r\n", text[i]))
            continue;
        kept[n++] = text[i];
        if (is_string && text[i] == '\\')
            kept[n++] = text[++i];
    }
    kept[n] = '\0';
    *ret_span = (struct hl_span){kept, n};
    return HL_OK;
}

static enum hl_code read_stop(const struct hl_field *member, enum hl_swap_step *ret_step,
                              struct hl_err *err)
{
    size_t which = 0;
    enum hl_code code = hl_field_enum(member, step_names, HL_N_SWAP_STEPS, &which, err);

    *ret_step = (enum hl_swap_step)which;
    return code;
}

/* What belongs to learning, activating and the rollout is read by their readers, later. */
static enum hl_code read_own(const struct hl_field *member, size_t which,
                             struct hl_swap_order *order, struct hl_err *err)
{
    switch (which) {
    case FROM:
        return hl_text_read(member, &order->from, err);
    case TO:
        return hl_text_read(member, &order->to, err);
    case TO_MODEL:
        order->makes_model = true;
        return hl_dense_config_read(member, &order->model, err);
    case STOP_AT:
        return read_stop(member, &order->stop_at, err);
    case DRY_RUN:
        return hl_field_bool(member, &order->is_dry, err);
    case ANEW:
        return hl_field_bool(member, &order->is_anew, err);
    default:
        return hl_field_skip(member, err);
    }
}

static enum hl_code read_member(const struct hl_field *member, size_t which, void *self,
                                struct hl_err *err)
{
    struct draft *draft = self;
    enum hl_code code = keep_span(member, &draft->spans[which], err);

    return code == HL_OK ? read_own(member, which, &draft->order, err) : code;
}

/* ---- the parts of it ---- */

/* Which members a part has, and what they are called there. */
struct part {
    size_t first, last;
    const char *const *names;
};

static size_t add_text(char *text, size_t len, const char *more, size_t n)
{
    memcpy(text + len, more, n);
    return len + n;
}

/* `{"data":…,"kind":…}` of those that are there. */
static enum hl_code print_part(const struct draft *draft, const struct part *part,
                               struct hl_arena *arena, struct hl_span *ret_part,
                               struct hl_err *err)
{
    size_t size = 3, len = 0;
    char *text;

    for (size_t i = part->first; i <= part->last; i++)
        if (draft->spans[i].len > 0)
            size += strlen(part->names[i]) + draft->spans[i].len + 4;
    text = hl_arena_alloc(arena, size);
    if (!text)
        return hl_arena_fail(arena, err, "the body");
    text[len++] = '{';
    for (size_t i = part->first; i <= part->last; i++) {
        const struct hl_span *span = &draft->spans[i];

        if (span->len == 0)
            continue;
        len = add_text(text, len, ",\"", 2);
        len = add_text(text, len, part->names[i], strlen(part->names[i]));
        len = add_text(text, len, "\":", 2);
        len = add_text(text, len, span->data, span->len);
    }
    if (len > 1) /* the first has no comma before it */
        memmove(text + 1, text + 2, --len - 1);
    text[len++] = '}';
    text[len] = '\0';
    *ret_part = (struct hl_span){text, len};
    return HL_OK;
}

static enum hl_code check_learning(struct hl_swap_order *order, struct hl_arena *arena,
                                   struct hl_err *err)
{
    struct hl_bridge_order learning;
    struct hl_tokens tokens;
    struct hl_field root;
    enum hl_code code;

    hl_tokens_init(&tokens, order->fit.data, order->fit.len, arena);
    root = hl_field_root(&tokens);
    code = hl_bridge_order_read(&root, &learning, err);
    if (code != HL_OK)
        return code;
    order->dataset = learning.data.dataset;
    order->needs_pairs = learning.data.has_pairs;
    order->has_label = learning.data.label.n_steps > 0;
    order->kind = learning.kind;
    return HL_OK;
}

/* The body of PUT …/rollout says the same, but that a rollout has one gate. */
static enum hl_code check_rollout(const struct draft *draft, struct hl_arena *arena,
                                  struct hl_rollout *ret_wanted, struct hl_err *err)
{
    static const char *const put_names[N_NAMES] = {
        [FROM] = "from",   [TO] = "to",         [PROBES] = "probes", [GATES] = "gate",
        [GUARD] = "guard", [SAMPLE] = "sample", [TTL_S] = "ttl_s"};
    struct draft own = *draft;
    const struct part all = {FROM, TTL_S, put_names};
    struct hl_rollout_body body;
    struct hl_tokens tokens;
    struct hl_field root;
    struct hl_span text;
    enum hl_code code;

    for (size_t i = TO_MODEL; i < PROBES; i++)
        own.spans[i] = (struct hl_span){NULL, 0};
    code = print_part(&own, &all, arena, &text, err);
    if (code != HL_OK)
        return code;
    hl_tokens_init(&tokens, text.data, text.len, arena);
    root = hl_field_root(&tokens);
    code = hl_rollout_body_read(&root, &body, err);
    if (code == HL_OK)
        *ret_wanted = body.settings;
    return code;
}

static enum hl_code check_serving(struct hl_swap_order *order, struct hl_arena *arena,
                                  struct hl_err *err)
{
    struct hl_tokens tokens;
    struct hl_field root;

    hl_tokens_init(&tokens, order->serving.data, order->serving.len, arena);
    root = hl_field_root(&tokens);
    return hl_activation_read(&root, &order->activation, err);
}

static enum hl_code print_gate(struct hl_swap_order *order, struct hl_arena *arena,
                               struct hl_err *err)
{
    struct hl_buf buf;
    enum hl_code code;

    hl_buf_init(&buf, (size_t)64 << 10);
    hl_gates_print(&order->wanted.gate, &buf);
    code = hl_buf_check(&buf, "the gates", err);
    if (code == HL_OK)
        order->gate = (struct hl_span){hl_arena_copy(arena, buf.data, buf.len), buf.len};
    hl_buf_done(&buf);
    return code == HL_OK && !order->gate.data ? hl_arena_fail(arena, err, "the gates")
                                              : code;
}

enum hl_code hl_swap_order_read(const struct hl_field *field,
                                struct hl_swap_order *ret_order, struct hl_err *err)
{
    static const struct hl_members members = {
        HL_MEMBERS_OF(names), HL_MEMBER(FROM) | HL_MEMBER(TO) | HL_MEMBER(DATA),
        read_member};
    static const struct part learning = {DATA, RANK, names},
                             serving = {STRATEGY, FIDELITY, names},
                             asked = {FROM, TTL_S, names};
    struct hl_arena *arena = field->tokens->arena;
    struct draft draft = {.order = {.stop_at = HL_SWAP_SHADOW}};
    struct hl_swap_order *order = &draft.order;
    enum hl_code code = hl_members_read(field, &members, &draft, err);

    order->model.name = hl_model_meant_by(&order->to);
    if (code == HL_OK && order->makes_model)
        code = hl_vector_name_check(&order->model.name, err);
    if (code == HL_OK)
        code = print_part(&draft, &learning, arena, &order->fit, err);
    if (code == HL_OK)
        code = print_part(&draft, &serving, arena, &order->serving, err);
    if (code == HL_OK)
        code = print_part(&draft, &asked, arena, &order->asked, err);
    if (code == HL_OK)
        code = check_rollout(&draft, arena, &order->wanted, err);
    if (code == HL_OK)
        code = check_learning(order, arena, err);
    if (code == HL_OK)
        code = check_serving(order, arena, err);
    if (code == HL_OK)
        code = print_gate(order, arena, err);
    if (code == HL_OK)
        *ret_order = draft.order;
    return code;
}
