/* SPDX-License-Identifier: Apache-2.0 */
#include "server/probes_part.h"

#include "proto/encode.h"
#include "proto/model_name.h"
#include "server/moment.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { LARGEST_INFO = 1 << 20, LARGEST_HISTORY = 1 << 20 };

/* ---- putting ---- */

static enum hl_code check_models(const struct hl_layout *layout,
                                 const struct hl_probe_set *set, struct hl_err *err)
{
    for (size_t i = 0; i < set->n_models; i++) {
        const struct hl_probe_model *model = &set->models[i];
        const struct hl_space *space = hl_layout_find(layout, &model->name);

        if (!space || space->dim != model->dim)
            return hl_fail(err, HL_CONFLICT, "the vector \"%.*s\" was %s meanwhile",
                           (int)model->name.len, model->name.text,
                           space ? "made anew with another size" : "deleted");
    }
    return HL_OK;
}

static void print_models(const struct hl_probe_set *set, struct hl_buf *buf)
{
    hl_buf_add_text(buf, ",\"models\":[");
    for (size_t i = 0; i < set->n_models; i++) {
        const struct hl_probe_model *model = &set->models[i];

        hl_buf_add_text(buf, i > 0 ? ",{\"name\":" : "{\"name\":");
        if (model->name.len > 0)
            hl_encode_text(buf, model->name.text, model->name.len);
        else
            hl_encode_string(buf, hl_model_shown(""));
        hl_buf_print(buf, ",\"size\":%" PRIu32 ",\"queries\":%" PRIu64 "}", model->dim,
                     model->n);
    }
    hl_buf_add_char(buf, ']');
}

/* Without its last brace: what is printed for a caller has more. */
static void print_info(const struct hl_probe_entry *entry, uint64_t version,
                       struct hl_buf *buf)
{
    const struct hl_probe_settings *settings = &entry->set.settings;
    char sum[HL_SHA256_TEXT_SIZE], moment[HL_MOMENT];
    struct hl_sha256 sha;

    hl_sha256_init(&sha);
    hl_sha256_add(&sha, entry->text.data, entry->text.len);
    hl_sha256_finish_text(&sha, sum);
    hl_moment_now(moment);
    hl_buf_add_text(buf, "{\"name\":");
    hl_encode_string(buf, entry->name);
    hl_buf_print(buf,
                 ",\"version\":%" PRIu64 ",\"k\":%" PRIu32 ",\"flip_at\":%" PRIu32
                 ",\"every_s\":%" PRIu32 ",\"queries\":%" PRIu64,
                 version, settings->k, settings->flip_at, settings->every_s,
                 entry->set.n_queries);
    print_models(&entry->set, buf);
    hl_buf_print(buf, ",\"created_at\":\"%s\",\"created_by\":", moment);
    hl_encode_string(buf, entry->by);
    hl_buf_print(buf, ",\"size\":%zu,\"sha256\":\"%s\"}", entry->text.len, sum);
}

static enum hl_code drop_version(struct hl_writing *writing, const char *name,
                                 uint64_t version, struct hl_err *err)
{
    struct hl_store *store = hl_writing_store(writing);
    char key[HL_PROBE_KEY];
    bool existed;
    enum hl_code code;

    hl_probes_key(name, version, key);
    code = hl_store_delete_record(store, HL_PROBE_KIND_TEXT, key, &existed, err);
    return code == HL_OK
               ? hl_store_delete_record(store, HL_PROBE_KIND_INFO, key, &existed, err)
               : code;
}

static enum hl_code put_version(struct hl_writing *writing,
                                const struct hl_probe_entry *entry, uint64_t version,
                                struct hl_err *err)
{
    struct hl_store *store = hl_writing_store(writing);
    struct hl_buf info;
    char key[HL_PROBE_KEY];
    enum hl_code code;

    hl_probes_key(entry->name, version, key);
    hl_buf_init(&info, LARGEST_INFO);
    print_info(entry, version, &info);
    code = hl_buf_check(&info, "what is known of a probe set", err);
    if (code == HL_OK)
        code =
            hl_store_put_record(store, HL_PROBE_KIND_INFO, key, info.data, info.len, err);
    hl_buf_done(&info);
    return code == HL_OK ? hl_store_put_record(store, HL_PROBE_KIND_TEXT, key,
                                               entry->text.data, entry->text.len, err)
                         : code;
}

enum hl_code hl_probes_put(struct hl_writing *writing, const struct hl_probe_entry *entry,
                           uint64_t *ret_version, struct hl_err *err)
{
    const struct hl_holdings inside = hl_holdings_inside(writing);
    struct hl_probe_versions versions;
    uint64_t version = 0;
    enum hl_code code = check_models(inside.layout, &entry->set, err);

    if (code == HL_OK)
        code = hl_holding_count_up(writing, HL_PROBE_KIND_LAST, entry->name, &version, err);
    if (code == HL_OK)
        code = put_version(writing, entry, version, err);
    if (code == HL_OK)
        code = hl_probes_versions(&inside, entry->name, &versions, err);
    if (code == HL_OK && versions.n > HL_PROBE_VERSIONS)
        code = drop_version(writing, entry->name, versions.numbers[0], err);
    if (code == HL_OK)
        *ret_version = version;
    return code;
}

/* ---- removing ---- */

enum hl_code hl_probes_remove(struct hl_writing *writing, const char *name,
                              struct hl_err *err)
{
    const struct hl_holdings inside = hl_holdings_inside(writing);
    struct hl_store *store = hl_writing_store(writing);
    struct hl_probe_versions versions;
    bool existed;
    enum hl_code code = hl_probes_versions(&inside, name, &versions, err);

    if (code == HL_OK && versions.n == 0)
        return hl_probes_fail_none(name, 0, err);
    for (size_t i = 0; code == HL_OK && i < versions.n; i++)
        code = drop_version(writing, name, versions.numbers[i], err);
    if (code == HL_OK)
        code = hl_store_delete_record(store, HL_PROBE_KIND_RUN, name, &existed, err);
    return code == HL_OK
               ? hl_store_delete_record(store, HL_PROBE_KIND_HISTORY, name, &existed, err)
               : code;
}

/* ---- runs ---- */

/* The new one in front of those that stay. */
static enum hl_code print_history(const struct hl_holdings *inside, const char *name,
                                  const struct hl_span *summary, struct hl_buf *history,
                                  struct hl_err *err)
{
    struct hl_store_record record;
    const char *at, *end;
    enum hl_code code =
        hl_reader_record(inside->reader, HL_PROBE_KIND_HISTORY, name, &record, err);

    if (code != HL_OK && code != HL_NOT_FOUND)
        return code;
    hl_buf_add(history, summary->data, summary->len);
    hl_buf_add_char(history, '\n');
    at = code == HL_OK ? record.body : NULL;
    end = code == HL_OK ? at + record.size : NULL;
    for (size_t i = 1; i < HL_PROBE_RUNS && at < end; i++) {
        const char *line_end = memchr(at, '\n', (size_t)(end - at));

        if (!line_end)
            break;
        hl_buf_add(history, at, (size_t)(line_end + 1 - at));
        at = line_end + 1;
    }
    return hl_buf_check(history, "the runs of a probe set", err);
}

enum hl_code hl_probes_keep_run(struct hl_writing *writing, const char *name,
                                const struct hl_span *run, const struct hl_span *summary,
                                struct hl_err *err)
{
    const struct hl_holdings inside = hl_holdings_inside(writing);
    struct hl_store *store = hl_writing_store(writing);
    struct hl_probe_versions versions;
    struct hl_buf history;
    enum hl_code code = hl_probes_versions(&inside, name, &versions, err);

    if (code != HL_OK || versions.n == 0)
        return code;
    hl_buf_init(&history, LARGEST_HISTORY);
    code = print_history(&inside, name, summary, &history, err);
    if (code == HL_OK)
        code = hl_store_put_record(store, HL_PROBE_KIND_HISTORY, name, history.data,
                                   history.len, err);
    hl_buf_done(&history);
    return code == HL_OK ? hl_store_put_record(store, HL_PROBE_KIND_RUN, name, run->data,
                                               run->len, err)
                         : code;
}
