/* SPDX-License-Identifier: Apache-2.0 */
#include "server/probes_part.h"

#include "proto/encode.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static void print_lines(struct hl_buf *buf, const struct hl_store_record *record)
{
    const char *text = record->body;

    for (size_t i = 0; i < record->size; i++)
        if (text[i] != '\n' || i + 1 < record->size)
            hl_buf_add_char(buf, (char)(text[i] == '\n' ? ',' : text[i]));
}

static enum hl_code print_runs(const struct hl_holdings *holdings, const char *name,
                               struct hl_buf *buf, struct hl_err *err)
{
    struct hl_store_record record;
    enum hl_code code;

    hl_buf_add_text(buf, ",\"runs\":[");
    code = hl_reader_record(holdings->reader, HL_PROBE_KIND_HISTORY, name, &record, err);
    if (code == HL_OK)
        print_lines(buf, &record);
    if (code != HL_OK && code != HL_NOT_FOUND)
        return code;
    hl_buf_add_text(buf, "],\"last_run\":");
    code = hl_reader_record(holdings->reader, HL_PROBE_KIND_RUN, name, &record, err);
    if (code == HL_OK)
        hl_buf_add(buf, record.body, record.size);
    else
        hl_encode_null(buf);
    return code == HL_NOT_FOUND ? HL_OK : code;
}

enum hl_code hl_probes_print(const struct hl_holdings *holdings, const char *name,
                             uint64_t version, bool has_runs, struct hl_buf *buf,
                             struct hl_err *err)
{
    struct hl_store_record record;
    struct hl_probe_versions versions;
    char key[HL_PROBE_KEY];
    enum hl_code code = hl_probes_version(holdings, name, &version, err);

    if (code == HL_OK)
        code = hl_probes_versions(holdings, name, &versions, err);
    if (code != HL_OK)
        return code;
    hl_probes_key(name, version, key);
    code = hl_reader_record(holdings->reader, HL_PROBE_KIND_INFO, key, &record, err);
    if (code != HL_OK)
        return code;
    hl_buf_add(buf, record.body, record.size - 1); /* without its brace */
    hl_buf_add_text(buf, ",\"versions\":[");
    for (size_t i = 0; i < versions.n; i++)
        hl_buf_print(buf, "%s%" PRIu64, i > 0 ? "," : "", versions.numbers[i]);
    hl_buf_add_char(buf, ']');
    if (has_runs)
        code = print_runs(holdings, name, buf, err);
    hl_buf_add_char(buf, '}');
    return code;
}

struct page {
    struct hl_buf *buf;
    char name[HL_PROBE_KEY]; /* of the set that was last */
    size_t at;               /* where what was printed of it begins */
    size_t n;
};

/* A later version takes the place of the one before. */
static bool add_to_page(void *self, const struct hl_store_record *record)
{
    struct page *page = self;
    const size_t len = strcspn(record->key, "/");

    if (page->n > 0 && strlen(page->name) == len &&
        strncmp(page->name, record->key, len) == 0) {
        page->buf->len = page->at;
    } else {
        hl_buf_add_text(page->buf, page->n++ > 0 ? "," : "");
        page->at = page->buf->len;
        (void)snprintf(page->name, sizeof page->name, "%.*s", (int)len, record->key);
    }
    hl_buf_add(page->buf, record->body, record->size);
    return page->buf->failed == HL_OK;
}

enum hl_code hl_probes_print_all(const struct hl_holdings *holdings, struct hl_buf *buf,
                                 struct hl_err *err)
{
    struct page page = {.buf = buf};
    enum hl_code code;

    hl_buf_add_text(buf, "{\"probes\":[");
    code = hl_reader_records(holdings->reader, HL_PROBE_KIND_INFO, add_to_page, &page, err);
    hl_buf_add_text(buf, "]}");
    return code;
}
