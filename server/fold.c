/* SPDX-License-Identifier: Apache-2.0 */
#include "server/fold.h"

#include <string.h>

/* How much of the text goes on this line: all, up to the last space, or, of a word that is
 * longer than a line, a line's worth. */
static size_t line_of(const char *text, size_t width)
{
    size_t len = strlen(text);

    if (len <= width)
        return len;
    len = width;
    while (len > 0 && text[len] != ' ')
        len--;
    return len ? len : width;
}

void hl_fold(const char *text, const char *margin, size_t width, struct hl_buf *buf)
{
    while (*text) {
        const size_t len = line_of(text, width);

        hl_buf_add_text(buf, margin);
        hl_buf_add(buf, text, len);
        hl_buf_add_char(buf, '\n');
        text += len;
        text += *text == ' ';
    }
}
