/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HL_SERVER_BENCH_H
#define HL_SERVER_BENCH_H

#include <stdbool.h>
#include <stdint.h>

/* What `heirloom bench` was told: how a running server is loaded. Plain data, the texts
 * borrowed from the command line; any thread. */
enum hl_bench_kind {
    HL_BENCH_SEARCH,
    HL_BENCH_BATCH, /* many searches in one request */
    HL_BENCH_RETRIEVE,
    HL_BENCH_UPSERT,
    HL_BENCH_DELETE,
    HL_N_BENCH_KINDS
};

enum hl_bench_form { HL_BENCH_JSON, HL_BENCH_BASE64, HL_BENCH_RAW, HL_N_BENCH_FORMS };

struct hl_bench {
    const char *url;
    const char *key; /* NULL: none */
    const char *collection;
    const char *using_name; /* "": the unnamed vector */
    const char *queries;    /* a file; NULL: the gallery's own vectors */
    const char *filter;     /* JSON; NULL: none */
    const char *payload;    /* of points that are written, JSON; NULL: none */
    enum hl_bench_form form;
    double weights[HL_N_BENCH_KINDS]; /* of the mix; at least one is not 0 */
    uint64_t n_connections;
    uint64_t pool; /* how many vectors and ids are drawn on */
    uint64_t limit;
    uint64_t ef;     /* 0: not said */
    uint64_t batch;  /* searches of a batch */
    uint64_t points; /* of one upsert */
    uint64_t first_id;
    uint64_t n_ids; /* that are written; 0: the mix writes nothing */
    uint64_t seed;
    double seconds;
    double warm_up_s;
    double rate; /* requests a second; 0: as fast as answers come */
    double patience_s;
    bool is_poisson;
    bool is_exact;
    bool with_payload;
    bool waits; /* for writes to be durable */
    bool spins; /* never sleeps */
};

extern const char *const hl_bench_kind_names[HL_N_BENCH_KINDS];
extern const char *const hl_bench_form_names[HL_N_BENCH_FORMS];

/* When requests are meant to begin, in nanoseconds since the load began: evenly, or as if
 * each caller knew nothing of the others. */
struct hl_bench_arrivals {
    double gap_ns;
    double next_ns;
    uint64_t n;
    uint64_t random; /* the state of its chance */
    bool is_poisson;
};

void hl_bench_arrivals_init(struct hl_bench_arrivals *arrivals,
                            const struct hl_bench *bench);

/* The one that comes next, and from one to the one behind it. */
int64_t hl_bench_arrivals_next(const struct hl_bench_arrivals *arrivals);
void hl_bench_arrivals_advance(struct hl_bench_arrivals *arrivals);

#endif
