/* SPDX-License-Identifier: Apache-2.0 */
#include "server/bench_tally.h"

#include <stdio.h>
#include <string.h>

static bool init_count(struct hl_bench_count *count)
{
    *count = (struct hl_bench_count){.latency = hl_hist_new(), .service = hl_hist_new()};
    return count->latency && count->service;
}

void hl_bench_count_done(struct hl_bench_count *count)
{
    hl_hist_free(count->latency);
    hl_hist_free(count->service);
    *count = (struct hl_bench_count){0};
}

enum hl_code hl_bench_tally_init(struct hl_bench_tally *tally, struct hl_err *err)
{
    bool has_all;

    *tally = (struct hl_bench_tally){.late = hl_hist_new()};
    has_all = tally->late != NULL;
    for (int i = 0; i < HL_N_BENCH_KINDS; i++)
        has_all = init_count(&tally->kinds[i]) && has_all;
    if (has_all)
        return HL_OK;
    hl_bench_tally_done(tally);
    return hl_fail(err, HL_NO_MEMORY, "no memory to count with");
}

void hl_bench_tally_done(struct hl_bench_tally *tally)
{
    for (int i = 0; i < HL_N_BENCH_KINDS; i++)
        hl_bench_count_done(&tally->kinds[i]);
    hl_hist_free(tally->late);
    tally->late = NULL;
}

void hl_bench_tally_add(struct hl_bench_tally *tally, enum hl_bench_kind kind,
                        int64_t latency_ns, int64_t service_ns)
{
    struct hl_bench_count *count = &tally->kinds[kind];

    count->n_requests++;
    hl_hist_record(count->latency, (uint64_t)latency_ns);
    hl_hist_record(count->service, (uint64_t)service_ns);
}

static struct hl_bench_failure *find_failure(struct hl_bench_tally *tally, int status,
                                             const char *sentence)
{
    struct hl_bench_failure wanted = {.status = status};

    snprintf(wanted.sentence, sizeof wanted.sentence, "%s", sentence);
    for (size_t i = 0; i < tally->n_failures; i++)
        if (tally->failures[i].status == status &&
            strcmp(tally->failures[i].sentence, wanted.sentence) == 0)
            return &tally->failures[i];
    if (tally->n_failures == HL_BENCH_SENTENCES)
        return NULL;
    tally->failures[tally->n_failures] = wanted;
    return &tally->failures[tally->n_failures++];
}

void hl_bench_tally_fail(struct hl_bench_tally *tally, enum hl_bench_kind kind, int status,
                         const char *sentence, uint64_t n)
{
    struct hl_bench_failure *failure = find_failure(tally, status, sentence);

    tally->kinds[kind].n_requests += n;
    tally->kinds[kind].n_failed += n;
    if (failure)
        failure->n += n;
    else
        tally->n_other_failures += n;
}

void hl_bench_tally_miss(struct hl_bench_tally *tally, enum hl_bench_kind kind,
                         int64_t latency_ns, const char *sentence)
{
    hl_hist_record(tally->kinds[kind].latency, (uint64_t)latency_ns);
    hl_bench_tally_fail(tally, kind, 0, sentence, 1);
}

enum hl_code hl_bench_tally_sum(const struct hl_bench_tally *tally,
                                struct hl_bench_count *ret_sum, struct hl_err *err)
{
    struct hl_bench_count sum;

    if (!init_count(&sum)) {
        hl_bench_count_done(&sum);
        return hl_fail(err, HL_NO_MEMORY, "no memory to count with");
    }
    for (int i = 0; i < HL_N_BENCH_KINDS; i++) {
        const struct hl_bench_count *kind = &tally->kinds[i];

        hl_hist_merge(sum.latency, kind->latency);
        hl_hist_merge(sum.service, kind->service);
        sum.n_requests += kind->n_requests;
        sum.n_failed += kind->n_failed;
        sum.n_finished += kind->n_finished;
    }
    *ret_sum = sum;
    return HL_OK;
}
