/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HL_INDEX_ROSTER_H
#define HL_INDEX_ROSTER_H

#include "proto/err.h"
#include "proto/id.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Which id a point number stands for, and which number an id has now.
 *
 * The way from a number to its id never changes once it is there, so any thread may go it
 * for a number that some published commit knows; a number of a point that is gone keeps its
 * id until the roster goes. The way back is of now: whoever takes it guards it against the
 * one who changes it. About 24 bytes a point. */
struct hl_roster;

struct hl_roster *hl_roster_new(void); /* NULL: no memory */
void hl_roster_free(struct hl_roster *roster);

/* Room for the points `first` … `last` that are to come, so that the additions cannot fail.
 * The one writer; others may go both ways meanwhile, so nobody has to be kept out. */
enum hl_code hl_roster_reserve(struct hl_roster *roster, uint32_t first, uint32_t last,
                               struct hl_err *err);

/* The one writer, guarded. The number was reserved; an id has one number at a time. */
void hl_roster_add(struct hl_roster *roster, uint32_t number, const struct hl_id *id);
void hl_roster_remove(struct hl_roster *roster, uint32_t number); /* the way back only */

/* Of a number that was added. */
const struct hl_id *hl_roster_id(const struct hl_roster *roster, uint32_t number);
bool hl_roster_number(const struct hl_roster *roster, const struct hl_id *id,
                      uint32_t *ret_number);
size_t hl_roster_bytes(const struct hl_roster *roster);

#endif
