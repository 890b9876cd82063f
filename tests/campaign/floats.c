/* SPDX-License-Identifier: Apache-2.0 */
/* The float scanner against strtof, for as long as one likes.
 *
 * Usage: floats [SEED] [COUNT]. Half of COUNT (10 million) are random decimals of 1 to 40
 * digits with exponents, half lie at or next to the middle of two floats. Prints the first
 * few that are read otherwise than strtof reads them, and how many there are; exit 1 when
 * there are any. */
#include "tests/support/decimals.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

int main(int argc, char **argv)
{
    uint64_t seed = argc > 1 ? strtoull(argv[1], NULL, 10) : 1;
    uint64_t count = argc > 2 ? strtoull(argv[2], NULL, 10) : UINT64_C(10000000);
    uint64_t state = seed ^ UINT64_C(0x9E3779B97F4A7C15), n_wrong = 0;
    char text[DECIMAL_ROOM];

    if (state == 0)
        state = 1;
    for (uint64_t i = 0; i < count; i++) {
        if (i % 2)
            decimal_near_half(&state, text);
        else
            decimal_random(&state, text);
        if (decimal_agrees(text))
            continue;
        if (n_wrong++ < 10)
            printf("not as strtof: %s\n", text);
    }
    printf("seed=%" PRIu64 " count=%" PRIu64 " findings=%" PRIu64 "\n", seed, count,
           n_wrong);
    return n_wrong ? 1 : 0;
}
