/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HL_SERVER_MOMENT_H
#define HL_SERVER_MOMENT_H

#include <stdint.h>

/* Moments as replies say them: 2026-11-21T11:22:33.444Z. Any thread. */
enum { HL_MOMENT = 32 };
void hl_moment_print(int64_t ms, char text[HL_MOMENT]); /* since 1970 */
void hl_moment_now(char text[HL_MOMENT]);
int64_t hl_moment_now_ms(void);

#endif
