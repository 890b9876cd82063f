/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HL_SERVER_GALLERY_METRICS_H
#define HL_SERVER_GALLERY_METRICS_H

#include "proto/arena.h"
#include "proto/buf.h"
#include "server/collections.h"

/* What is counted about collections and the engine they share, for the page Prometheus
 * reads: by Qdrant's names where there are such, else by ours. Any thread; takes a moment
 * of each collection. */
void hl_gallery_metrics_print(struct hl_collections *collections, struct hl_engine *engine,
                              struct hl_arena *arena, struct hl_buf *buf);

#endif
