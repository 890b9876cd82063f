/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HL_SERVER_FOLD_H
#define HL_SERVER_FOLD_H

#include "proto/buf.h"

#include <stddef.h>

/* Text in lines of at most `width` bytes behind `margin`, broken at spaces. For help. */
void hl_fold(const char *text, const char *margin, size_t width, struct hl_buf *buf);

#endif
