/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HL_INDEX_INDEX_H
#define HL_INDEX_INDEX_H

#include "proto/err.h"

/* The face of index/: what the rest of the house may ask of it.
 *
 * Which distance kernels run is one choice for the whole process, because FAISS's own code
 * runs them too and its functions take no context. It is made once at start, before any
 * thread searches; until then the portable kernels run. */

/* Chooses by name. "auto" is the best this processor has; "avx512", "avx2" and "portable"
 * are ours; "shipped" leaves FAISS to its own, for comparison. HL_INVALID for any other
 * name and for kernels this processor cannot run; what was chosen before then stays. */
enum hl_code hl_index_choose_kernels(const char *name, struct hl_err *err);

/* The name of the chosen kernels, never "auto". Any thread; good for ever. */
const char *hl_index_kernels(void);

/* The version of the FAISS that is linked in, such as "1.7.3". Any thread; good for ever.
 */
const char *hl_index_faiss_version(void);

#endif
