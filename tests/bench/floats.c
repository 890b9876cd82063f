/* SPDX-License-Identifier: Apache-2.0 */
/* The float scanner against cJSON's parse of the same array of 512 numbers.
 *
 * Usage: bench_floats [ROUNDS]. Each round reads the array with one and then with the other
 * many times over; what is printed is the median of the rounds' ratios, because only what
 * was measured back to back on a shared machine can be compared. */
#include "proto/floats.h"
#include "proto/alloc.h"
#include "tests/bench/median.h"

#include <cjson/cJSON.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { DIM = 512, MAX_ROUNDS = 1001, SCANS = 400, PARSES = 20, TEXT_ROOM = DIM * 32 };

static double now_us(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec * 1e6 + (double)now.tv_nsec / 1e3;
}

/* The values an embedding has: of a unit vector's size, of both signs. */
static size_t write_array(char *text, int digits)
{
    unsigned long long state = 42;
    size_t at = 0;

    for (int i = 0; i < DIM; i++) {
        double value;

        state = state * 6364136223846793005ULL + 1442695040888963407ULL;
        value = ((double)(state >> 11) / 9007199254740992.0 - 0.5) / 8;
        at += (size_t)snprintf(text + at, TEXT_ROOM - at,
                               digits == 7 ? "%s%.7f" : "%s%.17g", i ? ", " : "[", value);
    }
    at += (size_t)snprintf(text + at, TEXT_ROOM - at, "]");
    return at;
}

static double scan_us(const char *text, size_t len, float *values)
{
    double from = now_us();

    for (int i = 0; i < SCANS; i++) {
        struct hl_tokens tokens;
        struct hl_field root;
        struct hl_err err;
        size_t n = 0;

        hl_tokens_init(&tokens, text, len, NULL);
        root = hl_field_root(&tokens);
        if (hl_floats_fill(&root, values, DIM, &n, &err) != HL_OK || n != DIM)
            abort();
    }
    return (now_us() - from) / SCANS;
}

static double parse_us(const char *text, size_t len)
{
    double from = now_us();

    for (int i = 0; i < PARSES; i++) {
        cJSON *json = cJSON_ParseWithLength(text, len);

        if (!json)
            abort();
        cJSON_Delete(json);
    }
    return (now_us() - from) / PARSES;
}

static void check(const char *text, const float *values)
{
    for (int i = 0; i < DIM; i++) {
        float wanted = strtof(text + 1, NULL);

        if (!(wanted == values[i]))
            abort();
        text = strpbrk(text + 1, ",]");
    }
}

static void measure(const char *name, int digits, int n_rounds)
{
    static double scans[MAX_ROUNDS], parses[MAX_ROUNDS], ratios[MAX_ROUNDS];
    static char text[TEXT_ROOM];
    static float values[DIM];
    size_t len = write_array(text, digits);

    (void)scan_us(text, len, values);
    check(text, values);
    for (int i = 0; i < n_rounds; i++) {
        scans[i] = scan_us(text, len, values);
        parses[i] = parse_us(text, len);
        ratios[i] = parses[i] / scans[i];
    }
    printf("%d floats of %-6s %5zu bytes  scanner %6.2f us  cJSON %7.2f us  ratio %.1f\n",
           DIM, name, len, hl_median(scans, (size_t)n_rounds),
           hl_median(parses, (size_t)n_rounds), hl_median(ratios, (size_t)n_rounds));
}

int main(int argc, char **argv)
{
    int n_rounds = argc > 1 ? (int)strtol(argv[1], NULL, 10) : 51;

    if (n_rounds < 1 || n_rounds > MAX_ROUNDS)
        n_rounds = MAX_ROUNDS;
    measure("%.7f", 7, n_rounds);
    measure("%.17g", 17, n_rounds);
    return 0;
}
