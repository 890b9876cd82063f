/* SPDX-License-Identifier: Apache-2.0 */
#include "server/show.h"

#include "index/payload_edit.h"
#include "proto/encode.h"
#include "proto/model_name.h"

#include <inttypes.h>
#include <string.h>

void hl_show_id(struct hl_buf *buf, const struct hl_id *id)
{
    char text[HL_ID_TEXT_SIZE];
    size_t len = hl_id_print(id, text);

    if (id->tag == HL_ID_UUID)
        hl_encode_text(buf, text, len);
    else
        hl_buf_add(buf, text, len);
}

void hl_show_model(struct hl_buf *buf, const struct hl_space *space)
{
    hl_encode_string(buf, hl_model_shown(space ? space->name : ""));
}

void hl_show_hops(struct hl_buf *buf, const struct hl_layout *layout,
                  const struct hl_hop *hops, size_t n)
{
    hl_buf_add_char(buf, '[');
    for (size_t i = 0; i < n; i++) {
        hl_buf_add_text(buf, i > 0 ? ",{\"from\":" : "{\"from\":");
        hl_show_model(buf, hl_layout_space(layout, hops[i].from));
        hl_buf_add_text(buf, ",\"to\":");
        hl_show_model(buf, hl_layout_space(layout, hops[i].to));
        hl_buf_print(buf, ",\"revision\":%" PRIu64 "}", hops[i].revision);
    }
    hl_buf_add_char(buf, ']');
}

bool hl_show_reads(const struct hl_payload_select *with_payload,
                   const struct hl_vector_select *with_vector)
{
    return with_payload->kind != HL_SELECT_NONE || with_vector->kind != HL_SELECT_NONE;
}

enum hl_code hl_show_check(const struct hl_layout *layout,
                           const struct hl_vector_select *with_vector, struct hl_err *err)
{
    for (size_t i = 0; i < with_vector->names.n; i++) {
        const struct hl_text *name = &with_vector->names.items[i];

        if (!hl_layout_find(layout, name))
            return hl_fail(err, HL_UNKNOWN_VECTOR,
                           "Wrong input: Not existing vector name error: %.*s",
                           (int)name->len, name->text);
    }
    return HL_OK;
}

/* ---- vectors ---- */

/* The space of a vector that is wanted, NULL when it is not. */
static const struct hl_space *wanted_space(const struct hl_show *show, uint32_t id)
{
    const struct hl_space *space = hl_layout_space(show->layout, id);
    const struct hl_texts *names = &show->with_vector->names;

    if (!space || space->image.into != 0) /* images are not the point's */
        return NULL;
    if (show->with_vector->kind == HL_SELECT_ALL)
        return space;
    for (size_t i = 0; i < names->n; i++)
        if (hl_text_is(&names->items[i], space->name))
            return space;
    return NULL;
}

static void print_values(struct hl_buf *buf, const struct hl_store_vector *vector)
{
    hl_buf_add_char(buf, '[');
    for (size_t i = 0; i < vector->n; i++) {
        if (i > 0)
            hl_buf_add_char(buf, ',');
        hl_encode_float(buf, vector->values[i]);
    }
    hl_buf_add_char(buf, ']');
}

static void print_vector(struct hl_buf *buf, const struct hl_store_vector *vector,
                         bool is_sparse)
{
    if (is_sparse) {
        hl_buf_add_text(buf, "{\"indices\":[");
        for (size_t i = 0; i < vector->n; i++) {
            if (i > 0)
                hl_buf_add_char(buf, ',');
            hl_encode_u64(buf, vector->indices[i]);
        }
        hl_buf_add_text(buf, "],\"values\":");
    }
    print_values(buf, vector);
    if (is_sparse)
        hl_buf_add_char(buf, '}');
}

static enum hl_code print_vectors(const struct hl_show *show, struct hl_reader *reader,
                                  const struct hl_store_point *point, struct hl_buf *buf,
                                  struct hl_err *err)
{
    const struct hl_space *space;
    struct hl_store_vector vector;
    size_t n = 0, n_unnamed = 0;
    bool is_bare;

    for (size_t i = 0; i < point->n_places; i++) {
        space = wanted_space(show, point->places[i].space);
        n += space != NULL;
        n_unnamed += space && space->name[0] == '\0';
    }
    is_bare = n == 1 && n_unnamed == 1;
    hl_buf_add_text(buf, is_bare ? "" : "{");
    n = 0;
    for (size_t i = 0; i < point->n_places; i++) {
        enum hl_code code;

        space = wanted_space(show, point->places[i].space);
        if (!space)
            continue;
        code = hl_reader_vector(reader, point->places[i].row, &vector, err);
        if (code != HL_OK)
            return code;
        if (n++ > 0)
            hl_buf_add_char(buf, ',');
        if (!is_bare)
            hl_encode_key(buf, space->name);
        print_vector(buf, &vector, space->dim == 0);
    }
    hl_buf_add_text(buf, is_bare ? "" : "}");
    return HL_OK;
}

/* ---- all of it ---- */

static enum hl_code print_payload(const struct hl_show *show,
                                  const struct hl_store_payload *payload,
                                  struct hl_buf *buf, struct hl_err *err)
{
    const struct hl_value *root;
    enum hl_code code;

    if (show->with_payload->kind == HL_SELECT_ALL) { /* as it came */
        if (payload->text && payload->len > 0)
            hl_buf_add(buf, payload->text, payload->len);
        else
            hl_buf_add_text(buf, "{}");
        return HL_OK;
    }
    hl_arena_reset(show->scratch);
    code = hl_payload_parse(payload->text, payload->len, show->scratch, &root, err);
    return code == HL_OK
               ? hl_payload_show(root, show->with_payload, show->scratch, buf, err)
               : code;
}

enum hl_code hl_show_content(const struct hl_show *show, struct hl_reader *reader,
                             const struct hl_store_point *point, struct hl_buf *buf,
                             struct hl_err *err)
{
    enum hl_code code = HL_OK;

    if (show->with_payload->kind != HL_SELECT_NONE) {
        hl_buf_add_text(buf, ",\"payload\":");
        code = print_payload(show, &point->payload, buf, err);
    }
    if (code == HL_OK && show->with_vector->kind != HL_SELECT_NONE) {
        hl_buf_add_text(buf, ",\"vector\":");
        code = print_vectors(show, reader, point, buf, err);
    }
    return code;
}
