/* SPDX-License-Identifier: Apache-2.0 */
#include "compat/labels.h"

#include "proto/alloc.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { FIRST_SLOTS = 64, NUMBER_SIZE = 24 };

/* Names by number, and a table of numbers by name: open addressing, at most half full. */
struct hl_labels {
    char **names;
    size_t n_names, room;
    uint32_t *slots; /* a class + 1; 0: free */
    size_t n_slots;  /* a power of two */
};

enum hl_code hl_labels_new(struct hl_labels **ret_labels, struct hl_err *err)
{
    struct hl_labels *labels = hl_alloc_zeroed(1, sizeof *labels);

    if (!labels)
        return hl_fail(err, HL_NO_MEMORY, "no memory for labels");
    *ret_labels = labels;
    return HL_OK;
}

void hl_labels_free(struct hl_labels *labels)
{
    if (!labels)
        return;
    for (size_t i = 0; i < labels->n_names; i++)
        hl_free(labels->names[i]);
    hl_free(labels->names);
    hl_free(labels->slots);
    hl_free(labels);
}

/* FNV-1a. */
static uint64_t hash_name(const char *name, size_t len)
{
    uint64_t hash = UINT64_C(14695981039346656037);

    for (size_t i = 0; i < len; i++)
        hash = (hash ^ (unsigned char)name[i]) * UINT64_C(1099511628211);
    return hash ^ hash >> 32;
}

/* The slot of the name, or the free one where it belongs. */
static size_t find_slot(const struct hl_labels *labels, const char *name, size_t len)
{
    size_t slot = (size_t)hash_name(name, len) & (labels->n_slots - 1);

    for (; labels->slots[slot]; slot = (slot + 1) & (labels->n_slots - 1)) {
        const char *there = labels->names[labels->slots[slot] - 1];

        if (strlen(there) == len && memcmp(there, name, len) == 0)
            break;
    }
    return slot;
}

static enum hl_code grow_slots(struct hl_labels *labels, struct hl_err *err)
{
    size_t n = labels->n_slots ? 2 * labels->n_slots : FIRST_SLOTS;
    uint32_t *slots = hl_alloc_zeroed(n, sizeof *slots);

    if (!slots)
        return hl_fail(err, HL_NO_MEMORY, "no memory for %zu labels", labels->n_names);
    hl_free(labels->slots);
    labels->slots = slots;
    labels->n_slots = n;
    for (size_t i = 0; i < labels->n_names; i++)
        slots[find_slot(labels, labels->names[i], strlen(labels->names[i]))] =
            (uint32_t)i + 1;
    return HL_OK;
}

static enum hl_code grow(struct hl_labels *labels, struct hl_err *err)
{
    size_t room = labels->room ? 2 * labels->room : FIRST_SLOTS / 2, bytes;
    char **names = NULL;

    if (labels->n_names == INT32_MAX)
        return hl_fail(err, HL_INVALID, "there are more than %d labels", INT32_MAX);
    if (2 * (labels->n_names + 1) > labels->n_slots && grow_slots(labels, err) != HL_OK)
        return err->code;
    if (labels->n_names < labels->room)
        return HL_OK;
    if (hl_size_mul(room, sizeof *names, &bytes))
        names = hl_realloc(labels->names, bytes);
    if (!names)
        return hl_fail(err, HL_NO_MEMORY, "no memory for %zu labels", labels->n_names);
    labels->names = names;
    labels->room = room;
    return HL_OK;
}

static enum hl_code add_name(struct hl_labels *labels, const char *name, size_t len,
                             struct hl_err *err)
{
    char *copy = hl_alloc(len + 1);

    if (!copy)
        return hl_fail(err, HL_NO_MEMORY, "no memory for a label");
    memcpy(copy, name, len);
    copy[len] = '\0';
    labels->slots[find_slot(labels, name, len)] = (uint32_t)labels->n_names + 1;
    labels->names[labels->n_names++] = copy;
    return HL_OK;
}

enum hl_code hl_labels_add(struct hl_labels *labels, const char *name, size_t len,
                           int32_t *ret_class, struct hl_err *err)
{
    enum hl_code code;
    size_t slot;

    if (memchr(name, '\0', len))
        return hl_fail(err, HL_INVALID, "label \"%s\" goes on behind a zero byte", name);
    code = grow(labels, err);
    if (code != HL_OK)
        return code;
    slot = find_slot(labels, name, len);
    if (!labels->slots[slot]) {
        code = add_name(labels, name, len, err);
        if (code != HL_OK)
            return code;
    }
    *ret_class = (int32_t)(labels->slots[slot] - 1);
    return HL_OK;
}

enum hl_code hl_labels_add_number(struct hl_labels *labels, int64_t name,
                                  int32_t *ret_class, struct hl_err *err)
{
    char text[NUMBER_SIZE];
    int len = snprintf(text, sizeof text, "%" PRId64, name);

    return hl_labels_add(labels, text, (size_t)len, ret_class, err);
}

size_t hl_labels_count(const struct hl_labels *labels)
{
    return labels->n_names;
}

const char *hl_labels_name(const struct hl_labels *labels, int32_t label)
{
    return labels->names[label];
}
