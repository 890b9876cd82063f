/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HL_TESTS_SWAP_PAIR_H
#define HL_TESTS_SWAP_PAIR_H

#include <stdbool.h>
#include <stddef.h>

/* Two models, v1 and v2, and bridges v2 > v1 whose every answer can be worked out by hand.
 *
 * A point's vectors follow from its number. Each revision of the bridge has a judged and a
 * faithful map of its own, all of them signed permutations: lengths stay, no weight is
 * rounded, and no two maps lead to the same place. Pure functions, any thread. */

enum { PAIR_DIM = 16, PAIR_N_REVISIONS = 2, PAIR_VECTOR_TEXT = PAIR_DIM * 17 };

/* Of length 1. `model` is 1 or 2; negative numbers are queries. */
void pair_vector(int model, long number, float values[PAIR_DIM]);
void pair_print(const float values[PAIR_DIM], char text[PAIR_VECTOR_TEXT]); /* as JSON */

/* A vector of v2 as a query of v1, or as an item of it. Revision 1 or 2. */
void pair_judge(int revision, const float in[PAIR_DIM], float out[PAIR_DIM]);
void pair_image(int revision, const float in[PAIR_DIM], float out[PAIR_DIM]);

float pair_dot(const float a[PAIR_DIM], const float b[PAIR_DIM]);

/* The bridge's file, freed by the caller; `prints` are those of v2 and v1. All its scales
 * are alike, so that a score on any of them is the raw one. */
char *pair_file(int revision, const char *const prints[2], size_t *ret_size);

#endif
