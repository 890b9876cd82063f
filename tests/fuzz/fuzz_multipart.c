/* SPDX-License-Identifier: Apache-2.0 */
/* A form is refused with a reason, or its part lies within it, up to a delimiter. The first
 * line of the input is the content type, the rest the body. And what is put into a form
 * comes out of it, whatever it is, as long as the delimiter is not in it. */

#include "proto/multipart.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool claim)
{
    if (!claim)
        abort();
}

static void find_any(const uint8_t *data, size_t size)
{
    const uint8_t *line_end = size ? memchr(data, '\n', size) : NULL;
    struct hl_text content = {0}, body;
    char type[256];
    struct hl_err err;
    size_t len, left;

    if (!line_end || (size_t)(line_end - data) >= sizeof type)
        return;
    len = (size_t)(line_end - data);
    memcpy(type, data, len);
    type[len] = '\0';
    body = (struct hl_text){(const char *)line_end + 1, size - len - 1};
    if (hl_multipart_find(type, &body, "snapshot", &content, &err) != HL_OK) {
        require(*err.msg);
        return;
    }
    left = body.len - (size_t)(content.text - body.text);
    require(content.text > body.text + 2 && content.len + 2 < left);
    /* Of a part without content the head's last line end is the delimiter's, too. */
    if (content.len + 4 > left || memcmp(content.text + content.len, "\r\n--", 4) != 0)
        require(content.len == 0 && memcmp(content.text - 2, "\r\n--", 4) == 0);
}

static void find_what_was_put(const uint8_t *data, size_t size)
{
    static const char head[] =
        "--f\r\nContent-Disposition: form-data; name=\"snapshot\"\r\n\r\n";
    static const char tail[] = "\r\n--f--\r\n";
    const size_t before = sizeof head - 1, after = sizeof tail - 1;
    char *form = malloc(before + size + after);
    struct hl_text content, body = {form, before + size + after};
    struct hl_err err;

    require(form);
    memcpy(form, head, before);
    if (size > 0)
        memcpy(form + before, data, size);
    memcpy(form + before + size, tail, after);
    if (memmem(form + before - 2, size + after + 2, "\r\n--f", 5) == form + before + size) {
        require(hl_multipart_find("multipart/form-data; boundary=f", &body, "snapshot",
                                  &content, &err) == HL_OK);
        require(content.len == size && memcmp(content.text, form + before, size) == 0);
    }
    free(form);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    find_any(data, size);
    find_what_was_put(data, size);
    return 0;
}
