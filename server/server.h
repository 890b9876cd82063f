/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HL_SERVER_SERVER_H
#define HL_SERVER_SERVER_H

#include "proto/deadline.h"
#include "server/bodies.h"
#include "server/collections.h"
#include "server/config.h"
#include "server/datasets.h"
#include "server/jobs.h"
#include "server/live.h"
#include "server/log.h"
#include "server/metrics.h"
#include "server/pool.h"
#include "server/routes.h"
#include "server/watch.h"

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

/* What all requests of one server share: built by serve.c before the first request, gone
 * after the last. Everything is read-only meanwhile but the atomics, and what the objects
 * behind the pointers guard themselves. */

enum hl_server_phase { HL_SERVER_STARTING, HL_SERVER_READY, HL_SERVER_STOPPING };

struct hl_server {
    const struct hl_config *config;
    struct hl_log *log;
    struct hl_clock clock;
    struct hl_router *router;
    struct hl_pool *pool;
    struct hl_watch *watch;
    struct hl_metrics *metrics;
    struct hl_engine *engine;
    struct hl_governor *governor; /* of long work */
    struct hl_collections *collections;
    struct hl_jobs *jobs;
    struct hl_offers *offers;
    struct hl_overseer *overseer;
    struct hl_datasets datasets;
    struct hl_live keys; /* of struct hl_keys */
    struct hl_bodies bodies;
    size_t n_workers; /* HTTP threads */
    size_t n_readers;

    atomic_int phase; /* enum hl_server_phase */
    atomic_size_t n_conns_ever;

    uint64_t boot_id;    /* random; tells this run from every other */
    char boot_name[37];  /* the same as a UUID */
    char started_at[32]; /* RFC 3339 */
    int64_t started_us;  /* by `clock` */
    struct hl_span root; /* the answer of GET /, printed once */
    struct hl_buf root_buf;
};

#endif
