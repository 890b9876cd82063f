/* SPDX-License-Identifier: Apache-2.0 */
#include "server/activations.h"

#include "proto/encode.h"
#include "proto/members.h"
#include "server/plan.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ACTIVE = 256, TEXT_MEMORY = 64 << 10 };

static const char the_number[] = "number"; /* key of HL_HOLDING_PLANS */

/* ---- one record ---- */

/* Two lines, each a JSON object that begins with its revision, or null. */
struct lines {
    char current[ACTIVE], previous[ACTIVE];
};

static const char opening[] = "{\"revision\":";

static uint64_t revision_of(const char *text)
{
    return text[0] == '{' ? strtoull(text + sizeof opening - 1, NULL, 10) : 0;
}

static enum hl_code split(const struct hl_store_record *record, struct lines *lines,
                          struct hl_err *err)
{
    const char *body = record->body, *line = memchr(body, '\n', record->size);

    if (!line)
        return hl_fail(err, HL_DAMAGED, "the record of an activation is not one");
    (void)snprintf(lines->current, ACTIVE, "%.*s", (int)(line - body), body);
    (void)snprintf(lines->previous, ACTIVE, "%.*s",
                   (int)(record->size - (size_t)(line + 1 - body)), line + 1);
    return HL_OK;
}

static enum hl_code load_lines(const struct hl_holdings *holdings,
                               const struct hl_bridge_pair *pair, struct lines *lines,
                               struct hl_err *err)
{
    struct hl_store_record record;
    char key[HL_HOLDING_KEY];
    enum hl_code code;

    *lines = (struct lines){"null", "null"};
    hl_holding_pair_key(pair->from.space, pair->to.space, key);
    code = hl_reader_record(holdings->reader, HL_HOLDING_ACTIVATION, key, &record, err);
    if (code == HL_NOT_FOUND)
        return HL_OK;
    return code == HL_OK ? split(&record, lines, err) : code;
}

static enum hl_code print_line(const struct hl_activation *activation, char text[ACTIVE],
                               struct hl_err *err)
{
    char moment[HL_MOMENT];
    struct hl_buf fidelity;
    enum hl_code code;

    hl_buf_init(&fidelity, 64);
    if (activation->is_auto)
        hl_buf_add_text(&fidelity, "\"auto\"");
    else
        hl_encode_double(&fidelity, activation->fidelity);
    hl_moment_now(moment);
    (void)snprintf(text, ACTIVE,
                   "%s%" PRIu64 ",\"strategy\":\"%s\",\"fidelity\":%s,\"serving\":\"%s\","
                   "\"activated_at\":\"%s\"}",
                   opening, activation->revision, hl_serving_name(activation->strategy),
                   fidelity.data, hl_serving_name(activation->serving), moment);
    code = hl_buf_check(&fidelity, "an activation", err);
    hl_buf_done(&fidelity);
    return code;
}

/* ---- all of them ---- */

enum { REVISION, STRATEGY, SERVING, FIDELITY, AT };

static enum hl_code read_strategy(const struct hl_field *member, enum hl_serving *ret,
                                  struct hl_err *err)
{
    const char *names[] = {
        hl_serving_name(HL_SERVING_AUTO), hl_serving_name(HL_SERVING_BACKWARD),
        hl_serving_name(HL_SERVING_DUAL), hl_serving_name(HL_SERVING_FORWARD)};
    size_t which = 0;
    enum hl_code code = hl_field_enum(member, names, 4, &which, err);

    *ret = (enum hl_serving)which;
    return code;
}

static enum hl_code read_moment(const struct hl_field *member, char at[HL_MOMENT],
                                struct hl_err *err)
{
    const char *text;
    size_t len;
    enum hl_code code = hl_field_string(member, &text, &len, err);

    if (code == HL_OK)
        (void)snprintf(at, HL_MOMENT, "%.*s", (int)len, text);
    return code;
}

static enum hl_code read_member(const struct hl_field *member, size_t which, void *self,
                                struct hl_err *err)
{
    struct hl_active *active = self;
    enum hl_token_kind kind = HL_TOKEN_END;
    enum hl_code code = HL_OK;

    switch (which) {
    case REVISION:
        return hl_field_u64(member, 1, UINT64_MAX, &active->revision, err);
    case STRATEGY:
        return read_strategy(member, &active->strategy, err);
    case SERVING:
        return read_strategy(member, &active->serving, err);
    case FIDELITY:
        code = hl_field_kind(member, &kind, err);
        active->is_auto = code == HL_OK && kind == HL_TOKEN_STRING;
        if (code == HL_OK && !active->is_auto)
            code = hl_field_double(member, 0, 1, &active->fidelity, err);
        return code == HL_OK && active->is_auto ? hl_field_skip(member, err) : code;
    case AT:
    default:
        return read_moment(member, active->at, err);
    }
}

struct scan {
    struct hl_activations *activations;
    struct hl_arena *arena;
    enum hl_code code;
    struct hl_err err;
};

static enum hl_code read_line(struct scan *scan, const char *text, struct hl_active *active)
{
    static const char *const names[] = {[REVISION] = "revision",
                                        [STRATEGY] = "strategy",
                                        [SERVING] = "serving",
                                        [FIDELITY] = "fidelity",
                                        [AT] = "activated_at"};
    static const struct hl_members members = {HL_MEMBERS_OF(names), HL_MEMBER(REVISION),
                                              read_member};
    struct hl_tokens tokens;
    struct hl_field root;
    struct hl_err why;
    enum hl_code code;

    hl_arena_reset(scan->arena);
    hl_tokens_init(&tokens, text, strlen(text), scan->arena);
    tokens.what = "the record of an activation";
    tokens.code = HL_DAMAGED;
    root = hl_field_root(&tokens);
    code = hl_members_read(&root, &members, active, &why);
    if (code == HL_OK)
        return HL_OK;
    return hl_fail(&scan->err, code == HL_NO_MEMORY ? code : HL_DAMAGED, "%s", why.msg);
}

static bool take_record(void *self, const struct hl_store_record *record)
{
    struct scan *scan = self;
    struct hl_activations *activations = scan->activations;
    struct hl_active active = {.serving = HL_SERVING_AUTO};
    struct lines lines;
    char *end = NULL;

    scan->code = split(record, &lines, &scan->err);
    if (scan->code != HL_OK || revision_of(lines.current) == 0)
        return scan->code == HL_OK;
    active.from = (uint32_t)strtoul(record->key, &end, 16);
    active.to = *end == '-' ? (uint32_t)strtoul(end + 1, NULL, 16) : 0;
    scan->code = read_line(scan, lines.current, &active);
    if (scan->code != HL_OK || active.serving == HL_SERVING_AUTO)
        return scan->code == HL_OK;
    if (activations->n == HL_MOST_ACTIVE)
        scan->code = hl_fail(&scan->err, HL_DAMAGED, "more than %d bridges are active",
                             HL_MOST_ACTIVE);
    else
        activations->list[activations->n++] = active;
    return scan->code == HL_OK;
}

enum hl_code hl_activations_load(struct hl_reader *reader,
                                 struct hl_activations *ret_activations, struct hl_err *err)
{
    struct scan scan = {.activations = ret_activations, .arena = hl_arena_new(TEXT_MEMORY)};
    enum hl_code code;

    *ret_activations = (struct hl_activations){.n = 0};
    if (!scan.arena)
        return hl_fail(err, HL_NO_MEMORY, "no memory for activations");
    code = hl_reader_records(reader, HL_HOLDING_ACTIVATION, take_record, &scan, err);
    if (code == HL_OK && scan.code != HL_OK) {
        *err = scan.err;
        code = scan.code;
    }
    hl_arena_free(scan.arena);
    return code == HL_OK ? hl_holding_number(reader, HL_HOLDING_PLANS, the_number,
                                             &ret_activations->number, err)
                         : code;
}

const struct hl_active *hl_activations_find(const struct hl_activations *activations,
                                            uint32_t from, uint32_t to)
{
    for (size_t i = 0; i < activations->n; i++)
        if (activations->list[i].from == from && activations->list[i].to == to)
            return &activations->list[i];
    return NULL;
}

bool hl_active_is(const struct hl_active *active, const struct hl_activation *activation)
{
    if (!active || !activation)
        return !active && !activation;
    return active->revision == activation->revision &&
           active->strategy == activation->strategy &&
           active->serving == activation->serving &&
           active->is_auto == activation->is_auto &&
           (active->is_auto || (active->fidelity >= activation->fidelity &&
                                active->fidelity <= activation->fidelity));
}

static bool is_before(const struct hl_active *active, uint32_t from, uint32_t to)
{
    return active->from != from ? active->from < from : active->to < to;
}

enum hl_code hl_activations_set(struct hl_activations *activations, uint32_t from,
                                uint32_t to, const struct hl_activation *activation,
                                struct hl_err *err)
{
    struct hl_active *list = activations->list;
    size_t at = 0, n_there;

    while (at < activations->n && is_before(&list[at], from, to))
        at++;
    n_there = at < activations->n && list[at].from == from && list[at].to == to;
    if (activation && n_there == 0 && activations->n == HL_MOST_ACTIVE)
        return hl_fail(err, HL_CONFLICT, "%d bridges are active: one more is too many",
                       HL_MOST_ACTIVE);
    if (!activation || n_there == 0)
        memmove(&list[at + (activation ? 1 : 0)], &list[at + n_there],
                (activations->n - at - n_there) * sizeof *list);
    activations->n += (activation ? 1 : 0);
    activations->n -= n_there;
    if (!activation)
        return HL_OK;
    list[at] = (struct hl_active){.from = from,
                                  .to = to,
                                  .revision = activation->revision,
                                  .strategy = activation->strategy,
                                  .serving = activation->serving,
                                  .is_auto = activation->is_auto,
                                  .fidelity = activation->fidelity};
    hl_moment_now(list[at].at);
    return HL_OK;
}

/* ---- changes ---- */

static enum hl_code put_lines(struct hl_writing *writing, const struct hl_bridge_pair *pair,
                              const char *current, const char *previous, struct hl_err *err)
{
    char key[HL_HOLDING_KEY], body[2 * ACTIVE + 2];

    hl_holding_pair_key(pair->from.space, pair->to.space, key);
    (void)snprintf(body, sizeof body, "%s\n%s", current, previous);
    return hl_store_put_record(hl_writing_store(writing), HL_HOLDING_ACTIVATION, key, body,
                               strlen(body), err);
}

enum hl_code hl_activation_put(struct hl_writing *writing,
                               const struct hl_bridge_pair *pair,
                               const struct hl_activation *activation, struct hl_err *err)
{
    const struct hl_holdings inside = hl_holdings_inside(writing);
    struct hl_activations now;
    struct lines lines;
    uint64_t number;
    char next[ACTIVE] = "null";
    bool is_so;
    enum hl_code code = load_lines(&inside, pair, &lines, err);

    if (code == HL_OK)
        code = hl_activations_load(inside.reader, &now, err);
    if (code == HL_OK && activation)
        code = print_line(activation, next, err);
    if (code != HL_OK)
        return code;
    is_so = hl_active_is(hl_activations_find(&now, pair->from.space, pair->to.space),
                         activation);
    /* What was noted before there was anything served is not active, and goes too. */
    if (is_so && (activation || revision_of(lines.current) == 0))
        return HL_OK;
    code = put_lines(writing, pair, next, lines.current, err);
    return code == HL_OK
               ? hl_holding_count_up(writing, HL_HOLDING_PLANS, the_number, &number, err)
               : code;
}

enum hl_code hl_activation_forget(struct hl_writing *writing,
                                  const struct hl_bridge_pair *pair, uint64_t revision,
                                  struct hl_err *err)
{
    const struct hl_holdings inside = hl_holdings_inside(writing);
    struct lines lines;
    enum hl_code code = load_lines(&inside, pair, &lines, err);
    const uint64_t previous = code == HL_OK ? revision_of(lines.previous) : 0;

    if (previous == 0 || (revision != 0 && revision != previous))
        return code;
    return put_lines(writing, pair, lines.current, "null", err);
}

/* ---- looking ---- */

enum hl_code hl_activation_revisions(const struct hl_holdings *holdings,
                                     const struct hl_bridge_pair *pair,
                                     uint64_t *ret_current, uint64_t *ret_previous,
                                     struct hl_err *err)
{
    struct lines lines;
    enum hl_code code = load_lines(holdings, pair, &lines, err);

    if (code != HL_OK)
        return code;
    *ret_current = revision_of(lines.current);
    *ret_previous = revision_of(lines.previous);
    return HL_OK;
}

/* Beside other activations it may be served another way than it was recorded as. */
static void print_current(const struct hl_activations *all,
                          const struct hl_bridge_pair *pair, const char *line,
                          struct hl_buf *buf)
{
    static const char serving[] = "\"serving\":\"";
    const struct hl_active *active =
        hl_activations_find(all, pair->from.space, pair->to.space);
    const char *at = active ? strstr(line, serving) : NULL;
    const char *end = at ? strchr(at + sizeof serving - 1, '"') : NULL;

    if (end)
        hl_buf_print(buf, "%.*s%s%s%s", (int)(at - line), line, serving,
                     hl_serving_name(hl_plan_serving(all, active)), end);
    else
        hl_buf_add_text(buf, line);
}

enum hl_code hl_activation_print(const struct hl_holdings *holdings,
                                 const struct hl_bridge_pair *pair, struct hl_buf *buf,
                                 struct hl_err *err)
{
    struct hl_activations all;
    struct lines lines;
    enum hl_code code = load_lines(holdings, pair, &lines, err);

    if (code == HL_OK)
        code = hl_activations_load(holdings->reader, &all, err);
    if (code != HL_OK)
        return code;
    hl_buf_add_text(buf, "{\"current\":");
    print_current(&all, pair, lines.current, buf);
    hl_buf_print(buf, ",\"previous\":%s}", lines.previous);
    return HL_OK;
}
