/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HL_COMPAT_LABELS_H
#define HL_COMPAT_LABELS_H

#include "proto/err.h"

#include <stddef.h>
#include <stdint.h>

/* The classes of a fit by name and by number.
 *
 * A head's rows come first and in their order, so that class i < the head's rows is row i;
 * what else occurs is numbered as it is met. A whole number is the class of its decimal
 * text, so labels in files and labels in payloads may be mixed. One thread. */
struct hl_labels;

enum hl_code hl_labels_new(struct hl_labels **ret_labels, struct hl_err *err);
void hl_labels_free(struct hl_labels *labels); /* NULL is accepted */

/* The number of a class, a new one if it was not there. */
enum hl_code hl_labels_add(struct hl_labels *labels, const char *name, size_t len,
                           int32_t *ret_class, struct hl_err *err);
enum hl_code hl_labels_add_number(struct hl_labels *labels, int64_t name,
                                  int32_t *ret_class, struct hl_err *err);

size_t hl_labels_count(const struct hl_labels *labels);
const char *hl_labels_name(const struct hl_labels *labels, int32_t label); /* good until
                                                                             free */

#endif
