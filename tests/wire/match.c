/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/wire/match.h"

#include <cjson/cJSON.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static const char any[] = "<any>";

enum { PATH_SIZE = 256, ANY_LEN = sizeof any - 1 };

static bool refuse(char *why, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static bool refuse(char *why, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    vsnprintf(why, HL_WHY_SIZE, format, args);
    va_end(args);
    return false;
}

bool hl_match_text(const char *pattern, const char *text)
{
    const char *gap = strstr(pattern, any);
    const char *rest;
    size_t fixed;

    if (!gap)
        return strcmp(pattern, text) == 0;
    fixed = (size_t)(gap - pattern);
    if (strncmp(pattern, text, fixed) != 0)
        return false;
    text += fixed;
    /* Each further fixed part where it stands first; the last one at the end. */
    for (rest = gap + ANY_LEN; (gap = strstr(rest, any)); rest = gap + ANY_LEN) {
        fixed = (size_t)(gap - rest);
        text = memmem(text, strlen(text), rest, fixed);
        if (!text)
            return false;
        text += fixed;
    }
    return strlen(text) >= strlen(rest) &&
           strcmp(text + strlen(text) - strlen(rest), rest) == 0;
}

static bool is_type(const char *pattern, const cJSON *value, bool *ret_matches)
{
    const struct {
        const char *name;
        bool is_it;
    } types[] = {
        {"<any>", true},
        {"<string>", cJSON_IsString(value)},
        {"<number>", cJSON_IsNumber(value)},
        {"<bool>", cJSON_IsBool(value)},
        {"<object>", cJSON_IsObject(value)},
        {"<array>", cJSON_IsArray(value)},
    };

    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
        if (strcmp(pattern, types[i].name) == 0) {
            *ret_matches = types[i].is_it;
            return true;
        }
    }
    return false;
}

static bool match_value(const cJSON *pattern, const cJSON *value, const char *path,
                        char *why);

static bool match_member(const cJSON *pattern, const cJSON *object, const char *path,
                         char *why)
{
    const cJSON *value = cJSON_GetObjectItemCaseSensitive(object, pattern->string);
    char inner[PATH_SIZE];

    snprintf(inner, sizeof inner, "%s.%s", path, pattern->string);
    if (cJSON_IsString(pattern) && strcmp(pattern->valuestring, "<absent>") == 0)
        return !value || refuse(why, "%s is there", inner);
    if (!value)
        return refuse(why, "%s is not there", inner);
    return match_value(pattern, value, inner, why);
}

static bool match_object(const cJSON *pattern, const cJSON *object, const char *path,
                         char *why)
{
    const cJSON *member;

    if (!cJSON_IsObject(object))
        return refuse(why, "%s is not an object", path);
    cJSON_ArrayForEach(member, pattern)
    {
        if (strcmp(member->string, "<only>") != 0 &&
            !match_member(member, object, path, why))
            return false;
    }
    if (!cJSON_GetObjectItemCaseSensitive(pattern, "<only>"))
        return true;
    cJSON_ArrayForEach(member, object)
    {
        if (!cJSON_GetObjectItemCaseSensitive(pattern, member->string))
            return refuse(why, "%s.%s is there and was not wanted", path, member->string);
    }
    return true;
}

static bool match_array(const cJSON *pattern, const cJSON *array, const char *path,
                        char *why)
{
    const cJSON *wanted;
    const cJSON *value = array ? array->child : NULL;
    char inner[PATH_SIZE];
    int i = 0;

    if (!cJSON_IsArray(array))
        return refuse(why, "%s is not an array", path);
    cJSON_ArrayForEach(wanted, pattern)
    {
        if (cJSON_IsString(wanted) && strcmp(wanted->valuestring, "<more>") == 0)
            return true;
        snprintf(inner, sizeof inner, "%s[%d]", path, i++);
        if (!value)
            return refuse(why, "%s is not there", inner);
        if (!match_value(wanted, value, inner, why))
            return false;
        value = value->next;
    }
    return !value || refuse(why, "%s has more than %d", path, i);
}

/* As deep as the pattern, which is ours. */
static bool match_value(const cJSON *pattern, const cJSON *value, const char *path,
                        char *why)
{
    bool matches = false;
    char *printed;

    if (cJSON_IsObject(pattern))
        return match_object(pattern, value, path, why);
    if (cJSON_IsArray(pattern))
        return match_array(pattern, value, path, why);
    if (cJSON_IsString(pattern) && !is_type(pattern->valuestring, value, &matches))
        matches = cJSON_IsString(value) &&
                  hl_match_text(pattern->valuestring, value->valuestring);
    else if (!cJSON_IsString(pattern))
        matches = cJSON_Compare(pattern, value, true);
    if (matches)
        return true;
    printed = cJSON_PrintUnformatted(value);
    refuse(why, "%s is %s", path, printed ? printed : "?");
    cJSON_free(printed);
    return false;
}

bool hl_match_json(const char *pattern, const char *text, char *why)
{
    cJSON *wanted = cJSON_Parse(pattern);
    cJSON *value = cJSON_ParseWithOpts(text, NULL, true);
    bool matches;

    if (!wanted)
        matches = refuse(why, "the pattern itself is not JSON");
    else if (!value)
        matches = refuse(why, "the body is not JSON");
    else
        matches = match_value(wanted, value, "$", why);
    cJSON_Delete(wanted);
    cJSON_Delete(value);
    return matches;
}

/* "Name: pattern" or "!Name". Whichever header of that name fits will do. */
static bool match_header(const char *want, const struct hl_client_reply *reply, char *why)
{
    const char *colon = strchr(want, ':');
    char name[128];
    const char *value = NULL;

    if (want[0] == '!') {
        value = hl_client_header(reply, want + 2);
        return !value || refuse(why, "header %s is there: %s", want + 2, value);
    }
    snprintf(name, sizeof name, "%.*s", (int)(colon - want), want);
    for (size_t i = 0; i < reply->n_headers; i++) {
        if (strcasecmp(reply->headers[i].name, name) != 0)
            continue;
        value = reply->headers[i].value;
        if (hl_match_text(colon + 1 + strspn(colon + 1, " "), value))
            return true;
    }
    if (!value)
        return refuse(why, "header %s is not there", name);
    return refuse(why, "header %s is \"%s\"", name, value);
}

bool hl_match_reply(const struct hl_want *want, const struct hl_client_reply *reply,
                    char *why)
{
    if (want->status != reply->status)
        return refuse(why, "status is %d", reply->status);
    for (size_t i = 0; i < want->n_headers; i++)
        if (!match_header(want->headers[i], reply, why))
            return false;
    if (want->text && strcmp(want->text, reply->body) != 0)
        return refuse(why, "the body is another");
    for (size_t i = 0; i < want->n_parts; i++)
        if (!strstr(reply->body, want->parts[i]))
            return refuse(why, "the body has no \"%s\"", want->parts[i]);
    return !want->json || hl_match_json(want->json, reply->body, why);
}
