/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HL_TESTS_BENCH_TURNS_H
#define HL_TESTS_BENCH_TURNS_H

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* How a bench takes turns with others: it prepares, says `ready`, and does then what each
 * line of its standard input tells it, one line of answer for each: NAME=VALUE …, or
 * `error` and a sentence. It waits without using the processor, and ends with its input.
 * tests/bench/run speaks so to several at once; a person can as well. One thread. */
enum { HL_TURN_WORDS = 8, HL_TURN_LINE = 256 };

struct hl_turn {
    char line[HL_TURN_LINE];
    char *words[HL_TURN_WORDS]; /* into `line`; those that were not said are "" */
};

__attribute__((format(printf, 1, 2))) static inline void hl_turn_say(const char *format,
                                                                     ...)
{
    va_list args;

    va_start(args, format);
    (void)vprintf(format, args);
    va_end(args);
    (void)putchar('\n');
    (void)fflush(stdout);
}

/* False when there are no more. */
static inline int hl_turn_next(struct hl_turn *turn)
{
    char *rest = turn->line;

    if (!fgets(turn->line, sizeof turn->line, stdin))
        return 0;
    turn->line[strcspn(turn->line, "\n")] = '\0';
    for (int i = 0; i < HL_TURN_WORDS; i++) {
        char *word = rest ? strsep(&rest, " ") : NULL;

        turn->words[i] = word ? word : turn->line + strlen(turn->line);
    }
    return 1;
}

#endif
