/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HL_INDEX_GRAPH_FILE_H
#define HL_INDEX_GRAPH_FILE_H

#include "proto/err.h"
#include "proto/file.h"

/* A look at a file before FAISS's reader gets it, which allocates whatever size it finds
 * and forgets what it has allocated when the next piece is missing.
 *
 * HL_OK when the file is an HNSW graph over rows of floats and every size in it fits the
 * others and the file; HL_BAD_FILE when it is something else, HL_DAMAGED when it is not
 * whole. Reads little: the arrays are skipped. Any thread. */
enum hl_code hl_graph_file_check(const struct hl_file *file, struct hl_err *err);

#endif
