/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/encode.h"
#include "proto/members.h"
#include "server/trial.h"

#include <stddef.h>

/* One line of JSON. A row of the table is a list of counts; what a later release counts as
 * well is 0 in a record of this one. */
enum { RECORD_MEMORY = 256 << 10, LARGEST_RECORD = 128 << 10 };

static const char the_key[] = "now";

static const struct row {
    const char *name;
    size_t offset, n;
} rows[] = {
#define ROW(member, n)                                                                     \
    {                                                                                      \
#member, offsetof(struct hl_counts, member), n                                     \
    }
    ROW(begun, 1),
    ROW(dropped, 1),
    ROW(disagreement, HL_TENTHS),
    ROW(lost_tops, 1),
    ROW(slower, 2),
    ROW(errors, 2),
    ROW(failed, HL_N_SIDES),
    ROW(flips, 2),
    ROW(positive_flips, 1),
    ROW(right, HL_N_SIDES),
    ROW(flips_served, 1),
    ROW(spans, (size_t)HL_N_SIDES *HL_SPANS),
    ROW(total_us, HL_N_SIDES),
#undef ROW
};
enum { N_ROWS = sizeof rows / sizeof *rows };

/* ---- saving ---- */

static void print_row(const struct hl_counts *counts, const struct row *row,
                      struct hl_buf *buf)
{
    const uint64_t *values =
        (const uint64_t *)(const void *)((const char *)counts + row->offset);
    size_t n = row->n;

    while (n > 0 && values[n - 1] == 0)
        n--;
    hl_encode_key(buf, row->name);
    hl_buf_add_char(buf, '[');
    for (size_t i = 0; i < n; i++) {
        if (i > 0)
            hl_buf_add_char(buf, ',');
        hl_encode_u64(buf, values[i]);
    }
    hl_buf_add_char(buf, ']');
}

static void print_record(const struct hl_trial *trial, struct hl_buf *buf)
{
    hl_buf_add_text(buf, "{\"number\":");
    hl_encode_u64(buf, trial->number);
    hl_buf_add_text(buf, ",\"step\":");
    hl_encode_u64(buf, trial->step);
    hl_buf_add_text(buf, ",\"probed_ms\":");
    hl_encode_u64(buf, trial->probed_ms);
    hl_buf_add_text(buf, ",\"counts\":[");
    for (size_t i = 0; i < HL_N_TRIAL_COUNTS; i++) {
        hl_buf_add_text(buf, i > 0 ? ",{" : "{");
        for (size_t j = 0; j < N_ROWS; j++) {
            if (j > 0)
                hl_buf_add_char(buf, ',');
            print_row(&trial->counts[i], &rows[j], buf);
        }
        hl_buf_add_char(buf, '}');
    }
    hl_buf_add_text(buf, "]}");
}

enum hl_code hl_trial_save(struct hl_writing *writing, const struct hl_trial *trial,
                           struct hl_err *err)
{
    struct hl_buf buf;
    enum hl_code code;

    hl_buf_init(&buf, LARGEST_RECORD);
    print_record(trial, &buf);
    code = hl_buf_check(&buf, "what was counted of a rollout", err);
    if (code == HL_OK)
        code = hl_store_put_record(hl_writing_store(writing), HL_HOLDING_TRIAL, the_key,
                                   buf.data, buf.len, err);
    hl_buf_done(&buf);
    return code;
}

/* ---- loading ---- */

struct values {
    uint64_t *items;
    size_t n, room;
};

static enum hl_code read_value(const struct hl_field *item, void *self, struct hl_err *err)
{
    struct values *values = self;
    uint64_t value = 0;
    enum hl_code code = hl_field_u64(item, 0, UINT64_MAX, &value, err);

    if (code != HL_OK)
        return code;
    if (values->n == values->room)
        return hl_fail(err, HL_DAMAGED, "the record of what was counted has too many");
    values->items[values->n++] = value;
    return HL_OK;
}

static enum hl_code read_row(const struct hl_field *member, size_t which, void *self,
                             struct hl_err *err)
{
    struct values values = {.items =
                                (uint64_t *)(void *)((char *)self + rows[which].offset),
                            .room = rows[which].n};

    return hl_each_read(member, read_value, &values, err);
}

struct stages {
    struct hl_counts *counts;
    size_t n;
};

static enum hl_code read_stage(const struct hl_field *item, void *self, struct hl_err *err)
{
    struct stages *stages = self;
    const char *names[N_ROWS];
    const struct hl_members members = {HL_MEMBERS_OF(names), 0, read_row};

    if (stages->n == HL_N_TRIAL_COUNTS)
        return hl_fail(err, HL_DAMAGED, "the record of what was counted has too many");
    for (size_t i = 0; i < N_ROWS; i++)
        names[i] = rows[i].name;
    return hl_members_read(item, &members, &stages->counts[stages->n++], err);
}

enum { NUMBER, STEP, PROBED, COUNTS };

static enum hl_code read_member(const struct hl_field *member, size_t which, void *self,
                                struct hl_err *err)
{
    struct hl_trial *trial = self;
    struct stages stages = {trial->counts, 0};

    switch (which) {
    case NUMBER:
        return hl_field_u64(member, 0, UINT64_MAX, &trial->number, err);
    case STEP:
        return hl_field_u64(member, 0, UINT64_MAX, &trial->step, err);
    case PROBED:
        return hl_field_u64(member, 0, INT64_MAX, &trial->probed_ms, err);
    case COUNTS:
    default:
        return hl_each_read(member, read_stage, &stages, err);
    }
}

static enum hl_code decode(const struct hl_store_record *record, struct hl_trial *trial,
                           struct hl_err *err)
{
    static const char *const names[] = {
        [NUMBER] = "number", [STEP] = "step", [PROBED] = "probed_ms", [COUNTS] = "counts"};
    static const struct hl_members members = {
        HL_MEMBERS_OF(names), HL_MEMBER(NUMBER) | HL_MEMBER(STEP) | HL_MEMBER(COUNTS),
        read_member};
    struct hl_arena *arena = hl_arena_new(RECORD_MEMORY);
    struct hl_tokens tokens;
    struct hl_field root;
    struct hl_err why;
    enum hl_code code;

    if (!arena)
        return hl_fail(err, HL_NO_MEMORY, "no memory for what was counted of a rollout");
    hl_tokens_init(&tokens, record->body, record->size, arena);
    tokens.what = "the record of what was counted";
    tokens.code = HL_DAMAGED;
    root = hl_field_root(&tokens);
    code = hl_members_read(&root, &members, trial, &why);
    hl_arena_free(arena);
    if (code == HL_OK)
        return HL_OK;
    return hl_fail(err, code == HL_NO_MEMORY ? code : HL_DAMAGED, "%s", why.msg);
}

enum hl_code hl_trial_load(struct hl_trial *trial, const struct hl_holdings *holdings,
                           struct hl_err *err)
{
    struct hl_trial loaded = *trial;
    struct hl_store_record record;
    enum hl_code code =
        hl_reader_record(holdings->reader, HL_HOLDING_TRIAL, the_key, &record, err);

    if (code == HL_NOT_FOUND)
        return HL_OK;
    if (code == HL_OK)
        code = decode(&record, &loaded, err);
    if (code == HL_OK)
        *trial = loaded;
    return code;
}
