/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HL_TESTS_UNIT_READING_H
#define HL_TESTS_UNIT_READING_H

/* What every test of a decoder does: bodies in, one after the other, a sentence or values
 * out. Include it behind cmocka.h. */
#include "proto/alloc.h"
#include "proto/field.h"

#include <stdio.h>
#include <string.h>

struct reading {
    struct hl_arena *arena;
    struct hl_tokens tokens;
    struct hl_field root;
    struct hl_err err;
    char *body; /* of exactly its size, so that a sanitizer sees the first byte too many */
};

static inline int start_reading(void **state)
{
    struct reading *r = hl_alloc_zeroed(1, sizeof *r);

    r->arena = hl_arena_new(8 << 20);
    *state = r;
    return 0;
}

static inline int stop_reading(void **state)
{
    struct reading *r = *state;

    hl_arena_free(r->arena);
    hl_free(r->body);
    hl_free(r);
    return 0;
}

/* What was read before is gone. */
static inline const struct hl_field *reading_of(struct reading *r, const char *body)
{
    size_t len = strlen(body);

    hl_free(r->body);
    r->body = hl_alloc(len ? len : 1);
    memcpy(r->body, body, len);
    hl_arena_reset(r->arena);
    hl_tokens_init(&r->tokens, r->body, len, r->arena);
    r->root = hl_field_root(&r->tokens);
    return &r->root;
}

/* NULL as the sentence: accepted, to the end. Sentences without their fixed beginning:
 * "Format error in JSON body: " is code 400's, "Validation error in JSON body: " 422's. */
struct reading_case {
    const char *body;
    int status;
    const char *sentence;
};

static inline void assert_reading(struct reading *r, const struct reading_case *wanted,
                                  enum hl_code (*read)(const struct hl_field *field,
                                                       void *out, struct hl_err *err),
                                  void *out)
{
    char sentence[HL_ERR_MSG_SIZE];
    enum hl_code code = read(reading_of(r, wanted->body), out, &r->err);

    if (code == HL_OK)
        code = hl_tokens_finish(&r->tokens, &r->err);
    if (!wanted->sentence) {
        if (code != HL_OK)
            fail_msg("%s\n    was refused: %s", wanted->body, r->err.msg);
        return;
    }
    if (code == HL_OK)
        fail_msg("%s\n    was accepted", wanted->body);
    snprintf(sentence, sizeof sentence, "%s%s",
             code == HL_MALFORMED ? "Format error in JSON body: "
             : code == HL_INVALID ? "Validation error in JSON body: "
                                  : "",
             wanted->sentence);
    if (strcmp(sentence, r->err.msg) != 0)
        fail_msg("%s\n    %s\n    instead of\n    %s", wanted->body, r->err.msg, sentence);
    assert_int_equal(hl_code_status(code), wanted->status);
}

/* Under every ceiling from nothing up to `room` the body is either read or refused for want
 * of room, and it is read in the end. */
static inline void assert_reading_under_ceilings(
    struct reading *r, const char *body, size_t room,
    enum hl_code (*read)(const struct hl_field *field, void *out, struct hl_err *err),
    void *out)
{
    enum hl_code code = HL_TOO_LARGE;
    size_t n_refused = 0;

    for (size_t ceiling = 0; ceiling < room && code != HL_OK; ceiling += 16) {
        const struct hl_field *field = reading_of(r, body);
        struct hl_arena *arena = hl_arena_new(ceiling);

        assert_non_null(arena);
        r->tokens.arena = arena;
        code = read(field, out, &r->err);
        if (code != HL_OK && code != HL_TOO_LARGE)
            fail_msg("under %zu bytes: %s", ceiling, r->err.msg);
        n_refused += code != HL_OK;
        hl_arena_free(arena);
    }
    assert_int_equal(code, HL_OK);
    assert_true(n_refused > 0);
}

#define ASSERT_READINGS(r, cases, read, out)                                               \
    for (size_t i_case = 0; i_case < sizeof(cases) / sizeof((cases)[0]); i_case++)         \
    assert_reading((r), &(cases)[i_case], (read), (out))

#endif
