/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HL_PROTO_PROCESSOR_H
#define HL_PROTO_PROCESSOR_H

#include "proto/err.h"

#include <stddef.h>

/* Functions that are written once for each kind of processor: which of several tables of
 * them this one can run. Tables are constant, so any thread may ask at any time. */
enum hl_processor {
    HL_PROCESSOR_ANY,
    HL_PROCESSOR_AVX2,   /* with fused multiplication and addition */
    HL_PROCESSOR_AVX512, /* its foundation */
    HL_PROCESSOR_VNNI /* AVX-512 with bytes, words, shorter registers and byte products */
};

struct hl_processor_choice {
    const char *name;
    const void *table; /* NULL where it was not compiled */
    enum hl_processor needs;
};

/* A table that only an x86-64 has. */
#ifdef __x86_64__
#define HL_PROCESSOR_X86(table) &(table)
#else
#define HL_PROCESSOR_X86(table) NULL
#endif

/* The table of that name; of "auto", the first that can run. `choices` are in that order,
 * the last is for any processor. HL_INVALID when the name is another or this processor
 * cannot run that table. */
enum hl_code hl_processor_choose(const char *name,
                                 const struct hl_processor_choice *choices, size_t n,
                                 const void **ret_table, struct hl_err *err);

#endif
