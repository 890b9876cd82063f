/* SPDX-License-Identifier: Apache-2.0 */
#include "server/cli_progress.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { BAR_WIDTH = 24, REDRAW_US = 200000, LINE_US = 10000000, WHOLE = 1000 };

static int64_t now_us(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

void hl_progress_init(struct hl_progress *progress, const char *what, uint64_t total,
                      uint64_t begun_at)
{
    *progress = (struct hl_progress){.what = what,
                                     .total = total,
                                     .begun_at = begun_at,
                                     .started_us = now_us(),
                                     .is_terminal = isatty(STDERR_FILENO) == 1};
    progress->shown_us = progress->started_us;
}

static void print_bar(const struct hl_progress *progress, uint64_t n)
{
    int full = (int)(n >= progress->total ? BAR_WIDTH : n * BAR_WIDTH / progress->total);
    char bar[BAR_WIDTH + 1];

    for (int i = 0; i < BAR_WIDTH; i++)
        bar[i] = i < full ? '#' : '.';
    bar[BAR_WIDTH] = '\0';
    fprintf(stderr, " [%s]", bar);
}

static void print_state(const struct hl_progress *progress, uint64_t n, bool is_over)
{
    double seconds = (double)(now_us() - progress->started_us) / 1e6;
    double rate = seconds > 0 ? (double)(n - progress->begun_at) / seconds : 0;

    fprintf(stderr, "%s%s:", progress->is_terminal ? "\r\033[K" : "", progress->what);
    if (progress->total > 0 && progress->is_terminal)
        print_bar(progress, n);
    fprintf(stderr, " %" PRIu64, n);
    if (progress->total > 0)
        fprintf(stderr, " of %" PRIu64, progress->total);
    fprintf(stderr, " points, %.0f a second", rate);
    if (is_over)
        fprintf(stderr, ", %.1f s in all\n", seconds);
    else if (progress->total > n && rate > 0)
        fprintf(stderr, ", about %.0f s to go", (double)(progress->total - n) / rate);
    if (!is_over && !progress->is_terminal)
        fputc('\n', stderr);
    fflush(stderr);
}

void hl_progress_share(struct hl_progress *progress, double share, const char *words)
{
    const bool is_same = strcmp(progress->words, words) == 0;

    if (!progress->is_terminal && is_same)
        return;
    (void)snprintf(progress->words, sizeof progress->words, "%s", words);
    fprintf(stderr, "%s%s:", progress->is_terminal ? "\r\033[K" : "", progress->what);
    progress->total = WHOLE;
    if (progress->is_terminal)
        print_bar(progress, (uint64_t)(share * WHOLE));
    fprintf(stderr, " %.0f %% %s%s", share * 100, progress->words,
            progress->is_terminal ? "" : "\n");
    fflush(stderr);
}

void hl_progress_leave(struct hl_progress *progress)
{
    if (progress->is_terminal && progress->words[0])
        fputs("\r\033[K", stderr);
    fflush(stderr);
}

void hl_progress_show(struct hl_progress *progress, uint64_t n)
{
    int64_t now = now_us();

    if (now - progress->shown_us < (progress->is_terminal ? REDRAW_US : LINE_US))
        return;
    progress->shown_us = now;
    print_state(progress, n, false);
}

void hl_progress_end(struct hl_progress *progress, uint64_t n)
{
    print_state(progress, n, true);
}
