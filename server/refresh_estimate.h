/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HL_SERVER_REFRESH_ESTIMATE_H
#define HL_SERVER_REFRESH_ESTIMATE_H

#include "server/bridge_body.h"
#include "server/holdings.h"

/* What embedding some more points would bring the queries of a model, read off a bridge's
 * report: it measured both strategies where a quarter, half and three quarters of the items
 * have the new vector, on rows that no fit saw, and both ends. In between it is taken to be
 * straight.
 *
 * It says what was true of those rows, of items chosen by chance, at the bridge's own
 * fidelity; not what the order in which points are chosen adds, nor how far the gallery is
 * from those rows. */
enum { HL_CURVE_KNOTS = 4 };

struct hl_curve {
    double shares[HL_CURVE_KNOTS]; /* rising, from 0 */
    double values[HL_CURVE_KNOTS];
    double all;        /* where every point has the new vector */
    bool leads_to_all; /* by and by; else `all` is only so at the very end */
};

/* At a share from 0 to 1. */
double hl_curve_at(const struct hl_curve *curve, double share);

/* From a report, JSON: *ret_has is false where it does not say. `figure` is "top1" or
 * "map", `strategy` backward or dual. */
struct hl_curve_wish {
    struct hl_text report;
    enum hl_serving strategy;
    const char *figure;
    struct hl_arena *arena;
};
enum hl_code hl_curve_read(const struct hl_curve_wish *wish, bool *ret_has,
                           struct hl_curve *ret_curve, struct hl_err *err);

struct hl_refresh_estimate {
    const struct hl_text *to; /* the model, as it was asked for */
    const char *by;           /* the one in whose space was looked, or NULL */
    uint64_t n_points, n_have, n_more;
};

/* `{"bridge":…,"strategy":…,"points":…,"top1":{"now":…,"next":…,"all":…},"map":…}`, or null
 * where no bridge from the model is active, or its report does not say. */
enum hl_code hl_refresh_estimate_print(const struct hl_holdings *holdings,
                                       const struct hl_refresh_estimate *estimate,
                                       struct hl_arena *arena, struct hl_buf *buf,
                                       struct hl_err *err);

#endif
