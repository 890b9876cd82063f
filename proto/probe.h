/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HL_PROTO_PROBE_H
#define HL_PROTO_PROBE_H

#include "proto/buf.h"
#include "proto/filter.h"
#include "proto/ids.h"
#include "proto/text.h"
#include "proto/vector.h"

#include <stdbool.h>
#include <stdint.h>

/* Probe sets: stored queries, each with what several models see in it and the points that
 * it must find.
 *
 * One comes as JSON, `{"k":10,"flip_at":1,"every_s":0,"queries":[…]}`, or line by line: the
 * settings, which may be left out, then one query a line. Sets are kept in the second form,
 * so one reader reads what came and what is kept. However large one is, a single query of
 * it is held at a time. Plain data. */
struct hl_probe_settings {
    uint32_t k;       /* how many are looked for */
    uint32_t flip_at; /* right is who has a relevant one among so many; at most k */
    uint32_t every_s; /* how often a rollout that names the set runs it; 0: not at all */
};

enum {
    HL_PROBE_K = 10,
    HL_PROBE_K_MOST = 1000,
    HL_PROBE_EVERY_MOST = 31 * 24 * 3600,
    HL_PROBES_MOST = 1000000 /* of a set */
};

struct hl_probe {
    struct hl_text id;                   /* `text` is NULL when it was omitted */
    struct hl_vectors vectors;           /* dense, one at least; "@default" is "" here */
    struct hl_ids relevant;              /* ascending, each once */
    const struct hl_filter *relevant_if; /* what it matches is relevant, too; NULL: none */
    const struct hl_filter *filter;      /* of the query; NULL: none */
    struct hl_text relevant_if_text, filter_text; /* their sources; NULL: none */
};

struct hl_probe_settings hl_probe_settings_default(void);

/* One after the other; the probe is good until `take` returns. */
struct hl_probe_taker {
    enum hl_code (*take)(struct hl_probe_taker *taker, const struct hl_probe *probe,
                         struct hl_err *err);
    struct hl_arena *scratch; /* for one probe at a time, and empty otherwise */
    uint64_t n;               /* how many were taken */
};

/* Of a JSON body, settings before the queries or behind them. */
enum hl_code hl_probes_read(const struct hl_field *field, struct hl_probe_taker *taker,
                            struct hl_probe_settings *ret_settings, struct hl_err *err);

/* Of lines; those without anything are passed over. */
enum hl_code hl_probes_read_lines(const char *text, size_t len,
                                  struct hl_probe_taker *taker,
                                  struct hl_probe_settings *ret_settings,
                                  struct hl_err *err);

/* The same probe by probe. Begin with the text and its length and zeros. `ret_has` is false
 * behind the last. What a probe points to is good as long as text and arena; the settings
 * are whole once the first probe was given. */
struct hl_probe_lines {
    const char *text;
    size_t len, at;
    uint64_t number; /* of the line */
    struct hl_probe_settings settings;
};
enum hl_code hl_probe_lines_next(struct hl_probe_lines *lines, struct hl_arena *arena,
                                 struct hl_probe *ret_probe, bool *ret_has,
                                 struct hl_err *err);

/* A line of each, with its end. */
void hl_probe_settings_print(const struct hl_probe_settings *settings, struct hl_buf *buf);
void hl_probe_print(const struct hl_probe *probe, struct hl_buf *buf);

/* The body that has a set run: between which models, and which version. What is left out is
 * a text of NULL, and 0. */
struct hl_probe_order {
    struct hl_text from, to; /* as they came: "@default" is the unnamed one */
    uint64_t version;
};
enum hl_code hl_probe_order_read(const struct hl_field *field,
                                 struct hl_probe_order *ret_order, struct hl_err *err);

#endif
