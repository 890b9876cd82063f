/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HL_SERVER_INI_H
#define HL_SERVER_INI_H

#include "proto/err.h"

#include <stdbool.h>
#include <stddef.h>

/* INI text, line by line: `[section]`, `key = value`, comments that begin with # or ;.
 *
 * Strict where leniency would hide a mistake. A value goes to the end of its line without
 * the blanks around it, so a secret may hold # and ;. Values are written without quotes.
 * Memory of the caller; slices point into the text. One thread. */
struct hl_ini {
    const char *text;
    size_t len;
    size_t at;
    size_t line; /* of what was read last, from 1 */
    const char *section;
    size_t section_len; /* 0 before the first section */
};

struct hl_ini_entry {
    const char *section;
    size_t section_len;
    const char *key;
    size_t key_len;
    const char *value;
    size_t value_len;
    size_t line;
    bool is_section; /* a section begins; there is neither key nor value */
};

void hl_ini_init(struct hl_ini *ini, const char *text, size_t len);

/* The next section or setting; `*ret_is_end` when there is none. HL_INVALID says what is
 * wrong with line `ini->line`. */
enum hl_code hl_ini_next(struct hl_ini *ini, struct hl_ini_entry *ret_entry,
                         bool *ret_is_end, struct hl_err *err);

#endif
