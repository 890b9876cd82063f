/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HL_SERVER_LINES_H
#define HL_SERVER_LINES_H

#include "proto/err.h"
#include "server/target.h"

#include <stdbool.h>
#include <stdint.h>

/* A text file line by line, however long it is. One thread. */
struct hl_lines;

enum { HL_LINE_MAX = 64 << 20 };

enum hl_code hl_lines_open(const char *path, struct hl_lines **ret_lines,
                           struct hl_err *err);
void hl_lines_close(struct hl_lines *lines); /* NULL is accepted */

/* The next line without its end, good until the next call; lines that are empty or white
 * space are passed over. *ret_has is false behind the last. HL_BAD_FILE for a line of more
 * than HL_LINE_MAX bytes. */
enum hl_code hl_lines_next(struct hl_lines *lines, struct hl_span *ret_line, bool *ret_has,
                           struct hl_err *err);
uint64_t hl_lines_number(const struct hl_lines *lines); /* of the last one given, from 1 */
const char *hl_lines_path(const struct hl_lines *lines);

#endif
