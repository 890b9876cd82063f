/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HL_PROTO_NPY_HEADER_H
#define HL_PROTO_NPY_HEADER_H

#include "proto/npy.h"

/* The text between an .npy file's preamble and its numbers: a Python dict of exactly
 * 'descr', 'fortran_order' and 'shape', then spaces, then the end of the line. For
 * proto/npy.c alone; pure functions, any thread. */

/* Fills type, byte order, order, shape. HL_BAD_FILE with the byte of the header that is not
 * what it should be. */
enum hl_code hl_npy_header_parse(const char *text, size_t len, struct hl_npy *npy,
                                 struct hl_err *err);

#endif
