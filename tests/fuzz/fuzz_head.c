/* SPDX-License-Identifier: Apache-2.0 */
/* A head that is read is what it promises: rows with a direction, finite numbers, and
 * labels of which no two are alike. */

#include "compat/head.h"
#include "compat/labels.h"

#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool claim)
{
    if (!claim)
        abort();
}

static void check_classes(const struct hl_head *head)
{
    struct hl_labels *labels;
    struct hl_err err;
    int32_t label;

    require(hl_labels_new(&labels, &err) == HL_OK);
    for (size_t i = 0; i < head->n_rows; i++) {
        const char *name = head->classes[i];

        require(hl_labels_add(labels, name, strlen(name), &label, &err) == HL_OK);
        require((size_t)label == i);
    }
    hl_labels_free(labels);
}

static void check_rows(const struct hl_head *head)
{
    require(head->n_rows >= 2 && head->dim >= 1);
    for (size_t row = 0; row < head->n_rows; row++) {
        bool is_zero = true;

        for (size_t i = 0; i < head->dim; i++) {
            float value = head->weight[row * head->dim + i];

            require(isfinite(value));
            is_zero = is_zero && fpclassify(value) == FP_ZERO;
        }
        require(!is_zero);
        require(!head->bias || isfinite(head->bias[row]));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct hl_memory memory = {data, size};
    struct hl_source source = hl_source_of_memory(&memory, "f");
    struct hl_head *head = NULL;
    struct hl_err err;

    if (hl_head_load(&source, 0, &head, &err) != HL_OK)
        return 0;
    check_rows(head);
    check_classes(head);
    hl_head_free(head);
    return 0;
}
