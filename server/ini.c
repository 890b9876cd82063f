/* SPDX-License-Identifier: Apache-2.0 */
#include "server/ini.h"

#include <string.h>

struct slice {
    const char *data;
    size_t len;
};

void hl_ini_init(struct hl_ini *ini, const char *text, size_t len)
{
    *ini = (struct hl_ini){.text = text, .len = len, .section = ""};
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r';
}

static struct slice trim(struct slice slice)
{
    while (slice.len > 0 && is_blank(slice.data[0])) {
        slice.data++;
        slice.len--;
    }
    while (slice.len > 0 && is_blank(slice.data[slice.len - 1]))
        slice.len--;
    return slice;
}

static bool next_line(struct hl_ini *ini, struct slice *ret_line)
{
    const char *start = ini->text + ini->at;
    const char *end;

    if (ini->at >= ini->len)
        return false;
    end = memchr(start, '\n', ini->len - ini->at);
    *ret_line = (struct slice){start, end ? (size_t)(end - start) : ini->len - ini->at};
    ini->at += ret_line->len + (end ? 1 : 0);
    ini->line++;
    *ret_line = trim(*ret_line);
    return true;
}

static bool has_control(struct slice slice)
{
    for (size_t i = 0; i < slice.len; i++)
        if (((unsigned char)slice.data[i] < 0x20 && slice.data[i] != '\t') ||
            slice.data[i] == 0x7f)
            return true;
    return false;
}

/* Names are made of what needs no quoting anywhere else. */
static bool is_name(struct slice slice)
{
    for (size_t i = 0; i < slice.len; i++) {
        char c = slice.data[i];

        if (!(c >= 'a' && c <= 'z') && !(c >= 'A' && c <= 'Z') && !(c >= '0' && c <= '9') &&
            c != '_' && c != '-' && c != '.')
            return false;
    }
    return slice.len > 0;
}

static enum hl_code read_section(struct hl_ini *ini, struct slice line,
                                 struct hl_ini_entry *entry, struct hl_err *err)
{
    struct slice name;

    if (line.data[line.len - 1] != ']')
        return hl_fail(err, HL_INVALID, "a section ends in \"]\"");
    name = trim((struct slice){line.data + 1, line.len - 2});
    if (!is_name(name))
        return hl_fail(err, HL_INVALID,
                       "the name of a section is letters, digits, \"_\", \"-\" and \".\"");
    ini->section = name.data;
    ini->section_len = name.len;
    *entry = (struct hl_ini_entry){.section = name.data,
                                   .section_len = name.len,
                                   .line = ini->line,
                                   .is_section = true};
    return HL_OK;
}

static enum hl_code read_setting(const struct hl_ini *ini, struct slice line,
                                 struct hl_ini_entry *entry, struct hl_err *err)
{
    const char *equals = memchr(line.data, '=', line.len);
    struct slice key;
    struct slice value;

    if (!equals)
        return hl_fail(err, HL_INVALID,
                       "a line is \"[section]\", \"key = value\" or a comment");
    key = trim((struct slice){line.data, (size_t)(equals - line.data)});
    value = trim((struct slice){equals + 1, line.len - (size_t)(equals + 1 - line.data)});
    if (!is_name(key))
        return hl_fail(err, HL_INVALID,
                       "the name of a setting is letters, digits, \"_\", \"-\" and \".\"");
    if (ini->section_len == 0)
        return hl_fail(err, HL_INVALID, "setting \"%.*s\" stands before any section",
                       (int)(key.len < 64 ? key.len : 64), key.data);
    if (value.len > 0 && (value.data[0] == '"' || value.data[0] == '\''))
        return hl_fail(err, HL_INVALID, "a value is written without quotes");
    *entry = (struct hl_ini_entry){.section = ini->section,
                                   .section_len = ini->section_len,
                                   .key = key.data,
                                   .key_len = key.len,
                                   .value = value.data,
                                   .value_len = value.len,
                                   .line = ini->line};
    return HL_OK;
}

enum hl_code hl_ini_next(struct hl_ini *ini, struct hl_ini_entry *ret_entry,
                         bool *ret_is_end, struct hl_err *err)
{
    struct slice line;

    while (next_line(ini, &line)) {
        if (has_control(line))
            return hl_fail(err, HL_INVALID, "there is a control character in the line");
        if (line.len == 0 || line.data[0] == '#' || line.data[0] == ';')
            continue;
        *ret_is_end = false;
        return line.data[0] == '[' ? read_section(ini, line, ret_entry, err)
                                   : read_setting(ini, line, ret_entry, err);
    }
    *ret_is_end = true;
    return HL_OK;
}
