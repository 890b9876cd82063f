/* SPDX-License-Identifier: Apache-2.0 */
#include "server/bridges.h"

#include "proto/encode.h"
#include "server/activations.h"
#include "server/moment.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { KEPT_REVISIONS = 8, MOST_LISTED = 64, INFO = 2048 };

/* ---- revisions ---- */

struct revisions {
    char beginning[HL_HOLDING_KEY + 1]; /* of keys */
    uint64_t numbers[MOST_LISTED];      /* rising */
    size_t n;
};

static bool add_revision(void *self, const struct hl_store_record *record)
{
    struct revisions *revisions = self;
    const size_t len = strlen(revisions->beginning);

    if (strncmp(record->key, revisions->beginning, len) == 0 && revisions->n < MOST_LISTED)
        revisions->numbers[revisions->n++] = strtoull(record->key + len, NULL, 10);
    return true;
}

static enum hl_code list_revisions(const struct hl_holdings *holdings,
                                   const struct hl_bridge_pair *pair,
                                   struct revisions *revisions, struct hl_err *err)
{
    char key[HL_HOLDING_KEY];

    hl_holding_pair_key(pair->from.space, pair->to.space, key);
    *revisions = (struct revisions){.n = 0};
    (void)snprintf(revisions->beginning, sizeof revisions->beginning, "%s-", key);
    return hl_reader_records(holdings->reader, HL_HOLDING_BRIDGE_INFO, add_revision,
                             revisions, err);
}

enum hl_code hl_bridges_latest(const struct hl_holdings *holdings,
                               const struct hl_bridge_pair *pair, uint64_t *ret_revision,
                               struct hl_err *err)
{
    struct revisions revisions;
    enum hl_code code = list_revisions(holdings, pair, &revisions, err);

    if (code == HL_OK)
        *ret_revision = revisions.n ? revisions.numbers[revisions.n - 1] : 0;
    return code;
}

static enum hl_code fail_none(const struct hl_bridge_pair *pair, uint64_t revision,
                              struct hl_err *err)
{
    if (revision == 0)
        return hl_fail(err, HL_NOT_FOUND,
                       "Not found: there is no bridge from \"%.150s\" to \"%.150s\"",
                       pair->from.shown, pair->to.shown);
    return hl_fail(err, HL_NOT_FOUND,
                   "Not found: there is no revision %" PRIu64
                   " of the bridge from \"%.150s\" to \"%.150s\"",
                   revision, pair->from.shown, pair->to.shown);
}

enum hl_code hl_bridges_find(const struct hl_holdings *holdings,
                             const struct hl_bridge_pair *pair, uint64_t *revision,
                             struct hl_err *err)
{
    struct revisions revisions;
    size_t i = 0;
    enum hl_code code = list_revisions(holdings, pair, &revisions, err);

    if (code != HL_OK)
        return code;
    if (*revision == 0 && revisions.n > 0)
        *revision = revisions.numbers[revisions.n - 1];
    while (i < revisions.n && revisions.numbers[i] != *revision)
        i++;
    return i < revisions.n ? HL_OK : fail_none(pair, *revision, err);
}

enum hl_code hl_bridges_load(const struct hl_holdings *holdings,
                             const struct hl_bridge_pair *pair, uint64_t revision,
                             struct hl_bridge **ret_bridge, struct hl_err *err)
{
    const struct hl_bridge_wanted wanted = {.from = pair->from.name,
                                            .to = pair->to.name,
                                            .dim_from = pair->from.dim,
                                            .dim_to = pair->to.dim};
    struct hl_store_record record;
    struct hl_memory memory;
    struct hl_source source;
    char key[HL_HOLDING_KEY];
    enum hl_code code;

    hl_holding_bridge_key(pair->from.space, pair->to.space, revision, key);
    code = hl_reader_record(holdings->reader, HL_HOLDING_BRIDGE, key, &record, err);
    if (code == HL_NOT_FOUND)
        return fail_none(pair, revision, err);
    if (code != HL_OK)
        return code;
    memory = (struct hl_memory){record.body, record.size};
    source = hl_source_of_memory(&memory, "the bridge");
    return hl_bridge_load(&source, &wanted, ret_bridge, err);
}

enum hl_code hl_bridges_saw(const struct hl_holdings *holdings,
                            const struct hl_bridge_pair *pair, uint64_t revision,
                            const char *sha256, bool *ret_saw, struct hl_err *err)
{
    struct hl_store_record record;
    char key[HL_HOLDING_KEY], wanted[HL_SHA256_TEXT_SIZE + 32];
    enum hl_code code;

    hl_holding_bridge_key(pair->from.space, pair->to.space, revision, key);
    code = hl_reader_record(holdings->reader, HL_HOLDING_BRIDGE_INFO, key, &record, err);
    if (code != HL_OK)
        return code;
    (void)snprintf(wanted, sizeof wanted, "\"data_sha256\":\"%s\"", sha256);
    *ret_saw = memmem(record.body, record.size, wanted, strlen(wanted)) != NULL;
    return HL_OK;
}

/* ---- adding and removing ---- */

static enum hl_code drop_revision(struct hl_writing *writing,
                                  const struct hl_bridge_pair *pair, uint64_t revision,
                                  struct hl_err *err)
{
    static const char *const kinds[] = {HL_HOLDING_BRIDGE, HL_HOLDING_BRIDGE_INFO,
                                        HL_HOLDING_BRIDGE_REPORT};
    char key[HL_HOLDING_KEY];
    bool existed;
    enum hl_code code = HL_OK;

    hl_holding_bridge_key(pair->from.space, pair->to.space, revision, key);
    for (size_t i = 0; code == HL_OK && i < 3; i++)
        code =
            hl_store_delete_record(hl_writing_store(writing), kinds[i], key, &existed, err);
    return code;
}

/* The oldest that nobody uses make room. */
static enum hl_code trim(struct hl_writing *writing, const struct hl_bridge_pair *pair,
                         struct hl_err *err)
{
    const struct hl_holdings inside = hl_holdings_inside(writing);
    struct revisions revisions;
    uint64_t current = 0, previous = 0;
    size_t n_left;
    enum hl_code code = list_revisions(&inside, pair, &revisions, err);

    if (code == HL_OK)
        code = hl_activation_revisions(&inside, pair, &current, &previous, err);
    n_left = revisions.n;
    for (size_t i = 0; code == HL_OK && i < revisions.n && n_left > KEPT_REVISIONS; i++) {
        const uint64_t revision = revisions.numbers[i];

        if (revision == current || revision == previous)
            continue;
        code = drop_revision(writing, pair, revision, err);
        n_left--;
    }
    return code;
}

/* Members of an object, without its braces. */
static void print_info(const struct hl_bridge_entry *entry, struct hl_buf *info)
{
    const struct hl_bridge *bridge = entry->bridge;
    char sum[HL_SHA256_TEXT_SIZE], moment[HL_MOMENT];
    struct hl_sha256 sha;

    hl_sha256_init(&sha);
    hl_sha256_add(&sha, entry->file.data, entry->file.len);
    hl_sha256_finish_text(&sha, sum);
    hl_moment_now(moment);
    hl_buf_print(info, "\"kind\":\"%s\",\"task\":\"%s\",\"seed\":%" PRIu64 ",\"fidelity\":",
                 hl_kind_name(bridge->kind),
                 bridge->task == HL_TASK_SAME ? "same" : "similar", bridge->seed);
    hl_encode_float(info, bridge->fidelity);
    hl_buf_print(info,
                 ",\"from_size\":%zu,\"to_size\":%zu,\"from_fingerprint\":\"%s\","
                 "\"to_fingerprint\":\"%s\",\"learnt\":\"%s\",\"created_at\":\"%s\","
                 "\"size\":%zu,\"sha256\":\"%s\"",
                 bridge->dim_from, bridge->dim_to, entry->pair->from.print,
                 entry->pair->to.print, entry->is_learnt_here ? "here" : "elsewhere",
                 moment, entry->file.len, sum);
    hl_buf_add_text(info, ",\"data_sha256\":");
    if (entry->data_sha256)
        hl_encode_string(info, entry->data_sha256);
    else
        hl_encode_null(info);
}

/* The three records of a revision. */
static enum hl_code put_revision(struct hl_store *store,
                                 const struct hl_bridge_entry *entry, const char *key,
                                 struct hl_err *err)
{
    const char *report = entry->bridge->report;
    struct hl_buf info;
    enum hl_code code;

    hl_buf_init(&info, INFO);
    print_info(entry, &info);
    code = hl_buf_check(&info, "what is known of a bridge", err);
    if (code == HL_OK)
        code = hl_store_put_record(store, HL_HOLDING_BRIDGE_INFO, key, info.data, info.len,
                                   err);
    hl_buf_done(&info);
    if (code == HL_OK)
        code = hl_store_put_record(store, HL_HOLDING_BRIDGE, key, entry->file.data,
                                   entry->file.len, err);
    if (code == HL_OK && report)
        code = hl_store_put_record(store, HL_HOLDING_BRIDGE_REPORT, key, report,
                                   strlen(report), err);
    return code;
}

enum hl_code hl_bridges_add(struct hl_writing *writing, const struct hl_bridge_entry *entry,
                            uint64_t *ret_revision, struct hl_err *err)
{
    const struct hl_holdings inside = hl_holdings_inside(writing);
    const struct hl_bridge_pair *pair = entry->pair;
    char key[HL_HOLDING_KEY];
    uint64_t revision = 0;
    enum hl_code code = hl_holdings_check(&inside, &pair->from, err);

    if (code == HL_OK)
        code = hl_holdings_check(&inside, &pair->to, err);
    hl_holding_pair_key(pair->from.space, pair->to.space, key);
    if (code == HL_OK)
        code = hl_holding_count_up(writing, HL_HOLDING_PAIR, key, &revision, err);
    hl_holding_bridge_key(pair->from.space, pair->to.space, revision, key);
    if (code == HL_OK)
        code = put_revision(hl_writing_store(writing), entry, key, err);
    if (code == HL_OK)
        code = trim(writing, pair, err);
    if (code == HL_OK)
        *ret_revision = revision;
    return code;
}

static enum hl_code check_idle(const struct hl_holdings *inside,
                               const struct hl_bridge_pair *pair, uint64_t revision,
                               struct hl_err *err)
{
    uint64_t current = 0, previous = 0;
    enum hl_code code = hl_activation_revisions(inside, pair, &current, &previous, err);

    if (code != HL_OK || current == 0 || (revision != 0 && revision != current))
        return code;
    return hl_fail(err, HL_CONFLICT,
                   "revision %" PRIu64 " of the bridge from \"%.120s\" to \"%.120s\" is "
                   "active: deactivate it first",
                   current, pair->from.shown, pair->to.shown);
}

enum hl_code hl_bridges_remove(struct hl_writing *writing,
                               const struct hl_bridge_pair *pair, uint64_t revision,
                               struct hl_err *err)
{
    const struct hl_holdings inside = hl_holdings_inside(writing);
    struct revisions revisions;
    uint64_t found = revision;
    enum hl_code code = hl_bridges_find(&inside, pair, &found, err);

    if (code == HL_OK)
        code = check_idle(&inside, pair, revision, err);
    if (code == HL_OK)
        code = list_revisions(&inside, pair, &revisions, err);
    if (code != HL_OK)
        return code;
    for (size_t i = 0; code == HL_OK && i < revisions.n; i++)
        if (revision == 0 || revisions.numbers[i] == revision)
            code = drop_revision(writing, pair, revisions.numbers[i], err);
    return code == HL_OK ? hl_activation_forget(writing, pair, revision, err) : code;
}

/* ---- printing ---- */

static enum hl_code print_record(const struct hl_holdings *holdings, const char *kind,
                                 const char *key, struct hl_buf *buf, struct hl_err *err)
{
    struct hl_store_record record;
    enum hl_code code = hl_reader_record(holdings->reader, kind, key, &record, err);

    if (code == HL_OK)
        hl_buf_add(buf, record.body, record.size);
    return code;
}

static enum hl_code print_revisions(const struct hl_holdings *holdings,
                                    const struct hl_bridge_pair *pair, struct hl_buf *buf,
                                    struct hl_err *err)
{
    struct revisions revisions;
    enum hl_code code = list_revisions(holdings, pair, &revisions, err);

    hl_buf_add_text(buf, ",\"revisions\":[");
    for (size_t i = 0; code == HL_OK && i < revisions.n; i++)
        hl_buf_print(buf, "%s%" PRIu64, i > 0 ? "," : "", revisions.numbers[i]);
    hl_buf_add_text(buf, "],");
    return code;
}

enum hl_code hl_bridges_print(const struct hl_holdings *holdings,
                              const struct hl_bridge_pair *pair, uint64_t revision,
                              bool has_report, struct hl_buf *buf, struct hl_err *err)
{
    char key[HL_HOLDING_KEY];
    enum hl_code code;

    hl_holding_bridge_key(pair->from.space, pair->to.space, revision, key);
    hl_buf_add_text(buf, "{\"from\":");
    hl_encode_string(buf, pair->from.shown);
    hl_buf_add_text(buf, ",\"to\":");
    hl_encode_string(buf, pair->to.shown);
    hl_buf_print(buf, ",\"revision\":%" PRIu64, revision);
    code = print_revisions(holdings, pair, buf, err);
    if (code == HL_OK)
        code = print_record(holdings, HL_HOLDING_BRIDGE_INFO, key, buf, err);
    hl_buf_add_text(buf, ",\"activation\":");
    if (code == HL_OK)
        code = hl_activation_print(holdings, pair, buf, err);
    if (code == HL_OK && has_report) {
        hl_buf_add_text(buf, ",\"report\":");
        code = print_record(holdings, HL_HOLDING_BRIDGE_REPORT, key, buf, err);
        if (code == HL_NOT_FOUND) {
            hl_encode_null(buf);
            code = HL_OK;
        }
    }
    hl_buf_add_char(buf, '}');
    return code;
}
