/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/pages.h"

#include "proto/fail.h"

#include <stdint.h>
#include <sys/mman.h>
#include <unistd.h>

#define HUGE_PAGE ((size_t)2 << 20)

static size_t round_up(size_t bytes, size_t step)
{
    return (bytes + step - 1) / step * step;
}

static size_t small_page(void)
{
    return (size_t)sysconf(_SC_PAGESIZE);
}

/* More is mapped than is wanted, and what is before the first whole huge page and behind
 * the last byte is given back: a kernel may place a mapping anywhere. */
static void *map_aligned(size_t bytes)
{
    unsigned char *pages = mmap(NULL, bytes + HUGE_PAGE, PROT_READ | PROT_WRITE,
                                MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    size_t before;

    if (pages == MAP_FAILED)
        return NULL;
    before = round_up((uintptr_t)pages, HUGE_PAGE) - (uintptr_t)pages;
    if (before > 0)
        (void)munmap(pages, before);
    (void)munmap(pages + before + bytes, HUGE_PAGE - before);
    return pages + before;
}

void *hl_pages_new(size_t bytes)
{
    void *pages;

    if (bytes == 0 || bytes > SIZE_MAX / 2 || hl_failpoint_hit(HL_FAIL_ALLOC))
        return NULL;
    bytes = round_up(bytes, small_page());
    pages = map_aligned(bytes);
    /* A refusal leaves small pages, which are as right. */
    if (pages && bytes >= HUGE_PAGE)
        (void)madvise(pages, bytes, MADV_HUGEPAGE);
    return pages;
}

void hl_pages_free(void *pages, size_t bytes)
{
    if (pages)
        (void)munmap(pages, round_up(bytes, small_page()));
}

/* Of the whole pages that have some of it. */
static void advise(const void *bytes, size_t size, int advice)
{
    const size_t before = (uintptr_t)bytes % small_page();

    (void)madvise((void *)((const char *)bytes - before), size + before, advice);
}

void hl_pages_scatter(void *bytes, size_t size)
{
    advise(bytes, size, MADV_RANDOM);
}

void hl_pages_fetch(const void *bytes, size_t size)
{
    advise(bytes, size, MADV_WILLNEED);
}

void hl_pages_cool(void *bytes, size_t size)
{
    advise(bytes, size, MADV_PAGEOUT);
}

static bool take(struct hl_allowance *allowance, size_t bytes, size_t lent)
{
    size_t taken = atomic_load(&allowance->taken), most;

    if (__builtin_add_overflow(allowance->most, lent, &most))
        most = SIZE_MAX;
    do
        if (bytes > most || taken > most - bytes)
            return false;
    while (!atomic_compare_exchange_weak(&allowance->taken, &taken, taken + bytes));
    return true;
}

bool hl_allowance_take(struct hl_allowance *allowance, size_t bytes, size_t lent)
{
    if (!take(allowance, bytes, lent))
        return false;
    if (!allowance->whole || hl_allowance_take(allowance->whole, bytes, lent))
        return true;
    atomic_fetch_sub(&allowance->taken, bytes);
    return false;
}

void hl_allowance_give(struct hl_allowance *allowance, size_t bytes)
{
    for (struct hl_allowance *of = allowance; of; of = of->whole)
        atomic_fetch_sub(&of->taken, bytes);
}
