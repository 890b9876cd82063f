/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HL_SERVER_DATASETS_PART_H
#define HL_SERVER_DATASETS_PART_H

#include "index/layout.h"
#include "server/datasets.h"

/* What datasets.c asks of dataset_check.c; for it alone. */

/* Which tensors are labels and modalities, and how many rows there are. */
void hl_dataset_note_tensors(struct hl_dataset *dataset);

/* HL_INVALID says what is wrong for these models, HL_BAD_FILE what is for anybody. */
enum hl_code hl_dataset_check(const struct hl_dataset *dataset,
                              const struct hl_layout *layout,
                              const struct hl_deadline *deadline, struct hl_err *err);

#endif
