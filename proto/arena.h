/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HL_PROTO_ARENA_H
#define HL_PROTO_ARENA_H

#include "proto/err.h"

#include <stddef.h>

/* All memory of one request, and the one call that frees it.
 *
 * Inside a request nothing is freed by hand, so no error path can forget to. The ceiling is
 * the request's own allowance: it can run out of that, never of everyone's memory. One
 * thread at a time; whoever hands a request to another thread hands the arena with it. What
 * an arena gave is good until hl_arena_free or hl_arena_reset. */
struct hl_arena;

/* NULL if there is no memory. `ceiling` bounds the bytes taken from the system. */
struct hl_arena *hl_arena_new(size_t ceiling);
void hl_arena_free(struct hl_arena *arena);

/* Empties the arena and keeps its first block, unless that is a large one, so that the next
 * request starts without an allocation. Everything it gave before is gone. */
void hl_arena_reset(struct hl_arena *arena);

/* Aligned to 16 bytes, or to 64 for floats; not zeroed. NULL when the ceiling or the memory
 * is reached: answer with hl_arena_fail. */
void *hl_arena_alloc(struct hl_arena *arena, size_t bytes);
void *hl_arena_array(struct hl_arena *arena, size_t n, size_t size); /* product checked */
float *hl_arena_floats(struct hl_arena *arena, size_t n_rows, size_t dim);
char *hl_arena_copy(struct hl_arena *arena, const char *text, size_t len); /* terminated */
char *hl_arena_print(struct hl_arena *arena, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Why the last call gave NULL: HL_TOO_LARGE when the ceiling stopped it (the caller asked
 * for too much): "no room for WHAT: …"; HL_NO_MEMORY when the system had none: "no memory
 * for WHAT". */
enum hl_code hl_arena_fail(const struct hl_arena *arena, struct hl_err *err,
                           const char *format, ...) __attribute__((format(printf, 3, 4)));

size_t hl_arena_used(const struct hl_arena *arena); /* bytes taken from the system */

#endif
