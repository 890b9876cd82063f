/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HL_INDEX_FAISS_GAP_H
#define HL_INDEX_FAISS_GAP_H

#include "index/graph.h"
#include "index/kernels.h"
#include "proto/err.h"

#include <stddef.h>
#include <stdint.h>

/* What FAISS's C API leaves out, for the files of index/ alone.
 *
 * faiss_gap.cc also defines the functions of the C API that we call, where the installed
 * FAISS has their headers and not their code (Debian 12), and stands in for FAISS's
 * distance functions (see hl_gap_use_kernels). No exception leaves it: it answers in our
 * errors, and what it defines of the C API in FAISS's. */
struct FaissIndex_H; /* FAISS's own name of what its C API calls a FaissIndex */

/* Which kernels FAISS's own calls reach, for the whole process: its functions take no
 * context. Any thread; a search under way may use both tables. The table must stay. */
void hl_gap_use_kernels(const struct hl_kernels *kernels);
const struct hl_kernels *hl_gap_kernels(void);

/* Kernels for FAISS's calls from this thread alone, before those of the process; NULL ends
 * it. For rows that are no floats. */
void hl_gap_use_here(const struct hl_kernels *kernels);

/* FAISS's own functions as a table; codes are left to FAISS. */
extern const struct hl_kernels hl_gap_kernels_shipped;

/* The version of the linked library: it is static, so its headers know. */
const char *hl_gap_version(void);

/* An error text of FAISS without the function and the place it opens with. Good as long as
 * `text`. */
const char *hl_gap_plain_text(const char *text);

/* Holds FAISS's OpenMP to the calling thread. Each thread has a setting of its own. */
void hl_gap_hold_to_one_thread(void);

/* The arrays of an index. HL_BAD_FILE when it is no HNSW graph over rows of floats,
 * HL_DAMAGED when the arrays' sizes do not fit each other. */
enum hl_code hl_gap_view(const struct FaissIndex_H *index, struct hl_graph_view *ret_view,
                         struct hl_err *err);

/* How many rows a build and a search keep in sight; 0 leaves it as it is. Fields of the
 * index: not while another thread uses it. The index must have been viewable. */
void hl_gap_set_beam(struct FaissIndex_H *index, int ef_construction, int ef_search);

/* Memory for so many rows in all, on huge pages where there are some: it does not have to
 * be moved while they come. What it is not asked for FAISS finds itself. */
enum hl_code hl_gap_reserve(struct FaissIndex_H *index, size_t n_rows, struct hl_err *err);

/* An index to and from bytes that the caller moves. `move` returns how many of `size` it
 * moved; fewer ends the work with HL_IO (writing) or HL_DAMAGED (reading). FAISS's
 * reader allocates whatever sizes it finds and forgets what it has when bytes are missing:
 * hl_graph_file_check comes first. */
struct hl_gap_bytes {
    size_t (*move)(void *self, void *bytes, size_t size);
    void *self;
};

enum hl_code hl_gap_write(const struct FaissIndex_H *index, const struct hl_gap_bytes *to,
                          struct hl_err *err);
enum hl_code hl_gap_read(const struct hl_gap_bytes *from, struct FaissIndex_H **ret_index,
                         struct hl_err *err);

#endif
