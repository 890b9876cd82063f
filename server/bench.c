/* SPDX-License-Identifier: Apache-2.0 */
#include "server/bench.h"

#include "proto/random.h"

#include <math.h>

const char *const hl_bench_kind_names[HL_N_BENCH_KINDS] = {
    [HL_BENCH_SEARCH] = "search",     [HL_BENCH_BATCH] = "batch",
    [HL_BENCH_RETRIEVE] = "retrieve", [HL_BENCH_UPSERT] = "upsert",
    [HL_BENCH_DELETE] = "delete",
};

const char *const hl_bench_form_names[HL_N_BENCH_FORMS] = {
    [HL_BENCH_JSON] = "json",
    [HL_BENCH_BASE64] = "base64",
    [HL_BENCH_RAW] = "raw",
};

void hl_bench_arrivals_init(struct hl_bench_arrivals *arrivals,
                            const struct hl_bench *bench)
{
    *arrivals = (struct hl_bench_arrivals){.gap_ns = 1e9 / bench->rate,
                                           .random = hl_random_mix(bench->seed),
                                           .is_poisson = bench->is_poisson};
}

int64_t hl_bench_arrivals_next(const struct hl_bench_arrivals *arrivals)
{
    return (int64_t)arrivals->next_ns;
}

void hl_bench_arrivals_advance(struct hl_bench_arrivals *arrivals)
{
    struct hl_random random = {arrivals->random};

    arrivals->n++;
    if (arrivals->is_poisson)
        arrivals->next_ns -= arrivals->gap_ns * log(1 - hl_random_unit(&random));
    else
        arrivals->next_ns = arrivals->gap_ns * (double)arrivals->n;
    arrivals->random = random.state;
}
