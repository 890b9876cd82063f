/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/loss.h"

enum hl_code hl_loss_read(const struct hl_field *field, enum hl_loss *ret_loss,
                          struct hl_err *err)
{
    static const char *const names[] = {"on_vector_loss"};
    static const char *const words[] = {
        [HL_LOSS_ALLOW] = "allow", [HL_LOSS_KEEP] = "keep", [HL_LOSS_REFUSE] = "refuse"};
    const struct hl_field *member;
    struct hl_object object;
    size_t which = HL_LOSS_ALLOW;
    enum hl_code code = hl_object_begin(field, names, 1, &object, err);

    while (code == HL_OK && (code = hl_object_next(&object, &member, err)) == HL_OK &&
           member)
        if (object.which == 0)
            code = hl_field_enum(member, words, 3, &which, err);
    if (code == HL_OK)
        *ret_loss = (enum hl_loss)which;
    return code;
}
