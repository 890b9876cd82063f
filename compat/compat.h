/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HL_COMPAT_COMPAT_H
#define HL_COMPAT_COMPAT_H

/* The face of compat/: what the rest of the house may ask of it.
 *
 * compat/ does the mathematics of bridges and knows no HTTP and no index. Under it lies
 * OpenBLAS. */

/* The linked OpenBLAS, such as "OpenBLAS 0.3.21 NO_LAPACKE DYNAMIC_ARCH …", and the
 * processor core its kernels are for, such as "Cooperlake". One thread at a time; good for
 * ever. */
const char *hl_compat_blas(void);
const char *hl_compat_blas_core(void);

/* Holds OpenBLAS to the calling thread, so that a request costs one core. Once, at start,
 * before other threads run. */
void hl_compat_hold_to_one_thread(void);

#endif
