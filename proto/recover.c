/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/recover.h"

#include "proto/members.h"

#include <string.h>

enum { LOCATION, PRIORITY, CHECKSUM, API_KEY };

enum { SHA256_DIGITS = 64 };

static bool is_sha256(const struct hl_text *text)
{
    for (size_t i = 0; i < text->len; i++) {
        char c = text->text[i];

        if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F')))
            return false;
    }
    return text->len == SHA256_DIGITS;
}

static const char *const priorities[] = {"no_sync", "snapshot", "replica"};

/* A string that must be of a kind. */
static enum hl_code read_text(const struct hl_field *member, bool is_checksum,
                              struct hl_text *text, struct hl_err *err)
{
    struct hl_token got = {.kind = HL_TOKEN_STRING};
    enum hl_code code = hl_text_read(member, text, err);

    if (code != HL_OK)
        return code;
    got.text = text->text;
    got.len = text->len;
    if (is_checksum && !is_sha256(text))
        return hl_field_fail_value(member, &got, "64 hexadecimal digits of a SHA-256", err);
    if (!is_checksum && text->len == 0)
        return hl_field_fail_value(member, &got, "a location", err);
    return HL_OK;
}

static enum hl_code read_member(const struct hl_field *member, size_t which, void *self,
                                struct hl_err *err)
{
    struct hl_recover *recover = self;
    size_t priority;

    switch (which) {
    case LOCATION:
        return read_text(member, false, &recover->location, err);
    case PRIORITY:
        return hl_field_enum(member, priorities, 3, &priority, err);
    case CHECKSUM:
        return read_text(member, true, &recover->checksum, err);
    default:
        return hl_text_read(member, &recover->api_key, err);
    }
}

enum hl_code hl_recover_read(const struct hl_field *field, struct hl_recover *ret_recover,
                             struct hl_err *err)
{
    static const char *const names[] = {[LOCATION] = "location",
                                        [PRIORITY] = "priority",
                                        [CHECKSUM] = "checksum",
                                        [API_KEY] = "api_key"};
    static const struct hl_members members = {HL_MEMBERS_OF(names), HL_MEMBER(LOCATION),
                                              read_member};
    struct hl_recover recover = {0};
    enum hl_code code = hl_members_read(field, &members, &recover, err);

    if (code == HL_OK)
        *ret_recover = recover;
    return code;
}

enum hl_code hl_recover_check(const char *checksum, const char *priority,
                              struct hl_err *err)
{
    if (checksum && !is_sha256(&(struct hl_text){checksum, strlen(checksum)}))
        return hl_fail(err, HL_MALFORMED,
                       "Format error in query parameters: checksum is \"%.100s\", 64 "
                       "hexadecimal digits of a SHA-256 were wanted",
                       checksum);
    for (size_t i = 0; priority && i < 3; i++)
        if (strcmp(priority, priorities[i]) == 0)
            return HL_OK;
    if (!priority)
        return HL_OK;
    return hl_fail(err, HL_MALFORMED,
                   "Format error in query parameters: priority is \"%.100s\", no_sync, "
                   "snapshot or replica was wanted",
                   priority);
}
