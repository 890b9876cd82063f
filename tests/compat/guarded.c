/* SPDX-License-Identifier: Apache-2.0 */
/* What the guard of a rollout makes of outcomes that were measured: many rollouts, drawn
 * from them by chance and shown to the very code that the server runs.
 *
 *     guarded BUDGET N_SHADOW N_GATE N_CANARY N_RUNS EVERY < OUTCOMES
 *
 * An outcome is a line: `usual` or `now`, whether it is a negative flip, and how many of
 * ten hits the two models do not share. In each run N_SHADOW of the usual ones are drawn as
 * the shadow stage, N_GATE as the probes of the gate, and then the present ones as the
 * canary stage, with a look after EVERY of them, until the guard takes the model back. Of a
 * run one line is printed: after how many that was (0: never in N_CANARY), by which guard,
 * and how many callers saw a negative flip, where every second one is served by the new
 * model. */
#include "proto/random.h"
#include "server/guard.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_OUTCOMES = 100000 };

struct outcome {
    int flip, tenths;
};

struct outcomes {
    struct outcome *items;
    size_t n;
};

struct plan {
    double budget;
    uint64_t n_shadow, n_gate, n_canary, n_runs, every;
};

static long number_of(char **text)
{
    char *end = *text;
    const long number = strtol(*text, &end, 10);

    *text = end;
    return number;
}

/* -1: a line that is none, or too many. */
static int read_outcomes(struct outcomes *usual, struct outcomes *now)
{
    char line[64];

    while (fgets(line, sizeof line, stdin)) {
        const bool is_now = strncmp(line, "now ", 4) == 0;
        struct outcomes *list = is_now ? now : usual;
        char *text = line + (is_now ? 4 : 6);
        struct outcome outcome;

        if (!is_now && strncmp(line, "usual ", 6) != 0)
            return -1;
        outcome.flip = (int)number_of(&text);
        outcome.tenths = (int)number_of(&text);
        if (*text != '\n' || list->n == MOST_OUTCOMES || outcome.flip < 0 ||
            outcome.flip > 1 || outcome.tenths < 0 || outcome.tenths >= HL_TENTHS)
            return -1;
        list->items[list->n++] = outcome;
    }
    return usual->n > 0 && now->n > 0 ? 0 : -1;
}

static struct outcome draw(const struct outcomes *outcomes, struct hl_random *random)
{
    return outcomes->items[hl_random_below(random, (uint32_t)outcomes->n)];
}

static void count(struct hl_counts *counts, struct outcome outcome)
{
    counts->flips[outcome.flip]++;
    counts->disagreement[outcome.tenths]++;
}

/* The name of the guard that is breached, or NULL. */
static const char *look(const struct hl_rollout *rollout, const struct hl_counts *shadow,
                        const struct hl_counts *canary)
{
    const struct hl_guard_facts facts = {
        .rollout = rollout, .shadow = shadow, .stage = canary};
    struct hl_guard_check checks[HL_N_GUARDS];

    hl_guard_look(&facts, checks);
    for (int i = 0; i < HL_N_GUARDS; i++)
        if (checks[i].is_breached)
            return hl_guard_name((enum hl_guard)i);
    return NULL;
}

static void run(const struct plan *plan, const struct outcomes *usual,
                const struct outcomes *now, uint64_t seed)
{
    struct hl_rollout rollout = hl_rollout_default();
    struct hl_counts shadow = {0}, canary = {0};
    struct hl_random random = {hl_random_mix(seed)};
    const char *found = NULL;
    uint64_t n = 0, n_seen = 0;

    rollout.stage = HL_STAGE_CANARY;
    rollout.guard.excess_flips = plan->budget;
    for (uint64_t i = 0; i < plan->n_shadow; i++)
        count(&shadow, draw(usual, &random));
    rollout.baseline.n = plan->n_gate;
    for (uint64_t i = 0; i < plan->n_gate; i++)
        rollout.baseline.flips += (uint64_t)draw(usual, &random).flip;
    while (!found && n < plan->n_canary) {
        const struct outcome outcome = draw(now, &random);

        count(&canary, outcome);
        n_seen += outcome.flip && hl_random_below(&random, 2) == 1;
        if (++n % plan->every == 0)
            found = look(&rollout, &shadow, &canary);
    }
    printf("%llu %s %llu\n", found ? (unsigned long long)n : 0, found ? found : "-",
           (unsigned long long)n_seen);
}

static int run_all(char **arguments)
{
    const struct plan plan = {
        strtod(arguments[0], NULL),       strtoull(arguments[1], NULL, 10),
        strtoull(arguments[2], NULL, 10), strtoull(arguments[3], NULL, 10),
        strtoull(arguments[4], NULL, 10), strtoull(arguments[5], NULL, 10)};
    struct outcomes usual = {calloc(MOST_OUTCOMES, sizeof *usual.items), 0};
    struct outcomes now = {calloc(MOST_OUTCOMES, sizeof *now.items), 0};
    int failed =
        !usual.items || !now.items || plan.every == 0 || read_outcomes(&usual, &now);

    for (uint64_t i = 0; !failed && i < plan.n_runs; i++)
        run(&plan, &usual, &now, i);
    free(usual.items);
    free(now.items);
    return failed;
}

int main(int argc, char **argv)
{
    if (argc == 7 && run_all(argv + 1) == 0)
        return 0;
    (void)fprintf(stderr,
                  "guarded BUDGET N_SHADOW N_GATE N_CANARY N_RUNS EVERY < OUTCOMES\n");
    return 2;
}
