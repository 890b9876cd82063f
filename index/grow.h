/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HL_INDEX_GROW_H
#define HL_INDEX_GROW_H

#include "index/engine_part.h"
#include "index/layout.h"

#include <stdbool.h>

/* Tails get their graphs while they fill: the keeper adds a thousand rows at a time, so a
 * search scans a few thousand rows at most as long as the keeper keeps up. Where it does
 * not and somebody searches, who writes waits for it. */

/* The keeper: another step for a tail of the shelf; *ret_has_grown is false when there is
 * nothing to grow. A tail that there is no memory to grow a graph for, or that fails, is
 * scanned until it is sealed. */
enum hl_code hl_grow_step(struct hl_engine *engine, const struct hl_shelf *shelf,
                          bool *ret_has_grown, struct hl_err *err);

/* The keeper and the one writer that has the collection: tells the engine what is bare now,
 * in no graph, of `layout`. */
void hl_grow_account(struct hl_collection *collection, const struct hl_layout *layout);

/* Whether it was so much that the keeper has something to do. */
bool hl_grow_is_due(struct hl_collection *collection);

/* The writer, before a transaction: waits for a second at most while searches, if there
 * were any in the last minute, would scan too much and nothing but upserts is asked for.
 * True: the second is not over, but other collections want the writer, the keeper's own
 * changes maybe; this one asks again behind them. */
bool hl_grow_hold_back(struct hl_collection *collection);

#endif
