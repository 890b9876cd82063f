/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HL_SERVER_COVERAGE_H
#define HL_SERVER_COVERAGE_H

#include "server/holdings.h"
#include "server/reach.h"

/* How many points models have seen, and how many their queries find: counted in memory, as
 * it is at the moment of the call. Any thread. */

/* Points that have a vector of any of the models, or of all of them. */
enum hl_code hl_coverage_count(const struct hl_holdings *holdings,
                               const struct hl_models *models, bool is_of_all,
                               struct hl_arena *arena, uint64_t *ret_n, struct hl_err *err);

/* Points that have a vector of `from` and none of `to`. */
enum hl_code hl_coverage_left(const struct hl_holdings *holdings, uint32_t from,
                              uint32_t to, uint64_t *ret_n, struct hl_err *err);

struct hl_coverage {
    uint64_t n_points;  /* of the collection */
    uint64_t n_own;     /* with a vector of the model */
    uint64_t n_reached; /* that its queries find, by what is active */
};
enum hl_code hl_coverage_take(const struct hl_holdings *holdings, uint32_t space,
                              struct hl_arena *arena, struct hl_coverage *ret_coverage,
                              struct hl_err *err);

#endif
