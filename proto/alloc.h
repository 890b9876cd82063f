/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HL_PROTO_ALLOC_H
#define HL_PROTO_ALLOC_H

#include <stdbool.h>
#include <stddef.h>

/* Where memory comes from. Nothing else in the house calls malloc, so that a test can make
 * the Nth allocation fail (failpoint `alloc`). NULL means there is none; the caller says
 * what for. Any thread. */

/* n * size, false if it does not fit. Every size that comes from outside passes here. */
bool hl_size_mul(size_t n, size_t size, size_t *ret_bytes);
bool hl_size_add(size_t a, size_t b, size_t *ret_sum);

void *hl_alloc(size_t bytes);
void *hl_alloc_zeroed(size_t n, size_t size);           /* the product is checked */
void *hl_alloc_aligned(size_t alignment, size_t bytes); /* alignment: a power of two */
void *hl_realloc(void *old, size_t bytes);              /* on failure `old` is as it was */
char *hl_strdup(const char *text);
void hl_free(void *memory);

/* From now on large blocks go back to the system when they are freed, so that a burst of
 * large requests is not kept for good. Once, before there are threads. */
void hl_alloc_give_back(void);

#endif
