/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/alloc.h"

#include "proto/fail.h"

#include <malloc.h>
#include <stdlib.h>
#include <string.h>

/* The library would raise the first number by itself, up to 32 MB, to the largest block it
 * saw freed; blocks below it are taken from heaps that hardly ever shrink: after 40 bodies
 * of 25 MB at once, 940 MB were kept. Lower still, the batches of everyday pay for new
 * pages. The second number is what would have followed: without it the end of a heap is
 * given away at 128 KB, and taken back for the next request. */
enum { MAPPED_FROM = 8 << 20, KEPT_AT_END = 64 << 20 };

void hl_alloc_give_back(void)
{
    (void)mallopt(M_MMAP_THRESHOLD, MAPPED_FROM); /* NOLINT(concurrency-mt-unsafe) */
    (void)mallopt(M_TRIM_THRESHOLD, KEPT_AT_END); /* NOLINT(concurrency-mt-unsafe) */
}

bool hl_size_mul(size_t n, size_t size, size_t *ret_bytes)
{
    return !__builtin_mul_overflow(n, size, ret_bytes);
}

bool hl_size_add(size_t a, size_t b, size_t *ret_sum)
{
    return !__builtin_add_overflow(a, b, ret_sum);
}

void *hl_alloc(size_t bytes)
{
    return hl_failpoint_hit(HL_FAIL_ALLOC) ? NULL : malloc(bytes ? bytes : 1);
}

void *hl_alloc_zeroed(size_t n, size_t size)
{
    size_t bytes;

    if (!hl_size_mul(n, size, &bytes) || hl_failpoint_hit(HL_FAIL_ALLOC))
        return NULL;
    return calloc(bytes ? bytes : 1, 1);
}

void *hl_alloc_aligned(size_t alignment, size_t bytes)
{
    void *memory = NULL;

    if (alignment < sizeof memory)
        alignment = sizeof memory; /* less is more than posix_memalign accepts */
    if (hl_failpoint_hit(HL_FAIL_ALLOC) ||
        posix_memalign(&memory, alignment, bytes ? bytes : 1) != 0)
        return NULL;
    return memory;
}

void *hl_realloc(void *old, size_t bytes)
{
    return hl_failpoint_hit(HL_FAIL_ALLOC) ? NULL : realloc(old, bytes ? bytes : 1);
}

char *hl_strdup(const char *text)
{
    size_t bytes = strlen(text) + 1;
    char *copy = hl_alloc(bytes);

    return copy ? memcpy(copy, text, bytes) : NULL;
}

void hl_free(void *memory)
{
    free(memory);
}
