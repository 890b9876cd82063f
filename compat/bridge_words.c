/* SPDX-License-Identifier: Apache-2.0 */
#include "compat/bridge_part.h"
#include "proto/alloc.h"
#include "proto/field.h"
#include "proto/number.h"
#include "proto/sha256.h"

#include <inttypes.h>
#include <string.h>

enum { ROOM = 1 << 20 };

/* What a file says in words: its metadata. */
struct words {
    const struct hl_bridge_wanted *wanted;
    const struct hl_tensors *tensors;
    struct hl_bridge *bridge;
};

/* ---- what it says of itself ---- */

const char *hl_bridge_shown(const char *model)
{
    return *model ? model : HL_BRIDGE_UNNAMED;
}

static const char *unshown(const char *model)
{
    return strcmp(model, HL_BRIDGE_UNNAMED) == 0 ? "" : model;
}

static enum hl_code check_version(const struct words *words, struct hl_err *err)
{
    const char *text = hl_tensors_metadata(words->tensors, "format_version");
    uint64_t version = 0;

    if (!text)
        return hl_fail(err, HL_INVALID,
                       "there is no metadata \"format_version\": this is not a bridge");
    if (*text == '\0' || strspn(text, "0123456789") != strlen(text) ||
        !hl_number_u64(text, strlen(text), &version) || version == 0)
        return hl_fail(
            err, HL_INVALID,
            "metadata \"format_version\" is \"%.32s\", a whole number was wanted", text);
    if (version > HL_BRIDGE_FORMAT)
        return hl_fail(err, HL_NOT_SUPPORTED,
                       "it is of format version %" PRIu64
                       ", this heirloom reads up to %d: use a newer heirloom",
                       version, (int)HL_BRIDGE_FORMAT);
    return HL_OK;
}

static enum hl_code check_direction(const char *from, const char *to,
                                    const struct hl_bridge_wanted *wanted,
                                    struct hl_err *err)
{
    bool fits_from = !wanted->from || strcmp(from, wanted->from) == 0;
    bool fits_to = !wanted->to || strcmp(to, wanted->to) == 0;

    if (fits_from && fits_to)
        return HL_OK;
    if (wanted->from && wanted->to && strcmp(from, wanted->to) == 0 &&
        strcmp(to, wanted->from) == 0)
        return hl_fail(err, HL_CONFLICT,
                       "it leads from \"%s\" to \"%s\", the other way round than wanted: "
                       "put it under %s/%s, or learn one from \"%s\" to \"%s\"",
                       hl_bridge_shown(from), hl_bridge_shown(to), hl_bridge_shown(from),
                       hl_bridge_shown(to), hl_bridge_shown(wanted->from),
                       hl_bridge_shown(wanted->to));
    return hl_fail(err, HL_CONFLICT,
                   "it leads from \"%s\" to \"%s\", one from \"%s\" to \"%s\" was wanted",
                   hl_bridge_shown(from), hl_bridge_shown(to),
                   hl_bridge_shown(wanted->from ? wanted->from : from),
                   hl_bridge_shown(wanted->to ? wanted->to : to));
}

static enum hl_code make_bridge(struct words *words, struct hl_err *err)
{
    const char *from = hl_tensors_metadata(words->tensors, "from");
    const char *to = hl_tensors_metadata(words->tensors, "to");
    enum hl_code code;

    if (!from || !to)
        return hl_fail(err, HL_INVALID,
                       "there is no metadata \"%s\": the name of the model that the bridge "
                       "%s, \"" HL_BRIDGE_UNNAMED "\" for the unnamed one",
                       from ? "to" : "from", from ? "leads to" : "comes from");
    from = unshown(from);
    to = unshown(to);
    if (strcmp(from, to) == 0)
        return hl_fail(err, HL_INVALID,
                       "it leads from \"%s\" to itself: two models were wanted",
                       hl_bridge_shown(from));
    code = check_direction(from, to, words->wanted, err);
    return code == HL_OK ? hl_bridge_new(from, to, &words->bridge, err) : code;
}

static bool is_print(const char *text)
{
    return strlen(text) == HL_SHA256_TEXT_SIZE - 1 &&
           strspn(text, "0123456789abcdef") == HL_SHA256_TEXT_SIZE - 1;
}

/* `key` is "from_fingerprint" or the other one, `wanted` what the model has. */
static enum hl_code read_print(const struct words *words, const char *key,
                               const char *model, const char *wanted, char *print,
                               struct hl_err *err)
{
    const char *text = hl_tensors_metadata(words->tensors, key);

    if (!text && wanted && words->wanted->needs_prints)
        return hl_fail(err, HL_CONFLICT,
                       "there is no metadata \"%s\", so nobody knows which \"%s\" it was "
                       "learnt for: set it to %s if it was this one",
                       key, hl_bridge_shown(model), wanted);
    if (!text)
        return HL_OK;
    if (!is_print(text))
        return hl_fail(err, HL_INVALID,
                       "metadata \"%s\" is \"%.80s\", 64 digits 0-9a-f were wanted", key,
                       text);
    if (wanted && *wanted && strcmp(text, wanted) != 0)
        return hl_fail(err, HL_CONFLICT,
                       "it was learnt for another model \"%s\": metadata \"%s\" is %.12s…, "
                       "the collection's is %.12s…; its size, distance or revision has "
                       "changed: learn the bridge anew",
                       hl_bridge_shown(model), key, text, wanted);
    memcpy(print, text, HL_SHA256_TEXT_SIZE);
    return HL_OK;
}

static enum hl_code read_prints(struct words *words, struct hl_err *err)
{
    struct hl_bridge *bridge = words->bridge;
    enum hl_code code = read_print(words, "from_fingerprint", bridge->from,
                                   words->wanted->from_print, bridge->from_print, err);

    return code == HL_OK ? read_print(words, "to_fingerprint", bridge->to,
                                      words->wanted->to_print, bridge->to_print, err)
                         : code;
}

/* ---- how it was learnt, and how it is to be used ---- */

/* Metadata that is JSON: a number from 0 to 1, or, without `ret_value`, an object. */
static enum hl_code read_json(const char *what, const char *text, double *ret_value,
                              struct hl_err *err)
{
    struct hl_arena *arena = hl_arena_new(strlen(text) + ROOM);
    struct hl_object object;
    struct hl_tokens tokens;
    struct hl_field root;
    enum hl_code code;

    if (!arena)
        return hl_fail(err, HL_NO_MEMORY, "no memory to read a bridge");
    hl_tokens_init(&tokens, text, strlen(text), arena);
    tokens.what = what;
    tokens.code = HL_INVALID;
    root = hl_field_root(&tokens);
    if (ret_value) {
        code = hl_field_double(&root, 0, 1, ret_value, err);
    } else {
        const struct hl_field *member = NULL;

        code = hl_object_begin(&root, NULL, 0, &object, err);
        if (code == HL_OK)
            code = hl_object_next(&object, &member, err);
        while (code == HL_OK && member)
            code = hl_object_next(&object, &member, err);
    }
    if (code == HL_OK)
        code = hl_tokens_finish(&tokens, err);
    hl_arena_free(arena);
    return code;
}

static enum hl_code read_share(const struct words *words, const char *key, const char *what,
                               float *share, struct hl_err *err)
{
    const char *text = hl_tensors_metadata(words->tensors, key);
    double value = 0;
    enum hl_code code = text ? read_json(what, text, &value, err) : HL_OK;

    if (code == HL_OK)
        *share = (float)value;
    return code;
}

static enum hl_code read_report(struct words *words, struct hl_err *err)
{
    const char *text = hl_tensors_metadata(words->tensors, "report");
    enum hl_code code;

    if (!text)
        return HL_OK;
    code = read_json("metadata \"report\"", text, NULL, err);
    if (code != HL_OK)
        return code;
    words->bridge->report = hl_strdup(text);
    return words->bridge->report ? HL_OK
                                 : hl_fail(err, HL_NO_MEMORY, "no memory for a report");
}

static enum hl_code read_uses(struct words *words, struct hl_err *err)
{
    struct hl_bridge *bridge = words->bridge;
    const char *kind = hl_tensors_metadata(words->tensors, "kind");
    const char *task = hl_tensors_metadata(words->tensors, "task");
    const char *seed = hl_tensors_metadata(words->tensors, "seed");
    const char *strategy = hl_tensors_metadata(words->tensors, "strategy");
    enum hl_code code;

    bridge->kind = HL_KIND_RIDGE;
    if (kind &&
        (!hl_kind_find(kind, strlen(kind), &bridge->kind) || bridge->kind == HL_KIND_AUTO))
        return hl_fail(
            err, HL_INVALID,
            "metadata \"kind\" is \"%.32s\", the name of a kind was wanted, such "
            "as \"residual\" or \"ridge\"",
            kind);
    if (task && !hl_task_find(task, strlen(task), &bridge->task))
        return hl_fail(err, HL_INVALID,
                       "metadata \"task\" is \"%.32s\", \"similar\" or \"same\" was wanted",
                       task);
    if (seed && (*seed == '\0' || strspn(seed, "0123456789") != strlen(seed) ||
                 !hl_number_u64(seed, strlen(seed), &bridge->seed)))
        return hl_fail(err, HL_INVALID,
                       "metadata \"seed\" is \"%.32s\", a whole number was wanted", seed);
    if (strategy && !hl_bridge_strategy_find(strategy, strlen(strategy), &bridge->strategy))
        return hl_fail(
            err, HL_INVALID,
            "metadata \"strategy\" is \"%.32s\", \"backward\" or \"dual\" was wanted",
            strategy);
    code = read_share(words, "fidelity", "metadata \"fidelity\"", &bridge->fidelity, err);
    if (code == HL_OK)
        code = read_share(words, "old_weight", "metadata \"old_weight\"",
                          &bridge->old_weight, err);
    return code == HL_OK ? read_report(words, err) : code;
}

enum hl_code hl_bridge_read_words(const struct hl_tensors *tensors,
                                  const struct hl_bridge_wanted *wanted,
                                  struct hl_bridge **ret_bridge, struct hl_err *err)
{
    struct words words = {.wanted = wanted, .tensors = tensors};
    enum hl_code code = check_version(&words, err);

    if (code == HL_OK)
        code = make_bridge(&words, err);
    if (code == HL_OK)
        code = read_prints(&words, err);
    if (code == HL_OK)
        code = read_uses(&words, err);
    if (code == HL_OK)
        *ret_bridge = words.bridge;
    else
        hl_bridge_free(words.bridge);
    return code;
}
