/* SPDX-License-Identifier: Apache-2.0 */
#include "server/moment.h"

#include <stdio.h>
#include <time.h>

void hl_moment_print(int64_t ms, char text[HL_MOMENT])
{
    const time_t seconds = (time_t)(ms / 1000);
    char second[24] = "";
    struct tm utc;

    if (gmtime_r(&seconds, &utc))
        (void)strftime(second, sizeof second, "%Y-%m-%dT%H:%M:%S", &utc);
    (void)snprintf(text, HL_MOMENT, "%s.%03dZ", second, (int)(ms % 1000));
}

int64_t hl_moment_now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

void hl_moment_now(char text[HL_MOMENT])
{
    hl_moment_print(hl_moment_now_ms(), text);
}
