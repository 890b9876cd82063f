/* SPDX-License-Identifier: Apache-2.0 */
#include "server/settings.h"

#include "server/config.h"

#include <stddef.h>
#include <stdio.h>

#define AT(member) .offset = offsetof(struct hl_config, member)
#define NUMBER(least, most, number)                                                        \
    .type = HL_SETTING_NUMBER, .min = (least), .max = (most), .standard = (number)

static const struct hl_setting_row rows[HL_N_SETTINGS] = {
    [HL_SETTING_HOST] = {"service", "host", HL_SETTING_TEXT, "127.0.0.1", AT(service.host),
                         .flag = "--host",
                         .help =
                             "The address to listen on, IPv4 or IPv6. Beyond loopback a "
                             "key is needed; see [keys.ID]."},
    [HL_SETTING_HTTP_PORT] = {"service", "http_port", NUMBER(0, 65535, "6333"),
                              AT(service.http_port), .flag = "--port",
                              .help = "The port. 0 takes a free one; the log says which."},
    [HL_SETTING_WORKERS] = {"service", "workers", NUMBER(0, 1024, "0"), AT(service.workers),
                            .help = "Threads that answer requests. 0: one for each "
                                    "processor."},
    [HL_SETTING_READERS] = {"service", "readers", NUMBER(0, 1024, "0"), AT(service.readers),
                            .help =
                                "Threads for long requests. 0: one for each processor."},
    [HL_SETTING_MAX_REQUEST_SIZE_MB] = {"service", "max_request_size_mb",
                                        NUMBER(1, 4096, "32"),
                                        AT(service.max_request_size_mb),
                                        .help = "A larger body is answered with 413."},
    [HL_SETTING_MAX_UPLOAD_GB] = {"service", "max_upload_gb", NUMBER(1, 65536, "16"),
                                  AT(service.max_upload_gb),
                                  .help = "Datasets, heads, bridges and snapshots go to "
                                          "the disk while they come; a larger one is "
                                          "answered with 413."},
    [HL_SETTING_MAX_HEADER_SIZE_KB] =
        {"service", "max_header_size_kb", NUMBER(4, 1024, "16"),
         AT(service.max_header_size_kb),
         .help = "A request line and headers larger than this are answered with 431."},
    [HL_SETTING_MAX_CONNECTIONS] = {"service", "max_connections",
                                    NUMBER(1, 1000000, "1000"), AT(service.max_connections),
                                    .help = "Further connections are turned away."},
    [HL_SETTING_IDLE_TIMEOUT_S] =
        {"service", "idle_timeout_s", NUMBER(1, 86400, "75"), AT(service.idle_timeout_s),
         .help = "A connection without a request is closed after this long."},
    [HL_SETTING_RECEIVE_TIMEOUT_S] =
        {"service", "receive_timeout_s", NUMBER(1, 86400, "20"),
         AT(service.receive_timeout_s),
         .help = "A request must have arrived whole this long after its first byte."},
    [HL_SETTING_REQUEST_TIMEOUT_S] =
        {"service", "request_timeout_s", NUMBER(1, 86400, "60"),
         AT(service.request_timeout_s),
         .help = "A request that takes longer than this to answer ends with 408."},
    [HL_SETTING_SHUTDOWN_GRACE_S] =
        {"service", "shutdown_grace_s", NUMBER(0, 86400, "30"),
         AT(service.shutdown_grace_s),
         .help = "After SIGTERM, requests that have begun may take this long to finish."},
    [HL_SETTING_ALLOW_REMOTE_WITHOUT_KEY] =
        {"service", "allow_remote_without_key", HL_SETTING_BOOL, "false",
         AT(service.allow_remote_without_key),
         .help = "true: listen beyond loopback though there is no key. Whoever reaches the "
                 "port may then do everything."},
    [HL_SETTING_STORAGE_PATH] = {"storage", "path", HL_SETTING_TEXT, "./data",
                                 AT(storage.path), .flag = "--data",
                                 .help = "The folder of the data. It is made if absent."},
    [HL_SETTING_WRITERS] = {"storage", "writers", NUMBER(0, 64, "0"), AT(storage.writers),
                            .help = "Threads that commit what is written, each for one "
                                    "collection at a time. 0: one for each processor."},
    [HL_SETTING_KERNELS] = {"search", "kernels", HL_SETTING_CHOICE, "auto",
                            .choices = {"auto", "avx512", "avx2", "portable", "shipped"},
                            AT(search.kernels),
                            .help = "The functions that measure distances. auto: the best "
                                    "this processor has. shipped: those of the FAISS that "
                                    "is linked in, for comparison."},
    [HL_SETTING_HNSW_EF] = {"search", "hnsw_ef", NUMBER(1, 65535, "64"), AT(search.hnsw_ef),
                            .help = "How many neighbours a search keeps in sight when its "
                                    "request does not say: more finds better and takes "
                                    "longer."},
    [HL_SETTING_HNSW_M] = {"search", "m", NUMBER(2, 128, "32"), AT(search.hnsw_m),
                           .help = "Links of a row in the graphs that are built from now "
                                   "on."},
    [HL_SETTING_EF_CONSTRUCT] = {"search", "ef_construct", NUMBER(1, 65535, "100"),
                                 AT(search.ef_construct),
                                 .help =
                                     "How many neighbours are kept in sight while a row "
                                     "is placed in a graph."},
    [HL_SETTING_SEAL_ROWS] = {"search", "seal_rows", NUMBER(64, 10000000, "16384"),
                              AT(search.seal_rows),
                              .help = "Rows that are scanned before they become a segment "
                                      "with a graph, of each vector."},
    [HL_SETTING_HOLD_PERCENT] = {"search", "hold_percent", NUMBER(0, 100, "40"),
                                 AT(search.hold_percent),
                                 .help = "How much of the memory that the server may use "
                                         "graphs and sketches of vectors take, on huge "
                                         "pages. Those beyond it, and all at 0, are read "
                                         "from their files, which is slower."},
    [HL_SETTING_REQUEST_MEMORY_MB] = {"limits", "request_memory_mb",
                                      NUMBER(1, 65536, "256"), AT(limits.request_memory_mb),
                                      .help = "What one request may take for its work."},
    [HL_SETTING_MAX_UNINDEXED_MB] =
        {"limits", "max_unindexed_mb", NUMBER(1, 1048576, "1024"),
         AT(limits.max_unindexed_mb),
         .help =
             "Rows that wait to be indexed, of all "
             "collections, and no more than an eighth of the memory that the server may "
             "use. Beyond it upserts are answered with 429 until the graphs have "
             "caught up."},
    [HL_SETTING_MAX_INFLIGHT_MB] =
        {"limits", "max_inflight_mb", NUMBER(1, 1048576, "512"), AT(limits.max_inflight_mb),
         .help = "Bodies of more than 64 KB, of all requests that come or are being "
                 "answered, and no more than an eighth of the memory that the server may "
                 "use. Who would bring more is answered with 429; who is alone never is."},
    [HL_SETTING_LOG_LEVEL] = {"log", "level", HL_SETTING_CHOICE, "info",
                              .choices = {"error", "warn", "info", "debug"}, AT(log.level),
                              .help = "What is logged, on standard error. debug: one line "
                                      "for each request. SIGHUP reads it again."},
    [HL_SETTING_LOG_FORMAT] = {"log", "format", HL_SETTING_CHOICE, "text",
                               .choices = {"text", "json"}, AT(log.format),
                               .help =
                                   "text: event=name key=value. json: one object a line. "
                                   "SIGHUP reads it again."},
};

const struct hl_setting_row *hl_setting_row(enum hl_setting setting)
{
    return &rows[setting];
}

static void list_choices(const struct hl_setting_row *row, char *words, size_t size)
{
    int len = snprintf(words, size, "one of");

    for (size_t i = 0; i < HL_SETTING_MAX_CHOICES && row->choices[i]; i++) {
        if (len < 0 || (size_t)len >= size)
            return;
        len += snprintf(words + len, size - (size_t)len, "%s %s", i ? "," : "",
                        row->choices[i]);
    }
}

void hl_setting_wanted(enum hl_setting setting, char *ret_words, size_t size)
{
    const struct hl_setting_row *row = &rows[setting];

    switch (row->type) {
    case HL_SETTING_NUMBER:
        snprintf(ret_words, size, "a whole number from %llu to %llu",
                 (unsigned long long)row->min, (unsigned long long)row->max);
        return;
    case HL_SETTING_BOOL:
        snprintf(ret_words, size, "true or false");
        return;
    case HL_SETTING_CHOICE:
        list_choices(row, ret_words, size);
        return;
    case HL_SETTING_TEXT:
    default:
        snprintf(ret_words, size, "text of at most %d bytes", HL_CONFIG_TEXT_SIZE - 1);
    }
}
