/* SPDX-License-Identifier: Apache-2.0 */
#include "index/column.h"

#include "proto/alloc.h"

#include <string.h>

enum { PAGE_BITS = 10, PAGE_SIZE = 1 << PAGE_BITS };

struct page {
    uint64_t words[PAGE_SIZE];
    uint64_t has[PAGE_SIZE / 64];
    uint32_t n;
};

struct hl_column {
    struct page **pages; /* NULL where no number has a word */
    size_t n_pages;
    size_t n_filled;
};

struct hl_column *hl_column_new(void)
{
    return hl_alloc_zeroed(1, sizeof(struct hl_column));
}

void hl_column_free(struct hl_column *column)
{
    if (!column)
        return;
    for (size_t i = 0; i < column->n_pages; i++)
        hl_free(column->pages[i]);
    hl_free(column->pages);
    hl_free(column);
}

/* The page of the number, NULL without memory. */
static struct page *make_page(struct hl_column *column, uint32_t number)
{
    size_t at = number >> PAGE_BITS, n_wanted;
    struct page **pages;

    if (at >= column->n_pages) {
        n_wanted = at + 1 + column->n_pages / 2;
        pages = hl_realloc(column->pages, n_wanted * sizeof(struct page *));
        if (!pages)
            return NULL;
        memset(pages + column->n_pages, 0,
               (n_wanted - column->n_pages) * sizeof(struct page *));
        column->pages = pages;
        column->n_pages = n_wanted;
    }
    if (!column->pages[at]) {
        column->pages[at] = hl_alloc_zeroed(1, sizeof *column->pages[at]);
        column->n_filled += column->pages[at] != NULL;
    }
    return column->pages[at];
}

static struct page *find_page(const struct hl_column *column, uint32_t number)
{
    size_t at = number >> PAGE_BITS;

    return at < column->n_pages ? column->pages[at] : NULL;
}

static uint64_t bit_of(uint32_t number)
{
    return (uint64_t)1 << (number % 64);
}

static size_t word_of(uint32_t number)
{
    return number % PAGE_SIZE / 64;
}

enum hl_code hl_column_set(struct hl_column *column, uint32_t number, uint64_t word,
                           struct hl_err *err)
{
    struct page *page = make_page(column, number);

    if (!page)
        return hl_fail(err, HL_NO_MEMORY, "no memory for a payload index");
    if (!(page->has[word_of(number)] & bit_of(number)))
        page->n++;
    page->has[word_of(number)] |= bit_of(number);
    page->words[number % PAGE_SIZE] = word;
    return HL_OK;
}

void hl_column_clear(struct hl_column *column, uint32_t number)
{
    struct page *page = find_page(column, number);

    if (!page || !(page->has[word_of(number)] & bit_of(number)))
        return;
    page->has[word_of(number)] &= ~bit_of(number);
    if (--page->n > 0)
        return;
    column->pages[number >> PAGE_BITS] = NULL;
    column->n_filled--;
    hl_free(page);
}

bool hl_column_get(const struct hl_column *column, uint32_t number, uint64_t *ret_word)
{
    const struct page *page = find_page(column, number);

    if (!page || !(page->has[word_of(number)] & bit_of(number)))
        return false;
    *ret_word = page->words[number % PAGE_SIZE];
    return true;
}

size_t hl_column_bytes(const struct hl_column *column)
{
    return sizeof *column + column->n_pages * sizeof(struct page *) +
           column->n_filled * sizeof(struct page);
}
