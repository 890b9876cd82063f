/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HL_SERVER_PROBES_H
#define HL_SERVER_PROBES_H

#include "proto/probe.h"
#include "server/holdings.h"

/* Probe sets as records of a collection: the regression suites of a gallery.
 *
 * A set has versions, counted from 1 and never used twice, not even by a set of that name
 * that comes later; the last HL_PROBE_VERSIONS are kept. Of what they gave, the last run is
 * kept whole, and of the last HL_PROBE_RUNS a summary. Models are known by their names: one
 * that the latest version has vectors of cannot be dropped. Any thread that may use the
 * holdings or the writing. */
enum { HL_PROBE_NAME = 63, HL_PROBE_VERSIONS = 4, HL_PROBE_RUNS = 16 };

struct hl_probe_model {
    struct hl_text name; /* the layout's: "" is the unnamed one */
    uint32_t dim;
    uint64_t n; /* queries that have a vector of it */
};

struct hl_probe_set {
    uint64_t version;
    struct hl_probe_settings settings;
    uint64_t n_queries;
    const struct hl_probe_model *models; /* in the arena */
    size_t n_models;
};

/* NULL: it has no vectors of the model. */
const struct hl_probe_model *hl_probe_set_model(const struct hl_probe_set *set,
                                                const char *model);

/* 1 to 63 letters, digits, `.`, `_` and `-`, no dot in front. HL_INVALID. */
enum hl_code hl_probes_check_name(const struct hl_span *name, struct hl_err *err);

/* Version 0 is the latest. HL_NOT_FOUND, with which of the two there is not. */
enum hl_code hl_probes_find(const struct hl_holdings *holdings, const char *name,
                            uint64_t version, struct hl_arena *arena,
                            struct hl_probe_set *ret_set, struct hl_err *err);

/* The lines of a version that was found. Good until the holdings' next record. */
enum hl_code hl_probes_text(const struct hl_holdings *holdings, const char *name,
                            uint64_t version, struct hl_span *ret_text, struct hl_err *err);

/* HL_CONFLICT, naming the set, while the latest version of one has vectors of the model. */
enum hl_code hl_probes_check_idle(const struct hl_holdings *holdings, const char *model,
                                  struct hl_err *err);

/* In a change: the next version. HL_CONFLICT when one of the models is not what it was. */
struct hl_probe_entry {
    const char *name;
    struct hl_probe_set set; /* without its version */
    struct hl_span text;     /* lines */
    const char *by;          /* the id of a key; "" without keys */
};
enum hl_code hl_probes_put(struct hl_writing *writing, const struct hl_probe_entry *entry,
                           uint64_t *ret_version, struct hl_err *err);

/* In a change: all versions and all that is kept of runs. HL_NOT_FOUND. */
enum hl_code hl_probes_remove(struct hl_writing *writing, const char *name,
                              struct hl_err *err);

/* In a change: what came out. Both are objects of JSON on one line. Of a set that is gone
 * meanwhile nothing is kept, which is no error. */
enum hl_code hl_probes_keep_run(struct hl_writing *writing, const char *name,
                                const struct hl_span *run, const struct hl_span *summary,
                                struct hl_err *err);

/* One object about a version, with or without what is kept of runs; and about all sets, by
 * name. */
enum hl_code hl_probes_print(const struct hl_holdings *holdings, const char *name,
                             uint64_t version, bool has_runs, struct hl_buf *buf,
                             struct hl_err *err);
enum hl_code hl_probes_print_all(const struct hl_holdings *holdings, struct hl_buf *buf,
                                 struct hl_err *err);

#endif
