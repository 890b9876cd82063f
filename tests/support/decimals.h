/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HL_TESTS_SUPPORT_DECIMALS_H
#define HL_TESTS_SUPPORT_DECIMALS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Decimals that are hard to read, and the question whether the float scanner reads them as
 * strtof does. Any thread; a seed has one user. */

#define DECIMAL_ROOM 2048

/* Never 0 after a start that was not. */
uint64_t decimal_next(uint64_t *seed);

/* 1 to 40 digits, a point anywhere or none, an exponent or none. */
void decimal_random(uint64_t *seed, char text[DECIMAL_ROOM]);

/* Half way between two neighbouring floats, or a last digit below or above that, which may
 * stand hundreds of places out: between normal ones, subnormal ones, around the smallest
 * and where overflow begins. */
void decimal_near_half(uint64_t *seed, char text[DECIMAL_ROOM]);

/* Reads the text in the middle of a long array and at the very end of a body, and compares
 * with strtof, bit for bit; what strtof finds infinite must be refused. */
bool decimal_agrees(const char *text);

#endif
