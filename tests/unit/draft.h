/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HL_TESTS_UNIT_DRAFT_H
#define HL_TESTS_UNIT_DRAFT_H

#include "compat/bridge_file.h"
#include "proto/tensors.h"

#include <string.h>

/* A good file of a bridge, for tests that read it and tests that spoil it. Comes after
 * cmocka.h. */

#define PRINT_A "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define PRINT_B "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"

enum { MAX = 24 };

/* A file that a case spoils: from 2 numbers to 3, with a judged residual of 2 hidden ones.
 */
struct draft {
    struct hl_metadata metadata[MAX];
    size_t n_metadata;
    struct hl_tensor tensors[MAX];
    float firsts[MAX]; /* the first number of each; all others are .5 */
    size_t n_tensors;
};

static const struct draft good = {
    .metadata = {{"format_version", "1"},
                 {"from", "v2"},
                 {"to", "@default"},
                 {"from_fingerprint", PRINT_A},
                 {"to_fingerprint", PRINT_B},
                 {"kind", "residual"},
                 {"task", "same"},
                 {"seed", "18446744073709551615"},
                 {"fidelity", "0.4"},
                 {"old_weight", "0.25"},
                 {"strategy", "dual"},
                 {"report", "{\"case\":\"pairs\"}"},
                 {"format", "pt"}},
    .n_metadata = 13,
    .tensors = {{.name = "faithful.weight", .n_dims = 2, .shape = {3, 2}},
                {.name = "judged.weight", .n_dims = 2, .shape = {3, 2}},
                {.name = "judged.bias", .n_dims = 1, .shape = {3}},
                {.name = "judged.down.weight", .n_dims = 2, .shape = {2, 2}},
                {.name = "judged.down.bias", .n_dims = 1, .shape = {2}},
                {.name = "judged.up.weight", .n_dims = 2, .shape = {3, 2}},
                {.name = "judged.slope", .n_dims = 1, .shape = {1}},
                {.name = "scale.old_items", .n_dims = 2, .shape = {11, 2}},
                {.name = "scale.to_own", .n_dims = 1, .shape = {2}}},
    .firsts = {1, 2, 3, 4, 5, 6, .125F, 8, 9},
    .n_tensors = 9};

static const struct hl_bridge_wanted wanted = {.from = "v2",
                                               .to = "",
                                               .dim_from = 2,
                                               .dim_to = 3,
                                               .from_print = PRINT_A,
                                               .to_print = PRINT_B,
                                               .needs_prints = true};

static inline void write_draft(const struct draft *draft, struct hl_buf *buf)
{
    struct draft typed = *draft;
    struct hl_tensors_plan plan = {typed.tensors, typed.n_tensors, typed.metadata,
                                   typed.n_metadata};
    struct hl_tensors_writer *writer;
    struct hl_err err;

    for (size_t i = 0; i < typed.n_tensors; i++)
        typed.tensors[i].type = HL_DTYPE_F32;
    assert_int_equal(hl_tensors_writer_open_memory(buf, &plan, &writer, &err), HL_OK);
    for (size_t i = 0; i < typed.n_tensors; i++) {
        size_t n = 1;

        for (unsigned dim = 0; dim < typed.tensors[i].n_dims; dim++)
            n *= typed.tensors[i].shape[dim];
        for (size_t j = 0; j < n; j++) {
            float value = j == 0 ? typed.firsts[i] : .5F;

            assert_int_equal(hl_tensors_writer_add_floats(writer, &value, 1, &err), HL_OK);
        }
    }
    assert_int_equal(hl_tensors_writer_commit(writer, &err), HL_OK);
}

static inline enum hl_code load_bytes(const struct hl_buf *buf,
                                      const struct hl_bridge_wanted *w,
                                      struct hl_bridge **ret_bridge, struct hl_err *err)
{
    struct hl_memory memory = {buf->data, buf->len};
    struct hl_source source = hl_source_of_memory(&memory, "b");

    return hl_bridge_load(&source, w, ret_bridge, err);
}

static inline enum hl_code load(const struct draft *draft, const struct hl_bridge_wanted *w,
                                struct hl_bridge **ret_bridge, struct hl_err *err)
{
    struct hl_buf buf;
    enum hl_code code;

    hl_buf_init(&buf, 1 << 20);
    write_draft(draft, &buf);
    code = load_bytes(&buf, w, ret_bridge, err);
    hl_buf_done(&buf);
    return code;
}

#endif
