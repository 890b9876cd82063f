/* SPDX-License-Identifier: Apache-2.0 */
#include "server/cli_bench.h"

#include "proto/filter.h"
#include "proto/model_name.h"
#include "proto/number.h"
#include "proto/points.h"
#include "server/bench_load.h"
#include "server/bench_print.h"
#include "server/cli_learn.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { REPORT_SIZE = 16 << 20, MIX_SIZE = 256, DAY_S = 86400 };

enum flag {
    COLLECTION,
    URL,
    API_KEY,
    MIX,
    FORM,
    USING,
    LIMIT,
    EF,
    EXACT,
    FILTER,
    WITH_PAYLOAD,
    BATCH,
    CONNECTIONS,
    RATE,
    ARRIVALS,
    SECONDS,
    WARM_UP,
    PATIENCE,
    QUERIES,
    POOL,
    SEED,
    WRITE_IDS,
    POINTS,
    PAYLOAD,
    NO_WAIT,
    SPIN,
    JSON,
    HISTOGRAM,
    N_FLAGS
};

static const struct hl_tool_flag flags[N_FLAGS] = {
    [COLLECTION] = {"--collection", "NAME", "the collection, or an alias of it", true},
    [URL] = {"--url", "URL", "where the server is (" HL_REMOTE_URL ")", false},
    [API_KEY] = {"--api-key", "KEY",
                 "a key that may do what is asked; else the variable HEIRLOOM_API_KEY is "
                 "asked",
                 false},
    [MIX] = {"--mix", "KIND=WEIGHT,…",
             "of search, batch, retrieve, upsert and delete (search=1)", false},
    [FORM] = {"--form", "FORM",
              "how vectors are written: json, base64 or raw; raw bodies are for searches, "
              "the rest of such a mix has base64 (json)",
              false},
    [USING] = {"--using", "MODEL", "whose queries they are (the unnamed vector's)", false},
    [LIMIT] = {"--limit", "N", "hits of a search (10)", false},
    [EF] = {"--ef", "N", "how far a search looks (the collection's own)", false},
    [EXACT] = {"--exact", NULL, "searches look at every point", false},
    [FILTER] = {"--filter", "JSON", "of every search", false},
    [WITH_PAYLOAD] = {"--with-payload", NULL, "hits come with their payload", false},
    [BATCH] = {"--batch", "N", "searches of one batch (64)", false},
    [CONNECTIONS] = {"--connections", "N", "(8)", false},
    [RATE] =
        {"--rate", "N",
         "requests a second, whatever the server does; without it each connection asks "
         "again when it is answered",
         false},
    [ARRIVALS] =
        {"--arrivals", "WORD",
         "even, or poisson: as callers come that know nothing of each other (even)", false},
    [SECONDS] = {"--seconds", "N", "what is measured (10)", false},
    [WARM_UP] = {"--warm-up", "N", "seconds before that (1)", false},
    [PATIENCE] = {"--patience", "N",
                  "seconds after which a reply is not waited for any longer (10)", false},
    [QUERIES] = {"--queries", "FILE",
                 ".npy, one query a row; else vectors of the gallery, and where it has "
                 "none, chance",
                 false},
    [POOL] = {"--pool", "N", "so many different queries, and ids to retrieve (1000)",
              false},
    [SEED] = {"--seed", "N", "the same seed makes the same requests (1)", false},
    [WRITE_IDS] =
        {"--write-ids", "FROM:TO",
         "the ids of points that a mix may write and delete, TO among them; what was "
         "written stays",
         false},
    [POINTS] = {"--points", "N", "of one upsert (1)", false},
    [PAYLOAD] = {"--payload", "JSON", "of points that are written (none)", false},
    [NO_WAIT] = {"--no-wait", NULL, "writes are answered before they are durable", false},
    [SPIN] = {"--spin", NULL,
              "never sleeps: exact to the microsecond, and takes a processor of its own",
              false},
    [JSON] = {"--json", "FILE", "what was seen as JSON; -: instead of the table", false},
    [HISTOGRAM] = {"--histogram", "FILE",
                   "latencies in microseconds, as HdrHistogram's plotters read them",
                   false},
};

/* ---- what was typed ---- */

struct whole {
    enum flag flag;
    uint64_t standard, most; /* at least 1 */
    uint64_t *number;
};

static enum hl_code read_wholes(const struct hl_tool_words *words, struct hl_bench *bench,
                                struct hl_err *err)
{
    const struct whole wholes[] = {{LIMIT, 10, UINT32_MAX, &bench->limit},
                                   {BATCH, 64, 10000, &bench->batch},
                                   {CONNECTIONS, 8, 10000, &bench->n_connections},
                                   {POOL, 1000, 1000000, &bench->pool},
                                   {POINTS, 1, 10000, &bench->points}};
    enum hl_code code = hl_tool_number(&hl_cli_bench, words, EF, 0, &bench->ef, err);

    if (code == HL_OK)
        code = hl_tool_number(&hl_cli_bench, words, SEED, 1, &bench->seed, err);
    for (size_t i = 0; code == HL_OK && i < sizeof wholes / sizeof wholes[0]; i++) {
        const struct whole *whole = &wholes[i];

        code = hl_tool_number(&hl_cli_bench, words, whole->flag, whole->standard,
                              whole->number, err);
        if (code == HL_OK && (*whole->number < 1 || *whole->number > whole->most))
            code = hl_fail(err, HL_INVALID, "\"%s\" wants 1 to %" PRIu64,
                           flags[whole->flag].name, whole->most);
    }
    return code;
}

static enum hl_code read_decimal(const struct hl_tool_words *words, enum flag flag,
                                 double standard, double most, double *ret_value,
                                 struct hl_err *err)
{
    const char *text = words->values[flag];

    if (!text)
        *ret_value = standard;
    else if (!hl_tool_read_decimal(text, strlen(text), ret_value) || *ret_value > most)
        return hl_fail(err, HL_INVALID,
                       "\"%s\" wants a number such as 2 or 0.5, up to %g, not \"%.64s\"",
                       flags[flag].name, most, text);
    return HL_OK;
}

static enum hl_code read_times(const struct hl_tool_words *words, struct hl_bench *bench,
                               struct hl_err *err)
{
    enum hl_code code = read_decimal(words, SECONDS, 10, DAY_S, &bench->seconds, err);

    if (code == HL_OK)
        code = read_decimal(words, WARM_UP, 1, DAY_S, &bench->warm_up_s, err);
    if (code == HL_OK)
        code = read_decimal(words, PATIENCE, 10, DAY_S, &bench->patience_s, err);
    if (code == HL_OK)
        code = read_decimal(words, RATE, 0, 1e7, &bench->rate, err);
    if (code != HL_OK)
        return code;
    if (bench->seconds <= 0 || bench->patience_s <= 0 ||
        (words->values[RATE] && bench->rate <= 0))
        return hl_fail(err, HL_INVALID,
                       "\"--seconds\", \"--patience\" and \"--rate\" want more than 0");
    if (words->values[ARRIVALS] && !words->values[RATE])
        return hl_fail(err, HL_INVALID, "\"--arrivals\" goes with \"--rate\"");
    return HL_OK;
}

static bool find_word(const char *const *names, size_t n, const char *text, size_t len,
                      size_t *ret_which)
{
    for (size_t i = 0; i < n; i++) {
        if (strlen(names[i]) != len || memcmp(names[i], text, len) != 0)
            continue;
        *ret_which = i;
        return true;
    }
    return false;
}

static enum hl_code read_mix(const struct hl_tool_words *words, struct hl_bench *bench,
                             struct hl_err *err)
{
    const char *text = words->values[MIX] ? words->values[MIX] : "search=1";
    double sum = 0;

    while (*text) {
        const size_t len = strcspn(text, ","), name = strcspn(text, "=,");
        size_t kind;

        if (name == len ||
            !find_word(hl_bench_kind_names, HL_N_BENCH_KINDS, text, name, &kind) ||
            !hl_tool_read_decimal(text + name + 1, len - name - 1, &bench->weights[kind]))
            return hl_fail(err, HL_INVALID,
                           "\"--mix\" wants weights of search, batch, retrieve, upsert and "
                           "delete such as search=9,upsert=1, not \"%.64s\"",
                           text);
        sum += bench->weights[kind];
        text += len + (text[len] == ',');
    }
    return sum > 0 ? HL_OK : hl_fail(err, HL_INVALID, "\"--mix\" asks for nothing");
}

static bool read_id(const char *text, size_t len, uint64_t *ret_id)
{
    return len > 0 && strspn(text, "0123456789") >= len && hl_number_u64(text, len, ret_id);
}

static enum hl_code read_ids(const struct hl_tool_words *words, struct hl_bench *bench,
                             struct hl_err *err)
{
    const bool writes =
        bench->weights[HL_BENCH_UPSERT] > 0 || bench->weights[HL_BENCH_DELETE] > 0;
    const char *text = words->values[WRITE_IDS];
    const char *colon = text ? strchr(text, ':') : NULL;
    uint64_t last = 0;

    if (!text)
        return writes
                   ? hl_fail(err, HL_INVALID,
                             "a mix that writes wants \"--write-ids FROM:TO\": the points "
                             "that it may overwrite")
                   : HL_OK;
    if (!colon || !read_id(text, (size_t)(colon - text), &bench->first_id) ||
        !read_id(colon + 1, strlen(colon + 1), &last) || last < bench->first_id ||
        last - bench->first_id == UINT64_MAX)
        return hl_fail(err, HL_INVALID,
                       "\"--write-ids\" wants two ids such as 1000:1999, not \"%.64s\"",
                       text);
    bench->n_ids = last - bench->first_id + 1;
    return HL_OK;
}

static enum hl_code read_form(const struct hl_tool_words *words, struct hl_bench *bench,
                              struct hl_err *err)
{
    static const char *const arrivals[] = {"even", "poisson"};
    const char *form = words->values[FORM] ? words->values[FORM] : "json";
    const char *word = words->values[ARRIVALS] ? words->values[ARRIVALS] : "even";
    size_t which = 0, how = 0;

    if (!find_word(hl_bench_form_names, HL_N_BENCH_FORMS, form, strlen(form), &which))
        return hl_fail(err, HL_INVALID,
                       "\"--form\" is \"json\", \"base64\" or \"raw\", not \"%.32s\"",
                       form);
    if (!find_word(arrivals, 2, word, strlen(word), &how))
        return hl_fail(err, HL_INVALID,
                       "\"--arrivals\" is \"even\" or \"poisson\", not \"%.32s\"", word);
    bench->form = (enum hl_bench_form)which;
    bench->is_poisson = how == 1;
    if (bench->form == HL_BENCH_RAW && bench->weights[HL_BENCH_SEARCH] > 0 &&
        (bench->filter || bench->with_payload))
        return hl_fail(err, HL_INVALID,
                       "a raw body is a vector and nothing else: \"--filter\" and "
                       "\"--with-payload\" want json or base64");
    return HL_OK;
}

static enum hl_code read_words(const struct hl_tool_words *words, struct hl_bench *bench,
                               struct hl_err *err)
{
    const char *const *values = words->values;
    enum hl_code code;

    *bench = (struct hl_bench){
        .url = values[URL] ? values[URL] : HL_REMOTE_URL,
        .key = hl_remote_key(values[API_KEY]),
        .collection = values[COLLECTION],
        .using_name = values[USING] ? hl_model_meant(values[USING]) : "",
        .queries = values[QUERIES],
        .filter = values[FILTER],
        .payload = values[PAYLOAD],
        .is_exact = values[EXACT] != NULL,
        .with_payload = values[WITH_PAYLOAD] != NULL,
        .waits = values[NO_WAIT] == NULL,
        .spins = values[SPIN] != NULL,
    };
    code = read_wholes(words, bench, err);
    if (code == HL_OK)
        code = read_times(words, bench, err);
    if (code == HL_OK)
        code = read_mix(words, bench, err);
    if (code == HL_OK)
        code = read_ids(words, bench, err);
    return code == HL_OK ? read_form(words, bench, err) : code;
}

/* ---- what would only be found out behind the load ---- */

static enum hl_code read_filter(const struct hl_field *field, struct hl_err *err)
{
    const struct hl_filter *filter;

    return hl_filter_read(field, &filter, err);
}

static enum hl_code read_payload(const struct hl_field *field, struct hl_err *err)
{
    struct hl_text payload;

    return hl_payload_read(field, &payload, err);
}

/* A text that is to stand in requests as it was typed. */
static enum hl_code check_text(const struct hl_tool_words *words, enum flag flag,
                               enum hl_code (*read)(const struct hl_field *,
                                                    struct hl_err *),
                               struct hl_err *err)
{
    const char *text = words->values[flag];
    struct hl_arena *arena;
    struct hl_tokens tokens;
    struct hl_field root;
    enum hl_code code;

    if (!text)
        return HL_OK;
    arena = hl_arena_new(REPORT_SIZE);
    if (!arena)
        return hl_fail(err, HL_NO_MEMORY, "no memory to read \"%s\"", flags[flag].name);
    hl_tokens_init(&tokens, text, strlen(text), arena);
    root = hl_field_root(&tokens);
    code = read(&root, err);
    if (code == HL_OK)
        code = hl_tokens_finish(&tokens, err);
    hl_arena_free(arena);
    return code == HL_OK ? HL_OK : hl_fail_in(err, "\"%s\"", flags[flag].name);
}

static enum hl_code check_words(const struct hl_tool_words *words, struct hl_err *err)
{
    const char *json = words->values[JSON];
    enum hl_code code = check_text(words, FILTER, read_filter, err);

    if (code == HL_OK)
        code = check_text(words, PAYLOAD, read_payload, err);
    if (code == HL_OK && json && strcmp(json, "-") != 0)
        code = hl_cli_check_path(json, err);
    return code == HL_OK ? hl_cli_check_path(words->values[HISTOGRAM], err) : code;
}

/* ---- what was seen ---- */

static enum hl_code save_histogram(const char *path, const struct hl_bench_count *sum,
                                   struct hl_buf *buf, struct hl_err *err)
{
    enum hl_code code = HL_OK;

    hl_buf_clear(buf, REPORT_SIZE);
    if (path) {
        hl_hist_print(sum->latency, 1000, buf);
        code = hl_buf_check(buf, "the histogram", err);
    }
    return code == HL_OK ? hl_cli_save_text(path, buf->data, err) : code;
}

static enum hl_code show(const struct hl_tool_words *words,
                         const struct hl_bench_show *show_of, struct hl_buf *buf,
                         struct hl_err *err)
{
    const char *path = words->values[JSON];
    const bool is_json = path && strcmp(path, "-") == 0;
    enum hl_code code;

    if (!is_json) {
        hl_bench_print_text(show_of, buf);
        code = hl_buf_check(buf, "the table", err);
        if (code != HL_OK)
            return code;
        fputs(buf->data, stdout);
        hl_buf_clear(buf, REPORT_SIZE);
    }
    hl_bench_print_json(show_of, buf);
    code = hl_buf_check(buf, "the report", err);
    if (code == HL_OK && is_json)
        fputs(buf->data, stdout);
    else if (code == HL_OK)
        code = hl_cli_save_text(path, buf->data, err);
    return code;
}

static enum hl_code report(const struct hl_tool_words *words, const struct hl_bench *bench,
                           const struct hl_bench_stock *stock,
                           const struct hl_bench_tally *tally, struct hl_err *err)
{
    struct hl_bench_count sum;
    struct hl_buf buf;
    enum hl_code code = hl_bench_tally_sum(tally, &sum, err);

    if (code != HL_OK)
        return code;
    hl_buf_init(&buf, REPORT_SIZE);
    code = show(words,
                &(struct hl_bench_show){.bench = bench,
                                        .tally = tally,
                                        .sum = &sum,
                                        .origin = stock->origin,
                                        .n_queries = stock->n_rows,
                                        .dim = stock->dim},
                &buf, err);
    if (code == HL_OK)
        code = save_histogram(words->values[HISTOGRAM], &sum, &buf, err);
    if (code == HL_OK && sum.n_failed > 0)
        code = hl_fail(err, HL_UNAVAILABLE, "%" PRIu64 " of %" PRIu64 " requests failed",
                       sum.n_failed, sum.n_requests);
    hl_buf_done(&buf);
    hl_bench_count_done(&sum);
    return code;
}

/* ---- from one end to the other ---- */

static enum hl_code load(const struct hl_tool_words *words, const struct hl_bench *bench,
                         const struct hl_bench_stock *stock, struct hl_err *err)
{
    struct hl_address address;
    struct hl_bench_pool *pool = NULL;
    struct hl_bench_tally tally;
    enum hl_code code = hl_address_read(bench->url, &address, err);

    if (code == HL_OK)
        code = hl_bench_pool_new(bench, &address, stock, &pool, err);
    if (code == HL_OK)
        code = hl_bench_tally_init(&tally, err);
    if (code == HL_OK) {
        code = hl_bench_load(bench, &address, pool, &tally, err);
        if (code == HL_OK)
            code = report(words, bench, stock, &tally, err);
        hl_bench_tally_done(&tally);
    }
    hl_bench_pool_free(pool);
    return code;
}

static enum hl_code run_bench(const struct hl_tool_words *words, struct hl_err *err)
{
    struct hl_bench_stock stock = {0};
    struct hl_remote remote;
    struct hl_bench bench;
    enum hl_code code = read_words(words, &bench, err);

    if (code == HL_OK)
        code = check_words(words, err);
    if (code != HL_OK)
        return code;
    code = hl_remote_init(&remote, bench.url, bench.key, bench.collection, err);
    if (code == HL_OK)
        code = hl_bench_stock_load(&bench, &remote, &stock, err);
    hl_remote_done(&remote);
    if (code == HL_OK)
        code = load(words, &bench, &stock, err);
    hl_bench_stock_done(&stock);
    return code;
}

const struct hl_tool hl_cli_bench = {
    .name = "bench",
    .summary = "load a running server and say what it can do",
    .usage = "--collection NAME [FLAG …]",
    .text =
        "Without --rate the load is closed: each connection sends its next request when "
        "the\n"
        "last one is answered, which finds the highest rate. With it the load is open: "
        "requests\n"
        "are meant to begin at times that are set before, and latency counts from then, "
        "whether\n"
        "a connection was free or not; a server that stalls cannot hide it. \"once sent\" "
        "is "
        "the\n"
        "same without that wait. Percentiles are of requests that were answered well, and "
        "of\n"
        "those that never were, with the time they had waited. If one failed the status is "
        "1.\n"
        "\n"
        "examples:\n"
        "    heirloom bench --collection photos\n"
        "    heirloom bench --collection photos --rate 2000 --arrivals poisson --seconds "
        "60\n"
        "    heirloom bench --collection photos --form raw --queries q.npy --using v2\n"
        "    heirloom bench --collection photos --mix search=9,upsert=1 \\\n"
        "        --write-ids 9000000:9099999 --json now.json --histogram now.hgrm\n",
    .flags = flags,
    .n_flags = N_FLAGS,
    .run = run_bench};
