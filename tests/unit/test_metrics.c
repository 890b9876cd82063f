/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "proto/fail.h"
#include "server/metrics.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { N_THREADS = 4, N_REQUESTS = 5000 };

static const struct hl_metrics_route routes[] = {
    {"GET", "/healthz"},
    {"POST", "/a\"b\\c\nd"},
};

static const struct hl_metrics_build build = {"0.1.0", "abc", "1.19.0", "avx2"};

struct fixture {
    struct hl_metrics *metrics;
    struct hl_buf page;
};

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    struct hl_err err;

    assert_non_null(f);
    hl_buf_init(&f->page, 1 << 24);
    assert_int_equal(hl_metrics_new(routes, 2, &build, &f->metrics, &err), HL_OK);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    hl_failpoint_disarm();
    hl_metrics_free(f->metrics);
    hl_buf_done(&f->page);
    free(f);
    return 0;
}

static void print_page(struct fixture *f)
{
    hl_buf_done(&f->page);
    hl_metrics_print(f->metrics, &f->page);
    assert_int_equal(f->page.failed, HL_OK);
}

/* The value behind that series. */
static double value_of(const struct fixture *f, const char *series)
{
    size_t len = strlen(series);

    for (const char *line = f->page.data; *line; line += strcspn(line, "\n") + 1)
        if (strncmp(line, series, len) == 0 && line[len] == ' ')
            return strtod(line + len, NULL);
    fail_msg("there is no %s", series);
    return 0;
}

static bool has(const struct fixture *f, const char *text)
{
    return strstr(f->page.data, text) != NULL;
}

static void requests_are_counted_by_route_and_status(void **state)
{
    struct fixture *f = *state;

    hl_metrics_answered(f->metrics, 0, 200, 10);
    hl_metrics_answered(f->metrics, 0, 200, 20);
    hl_metrics_answered(f->metrics, 0, 503, 30);
    hl_metrics_answered(f->metrics, 7, 404, 40);
    hl_metrics_answered(f->metrics, 1, 299, 50);
    print_page(f);
    assert_int_equal(value_of(f, "heirloom_http_requests_total{method=\"GET\","
                                 "endpoint=\"/healthz\",status=\"200\"}"),
                     2);
    assert_int_equal(value_of(f,
                              "rest_responses_total{method=\"GET\",endpoint=\"/healthz\","
                              "status=\"503\"}"),
                     1);
    assert_int_equal(value_of(f, "rest_responses_fail_total{method=\"GET\","
                                 "endpoint=\"/healthz\",status=\"503\"}"),
                     1);
    assert_int_equal(value_of(f, "rest_responses_total{method=\"other\","
                                 "endpoint=\"unmatched\",status=\"404\"}"),
                     1);
    assert_true(has(f, "status=\"other\"} 1\n"));
    assert_false(has(f, "rest_responses_fail_total{method=\"other\""));
}

static void a_histogram_agrees_with_itself(void **state)
{
    struct fixture *f = *state;
    const int64_t took_us[] = {0, 100, 101, 5000, 10000000, 10000001, -5};

    for (size_t i = 0; i < sizeof took_us / sizeof *took_us; i++)
        hl_metrics_answered(f->metrics, 0, i % 2 ? 200 : 404, took_us[i]);
    print_page(f);
#define SERIES(end, le)                                                                    \
    "heirloom_http_request_duration_seconds" end                                           \
    "{method=\"GET\",endpoint=\"/healthz\"" le "}"
    assert_int_equal(value_of(f, SERIES("_bucket", ",le=\"0.0001\"")), 3);
    assert_int_equal(value_of(f, SERIES("_bucket", ",le=\"0.00025\"")), 4);
    assert_int_equal(value_of(f, SERIES("_bucket", ",le=\"0.005\"")), 5);
    assert_int_equal(value_of(f, SERIES("_bucket", ",le=\"10.0\"")), 6);
    assert_int_equal(value_of(f, SERIES("_bucket", ",le=\"+Inf\"")), 7);
    assert_int_equal(value_of(f, SERIES("_count", "")), 7);
    assert_true(value_of(f, SERIES("_sum", "")) > 20.0052);
    assert_true(value_of(f, SERIES("_sum", "")) < 20.0053);
#undef SERIES
}

static void what_bridges_cost_is_a_histogram_too(void **state)
{
    struct fixture *f = *state;
    const int64_t took_us[] = {0, 10, 11, 5000, 5001};

    for (size_t i = 0; i < sizeof took_us / sizeof *took_us; i++)
        hl_metrics_mapped(f->metrics, took_us[i]);
    print_page(f);
#define SERIES(end) "heirloom_query_map_duration_seconds" end
    assert_int_equal(value_of(f, SERIES("_bucket{le=\"0.00001\"}")), 2);
    assert_int_equal(value_of(f, SERIES("_bucket{le=\"0.000025\"}")), 3);
    assert_int_equal(value_of(f, SERIES("_bucket{le=\"0.005\"}")), 4);
    assert_int_equal(value_of(f, SERIES("_bucket{le=\"+Inf\"}")), 5);
    assert_int_equal(value_of(f, SERIES("_count")), 5);
    assert_float_equal(value_of(f, SERIES("_sum")), 0.010022, 1e-9);
#undef SERIES
}

static void the_mean_is_of_one_status(void **state)
{
    struct fixture *f = *state;

    hl_metrics_answered(f->metrics, 0, 200, 1000);
    hl_metrics_answered(f->metrics, 0, 200, 3000);
    hl_metrics_answered(f->metrics, 0, 500, 900000);
    print_page(f);
    assert_true(has(f, "rest_responses_avg_duration_seconds{method=\"GET\","
                       "endpoint=\"/healthz\",status=\"200\"} 0.002\n"));
}

static void rejected_requests_are_counted_by_reason(void **state)
{
    struct fixture *f = *state;
    const int statuses[] = {401, 403, 408, 413, 429, 431, 404};

    for (size_t i = 0; i < sizeof statuses / sizeof *statuses; i++)
        hl_metrics_answered(f->metrics, 9, statuses[i], 1);
    print_page(f);
    assert_true(has(f, "heirloom_http_rejected_total{reason=\"unauthorized\"} 1\n"));
    assert_true(has(f, "heirloom_http_rejected_total{reason=\"forbidden\"} 1\n"));
    assert_true(has(f, "heirloom_http_rejected_total{reason=\"timeout\"} 1\n"));
    assert_true(has(f, "heirloom_http_rejected_total{reason=\"too_large\"} 1\n"));
    assert_true(has(f, "heirloom_http_rejected_total{reason=\"too_many\"} 1\n"));
    assert_true(has(f, "heirloom_http_rejected_total{reason=\"headers_too_large\"} 1\n"));
}

static void gauges_go_up_and_down(void **state)
{
    struct fixture *f = *state;

    hl_metrics_add(f->metrics, HL_METRIC_CONNECTIONS, 3);
    hl_metrics_add(f->metrics, HL_METRIC_CONNECTIONS, -2);
    hl_metrics_add(f->metrics, HL_METRIC_BYTES_OUT, 1000);
    print_page(f);
    assert_int_equal(value_of(f, "heirloom_http_connections"), 1);
    assert_int_equal(value_of(f, "heirloom_http_response_bytes_total"), 1000);
}

static void labels_are_escaped(void **state)
{
    struct fixture *f = *state;

    hl_metrics_answered(f->metrics, 1, 200, 1);
    print_page(f);
    assert_true(has(f, "endpoint=\"/a\\\"b\\\\c\\nd\""));
    assert_false(has(f, "c\nd"));
}

static void the_page_says_what_runs(void **state)
{
    struct fixture *f = *state;

    print_page(f);
    assert_true(has(f, "heirloom_build_info{version=\"0.1.0\",commit=\"abc\","
                       "kernels=\"avx2\"} 1\n"));
    assert_true(has(f, "app_info{name=\"heirloom\",version=\"1.19.0\"} 1\n"));
    assert_true(value_of(f, "process_start_time_seconds") > 1.7e9);
    assert_true(value_of(f, "process_resident_memory_bytes") > 100000);
    assert_true(value_of(f, "process_open_fds") >= 3);
    assert_true(value_of(f, "process_max_fds") >= value_of(f, "process_open_fds"));
    assert_true(value_of(f, "process_cpu_seconds_total") > 0);
}

/* What a scraper insists on: help and type before the first value of a family, families
 * that do not come back, and lines of NAME[{LABELS}] VALUE. */
static void every_series_stands_behind_its_help_and_type(void **state)
{
    struct fixture *f = *state;
    char family[128] = "";
    int n_series = 0;

    for (size_t route = 0; route < 3; route++)
        hl_metrics_answered(f->metrics, route, 200, 1000);
    hl_metrics_answered(f->metrics, 0, 500, 1000);
    print_page(f);
    for (const char *line = f->page.data; *line; line += strcspn(line, "\n") + 1) {
        size_t name_len = strcspn(line, " {");
        char name[128], type[32], head[160];

        if (sscanf(line, "# HELP %127s", name) == 1) {
            snprintf(family, sizeof family, "%s", name);
            snprintf(head, sizeof head, "# HELP %s ", family);
            assert_ptr_equal(strstr(f->page.data, head), line);
            line += strcspn(line, "\n") + 1;
            assert_int_equal(sscanf(line, "# TYPE %127s %31s", name, type), 2);
            assert_string_equal(name, family);
            continue;
        }
        assert_true(name_len >= strlen(family));
        assert_memory_equal(line, family, strlen(family));
        assert_true(name_len == strlen(family) || line[strlen(family)] == '_');
        n_series++;
    }
    assert_true(n_series > 50);
}

static void *answer_many(void *argument)
{
    struct hl_metrics *metrics = argument;

    for (int i = 0; i < N_REQUESTS; i++) {
        hl_metrics_add(metrics, HL_METRIC_IN_FLIGHT, 1);
        hl_metrics_answered(metrics, (size_t)(i % 2), 200, i);
        hl_metrics_add(metrics, HL_METRIC_IN_FLIGHT, -1);
    }
    return NULL;
}

static void nothing_is_lost_when_many_threads_count(void **state)
{
    struct fixture *f = *state;
    pthread_t threads[N_THREADS];

    for (size_t i = 0; i < N_THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, answer_many, f->metrics), 0);
    for (int i = 0; i < 20; i++)
        print_page(f);
    for (size_t i = 0; i < N_THREADS; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    print_page(f);
    assert_int_equal(value_of(f, "heirloom_http_requests_in_flight"), 0);
    assert_int_equal(value_of(f,
                              "rest_responses_total{method=\"GET\",endpoint=\"/healthz\","
                              "status=\"200\"}"),
                     N_THREADS * N_REQUESTS / 2);
}

static void without_memory_there_are_no_metrics_and_no_page(void **state)
{
    struct fixture *f = *state;
    struct hl_metrics *metrics = NULL;
    enum hl_code code = HL_NO_MEMORY;
    struct hl_err err;
    char rule[32];
    int n = 0;

    assert_int_equal(hl_failpoint_arm("alloc=1:fail", &err), HL_OK);
    hl_metrics_print(f->metrics, &f->page);
    assert_int_equal(f->page.failed, HL_NO_MEMORY);
    while (code != HL_OK && n < 100) {
        snprintf(rule, sizeof rule, "alloc=%d:fail", ++n);
        assert_int_equal(hl_failpoint_arm(rule, &err), HL_OK);
        code = hl_metrics_new(routes, 2, &build, &metrics, &err);
        assert_true(code == HL_OK || code == HL_NO_MEMORY);
    }
    assert_int_equal(code, HL_OK);
    hl_metrics_free(metrics);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(requests_are_counted_by_route_and_status),
        TEST(a_histogram_agrees_with_itself),
        TEST(what_bridges_cost_is_a_histogram_too),
        TEST(the_mean_is_of_one_status),
        TEST(rejected_requests_are_counted_by_reason),
        TEST(gauges_go_up_and_down),
        TEST(labels_are_escaped),
        TEST(the_page_says_what_runs),
        TEST(every_series_stands_behind_its_help_and_type),
        TEST(nothing_is_lost_when_many_threads_count),
        TEST(without_memory_there_are_no_metrics_and_no_page),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
