/* SPDX-License-Identifier: Apache-2.0 */
#include "server/suggest.h"

#include <stdio.h>
#include <string.h>

enum { LONGEST = 64 };

static size_t smallest(size_t a, size_t b, size_t c)
{
    size_t least = a < b ? a : b;

    return least < c ? least : c;
}

static char lower(char c)
{
    if (c >= 'A' && c <= 'Z')
        return (char)(c - 'A' + 'a');
    return c;
}

/* Levenshtein's, in one row; letters of either case are the same. Both names fit. */
static size_t edit_distance(const char *a, size_t a_len, const char *b, size_t b_len)
{
    size_t row[LONGEST + 1];

    for (size_t j = 0; j <= b_len; j++)
        row[j] = j;
    for (size_t i = 1; i <= a_len; i++) {
        size_t diagonal = row[0];

        row[0] = i;
        for (size_t j = 1; j <= b_len; j++) {
            size_t above = row[j];
            size_t changed = diagonal + (lower(a[i - 1]) == lower(b[j - 1]) ? 0 : 1);

            row[j] = smallest(changed, above + 1, row[j - 1] + 1);
            diagonal = above;
        }
    }
    return row[b_len];
}

void hl_suggest_init(struct hl_suggest *suggest, const char *typed, size_t len)
{
    /* A third of the letters wrong is another word. */
    *suggest = (struct hl_suggest){.typed = typed, .len = len, .distance = len / 3 + 2};
}

void hl_suggest_offer(struct hl_suggest *suggest, const char *name)
{
    size_t len = strlen(name);
    size_t distance;

    if (suggest->len > LONGEST || len > LONGEST)
        return;
    distance = edit_distance(suggest->typed, suggest->len, name, len);
    if (distance >= suggest->distance)
        return;
    suggest->distance = distance;
    suggest->best = name;
}

const char *hl_suggest_words(const struct hl_suggest *suggest, char *ret_words, size_t size)
{
    if (suggest->best)
        snprintf(ret_words, size, "; did you mean \"%s\"?", suggest->best);
    else
        snprintf(ret_words, size, "%s", "");
    return ret_words;
}
