/* SPDX-License-Identifier: Apache-2.0 */
#include "index/apply_part.h"

#include "index/payload_edit.h"

/* Of a payload that is made from others: what no body can bring, many can add up to. */
enum { LARGEST = 256 << 20 };

struct edit {
    const struct hl_write_op *op;
    const struct hl_value *patch;
    struct hl_buf buf;
};

static enum hl_code print_edited(const struct hl_applying *applying, struct edit *edit,
                                 const struct hl_store_point *point, struct hl_err *err)
{
    const struct hl_write_op *op = edit->op;
    const struct hl_value *payload;
    enum hl_code code = hl_payload_parse(point->payload.text, point->payload.len,
                                         applying->scratch, &payload, err);

    if (code == HL_OK && op->kind == HL_WRITE_SET_PAYLOAD)
        code = hl_payload_set(payload, op->has_key ? &op->key : NULL, edit->patch,
                              applying->scratch, &edit->buf, err);
    else if (code == HL_OK)
        code = hl_payload_remove(payload, &op->keys, applying->scratch, &edit->buf, err);
    return code == HL_OK ? hl_buf_check(&edit->buf, "a payload", err) : code;
}

static enum hl_code edit_point(struct hl_applying *applying,
                               const struct hl_store_point *point, void *self,
                               struct hl_err *err)
{
    struct edit *edit = self;
    struct hl_store_payload payload;
    enum hl_code code;

    hl_buf_clear(&edit->buf, 1 << 16);
    hl_arena_reset(applying->scratch);
    code = print_edited(applying, edit, point, err);
    if (code != HL_OK)
        return code;
    payload = (struct hl_store_payload){edit->buf.data, edit->buf.len};
    return hl_store_set_payload(applying->apply->store, point->number, &payload, err);
}

static enum hl_code replace_point(struct hl_applying *applying,
                                  const struct hl_store_point *point, void *self,
                                  struct hl_err *err)
{
    const struct hl_text *text = self;
    const struct hl_store_payload payload = {text->text, text->len};

    if (!text->text && !point->payload.text)
        return HL_OK;
    return hl_store_set_payload(applying->apply->store, point->number, &payload, err);
}

enum hl_code hl_apply_payload(struct hl_applying *applying, const struct hl_write_op *op,
                              struct hl_err *err)
{
    struct hl_text replacement =
        op->kind == HL_WRITE_OVERWRITE_PAYLOAD ? op->payload : (struct hl_text){0};
    struct edit edit = {.op = op};
    enum hl_code code = HL_OK;

    if (op->kind == HL_WRITE_OVERWRITE_PAYLOAD && op->has_key)
        return hl_fail(err, HL_NOT_SUPPORTED,
                       "\"key\" is not supported: a payload is overwritten whole");
    if (op->kind == HL_WRITE_OVERWRITE_PAYLOAD || op->kind == HL_WRITE_CLEAR_PAYLOAD)
        return hl_applying_visit(applying, &op->target,
                                 &(struct hl_visit){replace_point, &replacement, true},
                                 err);
    if (op->kind == HL_WRITE_SET_PAYLOAD)
        code = hl_payload_parse(op->payload.text, op->payload.len, applying->apply->arena,
                                &edit.patch, err);
    if (code != HL_OK)
        return code;
    hl_buf_init(&edit.buf, LARGEST);
    code = hl_applying_visit(applying, &op->target,
                             &(struct hl_visit){edit_point, &edit, true}, err);
    hl_buf_done(&edit.buf);
    return code;
}
